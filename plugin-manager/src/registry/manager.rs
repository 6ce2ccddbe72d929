//! The plugin host of one home, as shells and embedders use it.

use super::denials::Denials;
use super::dependencies::{candidates, plan};
use super::error::HostError;
use super::host::Host;
use super::install::End;
use super::load::identity;
use super::open::ManagerBuilder;
use super::router::{Router, keep};
use crate::lifecycle::{LifecycleError, ManagedPlugin};
use crate::plugin::PluginState;
use crate::runtime::Terms;
use crate::store::{Desired, InstalledPlugin};
use common::clock::Deadline;
use common::error::ForgeError;
use common::identity::{IdentityContext, Name, PluginId};
use dashmap::DashMap;
use microkernel::trust::ManagementAction;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The plugin host of one home. Clones are handles to the same host.
///
/// ```no_run
/// use plugin_manager::PluginManager;
/// let host = PluginManager::builder().home("/var/lib/forgeone").open()?;
/// let redacted = host.call("log-redactor", "redact", b"mail ada@example.com".to_vec())?;
/// host.shutdown()?;
/// # Ok::<(), common::error::ForgeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PluginManager {
    hall: Arc<Hall>,
}

/// The map of plugins that are up, over the parts they share.
#[derive(Debug)]
pub(super) struct Hall {
    pub host: Arc<Host>,
    loaded: DashMap<String, Arc<Loaded>>,
    locks: DashMap<String, Arc<Mutex<()>>>,
    no_chain: Arc<[PluginId]>,
    /// Kept here: the services hold it weakly.
    _router: Arc<Router>,
}

/// A plugin that was loaded, and the policy epoch in which calling it was allowed last.
#[derive(Debug)]
pub(super) struct Loaded {
    pub plugin: ManagedPlugin,
    pub denials: Arc<Denials>,
    allowed_in: AtomicU64,
}

impl PluginManager {
    /// Starts building one.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    /// A hall over these parts; plugins find each other through it.
    pub(super) fn over(host: Arc<Host>) -> Self {
        let hall = Arc::new_cyclic(|weak| {
            let router = Arc::new(Router(weak.clone()));
            host.services.router.install(keep(&router));
            let (loaded, locks) = (DashMap::new(), DashMap::new());
            Hall { host, loaded, locks, no_chain: Arc::from([]), _router: router }
        });
        Self { hall }
    }

    /// A handle to this hall.
    pub(super) fn of(hall: Arc<Hall>) -> Self {
        Self { hall }
    }

    pub(super) fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.hall.host
    }

    /// Management of one plugin is done one at a time; of different plugins, side by side.
    pub(super) fn lock(&self, name: &str) -> Arc<Mutex<()>> {
        self.hall.locks.entry(name.to_owned()).or_default().clone()
    }

    /// The row of an installed plugin.
    pub(super) fn row(&self, name: &str) -> Result<InstalledPlugin, ForgeError> {
        self.hall.row(name)
    }

    /// Calls an operation of a plugin that is desired running, bringing it up when it is not.
    ///
    /// # Errors
    /// E5001, E5003, E5005, and E4xxx for what happens in the plugin.
    pub fn call(&self, name: &str, operation: &str, mut input: Vec<u8>) -> Result<Vec<u8>, ForgeError> {
        let mut output = Vec::new();
        self.call_into(name, operation, &mut input, &mut output)?;
        Ok(output)
    }

    /// [`PluginManager::call`] with buffers that are reused: `input` is lent and given back, `output` is replaced.
    ///
    /// # Errors
    /// As [`PluginManager::call`].
    pub fn call_into(
        &self,
        name: &str,
        operation: &str,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), ForgeError> {
        let loaded = match self.hall.loaded(name) {
            Some(loaded) => loaded,
            None => self.host().recorded(ManagementAction::Call, name, || self.bring_up(name))?,
        };
        self.hall.may_call(&loaded, name)?;
        let index = loaded.plugin.operation(operation)?;
        let terms = Terms { deadline: loaded.plugin.deadline(), chain: &self.hall.no_chain };
        Ok(loaded.plugin.call(index, input, output, terms)?)
    }

    /// Loads a plugin that is desired running, and what it depends on, and brings them up.
    pub(super) fn bring_up(&self, name: &str) -> Result<Arc<Loaded>, ForgeError> {
        let row = self.row(name)?;
        desired_running(&row)?;
        let rows = self.host().home.plugins()?;
        for member in plan(&candidates(&rows)?, &row.plugin.name)?.start_order() {
            let loaded = self.bring_one_up(member)?;
            if *member == row.plugin.name {
                return Ok(loaded);
            }
        }
        Err(HostError::NoPlugin(name.to_owned()).into())
    }

    fn bring_one_up(&self, name: &Name) -> Result<Arc<Loaded>, ForgeError> {
        let lock = self.lock(name.as_str());
        let _held = lock.lock();
        if let Some(loaded) = self.hall.loaded(name.as_str()) {
            return Ok(loaded);
        }
        let row = self.row(name.as_str())?;
        desired_running(&row)?;
        let loaded = Arc::new(self.load(&row)?);
        let up = loaded.plugin.initialize().and_then(|()| loaded.plugin.start());
        if let Err(error) = up {
            self.host().home.set_failure(name, loaded.plugin.failure().as_deref())?;
            return Err(error.into());
        }
        self.hall.loaded.insert(name.to_string(), loaded.clone());
        Ok(loaded)
    }

    /// The load path from the stored bytes: every check again.
    fn load(&self, row: &InstalledPlugin) -> Result<Loaded, ForgeError> {
        let host = self.host();
        let bytes = host.home.read_package(&row.plugin.package)?;
        let grant = host.grant(host.prove(&bytes)?)?;
        if identity(grant.package()).name != row.plugin.name {
            return Err(HostError::NoPlugin(row.plugin.name.to_string()).into());
        }
        let ready = host.ready(&grant)?;
        let state = if row.failure.is_some() { PluginState::Failed } else { PluginState::Created };
        let denials = Arc::new(Denials::default());
        let plugin = host.assemble(&grant, ready, state, &denials);
        Ok(Loaded { plugin, denials, allowed_in: AtomicU64::new(0) })
    }

    /// Stops a plugin that is up; a failure to stop is kept in its row.
    pub(super) fn take_down(&self, name: &str, end: End) -> Result<(), ForgeError> {
        let Some((_, loaded)) = self.hall.loaded.remove(name) else { return Ok(()) };
        let plugin = &loaded.plugin;
        if matches!(plugin.state(), PluginState::Running | PluginState::Paused) {
            let stopped = plugin.stop();
            if end == End::Stop {
                if let Err(error) = stopped {
                    let name = Name::new(name).map_err(|_| HostError::NoPlugin(name.to_owned()))?;
                    self.host().home.set_failure(&name, plugin.failure().as_deref())?;
                    return Err(error.into());
                }
            }
        }
        if end == End::Unload { Ok(plugin.unload()?) } else { Ok(()) }
    }

    /// Stops every plugin that is up, dependents first, makes everything durable and lets go of the home.
    ///
    /// # Errors
    /// The first thing that could not be stopped or made durable; the rest is still done.
    pub fn shutdown(self) -> Result<(), ForgeError> {
        let mut first = Ok(());
        for name in self.down_order() {
            let lock = self.lock(&name);
            let _held = lock.lock();
            first = first.and(self.take_down(&name, End::Stop));
        }
        let host = self.host();
        host.bus.flush();
        first.and(host.services.kv.flush().map_err(ForgeError::from)).and(Ok(host.audit.flush()?))
    }

    /// The plugins that are up; those that need others come before them.
    fn down_order(&self) -> Vec<String> {
        let mut left: Vec<String> = self.hall.loaded.iter().map(|entry| entry.key().clone()).collect();
        left.sort();
        let rows = self.host().home.plugins().unwrap_or_default();
        let all = candidates(&rows).unwrap_or_default();
        let mut order: Vec<String> = Vec::new();
        for name in left.iter().filter_map(|name| Name::new(name).ok()) {
            // What cannot be ordered is still stopped, after the others.
            let needed_first = plan(&all, &name).map(|p| p.start_order().to_vec()).unwrap_or_default();
            order.extend(needed_first.iter().map(ToString::to_string).filter(|n| left.contains(n)));
        }
        order.extend(left);
        let mut seen = std::collections::BTreeSet::new();
        order.retain(|name| seen.insert(name.clone()));
        order.reverse();
        order
    }
}

impl Hall {
    /// A plugin that is up.
    pub fn loaded(&self, name: &str) -> Option<Arc<Loaded>> {
        self.loaded.get(name).map(|entry| entry.value().clone())
    }

    /// The row of an installed plugin.
    pub fn row(&self, name: &str) -> Result<InstalledPlugin, ForgeError> {
        let missing = || ForgeError::from(HostError::NoPlugin(name.chars().take(80).collect()));
        let name = Name::new(name).map_err(|_| missing())?;
        self.host.home.plugin(&name)?.ok_or_else(missing)
    }

    /// Whether the operator may call it: decided once in each policy epoch.
    fn may_call(&self, loaded: &Loaded, name: &str) -> Result<(), ForgeError> {
        let epoch = self.host.bridge.evaluator().epoch();
        if loaded.allowed_in.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        let job = || self.host.authorise(ManagementAction::Call, name);
        self.host.recorded(ManagementAction::Call, name, job)?;
        loaded.allowed_in.store(epoch, Ordering::Release);
        Ok(())
    }

    /// Writes what a callee said when it failed to the callee's own log.
    pub fn say(&self, caller: &IdentityContext, error: &LifecycleError) {
        if let LifecycleError::Status { plugin, failure: Some(text), .. } = error {
            tracing::warn!(target: "forgeone::plugin_call", %plugin, caller = caller.name(), text, "a called plugin failed");
        }
    }

    /// Calls a plugin that is up on behalf of another plugin.
    pub fn call_for_plugin(
        &self,
        loaded: &Loaded,
        operation: &str,
        input: &[u8],
        deadline: Deadline,
        chain: &Arc<[PluginId]>,
    ) -> Result<Vec<u8>, LifecycleError> {
        let index = loaded.plugin.operation(operation)?;
        let mut output = Vec::new();
        let terms = Terms { deadline: deadline.min(loaded.plugin.deadline()), chain };
        loaded.plugin.call(index, &mut input.to_vec(), &mut output, terms)?;
        Ok(output)
    }
}

fn desired_running(row: &InstalledPlugin) -> Result<(), ForgeError> {
    let state = match (row.plugin.desired, &row.failure) {
        (Desired::Running, None) => return Ok(()),
        (Desired::Running, Some(_)) => PluginState::Failed,
        (Desired::Paused, _) => PluginState::Paused,
        (Desired::Stopped, _) => PluginState::Stopped,
    };
    let name = row.plugin.name.to_string();
    Err(HostError::NotRunning { name, state: state.name(), failure: row.failure.clone() }.into())
}
