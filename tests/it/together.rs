//! Several processes on one home at once: each waits its turn, and none sees half of what another does.

use forgeone_tests::{Ran, Wat, World};
use serde_json::json;
use std::thread;

/// Runs these lines at once, each in a process of its own.
fn at_once(world: &World, lines: &[Vec<String>]) -> Vec<Ran> {
    let mut running = Vec::new();
    for line in lines {
        let mut command = world.command();
        command.args(line).args(["--wait", "60s"]);
        running.push(thread::spawn(move || Ran::of(&mut command, b"")));
    }
    running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

fn named(name: &str) -> Wat {
    Wat::good().says("name", json!(name))
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn whole(world: &World, plugins: usize) {
    let listed = world.run(&["list", "--json"]).ok().json();
    assert_eq!(listed["plugins"].as_array().map(Vec::len), Some(plugins), "{listed}");
    assert_eq!(world.files_below("store/sha256").len(), plugins);
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn fault_095_of_processes_that_install_one_plugin_one_does() {
    let world = World::development();
    let file = world.write("good.forgepkg", Wat::good().package());
    let install = line(&["install", file.to_str().expect("UTF-8 path")]);
    let mut codes: Vec<i32> = at_once(&world, &vec![install; 6]).iter().map(|ran| ran.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 7, 7, 7, 7, 7]);
    whole(&world, 1);
    world.run(&["call", "good", "hello"]).ok();
}

#[test]
fn fault_095_processes_that_install_call_and_remove_at_once() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let mut lines = vec![line(&["remove", "good"]), line(&["call", "good", "hello"])];
    for name in ["p0", "p1", "p2", "p3", "p4"] {
        let file = world.write(&format!("{name}.forgepkg"), named(name).package());
        lines.push(line(&["install", file.to_str().expect("UTF-8 path")]));
    }
    let ran = at_once(&world, &lines);
    ran[2..].iter().for_each(|ran| assert_eq!(ran.code, 0, "{ran}"));
    assert_eq!(ran[0].code, 0, "{}", ran[0]);
    assert!(ran[1].code == 0 || ran[1].stderr.starts_with("error[E5001]"), "{}", ran[1]);
    whole(&world, 5);
}
