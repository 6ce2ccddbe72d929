//! Runs targets on changed inputs of their corpus, says how fast, and keeps every finding as a regression.
//!
//! `mutate [--target NAME]... [--executions N] [--seconds S] [--threads N] [--seed N] [--grow] [--write-seeds]`

use fuzz_targets::files::{self, CORPUS, REGRESSIONS};
use fuzz_targets::meter::Counting;
use fuzz_targets::run::{Finding, Plan, Report, run};
use fuzz_targets::{TARGETS, Target};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is asked for.
struct Asked {
    targets: Vec<&'static Target>,
    plan: Plan,
    grow: bool,
    write_seeds: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|asked| all(&asked)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(findings) => {
            eprintln!("{findings} findings; each is kept under fuzz/{REGRESSIONS}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let plan = Plan { executions: 1_000_000, time: None, threads: 2, seed: 1 };
    let mut asked = Asked { targets: Vec::new(), plan, grow: false, write_seeds: false };
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--target" => {
                let name = value()?;
                asked.targets.push(Target::find(&name).ok_or_else(|| unknown(&name))?);
            }
            "--executions" => asked.plan.executions = number(&value()?)?,
            "--seconds" => asked.plan.time = Some(Duration::from_secs(number(&value()?)?)),
            "--threads" => asked.plan.threads = number(&value()?)?.clamp(1, 64),
            "--seed" => asked.plan.seed = number(&value()?)?,
            "--grow" => asked.grow = true,
            "--write-seeds" => asked.write_seeds = true,
            other => return Err(format!("there is no option {other}")),
        }
    }
    if asked.targets.is_empty() {
        asked.targets = TARGETS.iter().collect();
    }
    Ok(asked)
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    format!("there is no target {name}; there are {}", known.join(", "))
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is not a number"))
}

/// Runs every target asked for; how many findings there were.
fn all(asked: &Asked) -> Result<usize, String> {
    println!(
        "{:17} {:>12} {:>10} {:>9} {:>9} {:>8} {:>8}",
        "target", "executions", "exec/s", "slowest", "memory", "new", "findings"
    );
    let mut findings = 0;
    for target in &asked.targets {
        findings += one(target, asked).map_err(|e| format!("{}: {e}", target.name))?;
    }
    Ok(findings)
}

fn one(target: &'static Target, asked: &Asked) -> Result<usize, std::io::Error> {
    let root = files::root();
    let seeds = (target.seeds)();
    if asked.write_seeds {
        for seed in &seeds {
            files::keep(&root, CORPUS, target.name, seed)?;
        }
    }
    let mut corpus = files::inputs(&root, target.name)?;
    corpus.extend(seeds);
    let bar = ProgressBar::new(asked.plan.executions);
    let style = ProgressStyle::with_template("{msg:17} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(target.name);
    let report = run(target, &corpus, &asked.plan, |progress| {
        bar.set_position(progress.executions.load(Ordering::Relaxed))
    });
    bar.finish_and_clear();
    let report = match report {
        Ok(report) => report,
        Err(finding) => {
            keep(target, &finding)?;
            // Its thread cannot be stopped.
            std::process::exit(1);
        }
    };
    show(target, &report);
    for finding in &report.findings {
        keep(target, finding)?;
    }
    if asked.grow {
        for input in &report.novel {
            files::keep(&root, CORPUS, target.name, input)?;
        }
    }
    Ok(report.findings.len())
}

fn show(target: &Target, report: &Report) {
    println!(
        "{:17} {:>12} {:>10.0} {:>6} us {:>6} KB {:>8} {:>8}",
        target.name,
        report.executions,
        report.executions as f64 / report.time.as_secs_f64(),
        report.slowest.as_micros(),
        report.largest / 1_000,
        report.novel.len(),
        report.findings.len()
    );
}

fn keep(target: &Target, finding: &Finding) -> std::io::Result<()> {
    let path = files::keep(&files::root(), REGRESSIONS, target.name, &finding.input)?;
    eprintln!("{}: {} ({} bytes): {}", target.name, finding.fault, finding.input.len(), path.display());
    Ok(())
}
