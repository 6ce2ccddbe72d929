//! How much one plugin may send and fetch: requests at once, requests a second, bytes a second.

use super::fault::Fault;
use common::clock::Clock;
use common::identity::PluginId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Plugins remembered before those at rest are forgotten.
const REMEMBERED: usize = 1024;
/// A full bucket holds what flows in within so many seconds.
const SECONDS: i64 = 10;

/// What one plugin may have. Each rate is for long; for a moment ten times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extension) struct Rates {
    /// Requests under way at once.
    pub at_once: u32,
    /// Requests a second, each hop of a redirect one.
    pub requests: u32,
    /// Bytes a second, those sent and those received together.
    pub bytes: u64,
}

#[derive(Debug)]
struct Used {
    at_once: u32,
    requests: Bucket,
    bytes: Bucket,
}

/// What is left, in thousandths. It may be owed: an answer's size is known when it has come.
#[derive(Debug)]
struct Bucket {
    milli: i64,
    at_ms: u64,
}

impl Bucket {
    const fn full(rate: i64, now_ms: u64) -> Self {
        Self { milli: Self::most(rate), at_ms: now_ms }
    }
    const fn most(rate: i64) -> i64 {
        rate.saturating_mul(SECONDS).saturating_mul(1000)
    }
    fn fill(&mut self, rate: i64, now_ms: u64) {
        let passed = i64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(i64::MAX);
        self.milli = self.milli.saturating_add(passed.saturating_mul(rate)).min(Self::most(rate));
        self.at_ms = now_ms.max(self.at_ms);
    }
    const fn take(&mut self, amount: i64) {
        self.milli = self.milli.saturating_sub(amount.saturating_mul(1000));
    }
}

/// The books of all plugins.
#[derive(Debug)]
pub(in crate::extension) struct Quotas {
    rates: Rates,
    used: Mutex<HashMap<PluginId, Used>>,
}

impl Quotas {
    pub fn new(rates: Rates) -> Self {
        Self { rates, used: Mutex::default() }
    }
    fn request_rate(&self) -> i64 {
        self.rates.requests.into()
    }
    fn byte_rate(&self) -> i64 {
        i64::try_from(self.rates.bytes).unwrap_or(i64::MAX)
    }

    /// A place among the plugin's requests under way, until it is dropped.
    pub fn enter(&self, plugin: PluginId, clock: &dyn Clock) -> Result<Entered<'_>, Fault> {
        let now = clock.coarse_ms();
        let mut all = self.used.lock();
        if all.len() >= REMEMBERED && !all.contains_key(&plugin) {
            self.forget_the_rested(&mut all, now);
        }
        let (requests, bytes) = (self.request_rate(), self.byte_rate());
        let fresh =
            || Used { at_once: 0, requests: Bucket::full(requests, now), bytes: Bucket::full(bytes, now) };
        let used = all.entry(plugin).or_insert_with(fresh);
        if used.at_once >= self.rates.at_once {
            return Err(Fault::TooManyAtOnce);
        }
        used.at_once += 1;
        Ok(Entered { quotas: self, plugin })
    }

    /// Buckets that are full again say no more than new ones.
    fn forget_the_rested(&self, all: &mut HashMap<PluginId, Used>, now: u64) {
        let (requests, bytes) = (self.request_rate(), self.byte_rate());
        all.retain(|_, used| {
            used.requests.fill(requests, now);
            used.bytes.fill(bytes, now);
            used.at_once > 0
                || used.requests.milli < Bucket::most(requests)
                || used.bytes.milli < Bucket::most(bytes)
        });
    }
}

/// One request under way.
#[derive(Debug)]
pub(in crate::extension) struct Entered<'a> {
    quotas: &'a Quotas,
    plugin: PluginId,
}

impl Entered<'_> {
    /// Draws one hop.
    pub fn hop(&self, clock: &dyn Clock) -> Result<(), Fault> {
        self.with(|used| {
            let now = clock.coarse_ms();
            used.requests.fill(self.quotas.request_rate(), now);
            used.bytes.fill(self.quotas.byte_rate(), now);
            if used.requests.milli < 1000 {
                return Err(Fault::TooFast);
            }
            if used.bytes.milli <= 0 {
                return Err(Fault::TooManyBytes);
            }
            used.requests.take(1);
            Ok(())
        })
        .unwrap_or(Err(Fault::Internal))
    }
    /// Books what was sent and received.
    pub fn spend(&self, bytes: u64) {
        self.with(|used| used.bytes.take(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }
    fn with<R>(&self, change: impl FnOnce(&mut Used) -> R) -> Option<R> {
        self.quotas.used.lock().get_mut(&self.plugin).map(change)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.with(|used| used.at_once = used.at_once.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::ManualClock;
    use common::identity::Name;
    use std::time::Duration;

    fn plugin(name: &str) -> PluginId {
        PluginId::new(&Name::new("acme").unwrap(), &Name::new(name).unwrap())
    }

    #[test]
    fn requests_and_bytes_run_out_and_come_back_with_time() {
        let clock = ManualClock::at(0);
        let quotas = Quotas::new(Rates { at_once: 1, requests: 2, bytes: 100 });
        let entered = quotas.enter(plugin("a"), &*clock).unwrap();
        assert_eq!(quotas.enter(plugin("a"), &*clock).unwrap_err(), Fault::TooManyAtOnce);
        assert!(quotas.enter(plugin("b"), &*clock).is_ok());
        for _ in 0..20 {
            entered.hop(&*clock).unwrap();
        }
        assert_eq!(entered.hop(&*clock), Err(Fault::TooFast));
        clock.advance(Duration::from_millis(500));
        entered.hop(&*clock).unwrap();
        entered.spend(1_100);
        clock.advance(Duration::from_millis(900));
        assert_eq!(entered.hop(&*clock), Err(Fault::TooManyBytes));
        clock.advance(Duration::from_secs(1));
        entered.hop(&*clock).unwrap();
        drop(entered);
        assert!(quotas.enter(plugin("a"), &*clock).is_ok());
    }

    #[test]
    fn plugins_at_rest_are_forgotten() {
        let clock = ManualClock::at(0);
        let quotas = Quotas::new(Rates { at_once: 1, requests: 1, bytes: 1 });
        let kept = quotas.enter(plugin("kept"), &*clock).unwrap();
        for i in 0..3 * REMEMBERED {
            drop(quotas.enter(plugin(&format!("p{i}")), &*clock).unwrap());
        }
        assert!(quotas.used.lock().len() <= REMEMBERED);
        assert_eq!(quotas.enter(plugin("kept"), &*clock).unwrap_err(), Fault::TooManyAtOnce);
        drop(kept);
    }
}
