//! What the hall tells its callers. Shells turn these into tables and JSON; they carry no wire format.

use super::reviews::ReviewStatus;
use super::trial::TrialStatus;
use crate::attestation::CheckOutcome;
use common::identity::{Digest, PluginId};
use std::time::Duration;

/// What `install` did.
#[derive(Debug, Clone)]
pub struct InstallReport {
    /// The plugin's id.
    pub id: PluginId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The checks that ran, in order, each with its outcome.
    pub checks: Vec<CheckOutcome>,
    /// What was granted, one line each.
    pub granted: Vec<String>,
    /// What was asked for and clamped or not granted, one line each.
    pub withheld: Vec<String>,
    /// What of the sandbox is enforced: `full`, `partial: …` or `none`.
    pub enforcement: String,
    /// The engine it runs on.
    pub engine: String,
    /// Time of compilation, when it was compiled now.
    pub compiled_in: Option<Duration>,
    /// Whether it was brought up.
    pub started: bool,
}

/// What `upgrade` or `rollback` did.
#[derive(Debug, Clone)]
pub struct UpgradeReport {
    /// The version that is installed now, as `install` reports it.
    pub now: InstallReport,
    /// The version it took the place of.
    pub replaced: String,
    /// What it asks for and the replaced version did not, one line each: consented to.
    pub added: Vec<String>,
    /// Bytes of state that went from one to the other in this process; `None` when none did.
    pub carried: Option<usize>,
    /// What the replaced version ran into when it was stopped; it is down all the same.
    pub ending: Option<String>,
    /// Versions that still finish calls, the one replaced first first; each is stopped when it has.
    pub draining: Vec<String>,
    /// The versions that are kept, the one replaced last first.
    pub kept: Vec<String>,
    /// The trial that has begun, where one was asked for: nothing is replaced yet then. `now` is of the version on
    /// trial, and `replaced` is the one that goes on.
    pub trial: Option<TrialStatus>,
}

/// What `list` and `status` show of one plugin.
#[derive(Debug, Clone)]
pub struct PluginStatus {
    /// The plugin's id.
    pub id: PluginId,
    /// Its name.
    pub name: String,
    /// `package`, or `native` for code of the host program.
    pub kind: &'static str,
    /// Its version.
    pub version: String,
    /// Earlier versions that are kept for `rollback`, the one replaced last first.
    pub kept: Vec<String>,
    /// Versions that wait for consent, the one offered first first.
    pub pending: Vec<String>,
    /// Replaced versions that still finish calls, the one replaced first first.
    pub draining: Vec<String>,
    /// The trial of another version, while one is on.
    pub trial: Option<TrialStatus>,
    /// Its publisher.
    pub publisher: String,
    /// The state it is in: a name of the contract's state table.
    pub state: String,
    /// The state it should be in: `running`, `stopped` or `paused`.
    pub desired: String,
    /// Why it does not run, when that is known: the last failure, why it is quarantined, or why it may not be run.
    pub failure: Option<String>,
    /// The engine it runs on.
    pub engine: String,
    /// What of the sandbox is enforced.
    pub enforcement: String,
    /// Its operations.
    pub operations: Vec<String>,
    /// What was granted, one line each.
    pub granted: Vec<String>,
    /// What was asked for and clamped or not granted, one line each.
    pub withheld: Vec<String>,
    /// Limits as name and value.
    pub limits: Vec<(String, String)>,
    /// Calls of operations since it was brought up.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Host calls denied.
    pub denials: u64,
    /// Bytes of linear memory of the instance that answered last.
    pub memory_bytes: u64,
    /// How far it is trusted by what it does: `full`, `reduced` or `quarantined`.
    pub trust: &'static str,
    /// The same as points, 0 to 100.
    pub trust_points: u32,
    /// What cost it points and is not made good by time, the latest first.
    pub trust_why: Vec<String>,
    /// The file with the evidence of its last quarantine, while that is kept.
    pub evidence: Option<String>,
    /// Who reviewed it and when, and whether that is overdue; `None` for code of the host program.
    pub review: Option<ReviewStatus>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Who signed the package; `None` when no signature was judged.
    pub signer: Option<String>,
    /// Whether the package carries a signature that was not judged when it was installed.
    pub unjudged_signature: bool,
    /// The file of the plugin directory it came from; `None` when a command or a program brought it.
    pub file: Option<String>,
    /// Why it is still there though that file is gone.
    pub file_problem: Option<String>,
    /// How often supervision started it again after a failure, since supervision began.
    pub restarts: u64,
    /// How long until supervision starts it again.
    pub next_restart: Option<Duration>,
    /// What supervision knows of its health: `unchecked`, `well`, `unwell` or `given up`; `unsupervised` without it.
    pub health: &'static str,
    /// The plugin it needs that does not run, while it waits for that.
    pub waits_for: Option<String>,
    /// Whether it answers calls and, if its health is checked, passed the last check.
    pub ready: bool,
}

/// One line of `doctor`.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What was looked at.
    pub name: String,
    /// `ok`, `warning` or `problem`.
    pub verdict: &'static str,
    /// What was seen, and what to do about it.
    pub detail: String,
}
