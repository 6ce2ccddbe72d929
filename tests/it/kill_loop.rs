//! The unchanged binary, killed or failed at its K-th write, sync, rename or removal while it installs, upgrades, goes
//! back or removes, K counted up until a run ends untouched: the home holds the old or the new, and the log says which.
//!
//! `FORGEONE_KILL_STRIDE` says how many K are passed over at a time (1: none).

use forgeone_tests::{Ran, Wat, World};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// System calls that change the disk.
const CHANGES: [&str; 9] =
    ["write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "fallocate", "mkdir"];

/// An action on a home with a counter in it, and the version before and after.
struct Story {
    action: &'static str,
    home: &'static [&'static [&'static str]],
    line: &'static [&'static str],
    versions: [Option<&'static str>; 2],
}

const INSTALL: &[&str] = &["install", "counter-1.0.0.forgepkg"];
const UPGRADE: &[&str] = &["upgrade", "counter-1.1.0.forgepkg"];
const ADD: &[&str] = &["call", "counter", "add"];

const STORIES: [Story; 4] = [
    Story { action: "install", home: &[&["list"]], line: INSTALL, versions: [None, Some("1.0.0")] },
    Story {
        action: "upgrade",
        home: &[INSTALL, ADD],
        line: UPGRADE,
        versions: [Some("1.0.0"), Some("1.1.0")],
    },
    Story {
        action: "rollback",
        home: &[INSTALL, UPGRADE, ADD],
        line: &["rollback", "counter"],
        versions: [Some("1.1.0"), Some("1.0.0")],
    },
    Story {
        action: "remove",
        home: &[INSTALL, ADD],
        line: &["remove", "counter"],
        versions: [Some("1.0.0"), None],
    },
];

fn counter(version: &str) -> Vec<u8> {
    let body = r#"(func (export "init") (result i32) (i32.const 0))
        (func (export "start") (result i32) (i32.const 0))
        (func (export "stop") (result i32) (i32.const 0))
        (global $n (mut i32) (i32.const 48))
        (func $tell (result i32)
          (i32.store8 (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 1)))
        (func (export "add") (param i32) (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $tell))
        (func (export "state_save") (result i32) (call $tell))
        (func (export "state_load") (param i32) (result i32)
          (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 1)))
          (global.set $n (i32.load8_u (i32.const 0))) (i32.const 0))"#;
    Wat::new("counter", &["add"], body).says("version", json!(version)).package()
}

fn copied(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

/// Whether the last run under strace ended as if nobody had been there.
fn untouched(world: &World) -> bool {
    let trace = std::fs::read_to_string(world.path("trace")).expect("a trace");
    !trace.contains("INJECTED") && !trace.contains("killed by SIGKILL")
}

/// The binary under strace with this done to one of its system calls.
fn injected(world: &World, line: &[&str], call: &str, what: &str) -> Ran {
    let plain = world.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-o"]).arg(world.path("trace")).args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{what}")]);
    command.arg(plain.get_program()).args(line);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(plain.get_current_dir().expect("a directory"));
    Ran::of(&mut command, b"")
}

fn records(world: &World) -> Vec<Value> {
    let files =
        world.files_below("audit").into_iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "jsonl"));
    let text: String = files.map(|(_, bytes)| String::from_utf8(bytes).expect("text")).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// What the log says of the last such action: recorded, and made.
fn told(records: &[Value], action: &str) -> (bool, bool) {
    let of = |kind: &str, r: &&Value| {
        r["type"] == kind && r["action"] == action && r["resource"]["name"] == "counter"
    };
    let Some(intent) = records.iter().rfind(|r| of("management", r) && r["outcome"] == "ok") else {
        return (false, false);
    };
    let seq = intent["seq"].to_string();
    let undone = |r: &Value| of("outcome", &r) && r["details"]["record"] == seq.as_str();
    (true, !records.iter().any(undone))
}

/// Looks at what a run left; whether it is the new state, and whether the log has the action and that it was not made.
fn look(story: &Story, world: &World, recorded_before: usize) -> (bool, bool) {
    world.run(&["audit", "verify"]).ok();
    let list = world.run(&["list", "--json"]).ok().json();
    let plugins = list.as_array().or_else(|| list["plugins"].as_array()).expect("plugins");
    let version = plugins.first().map(|p| p["version"].as_str().expect("a version"));
    assert!(story.versions.contains(&version), "{list}");
    let is_new = version == story.versions[1];
    let entries = |dir: &str| std::fs::read_dir(world.home().join(dir)).expect("a directory").count();
    let kept = plugins.first().map_or(0, |_| {
        let status = world.run(&["status", "counter", "--json"]).ok().json();
        1 + status["kept"].as_array().expect("kept versions").len()
    });
    assert_eq!((entries("tmp/staging"), entries("store/sha256")), (0, kept), "{list}");
    let since = records(world).split_off(recorded_before);
    let (recorded, made) = told(&since, story.action);
    assert_eq!(made, is_new, "{version:?}, and the log says {recorded}, {made}");
    match version {
        Some(_) => drop(world.run(ADD).ok()),
        None => drop(world.run(ADD).fails(7, "E5001")),
    }
    (is_new, recorded && !made)
}

#[derive(Default)]
struct Count {
    points: AtomicUsize,
    old: AtomicUsize,
    new: AtomicUsize,
    undone: AtomicUsize,
}

impl Count {
    fn add(&self, (is_new, undone): (bool, bool)) {
        self.points.fetch_add(1, SeqCst);
        if is_new { &self.new } else { &self.old }.fetch_add(1, SeqCst);
        self.undone.fetch_add(usize::from(undone), SeqCst);
    }
}

fn stride() -> usize {
    std::env::var("FORGEONE_KILL_STRIDE").map_or(7, |text| text.parse().expect("a number"))
}

/// One story with one call failing one way, K counted up from 1.
fn run(story: &Story, world: &World, template: &Path, call: &str, what: &str, count: &Count) {
    let mut at = 1;
    loop {
        copied(template, &world.home());
        let before = records(world).len();
        let ran = injected(world, story.line, call, &format!("{what}:when={at}"));
        let seen = look(story, world, before);
        assert!(ran.code != 0 || seen.0, "{} {call} {what} {at}: done and not there", story.action);
        if untouched(world) {
            assert_eq!(ran.code, 0, "{ran}");
            return;
        }
        count.add(seen);
        // Every early one: there the fewest look alike.
        at += if at < 4 { 1 } else { stride() };
    }
}

fn loops(calls: &[&str], what: &str) -> Count {
    let count = Count::default();
    std::thread::scope(|scope| {
        for story in &STORIES {
            let count = &count;
            scope.spawn(move || {
                let world = World::development();
                for version in ["1.0.0", "1.1.0"] {
                    world.write(&format!("counter-{version}.forgepkg"), counter(version));
                }
                story.home.iter().for_each(|line| drop(world.run(line).ok()));
                let template = world.path("template");
                copied(&world.home(), &template);
                for call in calls {
                    run(story, &world, &template, call, what, count);
                }
            });
        }
    });
    println!("{what}: {count}");
    count
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [points, old, new, undone] =
            [&self.points, &self.old, &self.new, &self.undone].map(|n| n.load(SeqCst));
        write!(
            f,
            "{points} points, all consistent: {old} the old state ({undone} recorded and told as not made), {new} the new"
        )
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs strace"]
fn fault_089_interop_a_command_killed_at_any_change_leaves_the_old_or_the_new() {
    let count = loops(&CHANGES, "signal=KILL");
    let [old, new, undone] = [&count.old, &count.new, &count.undone].map(|n| n.load(SeqCst));
    assert!(old > 20 && new > 4 && undone > 0, "{count}");
}

#[test]
#[ignore = "run by cargo xtask interop: needs strace"]
fn fault_091_interop_a_command_whose_disk_fails_leaves_the_old_or_the_new() {
    let syncs = loops(&["fsync", "fdatasync"], "error=EIO");
    let writes = loops(&["pwrite64", "write", "fallocate"], "error=ENOSPC");
    assert!(syncs.points.load(SeqCst) > 8 && writes.points.load(SeqCst) > 8, "{syncs}; {writes}");
}
