//! The values of one plugin, counted against its quota.

use super::super::service::limit;
use super::KvLimits;
use microkernel::syscall_bridge::CallError;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of bookkeeping counted for each entry in memory.
const ENTRY: usize = 96;

/// One namespace in memory.
#[derive(Debug, Default)]
pub(super) struct Area {
    pub(super) namespace: Arc<str>,
    entries: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// Bytes of keys and values: what the quota counts.
    bytes: usize,
    /// Changes that a load would not find yet; while there are any, the area must stay in memory.
    pub(super) dirty: usize,
    used_ms: AtomicU64,
}

impl Area {
    /// An empty area of this namespace.
    pub(super) fn new(namespace: Arc<str>) -> Self {
        Self { namespace, ..Self::default() }
    }
    /// Adds what was loaded; quotas do not apply to what is there.
    pub(super) fn fill(&mut self, key: &str, value: &[u8]) {
        self.swap(key.into(), Some(value.into()));
    }
    /// Bytes it holds in memory.
    pub(super) fn footprint(&self) -> usize {
        self.bytes + self.entries.len() * ENTRY
    }
    /// Notes that it was used now.
    pub(super) fn touch(&self, now_ms: u64) {
        if self.used_ms.load(Ordering::Relaxed) != now_ms {
            self.used_ms.store(now_ms, Ordering::Relaxed);
        }
    }
    /// When it was used last.
    pub(super) fn used_ms(&self) -> u64 {
        self.used_ms.load(Ordering::Relaxed)
    }
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.entries.get(key)
    }

    /// Sets a key within the quota.
    pub(super) fn put(
        &mut self,
        key: Arc<str>,
        value: Arc<[u8]>,
        limits: &KvLimits,
    ) -> Result<(), CallError> {
        let old = self.entries.get(&key).map(|old| key.len() + old.len());
        let bytes = self.bytes - old.unwrap_or(0) + key.len() + value.len();
        // What makes the area smaller is let through even when a lowered quota leaves it too large.
        if bytes > limits.bytes && bytes > self.bytes {
            return Err(limit("the storage quota is used up"));
        }
        if old.is_none() && self.entries.len() >= limits.keys {
            return Err(limit("the plugin has as many keys as it may have"));
        }
        self.swap(key, Some(value));
        Ok(())
    }

    /// Removes a key; tells whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let there = self.entries.contains_key(key);
        if there {
            self.swap(key.into(), None);
        }
        there
    }

    fn swap(&mut self, key: Arc<str>, value: Option<Arc<[u8]>>) {
        let length = key.len();
        let added = value.as_ref().map_or(0, |v| length + v.len());
        let old = match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
        self.bytes = self.bytes + added - old.map_or(0, |old| length + old.len());
    }

    /// Keys that begin with `prefix` and sort after `after`.
    pub(super) fn keys<'a>(&'a self, prefix: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
        let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        // An empty `after` excludes only the empty key, which cannot be.
        let range = self.entries.range::<str, _>((from, Bound::Unbounded));
        range.map(|(key, _)| &**key).take_while(move |key| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_those_of_what_is_there(steps in prop::collection::vec(("[a-c]{1,3}", 0..40usize, any::<bool>()), 0..60)) {
            let limits = KvLimits { bytes: 100, keys: 5, ..KvLimits::default() };
            let mut area = Area::default();
            let mut model: BTreeMap<String, usize> = BTreeMap::new();
            for (key, size, remove) in steps {
                if remove {
                    prop_assert_eq!(area.remove(&key), model.remove(&key).is_some());
                } else if area.put(key.as_str().into(), vec![0; size].into(), &limits).is_ok() {
                    model.insert(key, size);
                }
                let bytes: usize = model.iter().map(|(k, v)| k.len() + v).sum();
                prop_assert_eq!(area.bytes, bytes);
                prop_assert!(bytes <= 100 && model.len() <= 5);
                prop_assert_eq!(area.footprint(), bytes + model.len() * ENTRY);
            }
        }

        #[test]
        fn keys_are_those_with_the_prefix_after_the_mark(
            keys in prop::collection::btree_set("[ab]{1,4}", 0..20), prefix in "[ab]{0,2}", after in "[ab]{0,4}",
        ) {
            let mut area = Area::default();
            keys.iter().for_each(|k| area.fill(k, b""));
            let expected: Vec<&str> =
                keys.iter().map(String::as_str).filter(|k| k.starts_with(&prefix) && **k > *after).collect();
            prop_assert_eq!(area.keys(&prefix, &after).collect::<Vec<_>>(), expected);
        }
    }
}
