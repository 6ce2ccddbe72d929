//! Keys and trust of the home, as far as making them takes the open home.

use super::{Ask, Parcel};
use crate::error::DaemonError;
use crate::shown::{KeyLine, NotaryLine};
use common::crypto::Algorithm;
use common::error::ForgeError;
use common::identity::Name;
use plugin_manager::{IssueRequest, PluginManager};
use serde::{Deserialize, Serialize};

/// Makes the home's certificate authority.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysInit {
    /// The authority's name.
    pub name: String,
    /// Whether production refuses its certificates.
    pub development: bool,
}

impl Ask for KeysInit {
    type Reply = KeyLine;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<KeyLine>, ForgeError> {
        let made = manager.keys()?.init(&name(&self.name)?, self.development)?;
        Ok(KeyLine::from(made).into())
    }
}

/// Makes a publisher's key and certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysIssue {
    /// The publisher.
    pub publisher: String,
    /// Whether the key is Ed25519; ECDSA over P-256 otherwise.
    pub ed25519: bool,
    /// How long the certificate is valid.
    pub days: u32,
    /// Whether production refuses it.
    pub development: bool,
    /// The names the publisher may sign, as globs.
    pub packages: Vec<String>,
}

impl Ask for KeysIssue {
    type Reply = KeyLine;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<KeyLine>, ForgeError> {
        let request = IssueRequest {
            publisher: name(&self.publisher)?,
            algorithm: if self.ed25519 { Algorithm::Ed25519 } else { Algorithm::EcdsaP256Sha256 },
            days: self.days,
            development: self.development,
            packages: self.packages,
        };
        Ok(KeyLine::from(manager.keys()?.issue(&request)?).into())
    }
}

/// Makes the home's timestamp authority and transparency log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysNotary {}

impl Ask for KeysNotary {
    type Reply = NotaryLine;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<NotaryLine>, ForgeError> {
        Ok(NotaryLine::from(manager.keys()?.notary()?).into())
    }
}

fn name(text: &str) -> Result<Name, DaemonError> {
    Name::new(text).map_err(|e| DaemonError::Malformed { what: "the name", why: e.to_string() })
}
