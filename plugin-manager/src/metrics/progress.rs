//! Which phase of long work goes on and how far it is, told to whoever asked for it; nothing is printed here.

use std::fmt::Debug;

/// A part of the way from bytes to a plugin that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Bytes are read and hashed. How many there are is known.
    Read,
    /// Files are packed and read back.
    Pack,
    /// Signature, certificates and trust are checked.
    Verify,
    /// The module is validated and its imports and exports are looked at.
    Scan,
    /// The module is compiled. Engines do not say how far they are.
    Compile,
    /// `init`, `start` and `state_load` run.
    BringUp,
    /// A daemon does what it was asked.
    Daemon,
}

impl Phase {
    /// What goes on, as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Pack => "packing",
            Self::Verify => "verifying",
            Self::Scan => "scanning",
            Self::Compile => "compiling",
            Self::BringUp => "bringing up",
            Self::Daemon => "the daemon answers",
        }
    }
}

/// Hears of progress. Calls come from the threads that work, so they must be short; phases may lie inside each
/// other, and those of a host that does several things at once come in any order.
pub trait Progress: Debug + Send + Sync {
    /// A phase begins. `total` is in bytes; `None` where nobody knows.
    fn begin(&self, phase: Phase, subject: &str, total: Option<u64>);
    /// So many bytes more are done in the phase that began last.
    fn advance(&self, bytes: u64);
    /// The phase that began last and has not ended is over, well or not.
    fn end(&self, phase: Phase);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: Phase, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: Phase) {}
}

/// A phase that goes on until this is dropped.
#[derive(Debug)]
pub struct Stage<'a> {
    progress: &'a dyn Progress,
    phase: Phase,
}

impl<'a> Stage<'a> {
    /// Begins a phase.
    pub fn new(progress: &'a dyn Progress, phase: Phase, subject: &str, total: Option<u64>) -> Self {
        progress.begin(phase, subject, total);
        Self { progress, phase }
    }
    /// So many bytes more are done.
    pub fn advance(&self, bytes: usize) {
        self.progress.advance(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.progress.end(self.phase);
    }
}
