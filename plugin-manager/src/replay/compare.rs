//! Two sets of policies before the same recorded calls: which decisions change.

use super::bench::{Bench, Said};
use super::calls::{RecordedCall, RecordedCalls};
use super::foresee::{Foreseen, foresee};
use crate::ledger::AuditSource;
use crate::registry::sources;
use common::error::{ForgeError, codes};
use std::path::Path;

/// A decision that would change.
#[derive(Debug, Clone)]
pub struct ChangedDecision {
    /// The call.
    pub call: RecordedCall,
    /// How often it is recorded.
    pub times: u64,
    /// Whether it is permitted before the change; after it the opposite holds.
    pub permitted_before: bool,
    /// The policies that permit it, or the reason of the denial, after the change.
    pub because: String,
}

/// What a change of policies would change.
#[derive(Debug, Clone, Default)]
pub struct PolicyChanges {
    /// Decisions that would change, by principal, action and resource.
    pub changed: Vec<ChangedDecision>,
    /// Different calls that were decided again.
    pub decided: u64,
    /// Recorded calls that were not decided again: a grant, a secret or a caller's right held them back, they are
    /// summed up without a resource, or their action is of another program.
    pub skipped: u64,
}

/// What the policies in `candidate` would have decided otherwise than it was recorded.
///
/// # Errors
/// E5008 when the home has no log or there is no such directory; E2004 for a policy that is not valid; why the
/// configuration, the log or a file cannot be read.
pub fn test_policies(
    home: &Path,
    config: Option<&Path>,
    candidate: &Path,
) -> Result<PolicyChanges, ForgeError> {
    let candidate = bench(home, config, candidate)?;
    compare(&calls(home)?, |_, recorded| Some(recorded), &candidate)
}

/// How the policies in `new` differ from those in `old`: what may be decided otherwise of the home's plugins and
/// operators, and what would have been of the calls its log tells of; of none when it has no log.
///
/// # Errors
/// As [`test_policies`] for either directory, but for a missing log; when the lock file cannot be read.
pub fn diff_policies(
    home: &Path,
    config: Option<&Path>,
    old: &Path,
    new: &Path,
) -> Result<(Foreseen, PolicyChanges), ForgeError> {
    let (old, new) = (bench(home, config, old)?, bench(home, config, new)?);
    let calls = match calls(home) {
        Err(error) if error.code() == &codes::E5008 => RecordedCalls::default(),
        other => other?,
    };
    let changes = compare(&calls, |call, _| old.decide(call).map(|said| said.is_ok()), &new)?;
    Ok((foresee(home, &old, &new)?, changes))
}

fn bench(home: &Path, config: Option<&Path>, dir: &Path) -> Result<Bench, ForgeError> {
    if !dir.is_dir() {
        return Err(ForgeError::new(&codes::E5008, format!("there is no directory {}", dir.display()))
            .with_help("name a directory of .cedar files"));
    }
    Bench::of(dir, home, &sources::config(home, config)?)
}

fn calls(home: &Path) -> Result<RecordedCalls, ForgeError> {
    RecordedCalls::read(&AuditSource::of(home)?.dir)
}

fn compare(
    recorded: &RecordedCalls,
    before: impl Fn(&RecordedCall, bool) -> Option<bool>,
    after: &Bench,
) -> Result<PolicyChanges, ForgeError> {
    let mut changes =
        PolicyChanges { skipped: recorded.skipped + recorded.left_out, ..PolicyChanges::default() };
    for (call, (permitted, times)) in &recorded.calls {
        let Some((before, said)) = before(call, *permitted).zip(after.decide(call)) else {
            changes.skipped += times;
            continue;
        };
        changes.decided += 1;
        if before != said.is_ok() {
            let (call, because) = (call.clone(), because(said));
            changes.changed.push(ChangedDecision { call, times: *times, permitted_before: before, because });
        }
    }
    Ok(changes)
}

fn because(said: Said) -> String {
    match said {
        Ok(policies) => format!("permitted by {}", policies.join(", ")),
        Err(denial) => denial.reason,
    }
}
