//! `policy`: what the host would load, built-in policies included, and what policies say of recorded calls. The first
//! policy that is not valid is an error with its lines. Reads the files of the home; takes no lock, changes nothing.
//!
//! JSON of `check`: `{"sources":[{"name","file","bytes"}],"builtin":[id],"actions":N,"warnings":[{"policy","names",
//! "problem"}]}`; of the others see [`replay`] and [`diff`].

mod diff;
mod replay;

use crate::args::{Policy, PolicyCheck};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, write_table};
use plugin_manager::{PolicyReport, PolicyWarning};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Serialize)]
struct Checked {
    sources: Vec<SourceLine>,
    builtin: Vec<String>,
    actions: usize,
    unread: Vec<String>,
    warnings: Vec<WarningLine>,
}

#[derive(Debug, Serialize)]
struct WarningLine {
    policy: String,
    names: String,
    problem: &'static str,
}

#[derive(Debug, Serialize)]
struct SourceLine {
    name: String,
    file: PathBuf,
    bytes: usize,
}

fn warning(warning: PolicyWarning) -> WarningLine {
    let PolicyWarning { policy, names, problem } = warning;
    WarningLine { policy, names, problem }
}

impl From<PolicyReport> for Checked {
    fn from(report: PolicyReport) -> Self {
        let line = |s: plugin_manager::PolicyFile| SourceLine { name: s.name, file: s.file, bytes: s.bytes };
        Self {
            sources: report.sources.into_iter().map(line).collect(),
            builtin: report.builtin,
            actions: report.actions,
            unread: report.unread,
            warnings: report.warnings.into_iter().map(warning).collect(),
        }
    }
}

impl Show for Checked {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["POLICY", "FROM"]);
        for id in &self.builtin {
            table.add_row([id.as_str(), "built in"]);
        }
        for source in &self.sources {
            table.add_row([source.name.clone(), source.file.display().to_string()]);
        }
        write_table(out, &table)?;
        for name in &self.unread {
            writeln!(out, "warning: {} is not read: policies are files named *.cedar", one_line(name))?;
        }
        for WarningLine { policy, names, problem } in &self.warnings {
            writeln!(out, "warning: {} names {}: {problem}", one_line(policy), one_line(names))?;
        }
        writeln!(out, "\nvalid against the schema of {} actions", self.actions)
    }
}

/// Runs `policy`.
///
/// # Errors
/// E2004 for the first policy that is not valid; E0002 when one cannot be read; E5008 for a record, a log or a
/// directory that is not there.
pub fn run(context: &Context, args: &Policy) -> Result<(), Failure> {
    match args {
        Policy::Check(args) => check(context, args),
        Policy::Explain(args) => replay::explain(context, args),
        Policy::Test(args) => replay::test(context, args),
        Policy::Diff(args) => diff::run(context, args),
    }
}

fn check(context: &Context, args: &PolicyCheck) -> Result<(), Failure> {
    let (home, config) = (context.home(), context.config());
    let report = match &args.candidate {
        Some(dir) => plugin_manager::check_policies_in(home, config, dir)?,
        None => plugin_manager::check_policies(home, config)?,
    };
    context.output().show(&Checked::from(report))
}
