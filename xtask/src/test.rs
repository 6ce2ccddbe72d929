//! Everything that has to hold before a change goes in, with a timing table and the sum of all tests at the end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::project::{FEATURES, binary, build_binary, cargo, human, run as run_command, sample_wasm, timed};
use crate::{guests, tidy};

/// Engine features of the plugin manager that have to build besides both, which lints and tests build.
const ENGINES: [&str; 3] = ["", "wasmtime-runtime", "wasmer-runtime"];

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Those that held.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// One line of the table: the step, what it took, whether it held.
type Row = (String, Duration, bool);

/// `cargo xtask test [ARGS]`.
pub fn run(args: &[String]) -> Result<()> {
    let mut table = Vec::new();
    let mut sum = Sum::default();
    step(&mut table, "guests", guests::run);
    step(&mut table, "fmt", || run_command(cargo(&["fmt", "--all", "--check"])?));
    step(&mut table, "tidy", tidy::run);
    step(&mut table, "clippy", clippy);
    for features in ENGINES {
        let name = if features.is_empty() { "check, no engine".into() } else { format!("check, {features}") };
        step(&mut table, &name, || check(features));
    }
    step(&mut table, "build forgeone", build_binary);
    step(&mut table, "tests", || tests(args, &mut sum));
    report(&table, sum)
}

fn step(table: &mut Vec<Row>, name: &str, work: impl FnOnce() -> Result<()>) {
    println!("\n== {name}");
    let (result, time) = timed(work);
    if let Err(error) = &result {
        eprintln!("{name}: {error:#}");
    }
    table.push((name.to_owned(), time, result.is_ok()));
}

fn clippy() -> Result<()> {
    let mut command = cargo(&["clippy", "--workspace", "--all-targets"])?;
    command.args(FEATURES).args(["--", "-D", "warnings"]);
    run_command(command)
}

fn check(features: &str) -> Result<()> {
    run_command(cargo(&["check", "-p", "plugin-manager", "--no-default-features", "--features", features])?)
}

fn tests(args: &[String], sum: &mut Sum) -> Result<()> {
    let mut command = cargo_test()?;
    command.args(args);
    counted(command, sum)
}

/// `cargo test` over the workspace, with the binary and the sample plugin the stories are about.
pub fn cargo_test() -> Result<Command> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"])?;
    command.args(FEATURES).env("FORGEONE_BIN", binary()?).env("FORGEONE_SAMPLE_WASM", sample_wasm()?);
    Ok(command)
}

/// Runs a `cargo test` with its output shown, and adds up its result lines.
pub fn counted(mut command: Command, sum: &mut Sum) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo test does not start")?;
    let output = child.stdout.take().context("cargo test has an output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        sum.add(&line);
    }
    let status = child.wait()?;
    match (status.success(), sum.failed) {
        (true, 0) => Ok(()),
        _ => bail!("cargo test ended with {status}"),
    }
}

impl Sum {
    /// Adds `test result: ok. 3 passed; 0 failed; …`.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let number = |what: &str| {
            let before = counts.split_once(what).map(|(before, _)| before.trim_end());
            before.and_then(|text| text.rsplit(' ').next()).and_then(|word| word.parse().ok()).unwrap_or(0u64)
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
    }
}

fn report(table: &[Row], sum: Sum) -> Result<()> {
    let width = table.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    println!("\n{:width$}  {:>9}", "step", "time");
    for (name, time, held) in table {
        println!("{name:width$}  {:>9}  {}", human(*time), if *held { "ok" } else { "FAILED" });
    }
    let failed: Vec<_> = table.iter().filter(|(.., held)| !held).map(|(name, ..)| name.as_str()).collect();
    println!("\n{sum}");
    match failed.is_empty() && sum.passed > 0 {
        true => Ok(()),
        false if failed.is_empty() => bail!("no test ran"),
        false => bail!("failed: {}", failed.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up_and_others_are_not() {
        let mut sum = Sum::default();
        for line in [
            "test result: ok. 19 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 33 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.85s",
            "test a::b ... ok",
            "running 7 passed tests",
        ] {
            sum.add(line);
        }
        assert_eq!(sum, Sum { passed: 52, failed: 2 });
    }

    #[test]
    fn a_failed_step_and_a_run_without_tests_are_failures() {
        let row = |held| vec![("x".to_owned(), Duration::ZERO, held)];
        let some = Sum { passed: 1, failed: 0 };
        assert!(report(&row(true), some).is_ok());
        assert!(report(&row(false), some).is_err());
        assert!(report(&row(true), Sum::default()).is_err());
    }
}
