//! A shutdown that has so much time: dependents first, and what is not done by then is given up and named.

use super::{GOOD, Guest, World, asks, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{EventKind, Told};
use std::time::{Duration, Instant};

on_each_engine! {
    with_time_enough_each_is_stopped_dependents_first
    a_plugin_that_spins_keeps_nobody_beyond_the_deadline
    a_second_call_brings_the_end_nearer
    a_plugin_that_is_being_brought_up_is_ended_at_the_deadline
    a_replaced_version_that_spins_is_ended_when_its_time_is_over
}

/// Beside `b`: calls it once, then never returns.
fn spinning() -> Guest {
    let spin =
        "(func (export \"spin\") (param i32) (result i32) (drop (call $ask)) (loop (br 0)) i32.const 0)";
    let tables = "[limits]\ntimeout = \"1500ms\"\n[permissions]\nplugins = [\"call:b\"]";
    Guest::new("a").body(&format!("{GOOD} {} {spin}", asks("b"))).operation("spin").tables(tables)
}

/// Until a call of `spin` is running: it has called `b`.
fn wait_for_spin(host: &crate::PluginManager) {
    let until = Instant::now() + Duration::from_secs(20);
    while host.status("b").unwrap().calls == 0 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

fn with_time_enough_each_is_stopped_dependents_first(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("base").package(), true).unwrap();
    host.install(&Guest::new("top").tables("[dependencies]\nbase = \"^1\"").package(), true).unwrap();
    let mut events = host.events();
    host.shutdown_within(Duration::from_secs(20)).unwrap();
    let next = || events.next_within(Duration::ZERO);
    let moves: Vec<String> = std::iter::from_fn(next)
        .filter_map(|told| match told {
            Told::Event(event) => match &event.kind {
                EventKind::Moved { to, .. } => Some(format!("{} {to}", event.plugin)),
                _ => None,
            },
            Told::Lagged(_) => None,
        })
        .collect();
    assert_eq!(moves, ["top Stopping", "top Stopped", "base Stopping", "base Stopped"]);
    assert_eq!(code(host.call("base", "echo", vec![])), "E5003");
    assert!(!host.readiness().ready);
    drop((host, events));
    world.open().call("top", "echo", vec![]).unwrap();
}

fn a_plugin_that_spins_keeps_nobody_beyond_the_deadline(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("b").package(), true).unwrap();
    host.install(&spinning().package(), true).unwrap();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| code(host.call("a", "spin", vec![])));
        wait_for_spin(&host);
        let began = Instant::now();
        let error = host.shutdown_within(Duration::from_millis(200)).unwrap_err();
        assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
        assert_eq!(error.code().id, "E4033");
        assert!(error.reasons().len() == 1 && error.reasons()[0].starts_with("a: "), "{:?}", error.reasons());
        assert_eq!(call.join().unwrap(), "E4034", "its guest was ended");
        assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
    });
    assert_eq!(world.recorded(&host, &["\"to\":\"Stopped\"", "\"name\":\"b\""]), 1);
    drop(host);
    // That there was no time is no failure of its own.
    assert_eq!(world.open().status("a").unwrap().failure, None);
}

fn a_plugin_that_is_being_brought_up_is_ended_at_the_deadline(kind: EngineKind) {
    let world = World::with(kind, "  supervision: { restart: never }\n");
    let host = world.open();
    let init = "(func (export \"init\") (result i32) (loop (br 0)) i32.const 0)
        (func (export \"start\") (result i32) i32.const 0) (func (export \"stop\") (result i32) i32.const 0)";
    host.install(&Guest::new("slow").body(init).tables("[limits]\ntimeout = \"60s\"").package(), false)
        .unwrap();
    let mut events = host.events();
    std::thread::scope(|scope| {
        let start = scope.spawn(|| host.start("slow").unwrap_err());
        let initializing = |told: &Told| matches!(told, Told::Event(e) if matches!(e.kind, EventKind::Moved { to: crate::plugin::PluginState::Initializing, .. }));
        assert!(events.any(|told| initializing(&told)));
        let began = Instant::now();
        assert!(host.shutdown_within(Duration::from_millis(200)).is_ok());
        assert!(start.join().unwrap().to_string().contains("ended"));
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    });
    drop((host, events));
    assert_eq!(world.open().status("slow").unwrap().failure, None, "no fault of its own");
}

fn a_replaced_version_that_spins_is_ended_when_its_time_is_over(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("b").package(), true).unwrap();
    host.install(&spinning().package(), true).unwrap();
    let next = spinning().version("1.1.0");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| code(host.call("a", "spin", vec![])));
        wait_for_spin(&host);
        let began = Instant::now();
        let options = crate::UpgradeOptions { drain: Some(Duration::from_millis(50)), ..Default::default() };
        host.upgrade(&next.package(), &options).unwrap();
        assert_eq!(call.join().unwrap(), "E4034");
        assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
        host.call("a", "echo", vec![1]).unwrap();
    });
    host.shutdown().unwrap();
}

fn a_second_call_brings_the_end_nearer(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("b").package(), true).unwrap();
    host.install(&spinning().package(), true).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| host.call("a", "spin", vec![]).unwrap_err());
        wait_for_spin(&host);
        let began = Instant::now();
        let first = scope.spawn(|| code(host.shutdown_within(Duration::from_secs(60))));
        while host.readiness().reasons.iter().all(|r| r.why != "the host is being shut down") {
            std::thread::yield_now();
        }
        host.shutdown_within(Duration::ZERO).unwrap();
        assert_eq!(first.join().unwrap(), "E4033");
        assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
    });
}
