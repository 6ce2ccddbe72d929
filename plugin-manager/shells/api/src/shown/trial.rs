//! How a version on trial stands beside the installed one.

use plugin_manager::{TrialSide, TrialStatus};
use serde::{Deserialize, Serialize};

/// What one of two versions did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Side {
    pub calls: u64,
    pub errors: u64,
    pub denials: u64,
    pub p95_us: u64,
}

impl From<TrialSide> for Side {
    fn from(s: TrialSide) -> Self {
        let p95_us = u64::try_from(s.p95.as_micros()).unwrap_or(u64::MAX);
        Self { calls: s.calls, errors: s.errors, denials: s.denials, p95_us }
    }
}

/// How a version on trial stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Tried {
    pub name: String,
    pub version: String,
    pub installed: String,
    pub kind: String,
    pub calls: u64,
    pub elapsed_ms: u64,
    pub candidate_figures: Side,
    pub installed_figures: Side,
    pub equal: u64,
    pub different: u64,
    pub incomparable: u64,
    pub skipped: u64,
    pub suppressed: u64,
}

impl From<TrialStatus> for Tried {
    fn from(s: TrialStatus) -> Self {
        let f = s.figures;
        Self {
            name: s.name,
            version: s.version,
            installed: s.installed,
            kind: s.terms.kind.to_string(),
            calls: s.terms.calls,
            elapsed_ms: u64::try_from(f.elapsed.as_millis()).unwrap_or(u64::MAX),
            candidate_figures: f.candidate.into(),
            installed_figures: f.installed.into(),
            equal: f.equal,
            different: f.different,
            incomparable: f.incomparable,
            skipped: f.skipped,
            suppressed: f.suppressed,
        }
    }
}
