//! Versions that were replaced and still finish calls, each in a thread of its own until its calls are answered or their
//! deadlines are over; a bounded number of each plugin.

use super::error::HostError;
use super::hall::Loaded;
use crate::lifecycle::LastState;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// Versions of one plugin that may finish calls at once.
const MAX_DRAINING: usize = 3;
/// How long another upgrade waits for one of them.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is draining, as name and version, the one replaced first first.
#[derive(Debug, Default)]
pub(super) struct Drains {
    all: Mutex<Vec<(String, String)>>,
    changed: Condvar,
}

impl Drains {
    /// The versions of a plugin that drain, the one replaced first first.
    pub fn of(&self, name: &str) -> Vec<String> {
        let all = self.all.lock();
        all.iter().filter(|(plugin, _)| plugin == name).map(|(_, version)| version.clone()).collect()
    }

    /// Whether one more version of a plugin may have to drain. Waits a moment for one that is being stopped.
    pub fn room(&self, name: &str) -> Result<(), HostError> {
        let mut all = self.all.lock();
        let full =
            |all: &mut Vec<(String, String)>| all.iter().filter(|one| one.0 == name).count() >= MAX_DRAINING;
        if !self.changed.wait_while_for(&mut all, full, PATIENCE).timed_out() {
            return Ok(());
        }
        drop(all);
        Err(HostError::Draining { name: name.to_owned(), versions: self.of(name) })
    }

    /// Waits until nothing of this plugin drains, or nothing at all: as long as its calls have left at most.
    pub fn wait(&self, name: Option<&str>) {
        let mut all = self.all.lock();
        while all.iter().any(|(plugin, _)| name.is_none_or(|name| name == plugin)) {
            self.changed.wait(&mut all);
        }
    }

    /// Waits until nothing drains, at most this long. What still does, as name and version.
    pub fn wait_for(&self, most: Duration) -> Vec<(String, String)> {
        let mut all = self.all.lock();
        self.changed.wait_while_for(&mut all, |all| !all.is_empty(), most);
        all.clone()
    }

    /// Lets a version that calls are turned away from finish those in flight, without waiting for it; they are ended
    /// when `most` is over. Where no thread can be started it is waited for.
    pub fn finish(self: &Arc<Self>, old: Arc<Loaded>, most: Option<Duration>) {
        let entry = (old.name().to_owned(), old.plugin.identity().version.clone());
        self.all.lock().push(entry.clone());
        let (drains, kept) = (self.clone(), old.clone());
        let thread = std::thread::Builder::new().name("forgeone-drain".into());
        let spawned = thread.spawn(move || drains.end(kept, &entry, most));
        if let Err(error) = spawned {
            let entry = (old.name().to_owned(), old.plugin.identity().version.clone());
            tracing::warn!(plugin = entry.0, %error, "no thread for a version that drains: it is waited for");
            self.end(old, &entry, most);
        }
    }

    fn end(&self, old: Arc<Loaded>, entry: &(String, String), most: Option<Duration>) {
        if let Err(error) = old.plugin.finish(LastState::HandedOver, most) {
            tracing::warn!(plugin = entry.0, version = entry.1, %error, "a replaced version did not stop by itself");
        }
        // Whoever waits may open the home again, which the version keeps open.
        drop(old);
        let mut all = self.all.lock();
        if let Some(at) = all.iter().position(|one| one == entry) {
            all.remove(at);
        }
        self.changed.notify_all();
    }
}
