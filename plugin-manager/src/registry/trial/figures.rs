//! What is counted of the two versions while one is on trial: numbers alone, no input and no output.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four to each power of two of nanoseconds.
const BUCKETS: usize = 252;

/// Durations counted in buckets a quarter apart.
#[derive(Debug)]
pub(in crate::registry) struct Latencies([AtomicU64; BUCKETS]);

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

const fn bucket(ns: u64) -> usize {
    if ns < 4 {
        return ns as usize;
    }
    let log = ns.ilog2();
    ((log - 1) * 4) as usize + (ns >> (log - 2) & 3) as usize
}

/// The most nanoseconds a bucket holds.
const fn ceiling(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (shift, quarter) = (bucket / 4 - 1, (bucket % 4) as u64);
    ((4 + quarter) << shift) + ((1 << shift) - 1)
}

impl Latencies {
    pub fn record(&self, ns: u64) {
        if let Some(count) = self.0.get(bucket(ns)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What so many of 100 stay below, to a quarter; zero of nothing.
    pub fn percentile(&self, of_100: u64) -> Duration {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let wanted = counts.iter().sum::<u64>() * of_100;
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count * 100;
            seen >= wanted && seen > 0
        });
        Duration::from_nanos(found.map_or(0, ceiling))
    }
}

/// What one of the two versions did. Counting takes no lock.
#[derive(Debug, Default)]
pub(super) struct Side {
    calls: AtomicU64,
    errors: AtomicU64,
    latencies: Latencies,
}

impl Side {
    /// Counts one call. How many there are then.
    pub fn count(&self, took_ns: u64, failed: bool) -> u64 {
        self.latencies.record(took_ns);
        self.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn sample(&self, denials: u64) -> TrialSide {
        TrialSide {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            denials,
            p95: self.latencies.percentile(95),
        }
    }
}

/// What one of the two versions did since the trial began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrialSide {
    /// Calls it was given.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Host calls that were denied to it.
    pub denials: u64,
    /// What 95 of 100 of its calls took at most, to a quarter.
    pub p95: Duration,
}

/// What the two versions did since the trial began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrialFigures {
    /// The installed version.
    pub installed: TrialSide,
    /// The version on trial.
    pub candidate: TrialSide,
    /// Copied calls whose outcome was the same.
    pub equal: u64,
    /// Copied calls whose outcome was another.
    pub different: u64,
    /// Copied calls in which a host call was not made, because it changes something: nothing is said by their outcome.
    pub incomparable: u64,
    /// Calls that were not copied, because the copies before them were not done.
    pub skipped: u64,
    /// Host calls of the version on trial that were not made, because they change something.
    pub suppressed: u64,
    /// How long it is on trial.
    pub elapsed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_is_in_the_bucket_that_holds_it(ns in any::<u64>()) {
            let at = bucket(ns);
            prop_assert!(at < BUCKETS);
            prop_assert!(ns <= ceiling(at));
            prop_assert!(at == 0 || ns > ceiling(at - 1));
            prop_assert!(ceiling(at) - ns <= ns / 4);
        }
    }

    #[test]
    fn ninety_five_of_a_hundred_are_below() {
        let side = Side::default();
        assert_eq!(side.sample(0).p95, Duration::ZERO);
        for i in 1..=100 {
            assert_eq!(side.count(if i <= 95 { 1000 } else { 1_000_000 }, i == 7), i);
        }
        let seen = side.sample(3);
        assert_eq!((seen.calls, seen.errors, seen.denials), (100, 1, 3));
        assert_eq!(seen.p95, Duration::from_nanos(1023));
        side.count(1_000_000, false);
        assert!(side.sample(0).p95 >= Duration::from_millis(1));
    }
}
