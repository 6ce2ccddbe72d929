//! Counters of class C: the sum of records and summaries equals the hits, whatever the rate and the epoch.

use super::codec::{Entry, Extra, Summary};
use super::counted::{self, Key};
use super::error::AuditError;
use super::log::AuditLog;
use super::record::{Actor, Outcome};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

const EVENT: &str = "host_call";
/// Cells looked at under one lock of the registry.
const SWEEP: usize = 256;

/// Counts class C actions of one actor and action; exact, whatever the rate.
///
/// A tally keeps its log open. Dropping it hands what was counted to the log.
#[derive(Debug)]
pub struct Tally {
    log: AuditLog,
    cell: Arc<Cell>,
    place: usize,
    epoch: u64,
    /// Until this coarse time hits are counted without asking for the rate.
    quiet_until: u64,
}

/// The part of a tally that the committer reads.
#[derive(Debug)]
pub(super) struct Cell {
    actor: Actor,
    action: Box<str>,
    kind: Box<str>,
    live: Live,
    reported: Mutex<Reported>,
}

/// Totals since the tally began. One thread writes, with plain stores; a reader takes them as of one moment
/// by the version, which is odd while a hit is being counted.
#[derive(Debug, Default)]
struct Live {
    version: AtomicU64,
    n: AtomicU64,
    errors: AtomicU64,
    latency_ms: AtomicU64,
    last_ms: AtomicU64,
    /// The time and number of the hit that came first after a summary.
    first_ms: AtomicU64,
    first_n: AtomicU64,
    /// How many hits have been summarised; written by whoever summarises.
    taken: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    n: u64,
    errors: u64,
    latency_ms: u64,
    last_ms: u64,
    first_ms: u64,
    first_n: u64,
}

/// What summaries have said so far, and the epoch of what they have not.
#[derive(Debug, Default)]
struct Reported {
    totals: Totals,
    epoch: u64,
}

impl Live {
    #[inline]
    fn count(&self, ok: bool, latency_ms: u64, now_ms: u64) {
        use Ordering::{Relaxed, Release};
        let add = |to: &AtomicU64, more: u64| to.store(to.load(Relaxed).wrapping_add(more), Relaxed);
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        fence(Release);
        let n = self.n.load(Relaxed);
        if self.taken.load(Relaxed) == n {
            self.first_ms.store(now_ms, Relaxed);
            self.first_n.store(n, Relaxed);
        }
        self.n.store(n.wrapping_add(1), Relaxed);
        add(&self.errors, u64::from(!ok));
        add(&self.latency_ms, latency_ms);
        self.last_ms.store(now_ms, Relaxed);
        self.version.store(version.wrapping_add(2), Release);
    }

    /// The totals as of one moment; `None` when hits came too fast to find one.
    fn totals(&self) -> Option<Totals> {
        let load = |from: &AtomicU64| from.load(Ordering::Relaxed);
        for _ in 0..10_000 {
            let before = self.version.load(Ordering::Acquire);
            let totals = Totals {
                n: load(&self.n),
                errors: load(&self.errors),
                latency_ms: load(&self.latency_ms),
                last_ms: load(&self.last_ms),
                first_ms: load(&self.first_ms),
                first_n: load(&self.first_n),
            };
            fence(Ordering::Acquire);
            if before & 1 == 0 && load(&self.version) == before {
                return Some(totals);
            }
            std::hint::spin_loop();
        }
        None
    }
}

/// Coarse times as wall times, by the clock as it stands now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub wall_ns: u64,
    pub mono_ns: u64,
    pub coarse_ms: u64,
}

impl Now {
    pub(super) fn of(clock: &dyn crate::clock::Clock) -> Self {
        Self { wall_ns: clock.wall_ns(), mono_ns: clock.mono_ns(), coarse_ms: clock.coarse_ms() }
    }
    fn wall_of(self, coarse_ms: u64) -> u64 {
        self.wall_ns.saturating_sub(self.coarse_ms.saturating_sub(coarse_ms).saturating_mul(1_000_000))
    }
}

impl Cell {
    fn key(&self, epoch: u64) -> Key<'_> {
        let (actor, action, kind) = (&self.actor, &*self.action, &*self.kind);
        Key { actor, event: EVENT, action, kind, outcome: Outcome::Ok, code: None, epoch }
    }

    /// Hands what no summary has said yet to `emit`; it counts as said when `emit` took it. Returns whether
    /// nothing is left.
    pub(super) fn report(&self, now: Now, emit: impl FnOnce(&Key<'_>, &Summary) -> bool) -> bool {
        let mut reported = self.reported.lock();
        self.report_locked(&mut reported, now, emit)
    }

    fn report_locked(
        &self,
        reported: &mut Reported,
        now: Now,
        emit: impl FnOnce(&Key<'_>, &Summary) -> bool,
    ) -> bool {
        let Some(totals) = self.live.totals() else { return false };
        let before = reported.totals;
        if totals.n == before.n {
            return true;
        }
        // A hit between the last summary's look and its word leaves no time of its own: it came right then.
        let first_ms = if totals.first_n == before.n { totals.first_ms } else { before.last_ms };
        let sum = Summary {
            n: totals.n - before.n,
            errors: totals.errors - before.errors,
            first_ns: now.wall_of(first_ms),
            last_ns: now.wall_of(totals.last_ms),
            latency_ms: totals.latency_ms.wrapping_sub(before.latency_ms),
        };
        if !emit(&self.key(reported.epoch), &sum) {
            return false;
        }
        reported.totals = totals;
        self.live.taken.store(totals.n, Ordering::Relaxed);
        true
    }
}

impl Tally {
    pub(super) fn new(log: AuditLog, actor: &Actor, action: &str, kind: &str) -> Self {
        let cell = Arc::new(Cell {
            actor: actor.clone(),
            action: action.into(),
            kind: kind.into(),
            live: Live::default(),
            reported: Mutex::default(),
        });
        let place = log.shared().registry.add(cell.clone());
        Self { log, cell, place, epoch: 0, quiet_until: 0 }
    }

    /// Counts one action. `latency_ms` is coarse.
    ///
    /// # Errors
    /// [`AuditError::Refused`] in production when the log is in refuse mode; with
    /// [`detail_every`](super::AuditOptions::detail_every) also [`AuditError::Full`]. The action is then not
    /// counted.
    #[inline]
    pub fn hit(&mut self, epoch: u64, ok: bool, latency_ms: u64) -> Result<(), AuditError> {
        let shared = self.log.shared();
        let now = shared.clock.coarse_ms();
        if epoch == self.epoch && now < self.quiet_until && !shared.refuses_counted() {
            self.cell.live.count(ok, latency_ms, now);
            return Ok(());
        }
        self.hit_slowly(epoch, ok, latency_ms, now)
    }

    #[cold]
    fn hit_slowly(&mut self, epoch: u64, ok: bool, latency_ms: u64, now: u64) -> Result<(), AuditError> {
        let shared = self.log.shared();
        if shared.refuses_counted() {
            return Err(shared.refused());
        }
        if epoch != self.epoch {
            self.close_epoch(epoch);
        }
        let shared = self.log.shared();
        let options = &shared.options;
        if options.detail_every {
            return shared.put(&self.entry(ok, latency_ms), options.full_wait).map(|_| ());
        }
        if now >= self.quiet_until {
            if !shared.limits.take(&self.cell.actor, &self.cell.action, Outcome::Ok, now, options.detail_rate)
            {
                self.quiet_until = (now / 1_000 + 1) * 1_000;
            } else if shared.try_put(&self.entry(ok, latency_ms)).is_some() {
                return Ok(());
            }
        }
        self.cell.live.count(ok, latency_ms, now);
        Ok(())
    }

    fn entry(&self, ok: bool, latency_ms: u64) -> Entry<'_> {
        let clock = &self.log.shared().clock;
        let outcome = if ok { Outcome::Ok } else { Outcome::Failed };
        let key = Key { outcome, ..self.cell.key(self.epoch) };
        let extra = Extra::Latency(latency_ms);
        Entry { extra, ..counted::entry(&key, Summary::default(), clock.wall_ns(), clock.mono_ns()) }
    }

    /// Hands what was counted in the old epoch to the log, under that epoch.
    fn close_epoch(&mut self, next: u64) {
        let shared = self.log.shared();
        let mut reported = self.cell.reported.lock();
        self.cell.report_locked(&mut reported, Now::of(&*shared.clock), |key, sum| {
            shared.counted.add(key, sum);
            true
        });
        reported.epoch = next;
        self.epoch = next;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.close_epoch(self.epoch);
        self.log.shared().registry.remove(self.place);
    }
}

/// The tallies of a log.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    cells: Vec<Option<Arc<Cell>>>,
    free: Vec<usize>,
}

impl Registry {
    fn add(&self, cell: Arc<Cell>) -> usize {
        let mut places = self.0.lock();
        if let Some(free) = places.free.pop()
            && let Some(place) = places.cells.get_mut(free)
        {
            *place = Some(cell);
            return free;
        }
        places.cells.push(Some(cell));
        places.cells.len() - 1
    }

    fn remove(&self, place: usize) {
        let mut places = self.0.lock();
        if places.cells.get_mut(place).and_then(Option::take).is_some() {
            places.free.push(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let places = self.0.lock();
        places.cells.len() == places.free.len()
    }

    /// Visits the cells, a few under each lock. Returns whether `visit` said so for all of them.
    pub(super) fn all(&self, mut visit: impl FnMut(&Cell) -> bool) -> bool {
        let (mut from, mut all) = (0, true);
        loop {
            let places = self.0.lock();
            let Some(some) = places.cells.get(from..).filter(|rest| !rest.is_empty()) else { return all };
            some.iter().take(SWEEP).flatten().for_each(|cell| all &= visit(cell));
            from += SWEEP;
        }
    }
}
