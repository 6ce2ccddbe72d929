//! The handle of a log: open, append, commit, protect, count, flush; and how it fares.

use super::codec::Entry;
use super::committer::Committer;
use super::counted::Key;
use super::error::AuditError;
use super::files::{Files, Lock, SystemFiles};
use super::journal::Journal;
use super::line::Origin;
use super::note::name_is_usable;
use super::options::AuditOptions;
use super::record::{Actor, Outcome, Record};
use super::recover::{self, Opened, own_entry};
use super::shared::{Refusal, Shared};
use super::sinks::{CheckpointSink, Hub, SinkMetrics};
use super::space::Space;
use super::tally::Tally;
use super::writer::Setting;
use crate::clock::{Clock, Deadline};
use crate::crypto::{Algorithm, SigningKey};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;
use std::time::Duration;

/// The log of one home. Clones are handles to the same log; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    committer: Mutex<Option<JoinHandle<()>>>,
    dir: PathBuf,
    _lock: Lock,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.shared.wake_committer();
        if let Some(committer) = self.committer.lock().take() {
            // A committer that panicked has told so; there is nothing left to close.
            let _ = committer.join();
        }
        if let Some(hub) = self.shared.sinks.get() {
            hub.close();
        }
    }
}

/// Proof that a record was appended; can wait until it is durable.
#[derive(Debug)]
pub struct Ticket {
    shared: Arc<Shared>,
    seq: u64,
}

impl Ticket {
    /// The record's sequence number.
    pub fn seq(&self) -> u64 {
        self.seq
    }
    /// Waits until the record is on disk and returns its sequence number.
    ///
    /// # Errors
    /// When the log failed before it was. It may still be written once the log recovers.
    pub fn durable(self) -> Result<u64, AuditError> {
        self.shared.wait_durable(self.seq).map(|()| self.seq)
    }
}

/// Whether a log records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Recording,
    /// It does, and its disk is nearly full: this many bytes are free. Below
    /// [`refuse_free`](AuditOptions::refuse_free) class A is refused.
    Scarce(Space),
    /// It does not, for this reason.
    Refusing(Refusal),
}

/// Figures of a log. Numbers of records are totals over its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMetrics {
    /// Records appended.
    pub appended: u64,
    /// Records on disk.
    pub durable: u64,
    /// Records in the journal.
    pub queued: u64,
    /// Records the journal can hold.
    pub capacity: u64,
    /// Summary records since the log was opened.
    pub summaries: u64,
    /// Age of the oldest record that is not on disk, in milliseconds.
    pub lag_ms: u64,
    /// Protective records waiting outside the journal.
    pub backlog: u64,
    /// Protective records that were counted only, and that no record tells of yet.
    pub protect_counted: u64,
    /// Bytes free on the disk of the log; `u64::MAX` before they were first looked at.
    pub free_bytes: u64,
    /// Records under the latest checkpoint.
    pub covered: u64,
    /// Segments retention removed since the log was opened.
    pub segments_removed: u64,
}

impl AuditLog {
    /// Opens or creates the log in `dir`, takes its lock, recovers a torn tail.
    ///
    /// # Errors
    /// When the directory is locked by another writer, the log is damaged or another node's, the key is not
    /// Ed25519, or a file cannot be read or written.
    pub fn open(
        dir: &Path,
        key: SigningKey,
        options: AuditOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        Self::open_on(Arc::new(SystemFiles), dir, key, options, clock)
    }

    /// As [`AuditLog::open`], on other files than this machine's.
    ///
    /// # Errors
    /// As [`AuditLog::open`].
    pub fn open_on(
        files: Arc<dyn Files>,
        dir: &Path,
        key: SigningKey,
        options: AuditOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(AuditError::Key);
        }
        if !name_is_usable(&options.node) {
            return Err(AuditError::Node(options.node));
        }
        let lock = Lock::take(dir)?;
        let setting = Setting {
            files,
            dir: dir.to_owned(),
            key,
            node: options.node.clone(),
            segment_bytes: options.segment_bytes,
        };
        let origin = || Origin::new(&options.node, boot_id().trim());
        let opened = recover::open(setting, &origin(), &*clock)?;
        let origin = origin();
        start(dir, lock, opened, origin, options, clock)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    fn entry<'a>(&self, record: &Record<'a>) -> Entry<'a> {
        let clock = &self.shared().clock;
        Entry::of(record, clock.wall_ns(), clock.mono_ns())
    }

    /// Class B: appends; durable within 5 ms (or before return when `strict`). Waits up to
    /// [`full_wait`](AuditOptions::full_wait) while the journal is full. A record of more than about 900 bytes
    /// is durable before return.
    ///
    /// # Errors
    /// [`AuditError::Refused`], [`AuditError::Full`], [`AuditError::TooLarge`].
    pub fn append(&self, record: &Record<'_>) -> Result<Ticket, AuditError> {
        self.append_until(record, Deadline::NEVER)
    }

    /// As [`AuditLog::append`], waiting no longer than the deadline (of this log's clock) allows.
    ///
    /// # Errors
    /// As [`AuditLog::append`].
    pub fn append_until(&self, record: &Record<'_>, deadline: Deadline) -> Result<Ticket, AuditError> {
        let seq = self.put(record, deadline)?;
        if self.shared().options.strict {
            self.shared().wait_durable(seq)?;
        }
        Ok(self.ticket(seq))
    }

    fn put(&self, record: &Record<'_>, deadline: Deadline) -> Result<u64, AuditError> {
        let shared = self.shared();
        let wait = deadline.remaining(&*shared.clock).unwrap_or(shared.options.full_wait);
        shared.put(&self.entry(record), wait)
    }

    fn ticket(&self, seq: u64) -> Ticket {
        Ticket { shared: self.0.shared.clone(), seq }
    }

    /// For denials and limit hits: recorded one by one up to
    /// [`detail_rate`](AuditOptions::detail_rate) a second per actor and action, beyond that counted for a
    /// summary. Also counted, never refused, when the log cannot take a record at once. `None` when counted.
    pub fn append_limited(&self, record: &Record<'_>) -> Option<Ticket> {
        let shared = self.shared();
        let (rate, now) = (shared.options.detail_rate, shared.clock.coarse_ms());
        if shared.limits.take(record.actor, record.action, record.outcome, now, rate)
            && let Some(seq) = self.put_at_once(record)
        {
            return Some(self.ticket(seq));
        }
        self.count(record);
        None
    }

    fn put_at_once(&self, record: &Record<'_>) -> Option<u64> {
        let shared = self.shared();
        let entry = self.entry(record);
        if entry.words() > super::ring::FIT_WORDS {
            return shared.put(&entry, Duration::ZERO).ok();
        }
        let seq = shared.try_put(&entry)?;
        // The action is denied whatever becomes of this record: an error here is the log's, told by its health.
        let _ = shared.options.strict.then(|| shared.wait_durable(seq));
        Some(seq)
    }

    fn count(&self, record: &Record<'_>) {
        let shared = self.shared();
        let at = shared.clock.wall_ns();
        let failed = record.outcome != Outcome::Ok;
        let sum = super::codec::Summary {
            n: 1,
            errors: u64::from(failed),
            first_ns: at,
            last_ns: at,
            latency_ms: 0,
        };
        let key = Key {
            actor: record.actor,
            event: record.event,
            action: record.action,
            kind: record.resource.0,
            outcome: record.outcome,
            code: record.code,
            epoch: record.decision.map_or(0, |d| d.epoch),
        };
        shared.counted.add(&key, &sum);
    }

    /// Class A: appends and waits until the record is durable.
    ///
    /// # Errors
    /// [`AuditError::Refused`], [`AuditError::Full`], [`AuditError::TooLarge`].
    pub fn commit(&self, record: &Record<'_>) -> Result<u64, AuditError> {
        self.shared().space.check(self.shared().options.refuse_free)?;
        let seq = self.put(record, Deadline::NEVER)?;
        self.shared().wait_durable(seq).map(|()| seq)
    }

    /// Class A in two steps: appends, and the caller waits for [`Ticket::durable`], before which nothing may be done. For
    /// who needs the number of a record that did not become durable.
    ///
    /// # Errors
    /// As [`AuditLog::commit`], before anything is appended.
    pub fn begin(&self, record: &Record<'_>) -> Result<Ticket, AuditError> {
        self.shared().space.check(self.shared().options.refuse_free)?;
        self.append(record)
    }

    /// For actions that protect (stop, pause, quarantine): never refuses; recorded as soon as the log can.
    /// While the log refuses, the record is kept in the journal, then in bounded memory, then as a count.
    pub fn protect(&self, record: &Record<'_>) {
        self.shared().protect(&self.entry(record));
    }

    /// Class C: a counter for one actor, action and kind of resource, owned by one instance.
    pub fn tally(&self, actor: &Actor, action: &str, resource_kind: &str) -> Tally {
        Tally::new(self.clone(), actor, action, resource_kind)
    }

    /// Waits until everything appended or counted so far is durable, and makes a checkpoint.
    ///
    /// # Errors
    /// When the log failed.
    pub fn flush(&self) -> Result<(), AuditError> {
        self.shared().flush()
    }

    /// Sends each checkpoint that is kept to these, as it is made, and the latest one now. Each has a thread of its
    /// own; what fails is tried again, and recorded when it begins to fail and when it ends. Only the first call
    /// counts.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn send_checkpoints_to(&self, sinks: Vec<Box<dyn CheckpointSink>>) -> Result<(), AuditError> {
        let dir = &self.0.dir;
        let hub =
            Hub::start(sinks, &self.0.shared, dir).map_err(AuditError::io("start the sinks of", dir))?;
        if let Ok(Some(note)) = super::marks::read_checkpoint(dir) {
            hub.offer(&note);
        }
        // A second hub is closed by its drop; it has sent at most the latest checkpoint once more.
        let _ = self.0.shared.sinks.set(hub);
        Ok(())
    }

    /// How those who get the checkpoints fare.
    pub fn sink_metrics(&self) -> Vec<SinkMetrics> {
        let covered = self.shared().covered.load(SeqCst);
        self.shared().sinks.get().map_or_else(Vec::new, |hub| hub.metrics(covered))
    }

    /// Whether the log records, and if not, why and since when.
    pub fn health(&self) -> Health {
        match self.shared().refusal() {
            Some(refusal) if self.shared().is_refusing() => Health::Refusing(refusal),
            _ => match self.shared().space.now() {
                Space::Ample => Health::Recording,
                scarce => Health::Scarce(scarce),
            },
        }
    }

    /// How the log fares.
    pub fn metrics(&self) -> AuditMetrics {
        let shared = self.shared();
        let ring = &shared.journal.ring;
        let (durable, appended) = (shared.durable(), ring.head());
        let oldest = ring.taken_at(durable).unwrap_or(u64::MAX);
        AuditMetrics {
            appended,
            durable,
            queued: appended.saturating_sub(durable),
            capacity: ring.slots(),
            summaries: shared.summaries.load(SeqCst),
            lag_ms: shared.clock.mono_ns().saturating_sub(oldest) / 1_000_000,
            backlog: shared.backlog_len() as u64,
            protect_counted: shared.lost.load(SeqCst),
            free_bytes: shared.space.free(),
            covered: shared.covered.load(SeqCst),
            segments_removed: shared.segments_removed.load(SeqCst),
        }
    }
}

fn start(
    dir: &Path,
    lock: Lock,
    opened: Opened,
    origin: Origin,
    options: AuditOptions,
    clock: Arc<dyn Clock>,
) -> Result<AuditLog, AuditError> {
    let Opened { writer, left, cut, replayed, holes } = opened;
    let (next, covered) = (writer.next(), writer.next() - writer.uncovered());
    let journal = Journal::begin(left, dir, &options, next)?;
    let shared = Arc::new(Shared::new(journal, clock, options, next));
    shared.covered.store(covered, SeqCst);
    if let Ok(free) = writer.free() {
        shared.look(free);
    }
    if let Some(cut) = cut {
        note_cut(&shared, &cut);
    }
    if replayed > 0 {
        note_replay(&shared, replayed, holes);
    }
    let committer = Committer::new(shared.clone(), writer, origin);
    let thread = std::thread::Builder::new()
        .name("forgeone-audit".into())
        .spawn(move || committer.run())
        .map_err(AuditError::io("start the committer of", dir))?;
    let _ = shared.committer.set(thread.thread().clone());
    Ok(AuditLog(Arc::new(Owner {
        shared,
        committer: Mutex::new(Some(thread)),
        dir: dir.to_owned(),
        _lock: lock,
    })))
}

fn note_cut(shared: &Shared, cut: &recover::Cut) {
    let name = super::segment::file_name(cut.segment);
    let (offset, bytes) = (cut.offset.to_string(), cut.bytes.to_string());
    let details = [("offset", offset.as_str()), ("bytes", bytes.as_str()), ("sha256", cut.sha256.as_str())];
    shared.protect(&own_entry(&*shared.clock, Outcome::Ok, "torn_tail_cut", ("segment", &name), &details));
}

fn note_replay(shared: &Shared, replayed: u64, holes: u64) {
    let (records, holes) = (replayed.to_string(), holes.to_string());
    let details = [("records", records.as_str()), ("unfinished", holes.as_str())];
    shared.protect(&own_entry(&*shared.clock, Outcome::Ok, "journal_replayed", ("journal", ""), &details));
}

/// Which boot of the machine this is; empty where the system does not tell.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}
