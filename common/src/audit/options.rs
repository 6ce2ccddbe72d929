//! How a log is kept: rates, bounds and sizes, each with its default.

use std::time::Duration;

/// Where records wait until the committer has written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JournalKind {
    /// In a mapped file beside the segments: survives the death of the process, not the loss of power.
    Mapped,
    /// In the memory of the process.
    Memory,
}

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Records a second per actor and action before summaries take over. Instances of a plugin share it.
    pub detail_rate: u32,
    /// Record every class C action; a full journal then makes its caller wait.
    pub detail_every: bool,
    /// Class B waits like class A.
    pub strict: bool,
    /// In refuse mode, class C is refused too.
    pub production: bool,
    /// The origin of the checkpoints and the `node` of the records.
    pub node: String,
    /// Where records wait. Default: [`JournalKind::Mapped`] on Linux.
    pub journal: JournalKind,
    /// How many records may wait; rounded up to a power of two between 16 and 65,536. Each takes 1 KiB.
    pub journal_slots: usize,
    /// Size at which a new segment is begun, in bytes; one is at most a line larger.
    pub segment_bytes: u64,
    /// How long a caller without a deadline waits when the journal is full.
    pub full_wait: Duration,
    /// Time between attempts to leave refuse mode.
    pub retry: Duration,
}

impl AuditOptions {
    /// The defaults, for this node.
    pub fn new(node: impl Into<String>) -> Self {
        Self { node: node.into(), ..Self::default() }
    }
}

impl Default for AuditOptions {
    fn default() -> Self {
        let journal = if cfg!(target_os = "linux") { JournalKind::Mapped } else { JournalKind::Memory };
        Self {
            detail_rate: 1_000,
            detail_every: false,
            strict: false,
            production: true,
            node: "forgeone".to_owned(),
            journal,
            journal_slots: 4_096,
            segment_bytes: 64 << 20,
            full_wait: Duration::from_secs(1),
            retry: Duration::from_secs(1),
        }
    }
}
