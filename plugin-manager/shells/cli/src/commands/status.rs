//! `list` and `status`: what is installed, and how it stands.
//!
//! JSON of `list`: `{"plugins":[{"name","version","pending","publisher","state","desired","engine","enforcement"}]}`.
//! JSON of `status`: `{"plugins":[…]}` with every field of [`Full`]; of `status NAME`, and of `start`, `stop`,
//! `pause`, `resume` and `release`: one such object.

use super::trial::Tried;
use crate::args::Status;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use plugin_manager::PluginStatus;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What a home without plugins says.
const NONE: &str = "no plugin is installed; `forgeone install PACKAGE` installs one";

#[derive(Debug, Serialize)]
struct Brief {
    name: String,
    version: String,
    pending: Vec<String>,
    publisher: String,
    state: String,
    desired: String,
    engine: String,
    enforcement: String,
}

impl From<PluginStatus> for Brief {
    fn from(s: PluginStatus) -> Self {
        Self {
            name: s.name,
            version: s.version,
            pending: s.pending,
            publisher: s.publisher,
            state: s.state,
            desired: s.desired,
            engine: s.engine,
            enforcement: s.enforcement,
        }
    }
}

impl Brief {
    fn version_cell(&self) -> String {
        match self.pending.as_slice() {
            [] => self.version.clone(),
            pending => format!("{} ({} pending)", self.version, pending.join(", ")),
        }
    }
}

#[derive(Debug, Serialize)]
struct Listing {
    plugins: Vec<Brief>,
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
                Cell::new(p.version_cell()),
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

/// Everything about one plugin.
#[derive(Debug, Serialize)]
pub struct Full {
    id: String,
    name: String,
    version: String,
    kept: Vec<String>,
    pending: Vec<String>,
    draining: Vec<String>,
    trial: Option<Tried>,
    publisher: String,
    digest: String,
    signer: Option<String>,
    unjudged_signature: bool,
    state: String,
    desired: String,
    failure: Option<String>,
    engine: String,
    enforcement: String,
    operations: Vec<String>,
    granted: Vec<String>,
    withheld: Vec<String>,
    limits: BTreeMap<String, String>,
    calls: u64,
    errors: u64,
    denials: u64,
    memory_bytes: u64,
    file: Option<String>,
    file_problem: Option<String>,
    ready: bool,
    health: &'static str,
    restarts: u64,
    next_restart_ms: Option<u64>,
    waits_for: Option<String>,
}

impl From<PluginStatus> for Full {
    fn from(s: PluginStatus) -> Self {
        Self {
            id: s.id.to_string(),
            name: s.name,
            version: s.version,
            kept: s.kept,
            pending: s.pending,
            draining: s.draining,
            trial: s.trial.map(Tried::from),
            publisher: s.publisher,
            digest: s.digest.to_string(),
            signer: s.signer,
            unjudged_signature: s.unjudged_signature,
            state: s.state,
            desired: s.desired,
            failure: s.failure,
            engine: s.engine,
            enforcement: s.enforcement,
            operations: s.operations,
            granted: s.granted,
            withheld: s.withheld,
            limits: s.limits.into_iter().collect(),
            calls: s.calls,
            errors: s.errors,
            denials: s.denials,
            memory_bytes: s.memory_bytes,
            file: s.file,
            file_problem: s.file_problem,
            ready: s.ready,
            health: s.health,
            restarts: s.restarts,
            next_restart_ms: s.next_restart.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            waits_for: s.waits_for,
        }
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

impl Full {
    /// The state it should be in.
    pub fn desired(&self) -> &str {
        &self.desired
    }
    fn health_line(&self) -> String {
        let ready = if self.ready { "ready" } else { "not ready" };
        let waits = self.waits_for.as_ref().map_or(String::new(), |need| format!(", waiting for {need}"));
        let next = self.next_restart_ms.map_or(String::new(), |ms| format!(", the next in {ms} ms"));
        format!("{}, {ready}{waits}; started again {} times{next}", self.health, self.restarts)
    }
    fn state_line(&self) -> String {
        let waits = self.state == "Stopped" && self.desired == "running";
        format!("{}, desired {}{}", self.state, self.desired, if waits { CALLED } else { "" })
    }
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
        ("state", plugin.state_line()),
    ];
    if !plugin.pending.is_empty() {
        pairs.push(("pending", format!("{}: `forgeone approve --list`", joined(&plugin.pending))));
    }
    if !plugin.draining.is_empty() {
        pairs.push(("draining", joined(&plugin.draining)));
    }
    pairs.extend(plugin.trial.iter().flat_map(Tried::pairs));
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
            format!("{} ({} failed, {} host calls denied)", plugin.calls, plugin.errors, plugin.denials),
        ),
        ("memory", format!("{} bytes", plugin.memory_bytes)),
    ]);
    // Said by a host that supervises; a command by itself does not.
    if plugin.health != "unsupervised" {
        pairs.push(("health", plugin.health_line()));
    }
    pairs
}

#[derive(Debug, Serialize)]
struct FullListing {
    plugins: Vec<Full>,
}

impl Show for FullListing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
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
    let plugins = context.with_manager(|manager| manager.list())?;
    context.output().show(&Listing { plugins: plugins.into_iter().map(Brief::from).collect() })
}

/// Runs `status`.
///
/// # Errors
/// E5001, or when the home cannot be opened or read.
pub fn status(context: &Context, args: &Status) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        let plugin = context.with_manager(|manager| manager.status(name))?;
        return context.output().show(&Full::from(plugin));
    }
    let plugins = context.with_manager(|manager| manager.list())?;
    context.output().show(&FullListing { plugins: plugins.into_iter().map(Full::from).collect() })
}
