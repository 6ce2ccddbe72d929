//! Who `trust.toml` believes about when a signature was made, and which logs.

use super::config::CertificateSource;
use super::read::source;
use crate::attestation::tlog::LogKey;
use crate::loader::document::{DocumentError, Fields, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::audit::{name_is_usable, verifier_key};
use common::crypto::{Algorithm, PublicKey};
use common::identity::Name;
use std::collections::BTreeSet;

const MAX_WORD: usize = 1024;

/// Who is believed about time and logs, and what every package's signature must carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notaries {
    /// Whether a signature must carry a timestamp of a trusted authority.
    pub require_timestamp: bool,
    /// Whether a signature must stand in a trusted log.
    pub require_log_entry: bool,
    /// Whose timestamps are believed.
    pub timestamp_authorities: Vec<TimestampAuthority>,
    /// Whose checkpoints are believed.
    pub logs: Vec<LogAuthority>,
}

/// An RFC 3161 authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampAuthority {
    /// The name it goes by in messages.
    pub name: Name,
    /// Its certificates: the one that signs first, the root last.
    pub source: CertificateSource,
}

/// A transparency log with its Ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAuthority {
    origin: String,
    key: PublicKey,
}

impl LogAuthority {
    /// A log of this name and key, when a signed note can carry the name and the key is Ed25519.
    pub fn new(origin: &str, key: PublicKey) -> Option<Self> {
        let usable = name_is_usable(origin) && key.algorithm() == Algorithm::Ed25519;
        usable.then(|| Self { origin: origin.to_owned(), key })
    }
    /// From a verifier key of signed notes: `name+id+key`.
    pub fn from_vkey(text: &str) -> Option<Self> {
        let (origin, rest) = text.split_once('+')?;
        let (_, encoded) = rest.split_once('+')?;
        let (kind, raw) = STANDARD.decode(encoded).ok()?.split_first().map(|(k, raw)| (*k, raw.to_vec()))?;
        let key = PublicKey::from_raw(Algorithm::Ed25519, &raw).ok().filter(|_| kind == 1)?;
        Self::new(origin, key).filter(|log| log.vkey() == text)
    }
    /// The name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }
    /// Its key as other readers of signed notes take it.
    pub fn vkey(&self) -> String {
        verifier_key(&self.origin, &self.key)
    }
    pub(super) fn key(&self) -> LogKey {
        LogKey { origin: self.origin.clone(), key: self.key.clone() }
    }
}

pub(super) fn authority(node: Node) -> Result<TimestampAuthority, DocumentError> {
    let mut fields = node.fields(&["name", "file", "pem"])?;
    Ok(TimestampAuthority { name: fields.need("name")?.parse(MAX_WORD)?, source: source(&mut fields)? })
}

pub(super) fn log(node: Node) -> Result<LogAuthority, DocumentError> {
    let vkey = node.fields(&["vkey"])?.need("vkey")?;
    let log = LogAuthority::from_vkey(vkey.text(MAX_WORD)?);
    log.ok_or_else(|| vkey.fail("must be the verifier key of an Ed25519 log: name+id+key"))
}

pub(super) fn required(fields: &mut Fields, notaries: &mut Notaries) -> Result<(), DocumentError> {
    if let Some(node) = fields.take("require_timestamp") {
        notaries.require_timestamp = node.boolean()?;
    }
    if let Some(node) = fields.take("require_log_entry") {
        notaries.require_log_entry = node.boolean()?;
    }
    Ok(())
}

/// Names are there once, and what is required could be had.
pub(super) fn consistent(notaries: &Notaries) -> Result<(), DocumentError> {
    let mut names = BTreeSet::new();
    if !notaries.timestamp_authorities.iter().all(|a| names.insert(a.name.as_str())) {
        return Err(DocumentError::new("timestamp_authority", "has a name twice"));
    }
    let mut origins = BTreeSet::new();
    if !notaries.logs.iter().all(|log| origins.insert(log.origin())) {
        return Err(DocumentError::new("log", "has a name twice"));
    }
    if notaries.require_timestamp && names.is_empty() {
        return Err(DocumentError::new("verify.require_timestamp", "needs a [[timestamp_authority]]"));
    }
    if notaries.require_log_entry && origins.is_empty() {
        return Err(DocumentError::new("verify.require_log_entry", "needs a [[log]]"));
    }
    Ok(())
}
