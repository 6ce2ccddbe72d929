//! `forgeone`: reads a command line, asks the library, prints the answer, and exits with the class of the error.
//!
//! Results go to stdout and everything else to stderr. With `--json` a result is one JSON value on stdout, and so
//! is an error: `{"error":{"code","class","message","reasons","help"}}`, so that a script reads one stream. The
//! shape of each result is the `Serialize` type beside its command (`commands/`); fields may be added, none is
//! removed or changed. Exit codes are in [`failure`].

mod args;
mod commands;
mod context;
mod failure;
mod files;
mod forward;
mod graph;
mod help;
mod home;
mod output;
mod passphrase;
mod progress;
mod usage;
mod webhook;

use args::Cli;
use context::Context;
use output::Output;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match help::parse(&arguments) {
        Ok(cli) => run(cli),
        Err(error) => usage::answer(&error, &arguments),
    }
}

fn run(cli: Cli) -> ExitCode {
    start_log();
    let output = Output::new(cli.global.json);
    // What a damaged state database makes its engine do must have an exit code and a shape too.
    let run = || Context::new(cli.global, output).and_then(|context| commands::run(&context, cli.command));
    let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|fault| Err(failure::bug(&*fault)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(output),
    }
}

/// The library's own log, on stderr: warnings, or what `FORGEONE_LOG` asks for.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FORGEONE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second subscriber cannot exist in this process, so the result says nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_colours())
        .try_init();
}
