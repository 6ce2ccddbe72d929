//! What is counted of each supervised plugin, and shown of it; where its next failure in service leads.

use super::super::events::{EventKind, Feed};
use crate::config::{OnBudgetSpent, Restart, Supervision};
use crate::lifecycle::{Backoff, Ending, Keeper, Next, RestartPolicy, RestartRules, Restarts};
use crate::plugin::PluginState;
use common::clock::Clock;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// What is shown of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Starts after a failure, since supervision began.
    pub restarts: u64,
    /// Health checks it failed, since supervision began.
    pub health_failures: u64,
    /// When it is started again, in coarse milliseconds.
    pub due_ms: Option<u64>,
    /// Whether it passed its last health check; `None` before the first.
    pub well: Option<bool>,
    /// Whether it is no longer started again.
    pub given_up: bool,
    /// The first plugin it needs that does not run, while it waits for that.
    pub waits_for: Option<String>,
    /// Why it could not be started, when it is not `Failed`.
    pub trouble: Option<String>,
}

/// One counter: its name, its help, and how it is read.
type Family = (&'static str, &'static str, fn(&Shown) -> u64);

/// One supervised plugin.
#[derive(Debug)]
pub struct Ledger {
    clock: Arc<dyn Clock>,
    restarts: Mutex<Restarts>,
    shown: Mutex<Shown>,
}

impl Ledger {
    /// Nothing counted yet.
    pub fn new(rules: &Supervision, clock: Arc<dyn Clock>) -> Arc<Self> {
        let restarts = Mutex::new(Restarts::new(restart_rules(rules)));
        Arc::new(Self { clock, restarts, shown: Mutex::default() })
    }
    /// It failed: what happens.
    pub fn failed(&self, now_ms: u64, chance: u64) -> Next {
        self.restarts.lock().failed(now_ms, chance)
    }
    /// An operator started it anew.
    pub fn reset(&self) {
        self.restarts.lock().reset();
    }
    /// Changes what is shown.
    pub fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock());
    }
    /// What is shown.
    pub fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }
    fn ending(&self) -> Ending {
        self.restarts.lock().ending(self.clock.coarse_ms())
    }
}

fn restart_rules(rules: &Supervision) -> RestartRules {
    RestartRules {
        policy: match rules.restart {
            Restart::Never => RestartPolicy::Never,
            Restart::OnFailure => RestartPolicy::OnFailure,
            Restart::Always => RestartPolicy::Always,
        },
        backoff: Backoff { first: rules.backoff_first, max: rules.backoff_max, jitter: rules.jitter },
        restarts: usize::try_from(rules.restarts).unwrap_or(usize::MAX),
        within: rules.within,
        ending: match rules.on_budget_spent {
            OnBudgetSpent::Fail => Ending::Fail,
            OnBudgetSpent::Quarantine => Ending::Quarantine,
        },
    }
}

/// The supervised plugins of a host, by name; none while it is not supervised.
#[derive(Debug, Default)]
pub struct Ledgers(RwLock<BTreeMap<String, Arc<Ledger>>>);

impl Ledgers {
    /// Counts this one from now on.
    pub fn open(&self, plugin: &str, ledger: Arc<Ledger>) {
        self.0.write().insert(plugin.to_owned(), ledger);
    }
    /// No longer counts this one.
    pub fn close(&self, plugin: &str) {
        self.0.write().remove(plugin);
    }
    /// No longer counts any.
    pub fn close_all(&self) {
        self.0.write().clear();
    }
    /// That of this plugin.
    pub fn of(&self, plugin: &str) -> Option<Arc<Ledger>> {
        self.0.read().get(plugin).cloned()
    }

    /// Restarts and failed health checks as Prometheus text; empty while nothing is supervised.
    pub fn prometheus_text(&self) -> String {
        let all: Vec<(String, Shown)> =
            self.0.read().iter().map(|(name, ledger)| (name.clone(), ledger.shown())).collect();
        let mut out = String::new();
        if all.is_empty() {
            return out;
        }
        let families: [Family; 2] = [
            ("forgeone_plugin_restarts_total", "Starts by supervision after a failure.", |s| s.restarts),
            ("forgeone_plugin_health_failures_total", "Health checks failed.", |s| s.health_failures),
        ];
        for (name, help, read) in families {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (plugin, shown) in &all {
                let _ = writeln!(out, "{name}{{plugin=\"{plugin}\"}} {}", read(shown));
            }
        }
        out
    }
}

/// Keeps one version of a plugin: tells its moves, and asks its ledger where a failure leads.
#[derive(Debug)]
pub struct HouseKeeper {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Who is told.
    pub feed: Arc<Feed>,
    /// Who is asked.
    pub ledgers: Arc<Ledgers>,
}

impl Keeper for HouseKeeper {
    fn moved(&self, from: PluginState, to: PluginState, why: &str) {
        let told = |kind: &dyn Fn() -> EventKind| self.feed.emit(&self.plugin, &self.version, kind);
        told(&|| EventKind::Moved { from, to, why: why.to_owned() });
        if to == PluginState::Quarantined {
            told(&|| EventKind::Quarantined { why: why.to_owned() });
        }
    }
    fn ending(&self) -> Ending {
        self.ledgers.of(&self.plugin).map_or(Ending::Fail, |ledger| ledger.ending())
    }
}
