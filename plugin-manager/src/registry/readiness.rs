//! Whether the host serves: every plugin that is desired running runs and is well, and the log records.

use super::host::Host;
use super::manager::PluginManager;
use crate::plugin::PluginState;
use crate::store::{Desired, InstalledPlugin};
use common::audit::Health;
use std::time::Duration;

/// Whether a host serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it does.
    pub ready: bool,
    /// Why not, each reason once: the host's first, then those of plugins by name. Empty when it does.
    pub reasons: Vec<NotReady>,
}

/// One reason why a host does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// The plugin it is about; `None` for the host itself.
    pub plugin: Option<String>,
    /// The reason, in words.
    pub why: String,
}

/// What supervision says of one plugin.
#[derive(Debug)]
pub(super) struct Supervised {
    pub restarts: u64,
    pub next_restart: Option<Duration>,
    pub health: &'static str,
    pub waits_for: Option<String>,
    /// Why it could not be started although it is not `Failed`.
    pub trouble: Option<String>,
}

impl Host {
    /// What supervision says of this one.
    pub fn supervised(&self, row: &InstalledPlugin) -> Supervised {
        let ledger = self.ledgers.of(row.plugin.name.as_str());
        let shown = ledger.as_ref().map(|ledger| ledger.shown()).unwrap_or_default();
        let now = self.clock.coarse_ms();
        Supervised {
            restarts: shown.restarts,
            next_restart: shown.due_ms.map(|due| Duration::from_millis(due.saturating_sub(now))),
            health: match (ledger, shown.given_up, shown.well) {
                (None, ..) => "unsupervised",
                (_, true, _) => "given up",
                (.., None) => "unchecked",
                (.., Some(true)) => "well",
                (.., Some(false)) => "unwell",
            },
            waits_for: shown.waits_for,
            trouble: shown.trouble,
        }
    }
}

impl PluginManager {
    /// Whether the host serves: it is not being shut down, its log records, and every plugin that is desired running
    /// runs and passed its last health check, if it has one. Without supervision a plugin runs from its first call on.
    /// Who may not read what is installed is told whether, and not why.
    pub fn readiness(&self) -> Readiness {
        let mut reasons: Vec<NotReady> =
            self.host_reasons().into_iter().map(|why| NotReady { plugin: None, why }).collect();
        match self.host().rows() {
            Ok(rows) => reasons.extend(rows.iter().filter_map(|row| {
                let plugin = Some(row.plugin.name.to_string());
                let wanted = row.plugin.desired == Desired::Running;
                self.unready(row).filter(|_| wanted).map(|why| NotReady { plugin, why })
            })),
            Err(error) => reasons.push(NotReady { plugin: None, why: error.to_string() }),
        }
        let ready = reasons.is_empty();
        if self.host().may_read("").is_err() {
            reasons.clear();
        }
        Readiness { ready, reasons }
    }

    fn host_reasons(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.hall().is_closing() {
            why.push("the host is being shut down".to_owned());
        }
        if let Health::Refusing(refusal) = self.host().audit.health() {
            why.push(format!("the audit log refuses records: {}", refusal.reason));
        }
        why
    }

    /// Why this plugin does not answer calls, or is not well; `None` when it does and is.
    pub(super) fn unready(&self, row: &InstalledPlugin) -> Option<String> {
        let (state, name) = (self.standing(row), row.plugin.name.as_str());
        let shown = self.host().ledgers.of(name).map(|ledger| ledger.shown()).unwrap_or_default();
        if state == PluginState::Running {
            return (shown.well == Some(false)).then(|| "it failed its last health check".to_owned());
        }
        let failure = match self.hall().loaded(name) {
            Some(loaded) => loaded.plugin.failure(),
            None => self.host().quarantined(row).or_else(|| row.failure.clone()),
        };
        let because = failure.or(shown.trouble).map_or_else(String::new, |why| format!(": {why}"));
        let waits = shown.waits_for.map_or_else(String::new, |need| format!(", waiting for {need}"));
        Some(format!("it is {state}{waits}{because}"))
    }
}
