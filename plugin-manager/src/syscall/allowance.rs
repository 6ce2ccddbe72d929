//! How much the instances of one plugin together may ask of the host: token buckets that fill with time. Instances
//! draw in batches, so that a host call costs them a subtraction and no lock.

use crate::metrics::PluginMetrics;
use parking_lot::Mutex;
use std::sync::Arc;

/// Tokens an instance draws at once, at most. It gives back what it did not use.
const BATCH: u32 = 1024;
/// The same of effects, whose rate is low and whose records cost more than a lock.
const EFFECT_BATCH: u32 = 16;

/// A token bucket. Time is given: the coarse clock's milliseconds, which need not be in order.
#[derive(Debug)]
pub(super) struct Bucket {
    per_ms: u64,
    most: u64,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    /// Thousandths of a token, so that slow rates lose nothing to rounding.
    milli: u64,
    at_ms: u64,
}

const MILLI: u64 = 1000;

impl Bucket {
    /// A full bucket of `most` tokens that gains `rate` a second.
    pub fn new(rate: u64, most: u64, now_ms: u64) -> Self {
        let most = most.saturating_mul(MILLI);
        // A thousandth of a token a millisecond is a token a second.
        Self { per_ms: rate, most, left: Mutex::new(Left { milli: most, at_ms: now_ms }) }
    }
    /// Whole tokens there are now.
    pub fn level(&self, now_ms: u64) -> u64 {
        self.filled(now_ms, |milli| *milli) / MILLI
    }
    /// Takes tokens that were used; what is not there is not owed.
    pub fn spend(&self, tokens: u64) {
        let mut left = self.left.lock();
        left.milli = left.milli.saturating_sub(tokens.saturating_mul(MILLI));
    }
    /// Draws up to `most` tokens.
    fn draw(&self, most: u32, now_ms: u64) -> u32 {
        self.filled(now_ms, |milli| {
            let drawn = u32::try_from(*milli / MILLI).unwrap_or(u32::MAX).min(most);
            *milli -= u64::from(drawn) * MILLI;
            drawn
        })
    }
    /// Puts back what was drawn and not used.
    fn put_back(&self, tokens: u32) {
        let mut left = self.left.lock();
        left.milli = left.milli.saturating_add(u64::from(tokens) * MILLI).min(self.most);
    }
    fn filled<R>(&self, now_ms: u64, with: impl FnOnce(&mut u64) -> R) -> R {
        let mut left = self.left.lock();
        let gained = now_ms.saturating_sub(left.at_ms).saturating_mul(self.per_ms);
        left.milli = left.milli.saturating_add(gained).min(self.most);
        left.at_ms = now_ms.max(left.at_ms);
        with(&mut left.milli)
    }
}

/// Host calls a plugin may make for long, a second; at once what that makes in [`Kind::seconds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRates {
    /// Calls that are counted: reads, `ping`, the clock (class C).
    pub calls: u32,
    /// Calls with an effect outside the instance, each of which is recorded (classes A and B).
    pub effects: u32,
}

/// What the instances of one plugin may still call. A new instance shares it.
#[derive(Debug)]
pub struct CallAllowance {
    calls: Bucket,
    effects: Bucket,
    metrics: Arc<PluginMetrics>,
}

/// Which of the two a call draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Effect,
}

impl Kind {
    /// A full bucket holds what flows in within so many seconds.
    const fn seconds(self) -> u64 {
        match self {
            Self::Call => 10,
            Self::Effect => 60,
        }
    }
    const fn batch(self) -> u32 {
        match self {
            Self::Call => BATCH,
            Self::Effect => EFFECT_BATCH,
        }
    }
}

impl CallAllowance {
    /// A full one, at this coarse time; refused calls are counted there.
    pub fn new(rates: CallRates, metrics: Arc<PluginMetrics>, now_ms: u64) -> Self {
        let bucket = |rate: u32, of: Kind| Bucket::new(rate.into(), u64::from(rate) * of.seconds(), now_ms);
        let (calls, effects) = (bucket(rates.calls, Kind::Call), bucket(rates.effects, Kind::Effect));
        Self { calls, effects, metrics }
    }
    fn of(&self, kind: Kind) -> &Bucket {
        match kind {
            Kind::Call => &self.calls,
            Kind::Effect => &self.effects,
        }
    }
}

/// One instance's share: what it has drawn and not used. Without an allowance it has no bound.
#[derive(Debug, Default)]
pub(super) struct Share {
    from: Option<Arc<CallAllowance>>,
    calls: u32,
    effects: u32,
}

impl Share {
    /// A share of this allowance, with nothing drawn.
    pub fn of(allowance: Arc<CallAllowance>) -> Self {
        Self { from: Some(allowance), ..Self::default() }
    }
    /// Uses one token; whether there was one. The time is asked for when more have to be drawn.
    #[inline]
    pub fn use_one(&mut self, kind: Kind, now_ms: impl FnOnce() -> u64) -> bool {
        let left = self.left(kind);
        if let Some(less) = left.checked_sub(1) {
            *left = less;
            return true;
        }
        self.draw(kind, now_ms())
    }
    const fn left(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Call => &mut self.calls,
            Kind::Effect => &mut self.effects,
        }
    }
    #[cold]
    fn draw(&mut self, kind: Kind, now_ms: u64) -> bool {
        let drawn = match &self.from {
            Some(allowance) => allowance.of(kind).draw(kind.batch(), now_ms),
            None => BATCH,
        };
        let Some(less) = drawn.checked_sub(1) else {
            self.from.iter().for_each(|allowance| allowance.metrics.host_call_refused());
            return false;
        };
        *self.left(kind) = less;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(allowance) = &self.from else { return };
        allowance.calls.put_back(self.calls);
        allowance.effects.put_back(self.effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allowance(calls: u32, effects: u32) -> Arc<CallAllowance> {
        Arc::new(CallAllowance::new(CallRates { calls, effects }, Arc::default(), 0))
    }

    /// How often one more is there at this time, at most `most` times.
    fn used(share: &mut Share, kind: Kind, now_ms: u64, most: usize) -> usize {
        (0..most).take_while(|_| share.use_one(kind, || now_ms)).count()
    }

    #[test]
    fn fault_044_as_many_calls_as_the_bucket_holds_and_not_one_more() {
        let allowance = allowance(5_000, 7);
        let mut share = Share::of(allowance.clone());
        assert_eq!(used(&mut share, Kind::Call, 0, 100_000), 50_000);
        assert_eq!(used(&mut share, Kind::Effect, 0, 100_000), 420, "effects have a bucket of their own");
        assert!(!share.use_one(Kind::Call, || 0));
        assert_eq!(allowance.metrics.sample().host_calls_refused, 3);
        // A second later as many as flow in, however the time is cut.
        assert_eq!((1..=100).map(|i| used(&mut share, Kind::Effect, i * 10, 100)).sum::<usize>(), 7);
        assert_eq!(used(&mut share, Kind::Call, 1_000, 100_000), 5_000);
        assert_eq!(used(&mut share, Kind::Call, 900, 100_000), 0, "a clock that goes back gives nothing");
        assert_eq!(used(&mut share, Kind::Call, 1 << 40, 100_000), 50_000, "and never more than it holds");
    }

    #[test]
    fn fault_044_an_instance_at_rest_holds_back_few_effects_of_the_others() {
        let allowance = allowance(1, 10);
        let mut shares: Vec<Share> = (0..8).map(|_| Share::of(allowance.clone())).collect();
        assert!(shares.iter_mut().all(|share| share.use_one(Kind::Effect, || 0)));
        let mut busy = Share::of(allowance);
        assert_eq!(used(&mut busy, Kind::Effect, 0, 1_000), 600 - 8 * 16);
    }

    #[test]
    fn fault_044_new_instances_share_what_is_left_and_give_back_what_they_do_not_use() {
        let allowance = allowance(300, 1);
        for _ in 0..3_000 {
            assert!(Share::of(allowance.clone()).use_one(Kind::Call, || 0));
        }
        assert!(!Share::of(allowance).use_one(Kind::Call, || 0));
        assert_eq!(used(&mut Share::default(), Kind::Effect, 0, 100_000), 100_000, "without one, no bound");
    }

    proptest! {
        #[test]
        fn no_more_is_used_than_was_there_and_flowed_in(
            rate in 0u32..5_000,
            steps in prop::collection::vec((0u64..3_000, 0usize..3_000, any::<bool>()), 1..40),
        ) {
            let allowance = allowance(rate, 0);
            let (mut shares, mut now, mut total) = ([Share::of(allowance.clone()), Share::of(allowance)], 0, 0);
            for (pause, most, which) in steps {
                now += pause;
                total += used(&mut shares[usize::from(which)], Kind::Call, now, most) as u64;
                prop_assert!(total <= u64::from(rate) * Kind::Call.seconds() + now * u64::from(rate) / 1000);
            }
        }
    }
}
