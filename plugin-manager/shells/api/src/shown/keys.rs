//! Keys and their certificates.

use crate::when::rfc3339;
use plugin_manager::{KeyInfo, NotaryInfo, RevocationList};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A key and its certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyLine {
    /// `authority` or `publisher`.
    pub kind: String,
    /// Of the authority or publisher.
    pub name: String,
    /// Of the key.
    pub algorithm: String,
    /// The URI identity of a publisher's certificate.
    pub identity: Option<String>,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: String,
    /// What `[kill] serials` of trust.toml takes.
    pub serial: String,
    /// SHA-256 of the public key: what `[kill] keys` of trust.toml takes.
    pub key: String,
    /// RFC 3339, UTC.
    pub not_before: String,
    /// RFC 3339, UTC.
    pub not_after: String,
    /// Whether production refuses it.
    pub development: bool,
    /// Whether the private key is in this home.
    pub private_key: bool,
    /// Whether the private key that is in this home has a passphrase.
    pub protected: bool,
}

impl From<KeyInfo> for KeyLine {
    fn from(k: KeyInfo) -> Self {
        Self {
            kind: k.kind.name().to_owned(),
            name: k.name,
            algorithm: k.algorithm,
            identity: k.identity,
            fingerprint: k.fingerprint.to_string(),
            serial: k.serial,
            key: k.key.to_string(),
            not_before: rfc3339(k.not_before_ns),
            not_after: rfc3339(k.not_after_ns),
            development: k.development,
            private_key: k.private_key,
            protected: k.protected,
        }
    }
}

/// The home's timestamp authority and log.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotaryLine {
    /// SHA-256 of the timestamp certificate's DER.
    pub fingerprint: String,
    /// Until when it is valid: RFC 3339, UTC.
    pub not_after: String,
    /// The log's verifier key, as readers of signed notes take it: `name+id+key`.
    pub log: String,
}

impl From<NotaryInfo> for NotaryLine {
    fn from(notary: NotaryInfo) -> Self {
        Self {
            fingerprint: notary.certificate.to_string(),
            not_after: rfc3339(notary.not_after_ns),
            log: notary.log,
        }
    }
}

/// A revocation list as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokedLine {
    /// The serial number that was revoked now; none when the list was signed anew.
    pub serial: Option<String>,
    /// Whether its key is on the kill-list.
    pub killed: bool,
    /// Where the list is.
    pub list: PathBuf,
    /// How many certificates it names.
    pub revoked: usize,
    /// RFC 3339, UTC: until when it is current.
    pub until: String,
}

impl From<RevocationList> for RevokedLine {
    fn from(list: RevocationList) -> Self {
        Self {
            serial: list.serial,
            killed: list.killed,
            list: list.file,
            revoked: list.revoked,
            until: rfc3339(list.until_ns),
        }
    }
}
