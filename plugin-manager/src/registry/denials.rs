//! Host calls of a plugin, over all its instances: those denied, those that hit a limit, those permitted by action; and
//! of them what it did in its own right, which is scored.

use crate::metrics::PluginSample;
use microkernel::syscall_bridge::CallerStats;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Adds up the counters of instances; those of instances that are gone are kept as a sum.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    live: Vec<Arc<CallerStats>>,
    gone: u64,
    gone_calls: Calls,
    told: u64,
    /// What was scored already.
    scored: Calls,
}

/// Host calls by the place of their action in the bridge's table, and what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub denied: u64,
    pub limited: u64,
    /// Instances lost to a trap or a deadline that are its own fault: the plugin's count.
    pub traps: u64,
    pub allowed: BTreeMap<usize, u64>,
}

impl Calls {
    /// What it did for others is left out: whoever may call a plugin could lower its score otherwise.
    fn add(&mut self, stats: &CallerStats) {
        let own = stats.own();
        self.denied = self.denied.wrapping_add(own.denied());
        self.limited = self.limited.wrapping_add(own.limited());
        for (action, calls) in own.allowed_by_action() {
            let sum = self.allowed.entry(action).or_default();
            *sum = sum.wrapping_add(calls);
        }
    }

    fn since(&self, before: &Self) -> Self {
        let earlier = |action| before.allowed.get(action).copied().unwrap_or(0);
        let allowed = self.allowed.iter().map(|(action, n)| (*action, n.saturating_sub(earlier(action))));
        Self {
            denied: self.denied.saturating_sub(before.denied),
            limited: self.limited.saturating_sub(before.limited),
            traps: self.traps.saturating_sub(before.traps),
            allowed: allowed.filter(|(_, n)| *n > 0).collect(),
        }
    }
}

impl Denials {
    /// Counts a new instance too.
    pub fn watch(&self, stats: Arc<CallerStats>) {
        let mut counts = self.0.lock();
        let (live, gone): (Vec<_>, Vec<_>) = counts.live.drain(..).partition(|s| Arc::strong_count(s) > 1);
        counts.gone += gone.iter().map(|s| s.denied()).sum::<u64>();
        gone.iter().for_each(|stats| counts.gone_calls.add(stats));
        counts.live = live;
        counts.live.push(stats);
    }
    /// Denials since this was asked last.
    pub fn untold(&self) -> u64 {
        let total = self.total();
        let before = std::mem::replace(&mut self.0.lock().told, total);
        total.saturating_sub(before)
    }
    /// What was called since this was asked last, with what the plugin's own counters say now.
    pub fn unscored(&self, own: &PluginSample) -> Calls {
        let mut counts = self.0.lock();
        let mut now = counts.gone_calls.clone();
        counts.live.iter().for_each(|stats| now.add(stats));
        now.traps = own.faults;
        let since = now.since(&counts.scored);
        counts.scored = now;
        since
    }
    /// Denials so far.
    pub fn total(&self) -> u64 {
        let counts = self.0.lock();
        counts.gone + counts.live.iter().map(|s| s.denied()).sum::<u64>()
    }
}
