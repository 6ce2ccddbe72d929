//! `logs`: what a plugin wrote with `log`, oldest first. JSON: `{"plugin","lines":[text]}`.

use crate::args::Logs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Show;
use forgeone_api::asks;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Serialize)]
struct LogLines<'a> {
    plugin: &'a str,
    lines: Vec<String>,
}

impl Show for LogLines<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// Runs `logs`.
///
/// # Errors
/// E5001, or when the home cannot be opened.
pub fn logs(context: &Context, args: &Logs) -> Result<(), Failure> {
    let lines = context.ask(asks::Logs { name: args.name.clone(), lines: args.lines })?;
    context.output().show(&LogLines { plugin: &args.name, lines })
}
