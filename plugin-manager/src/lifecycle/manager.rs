//! One plugin through its states. Steps are taken one at a time; calls run beside one another as far as the
//! plugin's instances allow.

use super::blueprint::Blueprint;
use super::budget::RestartBudget;
use super::error::LifecycleError;
use super::pool::{Bounds, Pool};
use super::record::{Recorder, Weight, cause};
use super::service::{Live, Occasion, Service};
use crate::metrics::PluginMetrics;
use crate::plugin::{PluginState, StateCell, WrongMove};
use crate::runtime::{EngineKind, Lifecycle};
use crate::sandbox::{InstanceMode, Limits};
use crate::syscall::Chain;
use common::audit::Actor;
use common::clock::Deadline;
use common::identity::{IdentityContext, PluginIdentity};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How much longer than the plugin's timeout a step waits for calls in flight: an engine ends a call at its
/// deadline, and needs a moment for it.
const GRACE: Duration = Duration::from_secs(1);

/// One plugin, through its states.
pub struct ManagedPlugin {
    pub(super) service: Service,
    pub(super) state: StateCell,
    pub(super) recorder: Recorder,
    /// INVARIANT: the state is looked at under the pool's lock before an instance is lent, and steps that end
    /// service change the state before they look at the pool. So no call runs on an instance such a step handles.
    pub(super) pool: Pool<Live>,
    /// Held while a step is taken; holds the instance between `initialize` and `start`.
    pub(super) steps: Mutex<Option<Candidate>>,
    /// Whether another version takes its place: calls that have not begun are not refused but sent there.
    pub(super) superseded: AtomicBool,
    pub(super) budget: Mutex<RestartBudget>,
    failure: Mutex<Option<Failure>>,
    pub(super) no_chain: Chain,
}

/// An instance on its way into service.
pub(super) struct Candidate {
    pub live: Live,
    /// Whether the plugin was `Failed` before: then a saved state it refuses to load does not keep it down.
    again: bool,
}

/// Why the plugin is `Failed`.
#[derive(Debug, Clone)]
enum Failure {
    /// By its own fault.
    OfPlugin(String),
    /// The host, its log or its disk failed: the plugin may well run the next time.
    OfHost(String),
}

impl fmt::Debug for ManagedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedPlugin")
            .field("name", &self.service.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl ManagedPlugin {
    /// A plugin that stands in this state (`Created` when new) and has no instance.
    pub fn new(blueprint: Blueprint, state: PluginState) -> Self {
        let recorder = Recorder {
            audit: blueprint.audit.clone(),
            actor: Actor::new(&IdentityContext::plugin(blueprint.identity.clone())),
            name: blueprint.identity.name.to_string(),
            metrics: blueprint.metrics.clone(),
        };
        let instances =
            if blueprint.mode == InstanceMode::Shared { 1 } else { blueprint.max_instances.max(1) };
        let bounds = Bounds { instances, waiting: blueprint.queue_length };
        let pool = Pool::new(bounds, blueprint.metrics.clone());
        Self {
            service: Service::new(blueprint),
            state: StateCell::new(state),
            recorder,
            pool,
            steps: Mutex::new(None),
            superseded: AtomicBool::new(false),
            budget: Mutex::default(),
            failure: Mutex::default(),
            no_chain: Chain::new(),
        }
    }

    /// Who it is.
    pub fn identity(&self) -> &PluginIdentity {
        &self.service.blueprint.identity
    }
    /// The state it is in.
    pub fn state(&self) -> PluginState {
        self.state.get()
    }
    /// Why it is `Failed` or `Quarantined`; `None` in every other state.
    pub fn failure(&self) -> Option<String> {
        let (Failure::OfPlugin(text) | Failure::OfHost(text)) = self.failed_by()?;
        Some(text)
    }
    /// Why it is `Failed` or `Quarantined`, when that is its own fault and is to outlast this process.
    pub fn own_failure(&self) -> Option<String> {
        match self.failed_by()? {
            Failure::OfPlugin(text) => Some(text),
            Failure::OfHost(_) => None,
        }
    }
    fn failed_by(&self) -> Option<Failure> {
        let failure = self.failure.lock();
        let out = matches!(self.state(), PluginState::Failed | PluginState::Quarantined);
        out.then(|| failure.clone()).flatten()
    }
    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.service.blueprint.limits
    }
    /// The engine it runs on.
    pub fn engine(&self) -> EngineKind {
        self.service.blueprint.engine.kind()
    }
    /// Its counters.
    pub fn metrics(&self) -> &Arc<PluginMetrics> {
        &self.service.blueprint.metrics
    }
    /// The index of an operation. A name it does not have is recorded.
    ///
    /// # Errors
    /// [`LifecycleError::NoOperation`].
    pub fn operation(&self, name: &str) -> Result<u16, LifecycleError> {
        let names = &self.service.blueprint.operations;
        let index = names.iter().position(|o| o == name).and_then(|i| u16::try_from(i).ok());
        index.ok_or_else(|| {
            let operation = name.chars().take(80).collect();
            let (plugin, known) = (self.service.name.clone(), names.clone());
            let error = LifecycleError::NoOperation { plugin, operation, known };
            self.recorder.failure(&error);
            error
        })
    }

    /// `_initialize` and `init`: to `Ready`. `chain` are the plugins whose calls led here.
    ///
    /// # Errors
    /// [`LifecycleError`]. The plugin is `Failed` then, unless it was the first record that could not be made.
    pub fn initialize(&self, chain: &Chain) -> Result<(), LifecycleError> {
        let mut slot = self.steps.lock();
        let again = self.state() == PluginState::Failed;
        self.step(PluginState::Initializing, "asked to start")?;
        self.budget.lock().reset();
        *self.failure.lock() = None;
        drop((slot.take(), self.pool.abandon()));
        let began = self.now_ns();
        let live = self.service.initialized(self.unhurried(chain)).map_err(|e| self.fail(e))?;
        self.metrics().instance(Duration::from_nanos(self.now_ns().saturating_sub(began)));
        self.step(PluginState::Ready, "init returned 0").map_err(|e| self.fail(e))?;
        *slot = Some(Candidate { live, again });
        Ok(())
    }

    /// `start`, and `state_load` of the state saved last: to `Running`.
    ///
    /// A plugin that was `Failed` and refuses its saved state now is brought up without it, and the state is
    /// forgotten, recorded first. In every other case the state is kept.
    ///
    /// # Errors
    /// [`LifecycleError`]. The plugin is `Failed` then, unless the state table does not have the move.
    pub fn start(&self, chain: &Chain) -> Result<(), LifecycleError> {
        self.start_with(|candidate| self.bring_into_service(candidate, chain))
    }

    /// `start` of what is `Ready`, in the way of the caller; then to `Running`.
    pub(super) fn start_with(
        &self,
        bring: impl FnOnce(Candidate) -> Result<Live, LifecycleError>,
    ) -> Result<(), LifecycleError> {
        let mut slot = self.steps.lock();
        let from = self.state();
        let Some(candidate) = slot.take().filter(|_| from == PluginState::Ready) else {
            return Err(self.wrong(WrongMove { from, to: PluginState::Running }));
        };
        let live = bring(candidate).map_err(|e| self.fail(e))?;
        if self.service.blueprint.mode == InstanceMode::Fresh {
            drop(live);
        } else {
            self.pool.add(live);
            self.warm_up().map_err(|e| self.fail(e))?;
        }
        self.step(PluginState::Running, "start returned 0").map_err(|e| self.fail(e))
    }

    /// Makes the instances ahead that a pooled plugin has beside its first.
    fn warm_up(&self) -> Result<(), LifecycleError> {
        let blueprint = &self.service.blueprint;
        if blueprint.mode == InstanceMode::Pooled {
            for _ in 1..blueprint.warm_instances.min(blueprint.max_instances) {
                self.pool.add(self.service.in_service(self.unhurried(&self.no_chain))?);
            }
        }
        Ok(())
    }

    fn bring_into_service(&self, candidate: Candidate, chain: &Chain) -> Result<Live, LifecycleError> {
        let Candidate { mut live, again } = candidate;
        match self.service.begin(&mut live, self.unhurried(chain)) {
            Ok(()) => Ok(live),
            Err(error) if again && error.is_of_state_load() => {
                drop(live);
                self.recorder.failure(&error);
                self.service.discard_state(&self.recorder)?;
                self.service.in_service(self.unhurried(chain))
            }
            Err(error) => Err(error),
        }
    }

    /// What is `Ready` and will not be started is let go of: it is `Failed` then, by no fault of its own. In every
    /// other state nothing happens.
    pub fn give_up(&self) {
        let mut slot = self.steps.lock();
        if self.state() == PluginState::Ready {
            drop(slot.take());
            self.fail(LifecycleError::NotStarted { plugin: self.service.name.clone() });
        }
    }

    /// Calls in flight finish, new ones are refused; then `pause` on each instance.
    ///
    /// # Errors
    /// [`LifecycleError::Move`]; or what `pause` returned, and the plugin is `Paused` all the same.
    pub fn pause(&self) -> Result<(), LifecycleError> {
        self.pause_for("asked to pause")
    }

    /// [`ManagedPlugin::pause`] for this reason.
    ///
    /// # Errors
    /// As there.
    pub fn pause_for(&self, why: &str) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.protect(PluginState::Paused, why)?;
        self.pool.wake();
        self.each_idle(Lifecycle::Pause)
    }

    /// `resume` on each instance; then calls are answered again.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin stays `Paused`, and an instance that trapped is dropped.
    pub fn resume(&self) -> Result<(), LifecycleError> {
        self.resume_for("asked to resume")
    }

    /// [`ManagedPlugin::resume`] for this reason.
    ///
    /// # Errors
    /// As there.
    pub fn resume_for(&self, why: &str) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        let from = self.state();
        if from != PluginState::Paused {
            return Err(self.wrong(WrongMove { from, to: PluginState::Running }));
        }
        self.each_idle(Lifecycle::Resume)?;
        self.step(PluginState::Running, why).inspect_err(|_| {
            // What was resumed and stays paused is told so; what that returns is recorded there.
            drop(self.each_idle(Lifecycle::Pause));
        })
    }

    /// Out of service at once, for this reason, until it is released: new calls are refused, calls in flight are ended
    /// and their instances dropped. `stop` is not run.
    ///
    /// # Errors
    /// [`LifecycleError::Move`] when it is not in service.
    pub fn quarantine(&self, why: &str) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        let mut failure = self.failure.lock();
        let from = self.state.advance(PluginState::Quarantined).map_err(|wrong| self.wrong(wrong))?;
        *failure = Some(Failure::OfPlugin(why.to_owned()));
        drop(failure);
        drop(self.pool.abandon());
        // After the state, so that whoever is ended finds it out of service.
        self.service.over.token().cancel();
        self.protected(from, PluginState::Quarantined, why)
    }

    /// New calls are refused, calls in flight finish until the plugin's timeout; then `state_save` and `stop`.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is down all the same, `Failed` when it did not stop by itself.
    pub fn stop(&self) -> Result<(), LifecycleError> {
        let end = |live: &mut Live| self.service.end(live, self.unhurried(&self.no_chain));
        self.stop_with("asked to stop", end)
    }

    /// To `Stopped`: `end` is run on each instance when no call is in flight.
    pub(super) fn stop_with(
        &self,
        why: &str,
        end: impl Fn(&mut Live) -> Result<(), LifecycleError>,
    ) -> Result<(), LifecycleError> {
        self.stop_when(why, || self.quiet(), end)
    }

    /// The same, waiting in the way of the caller until no call is in flight.
    pub(super) fn stop_when(
        &self,
        why: &str,
        quiet: impl FnOnce() -> Result<(), LifecycleError>,
        end: impl Fn(&mut Live) -> Result<(), LifecycleError>,
    ) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.protect(PluginState::Stopping, why)?;
        self.pool.wake();
        self.wind_down(quiet, end)
    }

    /// From `Stopping` to `Stopped`, as [`ManagedPlugin::stop_when`] does. Done under the lock of steps.
    pub(super) fn wind_down(
        &self,
        quiet: impl FnOnce() -> Result<(), LifecycleError>,
        end: impl Fn(&mut Live) -> Result<(), LifecycleError>,
    ) -> Result<(), LifecycleError> {
        quiet().map_err(|e| self.fail(e))?;
        let (mut kept, mut ended) = (Vec::new(), Ok(()));
        for mut live in self.pool.drain() {
            let done = end(&mut live);
            kept.extend(live.execution.is_alive().then_some(live));
            ended = ended.and(done);
        }
        ended.map_err(|e| self.fail(e))?;
        self.protect(PluginState::Stopped, "stop returned 0")?;
        kept.into_iter().for_each(|live| self.pool.add(live));
        Ok(())
    }

    /// `unload` on an instance that still exists; then the plugin is `Unloaded`.
    ///
    /// # Errors
    /// [`LifecycleError::Move`] when it is not down; what `unload` returns is recorded and changes nothing.
    pub fn unload(&self) -> Result<(), LifecycleError> {
        self.unload_for("asked to remove")
    }

    pub(super) fn unload_for(&self, why: &str) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.may(PluginState::Unloaded)?;
        for mut live in self.pool.drain() {
            let done = self.service.function(&mut live, Lifecycle::Unload, self.unhurried(&self.no_chain));
            drop(done.inspect_err(|e| self.recorder.failure(e)));
        }
        self.step(PluginState::Unloaded, why)
    }

    /// A deadline for one call, from now.
    pub fn deadline(&self) -> Deadline {
        self.service.deadline()
    }

    /// Until no call is in flight.
    pub(super) fn quiet(&self) -> Result<(), LifecycleError> {
        self.quiet_for(None)
    }

    /// The same, for at most this long.
    pub(super) fn quiet_for(&self, most: Option<Duration>) -> Result<(), LifecycleError> {
        let clock = &*self.service.blueprint.clock;
        let timeout = self.limits().timeout.saturating_add(GRACE);
        let until = Deadline::after(clock, most.map_or(timeout, |most| most.min(timeout)));
        match self.pool.quiet(until, clock) {
            0 => Ok(()),
            _ => Err(LifecycleError::Busy { plugin: self.service.name.clone() }),
        }
    }

    /// Runs a function on every instance once none is lent out. What fails is recorded; an instance that trapped
    /// is dropped.
    fn each_idle(&self, function: Lifecycle) -> Result<(), LifecycleError> {
        self.quiet().inspect_err(|e| self.recorder.failure(e))?;
        let mut all = Ok(());
        for mut live in self.pool.drain() {
            let done = self.service.function(&mut live, function, self.unhurried(&self.no_chain));
            let alive = live.execution.is_alive();
            if alive {
                self.pool.add(live);
            }
            if let Err(e) = &done {
                self.recorder.failure(e);
                if !alive {
                    self.lost_to(e, false);
                }
            }
            all = all.and(done);
        }
        all
    }

    /// The plugin is `Failed`, for this reason, which is returned.
    fn fail(&self, error: LifecycleError) -> LifecycleError {
        self.fail_from(self.state(), &error);
        error
    }

    /// Out of service, if it still is in this state: its instances are given up, the reason is kept and recorded.
    /// It is `Failed` then, or where its keeper says that a failure in service leads.
    pub(super) fn fail_from(&self, from: PluginState, error: &LifecycleError) {
        let keeper = &self.service.blueprint.keeper;
        let to = if from == PluginState::Running { keeper.ending().state() } else { PluginState::Failed };
        self.leave(from, to, error);
    }

    /// From one state to one out of service, for this reason. Whether it was in the first.
    pub(super) fn leave(&self, from: PluginState, to: PluginState, error: &LifecycleError) -> bool {
        let mut failure = self.failure.lock();
        if self.state.advance_from(from, to).is_err() {
            return false;
        }
        let own = error.blames_plugin() || matches!(error, LifecycleError::Withdrawn { .. });
        *failure = Some(if own { Failure::OfPlugin(error.told()) } else { Failure::OfHost(error.told()) });
        drop(failure);
        drop(self.pool.abandon());
        self.recorder.failure(error);
        // A protecting record is never refused.
        drop(self.recorder.transition(from, to, &cause(error), Weight::Protecting));
        self.service.blueprint.keeper.moved(from, to, &cause(error));
        true
    }

    /// A step that is recorded first, or not taken. Taken under the lock of steps, from a state that no call
    /// changes.
    pub(super) fn step(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        let from = self.state();
        self.may(to)?;
        let recorded = self.recorder.transition(from, to, why, Weight::Ordinary);
        recorded
            .map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source })?;
        self.state.advance_from(from, to).map_err(|wrong| self.wrong(wrong))?;
        self.service.blueprint.keeper.moved(from, to, why);
        Ok(())
    }

    /// A step that protects: always taken, recorded as soon as the log can.
    fn protect(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        let from = self.state.advance(to).map_err(|wrong| self.wrong(wrong))?;
        self.protected(from, to, why)
    }

    /// Records a step that protects and is taken.
    pub(super) fn protected(
        &self,
        from: PluginState,
        to: PluginState,
        why: &str,
    ) -> Result<(), LifecycleError> {
        let recorded = self.recorder.transition(from, to, why, Weight::Protecting);
        self.service.blueprint.keeper.moved(from, to, why);
        recorded.map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source })
    }

    fn may(&self, to: PluginState) -> Result<(), LifecycleError> {
        self.state.may(to).map_err(|wrong| self.wrong(wrong))
    }

    pub(super) fn wrong(&self, wrong: WrongMove) -> LifecycleError {
        LifecycleError::Move { plugin: self.service.name.clone(), wrong }
    }

    /// A step of the plugin's own: no caller's deadline.
    pub(super) const fn unhurried<'a>(&self, chain: &'a Chain) -> Occasion<'a> {
        Occasion { until: Deadline::NEVER, chain, cancel: None }
    }

    fn now_ns(&self) -> u64 {
        self.service.blueprint.clock.mono_ns()
    }
}
