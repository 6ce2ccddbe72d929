//! Start, stop, pause, resume, settings, status: what operators do with an installed plugin.

use super::bring_up::Cause;
use super::error::HostError;
use super::install::{End, fact, limits};
use super::judge::briefly;
use super::manager::PluginManager;
use super::report::PluginStatus;
use crate::plugin::PluginState;
use crate::store::{Desired, InstalledPlugin, Section};
use common::error::{ForgeError, codes};
use common::identity::PluginId;
use microkernel::trust::ManagementAction;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

impl PluginManager {
    /// `init` alone: to `Ready`, from where `start` brings the plugin into service. What it depends on is brought up.
    /// What is desired of it stays as it is.
    ///
    /// # Errors
    /// E5001; E5002 for a plugin that is up or paused; what `init` runs into, and it is `Failed` then.
    pub fn initialize(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Start, name, |row| {
            let state = self.standing(row);
            if !state.next().contains(&PluginState::Initializing) {
                return Err(wrong(name, state, PluginState::Initializing));
            }
            let details = [("version", row.plugin.version.as_str()), ("until", "Ready")];
            self.host().intend(ManagementAction::Start.name(), name, &details)
        })?;
        self.host().recorded(ManagementAction::Start, name, || self.bring_up(name, Cause::Initialize))?;
        self.outcome(name)
    }

    /// Desired running, and up. A plugin that is `Failed` gets another try.
    ///
    /// # Errors
    /// E5001; E5002 for a plugin that is paused or runs; what its start runs into, and it is `Failed` then.
    pub fn start(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Start, name, |row| {
            let state = self.standing(row);
            if matches!(state, PluginState::Paused | PluginState::Running) {
                return Err(wrong(name, state, PluginState::Initializing));
            }
            let host = self.host();
            host.not_quarantined(row, Cause::Start)?;
            let details = [("version", row.plugin.version.as_str())];
            host.carry_out(ManagementAction::Start, &row.plugin.name, &details, || {
                host.set_desired(&row.plugin.name, Desired::Running)
            })
        })?;
        self.host().recorded(ManagementAction::Start, name, || self.bring_up(name, Cause::Start))?;
        self.outcome(name)
    }

    /// Desired stopped, and down. Happens whether or not it can be recorded at once. A plugin that is `Failed`
    /// stays so until it is started again, which it is then not by itself.
    ///
    /// # Errors
    /// E5001; E5002 when it is stopped already; what `stop` runs into, and it is down all the same.
    pub fn stop(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Stop, name, |row| {
            if row.plugin.desired == Desired::Stopped {
                return Err(wrong(name, self.standing(row), PluginState::Stopping));
            }
            let host = self.host();
            let _plan = host.plan(ManagementAction::Stop, &row.plugin.name);
            host.protect(ManagementAction::Stop.name(), name, &[("version", &row.plugin.version)]);
            let kept = host.set_desired(&row.plugin.name, Desired::Stopped);
            let down = self.take_down(name, End::Stop);
            kept.and(down)
        })
        .or_else(|e| self.regardless(ManagementAction::Stop, name, e, || self.take_down(name, End::Stop)))?;
        self.outcome(name)
    }

    /// Desired paused: calls are refused until `resume`. Happens whether or not it can be recorded at once.
    ///
    /// # Errors
    /// E5001; E5002 when it is not desired running, `Failed` or `Quarantined`; what `pause` returned, and it is paused all the
    /// same.
    pub fn pause(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Pause, name, |row| {
            let state = self.standing(row);
            let out = matches!(state, PluginState::Failed | PluginState::Quarantined);
            if row.plugin.desired != Desired::Running || out {
                return Err(wrong(name, state, PluginState::Paused));
            }
            let host = self.host();
            let _plan = host.plan(ManagementAction::Pause, &row.plugin.name);
            self.end_trial(name, "the plugin is paused");
            host.protect(ManagementAction::Pause.name(), name, &[("version", &row.plugin.version)]);
            let kept = host.set_desired(&row.plugin.name, Desired::Paused);
            kept.and(self.pause_loaded(name))
        })
        .or_else(|e| self.regardless(ManagementAction::Pause, name, e, || self.pause_loaded(name)))?;
        self.outcome(name)
    }

    /// Desired running again.
    ///
    /// # Errors
    /// E5001; E5002 when it is not paused; what `resume` returned, and it stays paused then.
    pub fn resume(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Resume, name, |row| {
            let state = self.standing(row);
            if state == PluginState::Quarantined {
                return Err(wrong(name, state, PluginState::Running));
            }
            // Supervision may have paused one that is desired running.
            if row.plugin.desired != Desired::Paused && state != PluginState::Paused {
                let state = state.name();
                return Err(HostError::NotPaused { name: name.to_owned(), state }.into());
            }
            let host = self.host();
            let details = [("version", row.plugin.version.as_str())];
            host.carry_out(ManagementAction::Resume, &row.plugin.name, &details, || {
                host.set_desired(&row.plugin.name, Desired::Running)
            })?;
            let Some(loaded) = self.hall().loaded(name) else { return Ok(()) };
            let resumed = loaded.plugin.resume();
            if resumed.is_err() {
                host.set_desired(&row.plugin.name, Desired::Paused)?;
            }
            Ok(resumed?)
        })?;
        self.outcome(name)
    }

    fn pause_loaded(&self, name: &str) -> Result<(), ForgeError> {
        Ok(self.hall().loaded(name).map_or(Ok(()), |loaded| loaded.plugin.pause())?)
    }

    /// A home that fails keeps nobody from stopping or pausing what is up. That it failed is told all the same.
    fn regardless(
        &self,
        action: ManagementAction,
        name: &str,
        error: ForgeError,
        protect: impl FnOnce() -> Result<(), ForgeError>,
    ) -> Result<(), ForgeError> {
        let running = self.hall().loaded(name).is_some_and(|l| l.plugin.state() == PluginState::Running);
        if error.code().id == codes::E0002.id && running {
            let host = self.host();
            host.authorise(action, name)?;
            self.hall().in_turn(name, None, || {
                host.protect(action.name(), name, &[("why", "the home fails")]);
                protect()
            })?;
        }
        Err(error)
    }

    /// What a step that was decided and done left behind. Who may take it may see that, and nobody decides again.
    pub(super) fn outcome(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.status_of(&self.row(name)?)
    }

    /// One management step: the row, the decision, the plugin's turn, and a record when it is refused.
    pub(super) fn managed(
        &self,
        action: ManagementAction,
        name: &str,
        job: impl FnOnce(&InstalledPlugin) -> Result<(), ForgeError>,
    ) -> Result<(), ForgeError> {
        self.host()
            .recorded(action, name, || {
                self.row(name)?;
                self.host().authorise(action, name)?;
                self.hall().in_turn(name, None, || job(&self.row(name)?))
            })
            .inspect(|()| self.host().feed.touch(name))
    }

    /// The state of an installed plugin, up or not.
    pub(super) fn standing(&self, row: &InstalledPlugin) -> PluginState {
        match (self.hall().loaded(row.plugin.name.as_str()), &row.failure) {
            (Some(loaded), _) => loaded.plugin.state(),
            (None, _) if self.host().quarantined(row).is_some() => PluginState::Quarantined,
            (None, Some(_)) => PluginState::Failed,
            (None, None) => resting(row.plugin.desired),
        }
    }

    /// Every installed plugin, by name.
    ///
    /// # Errors
    /// When the home cannot be read, or the policy denies it.
    pub fn list(&self) -> Result<Vec<PluginStatus>, ForgeError> {
        self.host().may_read("")?;
        let mut kept = self.host().home.versions_by_name()?;
        let rows = self.host().rows()?;
        let one = |row: &Arc<InstalledPlugin>| {
            self.status_with(row, kept.remove(&row.plugin.name).unwrap_or_default())
        };
        rows.iter().map(one).collect()
    }

    /// One plugin. One that is desired running and was not tried is judged anew, so that `failure` says why it may not run.
    ///
    /// # Errors
    /// E5001.
    pub fn status(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        let row = self.row(name)?;
        self.host().may_read(name)?;
        let mut status = self.status_of(&row)?;
        if self.is_up_to_a_call(&row, &status) {
            status.failure = self.proven(&row).err().map(|error| briefly(&error));
        }
        Ok(status)
    }

    /// Whether it is left to the next call to find out that it may not run: nobody supervises it, and nothing is known
    /// against it.
    fn is_up_to_a_call(&self, row: &InstalledPlugin, status: &PluginStatus) -> bool {
        let known = status.failure.is_some() || self.hall().loaded(&status.name).is_some();
        let native = self.host().natives.part(&row.plugin.name).is_some();
        row.plugin.desired == Desired::Running && !known && !native
    }

    fn status_of(&self, row: &InstalledPlugin) -> Result<PluginStatus, ForgeError> {
        self.status_with(row, self.kept(&row.plugin.name)?)
    }

    fn status_with(&self, row: &InstalledPlugin, kept: Vec<String>) -> Result<PluginStatus, ForgeError> {
        let plugin = &row.plugin;
        let loaded = self.hall().loaded(plugin.name.as_str());
        let sample = loaded.as_ref().map(|l| l.plugin.metrics().sample()).unwrap_or_default();
        let failure = match &loaded {
            Some(loaded) => loaded.plugin.failure(),
            None => self.host().quarantined(row).or_else(|| row.failure.clone()),
        };
        let dropped = self.host().home.dropped_of(&plugin.name)?.filter(|d| d.package == plugin.package);
        let (file, file_problem) = dropped.map(|d| (d.file, d.problem)).unzip();
        let supervised = self.host().supervised(row);
        let standing = self.host().standing_of(row);
        let failure = failure.or(supervised.trouble);
        Ok(PluginStatus {
            id: PluginId::new(&plugin.publisher, &plugin.name),
            name: plugin.name.to_string(),
            kind: self.host().natives.kind(&plugin.name),
            version: plugin.version.clone(),
            kept,
            pending: self.host().home.pending(&plugin.name)?.into_iter().map(|p| p.plugin.version).collect(),
            draining: self.hall().drains.of(plugin.name.as_str()),
            trial: self.trial_of(plugin.name.as_str(), &plugin.version),
            publisher: plugin.publisher.to_string(),
            state: self.standing(row).name().to_owned(),
            desired: plugin.desired.name().to_owned(),
            failure,
            // What the plugin runs under now, which the configuration may have changed since it was installed.
            engine: loaded
                .as_ref()
                .map_or_else(|| plugin.engine.clone(), |l| l.plugin.engine().name().to_owned()),
            enforcement: known(row, fact::ENFORCEMENT)?,
            operations: known(row, fact::OPERATIONS)?,
            granted: known(row, fact::GRANTED)?,
            withheld: known(row, fact::WITHHELD)?,
            limits: match &loaded {
                Some(loaded) => limits(loaded.plugin.limits(), loaded.plugin.engine()),
                None => known(row, fact::LIMITS)?,
            },
            calls: sample.calls,
            errors: sample.errors,
            denials: loaded.as_ref().map_or(0, |l| l.denials.total()),
            memory_bytes: sample.memory_bytes,
            trust: standing.class.name(),
            trust_points: standing.points,
            trust_why: standing.why,
            evidence: self.host().evidence_of(row),
            review: self.host().review_by_name(self.host().review_of(row))?,
            digest: plugin.manifest,
            signer: known(row, fact::SIGNER)?,
            unjudged_signature: known::<Option<bool>>(row, fact::UNJUDGED)?.unwrap_or(false),
            file,
            file_problem: file_problem.flatten(),
            restarts: supervised.restarts,
            next_restart: supervised.next_restart,
            health: supervised.health,
            waits_for: supervised.waits_for,
            ready: self.unready(row).is_none(),
        })
    }

    /// A plugin's settings as `(section, key, value)`: those of the configuration file, and those set since in their place.
    ///
    /// # Errors
    /// E5001.
    pub fn settings(&self, name: &str) -> Result<Vec<(String, String, String)>, ForgeError> {
        let row = self.row(name)?;
        self.host().may_read(name)?;
        let settings = self.host().settings(&row.plugin.name)?;
        let lines = |section: &str, of: BTreeMap<String, String>| {
            let section = section.to_owned();
            of.into_iter().map(move |(key, value)| (section.clone(), key, value))
        };
        Ok(lines("config", settings.config).chain(lines("env", settings.env)).collect())
    }

    /// Sets one setting, or with `None` unsets it. It holds from the next host call on.
    ///
    /// # Errors
    /// E5001; E0101 for a section that is neither `config` nor `env`, a key no host call can ask for, or a value
    /// that is too large.
    pub fn set_setting(
        &self,
        name: &str,
        section: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), ForgeError> {
        self.managed(ManagementAction::Configure, name, |row| {
            if key.is_empty() || key.contains(char::is_control) {
                return Err(HostError::Setting(
                    "the key of a setting has no control character and is not empty",
                )
                .into());
            }
            let bad = HostError::Setting("a setting's section is config or env");
            let section = Section::from_name(section).ok_or(bad)?;
            let host = self.host();
            let change = if value.is_some() { "set" } else { "unset" };
            let details = [("key", key), ("change", change)];
            host.carry_out(ManagementAction::Configure, &row.plugin.name, &details, || {
                Ok(host.home.set_setting(&row.plugin.name, section, key, value)?)
            })?;
            host.publish_settings()
        })
    }

    /// The last lines a plugin logged, oldest first.
    ///
    /// # Errors
    /// E5001.
    pub fn logs(&self, name: &str, lines: usize) -> Result<Vec<String>, ForgeError> {
        let row = self.row(name)?;
        self.host().may_read(name)?;
        self.host().bus.flush();
        Ok(self.host().logs.tail(&row.plugin.name, lines)?)
    }
}

/// The state of a plugin that is not up.
pub(super) const fn resting(desired: Desired) -> PluginState {
    match desired {
        Desired::Paused => PluginState::Paused,
        Desired::Running | Desired::Stopped => PluginState::Stopped,
    }
}

pub(super) fn wrong(name: &str, from: PluginState, to: PluginState) -> ForgeError {
    HostError::WrongMove { name: name.to_owned(), from: from.name(), to: to.name() }.into()
}

/// A fact kept in the row.
pub(super) fn known<T: DeserializeOwned>(row: &InstalledPlugin, key: &str) -> Result<T, ForgeError> {
    let json = row.plugin.facts.get(key).map_or("null", String::as_str);
    serde_json::from_str(json).map_err(|e| {
        let name = &row.plugin.name;
        ForgeError::new(&codes::E0001, format!("the record of plugin {name} lacks {key}"))
            .reason(e.to_string())
    })
}
