//! The audit log: append or refuse. What "recorded" promises, by class of action (RECORDING.md).

use crate::clock::Clock;
use crate::crypto::SigningKey;
use crate::error::{Code, Coded, codes};
use crate::identity::IdentityContext;
use std::path::Path;
use std::sync::Arc;

/// How an action must be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordClass {
    /// Durable before the effect or the answer.
    A,
    /// Appended before the effect, durable within 5 ms.
    B,
    /// Counted; each recorded up to a rate, beyond it summarised once a second.
    C,
}

/// How an action ended, or was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Permitted, or done.
    Ok,
    /// Denied.
    Denied,
    /// Permitted and failed.
    Failed,
    /// Stopped by a limit.
    Limit,
}

/// Who acts, rendered once: cheap to clone and to name in every record.
#[derive(Debug, Clone)]
pub struct Actor(Arc<str>);

impl Actor {
    /// The actor fragment of this identity.
    pub fn new(identity: &IdentityContext) -> Self {
        Self(identity.name().into())
    }
}

/// The decision behind a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decision<'a> {
    /// Ids of the policies that decided; empty when the grant table alone did.
    pub policies: &'a str,
    /// The policy epoch it was made in.
    pub epoch: u64,
    /// Whether it came from a cache.
    pub cached: bool,
}

/// What is to be recorded. The log adds sequence number, time, node, boot and the hash of the line before.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What kind of event: `host_call`, `lifecycle`, `management`, `denial`, `log`, …
    pub event: &'a str,
    /// How it ended or was decided.
    pub outcome: Outcome,
    /// The error code, when there is one.
    pub code: Option<&'a str>,
    /// Who acts.
    pub actor: &'a Actor,
    /// What is done: a syscall's name or a management verb.
    pub action: &'a str,
    /// The kind of the resource (`path`, `key`, `plugin`, …), and its canonical name. Never a payload.
    pub resource: (&'a str, &'a str),
    /// The decision, where one was made.
    pub decision: Option<Decision<'a>>,
    /// Further facts, as name and value; small.
    pub details: &'a [(&'a str, &'a str)],
}

/// Proof that a record was appended; can wait until it is durable.
#[derive(Debug)]
pub struct Ticket {}

impl Ticket {
    /// Waits until the record is on disk and returns its sequence number.
    ///
    /// # Errors
    /// When the log failed before it was.
    pub fn durable(self) -> Result<u64, AuditError> {
        Ok(0)
    }
}

/// Why the log cannot be opened, or cannot record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// In refuse mode, or the journal stayed full.
    #[error("the audit log cannot record: {0}")]
    Refused(String),
}

impl Coded for AuditError {
    fn code(&self) -> &'static Code {
        &codes::E3001
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub enum JournalKind { #[default] Mapped, Memory }
/// How a log is kept.
#[derive(Debug, Clone, Default)]
pub struct AuditOptions {
    /// Records a second per actor and action before summaries take over.
    pub detail_rate: u32,
    /// Class B waits like class A.
    pub strict: bool,
    /// In refuse mode, class C is refused too.
    pub production: bool,
    /// The origin of the checkpoints and the `node` of the records.
    pub node: String,
    pub journal: JournalKind,
}

/// The log of one home. Clones are handles to the same log.
#[derive(Debug, Clone)]
pub struct AuditLog {}

impl AuditLog {
    /// Opens or creates the log in `dir`, takes its lock, recovers a torn tail.
    ///
    /// # Errors
    /// When the directory is locked by another writer or the log is damaged.
    pub fn open(
        _dir: &Path,
        _key: SigningKey,
        _options: AuditOptions,
        _clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        Ok(Self {})
    }
    /// Class B: appends; durable within 5 ms (or before return when `strict`).
    ///
    /// # Errors
    /// [`AuditError::Refused`].
    pub fn append(&self, _record: &Record<'_>) -> Result<Ticket, AuditError> {
        Ok(Ticket {})
    }
    /// Class A: appends and waits until the record is durable.
    ///
    /// # Errors
    /// [`AuditError::Refused`].
    pub fn commit(&self, record: &Record<'_>) -> Result<u64, AuditError> {
        self.append(record)?.durable()
    }
    /// For actions that protect (stop, pause, quarantine): never refuses; recorded as soon as the log can.
    pub fn protect(&self, _record: &Record<'_>) {}
    /// Class C: a counter for one actor, action and kind of resource, owned by one instance.
    pub fn tally(&self, _actor: &Actor, _action: &str, _resource_kind: &str) -> Tally {
        Tally {}
    }
    /// Waits until everything appended so far is durable, and makes a checkpoint.
    ///
    /// # Errors
    /// When the log failed.
    pub fn flush(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

/// Counts class C actions of one actor and action; exact, whatever the rate.
#[derive(Debug)]
pub struct Tally {}

impl Tally {
    /// Counts one action. `latency_ms` is coarse.
    ///
    /// # Errors
    /// [`AuditError::Refused`] in production when the log is in refuse mode.
    #[inline]
    pub fn hit(&mut self, _epoch: u64, _ok: bool, _latency_ms: u64) -> Result<(), AuditError> {
        Ok(())
    }
}
