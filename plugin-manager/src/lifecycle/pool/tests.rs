//! Pools without a plugin: who is lent an instance, who waits and in which order, who goes without.

use super::*;
use common::clock::SystemClock;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const NOW: Patience<'_> = Patience { until: Deadline::at_ms(0), cancel: None };
const LONG: Patience<'_> = Patience { until: Deadline::NEVER, cancel: None };

fn pool_of(instances: usize) -> Pool<u32> {
    Pool::new(Bounds { instances, waiting: 16 }, Arc::default())
}

fn made<T>(lease: &mut Lease<'_, T>, instance: T) {
    lease.or_make(|| Ok::<_, Infallible>(instance)).unwrap();
}

#[test]
fn no_more_than_max_and_a_waiter_gets_what_is_given_back() {
    let clock = SystemClock::start().unwrap();
    let pool = Arc::new(pool_of(1));
    let mut lease = pool.take(LONG, &*clock, || true).unwrap();
    assert_eq!(pool.take(NOW, &*clock, || true).unwrap_err(), NoInstance::Busy);
    let waiter = {
        let (pool, clock) = (pool.clone(), clock.clone());
        std::thread::spawn(move || {
            let mut lease = pool.take(LONG, &*clock, || true).unwrap();
            *lease.or_make(|| Err(())).unwrap()
        })
    };
    made(&mut lease, 7);
    assert_eq!(pool.quiet(NOW.until, &*clock), 1);
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
    let pool = pool_of(1);
    let open = AtomicBool::new(true);
    let lease = pool.take(LONG, &*clock, || true).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.take(LONG, &*clock, || open.load(Ordering::SeqCst)).map(drop));
        open.store(false, Ordering::SeqCst);
        pool.wake();
        assert_eq!(waiter.join().unwrap(), Err(NoInstance::Closed));
    });
    drop(lease);
    assert_eq!(pool.quiet(NOW.until, &*clock), 0);
}

#[test]
fn while_held_nothing_is_lent_and_whoever_waits_goes_on_after_it() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(2);
    pool.add(7);
    pool.hold();
    assert_eq!(pool.take(NOW, &*clock, || true).unwrap_err(), NoInstance::Busy);
    assert_eq!(pool.take(NOW, &*clock, || false).unwrap_err(), NoInstance::Closed);
    std::thread::scope(|scope| {
        let take = || {
            scope.spawn(|| {
                let mut lease = pool.take(LONG, &*clock, || true).unwrap();
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
    assert_eq!(pool.quiet(NOW.until, &*clock), 0);
}

#[test]
fn what_was_lent_before_all_was_given_up_is_not_taken_back() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(2);
    let (mut a, mut b) =
        (pool.take(NOW, &*clock, || true).unwrap(), pool.take(NOW, &*clock, || true).unwrap());
    made(&mut a, 1);
    made(&mut b, 2);
    a.give_back();
    assert_eq!(pool.abandon(), [1]);
    pool.add(3);
    assert_eq!(pool.quiet(NOW.until, &*clock), 0, "what was given up is not waited for");
    b.give_back();
    assert_eq!(pool.drain(), [3]);
    assert_eq!(pool.quiet(NOW.until, &*clock), 0);
}

#[test]
fn no_more_wait_than_may_and_each_is_counted() {
    let clock = SystemClock::start().unwrap();
    let metrics = Arc::new(PluginMetrics::default());
    let pool = Pool::<u32>::new(Bounds { instances: 1, waiting: 2 }, metrics.clone());
    let lease = pool.take(LONG, &*clock, || true).unwrap();
    std::thread::scope(|scope| {
        let waiters: Vec<_> =
            (0..2).map(|_| scope.spawn(|| pool.take(LONG, &*clock, || true).map(drop))).collect();
        while metrics.sample().queue_depth < 2 {
            std::thread::yield_now();
        }
        assert_eq!(pool.take(LONG, &*clock, || true).unwrap_err(), NoInstance::Full);
        drop(lease);
        waiters.into_iter().for_each(|w| w.join().unwrap().unwrap());
    });
    let sample = metrics.sample();
    assert_eq!((sample.queue_depth, sample.queue_peak, sample.calls_refused), (0, 2, 1));
}

#[test]
fn whoever_gives_up_while_waiting_goes_at_once_and_keeps_nobody_behind_it_waiting() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(1);
    let lease = pool.take(LONG, &*clock, || true).unwrap();
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let patience = Patience { cancel: Some(&token), ..LONG };
            pool.take(patience, &*clock, || true).map(drop)
        });
        while pool.metrics.sample().queue_depth < 1 {
            std::thread::yield_now();
        }
        let behind = scope.spawn(|| pool.take(LONG, &*clock, || true).map(drop));
        token.cancel();
        assert_eq!(waiter.join().unwrap(), Err(NoInstance::Cancelled));
        drop(lease);
        behind.join().unwrap().unwrap();
    });
    assert_eq!((pool.quiet(NOW.until, &*clock), pool.inner.lock().queue.len()), (0, 0));
}

#[test]
fn callers_are_served_in_the_order_in_which_they_came() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(1);
    let order = Mutex::new(Vec::new());
    let lease = pool.take(LONG, &*clock, || true).unwrap();
    std::thread::scope(|scope| {
        for i in 0..8_u64 {
            let (pool, clock, order) = (&pool, &clock, &order);
            scope.spawn(move || {
                let lease = pool.take(LONG, &**clock, || true).unwrap();
                order.lock().push(i);
                drop(lease);
            });
            while pool.metrics.sample().queue_depth <= i {
                std::thread::yield_now();
            }
        }
        drop(lease);
    });
    assert_eq!(order.into_inner(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_caller_that_waits_is_served_beside_one_that_always_comes_back() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(1);
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let _busy = scope.spawn(|| {
            // Would keep the instance for ever if whoever waits could be passed for ever.
            while served.load(Ordering::SeqCst) < 20 {
                let mut lease = pool.take(LONG, &*clock, || true).unwrap();
                made(&mut lease, 1);
                lease.give_back();
            }
        });
        for _ in 0..20 {
            let mut lease = pool.take(LONG, &*clock, || true).unwrap();
            made(&mut lease, 2);
            served.fetch_add(1, Ordering::SeqCst);
            lease.give_back();
        }
    });
    assert_eq!(pool.quiet(NOW.until, &*clock), 0);
}

#[test]
fn many_callers_share_two_instances() {
    let clock = SystemClock::start().unwrap();
    let pool = pool_of(2);
    let (lent, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..300 {
                    let mut lease = pool.take(LONG, &*clock, || true).unwrap();
                    most.fetch_max(lent.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    made(&mut lease, round);
                    lent.fetch_sub(1, Ordering::SeqCst);
                    if round % 7 == 0 { drop(lease) } else { lease.give_back() }
                }
            });
        }
    });
    assert_eq!(pool.quiet(NOW.until, &*clock), 0);
    assert!(pool.drain().len() <= 2);
    assert!((1..=2).contains(&most.into_inner()));
}
