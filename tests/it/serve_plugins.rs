//! A daemon keeps its plugins: as the plugin directory says, up again after a failure, and in service while versions change.

use forgeone_tests::{Daemon, Ran, Wat, World, lifecycle};
use serde_json::{Value, json};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Longest any change may take to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

fn status(world: &World, name: &str) -> Option<Value> {
    let ran = world.run(&["status", name, "--json"]);
    (ran.code == 0).then(|| ran.json())
}

/// Asks until it is so.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::yield_now();
    }
}

/// Puts a package into a directory as a careful copy does: under another name first.
fn drop_into(dir: &Path, name: &str, bytes: &[u8]) {
    let arriving = dir.join(format!(".{name}.arriving"));
    std::fs::write(&arriving, bytes).expect("written");
    std::fs::rename(arriving, dir.join(name)).expect("renamed");
}

#[test]
fn what_is_dropped_replaced_and_deleted_in_the_directory_is_installed_exchanged_and_removed() {
    let world = World::development().with("directory", json!({ "settle": "50ms", "rescan": "1s" }));
    let daemon = Daemon::start(&world, &[]);
    let plugins = world.home().join("plugins");
    drop_into(&plugins, "good.forgepkg", &Wat::good().package());
    until("installed", || status(&world, "good").is_some_and(|s| s["state"] == "Running"));
    assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
    drop_into(&plugins, "good.forgepkg", &Wat::good().says("version", "1.1.0".into()).package());
    until("exchanged", || status(&world, "good").is_some_and(|s| s["version"] == "1.1.0"));
    drop_into(&plugins, "bad.forgepkg", b"nonsense");
    until("moved aside", || !plugins.join("bad.forgepkg").exists());
    let aside = std::fs::read_dir(plugins.join("rejected")).expect("a directory").count();
    assert!(aside >= 2, "the file and its reason: {aside}");
    std::fs::remove_file(plugins.join("good.forgepkg")).expect("it is there");
    until("removed", || status(&world, "good").is_none());
    daemon.stop();
}

/// A plugin whose `trap` traps.
fn fragile() -> Vec<u8> {
    let body = r#"(func (export "trap") (param i32) (result i32) unreachable)"#;
    Wat::new("fragile", &["trap"], &format!("{}{body}", lifecycle())).package()
}

#[test]
fn a_crash_loop_is_backed_off_from_quarantined_and_released() {
    let rules = json!({
        "backoff": { "first": "10ms", "max": "20ms", "jitter": 0 },
        "budget": { "restarts": 1, "within": "10m" }, "on_budget_spent": "quarantine",
    });
    let world = World::development().with("supervision", rules);
    world.install("fragile", &fragile()).ok();
    let daemon = Daemon::start(&world, &[]);
    until("quarantined", || {
        world.run(&["call", "fragile", "trap"]);
        status(&world, "fragile").is_some_and(|s| s["state"] == "Quarantined")
    });
    assert!(status(&world, "fragile").is_some_and(|s| s["restarts"] == 1 && s["ready"] == false));
    assert!(world.run(&["status", "--json"]).ok().json()["ready"] == false);
    world.run(&["call", "fragile", "trap"]).fails(7, "E5003");
    world.run(&["release", "fragile"]).ok();
    until("up again", || status(&world, "fragile").is_some_and(|s| s["state"] == "Running"));
    daemon.stop();
}

fn versioned(version: &str, body: &str) -> Vec<u8> {
    Wat::new("tried", &["tell"], &format!("{}{body}", lifecycle())).says("version", version.into()).package()
}

const TELLS: &str = r#"(data (i32.const 0) "told")
    (func (export "tell") (param i32) (result i32) (call $output (i32.const 0) (i32.const 4)))"#;
const TRAPS: &str = r#"(func (export "tell") (param i32) (result i32) unreachable)"#;

#[test]
fn a_canary_that_does_well_is_promoted_and_one_that_fails_is_abandoned() {
    let world = World::development();
    world.install("tried", &versioned("1.0.0", TELLS)).ok();
    let daemon = Daemon::start(&world, &[]);
    let call = || world.run(&["call", "tried", "tell"]);
    world.write("good.forgepkg", versioned("1.1.0", TELLS));
    world.run(&["upgrade", "good.forgepkg", "--canary", "50%", "--calls", "3"]).ok();
    until("promoted", || {
        call().ok().stdout == b"told" && status(&world, "tried").unwrap()["version"] == "1.1.0"
    });
    world.write("shadow.forgepkg", versioned("1.2.0", TRAPS));
    world.run(&["upgrade", "shadow.forgepkg", "--shadow"]).ok();
    until("abandoned", || {
        call().ok().stdout == b"told" && status(&world, "tried").unwrap()["trial"].is_null()
    });
    assert_eq!(status(&world, "tried").unwrap()["version"], "1.1.0");
    daemon.stop();
}

#[test]
fn calls_of_four_clients_are_answered_while_versions_take_turns() {
    let world = World::development();
    world.install("tried", &versioned("1.0.0", TELLS)).ok();
    let daemon = Daemon::start(&world, &[]);
    world.write("next.forgepkg", versioned("1.1.0", TELLS));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..15)
                        .for_each(|_| assert_eq!(world.run(&["call", "tried", "tell"]).ok().stdout, b"told"))
                })
            })
            .collect();
        world.run(&["upgrade", "next.forgepkg"]).ok();
        world.run(&["rollback", "tried"]).ok();
        world.run(&["upgrade", "next.forgepkg", "--drain", "5s"]).ok();
        clients.into_iter().for_each(|client| client.join().expect("every call was answered"));
    });
    daemon.stop();
}

/// Its `spin` stores a value, which is recorded, and never returns.
fn spinning() -> Vec<u8> {
    let body = r#"(data (i32.const 0) "kv_set") (data (i32.const 16) "\01\00\00\00k\01\00\00\00v")
        (func (export "spin") (param i32) (result i32)
          (drop (call $syscall (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 10) (i32.const 64) (i32.const 0)))
          (loop $a (br $a)) (i32.const 0))"#;
    let plugin = Wat::new("spinning", &["spin"], &format!("{}{body}", lifecycle()));
    plugin.says("permissions", json!({ "storage": ["set"] })).package()
}

/// Until the log says that the guest stores its value.
fn until_it_spins(world: &World) {
    let stores = |bytes: &[u8]| bytes.windows(6).any(|word| word == b"kv_set");
    until("it spins", || world.files_below("audit").iter().any(|(_, bytes)| stores(bytes)));
}

#[test]
fn a_guest_whose_client_goes_away_is_ended_and_costs_the_plugin_nothing() {
    let world = World::development().with("default_timeout", "60s".into());
    world.install("spinning", &spinning()).ok();
    let daemon = Daemon::start(&world, &[]);
    let mut client = world.command().args(["call", "spinning", "spin"]).spawn().expect("it runs");
    until_it_spins(&world);
    client.kill().expect("it is there");
    client.wait().expect("it is gone");
    let began = Instant::now();
    until("ended", || status(&world, "spinning").is_some_and(|s| s["errors"] == 1));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(status(&world, "spinning").unwrap()["state"], "Running");
    daemon.stop();
}

#[test]
fn ctrl_c_ends_the_guest_of_a_call_without_a_daemon() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::process::Stdio;
    let world = World::development().with("default_timeout", "60s".into());
    world.install("spinning", &spinning()).ok();
    let mut command = world.command();
    command.args(["call", "spinning", "spin"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let client = command.spawn().expect("it runs");
    until_it_spins(&world);
    kill_process(Pid::from_child(&client), Signal::INT).expect("it is there");
    let ended = client.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(7), "{stderr}");
    assert!(stderr.starts_with("error[E4031]: "), "{stderr}");
    let _: Ran = world.run(&["audit", "verify"]).ok();
}
