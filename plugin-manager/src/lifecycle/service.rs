//! One instance of a plugin: made, brought into service, taken out of it. No state of the plugin changes here.

use super::blueprint::{Blueprint, Saved, VaultFailure};
use super::error::{LifecycleError, STATE_LOAD, When};
use super::record::Recorder;
use crate::runtime::{CallOutcome, Execution, Lifecycle, Terms, Trap};
use crate::sandbox::InstanceMode;
use crate::syscall::Chain;
use common::audit::{Actor, Tally};
use common::cancel::{CancelToken, Derived};
use common::clock::Deadline;
use common::identity::IdentityContext;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One instance with its counters.
pub(super) struct Live {
    pub execution: Execution,
    pub calls: Vec<Tally>,
}

/// For whom the plugin's own functions run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion<'a> {
    /// By when they must all be done, beside each function's own timeout.
    pub until: Deadline,
    /// The plugins that called one another to get here.
    pub chain: &'a Chain,
    /// Ends them when the caller gives up for whom they run.
    pub cancel: Option<&'a CancelToken>,
}

/// Makes instances of one plugin and runs its lifecycle functions on them.
#[derive(Debug)]
pub(super) struct Service {
    pub blueprint: Blueprint,
    pub name: String,
    /// Ends whatever runs of the plugin, for good.
    pub over: Derived,
    made: AtomicU64,
}

impl Service {
    /// The service of this plugin.
    pub fn new(blueprint: Blueprint) -> Self {
        let name = blueprint.identity.name.to_string();
        Self {
            over: blueprint.over.derive().and(blueprint.warrant.over()),
            blueprint,
            name,
            made: AtomicU64::new(0),
        }
    }

    /// A deadline for one function, from now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(&*self.blueprint.clock, self.blueprint.limits.timeout)
    }

    /// A new instance after `_initialize` and `init`.
    pub fn initialized(&self, on: Occasion<'_>) -> Result<Live, LifecycleError> {
        let mut live = self.make(on)?;
        let done = live.execution.initialize(self.terms(on));
        self.judged(When::Function("_initialize"), done)?;
        self.function(&mut live, Lifecycle::Init, on)?;
        Ok(live)
    }

    /// A new instance that answers calls.
    pub fn in_service(&self, on: Occasion<'_>) -> Result<Live, LifecycleError> {
        let began = self.blueprint.clock.mono_ns();
        let mut live = self.initialized(on)?;
        self.begin(&mut live, on)?;
        let took = self.blueprint.clock.mono_ns().saturating_sub(began);
        self.blueprint.metrics.instance(Duration::from_nanos(took));
        Ok(live)
    }

    /// A new instance after `start`, which no saved state was given to.
    pub fn started(&self, on: Occasion<'_>) -> Result<Live, LifecycleError> {
        let mut live = self.initialized(on)?;
        self.function(&mut live, Lifecycle::Start, on)?;
        Ok(live)
    }

    /// `start`, then the saved state for a shared instance that can load it.
    pub fn begin(&self, live: &mut Live, on: Occasion<'_>) -> Result<(), LifecycleError> {
        self.function(live, Lifecycle::Start, on)?;
        if !self.loads_state() {
            return Ok(());
        }
        match self.last_state()? {
            Some(mut state) => self.load(live, &mut state, on),
            None => Ok(()),
        }
    }

    /// Whether a saved state is given to its instance.
    pub fn loads_state(&self) -> bool {
        self.blueprint.mode == InstanceMode::Shared && self.blueprint.plan.state_load
    }
    /// Whether the state of its instance is saved.
    pub fn saves_state(&self) -> bool {
        self.blueprint.mode == InstanceMode::Shared && self.blueprint.plan.state_save
    }

    /// The state saved last.
    pub fn last_state(&self) -> Result<Option<Saved>, LifecycleError> {
        self.blueprint.vault.load().map_err(|source| self.vault_error(source))
    }

    /// `state_load` of this state.
    pub fn load(&self, live: &mut Live, state: &mut Saved, on: Occasion<'_>) -> Result<(), LifecycleError> {
        let done = live.execution.state_load(&mut state.bytes, &state.version, self.terms(on));
        self.judged(When::Function(STATE_LOAD), done)
    }

    /// The state of a shared instance that can save it, then `stop`, whatever became of the state.
    pub fn end(&self, live: &mut Live, on: Occasion<'_>) -> Result<(), LifecycleError> {
        let saved = self.save(live, on);
        if !live.execution.is_alive() {
            return saved;
        }
        saved.and(self.function(live, Lifecycle::Stop, on))
    }

    fn save(&self, live: &mut Live, on: Occasion<'_>) -> Result<(), LifecycleError> {
        if !self.saves_state() {
            return Ok(());
        }
        let state = self.state_of(live, on)?;
        self.blueprint.vault.save(&state).map_err(|source| self.vault_error(source))
    }

    /// What `state_save` writes.
    pub fn state_of(&self, live: &mut Live, on: Occasion<'_>) -> Result<Vec<u8>, LifecycleError> {
        let mut state = Vec::new();
        let done = live.execution.state_save(&mut state, self.terms(on));
        self.judged(When::Function("state_save"), done).map(|()| state)
    }

    /// Forgets a saved state the plugin refuses to load: recorded first, or not done.
    pub fn discard_state(&self, recorder: &Recorder) -> Result<(), LifecycleError> {
        let unrecorded = |source| LifecycleError::Unrecorded { plugin: self.name.clone(), source };
        recorder.discarded_state().map_err(unrecorded)?;
        self.blueprint.vault.discard().map_err(|source| self.vault_error(source))
    }

    /// Runs a lifecycle function.
    pub fn function(
        &self,
        live: &mut Live,
        function: Lifecycle,
        on: Occasion<'_>,
    ) -> Result<(), LifecycleError> {
        let done = live.execution.lifecycle(function, self.terms(on));
        self.judged(When::Function(function.name()), done)
    }

    /// What became of a function or operation.
    pub fn judged(&self, when: When, done: Result<CallOutcome, Trap>) -> Result<(), LifecycleError> {
        let plugin = self.name.clone();
        match done {
            Ok(CallOutcome { status: 0, .. }) => Ok(()),
            Ok(CallOutcome { status, failure }) => {
                Err(LifecycleError::Status { plugin, when, status, failure })
            }
            Err(Trap::Cancelled | Trap::Unwanted) if self.over.token().is_cancelled() => {
                Err(match self.blueprint.warrant.holds() {
                    Err(withdrawn) => LifecycleError::Withdrawn { plugin, withdrawn },
                    Ok(()) => LifecycleError::Ended { plugin, when },
                })
            }
            Err(trap) => Err(LifecycleError::Trapped { plugin, when, trap }),
        }
    }

    fn make(&self, on: Occasion<'_>) -> Result<Live, LifecycleError> {
        let b = &self.blueprint;
        let withdrawn = |withdrawn| LifecycleError::Withdrawn { plugin: self.name.clone(), withdrawn };
        b.warrant.holds().map_err(withdrawn)?;
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let port = (b.ports)(number);
        let execution = Execution::new(
            &*b.engine,
            &b.module,
            &b.plan,
            &b.limits,
            port,
            self.over.token(),
            self.terms(on),
        )
        .map_err(|source| LifecycleError::Instantiate { plugin: self.name.clone(), source })?;
        let mut identity = b.identity.clone();
        identity.instance = number;
        let actor = Actor::new(&IdentityContext::plugin(identity));
        let tally = |name: &String| b.audit.tally(&actor, &format!("call:{name}"), "operation");
        Ok(Live { execution, calls: b.operations.iter().map(tally).collect() })
    }

    /// Each function of the plugin's own has its own timeout, within what the occasion leaves.
    fn terms<'a>(&self, on: Occasion<'a>) -> Terms<'a> {
        Terms { deadline: self.deadline().min(on.until), chain: on.chain, cancel: on.cancel }
    }

    fn vault_error(&self, source: VaultFailure) -> LifecycleError {
        LifecycleError::Vault { plugin: self.name.clone(), source }
    }
}
