//! Reads and writes of values: in memory first, under the lock of the plugin's shard alone.

use super::super::service::limit;
use super::area::Area;
use super::backlog::Backlog;
use super::flush::{Bell, Flusher, Waker};
use super::persist::weight;
use super::shard::Shards;
use super::{KvError, KvPersist, KvRoom, KvWrite, PersistError};
use common::clock::{Clock, Deadline};
use common::identity::{PluginId, PluginIdentity};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Values up to this size are copied under the lock; larger ones are shared and copied after it.
const SMALL: usize = 64 << 10;
/// Attempts to find a namespace in memory after loading it, should it be let go in between.
const ATTEMPTS: usize = 8;

/// How long the oldest change may wait before a writer appends the queue itself: a busy machine may let the
/// thread that should wait for a core longer than changes may be lost.
const LATE_NS: u64 = 2_000_000;

/// Quotas of each plugin, and bounds of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLimits {
    /// Bytes of keys and values of one plugin.
    pub bytes: usize,
    /// Keys of one plugin.
    pub keys: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Bytes of changes of all plugins that wait to be appended.
    pub queue_bytes: usize,
    /// Bytes of values of all plugins kept in memory; more only while they wait to be appended.
    pub memory_bytes: usize,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            keys: 100_000,
            value_bytes: 16 << 20,
            // A few milliseconds of what a disk's cache takes: no change should wait longer than that.
            queue_bytes: 1 << 20,
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
    /// Starts the service and its threads. Dropping it makes durable what waits.
    ///
    /// # Errors
    /// When a thread cannot be started.
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
        self.core.append()?;
        self.core.sync()
    }

    /// Why writes are refused, when they are.
    pub fn failure(&self) -> Option<KvError> {
        self.core.failure.get().cloned()
    }

    /// Makes durable what waits and lets go of a plugin's values in memory, as before its rows are erased. The
    /// plugin must not be running.
    ///
    /// # Errors
    /// When that failed; nothing is let go then.
    pub fn forget(&self, plugin: PluginId) -> Result<(), KvError> {
        self.flush()?;
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
    pub(super) to_sync: Bell,
    pub(super) to_settle: Bell,
    /// One batch at a time, so that they follow one another.
    appending: Mutex<()>,
    /// One load at a time, so that nothing loaded can be older than what was let go meanwhile.
    loading: Mutex<()>,
    memory: AtomicUsize,
    failed: AtomicBool,
    failure: OnceLock<KvError>,
}

impl Core {
    pub(super) fn new(persist: Arc<dyn KvPersist>, limits: KvLimits) -> Self {
        Self {
            shards: Shards::new(),
            limits,
            persist,
            backlog: Backlog::new(limits.queue_bytes),
            waker: Waker::default(),
            to_sync: Bell::default(),
            to_settle: Bell::default(),
            appending: Mutex::new(()),
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
            Ok(()) => self.see_to_it(clock.mono_ns()),
            Err(_) => self.backlog.release(weight),
        }
        changed
    }

    /// Has a change appended that was made now: by the thread, or here when the thread is late.
    fn see_to_it(&self, now_ns: u64) {
        self.waker.wake();
        if self.backlog.waited_ns(now_ns) < LATE_NS || self.backlog.is_held() {
            return;
        }
        // Whoever has the lock is at it.
        if let Some(turn) = self.appending.try_lock() {
            // A failure is kept, and refuses the next write.
            let _ = self.append_in(&turn);
        }
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

    /// Appends everything queued so far and asks for it to be synced. After a failure nothing is appended any
    /// more.
    pub(super) fn append(&self) -> Result<(), KvError> {
        self.append_in(&self.appending.lock())
    }

    fn append_in(&self, _turn: &MutexGuard<'_, ()>) -> Result<(), KvError> {
        self.sound()?;
        self.backlog.restart_waiting();
        let batch = Batch::take(&self.shards);
        if batch.writes.is_empty() {
            return Ok(());
        }
        let writes: Vec<KvWrite> = batch.writes.into_values().collect();
        let outcome = self.noted(self.persist.append(&writes));
        if outcome.is_ok() {
            self.to_sync.ring();
            self.clean(&batch.plugins);
        }
        self.backlog.release(batch.weight);
        self.look_for_room();
        outcome
    }

    /// Makes durable what was appended.
    pub(super) fn sync(&self) -> Result<(), KvError> {
        self.sound()?;
        self.noted(self.persist.sync())
    }

    /// Moves what was appended to where it stays.
    pub(super) fn settle(&self) {
        // A failure is noted, and refuses writes from then on.
        let _ = self.noted(self.persist.settle());
        self.look_for_room();
    }

    /// Asks for a settling when one is due, and holds writers while room is short.
    fn look_for_room(&self) {
        self.backlog.hold(|| {
            let room = self.persist.room();
            if room != KvRoom::Enough && !self.failed.load(Ordering::Acquire) {
                self.to_settle.ring();
            }
            room == KvRoom::Short
        });
    }

    /// Whether there is nothing to append, or after a failure no sense in it.
    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty() || self.failed.load(Ordering::Acquire)
    }

    fn sound(&self) -> Result<(), KvError> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Keeps the first failure and refuses writes from then on.
    fn noted(&self, outcome: Result<(), PersistError>) -> Result<(), KvError> {
        outcome.map_err(|failure| {
            let failure = KvError::Persist(failure);
            // Of several at once the first stays.
            let _ = self.failure.set(failure.clone());
            self.failed.store(true, Ordering::Release);
            failure
        })
    }

    /// Counts changes as found by a load, so that their areas may be let go.
    fn clean(&self, plugins: &BTreeMap<PluginId, usize>) {
        for (plugin, changes) in plugins {
            if let Some(area) = self.shards.of(*plugin).write().areas.get_mut(plugin) {
                area.dirty = area.dirty.saturating_sub(*changes);
            }
        }
        self.make_room(None);
    }
}

/// What is appended together: the last change of each key, in the order of the rows.
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
