//! Embeds the host and lets plugins come, change and go, and prints what the process and its home hold.
//!
//! `churn HOME ROUNDS SAMPLES`: first ROUNDS times install, call and remove, then ROUNDS times another version of a plugin
//! that carries state, which is called. Every package has a module of its own. As many samples as SAMPLES of each, a JSON
//! object a line.

use forgeone_tests::{Wat, lifecycle};
use plugin_manager::{PluginManager, UpgradeOptions};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Plugins that are there all the time.
const STANDING: u64 = 4;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, rounds, samples] = arguments.as_slice() else {
        anyhow::bail!("usage: churn HOME ROUNDS SAMPLES");
    };
    let (home, rounds, samples): (&Path, u64, u64) = (home.as_ref(), rounds.parse()?, samples.parse()?);
    let every = (rounds / samples.max(1)).max(1);
    let host = PluginManager::builder().home(home).operator("churn").open()?;
    for i in 0..STANDING {
        host.install(&package(&format!("standing-{i}"), i, u64::MAX / 2 + i), true)?;
        call(&host, &format!("standing-{i}"))?;
    }
    let sampled = |phase: &str, round: u64| match round % every {
        0 => print(phase, round, home),
        _ => Ok(()),
    };
    for round in 0..=rounds {
        let name = format!("guest-{}", round % 7);
        host.install(&package(&name, 1, round), true)?;
        call(&host, &name)?;
        host.remove(&name, false)?;
        sampled("install", round)?;
    }
    host.install(&package("swapped", 0, 0), true)?;
    for round in 0..=rounds {
        host.upgrade(&package("swapped", round + 1, rounds + round), &UpgradeOptions::default())?;
        call(&host, "swapped")?;
        sampled("swap", round)?;
    }
    let carried = host.call("swapped", "count", Vec::new())?;
    anyhow::ensure!(carried == (rounds + 1).to_le_bytes(), "the state lost count");
    host.shutdown()?;
    Ok(())
}

fn call(host: &PluginManager, name: &str) -> anyhow::Result<()> {
    host.call(name, "add", Vec::new())?;
    Ok(())
}

/// A plugin that counts, carries its count, and has this number in its module.
fn package(name: &str, minor: u64, number: u64) -> Vec<u8> {
    let body = format!(
        r#"{}
        (global $n (mut i64) (i64.const 0)) (global (export "number") i64 (i64.const {number}))
        (func $tell (result i32)
          (i64.store (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 8)))
        (func (export "add") (param i32) (result i32)
          (global.set $n (i64.add (global.get $n) (i64.const 1))) (i32.const 0))
        (func (export "count") (param i32) (result i32) (call $tell))
        (func (export "state_save") (result i32) (call $tell))
        (func (export "state_load") (param i32) (result i32)
          (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
          (global.set $n (i64.load (i32.const 0))) (i32.const 0))"#,
        lifecycle()
    );
    Wat::new(name, &["add", "count"], &body).says("version", json!(format!("1.{minor}.0"))).package()
}

/// One line: what the process and its home hold now.
fn print(phase: &str, round: u64, home: &Path) -> anyhow::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = resident.and_then(|rest| rest.split_whitespace().next()).unwrap_or("0").parse()?;
    let line = json!({
        "phase": phase,
        "round": round,
        "resident_bytes": kib * 1024,
        // One of them is that of the listing.
        "descriptors": fs::read_dir("/proc/self/fd")?.count().saturating_sub(1),
        "threads": fs::read_dir("/proc/self/task")?.count(),
        "packages": fs::read_dir(home.join("store/sha256"))?.count(),
        "code": fs::read_dir(home.join("cache"))?.count(),
        "home_bytes": bytes(home, Some("audit"))?,
        "audit_bytes": bytes(&home.join("audit"), None)?,
    });
    println!("{line}");
    Ok(())
}

/// Bytes of the files below, but for one directory.
fn bytes(dir: &Path, without: Option<&str>) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if without.is_some_and(|name| entry.file_name() == name) {
            continue;
        }
        let meta = entry.metadata()?;
        sum += if meta.is_dir() { bytes(&entry.path(), None)? } else { meta.len() };
    }
    Ok(sum)
}
