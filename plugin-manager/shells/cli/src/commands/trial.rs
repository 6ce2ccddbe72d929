//! `promote` and `abandon`: the end of a trial by an operator; and how a trial is shown.
//!
//! JSON of `promote` that of `upgrade`; of `abandon` `{"abandoned":…}` with every field of [`Tried`].

use super::upgrade::Exchanged;
use crate::args::OnTrial;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use common::error::{ForgeError, codes};
use plugin_manager::{TrialSide, TrialStatus};
use serde::Serialize;
use std::io::{self, Write};

/// What one of two versions did.
#[derive(Debug, Serialize)]
struct Side {
    calls: u64,
    errors: u64,
    denials: u64,
    p95_us: u64,
}

impl From<TrialSide> for Side {
    fn from(s: TrialSide) -> Self {
        let p95_us = u64::try_from(s.p95.as_micros()).unwrap_or(u64::MAX);
        Self { calls: s.calls, errors: s.errors, denials: s.denials, p95_us }
    }
}

impl Side {
    fn line(&self) -> String {
        let Self { calls, errors, denials, p95_us } = self;
        format!("{calls} calls ({errors} failed, {denials} host calls denied), 95 of 100 within {p95_us} µs")
    }
}

/// How a version on trial stands.
#[derive(Debug, Serialize)]
pub struct Tried {
    name: String,
    version: String,
    installed: String,
    kind: String,
    calls: u64,
    elapsed_ms: u64,
    candidate_figures: Side,
    installed_figures: Side,
    equal: u64,
    different: u64,
    incomparable: u64,
    skipped: u64,
    suppressed: u64,
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

impl Tried {
    /// The lines about it.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("on trial", format!("{} ({}, {} calls to answer)", self.version, self.kind, self.calls)),
            ("its calls", self.candidate_figures.line()),
            ("beside", format!("{}: {}", self.installed, self.installed_figures.line())),
        ];
        if self.kind == "shadow" {
            let Self { equal, different, incomparable, skipped, .. } = self;
            let line = format!(
                "{equal} equal, {different} different, {incomparable} incomparable, {skipped} skipped"
            );
            pairs.push(("answers", line));
        }
        pairs
    }
}

#[derive(Debug, Serialize)]
struct Abandoned {
    abandoned: Tried,
}

impl Show for Abandoned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        write_pairs(out, &self.abandoned.pairs())
    }
}

/// The error for a trial that would end with this command.
pub fn nobody_to_hold_it() -> ForgeError {
    ForgeError::new(&codes::E5022, "no host stays up to hold a trial: it would end with this command")
        .with_help("ask a host that stays up, which `PluginManager::upgrade` is for, or leave --canary and --shadow out")
}

/// Runs `promote`.
///
/// # Errors
/// E5001, E5023, or as `upgrade`.
pub fn promote(context: &Context, args: &OnTrial) -> Result<(), Failure> {
    let report = context.with_manager(|manager| manager.promote(&args.name))?;
    context.output().show(&Exchanged::from(report))
}

/// Runs `abandon`.
///
/// # Errors
/// E5001, E5023.
pub fn abandon(context: &Context, args: &OnTrial) -> Result<(), Failure> {
    let abandoned = context.with_manager(|manager| manager.abandon(&args.name))?.into();
    context.output().show(&Abandoned { abandoned })
}
