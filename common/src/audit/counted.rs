//! Counting what is not recorded one by one: within its bounds per actor and action, beyond them in one place,
//! and never wrong in number.

use super::codec::{Entry, Extra, Summary};
use super::record::{Actor, Decision, Outcome};
use crate::identity::IdentityContext;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

const SHARDS: usize = 16;
/// Different things counted at a time in one shard; further ones are counted together.
const SPOTS: usize = 256;
/// Rates kept at a time in one shard; further actions are counted, not recorded one by one.
const WINDOWS: usize = 1_024;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    pub actor: &'a Actor,
    pub event: &'a str,
    pub action: &'a str,
    pub kind: &'a str,
    pub outcome: Outcome,
    pub code: Option<&'a str>,
    pub epoch: u64,
}

/// Counts waiting for their summary record.
#[derive(Debug)]
pub(super) struct Spot {
    actor: Actor,
    event: Box<str>,
    action: Box<str>,
    kind: Box<str>,
    outcome: Outcome,
    code: Option<Box<str>>,
    epoch: u64,
    sum: Summary,
}

impl Spot {
    fn new(key: &Key<'_>) -> Self {
        Self {
            actor: key.actor.clone(),
            event: key.event.into(),
            action: key.action.into(),
            kind: key.kind.into(),
            outcome: key.outcome,
            code: key.code.map(Into::into),
            epoch: key.epoch,
            sum: Summary::default(),
        }
    }
    fn key(&self) -> Key<'_> {
        Key {
            actor: &self.actor,
            event: &self.event,
            action: &self.action,
            kind: &self.kind,
            outcome: self.outcome,
            code: self.code.as_deref(),
            epoch: self.epoch,
        }
    }
}

impl Summary {
    /// Adds what another summary counts.
    pub(super) fn add(&mut self, more: &Self) {
        self.first_ns = if self.n == 0 { more.first_ns } else { self.first_ns.min(more.first_ns) };
        self.last_ns = self.last_ns.max(more.last_ns);
        self.n += more.n;
        self.errors += more.errors;
        self.latency_ms = self.latency_ms.saturating_add(more.latency_ms);
    }
}

/// The summary record of these counts, taken now.
pub(super) fn entry<'a>(key: &Key<'a>, sum: Summary, wall_ns: u64, mono_ns: u64) -> Entry<'a> {
    Entry {
        wall_ns,
        mono_ns,
        event: key.event,
        outcome: key.outcome,
        code: key.code,
        actor: key.actor.json(),
        action: key.action,
        resource: (key.kind, ""),
        decision: Some(Decision { policies: "", epoch: key.epoch, cached: false }),
        details: Cow::Borrowed(&[]),
        extra: Extra::Summary(sum),
    }
}

/// A bounded map of counts.
#[derive(Debug)]
pub(super) struct Counted {
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Spot>>; SHARDS],
    /// Counts for which there was no room: the number stays right, who did what is given up.
    various: Mutex<Spot>,
}

impl Counted {
    pub(super) fn new() -> Self {
        let actor = Actor::new(&IdentityContext::new("audit"));
        let (event, action, kind) = ("audit", "various", "various");
        let key = Key { actor: &actor, event, action, kind, outcome: Outcome::Ok, code: None, epoch: 0 };
        Self { hasher: RandomState::new(), shards: Default::default(), various: Mutex::new(Spot::new(&key)) }
    }

    pub(super) fn add(&self, key: &Key<'_>, sum: &Summary) {
        let hash = self.hasher.hash_one(key);
        if let Some(shard) = self.shards.get(hash as usize % SHARDS) {
            let mut shard = shard.lock();
            let room = shard.len() < SPOTS;
            match shard.get_mut(&hash) {
                Some(spot) if spot.key() == *key => return spot.sum.add(sum),
                None if room => return shard.entry(hash).or_insert_with(|| Spot::new(key)).sum.add(sum),
                Some(_) | None => {}
            }
        }
        self.various.lock().sum.add(sum);
    }

    /// Hands all counts to `emit`, each until it says it took them. Returns whether all were taken.
    pub(super) fn drain(&self, mut emit: impl FnMut(&Key<'_>, &Summary) -> bool) -> bool {
        let mut all = true;
        for shard in &self.shards {
            shard.lock().retain(|_, spot| {
                let keep = !(all && emit(&spot.key(), &spot.sum));
                all &= !keep;
                keep
            });
        }
        let mut various = self.various.lock();
        if various.sum.n > 0 {
            if !(all && emit(&various.key(), &various.sum)) {
                return false;
            }
            various.sum = Summary::default();
        }
        all
    }
}

/// How many records a second each actor and action has had.
#[derive(Debug, Default)]
pub(super) struct Limits {
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Window>>; SHARDS],
}

#[derive(Debug)]
struct Window {
    second: u64,
    used: u32,
}

impl Limits {
    /// Takes one of `rate` records a second of this actor and action; `false` when they are used up. `kind`
    /// keeps what is denied apart from what is done.
    pub(super) fn take(&self, actor: &Actor, action: &str, kind: Outcome, now_ms: u64, rate: u32) -> bool {
        let second = now_ms / 1_000;
        let hash = self.hasher.hash_one((actor.group(), action, kind));
        let Some(shard) = self.shards.get(hash as usize % SHARDS) else { return false };
        let mut shard = shard.lock();
        if shard.len() >= WINDOWS && !shard.contains_key(&hash) {
            shard.retain(|_, window| window.second >= second);
            if shard.len() >= WINDOWS {
                return false;
            }
        }
        let window = shard.entry(hash).or_insert(Window { second, used: 0 });
        if window.second != second {
            *window = Window { second, used: 0 };
        }
        let within = window.used < rate;
        window.used += u32::from(within);
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(name: &str) -> Actor {
        Actor::new(&IdentityContext::new(name))
    }

    fn one(at: u64) -> Summary {
        Summary { n: 1, errors: 0, first_ns: at, last_ns: at, latency_ms: 2 }
    }

    fn count(counted: &Counted, actor: &Actor, action: &str, at: u64) {
        let (event, kind, outcome) = ("denial", "path", Outcome::Denied);
        counted.add(&Key { actor, event, action, kind, outcome, code: Some("E2002"), epoch: 1 }, &one(at));
    }

    #[test]
    fn what_is_counted_together_comes_out_once_with_its_sums() {
        let counted = Counted::new();
        let me = actor("a");
        [30, 10, 20].into_iter().for_each(|at| count(&counted, &me, "x", at));
        count(&counted, &me, "y", 5);
        assert!(!counted.drain(|_, _| false));
        let mut seen = Vec::new();
        assert!(counted.drain(|key, sum| {
            seen.push((key.action.to_owned(), *sum));
            true
        }));
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        let x = Summary { n: 3, errors: 0, first_ns: 10, last_ns: 30, latency_ms: 6 };
        assert_eq!(seen, [("x".to_owned(), x), ("y".to_owned(), one(5))]);
        assert!(counted.drain(|_, _| false));
    }

    #[test]
    fn beyond_its_bound_the_number_stays_exact() {
        let counted = Counted::new();
        let me = actor("a");
        let all = SHARDS * SPOTS * 2;
        (0..all).for_each(|i| count(&counted, &me, &i.to_string(), 1));
        let (mut n, mut spots) = (0, 0);
        assert!(counted.drain(|_, sum| {
            n += sum.n;
            spots += 1;
            true
        }));
        assert_eq!(n, all as u64);
        assert!(spots <= SHARDS * SPOTS + 1);
    }

    #[test]
    fn a_rate_holds_for_a_second_and_an_actor_and_an_action() {
        let limits = Limits::default();
        let (a, b) = (actor("a"), actor("b"));
        let taken = |actor: &Actor, action: &str, now: u64| {
            (0..10).filter(|_| limits.take(actor, action, Outcome::Ok, now, 3)).count()
        };
        assert_eq!(taken(&a, "x", 0), 3);
        assert_eq!(taken(&a, "x", 999), 0);
        assert_eq!(taken(&a, "y", 999), 3);
        assert_eq!(taken(&b, "x", 999), 3);
        assert_eq!(taken(&a, "x", 1_000), 3);
    }

    #[test]
    fn the_memory_for_rates_is_bounded() {
        let limits = Limits::default();
        let me = actor("a");
        (0..SHARDS * WINDOWS * 2).for_each(|i| {
            limits.take(&me, &i.to_string(), Outcome::Ok, 0, 1);
        });
        assert!(limits.shards.iter().all(|s| s.lock().len() <= WINDOWS));
        assert!(limits.take(&me, "later", Outcome::Ok, 1_000, 1));
    }
}
