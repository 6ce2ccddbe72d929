//! One plugin through its states. Steps are taken one at a time; calls run beside one another as far as the
//! plugin's instances allow.

use super::blueprint::Blueprint;
use super::budget::{RESTARTS, RestartBudget, Spent};
use super::error::{LifecycleError, When};
use super::pool::{Lease, NoInstance, Pool};
use super::record::{Recorder, Weight, cause};
use super::service::{Live, Occasion, Service};
use crate::metrics::PluginMetrics;
use crate::plugin::{PluginState, StateCell, WrongMove};
use crate::runtime::{EngineKind, Lifecycle, Terms, Trap};
use crate::sandbox::{InstanceMode, Limits};
use common::audit::Actor;
use common::clock::Deadline;
use common::identity::{IdentityContext, PluginId, PluginIdentity};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How much longer than the plugin's timeout a step waits for calls in flight: an engine ends a call at its
/// deadline, and needs a moment for it.
const GRACE: Duration = Duration::from_secs(1);

/// One plugin, through its states.
pub struct ManagedPlugin {
    service: Service,
    state: StateCell,
    recorder: Recorder,
    /// INVARIANT: the state is looked at under the pool's lock before an instance is lent, and steps that end
    /// service change the state before they look at the pool. So no call runs on an instance such a step handles.
    pool: Pool<Live>,
    /// Held while a step is taken; holds the instance between `initialize` and `start`.
    steps: Mutex<Option<Candidate>>,
    budget: Mutex<RestartBudget>,
    failure: Mutex<Option<Failure>>,
    no_chain: Arc<[PluginId]>,
}

/// An instance on its way into service.
struct Candidate {
    live: Live,
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
        let max = if blueprint.mode == InstanceMode::Shared { 1 } else { blueprint.max_instances.max(1) };
        Self {
            service: Service::new(blueprint),
            state: StateCell::new(state),
            recorder,
            pool: Pool::new(max),
            steps: Mutex::new(None),
            budget: Mutex::default(),
            failure: Mutex::default(),
            no_chain: Arc::from([]),
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
    /// Why it is `Failed`; `None` in every other state.
    pub fn failure(&self) -> Option<String> {
        let (Failure::OfPlugin(text) | Failure::OfHost(text)) = self.failed_by()?;
        Some(text)
    }
    /// Why it is `Failed`, when that is its own fault and is to outlast this process.
    pub fn own_failure(&self) -> Option<String> {
        match self.failed_by()? {
            Failure::OfPlugin(text) => Some(text),
            Failure::OfHost(_) => None,
        }
    }
    fn failed_by(&self) -> Option<Failure> {
        let failure = self.failure.lock();
        (self.state() == PluginState::Failed).then(|| failure.clone()).flatten()
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
    pub fn initialize(&self, chain: &Arc<[PluginId]>) -> Result<(), LifecycleError> {
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
    pub fn start(&self, chain: &Arc<[PluginId]>) -> Result<(), LifecycleError> {
        let mut slot = self.steps.lock();
        let from = self.state();
        let Some(candidate) = slot.take().filter(|_| from == PluginState::Ready) else {
            return Err(self.wrong(WrongMove { from, to: PluginState::Running }));
        };
        let live = self.bring_into_service(candidate, chain).map_err(|e| self.fail(e))?;
        if self.service.blueprint.mode == InstanceMode::Fresh {
            drop(live);
        } else {
            self.pool.add(live);
        }
        self.step(PluginState::Running, "start returned 0").map_err(|e| self.fail(e))
    }

    fn bring_into_service(
        &self,
        candidate: Candidate,
        chain: &Arc<[PluginId]>,
    ) -> Result<Live, LifecycleError> {
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
        let _slot = self.steps.lock();
        self.protect(PluginState::Paused, "asked to pause")?;
        self.pool.wake();
        self.each_idle(Lifecycle::Pause)
    }

    /// `resume` on each instance; then calls are answered again.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin stays `Paused`, and an instance that trapped is dropped.
    pub fn resume(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        let from = self.state();
        if from != PluginState::Paused {
            return Err(self.wrong(WrongMove { from, to: PluginState::Running }));
        }
        self.each_idle(Lifecycle::Resume)?;
        self.step(PluginState::Running, "asked to resume").inspect_err(|_| {
            // What was resumed and stays paused is told so; what that returns is recorded there.
            drop(self.each_idle(Lifecycle::Pause));
        })
    }

    /// New calls are refused, calls in flight finish until the plugin's timeout; then `state_save` and `stop`.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is down all the same, `Failed` when it did not stop by itself.
    pub fn stop(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.protect(PluginState::Stopping, "asked to stop")?;
        self.pool.wake();
        self.quiet().map_err(|e| self.fail(e))?;
        let (mut kept, mut ended) = (Vec::new(), Ok(()));
        for mut live in self.pool.drain() {
            let done = self.service.end(&mut live, self.unhurried(&self.no_chain));
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
        let _slot = self.steps.lock();
        self.may(PluginState::Unloaded)?;
        for mut live in self.pool.drain() {
            let done = self.service.function(&mut live, Lifecycle::Unload, self.unhurried(&self.no_chain));
            drop(done.inspect_err(|e| self.recorder.failure(e)));
        }
        self.step(PluginState::Unloaded, "asked to remove")
    }

    /// Calls an operation. `input` is lent to the instance and given back; `output` is replaced by the result,
    /// and empty when there is none. The call ends at the deadline of `terms` or after the plugin's own timeout,
    /// whichever is first; making an instance for it is part of it. `epoch` is the policy epoch in which the
    /// caller was allowed to call.
    ///
    /// # Errors
    /// [`LifecycleError`]; it is recorded.
    pub fn call(
        &self,
        operation: u16,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        terms: Terms<'_>,
        epoch: u64,
    ) -> Result<(), LifecycleError> {
        let done = self.attempt(operation, (input, output), terms, epoch);
        match &done {
            Ok(()) => self.metrics().call(false),
            Err(error) => {
                output.clear();
                self.recorder.failure(error);
                if !matches!(error, LifecycleError::NotRunning { .. }) {
                    self.metrics().call(true);
                }
            }
        }
        done
    }

    fn attempt(
        &self,
        operation: u16,
        (input, output): (&mut Vec<u8>, &mut Vec<u8>),
        terms: Terms<'_>,
        epoch: u64,
    ) -> Result<(), LifecycleError> {
        let limit = self.limits().payload_bytes;
        if input.len() > limit {
            return Err(LifecycleError::Input { bytes: input.len(), limit });
        }
        let own = self.deadline();
        let hurried = terms.deadline < own;
        let terms = Terms { deadline: own.min(terms.deadline), chain: terms.chain };
        let mut lease = self.lease(terms.deadline)?;
        let on = Occasion { until: terms.deadline, chain: terms.chain };
        let live = match lease.or_make(|| self.service.in_service(on)) {
            Ok(live) => live,
            Err(error) => {
                drop(lease);
                self.lost_to(&error, hurried);
                return Err(error);
            }
        };
        let clock = &self.service.blueprint.clock;
        let began = clock.coarse_ms();
        let outcome = live.execution.operation(operation, input, output, terms);
        let good = matches!(&outcome, Ok(done) if done.status == 0);
        let counted = match live.calls.get_mut(usize::from(operation)) {
            Some(tally) => tally.hit(epoch, good, clock.coarse_ms().saturating_sub(began)),
            None => Ok(()),
        };
        let alive = live.execution.is_alive();
        self.settle(lease);
        if good {
            return counted
                .map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source });
        }
        let when = self.service.blueprint.operations.get(usize::from(operation));
        let judged = self.service.judged(When::Operation(when.cloned().unwrap_or_default()), outcome);
        // A fresh instance ends with its call, however it ends: nothing has to be restarted for it.
        if !alive && self.service.blueprint.mode != InstanceMode::Fresh {
            return judged.inspect_err(|e| self.lost_to(e, hurried));
        }
        judged
    }

    /// A deadline for one call, from now.
    pub fn deadline(&self) -> Deadline {
        self.service.deadline()
    }

    /// The right to use an instance, or to make one.
    fn lease(&self, deadline: Deadline) -> Result<Lease<'_, Live>, LifecycleError> {
        let clock = &*self.service.blueprint.clock;
        let running = || self.state() == PluginState::Running;
        self.pool.take(deadline, clock, running).map_err(|none| match none {
            NoInstance::Busy => LifecycleError::Busy { plugin: self.service.name.clone() },
            NoInstance::Closed => {
                let (plugin, state) = (self.service.name.clone(), self.state());
                LifecycleError::NotRunning { plugin, state, failure: self.failure() }
            }
        })
    }

    /// After a call: the instance goes back, or is dropped when it trapped or was for this call alone.
    fn settle(&self, mut lease: Lease<'_, Live>) {
        let Ok(live) = lease.or_make(|| Err(())) else { return };
        self.metrics().memory(live.execution.usage().memory_bytes);
        if live.execution.is_alive() && self.service.blueprint.mode != InstanceMode::Fresh {
            lease.give_back();
        }
    }

    /// An instance is gone. It counts against the plugin unless the host failed or the caller left less time
    /// than the plugin may take.
    fn lost_to(&self, error: &LifecycleError, hurried: bool) {
        if error.trap().is_some_and(Trap::ends_instance) {
            self.metrics().trap();
        }
        if !error.blames_plugin() || (hurried && matches!(error.trap(), Some(Trap::Deadline))) {
            return;
        }
        let spent = self.budget.lock().lose(self.service.blueprint.clock.coarse_ms());
        if spent == Spent::All {
            let (plugin, last) = (self.service.name.clone(), error.told());
            let spent = LifecycleError::RestartBudget { plugin, restarts: RESTARTS, last };
            // A plugin that is being paused or stopped is already out of service.
            self.fail_from(PluginState::Running, &spent);
        }
    }

    /// Until no call is in flight.
    fn quiet(&self) -> Result<(), LifecycleError> {
        let clock = &*self.service.blueprint.clock;
        let until = Deadline::after(clock, self.limits().timeout.saturating_add(GRACE));
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

    /// `Failed`, if it still is in this state: its instances are given up, the reason is kept and recorded.
    fn fail_from(&self, from: PluginState, error: &LifecycleError) {
        let mut failure = self.failure.lock();
        if self.state.advance_from(from, PluginState::Failed).is_err() {
            return;
        }
        let own = error.blames_plugin();
        *failure = Some(if own { Failure::OfPlugin(error.told()) } else { Failure::OfHost(error.told()) });
        drop(failure);
        drop(self.pool.abandon());
        self.recorder.failure(error);
        // A protecting record is never refused.
        drop(self.recorder.transition(from, PluginState::Failed, &cause(error), Weight::Protecting));
    }

    /// A step that is recorded first, or not taken. Taken under the lock of steps, from a state that no call
    /// changes.
    fn step(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        let from = self.state();
        self.may(to)?;
        let recorded = self.recorder.transition(from, to, why, Weight::Ordinary);
        recorded
            .map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source })?;
        self.state.advance_from(from, to).map_err(|wrong| self.wrong(wrong))
    }

    /// A step that protects: always taken, recorded as soon as the log can.
    fn protect(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        let from = self.state.advance(to).map_err(|wrong| self.wrong(wrong))?;
        let recorded = self.recorder.transition(from, to, why, Weight::Protecting);
        recorded.map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source })
    }

    fn may(&self, to: PluginState) -> Result<(), LifecycleError> {
        self.state.may(to).map_err(|wrong| self.wrong(wrong))
    }

    fn wrong(&self, wrong: WrongMove) -> LifecycleError {
        LifecycleError::Move { plugin: self.service.name.clone(), wrong }
    }

    /// A step of the plugin's own: no caller's deadline.
    const fn unhurried<'a>(&self, chain: &'a Arc<[PluginId]>) -> Occasion<'a> {
        Occasion { until: Deadline::NEVER, chain }
    }

    fn now_ns(&self) -> u64 {
        self.service.blueprint.clock.mono_ns()
    }
}
