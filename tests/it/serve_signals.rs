//! A daemon that is told to stop stops in order, at once when it is told twice, and one that is killed leaves nothing
//! in the way of the next.

use forgeone_tests::{Daemon, Ran, Wat, World, lifecycle};
use rustix::process::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// A plugin whose `slow` stores a value, works for a while and answers `done`; `spin` never answers.
fn worker() -> Vec<u8> {
    let body = r#"(data (i32.const 0) "kv_set")
        (data (i32.const 16) "\01\00\00\00k\01\00\00\00v")
        (data (i32.const 32) "done")
        (func $begun
          (drop (call $syscall (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 10) (i32.const 64) (i32.const 0))))
        (func $work (param $n i32)
          (loop $a
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (i32.store (i32.const 64) (local.get $n))
            (br_if $a (local.get $n))))
        (func (export "slow") (param i32) (result i32)
          (call $begun)
          (call $work (i32.const 400000000))
          (call $output (i32.const 32) (i32.const 4)))
        (func (export "spin") (param i32) (result i32)
          (call $begun)
          (loop $a (br $a)) (i32.const 0))"#;
    let plugin = Wat::new("worker", &["slow", "spin"], &format!("{}{body}", lifecycle()));
    plugin.says("permissions", serde_json::json!({ "storage": ["set"] })).package()
}

fn with_worker() -> World {
    let world = World::development().with("default_timeout", "60s".into());
    world.install("worker", &worker()).ok();
    world
}

/// Calls an operation on another thread, and returns once the plugin has begun: the log says that it stores a value.
fn begun(world: &World, operation: &'static str) -> thread::JoinHandle<Ran> {
    let mut command = world.command();
    command.args(["call", "worker", operation]);
    let call = thread::spawn(move || Ran::of(&mut command, b""));
    while !world.run(&["audit", "tail", "-n", "3"]).ok().text().contains("kv_set") {
        assert!(!call.is_finished(), "the call ended before it began: {}", call.join().expect("no panic"));
    }
    call
}

#[test]
fn a_call_under_way_is_answered_and_the_daemon_ends_in_order() {
    let world = with_worker();
    let mut daemon = Daemon::start(&world, &[]);
    let call = begun(&world, "slow");
    daemon.signal(Signal::TERM);
    daemon.says("stopping; requests under way: 1");
    assert!(!daemon.socket().exists());
    // It has the home until it ends, and a command waits for that.
    let after = world.run(&["list", "--wait", "60s"]).ok();
    assert!(after.text().contains("worker"), "{after}");
    assert_eq!(call.join().expect("no panic").ok().stdout, b"done");
    let (code, _, stderr) = daemon.ends();
    assert_eq!((code, stderr.as_str()), (0, ""));
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_second_signal_ends_what_is_under_way_at_once() {
    let world = with_worker();
    let mut daemon = Daemon::start(&world, &[]);
    let call = begun(&world, "spin");
    daemon.signal(Signal::INT);
    daemon.says("stopping; requests under way: 1");
    let again = Instant::now();
    daemon.signal(Signal::INT);
    let (code, stdout, _) = daemon.ends();
    assert!(again.elapsed() < Duration::from_secs(15), "{:?}", again.elapsed());
    assert_eq!(code, 6, "{stdout}");
    assert!(stdout.contains("E4033") && stdout.contains("worker: "), "{stdout}");
    call.join().expect("no panic").fails(6, "E4034");
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_call_that_takes_longer_than_the_drain_is_not_waited_for() {
    let world = with_worker();
    let daemon = Daemon::start(&world, &["--drain", "500ms"]);
    let call = begun(&world, "spin");
    let told = Instant::now();
    daemon.signal(Signal::TERM);
    let (code, stdout, _) = daemon.ends();
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert_eq!(code, 6, "{stdout}");
    assert!(stdout.contains("E4033") && stdout.contains("worker: "), "{stdout}");
    call.join().expect("no panic").fails(6, "E4034");
}

#[test]
fn fault_096_a_second_daemon_is_refused_naming_the_first() {
    let world = World::development();
    let daemon = Daemon::start(&world, &[]);
    let first = daemon.pid().to_string();
    world.run(&["serve", "--wait", "50ms"]).fails(7, "E5006").says(&first);
    world.run(&["list"]).ok();
    daemon.stop();
}

#[test]
fn what_a_killed_daemon_leaves_is_in_nobodys_way() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let daemon = Daemon::start(&world, &[]);
    let socket = daemon.socket();
    daemon.kill();
    assert!(socket.exists(), "a killed daemon cannot take its socket away");
    world.run(&["call", "good", "hello"]).ok();
    world.run(&["pause", "good"]).ok();
    let next = Daemon::start(&world, &[]);
    assert_eq!(next.ready()["running"], serde_json::json!([]));
    world.run(&["resume", "good"]).ok();
    next.kill();
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn changed_policies_are_put_in_force_by_a_signal() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let mut daemon = Daemon::start(&world, &[]);
    world.run(&["call", "good", "hello"]).ok();
    let policy = "@id(\"no-calls\") forbid(principal, action == Action::\"call\", resource);";
    let file = world.write("home/trust/policy/no-calls.cedar", policy);
    daemon.signal(Signal::HUP);
    daemon.says("policies read again: 1 file");
    world.run(&["call", "good", "hello"]).fails(4, "E2001");
    std::fs::write(&file, "forbid(nobody knows").expect("written");
    daemon.signal(Signal::HUP);
    assert!(daemon.says("the policies stay as they were").contains("E2004"));
    world.run(&["call", "good", "hello"]).fails(4, "E2001");
    daemon.stop();
}
