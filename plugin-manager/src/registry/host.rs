//! What every plugin of one home shares: clock, log, bridge, trust, engines, store.

use super::error::HostError;
use super::judge::Judge;
use crate::config::Config;
use crate::extension::{Dependencies, PluginSettings};
use crate::loader::PackageLimits;
use crate::metrics::GuestMetrics;
use crate::runtime::{self, Engine};
use crate::sandbox::{EngineKind, SandboxPolicy};
use crate::store::{Home, InstalledPlugin, LogFiles, Section};
use crate::syscall::LogBus;
use crate::syscall::text::escaped;
use common::audit::{Actor, AuditLog, Outcome, Record};
use common::clock::Clock;
use common::crypto::MacKey;
use common::error::{ErrorClass, ForgeError};
use common::identity::{Name, PluginId};
use microkernel::syscall_bridge::SyscallBridge;
use microkernel::trust::{ManagementAction, TrustContext, Verdict};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of the reason kept in the record of a refused package.
const WHY_BYTES: usize = 256;

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
    pub judge: Judge,
    pub sandbox: SandboxPolicy,
    pub package_limits: PackageLimits,
    pub seal: MacKey,
    /// The operator, as records name it.
    pub actor: Actor,
    /// The operator, as decisions know it.
    pub operator: TrustContext,
    pub engines: Mutex<BTreeMap<EngineKind, Arc<dyn Engine>>>,
    /// What plugins measured themselves.
    pub guest_metrics: Arc<GuestMetrics>,
    /// Held while the set of installed plugins changes: what they need of each other and how many there are is
    /// decided and done in one.
    pub roster: Mutex<()>,
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

    /// Whether the operator may do this with this plugin. Recording a denial is the caller's part.
    pub fn authorise(&self, action: ManagementAction, plugin: &str) -> Result<(), ForgeError> {
        let verdict = self.bridge.evaluator().evaluate_management(&self.operator, action, plugin);
        match verdict {
            Verdict::Allow(_) => Ok(()),
            Verdict::Deny(denial) => Err(HostError::Denied {
                operator: self.operator.identity().name().to_owned(),
                action: action.name(),
                name: plugin.to_owned(),
                code: denial.code,
                reason: denial.reason,
            }
            .into()),
        }
    }

    /// Whether the operator may read this, all plugins when it is empty; a denial is recorded.
    pub fn may_read(&self, plugin: &str) -> Result<(), ForgeError> {
        let read = ManagementAction::Read;
        self.recorded(read, plugin, || self.authorise(read, plugin))
    }

    /// Tells the log that the home was opened, and which security defaults are switched off.
    pub fn announce(&self) -> Result<(), ForgeError> {
        let weakened = self.config.weakened().join(" ");
        let details = [("environment", self.config.environment.name()), ("weakened", weakened.as_str())];
        self.intend("open", "", &details)
    }

    /// Hands every plugin's settings to the services: those of the configuration file, then those set since.
    pub fn publish_settings(&self) -> Result<(), ForgeError> {
        let _one_at_a_time = self.publishing.lock();
        let mut all = BTreeMap::new();
        for row in self.home.plugins()? {
            let settings = self.settings(&row.plugin.name)?;
            all.insert(row.plugin.name, settings);
        }
        self.services.settings.replace(all);
        Ok(())
    }

    /// The settings of one plugin, as its host calls see them.
    pub fn settings(&self, plugin: &Name) -> Result<PluginSettings, ForgeError> {
        let file = self.config.plugins.get(plugin.as_str()).cloned().unwrap_or_default();
        let mut settings = PluginSettings { config: file.config, env: file.env };
        for set in self.home.settings(plugin)? {
            let section = match set.section {
                Section::Config => &mut settings.config,
                Section::Env => &mut settings.env,
            };
            section.insert(set.key, set.value);
        }
        Ok(settings)
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

    /// Records a management action before its effect: durable, or refused.
    pub fn intend(&self, action: &str, plugin: &str, details: &[(&str, &str)]) -> Result<(), ForgeError> {
        let record = self.management(action, plugin, Outcome::Ok, None, details);
        self.audit.commit(&record)?;
        Ok(())
    }

    /// Records a change of keys and trust before it is made: durable, or refused.
    pub fn intend_key(&self, action: &str, name: &str, details: &[(&str, &str)]) -> Result<(), ForgeError> {
        let record =
            Record { resource: ("key", name), ..self.management(action, name, Outcome::Ok, None, details) };
        self.audit.commit(&record)?;
        Ok(())
    }

    /// Records a management action that protects: never refused.
    pub fn protect(&self, action: &str, plugin: &str, details: &[(&str, &str)]) {
        self.audit.protect(&self.management(action, plugin, Outcome::Ok, None, details));
    }

    /// Does a management action; a refusal or failure of it is recorded with its code.
    pub fn recorded<T>(
        &self,
        action: ManagementAction,
        plugin: &str,
        job: impl FnOnce() -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        job().inspect_err(|error| self.refusal(action.name(), plugin, error))
    }

    fn refusal(&self, action: &str, plugin: &str, error: &ForgeError) {
        let outcome = match error.class() {
            ErrorClass::Denied | ErrorClass::Refused => Outcome::Denied,
            ErrorClass::Limit => Outcome::Limit,
            _ => Outcome::Failed,
        };
        // What a plugin says when it fails is data, and its own record names the cause; a refused package is judged
        // in the host's words.
        let why = escaped(error.to_string().as_bytes(), WHY_BYTES);
        let why = [("why", why.as_str())];
        let details = if error.class() == ErrorClass::Refused { &why[..] } else { &[] };
        let record = self.management(action, plugin, outcome, Some(error.code().id), details);
        if let Err(unrecorded) = self.audit.append(&record) {
            tracing::error!(%error, %unrecorded, "a refusal could not be recorded");
        }
    }

    fn management<'a>(
        &'a self,
        action: &'a str,
        plugin: &'a str,
        outcome: Outcome,
        code: Option<&'a str>,
        details: &'a [(&'a str, &'a str)],
    ) -> Record<'a> {
        Record {
            event: "management",
            outcome,
            code,
            actor: &self.actor,
            action,
            resource: ("plugin", plugin),
            decision: None,
            details,
        }
    }
}
