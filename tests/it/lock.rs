//! One process at a time has a home: the second waits, and says whom for when it waited long enough.

use forgeone_tests::{Ran, World};
use plugin_manager::PluginManager;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn holder(world: &World) -> PluginManager {
    PluginManager::builder().home(world.home()).operator("the-holder").open().expect("the home is free")
}

#[test]
fn the_second_process_waits_and_then_names_the_holder() {
    let world = World::development();
    let manager = holder(&world);
    let began = Instant::now();
    let refused = world.run(&["list", "--wait", "300ms"]).fails(7, "E5006");
    assert!(began.elapsed() >= Duration::from_millis(300), "{refused}");
    refused.says(&std::process::id().to_string());
    manager.shutdown().expect("it lets go");
    world.run(&["list", "--wait", "300ms"]).ok();
}

#[test]
fn the_second_process_goes_on_when_the_first_lets_go() {
    let world = World::development();
    let manager = holder(&world);
    let mut command = world.command();
    command.args(["list", "--wait", "60s"]);
    let (started, heard) = mpsc::channel();
    let second = thread::spawn(move || {
        started.send(()).expect("the story listens");
        Ran::of(&mut command, b"")
    });
    heard.recv().expect("the second was started");
    // However far the second has come by now, it cannot end before the home is free.
    assert!(!second.is_finished());
    manager.shutdown().expect("it lets go");
    second.join().expect("no panic").ok();
}

#[test]
fn what_needs_no_home_does_not_wait_for_one() {
    let world = World::development();
    let package = world.write("good.forgepkg", forgeone_tests::Wat::good().package());
    let package = package.to_str().expect("UTF-8 path");
    let manager = holder(&world);
    for line in [
        ["inspect", package].as_slice(),
        &["verify", package],
        &["policy", "check"],
        &["audit", "verify"],
        &["audit", "classes"],
    ] {
        let mut line = line.to_vec();
        line.extend(["--wait", "0s"]);
        world.run(&line).ok();
    }
    manager.shutdown().expect("it lets go");
}
