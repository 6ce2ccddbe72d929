//! `cargo xtask COMMAND`: builds, tests, shows and checks this workspace. Every command exits nonzero on a failure.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "these commands talk to people and to CI")]

mod demo;
mod docs;
mod errors;
mod faults;
mod fuzz;
mod guests;
mod interop;
mod project;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
usage: cargo xtask COMMAND

  demo [--engine wasmtime|wasmer] [--input FILE]
          one plugin's whole life through the forgeone binary, every step checked
  docs [NAME]
          runs every sh block of the README and the guides
  errors  writes the error index, plugin-manager/docs/errors, from the table in common/src/error
  fuzz [--target NAME]... [--executions N] [--seconds S] [--threads N] [--seed N] [--grow]
          changed inputs for the parsers of outside bytes; findings are kept under fuzz/regressions
  faults  writes plugin-manager/docs/faults.md from tests/faults.toml
  guests  builds the sample plugin for wasm32-unknown-unknown
  interop [FILTER]
          installs tools from outside (apt-get, pip, npm, cargo) and runs the documents and the tests that need them
  soak NAME [ARGS]
           a loop that takes long: audit [RECORDS], the log written, verified and proved;
           churn [ROUNDS], what a host holds over 1000 installs and removes and 1000 swaps;
           crowd [COUNT [RUNNING]], a home with 10000 plugins, 200 of them running;
           kill [ROUNDS] [STRIDE], the binary killed at every change of the disk under strace;
           swap, pauses of callers while a plugin is replaced 100 times
  test [ARGS]
          guests, formatting, tidy, lints, engine features, then every test; ARGS go to cargo test
  tidy    layers, forbidden names, file promises, sizes, the list of faults
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    match run(command.as_deref(), args.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Option<&str>, args: Vec<String>) -> Result<()> {
    match command {
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some("demo") => demo::run(&args),
        Some("docs") => docs::run(&args),
        Some("errors") => no_arguments(&args).and_then(|()| errors::write()),
        Some("fuzz") => fuzz::run(&args),
        Some("faults") => no_arguments(&args).and_then(|()| faults::run()),
        Some("guests") => no_arguments(&args).and_then(|()| guests::run()),
        Some("interop") => interop::run(&args),
        Some("soak") => soak::run(&args),
        Some("test") => test::run(&args),
        Some("tidy") => no_arguments(&args).and_then(|()| tidy::run()),
        Some(other) => bail!("there is no command \"{other}\"\n{HELP}"),
    }
}

fn no_arguments(args: &[String]) -> Result<()> {
    match args.first() {
        None => Ok(()),
        Some(argument) => bail!("unexpected argument \"{argument}\""),
    }
}
