//! Keys and trust of the home, as far as making them takes the open home.

use super::{Ask, Parcel};
use crate::error::DaemonError;
use crate::shown::{KeyLine, NotaryLine, RevokedLine};
use common::crypto::Algorithm;
use common::error::ForgeError;
use common::identity::Name;
use plugin_manager::{IssueRequest, KeyRing, Passphrase, PluginManager, RevokeRequest, SecretValue};
use serde::{Deserialize, Serialize};

/// The passphrases of a question about keys. They travel in its bytes, which no log shows, and are overwritten where
/// they are read.
#[derive(Debug, Clone, Default)]
pub struct Passphrases {
    /// Opens the keys that are needed and have one.
    pub unlock: Option<Passphrase>,
    /// Protects the keys that are made.
    pub protect: Option<Passphrase>,
}

impl Passphrases {
    /// The question with these.
    pub fn with<A: Ask>(&self, head: A) -> Parcel<A> {
        // No passphrase has a control character.
        let parts =
            [&self.unlock, &self.protect].map(|p| p.as_ref().map_or("", Passphrase::reveal).as_bytes());
        Parcel { head, body: parts.join(&0) }
    }

    fn of(body: Vec<u8>) -> Result<Self, ForgeError> {
        let body = SecretValue::new(body);
        let mut parts = body.split(|byte| *byte == 0).map(|part| match part {
            [] => Ok(None),
            part => {
                let malformed = |why: String| DaemonError::Malformed { what: "a passphrase", why };
                let text = std::str::from_utf8(part).map_err(|e| malformed(e.to_string()))?;
                Ok::<_, ForgeError>(Some(Passphrase::new(text.to_owned())?))
            }
        });
        let mut next = || parts.next().transpose().map(Option::flatten);
        Ok(Self { unlock: next()?, protect: next()? })
    }
}

/// The keys of the home, opened and written with the passphrases of the question.
fn keys(manager: &PluginManager, body: Vec<u8>) -> Result<KeyRing<'_>, ForgeError> {
    let Passphrases { unlock, protect } = Passphrases::of(body)?;
    let ring = manager.keys()?.protecting(protect);
    Ok(match unlock {
        Some(passphrase) => ring.unlocked_by(Box::new(move |_| Ok(passphrase.clone()))),
        None => ring,
    })
}

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

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<KeyLine>, ForgeError> {
        let made = keys(manager, body)?.init(&name(&self.name)?, self.development)?;
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
    /// The roles of somebody who signs beside publishers; `None` for a publisher.
    pub roles: Option<Vec<String>>,
}

impl Ask for KeysIssue {
    type Reply = KeyLine;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<KeyLine>, ForgeError> {
        let request = IssueRequest {
            publisher: name(&self.publisher)?,
            algorithm: if self.ed25519 { Algorithm::Ed25519 } else { Algorithm::EcdsaP256Sha256 },
            days: self.days,
            development: self.development,
            packages: self.packages,
        };
        let roles = self.roles.map(|roles| roles.iter().map(|r| name(r)).collect::<Result<Vec<_>, _>>());
        let made = match roles.transpose()? {
            Some(roles) => keys(manager, body)?.issue_signer(&request, &roles)?,
            None => keys(manager, body)?.issue(&request)?,
        };
        Ok(KeyLine::from(made).into())
    }
}

/// Takes a certificate back, or signs the list of those anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysRevoke {
    /// Whose; `None` to sign the list anew.
    pub who: Option<String>,
    /// Its serial number; the one in use when not given.
    pub serial: Option<String>,
    /// Whether it goes on the kill-list too.
    pub kill: bool,
    /// How long the list is current.
    pub days: u32,
}

impl Ask for KeysRevoke {
    type Reply = RevokedLine;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<RevokedLine>, ForgeError> {
        let request = RevokeRequest {
            who: self.who.as_deref().map(name).transpose()?,
            serial: self.serial,
            kill: self.kill,
            days: self.days,
        };
        let list = keys(manager, body)?.revoke(&request)?;
        manager.reload_trust()?;
        Ok(RevokedLine::from(list).into())
    }
}

/// Makes a new key and certificate for the same identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysRotate {
    /// Whose.
    pub who: String,
    /// How long the certificate is valid.
    pub days: u32,
}

impl Ask for KeysRotate {
    type Reply = KeyLine;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<KeyLine>, ForgeError> {
        Ok(KeyLine::from(keys(manager, body)?.rotate(&name(&self.who)?, self.days)?).into())
    }
}

/// Makes the home's timestamp authority and transparency log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysNotary {}

impl Ask for KeysNotary {
    type Reply = NotaryLine;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<NotaryLine>, ForgeError> {
        Ok(NotaryLine::from(keys(manager, body)?.notary()?).into())
    }
}

/// Gives a private key a passphrase, another one, or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysProtect {
    /// Whose: a publisher, a signer or `authority`; `None` for the notary.
    pub who: Option<String>,
}

impl Ask for KeysProtect {
    type Reply = ();

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        let ring = keys(manager, body)?;
        match &self.who {
            Some(who) => ring.protect(who)?,
            None => ring.protect_notary()?,
        }
        Ok(().into())
    }
}

pub(super) fn name(text: &str) -> Result<Name, DaemonError> {
    Name::new(text).map_err(|e| DaemonError::Malformed { what: "the name", why: e.to_string() })
}
