//! What changes what is installed and what runs: `remove`, `start`, `stop`, `pause`, `resume`, `release`, and what
//! `install` shows.
//!
//! JSON of `install` of one package: [`Installed`]; of `remove`: [`Removed`]; of the others: a plugin as `status` shows it.

use super::status::{CALLED, joined, pairs};
use crate::args::{Plugin, Remove};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use forgeone_api::DaemonInfo;
use forgeone_api::asks::{self, Verb};
use forgeone_api::shown::{Full, Installed};
use serde::Serialize;
use std::io::{self, Write};

/// An answer about a plugin that was moved, and whether the plugin stays as it then was: with a daemon it does, without
/// one it comes down with the command. Its JSON is the answer's.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Placed<T> {
    /// The answer.
    pub answer: T,
    /// Whether a daemon keeps the plugin as it is.
    #[serde(skip)]
    pub stays: bool,
}

impl<T> From<(T, Option<DaemonInfo>)> for Placed<T> {
    fn from((answer, daemon): (T, Option<DaemonInfo>)) -> Self {
        Self { answer, stays: daemon.is_some() }
    }
}

/// What people are shown of an installed plugin after its name and version.
pub fn about(plugin: &Installed, stays: bool) -> Vec<(&'static str, String)> {
    let compiled = plugin.compiled_ms.map_or(String::new(), |ms| format!(", compiled in {ms} ms"));
    let count = |outcome: &str| plugin.checks.iter().filter(|c| c.outcome == outcome).count();
    let mut pairs = vec![
        ("publisher", plugin.publisher.clone()),
        ("digest", plugin.digest.clone()),
        ("checks", format!("{} passed, {} skipped", count("passed"), count("skipped"))),
        ("granted", joined(&plugin.granted)),
    ];
    if !plugin.withheld.is_empty() {
        pairs.push(("withheld", joined(&plugin.withheld)));
    }
    let state = match (plugin.started, stays) {
        (false, _) => "not started",
        (true, false) => "started and stopped once: it will run",
        (true, true) => "started: it runs",
    };
    pairs.extend([
        ("engine", format!("{}{compiled}", plugin.engine)),
        ("enforced", plugin.enforcement.clone()),
        ("state", state.to_owned()),
    ]);
    pairs
}

impl Show for Placed<Installed> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let installed = format!("{} {}", self.answer.name, self.answer.version);
        let mut pairs = vec![("installed", installed)];
        pairs.extend(about(&self.answer, self.stays));
        write_pairs(out, &pairs)
    }
}

/// What `remove` always erases.
const ALWAYS_ERASED: [&str; 2] = ["settings", "log"];
/// What `remove` erases unless it is told to keep it.
const DATA: [&str; 3] = ["stored values", "files", "saved state"];

#[derive(Debug, Serialize)]
struct Removed<'a> {
    removed: &'a str,
    erased: Vec<&'static str>,
    kept: &'static [&'static str],
}

impl<'a> Removed<'a> {
    fn of(args: &'a Remove) -> Self {
        let (data, kept) = if args.keep_data { (&[][..], &DATA[..]) } else { (&DATA[..], &[][..]) };
        Self { removed: &args.name, erased: data.iter().chain(&ALWAYS_ERASED).copied().collect(), kept }
    }
}

impl Show for Removed<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let kept = if self.kept.is_empty() { "nothing".to_owned() } else { self.kept.join(", ") };
        let erased = self.erased.join(", ");
        write_pairs(out, &[("removed", self.removed.to_owned()), ("erased", erased), ("kept", kept)])
    }
}

/// A plugin after a command moved it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Turned {
    plugin: Full,
    /// Whether it was brought up for the command, and came down with it.
    #[serde(skip)]
    briefly: bool,
}

impl Show for Turned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = pairs(&self.plugin);
        if let (true, Some(state)) = (self.briefly, pairs.iter_mut().find(|(name, _)| *name == "state")) {
            state.1 = format!("started and stopped again, desired {}{CALLED}", self.plugin.desired);
        }
        write_pairs(out, &pairs)
    }
}

/// Runs `remove`.
///
/// # Errors
/// E5001, E5007, or when the home cannot be opened.
pub fn remove(context: &Context, args: &Remove) -> Result<(), Failure> {
    context.ask(asks::Remove { name: args.name.clone(), keep_data: args.keep_data })?;
    context.output().show(&Removed::of(args))
}

/// Runs `start`, `stop`, `pause`, `resume` or `release`.
///
/// # Errors
/// E5001, E5002, or whatever the plugin runs into.
pub fn turn(context: &Context, args: &Plugin, verb: Verb) -> Result<(), Failure> {
    let (plugin, daemon) = context.answer(asks::Turn { name: args.name.clone(), verb }.into())?;
    let briefly = verb == Verb::Start && daemon.is_none();
    context.output().show(&Turned { plugin, briefly })
}
