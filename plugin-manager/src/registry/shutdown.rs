//! Taking every plugin down within a time: dependents first, those that do not need each other at once.

use super::dependencies::dependencies;
use super::error::HostError;
use super::install::End;
use super::manager::PluginManager;
use crate::plugin::PluginState;
use common::clock::Deadline;
use common::error::{ErrorClass, ForgeError};
use microkernel::trust::ManagementAction;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// How long a shutdown waits for a call thread, once its plugin is stopped: as a rule it has only to say so.
const THREADS_END: Duration = Duration::from_secs(1);
/// How long what is ended at the deadline may take to see it.
const ENDING: Duration = Duration::from_secs(1);
/// How long to wait before looking again whether the deadline came nearer.
const LOOK: Duration = Duration::from_millis(20);
/// Plugins taken down at once.
const HANDS: usize = 8;

/// By when a shutdown is to be over. It only ever comes nearer.
#[derive(Debug)]
pub(super) struct Hurry(AtomicU64);

impl Default for Hurry {
    fn default() -> Self {
        Self(AtomicU64::new(Deadline::NEVER.as_ms()))
    }
}

impl Hurry {
    /// At the latest then. Whether nobody asked before.
    fn by(&self, until: Deadline) -> bool {
        self.0.fetch_min(until.as_ms(), Ordering::AcqRel) == Deadline::NEVER.as_ms()
    }
    fn until(&self) -> Deadline {
        Deadline::at_ms(self.0.load(Ordering::Acquire))
    }
}

/// Who is still up, and what of it waits for whom.
#[derive(Debug, Default)]
struct Line {
    /// Those that wait for the end of others that need them.
    waiting: BTreeMap<String, BTreeSet<String>>,
    ready: Vec<String>,
    /// How many are being taken down.
    under_way: usize,
    left: Vec<(String, ForgeError)>,
}

impl Line {
    fn new(needs: BTreeMap<String, BTreeSet<String>>) -> Self {
        let mut waiting: BTreeMap<String, BTreeSet<String>> =
            needs.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
        for (by, on) in needs {
            for need in on {
                if let Some(waits) = waiting.get_mut(&need) {
                    waits.insert(by.clone());
                }
            }
        }
        let mut line = Self { waiting, ..Self::default() };
        line.advance();
        line
    }

    /// Those nobody up needs are ready.
    fn advance(&mut self) {
        let free = self.waiting.iter().filter(|(_, by)| by.is_empty()).map(|(name, _)| name.clone());
        let free: Vec<String> = free.collect();
        free.iter().for_each(|name| drop(self.waiting.remove(name)));
        self.ready.extend(free);
    }

    /// The next one. In a circle, which the resolver lets nobody install, any of it.
    fn next(&mut self) -> Option<String> {
        let in_circle = || self.waiting.keys().next().filter(|_| self.under_way == 0).cloned();
        let next = self.ready.pop().or_else(in_circle)?;
        self.waiting.remove(&next);
        self.under_way += 1;
        Some(next)
    }

    fn down(&mut self, name: &str) {
        self.under_way = self.under_way.saturating_sub(1);
        for by in self.waiting.values_mut() {
            by.remove(name);
        }
        self.advance();
    }
}

impl PluginManager {
    /// Stops every plugin that is up within this time, dependents first, then makes everything durable. No plugin is
    /// brought up from then on. Each plugin gets at most half of the time that is left when its turn comes; after that
    /// its calls are ended, answered with E4034, and its instances are dropped without `stop`. When the time is over
    /// everything that guests still do is ended: what is being brought up, replaced versions, versions on trial.
    ///
    /// Called again while that goes on, it lets the time end sooner and returns at once.
    ///
    /// # Errors
    /// As [`PluginManager::shutdown`]; E4033 naming what could not be done in time.
    pub fn shutdown_within(&self, time: Duration) -> Result<(), ForgeError> {
        self.may_shut_down()?;
        let hall = self.hall();
        if !hall.hurry.by(Deadline::after(&*self.host().clock, time)) {
            return Ok(());
        }
        hall.call_threads.close();
        let (done, ended) = (Mutex::new(false), Condvar::new());
        std::thread::scope(|scope| {
            let watch = Builder::new().name("forgeone-deadline".into());
            let watching = watch.spawn_scoped(scope, || self.end_when_over(&done, &ended));
            if let Err(error) = watching {
                tracing::warn!(%error, "no thread to end what runs at the deadline: plugins end by their timeouts");
            }
            let down = self.down_within();
            *done.lock() = true;
            ended.notify_all();
            down
        })
    }

    fn down_within(&self) -> Result<(), ForgeError> {
        let hall = self.hall();
        let closed = hall.close_within(self.left() / 2);
        let (mut left, mut first) = (Vec::new(), Ok(()));
        let mut failed = self.all_down();
        if !closed {
            // Ended at the deadline, it is up or down.
            if !hall.close_within(self.left().saturating_add(ENDING)) {
                left.push("a plugin was still being brought up".to_owned());
            }
            failed.extend(self.all_down());
        }
        for (name, error) in failed {
            if error.class() == ErrorClass::Limit {
                left.push(format!("{name}: {error}"));
            }
            first = first.and(Err(error));
        }
        let draining = hall.drains.wait_for(self.left().saturating_add(ENDING));
        left.extend(
            draining.into_iter().map(|(name, version)| format!("{name}: {version} still answered calls")),
        );
        let settled = self.settle_threads();
        if left.is_empty() { first.and(settled) } else { Err(HostError::Unfinished { left }.into()) }
    }

    /// Ends whatever guests do when the time is over, unless everything is done before.
    fn end_when_over(&self, done: &Mutex<bool>, ended: &Condvar) {
        let mut done = done.lock();
        while !*done {
            let left = self.left();
            if left.is_zero() {
                return self.host().parts().over.cancel();
            }
            ended.wait_for(&mut done, left.min(LOOK));
        }
    }

    /// Who opened the home may shut it down; others when the policy lets them stop every plugin.
    pub(super) fn may_shut_down(&self) -> Result<(), ForgeError> {
        if self.operator().is_opener() {
            return Ok(());
        }
        let (host, stop) = (self.host(), ManagementAction::Stop);
        host.recorded(stop, "", || host.authorise(stop, ""))
    }

    /// Waits for what still works for plugins that are down, then makes everything durable.
    pub(super) fn make_durable(&self) -> Result<(), ForgeError> {
        self.hall().drains.wait(None);
        self.settle_threads()
    }

    fn settle_threads(&self) -> Result<(), ForgeError> {
        let hall = self.hall();
        hall.call_threads.join(THREADS_END);
        let ending = std::mem::take(&mut *hall.ending.lock());
        ending.into_iter().for_each(|thread| drop(thread.join()));
        self.flush()
    }

    fn left(&self) -> Duration {
        self.hall().hurry.until().remaining(&*self.host().clock).unwrap_or(Duration::MAX)
    }

    /// Takes all down; those that did not go well, with the reason.
    fn all_down(&self) -> Vec<(String, ForgeError)> {
        let needs = self.needs_of_the_up();
        let hands = HANDS.min(needs.len());
        let (line, moved) = (Mutex::new(Line::new(needs)), Condvar::new());
        std::thread::scope(|scope| {
            for _ in 1..hands {
                scope.spawn(|| self.take_from(&line, &moved));
            }
            self.take_from(&line, &moved);
        });
        line.into_inner().left
    }

    /// What each plugin that is up needs of the others.
    fn needs_of_the_up(&self) -> BTreeMap<String, BTreeSet<String>> {
        let rows = self.host().rows().unwrap_or_default();
        let needs: BTreeMap<&str, BTreeSet<String>> = rows
            .iter()
            .map(|row| {
                // What cannot be read is stopped with the first.
                let needs = dependencies(row).unwrap_or_default().into_keys().collect();
                (row.plugin.name.as_str(), needs)
            })
            .collect();
        let up = self.hall().names().into_iter();
        up.map(|name| (needs.get(name.as_str()).cloned().unwrap_or_default(), name))
            .map(|(n, name)| (name, n))
            .collect()
    }

    fn take_from(&self, line: &Mutex<Line>, moved: &Condvar) {
        let mut now = line.lock();
        loop {
            if let Some(name) = now.next() {
                drop(now);
                let down = self.take_down_hurried(&name);
                now = line.lock();
                now.left.extend(down.err().map(|error| (name.clone(), error)));
                now.down(&name);
                moved.notify_all();
            } else if now.waiting.is_empty() {
                return;
            } else {
                moved.wait(&mut now);
            }
        }
    }

    fn take_down_hurried(&self, name: &str) -> Result<(), ForgeError> {
        let (hall, clock) = (self.hall(), self.host().clock.clone());
        let own = Deadline::after(&*clock, self.left() / 2);
        let until = || hall.hurry.until().min(own);
        let wait = until().remaining(&*clock).unwrap_or_default();
        hall.in_turn(name, Some(wait), || {
            self.end_trial(name, "the host shuts down");
            let Some(loaded) = hall.loaded(name) else { return Ok(()) };
            loaded.plugin.give_up();
            let up = matches!(loaded.plugin.state(), PluginState::Running | PluginState::Paused);
            let stopped = match self.conduct_at_the_end(&loaded, End::Stop) {
                Some(why) => loaded.plugin.quarantine(&why).map_err(ForgeError::from),
                None if up => loaded.plugin.stop_within(&until).map_err(ForgeError::from),
                None => Ok(()),
            };
            hall.take(name);
            // That there was no time is no fault of the plugin's.
            let hurried = stopped.as_ref().is_err_and(|error| error.class() == ErrorClass::Limit);
            let kept = if hurried { Ok(()) } else { hall.keep_failure(&loaded) };
            stopped.and(kept)
        })
    }
}
