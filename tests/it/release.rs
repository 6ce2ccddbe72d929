//! A plugin that a supervised host gave up on is quarantined, and stays so for every command until it is released.

use forgeone_tests::{Environment, Wat, World, lifecycle, on_both_engines};
use plugin_manager::{PluginManager, PluginState};
use serde_json::json;
use std::time::{Duration, Instant};

/// Traps when it is asked to.
fn crashing() -> Wat {
    let body = format!(
        r#"{} (func (export "crash") (param i32) (result i32) unreachable)
        (func (export "hello") (param i32) (result i32) (i32.const 0))"#,
        lifecycle()
    );
    Wat::new("frail", &["crash", "hello"], &body)
}

/// A host in this process that supervises until the plugin has spent what it may.
fn spend(world: &World) {
    let host = PluginManager::builder().home(world.home()).open().expect("the home opens");
    let mut events = host.events();
    let guard = host.start_supervision().expect("it is supervised");
    let patience = Instant::now() + Duration::from_secs(30);
    while !host.readiness().ready {
        assert!(Instant::now() < patience, "{:?}", host.readiness());
        // What makes it ready may follow the last event.
        let _ = events.next_within(Duration::from_millis(50));
    }
    for _ in 0..5 {
        host.call("frail", "crash", Vec::new()).expect_err("it traps");
    }
    assert_eq!(host.status("frail").expect("there").state, PluginState::Quarantined.name());
    assert!(guard.stop(Duration::from_secs(30)));
    host.shutdown().expect("it ends");
}

on_both_engines! {
    fn a_quarantine_outlasts_the_host_and_is_lifted_by_release(engine) {
        let rules = json!({ "on_budget_spent": "quarantine", "budget": { "restarts": 0 } });
        let world = World::new(Environment::Development, engine).with("supervision", rules);
        world.install("frail", &crashing().package()).ok();
        world.run(&["release", "frail"]).fails(7, "E5002");
        world.run(&["release", "nobody"]).fails(7, "E5001");
        spend(&world);
        let status = world.run(&["status", "frail", "--json"]).ok().json();
        assert_eq!((&status["state"], &status["desired"]), (&json!("Quarantined"), &json!("running")));
        assert_eq!(status["ready"], false);
        world.call("frail", "hello", b"").fails(7, "E5003").says("lost 5 instances").says("forgeone release frail");
        let doctor = world.run(&["doctor"]).ok();
        assert!(doctor.text().contains("frail is Quarantined"), "{doctor}");
        world.run(&["start", "frail"]).fails(7, "E5002").says("forgeone release frail");
        world.run(&["pause", "frail"]).fails(7, "E5002");
        let released = world.run(&["release", "frail", "--json"]).ok().json();
        assert_eq!((&released["state"], &released["failure"]), (&json!("Stopped"), &json!(null)));
        world.call("frail", "hello", b"").ok();
        world.run(&["audit", "verify"]).ok();
        let log = world.run(&["audit", "tail", "-n", "200", "--json"]).ok();
        assert!(log.text().contains("\"quarantine\"") && log.text().contains("\"release\""), "{log}");
    }

    fn removing_a_quarantined_plugin_does_not_lift_its_quarantine(engine) {
        let rules = json!({ "on_budget_spent": "quarantine", "budget": { "restarts": 0 } });
        let world = World::new(Environment::Development, engine).with("supervision", rules);
        world.install("frail", &crashing().package()).ok();
        spend(&world);
        world.run(&["remove", "frail"]).ok();
        world.install("frail", &crashing().package()).fails(7, "E5002").says("forgeone release frail");
        world.run(&["release", "frail"]).ok();
        world.call("frail", "hello", b"").ok();
    }
}
