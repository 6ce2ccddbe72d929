//! Host calls denied to a plugin, over all its instances.

use microkernel::syscall_bridge::CallerStats;
use parking_lot::Mutex;
use std::sync::Arc;

/// Adds up the counters of instances; those of instances that are gone are kept as a sum.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    live: Vec<Arc<CallerStats>>,
    gone: u64,
    told: u64,
}

impl Denials {
    /// Counts a new instance too.
    pub fn watch(&self, stats: Arc<CallerStats>) {
        let mut counts = self.0.lock();
        let (live, gone): (Vec<_>, Vec<_>) = counts.live.drain(..).partition(|s| Arc::strong_count(s) > 1);
        counts.gone += gone.iter().map(|s| s.denied()).sum::<u64>();
        counts.live = live;
        counts.live.push(stats);
    }
    /// Denials since this was asked last.
    pub fn untold(&self) -> u64 {
        let total = self.total();
        let before = std::mem::replace(&mut self.0.lock().told, total);
        total.saturating_sub(before)
    }
    /// Denials so far.
    pub fn total(&self) -> u64 {
        let counts = self.0.lock();
        counts.gone + counts.live.iter().map(|s| s.denied()).sum::<u64>()
    }
}
