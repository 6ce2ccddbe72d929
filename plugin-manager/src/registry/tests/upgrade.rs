//! Upgrade and rollback: which version may come, what is kept, and what stays when something fails on the way.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{PluginManager, UpgradeOptions};
use common::error::ForgeError;

on_each_engine! {
    versions_come_and_go_back_and_their_state_with_them
    fault_068_more_permissions_need_consent
    fault_069_a_lower_version_needs_to_be_asked_for
    fault_070_one_version_has_one_package
    those_that_need_a_plugin_must_be_able_to_use_its_new_version
    what_is_not_to_run_is_not_brought_up
    a_failed_version_is_mended_by_another
    a_new_version_that_fails_leaves_the_old_one_as_it_was
    an_old_version_that_cannot_save_its_state_goes_on
    a_decision_that_cannot_be_made_durable_is_none
    a_new_version_comes_up_where_none_is
    an_old_version_that_does_not_stop_is_told_of
    plugins_that_call_it_find_the_new_version
}

/// Counts in a state that is carried: `add`, `count`; `well` spoils the count, as a check may.
pub fn counter(version: &str) -> Guest {
    counting(version, "", "", "", "")
}

fn counting(version: &str, init: &str, start: &str, load: &str, save: &str) -> Guest {
    let body = format!(
        r#"(func (export "init") (result i32) {init} i32.const 0)
        (func (export "start") (result i32) {start} i32.const 0)
        (func (export "stop") (result i32) i32.const 0)
        (global $n (mut i64) (i64.const 0))
        (func (export "add") (param i32) (result i32)
          (global.set $n (i64.add (global.get $n) (i64.const 1))) i32.const 0)
        (func (export "count") (param i32) (result i32)
          (i64.store (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 8)))
        (func (export "well") (param i32) (result i32)
          (global.set $n (i64.const 1000)) i32.const 0)
        (func (export "state_save") (result i32)
          {save} (i64.store (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 8)))
        (func (export "state_load") (param i32) (result i32)
          {load} (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
          (global.set $n (i64.load (i32.const 0))) i32.const 0)"#
    );
    Guest::new("a").version(version).body(&body).operation("add").operation("count").operation("well")
}

pub fn count(host: &PluginManager) -> u64 {
    u64::from_le_bytes(host.call("a", "count", vec![]).unwrap().try_into().unwrap())
}

fn add(host: &PluginManager) {
    host.call("a", "add", vec![]).unwrap();
}

fn plain() -> UpgradeOptions {
    UpgradeOptions::default()
}

fn standing(host: &PluginManager) -> (String, String, Vec<String>) {
    let status = host.status("a").unwrap();
    (status.version, status.state, status.kept)
}

fn is(host: &PluginManager, version: &str, state: &str, kept: &[&str]) {
    assert_eq!(
        standing(host),
        (version.into(), state.into(), kept.iter().map(ToString::to_string).collect())
    );
}

fn versions_come_and_go_back_and_their_state_with_them(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    add(&host);
    let report = host.upgrade(&counter("1.1.0").package(), &plain()).unwrap();
    assert_eq!((report.now.version.as_str(), report.replaced.as_str()), ("1.1.0", "1.0.0"));
    assert_eq!((report.carried, report.ending, report.now.started), (Some(8), None, true));
    is(&host, "1.1.0", "Running", &["1.0.0"]);
    add(&host);
    host.upgrade(&counter("2.0.0").package(), &plain()).unwrap();
    add(&host);
    assert_eq!(count(&host), 3);
    assert_eq!(host.rollback("a", None).unwrap().now.version, "1.1.0");
    is(&host, "1.1.0", "Running", &["2.0.0", "1.0.0"]);
    assert_eq!(host.rollback("a", None).unwrap().now.version, "1.0.0");
    assert_eq!(code(host.rollback("a", None)), "E5011");
    let error = host.rollback("a", Some("7.0.0")).unwrap_err();
    assert_eq!(error.reasons(), ["kept: 1.1.0, 2.0.0"]);
    assert_eq!(code(host.rollback("a", Some("1.0.0"))), "E5004");
    assert_eq!(code(host.rollback("b", None)), "E5001");
    host.rollback("a", Some("2.0.0")).unwrap();
    assert_eq!(count(&host), 3);
    host.shutdown().unwrap();

    let host = world.open();
    assert_eq!(count(&host), 3);
    is(&host, "2.0.0", "Running", &["1.0.0", "1.1.0"]);
    let code_files = || std::fs::read_dir(world.path("cache")).unwrap().count();
    assert_eq!((code_files(), std::fs::read_dir(world.path("store/sha256")).unwrap().count()), (1, 3));
    assert!(host.rollback("a", None).unwrap().now.compiled_in.is_none(), "its code was kept");
    assert_eq!(world.recorded(&host, &["\"action\":\"upgrade\"", "\"replaces\":\"1.1.0\""]), 1);
    assert_eq!(world.recorded(&host, &["\"action\":\"rollback\"", "\"outcome\":\"ok\""]), 4);
    host.remove("a", false).unwrap();
    assert_eq!((code_files(), std::fs::read_dir(world.path("store/sha256")).unwrap().count()), (0, 0));
}

fn asking(version: &str, permissions: &str) -> Vec<u8> {
    Guest::new("a").version(version).tables(&format!("[permissions]\n{permissions}")).package()
}

fn fault_068_more_permissions_need_consent(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", "storage = [\"get\"]\nconfig = [\"read\"]"), true).unwrap();
    host.upgrade(&asking("1.1.0", "storage = [\"get\"]"), &plain()).unwrap();
    let more =
        asking("1.2.0", "storage = [\"get\", \"set\"]\nfilesystem = [\"read:/data/x\"]\nconfig = [\"read\"]");
    let error = host.upgrade(&more, &plain()).unwrap_err();
    assert_eq!(error.code().id, "E1407");
    for added in ["storage set", "filesystem read /data/x"] {
        assert!(error.to_string().contains(added), "{error}");
    }
    is(&host, "1.1.0", "Running", &["1.0.0"]);
    assert_eq!(world.recorded(&host, &["\"action\":\"upgrade\"", "E1407", "\"outcome\":\"denied\""]), 1);
    let consent = UpgradeOptions { accept_permissions: true, ..plain() };
    assert_eq!(host.upgrade(&more, &consent).unwrap().added.len(), 2);
    assert_eq!(world.recorded(&host, &["accepted_permissions", "1.2.0"]), 1);
    // What was consented to once is there to go back to.
    host.rollback("a", None).unwrap();
    host.rollback("a", Some("1.2.0")).unwrap();
    // Of a package that is gone nothing is known.
    std::fs::remove_dir_all(world.path("store/sha256")).unwrap();
    std::fs::create_dir(world.path("store/sha256")).unwrap();
    assert_eq!(code(host.upgrade(&asking("1.3.0", "storage = [\"get\"]"), &plain())), "E1407");
}

fn fault_069_a_lower_version_needs_to_be_asked_for(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.1.0").package(), true).unwrap();
    for lower in ["1.0.0", "1.1.0-rc.1"] {
        let error = host.upgrade(&counter(lower).package(), &plain()).unwrap_err();
        assert_eq!(error.code().id, "E1406");
        assert!(error.to_string().contains(lower) && error.help().contains("--allow-downgrade"), "{error}");
    }
    let allowed = UpgradeOptions { allow_downgrade: true, ..plain() };
    host.upgrade(&counter("1.0.0").package(), &allowed).unwrap();
    is(&host, "1.0.0", "Running", &["1.1.0"]);
}

fn fault_070_one_version_has_one_package(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let first = counter("1.0.0").package();
    assert_eq!(code(host.upgrade(&first, &plain())), "E5001");
    host.install(&first, true).unwrap();
    let any = UpgradeOptions { allow_downgrade: true, accept_permissions: true, check: None, ..plain() };
    assert_eq!(code(host.upgrade(&first, &any)), "E5004");
    for same in ["1.0.0", "1.0.0+build.7"] {
        let other = Guest::new("a").version(same).package();
        assert_eq!(code(host.upgrade(&other, &any)), "E5004", "{same}");
    }
    let theirs = counter("2.0.0").publisher("other").package();
    assert_eq!(code(host.upgrade(&theirs, &any)), "E1411");
    host.upgrade(&counter("1.1.0").package(), &plain()).unwrap();
    for kept in ["1.0.0", "1.0.0+build.7"] {
        let other = Guest::new("a").version(kept).package();
        assert_eq!(code(host.upgrade(&other, &any)), "E5004", "{kept} is kept");
    }
    host.upgrade(&first, &any).unwrap();
    is(&host, "1.0.0", "Running", &["1.1.0"]);
}

fn those_that_need_a_plugin_must_be_able_to_use_its_new_version(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    let top = Guest::new("top").tables("[dependencies]\na = \"^1\"");
    host.install(&top.package(), true).unwrap();
    host.upgrade(&counter("1.5.0").package(), &plain()).unwrap();
    let error = host.upgrade(&counter("2.0.0").package(), &plain()).unwrap_err();
    assert_eq!(error.code().id, "E1603");
    assert!(error.reasons().iter().any(|r| r.contains("top") && r.contains("^1")), "{:?}", error.reasons());
    let needs = |on: &str| counter("1.6.0").tables(&format!("[dependencies]\n{on} = \"*\""));
    assert_eq!(code(host.upgrade(&needs("none").package(), &plain())), "E1602");
    assert_eq!(code(host.upgrade(&needs("top").package(), &plain())), "E1601");
    is(&host, "1.5.0", "Running", &["1.0.0"]);
    // What the new version needs is brought up for it.
    host.install(&Guest::new("base").package(), true).unwrap();
    host.stop("base").unwrap();
    assert_eq!(code(host.upgrade(&needs("base").package(), &plain())), "E5003");
    host.start("base").unwrap();
    host.upgrade(&needs("base").package(), &plain()).unwrap();
    assert_eq!(code(host.remove("base", false)), "E5007");
}

fn what_is_not_to_run_is_not_brought_up(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    add(&host);
    host.pause("a").unwrap();
    let trap = counting("1.1.0", "unreachable", "", "", "");
    let check = UpgradeOptions { check: Some("well".into()), ..plain() };
    assert_eq!(code(host.upgrade(&trap.package(), &check)), "E5003");
    assert!(!host.upgrade(&trap.package(), &plain()).unwrap().now.started);
    is(&host, "1.1.0", "Paused", &["1.0.0"]);
    host.rollback("a", None).unwrap();
    host.resume("a").unwrap();
    assert_eq!(count(&host), 1, "the paused instance saved its state when it was let go of");
    host.stop("a").unwrap();
    host.rollback("a", Some("1.1.0")).unwrap();
    is(&host, "1.1.0", "Stopped", &["1.0.0"]);
    assert_eq!(code(host.start("a")), "E4001");
}

fn a_failed_version_is_mended_by_another(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let broken = counting("1.0.0", "", "unreachable", "", "");
    assert_eq!(code(host.install(&broken.package(), true)), "E4001");
    host.upgrade(&counter("1.0.1").package(), &plain()).unwrap();
    is(&host, "1.0.1", "Running", &["1.0.0"]);
    assert_eq!(host.status("a").unwrap().failure, None);
    add(&host);
    for _ in 0..5 {
        host.call("a", "trap", vec![]).unwrap_err();
    }
    is(&host, "1.0.1", "Failed", &["1.0.0"]);
    host.upgrade(&counter("1.0.2").package(), &plain()).unwrap();
    is(&host, "1.0.2", "Running", &["1.0.1", "1.0.0"]);
    assert_eq!(count(&host), 0, "its state went with its instances");
}

/// Tries what must fail with this code; then everything is as it was.
fn leaves_all(
    world: &World,
    host: &PluginManager,
    wanted: &str,
    attempt: impl Fn() -> Result<(), ForgeError>,
) {
    let before = (standing(host), count(host), host.status("a").unwrap().calls);
    let instance = "\"to\":\"Initializing\"";
    let (brought_up, refused) =
        (world.recorded(host, &["#", instance, "1.0.0"]), world.recorded(host, &["management", wanted]));
    let saved = || host.host().home.saved_state("acme/a").unwrap();
    let state = saved();
    assert_eq!(attempt().unwrap_err().code().id, wanted);
    assert_eq!((standing(host), count(host)), (before.0, before.1));
    assert_eq!(host.status("a").unwrap().calls, before.2 + 1, "its counters went on");
    assert_eq!(saved(), state);
    assert_eq!(world.recorded(host, &["#", instance, "1.0.0"]), brought_up);
    assert_eq!(world.recorded(host, &["management", wanted]), refused + 1);
    add(host);
}

fn a_new_version_that_fails_leaves_the_old_one_as_it_was(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    add(&host);
    let (trap, refuse) = ("unreachable", "(return (i32.const 7))");
    for [init, start, load] in
        [[trap, "", ""], [refuse, "", ""], ["", trap, ""], ["", refuse, ""], ["", "", trap], ["", "", refuse]]
    {
        let wanted = if [init, start, load].contains(&trap) { "E4001" } else { "E4002" };
        let package = counting("1.1.0", init, start, load, "").package();
        leaves_all(&world, &host, wanted, || host.upgrade(&package, &plain()).map(drop));
    }
    for (check, wanted) in [("trap", "E4001"), ("fail", "E4002"), ("none", "E5005")] {
        let options = UpgradeOptions { check: Some(check.into()), ..plain() };
        let package = counter("1.1.0").package();
        leaves_all(&world, &host, wanted, || host.upgrade(&package, &options).map(drop));
    }
    let before = count(&host);
    let well = UpgradeOptions { check: Some("well".into()), ..plain() };
    host.upgrade(&counter("1.1.0").package(), &well).unwrap();
    assert_eq!(count(&host), before, "the state comes after the check");
    assert_eq!(world.recorded(&host, &["\"to\":\"Unloaded\"", "did not take another version's place"]), 8);
}

fn an_old_version_that_cannot_save_its_state_goes_on(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let stubborn = counting(
        "1.0.0",
        "",
        "",
        "",
        "(if (i64.eq (global.get $n) (i64.const 2)) (then (return (i32.const 7))))",
    );
    host.install(&stubborn.package(), true).unwrap();
    add(&host);
    add(&host);
    let next = counter("1.1.0").package();
    leaves_all(&world, &host, "E4002", || host.upgrade(&next, &plain()).map(drop));
    host.upgrade(&next, &plain()).unwrap();
    assert_eq!(count(&host), 3);
    // One that traps loses its instance by its own fault, and gets another.
    let traps = counting("1.2.0", "", "", "", "unreachable");
    host.upgrade(&traps.package(), &plain()).unwrap();
    add(&host);
    assert_eq!(code(host.upgrade(&counter("1.3.0").package(), &plain())), "E4001");
    is(&host, "1.2.0", "Running", &["1.1.0", "1.0.0"]);
    assert_eq!(count(&host), 3, "the state that was carried to it is the one saved last");
}

fn a_decision_that_cannot_be_made_durable_is_none(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    add(&host);
    let next = counter("1.1.0").package();
    // The package cannot be written.
    let staging = world.path("tmp/staging");
    std::fs::remove_dir_all(&staging).unwrap();
    leaves_all(&world, &host, "E0002", || host.upgrade(&next, &plain()).map(drop));
    std::fs::create_dir(&staging).unwrap();
    host.upgrade(&next, &plain()).unwrap();
    assert_eq!(count(&host), 2);
    // A version that is no longer what was installed is not gone back to.
    let first = host.host().home.versions(&"a".parse().unwrap()).unwrap().remove(0);
    let file = world.path("store/sha256").join(first.plugin.package.hex());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(code(host.rollback("a", None)), "E1503");
    is(&host, "1.1.0", "Running", &["1.0.0"]);
    assert_eq!(count(&host), 2);
}

fn a_new_version_comes_up_where_none_is(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    add(&host);
    host.shutdown().unwrap();
    let host = world.open();
    let broken = counting("1.1.0", "", "", "unreachable", "");
    assert_eq!(code(host.upgrade(&broken.package(), &plain())), "E4001");
    is(&host, "1.0.0", "Stopped", &[]);
    let report = host.upgrade(&counter("1.1.0").package(), &plain()).unwrap();
    assert_eq!((report.carried, report.now.started), (None, true));
    is(&host, "1.1.0", "Running", &["1.0.0"]);
    assert_eq!(count(&host), 1);
}

fn an_old_version_that_does_not_stop_is_told_of(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let body = GOOD
        .replace("(export \"stop\") (result i32) i32.const 0", "(export \"stop\") (result i32) unreachable");
    host.install(&Guest::new("a").body(&body).package(), true).unwrap();
    let report = host.upgrade(&counter("1.1.0").package(), &plain()).unwrap();
    assert!(report.ending.unwrap().contains("stop did not finish"));
    is(&host, "1.1.0", "Running", &["1.0.0"]);
    assert_eq!(host.status("a").unwrap().failure, None);
    assert_eq!(world.recorded(&host, &["\"to\":\"Failed\"", "1.0.0"]), 1);
}

fn plugins_that_call_it_find_the_new_version(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    let asking =
        format!("{GOOD} {} (func (export \"ask\") (param i32) (result i32) (call $ask))", super::asks("a"));
    let permissions = "[permissions]\nplugins = [\"call:a\"]";
    host.install(&Guest::new("asker").body(&asking).tables(permissions).operation("ask").package(), true)
        .unwrap();
    let mut handle = host.handle("a").unwrap().operation("add").unwrap();
    for version in ["1.1.0", "1.2.0"] {
        handle.call(&mut vec![], &mut vec![]).unwrap();
        host.call("asker", "ask", vec![]).unwrap();
        host.upgrade(&counter(version).package(), &plain()).unwrap();
        host.call("asker", "ask", vec![]).unwrap();
        handle.call(&mut vec![], &mut vec![]).unwrap();
    }
    assert_eq!(count(&host), 4);
}

/// A counter that loads no state.
pub fn refuses_state(version: &str) -> Guest {
    counting(version, "", "", "(return (i32.const 7))", "")
}
