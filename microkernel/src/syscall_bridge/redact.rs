//! Names of resources kept out of the log: in records of host calls, names of chosen kinds are replaced by keyed digests of
//! them. The same name has the same digest, so that records can be counted and compared without it.

use super::record::{Counter, Recorder};
use crate::trust::ResourceKind;
use common::audit::{Actor, AuditError, Record};
use common::crypto::MacKey;
use common::identity::Digest;
use std::sync::Arc;

/// What a redacted name begins with.
pub const REDACTED: &str = "hmac:";
/// Hexadecimal digits of a redacted name: 96 bits.
const DIGITS: usize = 24;

/// Which kinds of resources records do not name, and the key of the digests that stand in their place.
#[derive(Debug)]
pub struct Redaction {
    kinds: Vec<ResourceKind>,
    key: MacKey,
}

impl Redaction {
    /// Of these kinds, with this key: who has it can tell whether a digest is of a name.
    pub const fn new(kinds: Vec<ResourceKind>, key: MacKey) -> Self {
        Self { kinds, key }
    }

    /// What stands in place of this name; `None` when names of its kind are recorded.
    fn of(&self, kind: &str, name: &str) -> Option<String> {
        let hidden = !name.is_empty() && self.kinds.iter().any(|hidden| hidden.name() == kind);
        hidden.then(|| {
            let tag = Digest::from_bytes(self.key.tag(&[kind.as_bytes(), b"\n", name.as_bytes()])).hex();
            format!("{REDACTED}{}", tag.get(..DIGITS).unwrap_or_default())
        })
    }
}

/// A log that is never told names of the chosen kinds.
pub(super) struct Redacting {
    pub log: Arc<dyn Recorder>,
    pub redaction: Redaction,
}

impl Redacting {
    /// Passes the record on, its resource and its details without the name.
    fn pass<T>(&self, record: &Record<'_>, to: impl FnOnce(&Record<'_>) -> T) -> T {
        let (kind, name) = record.resource;
        let Some(digest) = self.redaction.of(kind, name) else { return to(record) };
        let details: Vec<(&str, String)> =
            record.details.iter().map(|(key, text)| (*key, text.replace(name, &digest))).collect();
        let details: Vec<(&str, &str)> = details.iter().map(|(key, text)| (*key, text.as_str())).collect();
        to(&Record { resource: (kind, &digest), details: &details, ..*record })
    }
}

impl Recorder for Redacting {
    fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.pass(record, |record| self.log.append(record))
    }
    fn append_limited(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.pass(record, |record| self.log.append_limited(record))
    }
    fn commit(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.pass(record, |record| self.log.commit(record))
    }
    fn counter(&self, actor: &Actor, action: &str, kind: &str) -> Box<dyn Counter> {
        // Sums name no resource.
        self.log.counter(actor, action, kind)
    }
}
