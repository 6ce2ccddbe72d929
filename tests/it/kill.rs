//! `kill -9` of a program that embeds the host, in the middle of 1,000 calls, loses nothing that was promised:
//! no record and no stored value older than 5 ms, and the log still proves itself whole.

use forgeone_tests::{Wat, World, on_both_engines, pack_args, parse_list};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CALLS: u32 = 1_000;
/// What RECORDING.md and the contract give records of class B and stored values to become durable.
const GRACE: Duration = Duration::from_millis(5);

/// Runs the embedder until it has acknowledged this many calls, kills it, and returns the keys of all calls it
/// acknowledged more than the grace before the kill.
fn killed_after(world: &World, calls: u32) -> BTreeSet<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_embed_caller"))
        .arg(world.home())
        .arg(CALLS.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("embed_caller runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut acknowledged: Vec<String> = lines.by_ref().take(calls as usize).map(|l| l.expect("a line")).collect();
    let killed_at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    // What it wrote before the kill reached it; a last line may be cut.
    acknowledged.extend(lines.map_while(Result::ok));
    assert!(acknowledged.len() >= calls as usize, "it ended early: {acknowledged:?}");
    acknowledged.iter().filter_map(|line| older_than_grace(line, killed_at)).collect()
}

fn older_than_grace(line: &str, killed_at: Duration) -> Option<String> {
    let (number, nanos) = line.split_once(' ')?;
    let at = Duration::from_nanos(nanos.parse().ok()?);
    let number: u32 = number.parse().ok()?;
    (at + GRACE <= killed_at).then(|| format!("k{number:05}"))
}

/// Every key the plugin finds in its storage now.
fn stored(world: &World) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut after = String::new();
    loop {
        let limit = 500_u64.to_le_bytes();
        let page = world.call("keeper", "keys", &pack_args(&[b"k", after.as_bytes(), &limit])).ok();
        let keys = parse_list(&page.stdout).into_iter().map(|k| String::from_utf8(k).expect("UTF-8"));
        let keys: Vec<String> = keys.collect();
        let Some(last) = keys.last() else { return found };
        after.clone_from(last);
        found.extend(keys);
    }
}

/// Every key a record says was about to be set, and was permitted.
fn recorded(world: &World) -> BTreeSet<String> {
    let tail = world.run(&["audit", "tail", "-n", "1000000", "--json"]).ok().json();
    let records = tail["records"].as_array().expect("records").iter();
    records
        .filter(|r| r["action"] == "kv_set" && r["outcome"] == "ok")
        .map(|r| r["resource"]["name"].as_str().expect("a key").to_owned())
        .collect()
}

on_both_engines! {
    fn a_killed_host_loses_nothing_promised(engine) {
        for calls in [1, 137, 503, 998] {
            let world = World::new(forgeone_tests::Environment::Development, engine);
            world.install("keeper", &Wat::keeper().package()).ok();
            let promised = killed_after(&world, calls);
            // The log proves itself before and after the next process has recovered it.
            world.run(&["audit", "verify"]).ok();
            let stored = stored(&world);
            let lost: Vec<&String> = promised.difference(&stored).collect();
            assert!(lost.is_empty(), "killed after {calls}: values lost: {lost:?}");
            let recorded = recorded(&world);
            let lost: Vec<&String> = promised.difference(&recorded).collect();
            assert!(lost.is_empty(), "killed after {calls}: records lost: {lost:?}");
            // The record comes before the effect, whatever the moment of the kill.
            let unrecorded: Vec<&String> = stored.difference(&recorded).collect();
            assert!(unrecorded.is_empty(), "killed after {calls}: effects without a record: {unrecorded:?}");
            world.run(&["audit", "verify"]).ok();
        }
    }
}
