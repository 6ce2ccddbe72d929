//! What changes what is installed and what runs: `remove`, `start`, `stop`, `pause`, `resume`, `release`, and what
//! `install` shows.
//!
//! JSON of `install` of one package: [`Installed`]; of `remove`: [`Removed`]; of the others: a plugin as `status` shows it.

use super::status::{CALLED, Full, joined, pairs};
use crate::args::{Plugin, Remove};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, write_pairs};
use plugin_manager::{CheckOutcome, InstallReport};
use serde::Serialize;
use std::io::{self, Write};

/// One check of a package and how it came out.
#[derive(Debug, Serialize)]
pub struct CheckLine {
    /// Its number in TRUST.md.
    pub step: u8,
    /// A word for it.
    pub name: &'static str,
    /// What it checks.
    pub title: &'static str,
    /// `passed`, `skipped` or `failed`.
    pub outcome: &'static str,
    /// What was seen.
    pub detail: String,
}

impl From<CheckOutcome> for CheckLine {
    fn from(c: CheckOutcome) -> Self {
        Self {
            step: c.step.number(),
            name: c.step.name(),
            title: c.step.title(),
            outcome: c.outcome.name(),
            detail: c.detail,
        }
    }
}

/// What `install` did.
#[derive(Debug, Serialize)]
pub struct Installed {
    id: String,
    pub name: String,
    pub version: String,
    publisher: String,
    digest: String,
    checks: Vec<CheckLine>,
    granted: Vec<String>,
    withheld: Vec<String>,
    enforcement: String,
    engine: String,
    compiled_ms: Option<u64>,
    started: bool,
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

impl Installed {
    /// What people are shown after the name and version.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let compiled = self.compiled_ms.map_or(String::new(), |ms| format!(", compiled in {ms} ms"));
        let mut pairs = vec![
            ("publisher", self.publisher.clone()),
            ("digest", self.digest.clone()),
            ("checks", format!("{} passed, {} skipped", self.count("passed"), self.count("skipped"))),
            ("granted", joined(&self.granted)),
        ];
        if !self.withheld.is_empty() {
            pairs.push(("withheld", joined(&self.withheld)));
        }
        let state = if self.started { "started and stopped once: it will run" } else { "not started" };
        pairs.extend([
            ("engine", format!("{}{compiled}", self.engine)),
            ("enforced", self.enforcement.clone()),
            ("state", state.to_owned()),
        ]);
        pairs
    }

    /// Whether it was brought up.
    pub const fn was_started(&self) -> bool {
        self.started
    }

    fn count(&self, outcome: &str) -> usize {
        self.checks.iter().filter(|c| c.outcome == outcome).count()
    }
}

impl Show for Installed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = vec![("installed", format!("{} {}", self.name, self.version))];
        pairs.extend(self.pairs());
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
    #[serde(skip)]
    turn: Turn,
}

impl Show for Turned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = pairs(&self.plugin);
        if let (Turn::Start, Some(state)) = (self.turn, pairs.iter_mut().find(|(name, _)| *name == "state")) {
            // The command lets go of the home when it ends, and the plugin comes down with it.
            state.1 = format!("started and stopped again, desired {}{CALLED}", self.plugin.desired());
        }
        write_pairs(out, &pairs)
    }
}

/// A command that moves a plugin.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the variants are the verbs")]
pub enum Turn {
    Start,
    Stop,
    Pause,
    Resume,
    Release,
}

/// Runs `remove`.
///
/// # Errors
/// E5001, E5007, or when the home cannot be opened.
pub fn remove(context: &Context, args: &Remove) -> Result<(), Failure> {
    context.with_manager(|manager| manager.remove(&args.name, args.keep_data))?;
    context.output().show(&Removed::of(args))
}

/// Runs `start`, `stop`, `pause`, `resume` or `release`.
///
/// # Errors
/// E5001, E5002, or whatever the plugin runs into.
pub fn turn(context: &Context, args: &Plugin, turn: Turn) -> Result<(), Failure> {
    let name = args.name.as_str();
    let status = context.with_manager(|manager| match turn {
        Turn::Start => manager.start(name),
        Turn::Stop => manager.stop(name),
        Turn::Pause => manager.pause(name),
        Turn::Resume => manager.resume(name),
        Turn::Release => manager.release(name),
    })?;
    context.output().show(&Turned { plugin: Full::from(status), turn })
}
