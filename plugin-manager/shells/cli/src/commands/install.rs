//! `install`: one package as it is, or several and whatever they need, planned first.
//!
//! JSON of one package without `--from`, `--locked` and `--dry-run`: what `install` did with it; otherwise
//! `{"dry_run","steps","left_out","done"}`, where steps are
//! `{"name","version","publisher","package","change","replaces","file","needed_by"}` with change `install`, `upgrade`,
//! `rollback` or `stay`, left_out `{"source","name","code","why"}`, and done has one such report for each step that
//! changes something.

use super::plugins::Installed;
use crate::args::Install;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files;
use crate::output::Show;
use plugin_manager::{InstallPlan, InstallRequest, LeftOut, PlannedChange, PlannedStep};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Runs `install`.
///
/// # Errors
/// When a package is refused, nothing fits, or a plugin cannot start.
pub fn install(context: &Context, args: Install) -> Result<(), Failure> {
    let alone = args.from.is_empty() && args.locked.is_none() && !args.dry_run;
    if let ([package], true) = (args.packages.as_slice(), alone) {
        return install_one(context, package, !args.no_start);
    }
    let request = InstallRequest {
        packages: absolute(args.packages)?,
        from: absolute(args.from)?,
        locked: args.locked.map(std::path::absolute).transpose()?,
        start: !args.no_start,
        allow_downgrade: args.allow_downgrade,
        accept_permissions: args.accept_permissions,
    };
    let (plan, done) = context.with_manager(|manager| {
        let plan = manager.plan_install(&request)?;
        if args.dry_run {
            return Ok((plan, Vec::new()));
        }
        let done = manager.install_planned(&plan, &request)?;
        Ok((plan, done.into_iter().map(|step| Installed::from(step.into_now())).collect()))
    })?;
    context.output().show(&Planned::new(&plan, done, args.dry_run))
}

fn install_one(context: &Context, package: &Path, start: bool) -> Result<(), Failure> {
    let package = files::read_telling(package, files::MAX_FILE, &*context.progress())?;
    let report = context.with_manager(|manager| manager.install(&package, start))?;
    context.output().show(&Installed::from(report))
}

/// As a process with another working directory would name them.
fn absolute(paths: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    paths.into_iter().map(std::path::absolute).collect()
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    name: &'a str,
    version: &'a str,
    publisher: &'a str,
    package: String,
    change: &'static str,
    replaces: Option<&'a str>,
    file: Option<&'a Path>,
    needed_by: &'a [String],
}

impl<'a> From<&'a PlannedStep> for Step<'a> {
    fn from(step: &'a PlannedStep) -> Self {
        Self {
            name: &step.name,
            version: &step.version,
            publisher: &step.publisher,
            package: step.package.to_string(),
            change: step.change.name(),
            replaces: step.replaces.as_deref(),
            file: step.file.as_deref(),
            needed_by: &step.needed_by,
        }
    }
}

#[derive(Debug, Serialize)]
struct Left<'a> {
    source: &'a str,
    name: Option<&'a str>,
    code: &'static str,
    why: &'a str,
}

impl<'a> From<&'a LeftOut> for Left<'a> {
    fn from(left: &'a LeftOut) -> Self {
        Self { source: &left.source, name: left.name.as_deref(), code: left.code.id, why: &left.why }
    }
}

/// A plan, and what was done of it.
#[derive(Debug, Serialize)]
struct Planned<'a> {
    dry_run: bool,
    steps: Vec<Step<'a>>,
    left_out: Vec<Left<'a>>,
    done: Vec<Installed>,
    #[serde(skip)]
    nothing: bool,
}

impl<'a> Planned<'a> {
    fn new(plan: &'a InstallPlan, done: Vec<Installed>, dry_run: bool) -> Self {
        Self {
            dry_run,
            steps: plan.steps.iter().map(Step::from).collect(),
            left_out: plan.left_out.iter().map(Left::from).collect(),
            done,
            nothing: plan.steps.iter().all(|step| step.change == PlannedChange::Stay),
        }
    }
}

/// Packages left out that people are shown.
const MAX_SHOWN: usize = 20;

impl Show for Planned<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for Step { name, version, publisher, change, replaces, needed_by, .. } in &self.steps {
            let instead = replaces.map_or(String::new(), |old| format!(" in place of {old}"));
            let by = match needed_by {
                [] => String::new(),
                by => format!(", needed by {}", by.join(", ")),
            };
            writeln!(out, "{change:<9}{name} {version} of {publisher}{instead}{by}")?;
        }
        for Left { source, why, .. } in self.left_out.iter().take(MAX_SHOWN) {
            writeln!(out, "not chosen from {}: {}", one_line(source), one_line(why))?;
        }
        match (self.dry_run, self.nothing) {
            (true, _) => writeln!(out, "nothing was done: --dry-run"),
            (false, true) => writeln!(out, "nothing was to be done"),
            (false, false) => {
                let started = self.done.iter().filter(|done| done.was_started()).count();
                writeln!(out, "done: {} installed, {started} of them started once", self.done.len())
            }
        }
    }
}
