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
    freed: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    idle: Vec<T>,
    live: usize,
}

/// What a caller got.
#[derive(Debug)]
pub(super) enum Checkout<T> {
    /// A free instance.
    Idle(T),
    /// The right to make one: it counts as live until `give_back` or `lost`.
    Make,
    /// Nothing until the deadline.
    Busy,
}

impl<T> Pool<T> {
    /// A pool of at most `max` instances.
    pub fn new(max: usize) -> Self {
        Self { max, inner: Mutex::new(Inner { idle: Vec::new(), live: 0 }), freed: Condvar::new() }
    }

    /// Takes a free instance, or the right to make one, or waits.
    pub fn take(&self, deadline: Deadline, clock: &dyn Clock) -> Checkout<T> {
        let mut inner = self.inner.lock();
        loop {
            if let Some(instance) = inner.idle.pop() {
                return Checkout::Idle(instance);
            }
            if inner.live < self.max {
                inner.live += 1;
                return Checkout::Make;
            }
            match deadline.remaining(clock) {
                Some(Duration::ZERO) => return Checkout::Busy,
                Some(left) => drop(self.freed.wait_for(&mut inner, left)),
                None => self.freed.wait(&mut inner),
            }
        }
    }

    /// One more instance is live, made outside [`Pool::take`].
    pub fn enlist(&self) {
        self.inner.lock().live += 1;
    }

    /// Gives an instance back.
    pub fn give_back(&self, instance: T) {
        self.inner.lock().idle.push(instance);
        self.freed.notify_one();
    }

    /// An instance is gone.
    pub fn lost(&self) {
        let mut inner = self.inner.lock();
        inner.live = inner.live.saturating_sub(1);
        drop(inner);
        self.freed.notify_one();
    }

    /// Takes every free instance away; they no longer count as live.
    pub fn drain(&self) -> Vec<T> {
        let mut inner = self.inner.lock();
        let idle = std::mem::take(&mut inner.idle);
        inner.live = inner.live.saturating_sub(idle.len());
        idle
    }

    /// Waits until no instance is lent out, at most until the deadline. How many still are.
    pub fn quiet(&self, deadline: Deadline, clock: &dyn Clock) -> usize {
        let mut inner = self.inner.lock();
        loop {
            let lent = inner.live.saturating_sub(inner.idle.len());
            match deadline.remaining(clock) {
                _ if lent == 0 => return 0,
                Some(Duration::ZERO) => return lent,
                Some(left) => drop(self.freed.wait_for(&mut inner, left)),
                None => self.freed.wait(&mut inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::SystemClock;
    use std::sync::Arc;

    #[test]
    fn no_more_than_max_and_a_waiter_gets_what_is_given_back() {
        let clock = SystemClock::start().unwrap();
        let pool = Arc::new(Pool::<u32>::new(1));
        assert!(matches!(pool.take(Deadline::NEVER, &*clock), Checkout::Make));
        assert!(matches!(pool.take(Deadline::at_ms(0), &*clock), Checkout::Busy));
        let waiter = {
            let (pool, clock) = (pool.clone(), clock.clone());
            std::thread::spawn(move || matches!(pool.take(Deadline::NEVER, &*clock), Checkout::Idle(7)))
        };
        pool.give_back(7);
        assert!(waiter.join().unwrap());
        assert_eq!(pool.quiet(Deadline::at_ms(0), &*clock), 1);
        pool.lost();
        assert_eq!(pool.quiet(Deadline::NEVER, &*clock), 0);
        assert!(matches!(pool.take(Deadline::NEVER, &*clock), Checkout::Make));
        pool.give_back(8);
        assert_eq!(pool.drain(), [8]);
        assert!(pool.drain().is_empty());
    }

    #[test]
    fn two_waiters_are_both_served() {
        let clock = SystemClock::start().unwrap();
        let pool = Arc::new(Pool::<u32>::new(2));
        let takers: Vec<_> = (0..8)
            .map(|_| {
                let (pool, clock) = (pool.clone(), clock.clone());
                std::thread::spawn(move || {
                    for _ in 0..200 {
                        match pool.take(Deadline::NEVER, &*clock) {
                            Checkout::Idle(n) => pool.give_back(n),
                            Checkout::Make => pool.give_back(1),
                            Checkout::Busy => panic!("never busy without a deadline"),
                        }
                    }
                })
            })
            .collect();
        takers.into_iter().for_each(|t| t.join().unwrap());
        assert!(pool.drain().len() <= 2);
    }
}
