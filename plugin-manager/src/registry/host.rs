//! What every plugin of one home shares: clock, log, bridge, trust, engines, store.

use super::court::Court;
use super::dependencies::Parsed;
use super::events::Feed;
use super::native::Natives;
use super::policies::PolicyFiles;
use super::quarantine::Quarantine;
use super::reviews::Reviews;
use super::scores::Scores;
use super::supervisor::Ledgers;
use crate::config::Config;
use crate::extension::{Added, Dependencies, PluginSettings};
use crate::loader::PackageLimits;
use crate::metrics::{GuestMetrics, Progress};
use crate::resolver::Candidate;
use crate::runtime::{self, Engine};
use crate::sandbox::{EngineKind, SandboxPolicy};
use crate::store::{Desired, Home, InstalledPlugin, LogFiles, Section, Setting};
use crate::syscall::LogBus;
use common::audit::{Actor, AuditLog};
use common::cancel::CancelToken;
use common::clock::Clock;
use common::crypto::{MacKey, SigningKey};
use common::error::ForgeError;
use common::identity::{Name, PluginId};
use microkernel::syscall_bridge::SyscallBridge;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The right to change the set of installed plugins, and how often it was taken.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<u64>);

impl Roster {
    /// The right, with the number of times it was taken.
    pub fn lock(&self) -> MutexGuard<'_, u64> {
        let mut taken = self.0.lock();
        *taken = taken.wrapping_add(1);
        taken
    }
}

/// The parts of an open home.
pub(super) struct Host {
    pub config: Config,
    pub home: Arc<Home>,
    pub clock: Arc<dyn Clock>,
    pub audit: AuditLog,
    pub bridge: Arc<SyscallBridge>,
    pub services: Dependencies,
    pub bus: Arc<LogBus>,
    pub logs: Arc<LogFiles>,
    /// Who judges packages, and what runs by it.
    pub court: Arc<Court>,
    pub sandbox: SandboxPolicy,
    pub package_limits: PackageLimits,
    /// Who hears of long work.
    pub progress: Arc<dyn Progress>,
    pub seal: MacKey,
    /// Signs what this host says of packages.
    pub attestor: SigningKey,
    /// Who opened the home, as records name it.
    pub actor: Actor,
    /// How many operators there were, the one who opened the home included.
    pub operators: AtomicU64,
    /// How many people were erased since.
    pub erasures: AtomicU64,
    pub engines: Mutex<BTreeMap<EngineKind, Arc<dyn Engine>>>,
    /// Plugins that are code of this program.
    pub natives: Natives,
    /// What plugins measured themselves.
    pub guest_metrics: Arc<GuestMetrics>,
    /// Who hears what happens.
    pub feed: Arc<Feed>,
    /// What is counted of supervised plugins.
    pub ledgers: Arc<Ledgers>,
    /// Plugins that wait for an operator to release them.
    pub quarantine: Quarantine,
    /// How far plugins are trusted by what they do.
    pub scores: Scores,
    /// Who reviewed what.
    pub reviews: Reviews,
    /// What the rows need.
    pub parsed: Parsed,
    /// Held while the set of installed plugins changes: what they need of each other and how many there are is
    /// decided and done in one.
    pub roster: Roster,
    /// Ends whatever runs of any plugin: the time of a shutdown is over.
    pub over: CancelToken,
    /// What is known of the policy files.
    pub policy_files: PolicyFiles,
    /// Host calls that the host program added, for the homes of staging runs.
    pub added: Vec<Added>,
    /// Held as long as a package is being staged.
    pub staging: Mutex<()>,
    /// Held while settings are published, so that the newest are published last.
    pub publishing: Mutex<()>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("home", &self.home.path()).finish_non_exhaustive()
    }
}

impl Host {
    /// The engine of this kind; started on first use.
    pub fn engine(&self, kind: EngineKind) -> Result<Arc<dyn Engine>, ForgeError> {
        let mut engines = self.engines.lock();
        if let Some(engine) = engines.get(&kind) {
            return Ok(engine.clone());
        }
        let engine = runtime::engine(kind, &self.clock)?;
        engines.insert(kind, engine.clone());
        Ok(engine)
    }

    /// Every installed and every registered plugin, by name.
    pub fn rows(&self) -> Result<Vec<Arc<InstalledPlugin>>, ForgeError> {
        let mut rows = self.home.roster()?.to_vec();
        rows.extend(self.natives.rows().into_iter().map(Arc::new));
        rows.sort_by(|a, b| a.plugin.name.cmp(&b.plugin.name));
        Ok(rows)
    }

    /// Every installed and every registered plugin as the resolver sees it, by name.
    pub fn candidates(&self) -> Result<Vec<Arc<Candidate>>, ForgeError> {
        self.parsed.of(&self.rows()?)
    }

    /// The installed or registered plugin of this name.
    pub fn row(&self, name: &Name) -> Result<Option<InstalledPlugin>, ForgeError> {
        match self.natives.row(name) {
            Some(row) => Ok(Some(row)),
            None => Ok(self.home.plugin(name)?),
        }
    }

    /// Sets the state a plugin should be in: for an installed one in the home, for a native one in this process.
    pub fn set_desired(&self, name: &Name, desired: Desired) -> Result<(), ForgeError> {
        match self.natives.change(name, |row| row.plugin.desired = desired) {
            Some(()) => Ok(()),
            None => Ok(self.home.set_desired(name, desired)?),
        }
    }

    /// Keeps why a plugin failed, or with `None` that it no longer does, where its desired state is kept.
    pub fn set_failure(&self, name: &Name, failure: Option<&str>) -> Result<(), ForgeError> {
        match self.natives.change(name, |row| row.failure = failure.map(str::to_owned)) {
            Some(()) => Ok(()),
            None => Ok(self.home.set_failure(name, failure)?),
        }
    }

    /// Hands every plugin's settings to the services: those of the configuration file, then those set since.
    pub fn publish_settings(&self) -> Result<(), ForgeError> {
        let _one_at_a_time = self.publishing.lock();
        let mut all = BTreeMap::new();
        let mut set = self.home.all_settings()?;
        for row in self.rows()? {
            let name = &row.plugin.name;
            let set = set.remove(name.as_str()).unwrap_or_default();
            if !set.is_empty() || self.config.plugins.contains_key(name.as_str()) {
                all.insert(name.clone(), self.joined(name, set));
            }
        }
        self.services.settings.replace(all);
        Ok(())
    }

    /// The settings of one plugin, as its host calls see them.
    pub fn settings(&self, plugin: &Name) -> Result<PluginSettings, ForgeError> {
        Ok(self.joined(plugin, self.home.settings(plugin)?))
    }

    /// The settings of the configuration file, with those in their place that were set since.
    fn joined(&self, plugin: &Name, set: Vec<Setting>) -> PluginSettings {
        let file = self.config.plugins.get(plugin.as_str()).cloned().unwrap_or_default();
        let mut settings = PluginSettings { config: file.config, env: file.env };
        for set in set {
            let section = match set.section {
                Section::Config => &mut settings.config,
                Section::Env => &mut settings.env,
            };
            section.insert(set.key, set.value);
        }
        settings
    }

    /// Lets the services go of what they keep in memory of a plugin that is being removed.
    pub fn forget(&self, row: &InstalledPlugin) -> Result<(), ForgeError> {
        let id = PluginId::new(&row.plugin.publisher, &row.plugin.name);
        self.services.kv.forget(id)?;
        self.services.files.forget(id);
        self.services.metrics.forget(id);
        self.guest_metrics.forget(row.plugin.name.as_str());
        Ok(())
    }
}
