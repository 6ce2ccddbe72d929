//! `promote` and `abandon`: the end of a trial by an operator; and how a trial is shown.
//!
//! JSON of `promote` that of `upgrade`; of `abandon` `{"abandoned":…}` with every field of [`Tried`].

use super::upgrade::exchange;
use crate::args::OnTrial;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use common::words::counted;
use forgeone_api::asks;
use forgeone_api::shown::{Side, Tried};
use serde::Serialize;
use std::io::{self, Write};

fn line(side: &Side) -> String {
    let Side { calls, errors, denials, p95_us } = side;
    let (made, denied) = (counted(*calls, "call"), counted(*denials, "host call"));
    let p95 = if *calls == 0 { String::new() } else { format!(", p95 {p95_us} µs") };
    format!("{made} ({errors} failed, {denied} denied){p95}")
}

/// The lines about a version on trial.
pub fn pairs(trial: &Tried) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        (
            "on trial",
            format!("{} ({}, {} to answer)", trial.version, trial.kind, counted(trial.calls, "call")),
        ),
        ("its calls", line(&trial.candidate_figures)),
        ("beside", format!("{}: {}", trial.installed, line(&trial.installed_figures))),
    ];
    if trial.kind == "shadow" {
        let Tried { equal, different, incomparable, skipped, .. } = trial;
        let line =
            format!("{equal} equal, {different} different, {incomparable} incomparable, {skipped} skipped");
        pairs.push(("answers", line));
    }
    pairs
}

#[derive(Debug, Serialize)]
struct Abandoned {
    abandoned: Tried,
}

impl Show for Abandoned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = pairs(&self.abandoned);
        pairs.iter_mut().filter(|(name, _)| *name == "on trial").for_each(|(name, _)| *name = "abandoned");
        write_pairs(out, &pairs)
    }
}

/// Runs `promote`.
///
/// # Errors
/// E5001, E5023, or as `upgrade`.
pub fn promote(context: &Context, args: &OnTrial) -> Result<(), Failure> {
    exchange(context, asks::Promote { name: args.name.clone() }.into())
}

/// Runs `abandon`.
///
/// # Errors
/// E5001, E5023.
pub fn abandon(context: &Context, args: &OnTrial) -> Result<(), Failure> {
    let abandoned = context.ask(asks::Abandon { name: args.name.clone() })?;
    context.output().show(&Abandoned { abandoned })
}
