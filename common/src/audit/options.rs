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

/// How much of a log is kept. Whole segments are removed, oldest first, each after a record of this log that says
/// so; hashes and the checkpoint of the last removed record stay, so that every proof still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Bytes of segments kept at least, when the log has as many. `None` keeps all.
    pub bytes: Option<u64>,
    /// How long records are kept at least. `None` keeps all.
    pub age: Option<Duration>,
}

impl Retention {
    /// Whether anything may ever be removed.
    pub const fn removes(&self) -> bool {
        self.bytes.is_some() || self.age.is_some()
    }
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
    /// What may be removed. Default: nothing. With both bounds set, what either of them keeps is kept.
    pub retention: Retention,
    /// Free bytes under which the log warns, in a record and in its health.
    pub warn_free: u64,
    /// Free bytes under which class A is refused; B and C go on, and what protects is never refused.
    pub refuse_free: u64,
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
            retention: Retention::default(),
            warn_free: 512 << 20,
            refuse_free: 64 << 20,
        }
    }
}
