//! The bound on what waits to be committed: who would exceed it waits for room, up to its deadline.

use common::clock::{Clock, Deadline};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a waiter sleeps before it looks again by itself.
const LOOK: Duration = Duration::from_millis(10);

/// Bytes in the queue.
#[derive(Debug)]
pub(super) struct Backlog {
    bytes: AtomicUsize,
    most: usize,
    waiting: Mutex<()>,
    room: Condvar,
}

impl Backlog {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most, waiting: Mutex::new(()), room: Condvar::new() }
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
        let fits = |now: usize| (now == 0 || now + bytes <= self.most).then_some(now + bytes);
        self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok()
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
}
