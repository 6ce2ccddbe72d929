//! Looks at every installed plugin when something happened or a time has come, and says what is to be done.

use super::super::dependencies::{dependencies, host_versions};
use super::super::events::Watcher;
use super::super::manager::PluginManager;
use super::kept::{Done, Kept, Scene, Task};
use super::ledger::Ledger;
use crate::plugin::PluginState;
use crate::store::{Desired, InstalledPlugin};
use common::clock::Clock;
use common::error::{ForgeError, codes};
use common::identity::Name;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often denials are added up while somebody listens, in milliseconds.
const DENIALS_MS: u64 = 1000;

/// Something happened, to these plugins. Holds a name once, however often.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    ringing: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    plugins: BTreeSet<String>,
    done: Vec<(String, Done)>,
    over: bool,
    /// Everything that was to be brought up when the watch began was tried once.
    tried: bool,
}

impl Rung {
    fn is_silent(&self) -> bool {
        self.plugins.is_empty() && self.done.is_empty() && !self.over
    }
}

impl Watcher for Bell {
    fn touched(&self, plugin: &str) {
        let mut rung = self.rung.lock();
        if !rung.plugins.contains(plugin) {
            rung.plugins.insert(plugin.to_owned());
        }
        self.ringing.notify_all();
    }
}

impl Bell {
    /// A task is done.
    pub fn done(&self, plugin: String, done: Done) {
        self.rung.lock().done.push((plugin, done));
        self.ringing.notify_all();
    }
    /// Nobody is to look any more.
    pub fn end(&self) {
        self.rung.lock().over = true;
        self.ringing.notify_all();
    }
    /// Whether nobody is to look any more.
    pub fn is_over(&self) -> bool {
        self.rung.lock().over
    }
    /// Everything that was to be brought up at first was tried once.
    fn tried(&self) {
        let mut rung = self.rung.lock();
        if !rung.tried {
            rung.tried = true;
            self.ringing.notify_all();
        }
    }
    /// Waits until that is so, or nobody looks any more.
    pub fn wait_for_first_tries(&self) {
        self.ringing.wait_while(&mut self.rung.lock(), |rung| !rung.tried && !rung.over);
    }
    /// Waits until something happens, at most so long.
    pub fn wait(&self, most: Option<Duration>) {
        let mut rung = self.rung.lock();
        match most {
            Some(most) => drop(self.ringing.wait_while_for(&mut rung, |rung| rung.is_silent(), most)),
            None => self.ringing.wait_while(&mut rung, |rung| rung.is_silent()),
        }
    }
}

/// One plugin as it was looked at last.
#[derive(Debug)]
struct Seen {
    row: InstalledPlugin,
    needs: Vec<String>,
    kept: Kept,
}

/// Draws chance.
pub type Chance = Box<dyn FnMut() -> u64 + Send>;

/// Looks at every installed plugin.
pub struct Watch {
    manager: PluginManager,
    clock: Arc<dyn Clock>,
    chance: Chance,
    bell: Arc<Bell>,
    plugins: BTreeMap<String, Seen>,
    /// Plugins that are being brought up for the first time.
    rising: BTreeSet<String>,
}

/// What is to be done, and when to look again if nothing happens before.
#[derive(Debug)]
pub struct Round {
    /// Each plugin's task; a plugin has one at a time.
    pub tasks: Vec<(String, Task)>,
    /// In coarse milliseconds of the watch's clock.
    pub wake_ms: Option<u64>,
}

impl Watch {
    /// Sees every installed plugin for the first time.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn over(
        manager: PluginManager,
        clock: Arc<dyn Clock>,
        chance: Chance,
        bell: Arc<Bell>,
    ) -> Result<Self, ForgeError> {
        let rows = manager.host().rows()?;
        let (plugins, rising) = (BTreeMap::new(), BTreeSet::new());
        let mut watch = Self { manager, clock, chance, bell, plugins, rising };
        for row in rows {
            let left = watch.manager.standing(&row) == PluginState::Failed;
            watch.see(Arc::unwrap_or_clone(row), left)?;
        }
        Ok(watch)
    }

    /// Looks: takes in what happened, and decides.
    pub fn look(&mut self) -> Round {
        let (touched, done) = {
            let mut rung = self.bell.rung.lock();
            (std::mem::take(&mut rung.plugins), std::mem::take(&mut rung.done))
        };
        let finished: Vec<String> = done.iter().map(|(plugin, _)| plugin.clone()).collect();
        touched.into_iter().chain(finished).for_each(|plugin| self.look_again(&plugin));
        let now = self.clock.coarse_ms();
        for (plugin, done) in done {
            self.rising.remove(&plugin);
            self.finish(&plugin, done, now);
        }
        let tasks = self.decide(now);
        let first = |(plugin, task): &(String, Task)| {
            matches!(task, Task::Start { again: false }).then(|| plugin.clone())
        };
        self.rising.extend(tasks.iter().filter_map(first));
        // What needs one of them was decided above, when that was done.
        if self.rising.is_empty() {
            self.bell.tried();
        }
        let wake = self.plugins.values().filter_map(|seen| seen.kept.wake_ms(now)).min();
        let adds_up = self.add_up_denials().then(|| now.saturating_add(DENIALS_MS));
        Round { tasks, wake_ms: wake.into_iter().chain(adds_up).min() }
    }

    /// Time until then.
    pub fn until(&self, wake_ms: u64) -> Duration {
        Duration::from_millis(wake_ms.saturating_sub(self.clock.coarse_ms()))
    }

    fn see(&mut self, row: InstalledPlugin, left: bool) -> Result<(), ForgeError> {
        let host = self.manager.host();
        let provided = host_versions()?;
        let theirs = |need: &String| Name::new(need).is_ok_and(|need| provided.provides(&need));
        let needs = dependencies(&row)?.into_keys().filter(|need| !theirs(need)).collect();
        let name = row.plugin.name.to_string();
        match self.plugins.get_mut(&name) {
            Some(seen) => (seen.row, seen.needs) = (row, needs),
            None => {
                let rules = host.config.supervision_of(&name);
                let ledger = Ledger::new(&rules, self.clock.clone());
                host.ledgers.open(&name, ledger.clone());
                let kept = Kept::new(rules, ledger, left);
                self.plugins.insert(name, Seen { row, needs, kept });
            }
        }
        Ok(())
    }

    /// What the home says of this one now. What cannot be read stays as it was seen last.
    fn look_again(&mut self, plugin: &str) {
        let row = self.manager.hall().row(plugin);
        match row {
            Ok(row) => {
                if let Err(error) = self.see(row, false) {
                    tracing::error!(plugin, %error, "a plugin cannot be supervised");
                }
            }
            Err(error) if error.code() == &codes::E5001 => {
                self.plugins.remove(plugin);
                self.manager.host().ledgers.close(plugin);
            }
            Err(error) => tracing::error!(plugin, %error, "a plugin's record cannot be read"),
        }
    }

    fn finish(&mut self, plugin: &str, done: Done, now: u64) {
        let Some(seen) = self.plugins.get_mut(plugin) else { return };
        let state = self.manager.standing(&seen.row);
        let (host, version) = (self.manager.host(), &seen.row.plugin.version);
        seen.kept.done(done, state, now, &mut |kind| host.feed.emit(plugin, version, || kind.clone()));
    }

    fn decide(&mut self, now: u64) -> Vec<(String, Task)> {
        if self.manager.hall().is_closing() {
            return Vec::new();
        }
        let scenes = self.scenes();
        let (host, chance) = (self.manager.host(), &mut self.chance);
        let mut tasks = Vec::new();
        for ((plugin, seen), scene) in self.plugins.iter_mut().zip(scenes) {
            let version = &seen.row.plugin.version;
            let mut tell = |kind: super::super::events::EventKind| {
                host.feed.emit(plugin, version, || kind.clone());
            };
            if let Some(task) = seen.kept.decide(&scene, now, chance, &mut tell) {
                tasks.push((plugin.clone(), task));
            }
        }
        tasks
    }

    /// How each plugin and what it needs stand, in the order of their names.
    fn scenes(&self) -> Vec<Scene> {
        let states: BTreeMap<&str, PluginState> = self
            .plugins
            .iter()
            .map(|(name, seen)| (name.as_str(), self.manager.standing(&seen.row)))
            .collect();
        let down: BTreeSet<&str> = states
            .iter()
            .filter(|(name, state)| self.is_down(name, **state))
            .map(|(name, _)| *name)
            .collect();
        let runs = |need: &&String| states.get(need.as_str()) != Some(&PluginState::Running);
        self.plugins
            .values()
            .map(|seen| Scene {
                state: states.get(seen.row.plugin.name.as_str()).copied().unwrap_or(PluginState::Unloaded),
                wanted: seen.row.plugin.desired == Desired::Running,
                missing: seen.needs.iter().find(runs).cloned(),
                broken: self.broken(seen, &down),
            })
            .collect()
    }

    /// Whether it is out of service by a failure.
    fn is_down(&self, plugin: &str, state: PluginState) -> bool {
        let Some(seen) = self.plugins.get(plugin) else { return false };
        let wanted = seen.row.plugin.desired == Desired::Running;
        state == PluginState::Quarantined
            || (wanted && (state == PluginState::Failed || seen.kept.in_trouble()))
    }

    /// The first plugin that is needed, directly or not, and is down.
    fn broken(&self, of: &Seen, down: &BTreeSet<&str>) -> Option<String> {
        if down.is_empty() {
            return None;
        }
        let mut open: Vec<&str> = of.needs.iter().map(String::as_str).collect();
        let mut looked = BTreeSet::new();
        while let Some(need) = open.pop() {
            if down.contains(need) {
                return Some(need.to_owned());
            }
            if looked.insert(need) {
                let further = self.plugins.get(need).map(|seen| seen.needs.iter().map(String::as_str));
                open.extend(further.into_iter().flatten());
            }
        }
        None
    }

    /// Tells the denials of each plugin since it was done last. Whether anybody hears it.
    fn add_up_denials(&self) -> bool {
        let heard = self.manager.host().feed.is_heard();
        if heard {
            let all = self.plugins.keys().filter_map(|plugin| self.manager.hall().loaded(plugin));
            all.for_each(|loaded| self.manager.hall().tell_denials(&loaded));
        }
        heard
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.manager.host().ledgers.close_all();
    }
}
