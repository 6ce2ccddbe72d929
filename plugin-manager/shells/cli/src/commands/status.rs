//! `list` and `status`: what is installed, and how it stands.
//!
//! JSON of `list`: `{"plugins":[{"name","version","pending","trial","publisher","state","desired","engine","enforcement"}]}`.
//! JSON of `status`: `{"daemon":{"pid","since"},"ready","not_ready":[{"plugin","why"}],"policy_review","plugins":[…]}` with every field
//! of [`Full`]; `daemon` is null where none runs, which then says nothing of readiness; of `status NAME`, and of `start`, `stop`, `pause`, `resume` and `release`: one such object.

use super::review::review_line;
use super::trial::pairs as trial_pairs;
use crate::args::Status;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use common::words::counted;
use forgeone_api::shown::{Brief, Full, NotReadyLine, Overview, ReviewLine, Standing};
use forgeone_api::{DaemonInfo, asks};
use serde::Serialize;
use std::io::{self, Write};

/// What a home without plugins says.
const NONE: &str = "no plugin is installed; `forgeone install PACKAGE` installs one";

#[derive(Debug, Serialize)]
struct Listing {
    plugins: Vec<Brief>,
}

/// The cell of a version, with the one on trial and those that wait for consent.
fn version_cell(plugin: &Brief) -> String {
    let mut others: Vec<String> = plugin.trial.iter().map(|version| format!("{version} on trial")).collect();
    if !plugin.pending.is_empty() {
        others.push(format!("{} pending", plugin.pending.join(", ")));
    }
    match others.as_slice() {
        [] => plugin.version.clone(),
        others => format!("{} ({})", plugin.version, others.join("; ")),
    }
}

impl Show for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.plugins.is_empty() {
            return writeln!(out, "{NONE}");
        }
        let mut table = table(&["NAME", "VERSION", "PUBLISHER", "STATE", "DESIRED", "ENGINE", "ENFORCED"]);
        for p in &self.plugins {
            // What is missing is in `status`; here it would push everything else aside.
            let enforced = p.enforcement.split(':').next().unwrap_or_default();
            table.add_row([
                Cell::new(&p.name),
                Cell::new(version_cell(p)),
                Cell::new(&p.publisher),
                tone(&p.state),
                Cell::new(&p.desired),
                Cell::new(&p.engine),
                tone(enforced),
            ]);
        }
        write_table(out, &table)
    }
}

/// The items on one line, or `none`.
pub fn joined(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// Who signed a package, as a line says it.
pub fn signed_by(signer: Option<&str>, unjudged: bool) -> String {
    let unjudged =
        if unjudged { "signed; the signature is not judged without trust.toml" } else { "not signed" };
    signer.map_or_else(|| unjudged.to_owned(), one_line)
}

/// What is to be known of a plugin that is desired running and not up.
pub const CALLED: &str = ": a call brings it up";

fn health_line(plugin: &Full) -> String {
    let ready = if plugin.ready { "ready" } else { "not ready" };
    let waits = plugin.waits_for.as_ref().map_or(String::new(), |need| format!(", waiting for {need}"));
    let again = counted(plugin.restarts, "time");
    let next = plugin.next_restart_ms.map_or(String::new(), |ms| format!(", the next in {ms} ms"));
    format!("{}, {ready}{waits}; started again {again}{next}", plugin.health)
}

fn state_line(plugin: &Full) -> String {
    let waits = plugin.state == "Stopped" && plugin.desired == "running" && plugin.failure.is_none();
    format!("{}, desired {}{}", plugin.state, plugin.desired, if waits { CALLED } else { "" })
}

impl Show for Full {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        write_pairs(out, &pairs(self))
    }
}

/// The lines about one plugin.
pub fn pairs(plugin: &Full) -> Vec<(&'static str, String)> {
    let limits: Vec<String> = plugin.limits.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let mut pairs = vec![
        ("plugin", format!("{} {}", plugin.name, plugin.version)),
        ("kept", joined(&plugin.kept)),
        ("publisher", plugin.publisher.clone()),
        ("id", plugin.id.clone()),
        ("digest", plugin.digest.clone()),
        ("signer", signed_by(plugin.signer.as_deref(), plugin.unjudged_signature)),
        ("state", state_line(plugin)),
    ];
    if !plugin.pending.is_empty() {
        pairs.push(("pending", format!("{}: `forgeone approve --list`", joined(&plugin.pending))));
    }
    if !plugin.draining.is_empty() {
        pairs.push(("draining", joined(&plugin.draining)));
    }
    pairs.extend(plugin.trial.iter().flat_map(trial_pairs));
    if let Some(failure) = &plugin.failure {
        pairs.push(("failure", one_line(failure)));
    }
    if let Some(file) = &plugin.file {
        pairs.push(("file", one_line(file)));
    }
    if let Some(problem) = &plugin.file_problem {
        pairs.push(("file gone", one_line(problem)));
    }
    pairs.extend([
        ("engine", plugin.engine.clone()),
        ("enforced", plugin.enforcement.clone()),
        ("operations", joined(&plugin.operations)),
        ("granted", joined(&plugin.granted)),
        ("withheld", joined(&plugin.withheld)),
        ("limits", joined(&limits)),
        (
            "calls",
            format!(
                "{} ({} failed, {} denied)",
                plugin.calls,
                plugin.errors,
                counted(plugin.denials, "host call")
            ),
        ),
        ("memory", format!("{} bytes", plugin.memory_bytes)),
        ("trust", format!("{}, {} of 100", plugin.trust, plugin.trust_points)),
    ]);
    pairs.extend(plugin.trust_why.iter().map(|why| ("", one_line(why))));
    if let Some(file) = &plugin.evidence {
        pairs.push(("evidence", file.clone()));
    }
    pairs.extend(plugin.review.as_ref().map(|review| ("review", review_line(review))));
    // Said by a host that supervises; a command by itself does not.
    if plugin.health != "unsupervised" {
        pairs.push(("health", health_line(plugin)));
    }
    pairs
}

/// Every plugin, and the daemon that has the home.
#[derive(Debug, Serialize)]
struct FullListing {
    daemon: Option<DaemonInfo>,
    /// What a host that stays up says of itself; a command that opened the home for a moment has nothing to say.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
    policy_review: Option<ReviewLine>,
    plugins: Vec<Full>,
}

/// Why a host or a plugin of it does not serve, as people read it.
pub fn not_ready_line(reason: &NotReadyLine) -> String {
    match &reason.plugin {
        Some(plugin) => format!("plugin {} is not ready: {}", one_line(plugin), one_line(&reason.why)),
        None => format!("not ready: {}", one_line(&reason.why)),
    }
}

/// Whether a daemon has the home, as people read it.
pub fn daemon_line(daemon: Option<&DaemonInfo>) -> String {
    daemon.map_or_else(|| "none".to_owned(), |d| format!("process {}, since {}", d.pid, d.since))
}

impl Show for FullListing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut pairs = vec![("daemon", daemon_line(self.daemon.as_ref()))];
        if let Some(standing) = &self.standing {
            let why = standing.not_ready.iter().map(not_ready_line).collect::<Vec<_>>().join("; ");
            pairs.push(("ready", if standing.ready { "yes".to_owned() } else { why }));
        }
        pairs.extend(self.policy_review.as_ref().map(|review| ("policy review", review_line(review))));
        write_pairs(out, &pairs)?;
        writeln!(out)?;
        if self.plugins.is_empty() {
            return writeln!(out, "{NONE}");
        }
        for (i, plugin) in self.plugins.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            plugin.human(out)?;
        }
        Ok(())
    }
}

/// Runs `list`.
///
/// # Errors
/// When the home cannot be opened or read.
pub fn list(context: &Context) -> Result<(), Failure> {
    let plugins = context.ask(asks::List {})?;
    context.output().show(&Listing { plugins })
}

/// Runs `status`.
///
/// # Errors
/// E5001, or when the home cannot be opened or read.
pub fn status(context: &Context, args: &Status) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        let plugin = context.ask(asks::Status { name: name.clone() })?;
        return context.output().show(&plugin);
    }
    let (Overview { standing, policy_review, plugins }, daemon) =
        context.answer(asks::StatusOfAll {}.into())?;
    let standing = daemon.is_some().then_some(standing);
    super::keys::expiring(context)?;
    context.output().show(&FullListing { daemon, standing, policy_review, plugins })
}
