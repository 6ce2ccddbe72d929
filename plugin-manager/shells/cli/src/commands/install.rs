//! `install`: one package as it is, or several and whatever they need, planned first.
//!
//! JSON of one package without `--from`, `--locked` and `--dry-run`: what `install` did with it; otherwise
//! `{"dry_run","steps","left_out","done"}`, where steps are
//! `{"name","version","publisher","package","change","replaces","file","needed_by"}` with change `install`, `upgrade`,
//! `rollback` or `stay`, left_out `{"source","name","code","why"}`, and done has one such report for each step that
//! changes something.

use super::plugins::Placed;
use crate::args::Install;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files;
use crate::output::Show;
use forgeone_api::shown::{Planned, StepLeftOut, StepLine};
use forgeone_api::{Parcel, asks};
use plugin_manager::InstallRequest;
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
    let plan = context.ask(asks::InstallAll { request, dry_run: args.dry_run })?;
    context.output().show(&plan)
}

fn install_one(context: &Context, package: &Path, start: bool) -> Result<(), Failure> {
    let package = files::read_telling(package, files::MAX_FILE, &*context.progress())?;
    let install = Parcel { head: asks::Install { start }, body: package };
    context.output().show(&Placed::from(context.answer(install)?))
}

/// As a process with another working directory would name them.
fn absolute(paths: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    paths.into_iter().map(std::path::absolute).collect()
}

/// Packages left out that people are shown.
const MAX_SHOWN: usize = 20;

impl Show for Planned {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for StepLine { name, version, publisher, change, replaces, needed_by, .. } in &self.steps {
            let instead = replaces.as_ref().map_or(String::new(), |old| format!(" in place of {old}"));
            let by = match needed_by.as_slice() {
                [] => String::new(),
                by => format!(", needed by {}", by.join(", ")),
            };
            writeln!(out, "{change:<9}{name} {version} of {publisher}{instead}{by}")?;
        }
        for StepLeftOut { source, why, .. } in self.left_out.iter().take(MAX_SHOWN) {
            writeln!(out, "not chosen from {}: {}", one_line(source), one_line(why))?;
        }
        match (self.dry_run, self.steps.iter().all(|step| step.change == "stay")) {
            (true, _) => writeln!(out, "nothing was done: --dry-run"),
            (false, true) => writeln!(out, "nothing was to be done"),
            (false, false) => {
                let started = self.done.iter().filter(|done| done.started).count();
                writeln!(out, "done: {} installed, {started} of them started once", self.done.len())
            }
        }
    }
}
