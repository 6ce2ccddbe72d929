//! What the door needs of a log. The audit log is one; a test's double is another.

use common::audit::{Actor, AuditError, AuditLog, Record, Tally};

/// Takes records, or refuses.
pub(crate) trait Recorder: Send + Sync {
    /// Class B: an effect, before it happens, and a failure, after it.
    fn append(&self, record: &Record<'_>) -> Result<(), AuditError>;
    /// Class B that a plugin can cause at will without any effect: denials, limits, malformed calls.
    fn append_limited(&self, record: &Record<'_>) -> Result<(), AuditError>;
    /// Class A: durable before it returns.
    fn commit(&self, record: &Record<'_>) -> Result<(), AuditError>;
    /// Class C: a counter.
    fn counter(&self, actor: &Actor, action: &str, kind: &str) -> Box<dyn Counter>;
}

/// Counts one kind of action of one caller.
pub(crate) trait Counter: Send {
    /// Counts one action.
    fn hit(&mut self, epoch: u64, ok: bool, latency_ms: u64) -> Result<(), AuditError>;
}

impl Recorder for AuditLog {
    fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        Self::append(self, record).map(drop)
    }
    fn append_limited(&self, record: &Record<'_>) -> Result<(), AuditError> {
        // Counted for a summary when it is not recorded by itself: either way nothing is lost.
        drop(Self::append_limited(self, record));
        Ok(())
    }
    fn commit(&self, record: &Record<'_>) -> Result<(), AuditError> {
        Self::commit(self, record).map(drop)
    }
    fn counter(&self, actor: &Actor, action: &str, kind: &str) -> Box<dyn Counter> {
        Box::new(self.tally(actor, action, kind))
    }
}

impl Counter for Tally {
    fn hit(&mut self, epoch: u64, ok: bool, latency_ms: u64) -> Result<(), AuditError> {
        Self::hit(self, epoch, ok, latency_ms)
    }
}
