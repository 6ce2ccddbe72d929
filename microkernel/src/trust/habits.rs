//! What a plugin usually does: for each host call how often in a window of time, and which it has made at all. Time is
//! an argument; memory is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

/// Host calls a plugin's habits tell apart; those beyond share [`OTHERS`].
pub const MOST_HABITS: usize = 64;
/// The name the rest goes by.
pub const OTHERS: &str = "(others)";
/// Numbers of calls are kept as thousandths.
const SCALE: u64 = 1000;
/// How much of a new window a habit takes over: one in so many.
const INERTIA: u64 = 8;

/// When a rate is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HabitRules {
    /// Calls are counted in windows of this length.
    pub window: Duration,
    /// For so long after its first call a plugin is only learnt from.
    pub learning: Duration,
    /// A rate is out of the ordinary when it is more than so many times the usual one and its usual spread together.
    pub factor: u32,
    /// No rate below so many calls in a window is.
    pub least: u64,
}

impl Default for HabitRules {
    /// Windows of a minute, an hour of learning, eight times the usual, a hundred calls.
    fn default() -> Self {
        Self { window: Duration::from_secs(60), learning: Duration::from_secs(3600), factor: 8, least: 100 }
    }
}

/// One host call of one plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habit {
    /// The usual number of calls in a window in which the plugin did anything, in thousandths.
    pub usual: u64,
    /// How far a window is usually from that, in thousandths.
    pub spread: u64,
}

impl Habit {
    /// The most calls in a window that are not out of the ordinary.
    fn most(&self, rules: &HabitRules) -> u64 {
        let usual = self.usual.saturating_add(self.spread).saturating_mul(u64::from(rules.factor)) / SCALE;
        usual.max(rules.least)
    }

    /// Takes a window over. One that is out of the ordinary counts as the most that is not, so that a flood does not
    /// become the habit it is measured against.
    fn learn(&mut self, calls: u64, rules: &HabitRules) {
        let seen = calls.min(self.most(rules)).saturating_mul(SCALE);
        let off = seen.abs_diff(self.usual);
        self.usual = blend(self.usual, seen);
        self.spread = blend(self.spread, off);
    }
}

fn blend(old: u64, new: u64) -> u64 {
    (old.saturating_mul(INERTIA - 1).saturating_add(new)) / INERTIA
}

/// Something out of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// More calls in one window than is usual.
    Rate {
        /// The host call.
        action: String,
        /// How many there were when it was seen.
        calls: u64,
        /// The most that would not have been told.
        most: u64,
    },
    /// A host call that was never made before.
    FirstUse {
        /// The host call.
        action: String,
    },
}

/// What one plugin usually does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    /// When it was first seen doing anything, in milliseconds since 1970; 0 is not yet.
    pub since_ms: u64,
    /// Every host call it made.
    pub known: BTreeMap<String, Habit>,
    window_ms: u64,
    calls: BTreeMap<String, u64>,
    told: BTreeMap<String, ()>,
}

impl Habits {
    /// The habits that were kept.
    pub fn kept(since_ms: u64, known: BTreeMap<String, Habit>) -> Self {
        let known = known.into_iter().take(MOST_HABITS + 1).collect();
        Self { since_ms, known, ..Self::default() }
    }

    /// Takes in the calls made since this was done last, and tells what is out of the ordinary, each once a window.
    pub fn observe<'a>(
        &mut self,
        now_ms: u64,
        calls: impl Iterator<Item = (&'a str, u64)>,
        rules: &HabitRules,
    ) -> Vec<Oddity> {
        let window = u64::try_from(rules.window.as_millis()).unwrap_or(u64::MAX).max(1);
        if now_ms.saturating_sub(self.window_ms) >= window || now_ms < self.window_ms {
            self.close_window(rules);
            self.window_ms = now_ms;
        }
        let learning = u64::try_from(rules.learning.as_millis()).unwrap_or(u64::MAX);
        let mut odd = Vec::new();
        for (action, made) in calls.filter(|(_, made)| *made > 0) {
            if self.since_ms == 0 {
                self.since_ms = now_ms.max(1);
            }
            let settled = now_ms.saturating_sub(self.since_ms) >= learning;
            odd.extend(self.count(action, made, rules).filter(|_| settled));
        }
        odd
    }

    fn count(&mut self, action: &str, made: u64, rules: &HabitRules) -> impl Iterator<Item = Oddity> {
        let room = self.known.len() < MOST_HABITS;
        let action = if room || self.known.contains_key(action) { action } else { OTHERS };
        let known = self.known.get(action).copied();
        let calls = self.calls.entry(action.to_owned()).or_default();
        *calls = calls.saturating_add(made);
        let calls = *calls;
        if known.is_none() {
            self.known.insert(action.to_owned(), Habit::default());
        }
        let most = known.unwrap_or_default().most(rules);
        let first = known.is_none().then(|| Oddity::FirstUse { action: action.to_owned() });
        let flood = calls > most && self.told.insert(action.to_owned(), ()).is_none();
        let rate = flood.then(|| Oddity::Rate { action: action.to_owned(), calls, most });
        first.into_iter().chain(rate)
    }

    /// A window in which the plugin did nothing teaches nothing.
    fn close_window(&mut self, rules: &HabitRules) {
        if !self.calls.is_empty() {
            for (action, habit) in &mut self.known {
                habit.learn(self.calls.get(action).copied().unwrap_or(0), rules);
            }
        }
        self.calls.clear();
        self.told.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 1440 * MINUTE;

    /// Two hours of fifty reads a minute.
    fn settled() -> (Habits, HabitRules) {
        let (mut habits, rules) = (Habits::default(), HabitRules::default());
        for minute in 0..120 {
            let odd = habits.observe(DAY + minute * MINUTE, [("kv_get", 50)].into_iter(), &rules);
            assert_eq!(odd, []);
        }
        (habits, rules)
    }

    #[test]
    fn what_is_usual_is_never_told_and_what_is_far_above_it_is_told_once_a_window() {
        let (mut habits, rules) = settled();
        let at = DAY + 120 * MINUTE;
        assert_eq!(habits.observe(at, [("kv_get", 390)].into_iter(), &rules), []);
        let odd = habits.observe(at + 1000, [("kv_get", 5000)].into_iter(), &rules);
        assert!(
            matches!(&odd[..], [Oddity::Rate { action, calls: 5390, most: 400..=500 }] if action == "kv_get"),
            "{odd:?}"
        );
        assert_eq!(habits.observe(at + 2000, [("kv_get", 5000)].into_iter(), &rules), []);
        assert_eq!(habits.observe(at + MINUTE, [("kv_get", 5000)].into_iter(), &rules).len(), 1);
    }

    #[test]
    fn a_flood_does_not_become_the_habit_it_is_measured_against() {
        let (mut habits, rules) = settled();
        let at = DAY + 120 * MINUTE;
        habits.observe(at, [("kv_get", 1_000_000)].into_iter(), &rules);
        habits.observe(at + MINUTE, [("kv_get", 50)].into_iter(), &rules);
        let usual = habits.known.get("kv_get").unwrap().usual / SCALE;
        assert!((50..=110).contains(&usual), "{usual}");
    }

    #[test]
    fn a_call_never_made_before_is_told_after_the_learning_time_and_not_within_it() {
        let (mut habits, rules) = settled();
        let at = DAY + 121 * MINUTE;
        let odd = habits.observe(at, [("http_request", 1)].into_iter(), &rules);
        assert_eq!(odd, [Oddity::FirstUse { action: "http_request".into() }]);
        assert_eq!(habits.observe(at + 1, [("http_request", 1)].into_iter(), &rules), []);
        let mut young = Habits::default();
        assert_eq!(young.observe(at, [("http_request", 10_000)].into_iter(), &rules), []);
    }

    #[test]
    fn windows_without_a_call_teach_nothing_and_a_clock_set_back_ends_one() {
        let (mut habits, rules) = settled();
        let before = habits.known.clone();
        for minute in 200..300 {
            habits.observe(DAY + minute * MINUTE, std::iter::empty(), &rules);
        }
        let usual = |h: &BTreeMap<String, Habit>| h.get("kv_get").unwrap().usual / SCALE;
        assert_eq!(usual(&habits.known), usual(&before));
        assert_eq!(habits.observe(DAY, [("kv_get", 50)].into_iter(), &rules), []);
    }

    #[test]
    fn habits_beyond_the_bound_share_one() {
        let (mut habits, rules) = (Habits::default(), HabitRules::default());
        let names: Vec<String> = (0..1000).map(|i| format!("call{i}")).collect();
        habits.observe(DAY, names.iter().map(|n| (n.as_str(), 1)), &rules);
        assert_eq!((habits.known.len(), habits.calls.len()), (MOST_HABITS + 1, MOST_HABITS + 1));
        assert_eq!(habits.calls.get(OTHERS), Some(&(1000 - MOST_HABITS as u64)));
        let again = Habits::kept(1, habits.known.clone());
        assert_eq!(again.known, habits.known);
    }

    proptest! {
        #[test]
        fn no_counts_and_no_times_overflow(
            counts in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..40), factor: u32, least: u64,
        ) {
            let rules = HabitRules { factor, least, ..HabitRules::default() };
            let mut habits = Habits::default();
            for (now, made) in counts {
                let odd = habits.observe(now, [("a", made), ("b", 1)].into_iter(), &rules);
                prop_assert!(odd.len() <= 4);
            }
        }
    }
}
