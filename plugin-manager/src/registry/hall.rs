//! The map of plugins that are up, over the parts they share; who may call them.

use super::call::AsyncCall;
use super::call_threads::{CallThreads, Sizes};
use super::denials::Denials;
use super::drain::Drains;
use super::error::HostError;
use super::events::EventKind;
use super::host::Host;
use super::operator::Operator;
use super::router::{Router, keep};
use super::shutdown::Hurry;
use super::trial::{RunningTrial, Tried};
use super::turns::Turns;
use crate::config::Limits;
use crate::lifecycle::{LifecycleError, ManagedPlugin};
use crate::plugin::PluginState;
use crate::runtime::Terms;
use crate::store::InstalledPlugin;
use crate::syscall::Chain;
use arc_swap::ArcSwapOption;
use common::cancel::CancelToken;
use common::clock::Deadline;
use common::config::nearest;
use common::error::{ForgeError, codes};
use common::identity::Name;
use dashmap::DashMap;
use microkernel::trust::ManagementAction;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The plugins that are up.
#[derive(Debug)]
pub(super) struct Hall {
    pub host: Arc<Host>,
    /// Who opened the home: plugins that call plugins are brought up for it.
    pub opener: Arc<Operator>,
    loaded: DashMap<String, Arc<Loaded>>,
    /// They run the calls of callers that do not wait on a thread of their own.
    pub call_threads: CallThreads<AsyncCall>,
    turns: Turns,
    /// Whether the plugin directory is being watched.
    pub watched: AtomicBool,
    /// Versions on trial, by the name of their plugin.
    pub trials: DashMap<String, Arc<RunningTrial>>,
    /// Threads of trials that ended by themselves, as far as they still run: they keep the home open.
    pub ending: Mutex<Vec<JoinHandle<()>>>,
    /// Versions that were replaced and still finish calls.
    pub drains: Arc<Drains>,
    /// Held for reading while a plugin is brought up, so that none comes up once this says closing.
    door: RwLock<Door>,
    /// Set before whoever closes the door waits for it.
    closing: AtomicBool,
    /// By when a shutdown that is under way is to be over.
    pub hurry: Hurry,
    no_chain: Chain,
    /// Kept here: the services hold it weakly.
    _router: Arc<Router>,
}

/// Whether plugins may still be brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// They may.
    Open,
    /// The host is being shut down.
    Closing,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Called {
    /// It is answered.
    Done,
    /// It has not begun: another version took the plugin's place, and is to be found under its name.
    Elsewhere,
}

/// What a caller allows its call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<'a> {
    pub deadline: Deadline,
    pub cancel: Option<&'a CancelToken>,
    /// The chain the call is the beginning of, when it is part of a trace.
    pub chain: Option<&'a Chain>,
}

impl Within<'_> {
    /// As long as the plugin may take.
    pub const ANY: Self = Self { deadline: Deadline::NEVER, cancel: None, chain: None };
}

/// A plugin that was loaded, and who was allowed to call it last, in which policy epoch.
#[derive(Debug)]
pub(super) struct Loaded {
    pub plugin: ManagedPlugin,
    pub denials: Arc<Denials>,
    /// The mark of that operator and epoch; 0 is none.
    allowed: AtomicU64,
    /// Whether there is a trial beside it; looked at in every call.
    pub on_trial: AtomicBool,
    pub trial: ArcSwapOption<RunningTrial>,
}

impl Loaded {
    /// A plugin nobody was allowed to call yet.
    pub fn new(plugin: ManagedPlugin, denials: Arc<Denials>) -> Self {
        let (allowed, on_trial) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { plugin, denials, allowed, on_trial, trial: ArcSwapOption::empty() }
    }
    /// Calls it, or for a part of the calls the version on trial beside it.
    fn call(&self, call: Tried<'_>) -> Result<(), LifecycleError> {
        if self.on_trial.load(Ordering::Relaxed)
            && let Some(trial) = &*self.trial.load()
        {
            return trial.call(self, call);
        }
        let Tried { operation, input, output, terms, epoch } = call;
        self.plugin.call(operation, input, output, terms, epoch)
    }
    pub fn name(&self) -> &str {
        self.plugin.identity().name.as_str()
    }
    /// The error for a plugin that does not answer calls.
    pub fn not_running(&self) -> HostError {
        let (name, failure) = (self.name().to_owned(), self.plugin.failure());
        HostError::NotRunning { name, state: self.plugin.state(), failure }
    }
}

/// How many call threads there may be, and how many calls may wait for one.
fn sizes(limits: &Limits) -> Sizes {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Sizes {
        threads: limits.call_threads.map_or(cores.saturating_mul(2), wide),
        queue: wide(limits.call_queue),
    }
}

impl Hall {
    /// A hall over these parts; plugins find each other through it.
    pub fn over(host: Arc<Host>, opener: Arc<Operator>) -> Arc<Self> {
        Arc::new_cyclic(|weak| {
            let router = Arc::new(Router(weak.clone()));
            host.services.router.install(keep(&router));
            Self {
                call_threads: CallThreads::new(sizes(&host.config.limits)),
                host,
                opener,
                loaded: DashMap::new(),
                turns: Turns::default(),
                watched: AtomicBool::new(false),
                trials: DashMap::new(),
                ending: Mutex::default(),
                drains: Arc::default(),
                door: RwLock::new(Door::Open),
                closing: AtomicBool::new(false),
                hurry: Hurry::default(),
                no_chain: Chain::new(),
                _router: router,
            }
        })
    }

    /// A plugin that is up, or failed since it was.
    pub fn loaded(&self, name: &str) -> Option<Arc<Loaded>> {
        self.loaded.get(name).map(|entry| entry.value().clone())
    }
    /// Puts a plugin that is up.
    pub fn put(&self, loaded: Arc<Loaded>) {
        self.loaded.insert(loaded.name().to_owned(), loaded);
    }
    /// Takes a plugin out.
    pub fn take(&self, name: &str) {
        self.loaded.remove(name);
    }
    /// The names of the plugins that are up, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.loaded.iter().map(|entry| entry.key().clone()).collect();
        names.sort();
        names
    }
    /// No chain of calls.
    pub const fn no_chain(&self) -> &Chain {
        &self.no_chain
    }

    /// Does a job of management of this plugin when its turn comes.
    pub fn in_turn<T>(
        &self,
        name: &str,
        wait: Option<Duration>,
        job: impl FnOnce() -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        let busy = || Err(HostError::Busy(name.to_owned()).into());
        self.turns.run(name, wait, job).unwrap_or_else(busy)
    }

    /// Does a job that brings a plugin up, unless the host is being shut down.
    pub fn while_open<T>(&self, job: impl FnOnce() -> Result<T, ForgeError>) -> Result<T, ForgeError> {
        // A plugin that is brought up may bring up another on the same thread.
        let door = self.door.read_recursive();
        if self.is_closing() || *door == Door::Closing { Err(HostError::Closing.into()) } else { job() }
    }
    /// From now on no plugin is brought up. Waits for those that are being brought up.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        *self.door.write() = Door::Closing;
    }
    /// The same, waiting at most this long. Whether none is being brought up any more.
    pub fn close_within(&self, wait: Duration) -> bool {
        self.closing.store(true, Ordering::Release);
        self.door.try_write_for(wait).map(|mut door| *door = Door::Closing).is_some()
    }
    /// Whether no plugin is brought up any more.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The row of an installed plugin.
    pub fn row(&self, name: &str) -> Result<InstalledPlugin, ForgeError> {
        let missing = || ForgeError::from(HostError::NoPlugin(name.chars().take(80).collect()));
        let name = Name::new(name).map_err(|_| missing())?;
        self.host.row(&name)?.ok_or_else(missing)
    }

    /// What an operator is told of a plugin that is not there: with the nearest that is.
    pub fn advised(&self, name: &str, error: ForgeError) -> ForgeError {
        if error.code() != &codes::E5001 {
            return error;
        }
        let rows = self.host.rows().unwrap_or_default();
        match nearest(name, rows.iter().map(|row| row.plugin.name.as_str())) {
            Some(near) => error.with_help(format!("did you mean `{near}`? {}", codes::E5001.help)),
            None => error,
        }
    }

    /// The policy epoch in which the operator may call it: decided once in each, as long as no other operator
    /// calls it meanwhile.
    pub fn may_call(&self, loaded: &Loaded, operator: &Operator) -> Result<u64, ForgeError> {
        let epoch = self.host.bridge.evaluator().epoch();
        let mark = operator.mark(epoch).unwrap_or(0);
        if mark == 0 || loaded.allowed.load(Ordering::Acquire) != mark {
            let desk = self.host.desk(operator);
            let job = || desk.authorise(ManagementAction::Call, loaded.name());
            desk.recorded(ManagementAction::Call, loaded.name(), job)?;
            loaded.allowed.store(mark, Ordering::Release);
        }
        Ok(epoch)
    }

    /// Calls a plugin for an operator who may call it.
    #[inline]
    pub fn call(
        &self,
        loaded: &Arc<Loaded>,
        operator: &Operator,
        operation: u16,
        (input, output): (&mut Vec<u8>, &mut Vec<u8>),
        within: Within<'_>,
    ) -> Result<Called, ForgeError> {
        let epoch = self.may_call(loaded, operator)?;
        let chain = within.chain.unwrap_or(&self.no_chain);
        let terms = Terms { deadline: within.deadline, chain, cancel: within.cancel };
        match loaded.call(Tried { operation, input, output, terms, epoch }) {
            Ok(()) => Ok(Called::Done),
            Err(LifecycleError::Superseded { .. }) => Ok(Called::Elsewhere),
            Err(error) => {
                self.after_failure(loaded, self.host.config.default_timeout.0);
                Err(error.into())
            }
        }
    }

    /// Calls a plugin that is up on behalf of another plugin, which the bridge has permitted.
    pub fn call_for_plugin(
        &self,
        loaded: &Arc<Loaded>,
        operation: &str,
        input: &[u8],
        terms: Terms<'_>,
    ) -> Result<Vec<u8>, LifecycleError> {
        let operation = loaded.plugin.operation(operation)?;
        let (mut input, mut output) = (input.to_vec(), Vec::new());
        let epoch = self.host.bridge.evaluator().epoch();
        let call = Tried { operation, input: &mut input, output: &mut output, terms, epoch };
        let done = loaded.call(call);
        done.map(|()| output).inspect_err(|_| {
            let left = terms.deadline.remaining(&*self.host.clock);
            self.after_failure(loaded, left.unwrap_or(self.host.config.default_timeout.0));
        })
    }

    /// A plugin whose call spent its restart budget stays `Failed` when this process is gone.
    #[cold]
    pub fn after_failure(&self, loaded: &Arc<Loaded>, wait: Duration) {
        if !matches!(loaded.plugin.state(), PluginState::Failed | PluginState::Quarantined) {
            return;
        }
        // Whoever has the turn for longer than that takes the plugin down or up and sees its state.
        let kept = self.in_turn(loaded.name(), Some(wait), || {
            let same = self.loaded(loaded.name()).is_some_and(|now| Arc::ptr_eq(&now, loaded));
            if same { self.keep_failure(loaded) } else { Ok(()) }
        });
        if let Err(error) = kept {
            tracing::error!(plugin = loaded.name(), %error, "a failure could not be kept");
        }
    }

    /// Keeps the reason of a plugin that is `Failed` by its own fault, or `Quarantined`, in the home. Done in the
    /// plugin's turn.
    pub fn keep_failure(&self, loaded: &Loaded) -> Result<(), ForgeError> {
        let Some(failure) = loaded.plugin.own_failure() else { return Ok(()) };
        match loaded.plugin.state() {
            PluginState::Quarantined => self.host.set_quarantine(&self.row(loaded.name())?, Some(&failure)),
            _ => self.host.set_failure(&loaded.plugin.identity().name, Some(&failure)),
        }
    }

    /// Tells how many host calls were denied to it since that was told last.
    pub fn tell_denials(&self, loaded: &Loaded) {
        let calls = loaded.denials.untold();
        if calls > 0 {
            let version = &loaded.plugin.identity().version;
            self.host.feed.emit(loaded.name(), version, || EventKind::Denied { calls });
        }
    }
}
