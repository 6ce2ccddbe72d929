//! The instances of one plugin: how many there may be, which are free, who waits.

use common::clock::{Clock, Deadline};
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// A bounded set of instances. Waiting callers are bounded by the callers there are; each waits until its own
/// deadline.
#[derive(Debug)]
pub(super) struct Pool<T> {
    max: usize,
    inner: Mutex<Inner<T>>,
    /// An instance is free, or callers are to look whether they are still admitted.
    freed: Condvar,
    /// One instance fewer is lent out.
    returned: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    idle: Vec<T>,
    /// Instances there are, lent or idle, and rights to make one.
    live: usize,
    /// Rises when all instances are given up: what was lent before is then not taken back.
    generation: u64,
    /// Nothing is lent; who wants an instance waits.
    held: bool,
}

/// Why a caller got no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoInstance {
    /// None became free before the deadline.
    Busy,
    /// Calls are not admitted.
    Closed,
}

impl<T> Pool<T> {
    /// A pool of at most `max` instances.
    pub fn new(max: usize) -> Self {
        let inner = Inner { idle: Vec::with_capacity(max.min(16)), live: 0, generation: 0, held: false };
        Self { max, inner: Mutex::new(inner), freed: Condvar::new(), returned: Condvar::new() }
    }

    /// Lends a free instance, or the right to make one, or waits. `admitted` is asked under the pool's lock: an
    /// instance lent after a change of what it answers, seen by [`Pool::quiet`], cannot be.
    pub fn take(
        &self,
        deadline: Deadline,
        clock: &dyn Clock,
        admitted: impl Fn() -> bool,
    ) -> Result<Lease<'_, T>, NoInstance> {
        let mut inner = self.inner.lock();
        loop {
            if !admitted() {
                return Err(NoInstance::Closed);
            }
            let generation = inner.generation;
            if !inner.held {
                if let Some(instance) = inner.idle.pop() {
                    return Ok(Lease::new(self, generation, Some(instance)));
                }
                if inner.live < self.max {
                    inner.live += 1;
                    return Ok(Lease::new(self, generation, None));
                }
            }
            match deadline.remaining(clock) {
                Some(Duration::ZERO) => return Err(NoInstance::Busy),
                Some(left) => drop(self.freed.wait_for(&mut inner, left)),
                None => self.freed.wait(&mut inner),
            }
        }
    }

    /// Adds a free instance that was not lent.
    pub fn add(&self, instance: T) {
        let mut inner = self.inner.lock();
        inner.live += 1;
        inner.idle.push(instance);
        drop(inner);
        self.freed.notify_one();
    }

    /// Lets waiting callers look again whether they are admitted.
    pub fn wake(&self) {
        // Under the lock, so that nobody is between looking and waiting.
        let _inner = self.inner.lock();
        self.freed.notify_all();
    }

    /// From now on nothing is lent: callers that are admitted wait.
    pub fn hold(&self) {
        self.inner.lock().held = true;
    }
    /// Lends again.
    pub fn release(&self) {
        self.inner.lock().held = false;
        self.freed.notify_all();
    }

    /// Takes every free instance away; they no longer count.
    pub fn drain(&self) -> Vec<T> {
        let mut inner = self.inner.lock();
        let idle = std::mem::take(&mut inner.idle);
        inner.live = inner.live.saturating_sub(idle.len());
        idle
    }

    /// Gives all instances up: the free ones are returned, the lent ones are dropped when their callers are done.
    pub fn abandon(&self) -> Vec<T> {
        let mut inner = self.inner.lock();
        inner.generation += 1;
        inner.live = 0;
        self.freed.notify_all();
        self.returned.notify_all();
        std::mem::take(&mut inner.idle)
    }

    /// An instance came back, or is gone.
    fn notify(&self) {
        self.freed.notify_one();
        self.returned.notify_all();
    }

    /// Waits until no instance is lent out, at most until the deadline. How many still are.
    pub fn quiet(&self, deadline: Deadline, clock: &dyn Clock) -> usize {
        let mut inner = self.inner.lock();
        loop {
            let lent = inner.live.saturating_sub(inner.idle.len());
            match deadline.remaining(clock) {
                _ if lent == 0 => return 0,
                Some(Duration::ZERO) => return lent,
                Some(left) => drop(self.returned.wait_for(&mut inner, left)),
                None => self.returned.wait(&mut inner),
            }
        }
    }
}

/// A place among the live instances, with an instance or the right to make one. Dropped, the place is free again
/// and the instance gone.
#[derive(Debug)]
pub(super) struct Lease<'a, T> {
    /// `None` once the place was given back.
    pool: Option<&'a Pool<T>>,
    generation: u64,
    instance: Option<T>,
}

impl<'a, T> Lease<'a, T> {
    const fn new(pool: &'a Pool<T>, generation: u64, instance: Option<T>) -> Self {
        Self { pool: Some(pool), generation, instance }
    }

    /// The instance, made now if it was only the right to make one.
    pub fn or_make<E>(&mut self, make: impl FnOnce() -> Result<T, E>) -> Result<&mut T, E> {
        match self.instance {
            Some(ref mut instance) => Ok(instance),
            None => Ok(self.instance.insert(make()?)),
        }
    }

    /// Gives the instance back for the next caller; one that was given up meanwhile is dropped.
    pub fn give_back(mut self) {
        let Some(instance) = self.instance.take() else { return };
        let Some(pool) = self.pool.take() else { return };
        let mut inner = pool.inner.lock();
        if inner.generation == self.generation {
            inner.idle.push(instance);
            drop(inner);
            pool.notify();
        }
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        let Some(pool) = self.pool else { return };
        // The instance ends before its place is free, so that there are never more than `max`.
        self.instance = None;
        let mut inner = pool.inner.lock();
        if inner.generation == self.generation {
            inner.live = inner.live.saturating_sub(1);
        }
        drop(inner);
        pool.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::SystemClock;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const NOW: Deadline = Deadline::at_ms(0);

    fn made<T>(lease: &mut Lease<'_, T>, instance: T) {
        lease.or_make(|| Ok::<_, Infallible>(instance)).unwrap();
    }

    #[test]
    fn no_more_than_max_and_a_waiter_gets_what_is_given_back() {
        let clock = SystemClock::start().unwrap();
        let pool = Arc::new(Pool::<u32>::new(1));
        let mut lease = pool.take(Deadline::NEVER, &*clock, || true).unwrap();
        assert_eq!(pool.take(NOW, &*clock, || true).unwrap_err(), NoInstance::Busy);
        let waiter = {
            let (pool, clock) = (pool.clone(), clock.clone());
            std::thread::spawn(move || {
                let mut lease = pool.take(Deadline::NEVER, &*clock, || true).unwrap();
                *lease.or_make(|| Err(())).unwrap()
            })
        };
        made(&mut lease, 7);
        assert_eq!(pool.quiet(NOW, &*clock), 1);
        lease.give_back();
        assert_eq!(waiter.join().unwrap(), 7, "the waiter is lent the instance, and drops it");
        assert_eq!(pool.quiet(Deadline::NEVER, &*clock), 0);
        assert!(pool.drain().is_empty());
        pool.add(8);
        assert_eq!(pool.drain(), [8]);
    }

    #[test]
    fn whoever_waits_is_told_when_calls_are_no_longer_admitted() {
        let clock = SystemClock::start().unwrap();
        let pool = Pool::<u32>::new(1);
        let open = AtomicBool::new(true);
        let lease = pool.take(Deadline::NEVER, &*clock, || true).unwrap();
        std::thread::scope(|scope| {
            let waiter =
                scope.spawn(|| pool.take(Deadline::NEVER, &*clock, || open.load(Ordering::SeqCst)).map(drop));
            open.store(false, Ordering::SeqCst);
            pool.wake();
            assert_eq!(waiter.join().unwrap(), Err(NoInstance::Closed));
        });
        drop(lease);
        assert_eq!(pool.quiet(NOW, &*clock), 0);
    }

    #[test]
    fn while_held_nothing_is_lent_and_whoever_waits_goes_on_after_it() {
        let clock = SystemClock::start().unwrap();
        let pool = Pool::<u32>::new(2);
        pool.add(7);
        pool.hold();
        assert_eq!(pool.take(NOW, &*clock, || true).unwrap_err(), NoInstance::Busy);
        assert_eq!(pool.take(NOW, &*clock, || false).unwrap_err(), NoInstance::Closed);
        std::thread::scope(|scope| {
            let take = || {
                scope.spawn(|| {
                    let mut lease = pool.take(Deadline::NEVER, &*clock, || true).unwrap();
                    lease.or_make(|| Ok::<_, Infallible>(8)).copied().unwrap()
                })
            };
            let waiters = [take(), take()];
            assert_eq!(pool.drain(), [7], "the free one is there for whoever holds");
            pool.add(9);
            pool.release();
            let lent: u32 = waiters.into_iter().map(|w| w.join().unwrap()).sum();
            assert!([16, 17].contains(&lent), "{lent}");
        });
        assert_eq!(pool.quiet(NOW, &*clock), 0);
    }

    #[test]
    fn what_was_lent_before_all_was_given_up_is_not_taken_back() {
        let clock = SystemClock::start().unwrap();
        let pool = Pool::<u32>::new(2);
        let (mut a, mut b) =
            (pool.take(NOW, &*clock, || true).unwrap(), pool.take(NOW, &*clock, || true).unwrap());
        made(&mut a, 1);
        made(&mut b, 2);
        a.give_back();
        assert_eq!(pool.abandon(), [1]);
        pool.add(3);
        assert_eq!(pool.quiet(NOW, &*clock), 0, "what was given up is not waited for");
        b.give_back();
        assert_eq!(pool.drain(), [3]);
        assert_eq!(pool.quiet(NOW, &*clock), 0);
    }

    #[test]
    fn many_callers_share_two_instances() {
        let clock = SystemClock::start().unwrap();
        let pool = Pool::<u32>::new(2);
        let (lent, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for round in 0..300 {
                        let mut lease = pool.take(Deadline::NEVER, &*clock, || true).unwrap();
                        most.fetch_max(lent.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        made(&mut lease, round);
                        lent.fetch_sub(1, Ordering::SeqCst);
                        if round % 7 == 0 { drop(lease) } else { lease.give_back() }
                    }
                });
            }
        });
        assert_eq!(pool.quiet(NOW, &*clock), 0);
        assert!(pool.drain().len() <= 2);
        assert!((1..=2).contains(&most.into_inner()));
    }
}
