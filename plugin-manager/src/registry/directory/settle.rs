//! Which of the things seen again and again have stood still for long enough.

use std::collections::{BTreeMap, BTreeSet};

/// What was seen last under each name, and since when it has not changed. Holds what was seen last and nothing else.
#[derive(Debug)]
pub(super) struct Settling<V>(BTreeMap<String, (V, u64)>);

/// What an observation found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Still {
    /// What has stood still for long enough.
    pub settled: BTreeSet<String>,
    /// Nanoseconds until the next of the others will have, if it does not change.
    pub next_ns: Option<u64>,
}

impl<V> Default for Settling<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V: PartialEq> Settling<V> {
    /// What is seen at this time; what stands still for `settle_ns` has settled.
    pub fn observe(&mut self, seen: BTreeMap<String, V>, now_ns: u64, settle_ns: u64) -> Still {
        let mut before = std::mem::take(&mut self.0);
        let mut still = Still::default();
        for (name, value) in seen {
            let since = match before.remove(&name) {
                Some((old, since)) if old == value => since,
                _ => now_ns,
            };
            let left = settle_ns.saturating_sub(now_ns.saturating_sub(since));
            if left == 0 {
                still.settled.insert(name.clone());
            } else {
                still.next_ns = Some(still.next_ns.map_or(left, |next| next.min(left)));
            }
            self.0.insert(name, (value, since));
        }
        still
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the definition: settled is what was seen unchanged in every observation of the last `SETTLE`.
        #[test]
        fn settled_is_what_did_not_change_for_so_long(
            steps in proptest::collection::vec((0u64..40, proptest::collection::btree_map("[a-c]", 0u8..3, 0..3)), 1..30)
        ) {
            const SETTLE: u64 = 50;
            let (mut settling, mut now) = (Settling::default(), 0);
            let mut history: Vec<(u64, BTreeMap<String, u8>)> = Vec::new();
            for (passed, seen) in steps {
                now += passed;
                history.push((now, seen.clone()));
                let still = settling.observe(seen.clone(), now, SETTLE);
                let since = |name: &String| {
                    let same = |(_, then): &&(u64, BTreeMap<String, u8>)| then.get(name) == seen.get(name);
                    history.iter().rev().take_while(same).last().map(|(at, _)| *at).unwrap()
                };
                let settled: BTreeSet<String> =
                    seen.keys().filter(|name| now - since(name) >= SETTLE).cloned().collect();
                let next = seen.keys().filter(|name| !settled.contains(*name)).map(|n| SETTLE - (now - since(n))).min();
                prop_assert_eq!(still, Still { settled, next_ns: next });
                prop_assert_eq!(settling.0.len(), seen.len());
            }
        }
    }
}
