//! A host that dies at any change of the disk while it installs, upgrades, goes back or removes: the home opens with the
//! old or the new, and the log says which.

use super::upgrade::{count, counter};
use super::{World, code};
use crate::registry::open::Ground;
use crate::runtime::EngineKind;
use crate::store::testing::{Fault, Hasty, Loss, RecordedDisk, RecordedLog};
use crate::{PluginManager, UpgradeOptions};
use common::audit::{Files, SystemFiles, tail};
use common::clock::{Clock, ManualClock, SystemClock};
use common::error::ForgeError;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "wasmtime-runtime")]
const ENGINE: EngineKind = EngineKind::Wasmtime;
#[cfg(not(feature = "wasmtime-runtime"))]
const ENGINE: EngineKind = EngineKind::Wasmer;

/// A home whose log keeps nothing outside the recorded disk.
fn world() -> World {
    World::with(ENGINE, "  audit: { journal: memory }\n")
}

fn opened(home: &Path, ground: Ground) -> Result<PluginManager, ForgeError> {
    PluginManager::builder().home(home).wait(Duration::from_secs(10)).open_on(ground)
}

fn clock() -> Arc<dyn Clock> {
    SystemClock::start().unwrap()
}

fn on_recorded(world: &World) -> (Arc<RecordedDisk>, PluginManager) {
    let disk = RecordedDisk::of(&world.path(""));
    let files: Arc<dyn Files> = Arc::new(RecordedLog(disk.clone()));
    let ground = Ground { disk: disk.clone(), files, clock: clock() };
    (disk, opened(&world.path(""), ground).unwrap())
}

fn after_crash(home: &Path) -> Result<PluginManager, ForgeError> {
    opened(home, Ground { disk: Arc::new(Hasty), files: Arc::new(SystemFiles), clock: clock() })
}

struct Story {
    action: &'static str,
    before: fn(&PluginManager),
    act: fn(&PluginManager),
    /// What is installed before and after.
    versions: [Option<&'static str>; 2],
}

fn plain() -> UpgradeOptions {
    UpgradeOptions::default()
}

fn first(host: &PluginManager) {
    host.install(&counter("1.0.0").package(), true).unwrap();
    host.call("a", "add", vec![]).unwrap();
}

const STORIES: [Story; 4] = [
    Story {
        action: "install",
        before: |_| {},
        act: |host| drop(host.install(&counter("1.0.0").package(), true).unwrap()),
        versions: [None, Some("1.0.0")],
    },
    Story {
        action: "upgrade",
        before: first,
        act: |host| drop(host.upgrade(&counter("2.0.0").package(), &plain()).unwrap()),
        versions: [Some("1.0.0"), Some("2.0.0")],
    },
    Story {
        action: "rollback",
        before: |host| {
            first(host);
            host.upgrade(&counter("2.0.0").package(), &plain()).unwrap();
        },
        act: |host| drop(host.rollback("a", None).unwrap()),
        versions: [Some("2.0.0"), Some("1.0.0")],
    },
    Story {
        action: "remove",
        before: first,
        act: |host| host.remove("a", false).unwrap(),
        versions: [Some("1.0.0"), None],
    },
];

fn records(home: &Path) -> Vec<Value> {
    let lines = tail(&home.join("audit"), u64::MAX).unwrap();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// What the log says of an action on `a` from this record on: whether it was made, if it was recorded at all.
fn told(home: &Path, action: &str, from: u64) -> Option<bool> {
    let of = |kind: &str, record: &Value| {
        record["type"] == kind && record["action"] == action && record["resource"]["name"] == "a"
    };
    let new: Vec<Value> = records(home).into_iter().filter(|r| r["seq"].as_u64() >= Some(from)).collect();
    let intent = new.iter().rfind(|r| of("management", r) && r["outcome"] == "ok")?;
    let seq = intent["seq"].to_string();
    let undone = |r: &&Value| of("outcome", r) && r["details"]["record"] == seq.as_str();
    let undone: Vec<&Value> = new.iter().filter(undone).collect();
    assert!(undone.len() < 2, "told twice: {undone:?}");
    undone.iter().for_each(|r| assert_eq!(r["details"]["completed"], "false"));
    Some(undone.is_empty())
}

/// Opens what a crash left; whether it is the new state.
fn look(story: &Story, home: &Path, from: u64, counted: bool) -> bool {
    let host = after_crash(home).unwrap_or_else(|e| panic!("{e}: {:?}", e.reasons()));
    let version = host.list().unwrap().first().map(|s| s.version.clone());
    let is_new = version.as_deref() == story.versions[1];
    assert!(is_new || version.as_deref() == story.versions[0], "{version:?}");
    let entries = |dir: &str| std::fs::read_dir(home.join(dir)).unwrap().count();
    let kept = host.list().unwrap().first().map_or(0, |s| 1 + s.kept.len());
    assert_eq!((entries("tmp/staging"), entries("store/sha256")), (0, kept));
    let told = told(home, story.action, from);
    assert_eq!(told.unwrap_or(false), is_new, "the log says {told:?}");
    match version {
        Some(_) if counted => assert_eq!(count(&host), 1),
        Some(_) => drop(host.call("a", "count", vec![]).unwrap()),
        None => assert_eq!(code(host.call("a", "count", vec![])), "E5001"),
    }
    host.shutdown().unwrap();
    // The next opening has nothing left to tell.
    let before = records(home).len();
    drop(after_crash(home).unwrap());
    let outcomes = records(home).split_off(before).into_iter().filter(|r| r["type"] == "outcome").count();
    assert_eq!(outcomes, 0);
    is_new
}

/// Crashes a story at every `stride`-th change, in one way each; how many there were.
fn crash(story: &Story, stride: usize) -> usize {
    let world = world();
    let host = world.open();
    (story.before)(&host);
    host.shutdown().unwrap();
    let (disk, host) = on_recorded(&world);
    let from = host.host().audit.metrics().appended;
    let begin = disk.changes();
    (story.act)(&host);
    let end = disk.changes();
    let (mut crashes, mut seen) = (0, [false; 2]);
    for after in (begin..=end).step_by(stride).chain([end]) {
        let loss = Loss::each(after as u64)[(after / stride) % 5];
        let left = disk.crashed(after, loss);
        let what = format!("{} after {} of {} changes, {loss:?}", story.action, after - begin, end - begin);
        let counted = story.action != "install";
        let looked = std::panic::catch_unwind(|| look(story, left.path(), from, counted));
        let is_new = looked.unwrap_or_else(|_| panic!("{what}"));
        assert!(is_new || after < end, "{what}: it was done, and is not");
        seen[usize::from(is_new)] = true;
        crashes += 1;
    }
    assert_eq!(seen, [true; 2], "{}", story.action);
    crashes
}

#[test]
fn fault_090_a_host_that_crashes_leaves_the_old_or_the_new_and_the_log_says_which() {
    let crashes: usize = std::thread::scope(|scope| {
        let each = STORIES.each_ref().map(|story| scope.spawn(move || crash(story, 1)));
        each.into_iter().map(|story| story.join().unwrap()).sum()
    });
    println!("crashes: {crashes}");
    assert!(crashes > 40, "{crashes}");
}

fn reopened_full(world: &World, clock: &Arc<ManualClock>) -> (Arc<RecordedDisk>, PluginManager) {
    let disk = RecordedDisk::of(&world.path(""));
    disk.fail(Some(Fault::Full(0)));
    let files: Arc<dyn Files> = Arc::new(RecordedLog(disk.clone()));
    let ground = Ground { disk: disk.clone(), files, clock: clock.clone() };
    (disk, opened(&world.path(""), ground).unwrap_or_else(|e| panic!("{e}: {:?}", e.reasons())))
}

/// What protects is possible whatever the disk says; the rest is refused, reading goes on.
#[test]
fn fault_102_on_a_full_disk_a_home_opens_and_its_plugins_can_be_stopped() {
    let world = World::development(ENGINE);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    host.install(&counter("1.0.0").named("b").package(), false).unwrap();
    host.shutdown().unwrap();

    let clock = ManualClock::at(1_700_000_000_000_000_000);
    let (disk, host) = reopened_full(&world, &clock);
    assert_eq!(host.status("a").unwrap().desired, "running");
    assert_eq!(code(host.start("b")), "E3001");
    let refused = code(host.install(&counter("1.0.0").named("c").package(), false));
    assert!(["E3001", "E0002"].contains(&refused), "{refused}");
    host.pause("a").unwrap();
    host.stop("a").unwrap();
    assert_eq!(host.list().unwrap().len(), 2);
    assert_eq!(code(host.shutdown()), "E3001");
    disk.fail(None);

    let host = world.open();
    assert_eq!(host.status("a").unwrap().desired, "stopped");
    for action in ["pause", "stop"] {
        let record = [r#""type":"management","outcome":"ok""#, &format!(r#""action":"{action}""#)];
        assert_eq!(world.recorded(&host, &record), 1, "{action}");
        assert_eq!(world.recorded(&host, &[r#""type":"outcome""#, &format!(r#""action":"{action}""#)]), 0);
    }
    assert_eq!(host.status("b").unwrap().desired, "stopped");
    host.start("b").unwrap();
    host.shutdown().unwrap();
}

/// A plugin is taken down though nobody knows any more what the home holds of it.
#[test]
fn fault_091_a_plugin_is_stopped_after_a_sync_of_the_home_failed() {
    let world = world();
    let (disk, host) = on_recorded(&world);
    first(&host);
    disk.fail(Some(Fault::DatabaseSync));
    assert_eq!(code(host.set_setting("a", "config", "k", Some("v"))), "E0002");
    disk.fail(Some(Fault::ReadOnly(0)));
    assert_eq!(code(host.stop("a")), "E0002");
    assert!(host.call("a", "count", vec![]).is_err(), "it is down");
    drop(host);
    disk.fail(None);
    let host = after_crash(&world.path("")).unwrap();
    assert_eq!(host.status("a").unwrap().desired, "running");
}

/// The wall clock goes a year forth and back: deadlines do not notice, records say what it showed, and order holds.
#[test]
fn fault_094_a_clock_that_jumps_changes_no_order_and_no_deadline() {
    const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;
    const NOW: u64 = 1_800_000_000_000_000_000;
    let world = World::development(ENGINE);
    let clock = ManualClock::at(NOW);
    let ground = || Ground { disk: Arc::new(Hasty), files: Arc::new(SystemFiles), clock: clock.clone() };
    let host = opened(&world.path(""), ground()).unwrap();
    first(&host);
    for (wall, version) in [(NOW + YEAR, "1.1.0"), (NOW - YEAR, "1.2.0"), (NOW, "1.3.0")] {
        clock.jump_to(wall);
        host.upgrade(&counter(version).package(), &plain()).unwrap();
        assert_eq!(count(&host), 1);
    }
    assert_eq!(host.status("a").unwrap().kept, ["1.2.0", "1.1.0", "1.0.0"]);
    clock.jump_to(NOW - 2 * YEAR);
    host.shutdown().unwrap();
    let host = opened(&world.path(""), ground()).unwrap();
    assert_eq!((count(&host), host.rollback("a", None).unwrap().now.version.as_str()), (1, "1.2.0"));
    host.host().audit.flush().unwrap();
    let upgrades: Vec<Value> =
        records(&world.path("")).into_iter().filter(|r| r["action"] == "upgrade").collect();
    let years: Vec<&str> = upgrades.iter().filter_map(|r| r["t"].as_str()?.get(..4)).collect();
    assert_eq!(years, ["2028", "2026", "2027"]);
    assert!(upgrades.iter().map(|r| r["seq"].as_u64()).is_sorted());
}
