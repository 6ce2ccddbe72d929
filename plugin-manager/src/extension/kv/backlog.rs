//! The bound on what waits to be appended: who would exceed it waits for room, up to its deadline.

use common::clock::{Clock, Deadline};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a waiter sleeps before it looks again by itself.
const LOOK: Duration = Duration::from_millis(10);

/// Bytes in the queue.
#[derive(Debug)]
pub(super) struct Backlog {
    bytes: AtomicUsize,
    most: usize,
    /// Whether nobody gets room, whatever waits.
    held: AtomicBool,
    /// When the oldest of what waits came, in nanoseconds; zero when that is not known.
    since_ns: AtomicU64,
    waiting: Mutex<()>,
    room: Condvar,
}

impl Backlog {
    pub(super) fn new(most: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            most,
            held: AtomicBool::new(false),
            since_ns: AtomicU64::new(0),
            waiting: Mutex::new(()),
            room: Condvar::new(),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) == 0
    }

    /// Takes room for `bytes`, waiting while `worth_it`. A single change larger than all room goes through when
    /// nothing else waits.
    pub(super) fn reserve(
        &self,
        bytes: usize,
        deadline: Deadline,
        clock: &dyn Clock,
        worth_it: impl Fn() -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        while !self.try_reserve(bytes) {
            worth_it()?;
            if deadline.passed(clock) {
                return Err(CallError::new(Status::Timeout, "the queue of changes stayed full"));
            }
            let mut waiting = self.waiting.lock();
            self.room.wait_for(&mut waiting, LOOK);
        }
        Ok(())
    }

    fn try_reserve(&self, bytes: usize) -> bool {
        if self.held.load(Ordering::SeqCst) {
            return false;
        }
        let fits = |now: usize| (now == 0 || now + bytes <= self.most).then_some(now + bytes);
        self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok()
    }

    /// Gives nobody room while `hold` says so. It is asked here, so that of two who come at once the one that asked
    /// later prevails.
    pub(super) fn hold(&self, hold: impl FnOnce() -> bool) {
        let _waiting = self.waiting.lock();
        self.held.store(hold(), Ordering::SeqCst);
        self.room.notify_all();
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// How long the oldest of what waits has waited; what came `now` is among it.
    pub(super) fn waited_ns(&self, now: u64) -> u64 {
        let first = self.since_ns.compare_exchange(0, now.max(1), Ordering::AcqRel, Ordering::Acquire);
        first.map_or_else(|since| now.saturating_sub(since), |_| 0)
    }

    /// Forgets how long something waited, before it is taken: what comes from now on is counted anew.
    pub(super) fn restart_waiting(&self) {
        self.since_ns.store(0, Ordering::Release);
    }

    /// Gives room back.
    pub(super) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        let _waiting = self.waiting.lock();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::ManualClock;

    #[test]
    fn room_is_bounded_and_a_waiter_stops_at_its_deadline() {
        let clock = ManualClock::at(0);
        let backlog = Backlog::new(100);
        backlog.reserve(60, Deadline::NEVER, &*clock, || Ok(())).unwrap();
        backlog.reserve(40, Deadline::NEVER, &*clock, || Ok(())).unwrap();
        let refused = backlog.reserve(1, Deadline::at_ms(0), &*clock, || Ok(())).unwrap_err();
        assert_eq!(refused.status, Status::Timeout);
        backlog.release(40);
        backlog.reserve(1, Deadline::at_ms(0), &*clock, || Ok(())).unwrap();
        let hopeless = || Err(CallError::new(Status::Unavailable, "no"));
        let refused = backlog.reserve(100, Deadline::NEVER, &*clock, hopeless).unwrap_err();
        assert_eq!(refused.status, Status::Unavailable);
        backlog.release(61);
        assert!(backlog.is_empty());
        backlog.reserve(1000, Deadline::at_ms(0), &*clock, || Ok(())).unwrap();
    }

    #[test]
    fn a_waiter_goes_on_when_room_is_given_back() {
        let clock = ManualClock::at(0);
        let backlog = Backlog::new(10);
        backlog.reserve(10, Deadline::NEVER, &*clock, || Ok(())).unwrap();
        std::thread::scope(|threads| {
            let waiter = threads.spawn(|| backlog.reserve(5, Deadline::NEVER, &*clock, || Ok(())));
            backlog.release(10);
            waiter.join().unwrap().unwrap();
        });
        assert!(!backlog.is_empty());
    }

    #[test]
    fn the_oldest_is_the_first_after_what_was_taken() {
        let backlog = Backlog::new(10);
        assert_eq!([0, 5, 7].map(|now| backlog.waited_ns(now)), [0, 4, 6]);
        backlog.restart_waiting();
        assert_eq!([20, 23].map(|now| backlog.waited_ns(now)), [0, 3]);
    }

    #[test]
    fn nobody_gets_room_while_it_is_held() {
        let clock = ManualClock::at(0);
        let backlog = Backlog::new(10);
        backlog.hold(|| true);
        let refused = backlog.reserve(1, Deadline::at_ms(0), &*clock, || Ok(())).unwrap_err();
        assert_eq!(refused.status, Status::Timeout);
        backlog.hold(|| false);
        backlog.reserve(1, Deadline::at_ms(0), &*clock, || Ok(())).unwrap();
    }
}
