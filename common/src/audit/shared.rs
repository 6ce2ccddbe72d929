//! What callers and the committer share: the journal, who waits for what, and whether the log records at all.

use super::codec::Entry;
use super::counted::{Counted, Limits};
use super::error::AuditError;
use super::journal::Journal;
use super::options::AuditOptions;
use super::record::Outcome;
use super::recover::own_entry;
use super::ring::FIT_WORDS;
use super::sinks::Hub;
use super::space::{Space, SpaceGauge};
use super::tally::Registry;
use crate::clock::Clock;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// Largest record that is kept, in bytes of its encoding.
pub(super) const MAX_RECORD: usize = 256 << 10;
/// Records that may wait beside the ring, and in the backlog of what protects.
const MAX_BESIDE: usize = 64;
const MAX_BACKLOG: usize = 1_024;
const MAX_BACKLOG_WORDS: usize = 1 << 17;
/// Waiters for durability are spread over this many gates, so that waking one does not wake all in turn.
const GATES: usize = 16;

/// A place to wait, which costs the waking side one load while nobody waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    lock: Mutex<()>,
    bell: Condvar,
    waiting: AtomicUsize,
}

impl Gate {
    /// Waits while `closed`, at most `bound` when there is one. Returns whether it opened.
    fn wait(&self, bound: Option<Duration>, mut closed: impl FnMut() -> bool) -> bool {
        let mut guard = self.lock.lock();
        self.waiting.fetch_add(1, SeqCst);
        let opened = match bound {
            Some(bound) => !self.bell.wait_while_for(&mut guard, |()| closed(), bound).timed_out(),
            None => {
                self.bell.wait_while(&mut guard, |()| closed());
                true
            }
        };
        self.waiting.fetch_sub(1, SeqCst);
        opened
    }
    /// Wakes all; the state they wait for has been stored sequentially consistent.
    pub(super) fn wake(&self) {
        if self.waiting.load(SeqCst) > 0 {
            drop(self.lock.lock());
            self.bell.notify_all();
        }
    }
}

/// Records that protect and found neither a slot nor a log, as words.
#[derive(Debug, Default)]
struct Backlog {
    records: VecDeque<Vec<u64>>,
    words: usize,
}

/// Why and since when a log refuses. `since_ns` is the wall time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What failed, in words.
    pub reason: String,
    /// When, in nanoseconds since 1970.
    pub since_ns: u64,
    /// The first record that was not durable then.
    pub first: u64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub journal: Journal,
    pub clock: Arc<dyn Clock>,
    pub options: AuditOptions,
    pub registry: Registry,
    pub counted: Counted,
    pub limits: Limits,
    /// Records too large for a slot, by number.
    pub beside: Mutex<BTreeMap<u64, Vec<u64>>>,
    backlog: Mutex<Backlog>,
    /// Protective records that found the backlog full.
    pub lost: AtomicU64,
    pub summaries: AtomicU64,
    refusing: AtomicBool,
    /// Refusing, and class C is refused too.
    refusing_counted: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
    /// Every record before this number is on disk.
    durable: AtomicU64,
    /// Someone waits for every record before this number.
    want: AtomicU64,
    done: [Gate; GATES],
    room: Gate,
    flush: Gate,
    flush_asked: AtomicU64,
    flush_served: AtomicU64,
    /// The committer sleeps longer than class B may wait.
    pub idle: AtomicBool,
    pub stop: AtomicBool,
    closed: AtomicBool,
    pub committer: OnceLock<Thread>,
    pub space: SpaceGauge,
    /// Records under the latest checkpoint.
    pub covered: AtomicU64,
    pub segments_removed: AtomicU64,
    /// Who gets each checkpoint that is kept.
    pub sinks: OnceLock<Hub>,
}

impl Shared {
    pub(super) fn new(journal: Journal, clock: Arc<dyn Clock>, options: AuditOptions, next: u64) -> Self {
        Self {
            journal,
            clock,
            options,
            registry: Registry::default(),
            counted: Counted::new(),
            limits: Limits::default(),
            beside: Mutex::default(),
            backlog: Mutex::default(),
            lost: AtomicU64::new(0),
            summaries: AtomicU64::new(0),
            refusing: AtomicBool::new(false),
            refusing_counted: AtomicBool::new(false),
            refusal: Mutex::new(None),
            durable: AtomicU64::new(next),
            want: AtomicU64::new(next),
            done: Default::default(),
            room: Gate::default(),
            flush: Gate::default(),
            flush_asked: AtomicU64::new(0),
            flush_served: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            committer: OnceLock::new(),
            space: SpaceGauge::default(),
            covered: AtomicU64::new(0),
            segments_removed: AtomicU64::new(0),
            sinks: OnceLock::new(),
        }
    }

    /// Puts an entry into the journal, waiting up to `wait` while it is full. Returns its number.
    pub(super) fn put(&self, entry: &Entry<'_>, wait: Duration) -> Result<u64, AuditError> {
        self.check()?;
        let words = entry.words();
        if words > FIT_WORDS {
            return self.put_beside(entry, words, wait);
        }
        let seq = self.claim(wait)?;
        self.journal.ring.fill(seq, entry);
        self.rouse();
        Ok(seq)
    }

    /// Puts an entry into the journal if that can be done at once and the log records.
    pub(super) fn try_put(&self, entry: &Entry<'_>) -> Option<u64> {
        if self.is_refusing() || entry.words() > FIT_WORDS {
            return None;
        }
        let seq = self.journal.ring.claim()?;
        self.journal.ring.fill(seq, entry);
        self.rouse();
        Some(seq)
    }

    /// A record larger than a slot waits on the heap, so its caller waits until it is on disk.
    fn put_beside(&self, entry: &Entry<'_>, words: usize, wait: Duration) -> Result<u64, AuditError> {
        let bytes = words.saturating_mul(8);
        if bytes > MAX_RECORD {
            return Err(AuditError::TooLarge { bytes });
        }
        let mut encoded = Vec::with_capacity(words);
        entry.encode(&mut encoded);
        let crowded = || self.beside.lock().len() >= MAX_BESIDE && !self.is_refusing();
        if !self.room.wait(Some(wait), crowded) {
            return Err(AuditError::Full { waited: wait });
        }
        let seq = self.claim(wait)?;
        self.set_beside(seq, encoded);
        self.wait_durable(seq).map(|()| seq)
    }

    fn set_beside(&self, seq: u64, encoded: Vec<u64>) {
        self.beside.lock().insert(seq, encoded);
        self.journal.ring.fill_beside(seq);
    }

    fn claim(&self, wait: Duration) -> Result<u64, AuditError> {
        let ring = &self.journal.ring;
        loop {
            if let Some(seq) = ring.claim() {
                return Ok(seq);
            }
            self.wake_committer();
            if !self.room.wait(Some(wait), || ring.is_full() && !self.is_over()) {
                return Err(AuditError::Full { waited: wait });
            }
            self.check()?;
        }
    }

    /// Keeps a record that must not be refused: in the journal, in the backlog, or as a count.
    pub(super) fn protect(&self, entry: &Entry<'_>) {
        let mut encoded = Vec::new();
        entry.encode(&mut encoded);
        if encoded.len().saturating_mul(8) > MAX_RECORD || !self.keep(encoded) {
            self.lost.fetch_add(1, SeqCst);
        }
        self.rouse();
    }

    fn keep(&self, encoded: Vec<u64>) -> bool {
        let mut backlog = self.backlog.lock();
        if backlog.records.is_empty() && self.place(&encoded) {
            return true;
        }
        let room = backlog.records.len() < MAX_BACKLOG && backlog.words < MAX_BACKLOG_WORDS;
        if room {
            backlog.words += encoded.len();
            backlog.records.push_back(encoded);
        }
        room
    }

    /// Puts words into the journal, even while the log refuses: there they survive the process.
    fn place(&self, encoded: &[u64]) -> bool {
        let Some(seq) = self.journal.ring.claim() else { return false };
        if encoded.len() > FIT_WORDS {
            self.set_beside(seq, encoded.to_vec());
        } else {
            self.journal.ring.fill_words(seq, encoded);
        }
        true
    }

    /// Moves the backlog into the journal as far as it fits. Returns whether it is empty.
    pub(super) fn place_backlog(&self) -> bool {
        let mut backlog = self.backlog.lock();
        while let Some(encoded) = backlog.records.front() {
            if !self.place(encoded) {
                return false;
            }
            backlog.words -= encoded.len();
            backlog.records.pop_front();
        }
        true
    }

    pub(super) fn backlog_len(&self) -> usize {
        self.backlog.lock().records.len()
    }

    /// Wakes the committer if it sleeps long. The claim of a slot and this load are sequentially consistent,
    /// as are its store and its look at the ring: one of the two sees the other.
    fn rouse(&self) {
        if self.idle.load(SeqCst) && self.idle.swap(false, SeqCst) {
            self.wake_committer();
        }
    }

    pub(super) fn wake_committer(&self) {
        if let Some(thread) = self.committer.get() {
            thread.unpark();
        }
    }

    /// Waits until record `seq` is on disk.
    pub(super) fn wait_durable(&self, seq: u64) -> Result<(), AuditError> {
        let pending = || self.durable() <= seq;
        if pending() {
            self.want.fetch_max(seq + 1, SeqCst);
            self.wake_committer();
            if let Some(gate) = self.done.get(seq as usize % GATES) {
                gate.wait(None, || pending() && !self.is_over());
            }
        }
        if pending() { self.check().and(Err(AuditError::Closed)) } else { Ok(()) }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(SeqCst)
    }
    /// Whether someone waits for a record that is not durable.
    pub(super) fn is_awaited(&self) -> bool {
        self.want.load(SeqCst) > self.durable()
    }

    /// Everything before `next` is on disk: its slots are free and its waiters go on.
    pub(super) fn set_durable(&self, next: u64) {
        self.journal.ring.release_to(next);
        self.durable.store(next, SeqCst);
        let mut beside = self.beside.lock();
        if !beside.is_empty() {
            *beside = beside.split_off(&next);
        }
        drop(beside);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.done.iter().for_each(Gate::wake);
        self.room.wake();
        self.flush.wake();
    }

    /// `Ok` while the log records.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        if self.closed.load(SeqCst) {
            return Err(AuditError::Closed);
        }
        if self.is_refusing() { Err(self.refused()) } else { Ok(()) }
    }
    #[cold]
    pub(super) fn refused(&self) -> AuditError {
        let reason = self.refusal().map_or_else(|| "it is recovering".to_owned(), |r| r.reason);
        AuditError::Refused(reason)
    }
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().clone()
    }
    #[inline]
    pub(super) fn is_refusing(&self) -> bool {
        self.refusing.load(SeqCst)
    }
    #[inline]
    pub(super) fn refuses_counted(&self) -> bool {
        self.refusing_counted.load(std::sync::atomic::Ordering::Relaxed)
    }
    fn is_over(&self) -> bool {
        self.is_refusing() || self.closed.load(SeqCst)
    }

    /// Enters refuse mode, or stays in it with the first reason.
    pub(super) fn refuse(&self, error: &std::io::Error) {
        let since_ns = self.clock.wall_ns();
        let refusal = Refusal { reason: error.to_string(), since_ns, first: self.durable() };
        tracing::error!(target: "forgeone::audit", reason = %refusal.reason, "the audit log refuses to record");
        self.refusal.lock().get_or_insert(refusal);
        self.refusing.store(true, SeqCst);
        self.refusing_counted.store(self.options.production, SeqCst);
        self.wake_all();
    }
    pub(super) fn accept_again(&self) {
        self.refusing.store(false, SeqCst);
        self.refusing_counted.store(false, SeqCst);
        *self.refusal.lock() = None;
    }

    /// Notes how much is free on the disk, with a record when that begins or ends to be too little.
    pub(super) fn look(&self, free: u64) {
        let Some(space) = self.space.look(free, &self.options) else { return };
        if space != Space::Ample {
            tracing::warn!(target: "forgeone::audit", free, "the disk of the audit log is nearly full");
        }
        let free = free.to_string();
        let details = [("free", free.as_str())];
        let outcome = if space == Space::Ample { Outcome::Ok } else { Outcome::Limit };
        self.protect(&own_entry(&*self.clock, outcome, space.action(), ("disk", "audit"), &details));
    }

    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.wake_all();
    }

    /// Waits until the committer has served a flush that began after this call.
    pub(super) fn flush(&self) -> Result<(), AuditError> {
        let ticket = self.flush_asked.fetch_add(1, SeqCst) + 1;
        self.wake_committer();
        let pending = || self.flush_served.load(SeqCst) < ticket;
        self.flush.wait(None, || pending() && !self.is_over());
        if pending() { self.check().and(Err(AuditError::Closed)) } else { Ok(()) }
    }
    /// The flush that is asked for and not served, if any.
    pub(super) fn flush_asked(&self) -> Option<u64> {
        let asked = self.flush_asked.load(SeqCst);
        (asked > self.flush_served.load(SeqCst)).then_some(asked)
    }
    pub(super) fn flush_served(&self, ticket: u64) {
        self.flush_served.store(ticket, SeqCst);
        self.flush.wake();
    }
}
