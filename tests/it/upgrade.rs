//! Another version in the place of the installed one, through the binary: consent, order, what is kept, and a process
//! that is killed on the way.

use forgeone_tests::{Environment, Wat, World, lifecycle, on_both_engines, signed_package};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A counter whose count is carried in its state; `start` returns this.
fn counter(version: &str, start: i32) -> Wat {
    let body = format!(
        r#"(func (export "init") (result i32) (i32.const 0))
        (func (export "start") (result i32) (i32.const {start}))
        (func (export "stop") (result i32) (i32.const 0))
        (global $n (mut i32) (i32.const 48))
        (func $tell (result i32)
          (i32.store8 (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 1)))
        (func (export "add") (param i32) (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $tell))
        (func (export "sick") (param i32) (result i32) (i32.const 3))
        (func (export "state_save") (result i32) (call $tell))
        (func (export "state_load") (param i32) (result i32)
          (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 1)))
          (global.set $n (i32.load8_u (i32.const 0))) (i32.const 0))"#
    );
    Wat::new("counter", &["add", "sick"], &body).says("version", json!(version))
}

fn package(world: &World, wat: &Wat, version: &str) -> String {
    let file = world.write(&format!("counter-{version}.forgepkg"), wat.package());
    file.to_str().expect("UTF-8").to_owned()
}

fn standing(world: &World) -> Value {
    let status = world.run(&["status", "counter", "--json"]).ok().json();
    json!([status["version"], status["kept"], status["desired"]])
}

on_both_engines! {
    fn versions_come_and_go_back_with_their_state(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("counter", &counter("1.0.0", 0).package()).ok();
        assert_eq!(world.call("counter", "add", b"").ok().stdout, b"1");
        let next = package(&world, &counter("1.1.0", 0), "1.1.0");
        let told = world.run(&["upgrade", &next, "--check", "add"]).ok();
        assert!(told.text().contains("replaced   1.0.0"), "{told}");
        // The check counted, on the state of the installed version, which its stop had saved.
        assert_eq!(world.call("counter", "add", b"").ok().stdout, b"3");
        assert_eq!(standing(&world), json!(["1.1.0", ["1.0.0"], "running"]));
        world.run(&["upgrade", &next]).fails(7, "E5004");
        world.run(&["rollback", "counter"]).ok();
        assert_eq!(world.call("counter", "add", b"").ok().stdout, b"4");
        assert_eq!(standing(&world), json!(["1.0.0", ["1.1.0"], "running"]));
        world.run(&["rollback", "counter"]).fails(7, "E5011").says("kept: 1.1.0");
        world.run(&["rollback", "counter", "--to", "1.1.0"]).ok();
        world.run(&["remove", "counter"]).ok();
        world.run(&["rollback", "counter"]).fails(7, "E5001");
        world.run(&["audit", "verify"]).ok();
    }

    fn a_version_that_cannot_start_is_refused_and_the_old_one_stays(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("counter", &counter("1.0.0", 0).package()).ok();
        let broken = package(&world, &counter("1.1.0", 7), "1.1.0");
        world.run(&["upgrade", &broken]).fails(5, "E4002").says("status 7");
        let sick = package(&world, &counter("1.2.0", 0), "1.2.0");
        world.run(&["upgrade", &sick, "--check", "sick"]).fails(5, "E4002").says("sick");
        assert_eq!(standing(&world), json!(["1.0.0", [], "running"]));
        assert_eq!(world.call("counter", "add", b"").ok().stdout, b"1");
        // A stopped plugin is not started to see.
        world.run(&["stop", "counter"]).ok();
        world.run(&["upgrade", &broken]).ok();
        assert_eq!(standing(&world), json!(["1.1.0", ["1.0.0"], "stopped"]));
    }
}

#[test]
fn what_an_upgrade_is_refused_for() {
    let world = World::development();
    world.install("counter", &counter("1.1.0", 0).package()).ok();
    let lower = package(&world, &counter("1.0.0", 0), "1.0.0");
    world.run(&["upgrade", &lower]).fails(3, "E1406").says("--allow-downgrade");
    world.run(&["upgrade", &lower, "--allow-downgrade"]).ok();
    let more = counter("1.2.0", 0).says("permissions", json!({ "storage": ["get"], "clock": ["now"] }));
    let more = package(&world, &more, "1.2.0");
    world.run(&["upgrade", &more]).fails(3, "E1407").says("storage get").says("clock now");
    let told = world.run(&["upgrade", &more, "--accept-permissions"]).ok();
    assert!(told.text().contains("consented"), "{told}");
    for (version, code) in [("1.2.0", "E5004"), ("1.2.0+other", "E5004"), ("1.1.0", "E5004")] {
        let other =
            package(&world, &Wat::new("counter", &[], lifecycle()).says("version", json!(version)), "x");
        world.run(&["upgrade", &other, "--allow-downgrade"]).fails(7, code);
    }
    let theirs = package(&world, &counter("2.0.0", 0).says("publisher", json!("mallory")), "2.0.0");
    world.run(&["upgrade", &theirs]).fails(3, "E1411");
    let top = Wat::new("top", &[], lifecycle()).says("dependencies", json!({ "counter": "^1" }));
    world.install("top", &top.package()).ok();
    let major = package(&world, &counter("2.0.0", 0), "2.0.0");
    world.run(&["upgrade", &major]).fails(3, "E1603").says("top 1.0.0 needs counter ^1");
    assert_eq!(standing(&world)[0], "1.2.0");
}

/// Asks for more than `counter` 1.0.0 does.
fn asking_more(world: &World, version: &str) -> String {
    let more = counter(version, 0).says("permissions", json!({ "storage": ["get"], "clock": ["now"] }));
    package(world, &more, version)
}

#[test]
fn fault_068_what_asks_for_more_waits_until_an_operator_approves_it() {
    let world = World::development();
    world.install("counter", &counter("1.0.0", 0).package()).ok();
    assert!(world.run(&["approve", "--list"]).ok().text().contains("nothing waits"));
    world.run(&["approve", "counter"]).fails(7, "E5021").says("no version of plugin counter waits");
    let more = asking_more(&world, "1.1.0");
    world.run(&["upgrade", &more]).fails(3, "E1407").says("forgeone approve counter --version 1.1.0");
    assert_eq!(standing(&world), json!(["1.0.0", [], "running"]));
    let shown = world.run(&["approve", "--list"]).ok();
    for line in ["plugin     counter 1.1.0", "installed  1.0.0", "clock now, storage get"] {
        assert!(shown.text().contains(line), "{shown}");
    }
    assert!(world.run(&["list"]).ok().text().contains("1.0.0 (1.1.0 pending)"));
    assert!(world.run(&["status", "counter"]).ok().text().contains("pending"));
    // The file is gone: what was offered is in the home.
    std::fs::remove_file(&more).unwrap();
    let told = world.run(&["approve", "counter", "--version", "1.1.0"]).ok();
    assert!(told.text().contains("consented  clock now, storage get"), "{told}");
    assert_eq!(standing(&world), json!(["1.1.0", ["1.0.0"], "running"]));
    assert!(world.run(&["audit", "tail"]).ok().text().contains("approve"));
    world.run(&["rollback", "counter"]).ok();
    for version in ["1.2.0", "1.3.0"] {
        world.run(&["upgrade", &asking_more(&world, version)]).fails(3, "E1407");
    }
    world.run(&["approve", "counter"]).fails(7, "E5021").says("waiting: 1.2.0, 1.3.0");
    let told = world.run(&["approve", "counter", "--version", "1.2.0", "--reject"]).ok();
    assert!(told.text().contains("rejected counter 1.2.0; 1.0.0 stays"), "{told}");
    world.run(&["approve", "counter"]).ok();
    assert_eq!(standing(&world)[0], "1.3.0");
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_trial_is_refused_where_no_host_stays_up() {
    let world = World::development();
    world.install("counter", &counter("1.0.0", 0).package()).ok();
    let next = package(&world, &counter("1.1.0", 0), "1.1.0");
    for how in [["--canary", "10%"].as_slice(), &["--shadow"]] {
        let args: Vec<&str> = ["upgrade", &next].into_iter().chain(how.iter().copied()).collect();
        world.run(&args).fails(7, "E5022").says("no host stays up");
    }
    world.run(&["upgrade", &next, "--canary", "110%"]).fails(2, "E0101");
    world.run(&["upgrade", &next, "--canary", "10%", "--shadow"]).fails(2, "E0101");
    world.run(&["upgrade", &next, "--calls", "10"]).fails(2, "E0101");
    world.run(&["promote", "counter"]).fails(7, "E5023").says("no version of plugin counter is on trial");
    world.run(&["abandon", "counter"]).fails(7, "E5023");
    assert_eq!(standing(&world)[0], "1.0.0");
}

#[test]
fn fault_069_a_version_that_is_no_longer_trusted_is_not_gone_back_to() {
    let world = World::new(Environment::Staging, forgeone_tests::Engine::Wasmtime);
    let toml = |version: &str| {
        format!(
            "[plugin]\nname = \"counter\"\nversion = \"{version}\"\npublisher = \"acme\"\n\n[[operations]]\nname = \"add\"\n"
        )
    };
    let module = counter("1.0.0", 0).module().to_vec();
    let first = signed_package(&world, &toml("1.0.0"), &module);
    world.run(&["install", first.to_str().unwrap()]).ok();
    world.write("source/plugin.toml", toml("1.1.0"));
    world.run(&["pack", "source", "-o", "next.forgepkg"]).ok();
    world.run(&["upgrade", "next.forgepkg"]).fails(3, "E1201");
    world.run(&["sign", "next.forgepkg", "--publisher", "acme"]).ok();
    world.run(&["upgrade", "next.forgepkg"]).ok();
    let trust = std::fs::read_to_string(world.path("home/trust/trust.toml")).unwrap();
    let entry = "name = \"acme\"";
    assert!(trust.contains(entry), "{trust}");
    let floor = trust.replacen(entry, "name = \"acme\"\nmin_version = { counter = \"1.1.0\" }", 1);
    std::fs::write(world.path("home/trust/trust.toml"), floor).unwrap();
    world.run(&["rollback", "counter"]).fails(3, "E1403");
    std::fs::write(world.path("home/trust/trust.toml"), trust).unwrap();
    world.run(&["rollback", "counter"]).ok();
}

/// Runs a command and kills it after this long; whether it had ended by itself.
fn killed_after(world: &World, line: &[&str], wait: Duration) -> bool {
    let mut command = world.command();
    let mut child =
        command.args(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("forgeone runs");
    let until = Instant::now() + wait;
    let ended = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(_) => break true,
            None if Instant::now() >= until => break false,
            None => std::thread::yield_now(),
        }
    };
    if !ended {
        child.kill().expect("SIGKILL");
        child.wait().expect("it is dead");
    }
    ended
}

/// What must hold wherever a command was killed: one version or the other, whole, with the count it had.
fn look(world: &World, count: &[u8]) -> String {
    world.run(&["audit", "verify"]).ok();
    let status = world.run(&["status", "counter", "--json"]).ok().json();
    let version = status["version"].as_str().expect("a version").to_owned();
    let kept: BTreeSet<&str> =
        status["kept"].as_array().expect("kept").iter().filter_map(Value::as_str).collect();
    assert!(["1.0.0", "1.1.0"].contains(&version.as_str()) && !kept.contains(version.as_str()), "{status}");
    let packages = std::fs::read_dir(world.path("home/store/sha256")).expect("store").count();
    assert_eq!(packages, 1 + kept.len(), "{status}");
    assert_eq!(std::fs::read_dir(world.path("home/tmp/staging")).expect("staging").count(), 0);
    assert_eq!(world.call("counter", "add", b"").ok().stdout, count, "{status}");
    version
}

#[test]
fn fault_089_an_upgrade_or_rollback_that_is_killed_leaves_the_old_or_the_new() {
    let world = World::development();
    world.install("counter", &counter("1.0.0", 0).package()).ok();
    let next = package(&world, &counter("1.1.0", 0), "1.1.0");
    let began = Instant::now();
    world.run(&["upgrade", &next]).ok();
    let whole = began.elapsed();
    world.run(&["rollback", "counter"]).ok();
    let mut seen = BTreeSet::new();
    let (points, mut version) = (24, "1.0.0".to_owned());
    for point in 0..points {
        let forth = ["upgrade", next.as_str()];
        let back = ["rollback", "counter"];
        let line = if version == "1.0.0" { forth } else { back };
        let ended = killed_after(&world, &line, whole * point / (points - 4));
        let found = look(&world, &[49 + u8::try_from(point).expect("few")]);
        assert!(!ended || found != version, "{line:?} ended and nothing changed");
        seen.insert((ended, found != version));
        version = found;
    }
    assert!(seen.contains(&(false, false)), "none was killed before its decision: {seen:?}");
    assert!(seen.iter().any(|(_, changed)| *changed), "none was decided: {seen:?}");
}

/// Counts calls of `add` in 64 bits of carried state.
fn tally(version: &str) -> Wat {
    let body = format!(
        r#"{} (global $n (mut i64) (i64.const 0))
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
    Wat::new("tally", &["add", "count"], &body).says("version", json!(version))
}

/// Lets the embedder make this many swaps, and kills it this long after; what had been counted before the last.
fn killed_in_mid_swap(world: &World, swaps: usize, more: Duration) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_embed_swapper"))
        .arg(world.home())
        .arg(world.path("next.forgepkg"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("embed_swapper runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told: Vec<String> = lines.by_ref().take(swaps).map(|line| line.expect("a line")).collect();
    let until = Instant::now() + more;
    while Instant::now() < until {
        std::thread::yield_now();
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    // A last line may be cut off before its end.
    let rest = lines.map_while(Result::ok).collect::<Vec<_>>();
    let whole = told.iter().chain(rest.split_last().map_or(&[][..], |(_, whole)| whole));
    assert_eq!(told.len(), swaps, "it ended early");
    whole.last().map_or(0, |line| line.parse().expect("a count"))
}

on_both_engines! {
    fn fault_099_a_host_killed_while_it_swaps_leaves_one_version_and_a_state_it_had(engine) {
        for (swaps, more) in [(1, 0), (2, 3), (2, 9), (3, 6), (4, 12), (5, 1)] {
            let world = World::new(Environment::Development, engine);
            world.install("tally", &tally("1.0.0").package()).ok();
            world.write("next.forgepkg", tally("1.1.0").package());
            let counted = killed_in_mid_swap(&world, swaps, Duration::from_millis(more));
            world.run(&["audit", "verify"]).ok();
            let status = world.run(&["status", "tally", "--json"]).ok().json();
            let versions = [&status["version"], &status["kept"][0]].map(|v| v.as_str().expect("a version").to_owned());
            assert_eq!(BTreeSet::from(versions), BTreeSet::from(["1.0.0".into(), "1.1.0".into()]));
            let now = world.run(&["call", "tally", "count"]).ok().stdout;
            let now = u64::from_le_bytes(now.try_into().expect("eight bytes"));
            assert!(now >= counted, "killed after {swaps} swaps: {now} of {counted} are left");
        }
    }
}
