//! Installed plugins and how they stand, their settings, and the lines of `doctor`.

use super::review::ReviewLine;
use super::trial::Tried;
use plugin_manager::{NotReady, PluginStatus, Probe, Readiness};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A plugin in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Brief {
    pub name: String,
    pub version: String,
    pub pending: Vec<String>,
    pub trial: Option<String>,
    pub publisher: String,
    pub state: String,
    pub desired: String,
    pub engine: String,
    pub enforcement: String,
}

impl From<PluginStatus> for Brief {
    fn from(s: PluginStatus) -> Self {
        Self {
            name: s.name,
            version: s.version,
            pending: s.pending,
            trial: s.trial.map(|trial| trial.version),
            publisher: s.publisher,
            state: s.state,
            desired: s.desired,
            engine: s.engine,
            enforcement: s.enforcement,
        }
    }
}

/// Everything about one plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Full {
    pub id: String,
    pub name: String,
    pub version: String,
    pub kept: Vec<String>,
    pub pending: Vec<String>,
    pub draining: Vec<String>,
    pub trial: Option<Tried>,
    pub publisher: String,
    pub digest: String,
    pub signer: Option<String>,
    pub unjudged_signature: bool,
    pub state: String,
    pub desired: String,
    pub failure: Option<String>,
    pub engine: String,
    pub enforcement: String,
    pub operations: Vec<String>,
    pub granted: Vec<String>,
    pub withheld: Vec<String>,
    pub limits: BTreeMap<String, String>,
    pub calls: u64,
    pub errors: u64,
    pub denials: u64,
    pub memory_bytes: u64,
    pub trust: String,
    pub trust_points: u32,
    pub trust_why: Vec<String>,
    pub evidence: Option<String>,
    pub review: Option<ReviewLine>,
    pub file: Option<String>,
    pub file_problem: Option<String>,
    pub ready: bool,
    pub health: String,
    pub restarts: u64,
    pub next_restart_ms: Option<u64>,
    pub waits_for: Option<String>,
}

impl From<PluginStatus> for Full {
    fn from(s: PluginStatus) -> Self {
        Self {
            id: s.id.to_string(),
            name: s.name,
            version: s.version,
            kept: s.kept,
            pending: s.pending,
            draining: s.draining,
            trial: s.trial.map(Tried::from),
            publisher: s.publisher,
            digest: s.digest.to_string(),
            signer: s.signer,
            unjudged_signature: s.unjudged_signature,
            state: s.state,
            desired: s.desired,
            failure: s.failure,
            engine: s.engine,
            enforcement: s.enforcement,
            operations: s.operations,
            granted: s.granted,
            withheld: s.withheld,
            limits: s.limits.into_iter().collect(),
            calls: s.calls,
            errors: s.errors,
            denials: s.denials,
            memory_bytes: s.memory_bytes,
            trust: s.trust.to_owned(),
            trust_points: s.trust_points,
            trust_why: s.trust_why,
            evidence: s.evidence,
            review: s.review.map(ReviewLine::from),
            file: s.file,
            file_problem: s.file_problem,
            ready: s.ready,
            health: s.health.to_owned(),
            restarts: s.restarts,
            next_restart_ms: s.next_restart.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            waits_for: s.waits_for,
        }
    }
}

/// Whether a host serves, and why not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Standing {
    /// Whether every plugin that is desired running runs and is well, and the log records.
    pub ready: bool,
    /// Why not; empty when it does.
    pub not_ready: Vec<NotReadyLine>,
}

/// One reason why a host does not serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NotReadyLine {
    /// The plugin it is about; none for the host itself.
    pub plugin: Option<String>,
    /// The reason.
    pub why: String,
}

impl From<Readiness> for Standing {
    fn from(readiness: Readiness) -> Self {
        let line = |reason: NotReady| NotReadyLine { plugin: reason.plugin, why: reason.why };
        Self { ready: readiness.ready, not_ready: readiness.reasons.into_iter().map(line).collect() }
    }
}

/// Every plugin, and how the host stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Overview {
    /// How the host stands.
    pub standing: Standing,
    /// How the review of the policies stands; none without policy files.
    pub policy_review: Option<ReviewLine>,
    /// Every plugin.
    pub plugins: Vec<Full>,
}

/// One setting of a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setting {
    /// `config` or `env`.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// One line of `doctor`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeLine {
    /// What was looked at.
    pub name: String,
    /// `ok`, `warning` or `problem`.
    pub verdict: String,
    /// What was seen.
    pub detail: String,
}

impl From<Probe> for ProbeLine {
    fn from(probe: Probe) -> Self {
        Self { name: probe.name, verdict: probe.verdict.to_owned(), detail: probe.detail }
    }
}
