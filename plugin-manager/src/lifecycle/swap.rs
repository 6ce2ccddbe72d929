//! One version of a plugin takes another's place: what is done to each of the two, never to both at once. Who does it
//! decides in between; until then the old one can go on as if nothing had been.

use super::blueprint::Saved;
use super::error::LifecycleError;
use super::manager::ManagedPlugin;
use super::service::Live;
use crate::plugin::PluginState;
use crate::runtime::Lifecycle;
use crate::syscall::Chain;
use common::clock::Deadline;
use std::sync::atomic::Ordering;
use std::time::Duration;

const REPLACED: &str = "another version took its place";
const DISMISSED: &str = "it did not take another version's place";

/// What becomes of the state of a version that is being replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastState {
    /// It is saved, as by an ordinary stop.
    Save,
    /// It has been handed over.
    HandedOver,
}

/// A running plugin whose new calls wait, each until its own deadline, and which has none in flight. When this is
/// dropped the calls go on: there, or in its successor's place.
#[derive(Debug)]
pub struct Held<'a>(&'a ManagedPlugin);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.pool.release();
    }
}

impl Held<'_> {
    /// What the plugin saves of itself; without an instance what it saved last, if anything.
    ///
    /// # Errors
    /// What `state_save` ran into; it is recorded. An instance that trapped is dropped.
    pub fn state(&self) -> Result<Option<Saved>, LifecycleError> {
        let plugin = self.0;
        let _slot = plugin.steps.lock();
        let Some(mut live) = plugin.pool.drain().pop() else { return plugin.service.last_state() };
        let saved = plugin.service.state_of(&mut live, plugin.unhurried(&plugin.no_chain));
        let alive = live.execution.is_alive();
        if alive {
            plugin.pool.add(live);
        }
        let version = plugin.identity().version.clone();
        saved.map(|bytes| Some(Saved { version, bytes })).inspect_err(|error| {
            plugin.recorder.failure(error);
            if !alive {
                plugin.lost_to(error, false);
            }
        })
    }
}

impl ManagedPlugin {
    /// Whether a state goes from this version to that one: both are shared, this one saves it and that one loads it.
    pub fn hands_state_to(&self, successor: &Self) -> bool {
        self.service.saves_state() && successor.service.loads_state()
    }

    /// `start` alone, to `Running`: the state saved last is left where it is.
    ///
    /// # Errors
    /// [`LifecycleError`]. The plugin is `Failed` then, unless the state table does not have the move.
    pub fn start_without_state(&self, chain: &Chain) -> Result<(), LifecycleError> {
        self.start_with(|mut candidate| {
            self.service.function(&mut candidate.live, Lifecycle::Start, self.unhurried(chain))?;
            Ok(candidate.live)
        })
    }

    /// Lets new calls wait and those in flight finish, for as long as `stop` would, or only as long as this.
    ///
    /// # Errors
    /// [`LifecycleError::Busy`] when some have not finished by then, [`LifecycleError::NotRunning`] when the plugin
    /// failed meanwhile. Calls go on then.
    pub fn hold(&self, most: Option<Duration>) -> Result<Held<'_>, LifecycleError> {
        let _slot = self.steps.lock();
        self.pool.hold();
        let held = Held(self);
        self.quiet_for(most)?;
        match self.state() {
            PluginState::Running => Ok(held),
            state => Err(LifecycleError::NotRunning {
                plugin: self.service.name.clone(),
                state,
                failure: self.failure(),
            }),
        }
    }

    /// Gives a state to the instance of a plugin that nobody can call yet.
    ///
    /// # Errors
    /// What `state_load` ran into; it is recorded.
    pub fn adopt(&self, state: &mut Saved) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        // There is one: nobody but a check of its health has called it.
        let on = self.unhurried(&self.no_chain);
        let loaded = match self.pool.drain().pop() {
            Some(live) => Ok(live),
            None => self.service.started(on),
        }
        .and_then(|mut live| self.service.load(&mut live, state, on).map(|()| live));
        match loaded {
            Ok(live) => {
                self.pool.add(live);
                Ok(())
            }
            Err(error) => {
                self.recorder.failure(&error);
                Err(error)
            }
        }
    }

    /// Out of service for good, in favour of a successor that is in service already: calls that have not begun are
    /// told so with [`LifecycleError::Superseded`], those in flight finish until the plugin's timeout, or until `most` is
    /// over, which ends them; then `stop` and `unload`.
    ///
    /// # Errors
    /// What `stop` ran into. The plugin is out of service all the same.
    pub fn supersede(&self, state: LastState, most: Option<Duration>) -> Result<(), LifecycleError> {
        let turned_away = self.turn_away();
        let ended = self.finish(state, most);
        turned_away.and(ended)
    }

    /// The first half of [`ManagedPlugin::supersede`]: calls that have not begun are told where to go, and nothing is
    /// waited for.
    ///
    /// # Errors
    /// When it could not be recorded. It is done all the same.
    pub fn turn_away(&self) -> Result<(), LifecycleError> {
        self.superseded.store(true, Ordering::Release);
        self.give_up();
        if !matches!(self.state(), PluginState::Running | PluginState::Paused) {
            return Ok(());
        }
        let _slot = self.steps.lock();
        let from = self.state.advance(PluginState::Stopping).map_err(|wrong| self.wrong(wrong))?;
        // Whoever waits goes on before this is recorded.
        self.pool.wake();
        self.protected(from, PluginState::Stopping, REPLACED)
    }

    /// The second half: calls in flight finish, then `stop` and `unload`.
    ///
    /// # Errors
    /// As [`ManagedPlugin::supersede`].
    pub fn finish(&self, state: LastState, most: Option<Duration>) -> Result<(), LifecycleError> {
        let slot = self.steps.lock();
        let clock = &*self.service.blueprint.clock;
        let until = most.map(|most| Deadline::after(clock, most));
        let stopped = match self.state() {
            PluginState::Stopping => self.wind_down(
                || until.map_or_else(|| self.quiet(), |until| self.quiet_until(&|| until)),
                |live| match state {
                    LastState::Save => self.service.end(live, self.unhurried(&self.no_chain)),
                    LastState::HandedOver => self.stop_alone(live),
                },
            ),
            _ => Ok(()),
        };
        drop(slot);
        stopped.and(self.unload_for(REPLACED))
    }

    /// Whether [`ManagedPlugin::finish`] is to be waited for: it takes no longer than `stop` does, for no call is in
    /// flight; or it saves the state that the plugin has when it comes back.
    pub fn is_to_be_waited_for(&self) -> bool {
        self.service.saves_state() || self.pool.quiet(Deadline::at_ms(0), &*self.service.blueprint.clock) == 0
    }

    /// Lets go of a plugin that was brought up beside another and is not taken into service: `stop`, `unload`, and
    /// its state is not saved. What that runs into is recorded.
    pub fn dismiss(&self) {
        self.give_up();
        if self.state() == PluginState::Running {
            drop(self.stop_with(DISMISSED, |live| self.stop_alone(live)));
        }
        if let Err(error) = self.unload_for(DISMISSED) {
            tracing::warn!(plugin = self.service.name, %error, "a plugin was let go of without a record");
        }
    }

    /// Lets go of a plugin that calls may reach: those that have not begun are told so with
    /// [`LifecycleError::Superseded`], those in flight finish; then as [`ManagedPlugin::dismiss`].
    pub fn withdraw(&self) {
        self.superseded.store(true, Ordering::Release);
        self.dismiss();
    }

    /// Whether what its instance keeps outlives it.
    pub fn keeps_state(&self) -> bool {
        self.service.saves_state()
    }

    /// The names of its operations, by index.
    pub fn operations(&self) -> &[String] {
        &self.service.blueprint.operations
    }

    fn stop_alone(&self, live: &mut Live) -> Result<(), LifecycleError> {
        self.service.function(live, Lifecycle::Stop, self.unhurried(&self.no_chain))
    }
}
