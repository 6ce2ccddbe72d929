//! Desired state persists: what an operator asked for holds over processes, and decides what a call may do.

use forgeone_tests::{Environment, Wat, World, lifecycle, on_both_engines};

fn state(world: &World, name: &str) -> (String, String) {
    let status = world.run(&["status", name, "--json"]).ok().json();
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("desired"))
}

/// A plugin whose `start` returns 7 and says why.
fn stubborn() -> Wat {
    let body = r#"(data (i32.const 0) "not today")
        (func (export "init") (result i32) (i32.const 0))
        (func (export "start") (result i32) (call $fail (i32.const 0) (i32.const 9)) (i32.const 7))
        (func (export "stop") (result i32) (i32.const 0))
        (func (export "run") (param i32) (result i32) (i32.const 0))"#;
    Wat::new("stubborn", &["run"], body)
}

on_both_engines! {
    fn calls_follow_what_was_asked_for(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("good", &Wat::good().package()).ok();
        assert_eq!(state(&world, "good").1, "running");
        world.run(&["call", "good", "hello"]).ok();

        world.run(&["pause", "good"]).ok();
        assert_eq!(state(&world, "good"), ("Paused".into(), "paused".into()));
        world.run(&["call", "good", "hello"]).fails(7, "E5003");
        world.run(&["pause", "good"]).fails(7, "E5002");

        world.run(&["resume", "good"]).ok();
        world.run(&["call", "good", "hello"]).ok();
        world.run(&["resume", "good"]).fails(7, "E5002");

        world.run(&["stop", "good"]).ok();
        assert_eq!(state(&world, "good"), ("Stopped".into(), "stopped".into()));
        world.run(&["call", "good", "hello"]).fails(7, "E5003");

        world.run(&["start", "good"]).ok();
        assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
    }

    fn a_plugin_that_cannot_start_is_told_at_once_and_failed(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("stubborn", &stubborn().package()).fails(5, "E4002").says("7").says("not today");
        assert_eq!(state(&world, "stubborn"), ("Failed".into(), "running".into()));
        let status = world.run(&["status", "stubborn", "--json"]).ok().json();
        assert!(status["failure"].as_str().unwrap().contains("not today"), "{status}");
        world.run(&["call", "stubborn", "run"]).exits(7);
        world.run(&["start", "stubborn"]).fails(5, "E4002");
        world.run(&["remove", "stubborn"]).ok();
    }
}

#[test]
fn no_start_leaves_it_stopped() {
    let world = World::development();
    let file = world.write("stubborn.forgepkg", stubborn().package());
    world.run(&["install", file.to_str().unwrap(), "--no-start"]).ok();
    assert_eq!(state(&world, "stubborn"), ("Stopped".into(), "stopped".into()));
    world.run(&["start", "stubborn"]).fails(5, "E4002");
}

#[test]
fn what_is_installed_is_not_installed_twice() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    world.install("good", &Wat::good().package()).fails(7, "E5004");
}

#[test]
fn another_publisher_cannot_take_the_name_nor_see_the_data() {
    let world = World::development();
    let key = forgeone_tests::pack_args(&[b"k"]);
    world.install("keeper", &Wat::keeper().package()).ok();
    world.call("keeper", "put", &forgeone_tests::pack_args(&[b"k", b"secret"])).ok();
    assert_eq!(world.call("keeper", "get", &key).ok().stdout, b"secret");
    let other = Wat::keeper().says("publisher", "mallory".into()).package();
    world.install("other", &other).fails(3, "E1411");
    world.run(&["remove", "keeper", "--keep-data"]).ok();
    world.install("other", &other).ok();
    // Status -2, not found, as the operation's own 2.
    world.call("keeper", "get", &key).fails(5, "E4002").says("2");
}

#[test]
fn settings_reach_the_plugin_and_outlive_the_process() {
    let world = World::development();
    let body = format!("{}{}", lifecycle(), forgeone_tests::syscall_operation("setting", "config_get", 0));
    world.install("reader", &Wat::new("reader", &["setting"], &body).package()).ok();
    let key = forgeone_tests::pack_args(&[b"colour"]);
    world.call("reader", "setting", &key).fails(5, "E4002");
    world.run(&["config", "reader", "set", "colour", "blue"]).ok();
    assert_eq!(world.run(&["config", "reader", "get", "colour"]).ok().text(), "blue\n");
    assert_eq!(world.call("reader", "setting", &key).ok().stdout, b"blue");
    world.run(&["config", "reader", "unset", "colour"]).ok();
    world.run(&["config", "reader", "get", "colour"]).fails(7, "E5008");
    world.call("reader", "setting", &key).fails(5, "E4002");
}
