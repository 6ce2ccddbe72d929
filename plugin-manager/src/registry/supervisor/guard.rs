//! Supervision for as long as a guard lives: one thread that looks, and a few that do.

use super::super::error::HostError;
use super::super::events::Watcher;
use super::super::manager::PluginManager;
use super::kept::Task;
use super::watch::{Bell, Chance, Watch};
use common::clock::Clock;
use common::error::ForgeError;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

/// Plugins that are brought up or checked at once.
const HANDS: usize = 4;
/// How often it is looked at what plugins do.
const LOOK: Duration = Duration::from_secs(1);
/// How long a guard that is dropped waits for tasks under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the plugins of a host up for as long as it lives. Plugins stay as they are when it ends.
#[derive(Debug)]
#[must_use = "the plugins are supervised for as long as this lives"]
pub struct Supervision {
    shared: Arc<Shared>,
    manager: PluginManager,
}

#[derive(Debug, Default)]
struct Shared {
    bell: Arc<Bell>,
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    /// A plugin has one task at a time, so that there are never more than plugins.
    tasks: VecDeque<(String, Task)>,
    over: bool,
    /// Threads there are.
    threads: usize,
}

impl PluginManager {
    /// Brings up every plugin that is desired running, each after what it needs, some at once; then keeps them by
    /// what the configuration says in `supervision`, until the guard is stopped or dropped. It acts for who opened
    /// the home, and returns at once: [`PluginManager::readiness`] tells when they are up.
    ///
    /// # Errors
    /// E5003 when the host is being shut down, E5009 when it is supervised already, E2001 and E2002 when the policy
    /// denies the operator to start plugins; when the home cannot be read or a thread cannot be started.
    pub fn start_supervision(&self) -> Result<Supervision, ForgeError> {
        self.may_supervise()?;
        let shared = Arc::new(Shared::default());
        if !self.hall().host.feed.watch(shared.bell.clone()) {
            return Err(HostError::Supervised.into());
        }
        let opener = Self::of(self.hall().clone());
        let guard = Supervision { shared: shared.clone(), manager: opener.clone() };
        // Read after it can hear of changes, so that none falls between.
        let clock: Arc<dyn Clock> = self.host().clock.clone();
        let chance: Chance = Box::new(chance);
        let watch = Watch::over(opener.clone(), clock, chance, shared.bell.clone())?;
        shared.spawn("forgeone-watch", move |shared| shared.look(watch))?;
        let judge = opener.clone();
        shared.spawn("forgeone-trust", move |shared| shared.judge(&judge))?;
        for _ in 0..HANDS {
            let hand = opener.clone();
            shared.spawn("forgeone-hand", move |shared| shared.perform(&hand))?;
        }
        Ok(guard)
    }
}

/// What the machine draws; without chance every wait is as long as it may be.
fn chance() -> u64 {
    let mut bytes = [0; 8];
    common::crypto::random(&mut bytes).map_or(0, |()| u64::from_le_bytes(bytes))
}

impl Shared {
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        job: impl FnOnce(&Self) + Send + 'static,
    ) -> Result<(), ForgeError> {
        let shared = self.clone();
        self.work.lock().threads += 1;
        let run = move || {
            // Also when the job panics.
            let leave = Leave(shared);
            job(&leave.0);
        };
        Builder::new().name(name.to_owned()).spawn(run).map(drop).map_err(|e| HostError::Thread(e).into())
    }

    fn look(&self, mut watch: Watch) {
        while !self.bell.is_over() {
            let round = watch.look();
            self.work.lock().tasks.extend(round.tasks);
            self.changed.notify_all();
            self.bell.wait(round.wake_ms.map(|wake| watch.until(wake)));
        }
    }

    fn perform(&self, manager: &PluginManager) {
        while let Some((plugin, task)) = self.next() {
            let done = manager.perform(&plugin, &task);
            self.bell.done(plugin, done);
        }
    }

    /// Looks at what the plugins do, until it is over.
    fn judge(&self, manager: &PluginManager) {
        loop {
            let mut work = self.work.lock();
            let over = |work: &mut Work| !work.over;
            self.changed.wait_while_for(&mut work, over, LOOK);
            if work.over {
                return;
            }
            drop(work);
            if let Err(error) = manager.look_at_conduct() {
                tracing::error!(%error, "a plugin could not be quarantined, or the home not be read");
            }
        }
    }

    fn next(&self) -> Option<(String, Task)> {
        let mut work = self.work.lock();
        self.changed.wait_while(&mut work, |work| work.tasks.is_empty() && !work.over);
        if work.over { None } else { work.tasks.pop_front() }
    }

    fn end(&self) {
        let mut work = self.work.lock();
        work.over = true;
        work.tasks.clear();
        drop(work);
        self.changed.notify_all();
        self.bell.end();
    }
}

/// A thread's end, however it comes.
struct Leave(Arc<Shared>);

impl Drop for Leave {
    fn drop(&mut self) {
        let mut work = self.0.work.lock();
        work.threads = work.threads.saturating_sub(1);
        self.0.changed.notify_all();
    }
}

impl Supervision {
    /// Waits until each plugin that was desired running when supervision began was tried once, or is held back by what
    /// it needs, by an earlier failure or by a quarantine; or until the host is shut down. Readiness says which then run.
    pub fn wait_for_first_tries(&self) {
        self.shared.bell.wait_for_first_tries();
    }

    /// Ends it: nothing new is begun, and what is under way is waited for at most this long. Whether all of it is
    /// done; the rest ends by itself, at the latest with the timeout of the plugin it is about.
    pub fn stop(self, wait: Duration) -> bool {
        self.end(wait)
    }

    fn end(&self, wait: Duration) -> bool {
        let bell: Arc<dyn Watcher> = self.shared.bell.clone();
        self.manager.hall().host.feed.unwatch(&bell);
        self.shared.end();
        let mut work = self.shared.work.lock();
        if work.threads > 0 {
            self.shared.changed.wait_while_for(&mut work, |work| work.threads > 0, wait);
        }
        work.threads == 0
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        self.end(PATIENCE);
    }
}
