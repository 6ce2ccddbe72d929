//! What an installation of several plugins would do, and what it did.

use super::Installed;
use plugin_manager::{InstallPlan, LeftOut, PlannedStep};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One plugin of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct StepLine {
    pub name: String,
    pub version: String,
    pub publisher: String,
    pub package: String,
    pub change: String,
    pub replaces: Option<String>,
    pub file: Option<PathBuf>,
    pub needed_by: Vec<String>,
}

impl From<PlannedStep> for StepLine {
    fn from(step: PlannedStep) -> Self {
        Self {
            name: step.name,
            version: step.version,
            publisher: step.publisher,
            package: step.package.to_string(),
            change: step.change.name().to_owned(),
            replaces: step.replaces,
            file: step.file,
            needed_by: step.needed_by,
        }
    }
}

/// A package that was not chosen from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct StepLeftOut {
    pub source: String,
    pub name: Option<String>,
    pub code: String,
    pub why: String,
}

impl From<LeftOut> for StepLeftOut {
    fn from(left: LeftOut) -> Self {
        Self { source: left.source, name: left.name, code: left.code.id.to_owned(), why: left.why }
    }
}

/// A plan, and what was done of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Planned {
    pub dry_run: bool,
    pub steps: Vec<StepLine>,
    pub left_out: Vec<StepLeftOut>,
    pub done: Vec<Installed>,
}

impl Planned {
    /// This plan, with what was done of it.
    pub fn new(plan: InstallPlan, done: Vec<Installed>, dry_run: bool) -> Self {
        Self {
            dry_run,
            steps: plan.steps.into_iter().map(StepLine::from).collect(),
            left_out: plan.left_out.into_iter().map(StepLeftOut::from).collect(),
            done,
        }
    }
}
