//! What installing, upgrading and going back did.

use super::trial::Tried;
use plugin_manager::{CheckOutcome, InstallReport, UpgradeReport};
use serde::{Deserialize, Serialize};

/// One check of a package and how it came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckLine {
    /// Its number in TRUST.md.
    pub step: u8,
    /// A word for it.
    pub name: String,
    /// What it checks.
    pub title: String,
    /// `passed`, `skipped` or `failed`.
    pub outcome: String,
    /// What was seen.
    pub detail: String,
}

impl From<CheckOutcome> for CheckLine {
    fn from(c: CheckOutcome) -> Self {
        Self {
            step: c.step.number(),
            name: c.step.name().to_owned(),
            title: c.step.title().to_owned(),
            outcome: c.outcome.name().to_owned(),
            detail: c.detail,
        }
    }
}

/// What `install` did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Installed {
    pub id: String,
    pub name: String,
    pub version: String,
    pub publisher: String,
    pub digest: String,
    pub checks: Vec<CheckLine>,
    pub granted: Vec<String>,
    pub withheld: Vec<String>,
    pub enforcement: String,
    pub engine: String,
    pub compiled_ms: Option<u64>,
    pub started: bool,
}

impl From<InstallReport> for Installed {
    fn from(r: InstallReport) -> Self {
        Self {
            id: r.id.to_string(),
            name: r.name,
            version: r.version,
            publisher: r.publisher,
            digest: r.digest.to_string(),
            checks: r.checks.into_iter().map(CheckLine::from).collect(),
            granted: r.granted,
            withheld: r.withheld,
            enforcement: r.enforcement,
            engine: r.engine,
            compiled_ms: r.compiled_in.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            started: r.started,
        }
    }
}

/// What `upgrade` or `rollback` did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Exchanged {
    #[serde(flatten)]
    pub now: Installed,
    pub replaced: String,
    pub added: Vec<String>,
    pub ending: Option<String>,
    pub draining: Vec<String>,
    pub trial: Option<Tried>,
    pub kept: Vec<String>,
}

impl From<UpgradeReport> for Exchanged {
    fn from(r: UpgradeReport) -> Self {
        Self {
            now: Installed::from(r.now),
            replaced: r.replaced,
            added: r.added,
            ending: r.ending,
            draining: r.draining,
            trial: r.trial.map(Tried::from),
            kept: r.kept,
        }
    }
}
