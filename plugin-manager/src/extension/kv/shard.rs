//! Namespaces spread over locks, so that plugins do not wait for one another.

use super::KvWrite;
use super::area::Area;
use common::identity::PluginId;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

const SHARDS: usize = 64;

/// Areas under one lock, and the changes made to them that are not appended yet.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) areas: HashMap<PluginId, Area, BuildHasherDefault<IdHasher>>,
    pub(super) queue: Vec<KvWrite>,
}

/// All shards. Each sits on cache lines of its own.
#[derive(Debug)]
pub(super) struct Shards([Padded; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(RwLock<Shard>);

impl Shards {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Padded::default()))
    }
    /// The shard of a plugin.
    #[inline]
    pub(super) fn of(&self, plugin: PluginId) -> &RwLock<Shard> {
        let mut hasher = IdHasher::default();
        plugin.hash(&mut hasher);
        // Bits that the map inside the shard does not start from.
        let index = usize::from((hasher.finish() >> 32) as u8) % SHARDS;
        let [first, ..] = &self.0;
        &self.0.get(index).unwrap_or(first).0
    }
    pub(super) fn all(&self) -> impl Iterator<Item = &RwLock<Shard>> {
        self.0.iter().map(|padded| &padded.0)
    }
}

/// Takes the first eight bytes of an id, which is a digest already.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }
    // The length that precedes the bytes of an id is always the same.
    #[inline]
    fn write_usize(&mut self, _: usize) {}
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::identity::Name;

    #[test]
    fn plugins_spread_over_the_shards() {
        let shards = Shards::new();
        let publisher = Name::new("acme").unwrap();
        for i in 0..1000 {
            let plugin = PluginId::new(&publisher, &Name::new(&format!("p{i}")).unwrap());
            let area = Area::new(format!("acme/p{i}").into());
            shards.of(plugin).write().areas.insert(plugin, area);
        }
        let sizes: Vec<usize> = shards.all().map(|s| s.read().areas.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert!(sizes.iter().all(|n| *n > 0 && *n < 60), "{sizes:?}");
    }
}
