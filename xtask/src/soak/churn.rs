//! Runs the embedder `churn` of tests/harness: what a host holds while plugins come, change and go. Fails when it holds
//! more at the end than before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::project::{FEATURES, cargo, run as run_command, target};

/// Rounds of each phase, unless told otherwise.
const ROUNDS: u64 = 1000;
/// Samples of each phase.
const SAMPLES: u64 = 50;
/// The part of a phase that may still fill caches, of which nothing is judged: one in so many.
const WARMING: usize = 4;

/// What is measured: its name, whether it is bytes, and by how many in a hundred, and by how much besides, the
/// median of the second half after warming may be above that of the first.
const MEASURES: [(&str, bool, u64, u64); 6] = [
    ("resident_bytes", true, 5, 8 << 20),
    ("home_bytes", true, 5, 1 << 20),
    ("descriptors", false, 0, 0),
    ("threads", false, 0, 0),
    ("packages", false, 0, 0),
    ("code", false, 0, 0),
];

/// One line of the embedder.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sample {
    phase: String,
    round: u64,
    #[serde(flatten)]
    values: BTreeMap<String, u64>,
}

/// `cargo xtask soak churn [ROUNDS]`.
pub fn run(args: &[String]) -> Result<()> {
    let rounds = match args {
        [] => ROUNDS,
        [rounds] => rounds.parse().context("ROUNDS is a number")?,
        _ => bail!("usage: cargo xtask soak churn [ROUNDS]"),
    };
    let mut build = cargo(&["build", "--workspace", "--bin", "churn"])?;
    build.args(FEATURES);
    run_command(build)?;
    let mut bands = Vec::new();
    for engine in ["wasmtime", "wasmer"] {
        let samples = churn(engine, rounds)?;
        bands.extend(show(engine, &samples)?);
    }
    match bands.is_empty() {
        true => Ok(()),
        false => bail!("the host holds more and more: {}", bands.join("; ")),
    }
}

/// Runs the embedder on a home of its own.
fn churn(engine: &str, rounds: u64) -> Result<Vec<Sample>> {
    let home = target()?.join("soak").join(format!("churn-{engine}"));
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::create_dir_all(&home)?;
    private(&home)?;
    let config = format!(
        "plugin_manager:\n  environment: development\n  engine: {engine}\n  security: {{ verify_signatures: false, \
         namespace_isolation: false }}\n"
    );
    fs::write(home.join("plugin-manager.yaml"), config)?;
    let mut command = std::process::Command::new(target()?.join("debug/churn"));
    let output = command.arg(&home).args([rounds.to_string(), SAMPLES.to_string()]).output()?;
    ensure!(output.status.success(), "churn failed: {}", String::from_utf8_lossy(&output.stderr));
    fs::remove_dir_all(&home)?;
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

/// Homes are the owner's alone.
fn private(home: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Prints a table, writes the samples and a picture of them, and names what grew.
fn show(engine: &str, samples: &[Sample]) -> Result<Vec<String>> {
    let base = target()?.join("soak").join(format!("churn-{engine}"));
    fs::write(base.with_extension("json"), serde_json::to_vec_pretty(samples)?)?;
    fs::write(base.with_extension("svg"), picture(engine, samples))?;
    println!("\n{engine}: {}.json, .svg", base.display());
    println!(
        "{:<8} {:<16} {:>12} {:>12} {:>12} {:>12}",
        "phase", "what", "first", "lowest", "highest", "last"
    );
    let mut grew = Vec::new();
    for phase in ["install", "swap"] {
        for (what, bytes, percent, more) in MEASURES {
            let values = values(samples, phase, what);
            let shown = |value: Option<&u64>| value.map_or_else(String::new, |v| in_unit(*v, bytes));
            let warm = values.get(values.len() / WARMING..).unwrap_or_default();
            println!(
                "{phase:<8} {what:<16} {:>12} {:>12} {:>12} {:>12}",
                shown(values.first()),
                shown(warm.iter().min()),
                shown(warm.iter().max()),
                shown(values.last())
            );
            if grows(warm, percent, more) {
                grew.push(format!("{engine} {phase} {what}"));
            }
        }
    }
    Ok(grew)
}

fn values(samples: &[Sample], phase: &str, what: &str) -> Vec<u64> {
    let of_it = samples.iter().filter(|sample| sample.phase == phase);
    of_it.filter_map(|sample| sample.values.get(what).copied()).collect()
}

/// Whether the second half stands above the first by more than this. A thread that is about to end may be counted once.
fn grows(values: &[u64], percent: u64, more: u64) -> bool {
    let (first, second) = values.split_at(values.len() / 2);
    let (first, second) = (median(first), median(second));
    second > first + first * percent / 100 + more
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn in_unit(value: u64, bytes: bool) -> String {
    if bytes { format!("{:.1} MiB", value as f64 / f64::from(1 << 20)) } else { value.to_string() }
}

/// One line for each measure over both phases, each from nothing to its own highest value.
fn picture(engine: &str, samples: &[Sample]) -> String {
    const WIDTH: usize = 900;
    const ROW: usize = 110;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        MEASURES.len() * ROW + 20
    );
    let half = samples.iter().filter(|sample| sample.phase == "install").count();
    let x = |i: usize| 10.0 + (WIDTH - 20) as f64 * i as f64 / samples.len().saturating_sub(1).max(1) as f64;
    for (row, (what, bytes, ..)) in MEASURES.into_iter().enumerate() {
        let values: Vec<u64> = samples.iter().filter_map(|s| s.values.get(what).copied()).collect();
        let most = values.iter().copied().max().unwrap_or(1).max(1);
        let bottom = (row * ROW + ROW) as f64;
        let y = |value: u64| bottom - (ROW - 30) as f64 * value as f64 / most as f64;
        let (right, middle, top) = (WIDTH - 10, x(half), y(most));
        let points: Vec<String> =
            values.iter().enumerate().map(|(i, v)| format!("{:.1},{:.1}", x(i), y(*v))).collect();
        let _ = write!(
            svg,
            "<text x=\"10\" y=\"{:.0}\">{engine} {what}, highest {}</text>\n\
             <line x1=\"10\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\" stroke=\"#bbb\"/>\n\
             <line x1=\"{middle:.1}\" x2=\"{middle:.1}\" y1=\"{top:.1}\" y2=\"{bottom}\" stroke=\"#bbb\" stroke-dasharray=\"3\"/>\n\
             <polyline fill=\"none\" stroke=\"#2457a6\" stroke-width=\"1.5\" points=\"{}\"/>\n",
            bottom - (ROW - 18) as f64,
            in_unit(most, bytes),
            points.join(" "),
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_flat_when_its_second_half_is_no_higher() {
        assert!(!grows(&[5, 5, 5, 5, 5, 9], 0, 0));
        assert!(grows(&[5, 5, 5, 5, 6, 6], 0, 0) && grows(&[1, 2, 3, 4], 0, 0));
        assert!(!grows(&[100, 100, 104, 105], 5, 0) && grows(&[100, 100, 106, 106], 5, 0));
        assert!(!grows(&[], 0, 0) && !grows(&[3], 0, 3));
    }
}
