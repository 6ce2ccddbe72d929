//! Reads and writes of values: in memory first, under the lock of the plugin's shard alone.

use super::super::service::limit;
use super::area::Area;
use super::backlog::Backlog;
use super::flush::{Flusher, Waker};
use super::persist::weight;
use super::shard::Shards;
use super::{KvError, KvPersist, KvWrite};
use common::clock::{Clock, Deadline};
use common::identity::{PluginId, PluginIdentity};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Values up to this size are copied under the lock; larger ones are shared and copied after it.
const SMALL: usize = 64 << 10;
/// Attempts to find a namespace in memory after loading it, should it be let go in between.
const ATTEMPTS: usize = 8;

/// Quotas of each plugin, and bounds of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLimits {
    /// Bytes of keys and values of one plugin.
    pub bytes: usize,
    /// Keys of one plugin.
    pub keys: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Bytes of changes of all plugins that wait to be committed.
    pub queue_bytes: usize,
    /// Bytes of values of all plugins kept in memory; more only while they are not durable yet.
    pub memory_bytes: usize,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            keys: 100_000,
            value_bytes: 16 << 20,
            queue_bytes: 64 << 20,
            memory_bytes: 512 << 20,
        }
    }
}

/// The values of all plugins.
pub struct Kv {
    pub(super) core: Arc<Core>,
    _flusher: Flusher,
}

impl std::fmt::Debug for Kv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kv").field("limits", &self.core.limits).finish_non_exhaustive()
    }
}

impl Kv {
    /// Starts the service and the thread that commits. Dropping it commits what waits.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(persist: Arc<dyn KvPersist>, limits: KvLimits) -> Result<Self, KvError> {
        let core = Arc::new(Core::new(persist, limits));
        let flusher = Flusher::start(&core).map_err(|e| KvError::Thread(Arc::new(e)))?;
        Ok(Self { core, _flusher: flusher })
    }

    /// Makes every change made so far durable.
    ///
    /// # Errors
    /// When that failed, now or before.
    pub fn flush(&self) -> Result<(), KvError> {
        self.core.commit()
    }

    /// Why writes are refused, when they are.
    pub fn failure(&self) -> Option<KvError> {
        self.core.failure.get().cloned()
    }

    /// Commits what waits and lets go of a plugin's values in memory, as before its rows are erased. The plugin
    /// must not be running.
    ///
    /// # Errors
    /// When the commit failed; nothing is let go then.
    pub fn forget(&self, plugin: PluginId) -> Result<(), KvError> {
        self.core.commit()?;
        let gone = self.core.shards.of(plugin).write().areas.remove(&plugin);
        self.core.memory.fetch_sub(gone.map_or(0, |area| area.footprint()), Ordering::Relaxed);
        Ok(())
    }
}

/// What the service and its thread share.
pub(super) struct Core {
    pub(super) shards: Shards,
    pub(super) limits: KvLimits,
    persist: Arc<dyn KvPersist>,
    pub(super) backlog: Backlog,
    pub(super) waker: Waker,
    /// One commit at a time.
    committing: Mutex<()>,
    /// One load at a time, so that nothing loaded can be older than what was let go meanwhile.
    loading: Mutex<()>,
    memory: AtomicUsize,
    failed: AtomicBool,
    failure: OnceLock<KvError>,
}

impl Core {
    fn new(persist: Arc<dyn KvPersist>, limits: KvLimits) -> Self {
        Self {
            shards: Shards::new(),
            limits,
            persist,
            backlog: Backlog::new(limits.queue_bytes),
            waker: Waker::default(),
            committing: Mutex::new(()),
            loading: Mutex::new(()),
            memory: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// Appends the value of a key to `response`.
    #[inline]
    pub(super) fn get(
        &self,
        plugin: &PluginIdentity,
        key: &str,
        now_ms: u64,
        response: &mut Vec<u8>,
    ) -> Result<(), CallError> {
        let large = self.read(plugin, now_ms, |area| match area.get(key) {
            None => Err(CallError::new(Status::NotFound, "no such key")),
            Some(value) if value.len() > SMALL => Ok(Some(value.clone())),
            Some(value) => {
                response.extend_from_slice(value);
                Ok(None)
            }
        })?;
        if let Some(value) = large? {
            response.extend_from_slice(&value);
        }
        Ok(())
    }

    /// Looks at a plugin's area under its shard's read lock, loading it first if need be.
    #[inline]
    pub(super) fn read<T>(
        &self,
        plugin: &PluginIdentity,
        now_ms: u64,
        mut look: impl FnMut(&Area) -> T,
    ) -> Result<T, CallError> {
        for _ in 0..ATTEMPTS {
            if let Some(area) = self.shards.of(plugin.id).read().areas.get(&plugin.id) {
                area.touch(now_ms);
                return Ok(look(area));
            }
            self.load(plugin, now_ms)?;
        }
        Err(CallError::new(Status::Unavailable, "memory for stored values is short"))
    }

    /// Changes one key: `change` alters the area and says whether the key holds `value` or nothing afterwards.
    pub(super) fn write(
        &self,
        plugin: &PluginIdentity,
        change: &Change<'_>,
        deadline: Deadline,
        clock: &dyn Clock,
    ) -> Result<(), CallError> {
        self.writable()?;
        if change.value().is_some_and(|v| v.len() > self.limits.value_bytes) {
            return Err(limit("the value is larger than values may be"));
        }
        let weight = weight(change.key(), change.value());
        self.backlog.reserve(weight, deadline, clock, || self.writable())?;
        let changed = self.writable().and_then(|()| self.apply(plugin, change, clock.coarse_ms()));
        match changed {
            Ok(()) => self.waker.wake(),
            Err(_) => self.backlog.release(weight),
        }
        changed
    }

    fn writable(&self) -> Result<(), CallError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(CallError::new(Status::Unavailable, "stored values cannot be made durable"));
        }
        Ok(())
    }

    fn apply(&self, plugin: &PluginIdentity, change: &Change<'_>, now_ms: u64) -> Result<(), CallError> {
        let key: Arc<str> = change.key().into();
        let value: Option<Arc<[u8]>> = change.value().map(Into::into);
        for _ in 0..ATTEMPTS {
            let mut shard = self.shards.of(plugin.id).write();
            if let Some(area) = shard.areas.get_mut(&plugin.id) {
                area.touch(now_ms);
                let before = area.footprint();
                change.make(area, &key, value.as_ref(), &self.limits)?;
                area.dirty += 1;
                self.count(before, area.footprint());
                let namespace = area.namespace.clone();
                shard.queue.push(KvWrite { namespace, key, value, plugin: plugin.id });
                return Ok(());
            }
            drop(shard);
            self.load(plugin, now_ms)?;
        }
        Err(CallError::new(Status::Unavailable, "memory for stored values is short"))
    }

    fn count(&self, before: usize, after: usize) {
        if after >= before {
            self.memory.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.memory.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    #[cold]
    fn load(&self, plugin: &PluginIdentity, now_ms: u64) -> Result<(), CallError> {
        let _one = self.loading.lock();
        let shard = self.shards.of(plugin.id);
        if shard.read().areas.contains_key(&plugin.id) {
            return Ok(());
        }
        let mut area = Area::new(format!("{}/{}", plugin.publisher, plugin.name).into());
        let namespace = area.namespace.clone();
        let loaded = self.persist.load(&namespace, &mut |key, value| area.fill(key, value));
        loaded.map_err(|_| CallError::new(Status::Unavailable, "stored values cannot be read"))?;
        area.touch(now_ms);
        self.count(0, area.footprint());
        shard.write().areas.insert(plugin.id, area);
        self.make_room(Some(plugin.id));
        Ok(())
    }

    /// Lets go of the areas used least lately until the bound on memory holds; never of one with changes that
    /// are not durable, nor of `kept`.
    pub(super) fn make_room(&self, kept: Option<PluginId>) {
        while self.memory.load(Ordering::Relaxed) > self.limits.memory_bytes {
            let Some(idlest) = self.idlest(kept) else { return };
            let mut shard = self.shards.of(idlest).write();
            if shard.areas.get(&idlest).is_some_and(|area| area.dirty == 0) {
                let gone = shard.areas.remove(&idlest);
                self.memory.fetch_sub(gone.map_or(0, |area| area.footprint()), Ordering::Relaxed);
            }
        }
    }

    fn idlest(&self, kept: Option<PluginId>) -> Option<PluginId> {
        let idlest_of = |shard: &super::shard::Shard| {
            let clean = shard.areas.iter().filter(|(id, area)| area.dirty == 0 && Some(**id) != kept);
            clean.map(|(id, area)| (area.used_ms(), *id)).min()
        };
        self.shards.all().filter_map(|shard| idlest_of(&shard.read())).min().map(|(_, id)| id)
    }

    /// Commits everything queued so far. After a failure nothing is committed any more.
    pub(super) fn commit(&self) -> Result<(), KvError> {
        let _one = self.committing.lock();
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        let batch = Batch::take(&self.shards);
        if batch.writes.is_empty() {
            return Ok(());
        }
        let writes: Vec<KvWrite> = batch.writes.into_values().collect();
        let outcome = self.persist.commit(&writes).map_err(KvError::Persist);
        match &outcome {
            Ok(()) => self.settle(&batch.plugins),
            Err(failure) => {
                // `get` above found it empty, under the same lock.
                let _ = self.failure.set(failure.clone());
                self.failed.store(true, Ordering::Release);
            }
        }
        self.backlog.release(batch.weight);
        outcome
    }

    fn settle(&self, plugins: &BTreeMap<PluginId, usize>) {
        for (plugin, changes) in plugins {
            if let Some(area) = self.shards.of(*plugin).write().areas.get_mut(plugin) {
                area.dirty = area.dirty.saturating_sub(*changes);
            }
        }
        self.make_room(None);
    }
}

/// What is committed together: the last change of each key, in the order of the rows.
#[derive(Default)]
struct Batch {
    writes: BTreeMap<(Arc<str>, Arc<str>), KvWrite>,
    plugins: BTreeMap<PluginId, usize>,
    weight: usize,
}

impl Batch {
    fn take(shards: &Shards) -> Self {
        let mut batch = Self::default();
        for shard in shards.all() {
            if shard.read().queue.is_empty() {
                continue;
            }
            for write in std::mem::take(&mut shard.write().queue) {
                batch.weight += write.weight();
                *batch.plugins.entry(write.plugin).or_default() += 1;
                batch.writes.insert((write.namespace.clone(), write.key.clone()), write);
            }
        }
        batch
    }
}

/// One change a plugin asks for.
pub(super) enum Change<'a> {
    /// Sets a key.
    Set(&'a str, &'a [u8]),
    /// Removes a key.
    Remove(&'a str),
    /// Sets a key if it holds what is expected, or nothing when nothing is expected.
    Swap(&'a str, Option<&'a [u8]>, &'a [u8]),
}

impl Change<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Remove(key) | Self::Swap(key, ..) => key,
        }
    }
    /// What the key holds afterwards.
    fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Set(_, value) | Self::Swap(_, _, value) => Some(value),
            Self::Remove(_) => None,
        }
    }
    fn make(
        &self,
        area: &mut Area,
        key: &Arc<str>,
        value: Option<&Arc<[u8]>>,
        limits: &KvLimits,
    ) -> Result<(), CallError> {
        if let Self::Swap(_, expected, _) = self
            && area.get(key).map(|found| &**found) != *expected
        {
            return Err(CallError::new(Status::Conflict, "the key holds something else"));
        }
        match value {
            Some(value) => area.put(key.clone(), value.clone(), limits),
            None if area.remove(key) => Ok(()),
            None => Err(CallError::new(Status::NotFound, "no such key")),
        }
    }
}
