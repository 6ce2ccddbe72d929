//! The one thread that writes: it formats, chains and hashes what the journal holds, writes a batch with one
//! write and one sync, and wakes who waits for it.

use super::base::{self, Base};
use super::codec::{Entry, bytes_of};
use super::counted;
use super::line::Origin;
use super::record::Outcome;
use super::recover::own_entry;
use super::removal;
use super::ring::Slot;
use super::shared::Shared;
use super::tally::Now;
use super::writer::{Batch, Writer};
use crate::identity::Digest;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Class B is durable within 5 ms: this, a write and a sync.
const NAP: Duration = Duration::from_millis(2);
/// Naps without work after which the committer sleeps until it is woken.
const NAPS: u32 = 25;
const SLEEP: Duration = Duration::from_millis(250);
/// The longest that a batch waits for those who are about to join it.
const GATHER_NS: u64 = 1_000_000;
const GATHER_STEP: Duration = Duration::from_micros(20);
/// A checkpoint after this many records, but not sooner than [`CHECKPOINT_GAP_MS`] after the last; or after
/// [`CHECKPOINT_MS`] when there is anything new.
const CHECKPOINT_RECORDS: u64 = 1_000;
const CHECKPOINT_GAP_MS: u64 = 20;
/// Nor sooner than this many times what the last one took: a slow disk spends a twentieth on checkpoints.
const CHECKPOINT_SHARE: u64 = 20;
const CHECKPOINT_MS: u64 = 1_000;
const LOOK_MS: u64 = 1_000;
const REMOVE_MS: u64 = 60_000;

/// However the committer ends, nobody waits for it any longer.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.refuse(&io::Error::other("the committer's thread failed"));
        }
        self.0.close();
    }
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    writer: Writer,
    origin: Origin,
    batch: Batch,
    scratch: Vec<u8>,
    /// How many records there were together when the last batch was done, and how long it took to write.
    expected: u64,
    took_ns: u64,
    /// Whether the last round wrote anything.
    wrote: bool,
    naps: u32,
    counted_second: u64,
    checkpoint_ms: u64,
    /// The least time to the next checkpoint.
    checkpoint_gap_ms: u64,
    kept_ms: u64,
    retried_ms: u64,
    /// When the disk was looked at, and when retention.
    looked_ms: Option<u64>,
    removed_ms: Option<u64>,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, writer: Writer, origin: Origin) -> Self {
        let now = shared.clock.coarse_ms();
        Self {
            writer,
            origin,
            batch: Batch::new(),
            scratch: Vec::new(),
            expected: 0,
            took_ns: 0,
            wrote: false,
            naps: 0,
            counted_second: now / 1_000,
            checkpoint_ms: now,
            checkpoint_gap_ms: CHECKPOINT_GAP_MS,
            kept_ms: now,
            retried_ms: now,
            looked_ms: None,
            removed_ms: None,
            shared,
        }
    }

    /// Works until the log is closed and everything that can be written is.
    pub(super) fn run(mut self) {
        let _end = End(self.shared.clone());
        while !self.shared.stop.load(SeqCst) {
            self.round();
            self.rest();
        }
        if self.shared.is_refusing() {
            self.retry();
        }
        let clean = self.empty_all() && self.checkpoint(true) && self.writer.close().is_ok();
        self.shared.journal.mark(clean && !self.shared.is_refusing());
    }

    fn round(&mut self) {
        let now = self.shared.clock.coarse_ms();
        if self.shared.is_refusing() {
            if now.saturating_sub(self.retried_ms) < self.retry_ms() {
                return;
            }
            self.retry();
        }
        self.look_at_the_disk(now);
        if now / 1_000 != self.counted_second && self.emit_counts() {
            self.counted_second = now / 1_000;
        }
        self.shared.place_backlog();
        self.gather();
        self.wrote = self.commit();
        self.checkpoint_if_due(now);
        self.remove_if_due(now);
        if let Some(ticket) = self.shared.flush_asked()
            && self.empty_all()
            && self.checkpoint(true)
        {
            self.shared.flush_served(ticket);
        }
    }

    fn retry_ms(&self) -> u64 {
        u64::try_from(self.shared.options.retry.as_millis()).unwrap_or(u64::MAX)
    }

    /// Brings counts, backlog and journal as they are now onto the disk. `false` when the log refuses.
    fn empty_all(&mut self) -> bool {
        while !(self.emit_counts() && self.shared.place_backlog()) {
            if !self.commit() && self.shared.is_refusing() {
                return false;
            }
        }
        let end = self.shared.journal.ring.head();
        while self.writer.next() < end {
            // A claimed slot is filled within a few instructions of its claim.
            if !self.commit() {
                if self.shared.is_refusing() {
                    return false;
                }
                std::thread::yield_now();
            }
        }
        true
    }

    /// Writes what the journal holds, as far as one batch goes. Returns whether anything became durable.
    fn commit(&mut self) -> bool {
        if self.shared.is_refusing() {
            return false;
        }
        match self.write_batch() {
            Ok(written) => written,
            Err(error) => {
                self.retried_ms = self.shared.clock.coarse_ms();
                self.shared.refuse(&error);
                false
            }
        }
    }

    fn write_batch(&mut self) -> io::Result<bool> {
        self.batch.restart(&self.writer);
        while self.writer.has_room(&self.batch) && self.push_next() {}
        if self.batch.lines() == 0 {
            return Ok(false);
        }
        let began = self.shared.clock.mono_ns();
        self.writer.write(&mut self.batch)?;
        self.took_ns = self.shared.clock.mono_ns().saturating_sub(began);
        // Released only below: those of the batch, who are about to come back, are among the waiting.
        self.expected = self.waiting();
        self.shared.set_durable(self.writer.next());
        Ok(true)
    }

    fn waiting(&self) -> u64 {
        let ring = &self.shared.journal.ring;
        ring.head().saturating_sub(ring.tail())
    }

    /// Those whom the last batch woke come back with more in a moment. Waiting for them, for less time than
    /// their batch took, spares half of them a whole batch of waiting.
    fn gather(&self) {
        if self.waiting() == 0 || !self.shared.is_awaited() {
            return;
        }
        let clock = &self.shared.clock;
        let until = clock.mono_ns().saturating_add((self.took_ns / 2).min(GATHER_NS));
        while self.waiting() < self.expected && clock.mono_ns() < until {
            // Sleeping, not parked: those who come need not make a system call each.
            std::thread::sleep(GATHER_STEP);
        }
    }

    /// Formats the next record into the batch; `false` when there is none.
    fn push_next(&mut self) -> bool {
        let seq = self.batch.next();
        match self.shared.journal.ring.read(seq, &mut self.scratch) {
            Slot::Empty => return false,
            Slot::Record => {}
            Slot::Beside => {
                let beside = self.shared.beside.lock();
                bytes_of(beside.get(&seq).into_iter().flatten().copied(), &mut self.scratch);
            }
        }
        if let Some(entry) = Entry::decode(&self.scratch) {
            self.batch.push(&self.origin, &entry);
            return true;
        }
        // The words in memory are not what was put there; the number must not be passed over in silence.
        let number = seq.to_string();
        let clock = &*self.shared.clock;
        self.batch
            .push(&self.origin, &own_entry(clock, Outcome::Failed, "unreadable", ("seq", &number), &[]));
        true
    }

    /// Puts the summaries that are due into the journal. `false` when it was full before all were in.
    fn emit_counts(&mut self) -> bool {
        let shared = &*self.shared;
        let now = Now::of(&*shared.clock);
        let emit = |key: &counted::Key<'_>, sum: &_| {
            let taken = shared.try_put(&counted::entry(key, *sum, now.wall_ns, now.mono_ns)).is_some();
            shared.summaries.fetch_add(u64::from(taken), SeqCst);
            taken
        };
        let tallies = shared.registry.all(|cell| cell.report(now, emit));
        tallies && shared.counted.drain(emit) && self.emit_lost()
    }

    fn emit_lost(&self) -> bool {
        let shared = &*self.shared;
        let lost = shared.lost.load(SeqCst);
        if lost == 0 {
            return true;
        }
        let n = lost.to_string();
        let details = [("n", n.as_str())];
        let entry = own_entry(&*shared.clock, Outcome::Failed, "protect_counted", ("records", ""), &details);
        let taken = shared.try_put(&entry).is_some();
        shared.lost.fetch_sub(if taken { lost } else { 0 }, SeqCst);
        taken
    }

    fn checkpoint_if_due(&mut self, now: u64) {
        let uncovered = self.writer.uncovered();
        let since = now.saturating_sub(self.checkpoint_ms);
        let due = uncovered > 0 && since >= CHECKPOINT_MS
            || uncovered >= CHECKPOINT_RECORDS && since >= self.checkpoint_gap_ms;
        if due {
            self.checkpoint(now.saturating_sub(self.kept_ms) >= CHECKPOINT_MS);
        }
    }

    fn checkpoint(&mut self, kept: bool) -> bool {
        if self.shared.is_refusing() {
            return false;
        }
        if self.writer.uncovered() == 0 {
            return true;
        }
        let began = self.shared.clock.mono_ns();
        let result = self.writer.checkpoint(kept);
        let took_ms = self.shared.clock.mono_ns().saturating_sub(began) / 1_000_000;
        self.checkpoint_gap_ms = (took_ms * CHECKPOINT_SHARE).clamp(CHECKPOINT_GAP_MS, CHECKPOINT_MS);
        self.checkpoint_ms = self.shared.clock.coarse_ms();
        if kept {
            self.kept_ms = self.checkpoint_ms;
        }
        match &result {
            Err(error) => {
                self.retried_ms = self.checkpoint_ms;
                self.shared.refuse(error);
            }
            Ok(()) => self.checkpointed(kept),
        }
        result.is_ok()
    }

    fn checkpointed(&self, kept: bool) {
        self.shared.covered.store(self.writer.next(), SeqCst);
        if let (true, Some(hub), Some(note)) = (kept, self.shared.sinks.get(), self.writer.note()) {
            hub.offer(note);
        }
    }

    /// Once a second: how much is free, and a record when that begins or ends to be too little.
    fn look_at_the_disk(&mut self, now: u64) {
        if self.looked_ms.is_some_and(|last| now.saturating_sub(last) < LOOK_MS) {
            return;
        }
        self.looked_ms = Some(now);
        if let Ok(free) = self.writer.free() {
            self.shared.look(free);
        }
    }

    /// Once a minute: the segments that need not be kept are removed, after a record that says so is signed for.
    fn remove_if_due(&mut self, now: u64) {
        let retention = self.shared.options.retention;
        let due = self.removed_ms.is_none_or(|last| now.saturating_sub(last) >= REMOVE_MS);
        if !retention.removes() || !due || self.shared.is_refusing() {
            return;
        }
        self.removed_ms = Some(now);
        let found = removal::removable(
            self.writer.dir(),
            self.writer.segment(),
            &retention,
            self.shared.clock.wall_ns(),
        );
        match found.map(|base| base.map(|base| self.remove(&base))) {
            Ok(None | Some(Ok(()))) => {}
            Ok(Some(Err(error))) | Err(error) => {
                tracing::warn!(target: "forgeone::audit", %error, "old segments of the audit log were not removed");
            }
        }
    }

    fn remove(&mut self, base: &Base) -> io::Result<()> {
        let (last, size) = (base.segment.to_string(), base.checkpoint.size.to_string());
        let root = Digest::from_bytes(base.checkpoint.root).to_string();
        let details = [("last_segment", last.as_str()), ("records", size.as_str()), ("root", root.as_str())];
        let clock = self.shared.clock.clone();
        let entry = own_entry(&*clock, Outcome::Ok, base::ACTION, ("segment", &last), &details);
        let told = self.shared.try_put(&entry).is_some();
        if told && self.empty_all() && self.checkpoint(true) {
            let removed = self.writer.remove_up_to(base)?;
            self.shared.segments_removed.fetch_add(removed, SeqCst);
        }
        Ok(())
    }

    /// Tries to leave refuse mode: a new segment, what the journal holds, and a record of what happened.
    fn retry(&mut self) {
        self.retried_ms = self.shared.clock.coarse_ms();
        match self.write_again() {
            Ok(()) => self.shared.accept_again(),
            Err(error) => self.shared.refuse(&error),
        }
    }

    fn write_again(&mut self) -> io::Result<()> {
        self.writer.begin_again()?;
        while self.write_batch()? || !self.shared.place_backlog() {}
        let refusal = self.shared.refusal();
        let (reason, first) = refusal.map_or_else(Default::default, |r| (r.reason, r.first.to_string()));
        let end = self.writer.next().to_string();
        let details = [("reason", reason.as_str()), ("late_from", first.as_str()), ("late_to", end.as_str())];
        let clock = self.shared.clock.clone();
        self.shared.protect(&own_entry(&*clock, Outcome::Ok, "recovered", ("log", ""), &details));
        self.write_batch()?;
        self.writer.checkpoint(true)?;
        self.checkpointed(true);
        Ok(())
    }

    /// Sleeps as long as the promises allow: not at all while someone waits.
    fn rest(&mut self) {
        let shared = &*self.shared;
        let ring = &shared.journal.ring;
        let waiting = self.waiting();
        if shared.is_refusing() {
            return std::thread::park_timeout(NAP * 10);
        }
        if shared.is_awaited() || shared.flush_asked().is_some() || waiting > ring.slots() / 2 {
            if !self.wrote {
                std::thread::yield_now();
            }
            return;
        }
        self.naps = if waiting > 0 || self.writer.uncovered() > 0 { 0 } else { self.naps.saturating_add(1) };
        if self.naps < NAPS {
            return std::thread::park_timeout(NAP);
        }
        shared.idle.store(true, SeqCst);
        if ring.head() == ring.tail() && !shared.is_awaited() && shared.flush_asked().is_none() {
            std::thread::park_timeout(if shared.registry.is_empty() { SLEEP * 4 } else { SLEEP });
        }
        shared.idle.store(false, SeqCst);
    }
}
