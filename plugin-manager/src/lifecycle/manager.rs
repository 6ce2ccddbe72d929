//! One plugin through its states. Steps are taken one at a time; calls run beside one another as far as the
//! plugin's instances allow.

use super::budget::{RESTARTS, RestartBudget, Spent};
use super::error::{LifecycleError, When};
use super::pool::{Checkout, Pool};
use super::record::{Recorder, Weight};
use crate::metrics::PluginMetrics;
use crate::plugin::{PluginState, StateCell, WrongMove};
use crate::runtime::{
    CallOutcome, CompiledModule, Engine, Entry, Execution, ExportPlan, Lifecycle, Terms, Trap,
};
use crate::sandbox::{InstanceMode, Limits};
use crate::syscall::SyscallPort;
use common::audit::{Actor, AuditLog, Tally};
use common::clock::{Clock, Deadline};
use common::identity::{IdentityContext, PluginId, PluginIdentity};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes the port of the instance with this number.
pub type PortMaker = Box<dyn Fn(u64) -> Box<dyn SyscallPort> + Send + Sync>;

/// Where a plugin's saved state is kept between instances.
pub trait StateVault: Send + Sync {
    /// The state saved last.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&self) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>>;
    /// Keeps a state.
    ///
    /// # Errors
    /// When it cannot be kept; the one before is then still there.
    fn save(&self, state: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Everything a plugin needs to be brought up.
pub struct Blueprint {
    /// Who it is; instances get their own numbers.
    pub identity: PluginIdentity,
    /// The engine it runs on.
    pub engine: Arc<dyn Engine>,
    /// Its module, compiled by that engine.
    pub module: CompiledModule,
    /// The exports that may be called.
    pub plan: ExportPlan,
    /// Names of its operations, in the order of the plan.
    pub operations: Vec<String>,
    /// The limits of each instance.
    pub limits: Limits,
    /// How instances are kept.
    pub mode: InstanceMode,
    /// How many instances there may be at once.
    pub max_instances: usize,
    /// Makes ports.
    pub ports: PortMaker,
    /// Where its life is recorded.
    pub audit: AuditLog,
    /// The clock of its deadlines.
    pub clock: Arc<dyn Clock>,
    /// Its counters.
    pub metrics: Arc<PluginMetrics>,
    /// Where its state is kept.
    pub vault: Arc<dyn StateVault>,
}

impl fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blueprint").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// One instance with its counters.
struct Live {
    execution: Execution,
    calls: Vec<Tally>,
}

/// One plugin, through its states.
pub struct ManagedPlugin {
    blueprint: Blueprint,
    name: String,
    state: StateCell,
    recorder: Recorder,
    pool: Pool<Live>,
    /// Held while a step is taken; holds the instance between `initialize` and `start`.
    steps: Mutex<Option<Live>>,
    budget: Mutex<RestartBudget>,
    failure: Mutex<Option<String>>,
    instances: AtomicU64,
    no_chain: Arc<[PluginId]>,
}

impl fmt::Debug for ManagedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedPlugin")
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl ManagedPlugin {
    /// A plugin that stands in this state (`Created` when new) and has no instance.
    pub fn new(blueprint: Blueprint, state: PluginState) -> Self {
        let name = blueprint.identity.name.to_string();
        let actor = Actor::new(&IdentityContext::plugin(blueprint.identity.clone()));
        let recorder = Recorder::new(blueprint.audit.clone(), actor, name.clone());
        let max = if blueprint.mode == InstanceMode::Shared { 1 } else { blueprint.max_instances.max(1) };
        Self {
            name,
            state: StateCell::new(state),
            recorder,
            pool: Pool::new(max),
            steps: Mutex::new(None),
            budget: Mutex::default(),
            failure: Mutex::default(),
            instances: AtomicU64::new(0),
            no_chain: Arc::from([]),
            blueprint,
        }
    }

    /// Who it is.
    pub fn identity(&self) -> &PluginIdentity {
        &self.blueprint.identity
    }
    /// The state it is in.
    pub fn state(&self) -> PluginState {
        self.state.get()
    }
    /// Why it is `Failed`, when it is.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }
    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.blueprint.limits
    }
    /// Its counters.
    pub fn metrics(&self) -> &Arc<PluginMetrics> {
        &self.blueprint.metrics
    }
    /// The index of an operation.
    ///
    /// # Errors
    /// [`LifecycleError::NoOperation`].
    pub fn operation(&self, name: &str) -> Result<u16, LifecycleError> {
        let index =
            self.blueprint.operations.iter().position(|o| o == name).and_then(|i| u16::try_from(i).ok());
        index.ok_or_else(|| LifecycleError::NoOperation {
            plugin: self.name.clone(),
            operation: name.to_owned(),
        })
    }

    /// `_initialize` and `init`: to `Ready`.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is `Failed` when it is the plugin's fault.
    pub fn initialize(&self) -> Result<(), LifecycleError> {
        let mut slot = self.steps.lock();
        self.step(PluginState::Initializing, "asked to start")?;
        self.budget.lock().reset();
        *self.failure.lock() = None;
        for stopped in self.pool.drain() {
            drop(stopped);
        }
        let began = self.blueprint.clock.mono_ns();
        let live = self.make().and_then(|mut live| self.init(&mut live).map(|()| live));
        let live = live.map_err(|e| self.fail(e))?;
        let took = self.blueprint.clock.mono_ns().saturating_sub(began);
        self.blueprint.metrics.instance(std::time::Duration::from_nanos(took));
        *slot = Some(live);
        self.step(PluginState::Ready, "init returned 0").map_err(|e| self.fail(e))
    }

    /// `start`, and `state_load` of the state saved last: to `Running`.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is `Failed` when it is the plugin's fault.
    pub fn start(&self) -> Result<(), LifecycleError> {
        let mut slot = self.steps.lock();
        self.may(PluginState::Running)?;
        if self.state() == PluginState::Paused {
            return Err(self.wrong(WrongMove { from: PluginState::Paused, to: PluginState::Initializing }));
        }
        let started = match slot.take() {
            Some(mut live) => self.begin_service(&mut live).map(|()| live),
            None => Err(self.wrong(WrongMove { from: self.state(), to: PluginState::Running })),
        };
        let live = started.map_err(|e| self.fail(e))?;
        self.step(PluginState::Running, "start returned 0").map_err(|e| self.fail(e))?;
        self.pool.enlist();
        self.release(live);
        Ok(())
    }

    /// Calls in flight finish, new ones are refused; then `pause` on each instance.
    ///
    /// # Errors
    /// [`LifecycleError::Move`]; or what `pause` returned, and the plugin is `Paused` all the same.
    pub fn pause(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.protect(PluginState::Paused, "asked to pause")?;
        self.each_idle(Lifecycle::Pause)
    }

    /// `resume` on each instance; then calls are answered again.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin stays `Paused`.
    pub fn resume(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        if self.state() != PluginState::Paused {
            return Err(self.wrong(WrongMove { from: self.state(), to: PluginState::Running }));
        }
        self.each_idle(Lifecycle::Resume)?;
        self.step(PluginState::Running, "asked to resume")
    }

    /// New calls are refused, calls in flight finish until the plugin's timeout; then `state_save` and `stop`.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is down all the same, `Failed` when it did not stop by itself.
    pub fn stop(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.protect(PluginState::Stopping, "asked to stop")?;
        if self.pool.quiet(self.deadline(), &*self.blueprint.clock) > 0 {
            return Err(self.fail(LifecycleError::Busy { plugin: self.name.clone() }));
        }
        let mut kept = Vec::new();
        let mut failed = None;
        for mut live in self.pool.drain() {
            match self.end_service(&mut live) {
                Ok(()) => kept.push(live),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(e) = failed {
            return Err(self.fail(e));
        }
        self.protect(PluginState::Stopped, "stop returned 0")?;
        kept.into_iter().for_each(|live| self.keep(live));
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
            if let Err(e) = self.function(&mut live, Lifecycle::Unload) {
                self.recorder.failure(&e, &When::Function(Lifecycle::Unload.name()));
            }
        }
        self.step(PluginState::Unloaded, "asked to remove")
    }

    /// Calls an operation. `input` is lent to the instance and given back; `output` is replaced by the result.
    ///
    /// # Errors
    /// [`LifecycleError`]; the call's failure is recorded.
    pub fn call(
        &self,
        operation: u16,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        terms: Terms<'_>,
    ) -> Result<(), LifecycleError> {
        let state = self.state();
        if state != PluginState::Running {
            return Err(LifecycleError::NotRunning { plugin: self.name.clone(), state });
        }
        let limit = self.blueprint.limits.payload_bytes;
        if input.len() > limit {
            return Err(LifecycleError::Input { bytes: input.len(), limit });
        }
        let mut live = self.checkout(terms.deadline)?;
        let clock = &self.blueprint.clock;
        let began = clock.coarse_ms();
        let outcome = live.execution.operation(operation, input, output, terms);
        let good = matches!(outcome, Ok(CallOutcome { status: 0, .. }));
        let counted = match live.calls.get_mut(usize::from(operation)) {
            Some(tally) => tally.hit(0, good, clock.coarse_ms().saturating_sub(began)),
            None => Ok(()),
        };
        self.blueprint.metrics.call(!good);
        self.settle(live, operation, outcome)?;
        counted.map_err(|source| LifecycleError::Unrecorded { plugin: self.name.clone(), source })
    }

    /// A deadline for one function, from now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(&*self.blueprint.clock, self.blueprint.limits.timeout)
    }

    /// After a call: the instance goes back, or is dropped; a failure is recorded and counted.
    fn settle(
        &self,
        live: Live,
        operation: u16,
        outcome: Result<CallOutcome, Trap>,
    ) -> Result<(), LifecycleError> {
        let plugin = || self.name.clone();
        let when = || {
            let name = self.blueprint.operations.get(usize::from(operation)).cloned().unwrap_or_default();
            When::Operation(name)
        };
        let error = match outcome {
            Ok(CallOutcome { status: 0, .. }) => {
                self.release(live);
                return Ok(());
            }
            Ok(CallOutcome { status, failure }) => {
                self.release(live);
                LifecycleError::Status { plugin: plugin(), when: when(), status, failure }
            }
            Err(trap) => {
                drop(live);
                LifecycleError::Trapped { plugin: plugin(), when: when(), trap }
            }
        };
        self.recorder.failure(&error, &when());
        if matches!(error, LifecycleError::Trapped { .. }) {
            self.instance_lost();
        }
        Err(error)
    }

    fn instance_lost(&self) {
        self.blueprint.metrics.trap();
        self.pool.lost();
        let spent = self.budget.lock().lose(self.blueprint.clock.coarse_ms());
        if spent == Spent::All {
            drop(self.fail(LifecycleError::RestartBudget { plugin: self.name.clone(), restarts: RESTARTS }));
        }
    }

    /// A free instance, or a new one in service.
    fn checkout(&self, deadline: Deadline) -> Result<Live, LifecycleError> {
        match self.pool.take(deadline, &*self.blueprint.clock) {
            Checkout::Idle(live) => Ok(live),
            Checkout::Busy => Err(LifecycleError::Busy { plugin: self.name.clone() }),
            Checkout::Make => self.new_in_service().inspect_err(|error| {
                self.recorder.failure(error, &When::Function("init"));
                self.instance_lost();
            }),
        }
    }

    fn new_in_service(&self) -> Result<Live, LifecycleError> {
        let began = self.blueprint.clock.mono_ns();
        let mut live = self.make()?;
        self.init(&mut live)?;
        self.begin_service(&mut live)?;
        let took = self.blueprint.clock.mono_ns().saturating_sub(began);
        self.blueprint.metrics.instance(std::time::Duration::from_nanos(took));
        Ok(live)
    }

    /// Back to the pool; a fresh instance ends with its call.
    fn release(&self, mut live: Live) {
        self.blueprint.metrics.memory(live.execution.usage().memory_bytes);
        if self.blueprint.mode == InstanceMode::Fresh {
            drop(live);
            self.pool.lost();
        } else {
            self.pool.give_back(live);
        }
    }

    /// Back to the pool after a drain.
    fn keep(&self, live: Live) {
        self.pool.enlist();
        self.pool.give_back(live);
    }

    fn make(&self) -> Result<Live, LifecycleError> {
        let b = &self.blueprint;
        let number = self.instances.fetch_add(1, Ordering::Relaxed) + 1;
        let port = (b.ports)(number);
        let execution = Execution::new(&*b.engine, &b.module, &b.plan, &b.limits, port, self.terms())
            .map_err(|source| LifecycleError::Instantiate { plugin: self.name.clone(), source })?;
        let mut identity = b.identity.clone();
        identity.instance = number;
        let actor = Actor::new(&IdentityContext::plugin(identity));
        let tally = |name: &String| b.audit.tally(&actor, &format!("call:{name}"), "operation");
        Ok(Live { execution, calls: b.operations.iter().map(tally).collect() })
    }

    /// A function of the plugin's own has its own deadline and no caller.
    fn terms(&self) -> Terms<'_> {
        Terms { deadline: self.deadline(), chain: &self.no_chain }
    }

    fn init(&self, live: &mut Live) -> Result<(), LifecycleError> {
        let done = live.execution.initialize(self.terms());
        self.judged(When::Function("_initialize"), done)?;
        self.function(live, Lifecycle::Init)
    }

    /// `start`, then the saved state for a shared instance that can load it.
    fn begin_service(&self, live: &mut Live) -> Result<(), LifecycleError> {
        self.function(live, Lifecycle::Start)?;
        if self.blueprint.mode != InstanceMode::Shared || !live.execution.has(Entry::StateLoad) {
            return Ok(());
        }
        let loaded = self.blueprint.vault.load().map_err(|source| self.vault_error(source))?;
        let Some(mut state) = loaded else { return Ok(()) };
        let done = live.execution.state_load(&mut state, self.terms());
        self.judged(When::Function("state_load"), done)
    }

    /// The state of a shared instance that can save it, then `stop`.
    fn end_service(&self, live: &mut Live) -> Result<(), LifecycleError> {
        if self.blueprint.mode == InstanceMode::Shared && live.execution.has(Entry::StateSave) {
            let mut state = Vec::new();
            let done = live.execution.state_save(&mut state, self.terms());
            self.judged(When::Function("state_save"), done)?;
            self.blueprint.vault.save(&state).map_err(|source| self.vault_error(source))?;
        }
        self.function(live, Lifecycle::Stop)
    }

    fn vault_error(&self, source: Box<dyn std::error::Error + Send + Sync>) -> LifecycleError {
        LifecycleError::Vault { plugin: self.name.clone(), source }
    }

    fn function(&self, live: &mut Live, function: Lifecycle) -> Result<(), LifecycleError> {
        let done = live.execution.lifecycle(function, self.terms());
        self.judged(When::Function(function.name()), done)
    }

    fn judged(&self, when: When, done: Result<CallOutcome, Trap>) -> Result<(), LifecycleError> {
        let plugin = self.name.clone();
        match done {
            Ok(CallOutcome { status: 0, .. }) => Ok(()),
            Ok(CallOutcome { status, failure }) => {
                Err(LifecycleError::Status { plugin, when, status, failure })
            }
            Err(trap) => Err(LifecycleError::Trapped { plugin, when, trap }),
        }
    }

    /// Runs a function on every instance once none is lent out. One that fails is dropped and recorded.
    fn each_idle(&self, function: Lifecycle) -> Result<(), LifecycleError> {
        if self.pool.quiet(self.deadline(), &*self.blueprint.clock) > 0 {
            return Err(LifecycleError::Busy { plugin: self.name.clone() });
        }
        let mut failed = None;
        for mut live in self.pool.drain() {
            let done = self.function(&mut live, function);
            match done {
                Ok(()) => self.keep(live),
                Err(e) => {
                    self.recorder.failure(&e, &When::Function(function.name()));
                    failed = failed.or(Some(e));
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The plugin is `Failed`, for this reason, which is returned.
    fn fail(&self, error: LifecycleError) -> LifecycleError {
        if self.protect(PluginState::Failed, "see the record before").is_ok() {
            self.recorder.failure(&error, &When::Function("lifecycle"));
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text.push_str(": ");
                text.push_str(&source.to_string());
            }
            *self.failure.lock() = Some(text);
        }
        error
    }

    /// A step that is recorded first, or not taken.
    fn step(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        self.may(to)?;
        let recorded = self.recorder.transition(self.state(), to, why, Weight::Ordinary);
        recorded.map_err(|source| LifecycleError::Unrecorded { plugin: self.name.clone(), source })?;
        self.state.advance(to).map(drop).map_err(|wrong| self.wrong(wrong))
    }

    /// A step that protects: always taken, recorded as soon as the log can.
    fn protect(&self, to: PluginState, why: &str) -> Result<(), LifecycleError> {
        let from = self.state.advance(to).map_err(|wrong| self.wrong(wrong))?;
        let recorded = self.recorder.transition(from, to, why, Weight::Protecting);
        recorded.map_err(|source| LifecycleError::Unrecorded { plugin: self.name.clone(), source })
    }

    fn may(&self, to: PluginState) -> Result<(), LifecycleError> {
        self.state.may(to).map_err(|wrong| self.wrong(wrong))
    }

    fn wrong(&self, wrong: WrongMove) -> LifecycleError {
        LifecycleError::Move { plugin: self.name.clone(), wrong }
    }
}
