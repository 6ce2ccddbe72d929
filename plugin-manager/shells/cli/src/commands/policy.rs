//! `policy`: what the host would load, built-in policies included, and what policies say of recorded calls. The first
//! policy that is not valid is an error with its lines. Reads the files of the home; takes no lock, changes nothing.
//!
//! JSON of `check`: `{"sources":[{"name","file","bytes"}],"builtin":[id],"actions":N}`; of the others see [`replay`].

mod replay;

use crate::args::{Policy, PolicyCheck};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Show, table, write_table};
use plugin_manager::PolicyReport;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Serialize)]
struct Checked {
    sources: Vec<SourceLine>,
    builtin: Vec<String>,
    actions: usize,
}

#[derive(Debug, Serialize)]
struct SourceLine {
    name: String,
    file: PathBuf,
    bytes: usize,
}

impl From<PolicyReport> for Checked {
    fn from(report: PolicyReport) -> Self {
        let line = |s: plugin_manager::PolicyFile| SourceLine { name: s.name, file: s.file, bytes: s.bytes };
        Self {
            sources: report.sources.into_iter().map(line).collect(),
            builtin: report.builtin,
            actions: report.actions,
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
        Policy::Diff(args) => replay::diff(context, args),
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
