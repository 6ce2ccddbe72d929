//! When a plugin that failed is started again, and when it no longer is. Time and chance are arguments; nothing is
//! started here.

use super::budget::{RestartBudget, Spent};
use crate::plugin::PluginState;
use std::time::Duration;

/// Which plugins are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// None: what fails stays `Failed`.
    Never,
    /// Those that fail while they are supervised.
    OnFailure,
    /// Those too that were `Failed` when supervision began.
    Always,
}

/// What becomes of a plugin that fails when its restarts are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `Failed`, until an operator starts it.
    Fail,
    /// `Quarantined`, until an operator releases it.
    Quarantine,
}

impl Ending {
    /// The state it leads to from `Running`.
    pub const fn state(self) -> PluginState {
        match self {
            Self::Fail => PluginState::Failed,
            Self::Quarantine => PluginState::Quarantined,
        }
    }
}

/// How long to wait before a plugin is started again: twice as long each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first restart.
    pub first: Duration,
    /// At most, however many restarts there were.
    pub max: Duration,
    /// The percentage of the wait that chance may take off it, so that plugins that failed together do not come
    /// back together; 0 to 100.
    pub jitter: u8,
}

impl Backoff {
    /// The wait before a restart that this many came before, within the window of the budget. `chance` is any
    /// number; all numbers alike make all waits alike.
    ///
    /// ```
    /// use plugin_manager::lifecycle::Backoff;
    /// use std::time::Duration;
    /// let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(5), jitter: 0 };
    /// let waits: Vec<u64> = (0..5).map(|before| backoff.wait(before, 7).as_secs()).collect();
    /// assert_eq!(waits, [1, 2, 4, 5, 5]);
    /// ```
    pub fn wait(&self, before: usize, chance: u64) -> Duration {
        let doubled = u32::try_from(before).ok().and_then(|before| 1_u32.checked_shl(before));
        let whole = doubled.and_then(|times| self.first.checked_mul(times)).unwrap_or(self.max).min(self.max);
        let most = whole.as_nanos().saturating_mul(u128::from(self.jitter.min(100))) / 100;
        // `chance` as a fraction of its range.
        let off = u64::try_from(most.saturating_mul(u128::from(chance)) >> u64::BITS).unwrap_or(u64::MAX);
        whole.saturating_sub(Duration::from_nanos(off))
    }
}

/// How a plugin is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartRules {
    /// Whether it is started again.
    pub policy: RestartPolicy,
    /// How long to wait before it is.
    pub backoff: Backoff,
    /// How many times within `within` it is.
    pub restarts: usize,
    /// The window of `restarts`.
    pub within: Duration,
    /// What becomes of it after that.
    pub ending: Ending,
}

/// What happens to a plugin that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is started again after this wait.
    Restart(Duration),
    /// It is not started again: its policy says so.
    Leave,
    /// It is not started again: it was as often as it may be.
    GiveUp,
}

/// The restarts of one plugin.
#[derive(Debug)]
pub struct Restarts {
    rules: RestartRules,
    budget: RestartBudget,
}

impl Restarts {
    /// None yet.
    pub fn new(rules: RestartRules) -> Self {
        let within = u64::try_from(rules.within.as_millis()).unwrap_or(u64::MAX);
        Self { rules, budget: RestartBudget::new(rules.restarts, within) }
    }

    /// The rules.
    pub const fn rules(&self) -> &RestartRules {
        &self.rules
    }

    /// It failed now: what happens, which is counted.
    pub fn failed(&mut self, now_ms: u64, chance: u64) -> Next {
        if self.rules.policy == RestartPolicy::Never {
            return Next::Leave;
        }
        match self.budget.at(now_ms) {
            (Spent::All, _) => Next::GiveUp,
            (Spent::Some, before) => {
                self.budget.lose(now_ms);
                Next::Restart(self.rules.backoff.wait(before, chance))
            }
        }
    }

    /// Where it goes if it fails now while it is in service. Nothing is counted.
    pub fn ending(&mut self, now_ms: u64) -> Ending {
        let spent = self.budget.at(now_ms).0 == Spent::All;
        if spent && self.rules.policy != RestartPolicy::Never { self.rules.ending } else { Ending::Fail }
    }

    /// How many there were within the window.
    pub fn count(&mut self, now_ms: u64) -> usize {
        self.budget.at(now_ms).1
    }

    /// An operator started it anew: what was is forgotten.
    pub fn reset(&mut self) {
        self.budget.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules(jitter: u8) -> RestartRules {
        RestartRules {
            policy: RestartPolicy::OnFailure,
            backoff: Backoff { first: SECOND, max: 10 * SECOND, jitter },
            restarts: 5,
            within: 600 * SECOND,
            ending: Ending::Quarantine,
        }
    }

    fn waits(jitter: u8, chance: u64) -> Vec<u64> {
        let mut restarts = Restarts::new(rules(jitter));
        let mut next = |now| match restarts.failed(now, chance) {
            Next::Restart(wait) => wait.as_millis().try_into().unwrap(),
            other => panic!("{other:?}"),
        };
        (0..5).map(|i| next(i * 1000)).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_chance_takes_its_share_off() {
        assert_eq!(waits(0, u64::MAX), [1000, 2000, 4000, 8000, 10_000]);
        assert_eq!(waits(50, 0), [1000, 2000, 4000, 8000, 10_000]);
        assert_eq!(waits(50, 1 << 63), [750, 1500, 3000, 6000, 7500]);
        let least = waits(50, u64::MAX);
        assert!(least.iter().zip([500, 1000, 2000, 4000, 5000]).all(|(w, half)| w.abs_diff(half) <= 1));
    }

    #[test]
    fn after_so_many_within_the_window_it_is_given_up_and_later_ones_count_anew() {
        let mut restarts = Restarts::new(rules(0));
        for at in 0..5 {
            assert_eq!(restarts.ending(at), Ending::Fail);
            assert!(matches!(restarts.failed(at, 0), Next::Restart(_)));
        }
        assert_eq!((restarts.ending(5), restarts.failed(5, 0)), (Ending::Quarantine, Next::GiveUp));
        assert_eq!(restarts.count(5), 5);
        let later = 600_001;
        assert_eq!((restarts.count(later), restarts.ending(later)), (3, Ending::Fail));
        assert_eq!(restarts.failed(later, 0), Next::Restart(8 * SECOND), "three are within the window still");
        restarts.reset();
        assert_eq!(restarts.failed(later, 0), Next::Restart(SECOND));
    }

    #[test]
    fn what_is_never_restarted_is_left_and_not_quarantined() {
        let mut restarts = Restarts::new(RestartRules { policy: RestartPolicy::Never, ..rules(0) });
        assert_eq!((restarts.failed(0, 0), restarts.ending(0)), (Next::Leave, Ending::Fail));
        let mut none = Restarts::new(RestartRules { restarts: 0, ..rules(0) });
        assert_eq!((none.failed(0, 0), none.ending(0)), (Next::GiveUp, Ending::Quarantine));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_its_step_nor_shorter_than_jitter_allows(
            first in 0_u64..100_000, max in 0_u64..10_000_000, jitter in 0_u8..=100,
            before in 0_usize..100, chance: u64,
        ) {
            let (first, max) = (Duration::from_millis(first), Duration::from_millis(max));
            let whole = Backoff { first, max, jitter: 0 }.wait(before, chance);
            let wait = Backoff { first, max, jitter }.wait(before, chance);
            prop_assert!(wait <= whole && whole <= max);
            prop_assert!(wait >= whole.mul_f64(f64::from(100 - jitter) / 100.0).saturating_sub(Duration::from_micros(1)));
        }
    }
}
