//! Plugins that are out of service until an operator releases them: kept in the home, looked up in memory.

use super::bring_up::Cause;
use super::error::HostError;
use super::events::EventKind;
use super::host::Host;
use super::manager::PluginManager;
use super::report::PluginStatus;
use crate::plugin::PluginState;
use crate::store::{Home, InstalledPlugin, PrivateData, namespace};
use common::error::ForgeError;
use microkernel::trust::ManagementAction;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Why which plugin is quarantined, by publisher and name together. Holds what the home holds.
#[derive(Debug)]
pub(super) struct Quarantine(RwLock<BTreeMap<String, String>>);

impl Quarantine {
    /// What the home says.
    pub fn of(home: &Home) -> Result<Self, ForgeError> {
        Ok(Self(RwLock::new(home.quarantined()?)))
    }
}

fn owner(row: &InstalledPlugin) -> String {
    namespace(&row.plugin.publisher, &row.plugin.name)
}

impl Host {
    /// Why this plugin is quarantined, when it is.
    pub fn quarantined(&self, row: &InstalledPlugin) -> Option<String> {
        let all = self.quarantine.0.read();
        if all.is_empty() { None } else { all.get(&owner(row)).cloned() }
    }

    /// Quarantines a plugin, or with `None` no longer. Done in the plugin's turn.
    pub fn set_quarantine(&self, row: &InstalledPlugin, why: Option<&str>) -> Result<(), ForgeError> {
        let owner = owner(row);
        // In memory even when the home cannot keep it: it protects.
        let kept = self.home.set_quarantine(&owner, why);
        let mut all = self.quarantine.0.write();
        let mut new = None;
        match why {
            Some(why) if all.insert(owner.clone(), why.to_owned()).is_none() => new = Some(why),
            Some(_) => {}
            None if kept.is_ok() => drop(all.remove(&owner)),
            None => {}
        }
        drop(all);
        if let Some(why) = new {
            self.score_quarantine(row, why);
        }
        Ok(kept?)
    }

    /// Forgets of a plugin that was removed what the home has forgotten: its reviews, and with its data what it did,
    /// unless it is quarantined. That ends with a release alone, so that who installs it again has not lifted it.
    pub fn forget_conduct(&self, row: &InstalledPlugin, data: PrivateData) {
        if data == PrivateData::Erase && self.quarantined(row).is_none() {
            self.forget_score(row);
        }
        self.forget_reviews(row);
    }

    /// The restarts of a plugin that was released do not count any more.
    pub fn forget_restarts(&self, plugin: &str) {
        if let Some(ledger) = self.ledgers.of(plugin) {
            ledger.reset();
        }
    }

    /// The quarantined plugins as Prometheus text; empty when there are none.
    pub fn quarantine_text(&self) -> String {
        let all = self.quarantine.0.read();
        let mut out = String::new();
        if !all.is_empty() {
            let name = "forgeone_plugin_quarantined";
            let _ = writeln!(out, "# HELP {name} Plugins that wait for a release.\n# TYPE {name} gauge");
            for plugin in all.keys().filter_map(|owner| owner.split_once('/')) {
                let _ = writeln!(out, "{name}{{plugin=\"{}\"}} 1", plugin.1);
            }
        }
        out
    }

    /// Nothing is brought up of a plugin that is quarantined.
    pub fn not_quarantined(&self, row: &InstalledPlugin, cause: Cause<'_>) -> Result<(), ForgeError> {
        let Some(failure) = self.quarantined(row) else { return Ok(()) };
        let (name, state) = (row.plugin.name.to_string(), PluginState::Quarantined);
        Err(match cause {
            Cause::Start | Cause::Initialize => {
                let to = PluginState::Initializing.name();
                HostError::Quarantined { name, from: state.name(), to, why: failure }
            }
            Cause::Call | Cause::Plugin(..) => HostError::NotRunning { name, state, failure: Some(failure) },
        }
        .into())
    }
}

impl PluginManager {
    /// Lifts a quarantine: `Quarantined` to `Stopped`. What is desired of the plugin stays as it is, so that one that is
    /// desired running comes up with the next call of it, or at once when it is supervised.
    ///
    /// # Errors
    /// E5001; E5002 when it is not quarantined; when the release cannot be recorded.
    pub fn release(&self, name: &str) -> Result<PluginStatus, ForgeError> {
        self.managed(ManagementAction::Release, name, |row| {
            let state = self.standing(row);
            if state != PluginState::Quarantined {
                return Err(super::steps::wrong(name, state, PluginState::Stopped));
            }
            let host = self.host();
            let details = [
                ("version", row.plugin.version.as_str()),
                ("from", PluginState::Quarantined.name()),
                ("to", PluginState::Stopped.name()),
            ];
            host.intend(ManagementAction::Release.name(), name, &details)?;
            if let Some(loaded) = self.hall().loaded(name) {
                loaded.plugin.release()?;
                self.hall().take(name);
            }
            host.set_quarantine(row, None)?;
            host.score_release(row);
            host.forget_restarts(name);
            host.feed.emit(name, &row.plugin.version, || EventKind::Released);
            Ok(())
        })?;
        self.outcome(name)
    }
}
