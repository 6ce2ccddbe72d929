//! The instances of one plugin: how many there may be, which are free, who waits and in which order.

use super::queue::Queue;
use crate::metrics::PluginMetrics;
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

/// Bounds of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Instances, lent and free.
    pub instances: usize,
    /// Callers that may wait for one.
    pub waiting: usize,
}

/// A bounded set of instances, and a bounded queue of callers that wait for one, each until its own deadline.
#[derive(Debug)]
pub(super) struct Pool<T> {
    bounds: Bounds,
    inner: Mutex<Inner<T>>,
    /// One instance fewer is lent out.
    returned: Condvar,
    metrics: Arc<PluginMetrics>,
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
    queue: Queue,
}

/// Why a caller got no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoInstance {
    /// None became free before the deadline.
    Busy,
    /// Calls are not admitted.
    Closed,
    /// As many callers wait as may.
    Full,
    /// The caller gave up.
    Cancelled,
}

/// Until when, and as long as what, a caller waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience<'a> {
    pub until: Deadline,
    pub cancel: Option<&'a CancelToken>,
}

impl<T> Inner<T> {
    /// What may be lent now: an instance, or the right to make one.
    fn lend(&mut self, max: usize) -> Option<Option<T>> {
        if self.held {
            return None;
        }
        if let Some(instance) = self.idle.pop() {
            return Some(Some(instance));
        }
        (self.live < max).then(|| {
            self.live += 1;
            None
        })
    }
    /// Who waits longest, if there is something for it.
    fn next(&self, max: usize) -> Option<Thread> {
        let free = !self.held && (!self.idle.is_empty() || self.live < max);
        if free { self.queue.front() } else { None }
    }
}

impl<T> Pool<T> {
    /// A pool within these bounds, which counts who waits and who is turned away.
    pub fn new(bounds: Bounds, metrics: Arc<PluginMetrics>) -> Self {
        let idle = Vec::with_capacity(bounds.instances.min(16));
        let inner = Inner { idle, live: 0, generation: 0, held: false, queue: Queue::default() };
        Self { bounds, inner: Mutex::new(inner), returned: Condvar::new(), metrics }
    }

    /// Lends a free instance, or the right to make one, or waits. `admitted` is asked under the pool's lock: an
    /// instance lent after a change of what it answers, seen by [`Pool::quiet`], cannot be.
    #[inline]
    pub fn take(
        &self,
        patience: Patience<'_>,
        clock: &dyn Clock,
        admitted: impl Fn() -> bool,
    ) -> Result<Lease<'_, T>, NoInstance> {
        let mut inner = self.inner.lock();
        if !admitted() {
            return Err(NoInstance::Closed);
        }
        if inner.queue.lets_pass()
            && let Some(instance) = inner.lend(self.bounds.instances)
        {
            inner.queue.pass();
            return Ok(Lease::new(self, inner.generation, instance));
        }
        self.wait(inner, patience, clock, admitted)
    }

    #[cold]
    fn wait<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner<T>>,
        patience: Patience<'_>,
        clock: &dyn Clock,
        admitted: impl Fn() -> bool,
    ) -> Result<Lease<'a, T>, NoInstance> {
        if patience.until.passed(clock) {
            return Err(NoInstance::Busy);
        }
        if inner.queue.len() >= self.bounds.waiting {
            self.metrics.turned_away();
            return Err(NoInstance::Full);
        }
        let me = std::thread::current();
        let place = inner.queue.join(me.clone());
        self.metrics.waiting(inner.queue.len());
        drop(inner);
        let _woken = patience.cancel.map(|cancel| cancel.listen(Arc::new(me)));
        let lent = loop {
            inner = self.inner.lock();
            match self.turn(&mut inner, place, patience, clock, &admitted) {
                Turn::Over(lent) => break lent,
                Turn::Wait(left) => {
                    drop(inner);
                    match left {
                        Some(left) => std::thread::park_timeout(left),
                        None => std::thread::park(),
                    }
                }
            }
        };
        inner.queue.leave(place, lent.is_ok());
        self.metrics.waiting(inner.queue.len());
        let generation = inner.generation;
        // Whether this one took what it was woken for or gave up: there may be something for the one behind it.
        self.unlock_and_wake(inner);
        lent.map(|instance| Lease::new(self, generation, instance))
    }

    fn turn(
        &self,
        inner: &mut Inner<T>,
        place: u64,
        patience: Patience<'_>,
        clock: &dyn Clock,
        admitted: impl Fn() -> bool,
    ) -> Turn<T> {
        if !admitted() {
            return Turn::Over(Err(NoInstance::Closed));
        }
        if patience.cancel.is_some_and(CancelToken::is_cancelled) {
            return Turn::Over(Err(NoInstance::Cancelled));
        }
        if inner.queue.is_first(place)
            && let Some(instance) = inner.lend(self.bounds.instances)
        {
            return Turn::Over(Ok(instance));
        }
        match patience.until.remaining(clock) {
            Some(Duration::ZERO) => Turn::Over(Err(NoInstance::Busy)),
            left => Turn::Wait(left),
        }
    }

    /// Lets go of the lock and wakes whoever waits longest, if there is something for it.
    #[inline]
    fn unlock_and_wake(&self, inner: MutexGuard<'_, Inner<T>>) {
        let next = inner.next(self.bounds.instances);
        drop(inner);
        if let Some(thread) = next {
            thread.unpark();
        }
    }

    /// Adds a free instance that was not lent.
    pub fn add(&self, instance: T) {
        let mut inner = self.inner.lock();
        inner.live += 1;
        inner.idle.push(instance);
        self.unlock_and_wake(inner);
    }

    /// Lets waiting callers look again whether they are admitted.
    pub fn wake(&self) {
        self.inner.lock().queue.wake_all();
    }

    /// From now on nothing is lent: callers that are admitted wait.
    pub fn hold(&self) {
        self.inner.lock().held = true;
    }
    /// Lends again.
    pub fn release(&self) {
        let mut inner = self.inner.lock();
        inner.held = false;
        self.unlock_and_wake(inner);
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
        inner.queue.wake_all();
        self.returned.notify_all();
        std::mem::take(&mut inner.idle)
    }

    /// An instance came back, or is gone.
    #[inline]
    fn settled(&self, inner: MutexGuard<'_, Inner<T>>) {
        self.unlock_and_wake(inner);
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

/// What a caller that waits does next.
enum Turn<T> {
    /// It has what it waited for, or goes without.
    Over(Result<Option<T>, NoInstance>),
    /// It waits, at most so long.
    Wait(Option<Duration>),
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
            pool.settled(inner);
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
        pool.settled(inner);
    }
}

#[cfg(test)]
mod tests;
