//! What plugins do changes how far they are trusted: shown, recorded, told, kept over openings, and in the end acted
//! on, with evidence that verifies.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{AuditSource, EventKind, PluginManager, Told, open_evidence};
use std::time::{Duration, Instant};

on_each_engine! {
    a_plugin_that_traps_falls_through_the_classes_into_quarantine
    what_a_command_saw_counts_when_the_plugin_is_stopped
    a_host_that_only_tells_leaves_it_in_service
    removing_and_installing_again_restores_no_trust
    a_plugin_lowers_nobodys_score_but_its_own
    a_quarantine_ends_the_call_that_runs
}

/// Each trap costs twenty points; a plugin that is not signed starts with eighty.
const SEVERE: &str = "  trust_score: { severity: 1000 }\n";

fn trapped(host: &PluginManager, times: usize) {
    for _ in 0..times {
        assert_eq!(code(host.call("a", "trap", vec![])), "E4001");
    }
    host.look_at_conduct().unwrap();
}

fn standing(host: &PluginManager) -> (&'static str, u32) {
    let status = host.status("a").unwrap();
    (status.trust, status.trust_points)
}

fn a_plugin_that_traps_falls_through_the_classes_into_quarantine(kind: EngineKind) {
    let world = World::with(kind, SEVERE);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    assert_eq!(standing(&host), ("full", 80));
    let (mut events, epoch) = (host.events(), host.host().bridge.evaluator().epoch());
    trapped(&host, 2);
    assert_eq!(standing(&host), ("reduced", 40));
    assert_eq!(host.status("a").unwrap().trust_why, ["2 traps or deadlines (-40.0)"]);
    assert_eq!(host.host().bridge.evaluator().epoch(), epoch + 1, "cached decisions end");
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
    trapped(&host, 2);
    let status = host.status("a").unwrap();
    assert_eq!((status.trust, status.trust_points, status.state.as_str()), ("quarantined", 0, "Quarantined"));
    assert!(status.failure.unwrap().starts_with("its trust score fell to 0: 4 traps"));
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    let changed = "\"action\":\"trust_class\"";
    assert_eq!(world.recorded(&host, &[changed, "\"to\":\"reduced\""]), 1);
    assert_eq!(world.recorded(&host, &[changed, "\"to\":\"quarantined\""]), 1);
    let mut told = Vec::new();
    while let Some(Told::Event(event)) = events.next_within(Duration::ZERO) {
        if let EventKind::TrustChanged { to, .. } = &event.kind {
            told.push(to.name());
        }
    }
    assert_eq!(told, ["reduced", "quarantined"]);
    evidence_verifies(&world, &status.evidence.unwrap());
    host.shutdown().unwrap();

    let host = world.open();
    assert_eq!(standing(&host), ("quarantined", 0));
    assert!(
        host.metrics_text().contains("forgeone_plugin_trust_points{plugin=\"a\",class=\"quarantined\"} 0\n")
    );
    host.release("a").unwrap();
    assert_eq!(standing(&host), ("reduced", 40));
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
}

/// `front` calls `a`, which is denied the clock, and denied what `front` was not granted, and is hurried.
fn a_plugin_lowers_nobodys_score_but_its_own(kind: EngineKind) {
    let world = World::with(kind, SEVERE);
    let host = world.open();
    let asks_clock = r#"(data (i32.const 512) "time_now")
        (func (export "clock") (param i32) (result i32)
          (drop (call $syscall (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 2048) (i32.const 64)))
          i32.const 0)"#;
    let back = Guest::new("a").body(&format!("{GOOD}{asks_clock}")).operation("clock");
    host.install(&back.tables("[permissions]\nclock = [\"now\"]").package(), true).unwrap();
    let argument = |text: &str| format!("\\{:02x}\\00\\00\\00{text}", text.len());
    let arguments = argument("a") + &argument("clock") + &argument("");
    let ask = format!(
        r#"(data (i32.const 256) "{arguments}")
        (func (export "go") (param i32) (result i32)
          (call $syscall (i32.const 128) (i32.const 11) (i32.const 256) (i32.const 18) (i32.const 0) (i32.const 0)))"#
    );
    let front = Guest::new("front").body(&format!("{GOOD}{ask}")).operation("go");
    host.install(&front.tables("[permissions]\nplugins = [\"call\"]").package(), true).unwrap();
    for _ in 0..20 {
        host.call("front", "go", vec![]).unwrap();
    }
    host.look_at_conduct().unwrap();
    // The clock was denied to `a` for what `front` lacks.
    assert!(world.recorded(&host, &["\"denial\"", "time_now", "\"lacking\":\"front\""]) > 0);
    assert_eq!(host.status("a").unwrap().denials, 20);
    assert_eq!(standing(&host), ("full", 80), "what it did for another does not count");
    let front = host.status("front").unwrap();
    assert_eq!(front.trust_why.len(), 1, "{:?}", front.trust_why);
    assert!(
        front.trust_why[0].starts_with("20 denied host calls"),
        "who lacks the right pays: {:?}",
        front.trust_why
    );
    // Whoever calls directly sees it act in its own right, and it may.
    host.call("a", "clock", vec![]).unwrap();
    assert_eq!(host.status("a").unwrap().denials, 20);
}

fn a_quarantine_ends_the_call_that_runs(kind: EngineKind) {
    let world = World::with(kind, SEVERE);
    let host = world.open();
    // It keeps a value, so that the log tells when it has begun.
    let spin = r#"(data (i32.const 256) "kv_set") (data (i32.const 272) "\01\00\00\00k\01\00\00\00v")
        (func (export "spin") (param i32) (result i32)
          (drop (call $syscall (i32.const 256) (i32.const 6) (i32.const 272) (i32.const 10) (i32.const 0) (i32.const 0)))
          (loop $l (br $l)) i32.const 0)"#;
    let guest = Guest::new("a").body(&format!("{GOOD}{spin}")).operation("spin");
    let pooled = "[permissions]\nstorage = [\"set\"]\n[instances]\nmode = \"pooled\"\nmax = 2\n\
                  [limits]\ntimeout = \"60s\"";
    host.install(&guest.tables(pooled).package(), true).unwrap();
    let caller = host.clone();
    let spins = std::thread::spawn(move || code(caller.call("a", "spin", vec![])));
    while world.recorded(&host, &["kv_set"]) == 0 {
        assert!(!spins.is_finished());
        std::thread::yield_now();
    }
    let began = Instant::now();
    trapped(&host, 4);
    assert_eq!(spins.join().unwrap(), "E4034");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "its own timeout did not end it: {:?}",
        began.elapsed()
    );
    assert_eq!(host.status("a").unwrap().state, "Quarantined");
    host.release("a").unwrap();
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x", "what was ended is not what comes back");
}

fn evidence_verifies(world: &World, file: &str) {
    let key = AuditSource::of(&world.path("")).unwrap().key;
    let bundle = std::fs::read(file).unwrap();
    let statement = open_evidence(&bundle, &key).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&statement).unwrap();
    let at = |path: &str| value.pointer(path).cloned().unwrap_or_default();
    assert_eq!(at("/predicate/plugin/name"), "a");
    assert_eq!(at("/predicate/trust/class"), "quarantined");
    let records = at("/predicate/records").as_array().unwrap().clone();
    assert!(records.iter().any(|r| r.as_str().unwrap().contains("\"code\":\"E4001\"")), "{records:?}");
    assert!(at("/predicate/checkpoint").is_string(), "empty within the first second of a log");
    let mut other = bundle.clone();
    let middle = other.len() / 3;
    other[middle] = if other[middle] == b'A' { b'B' } else { b'A' };
    assert!(open_evidence(&other, &key).is_err());
    let (stranger, _) = common::crypto::SigningKey::generate(common::crypto::Algorithm::Ed25519).unwrap();
    assert!(open_evidence(&bundle, &stranger.public()).is_err());
}

fn what_a_command_saw_counts_when_the_plugin_is_stopped(kind: EngineKind) {
    let world = World::with(kind, SEVERE);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.shutdown().unwrap();
    for expected in [("full", 60), ("reduced", 40), ("reduced", 20), ("quarantined", 0)] {
        let host = world.open();
        host.call("a", "trap", vec![]).unwrap_err();
        host.shutdown().unwrap();
        assert_eq!(standing(&world.open()), expected);
    }
    assert_eq!(world.open().status("a").unwrap().state, "Quarantined");
}

fn a_host_that_only_tells_leaves_it_in_service(kind: EngineKind) {
    let world = World::with(kind, "  trust_score: { severity: 1000, on_quarantined: tell }\n");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    trapped(&host, 4);
    assert_eq!(standing(&host), ("quarantined", 0));
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
    assert_eq!(host.status("a").unwrap().evidence, None);
}

fn removing_and_installing_again_restores_no_trust(kind: EngineKind) {
    let world = World::with(kind, SEVERE);
    let host = world.open();
    let package = Guest::new("a").package();
    host.install(&package, true).unwrap();
    trapped(&host, 2);
    host.remove("a", true).unwrap();
    host.install(&package, true).unwrap();
    assert_eq!(standing(&host), ("reduced", 40), "its data is kept, and so is what it did");
    host.remove("a", false).unwrap();
    host.install(&package, true).unwrap();
    assert_eq!(standing(&host), ("full", 80), "nothing is kept of it");
    trapped(&host, 4);
    host.remove("a", false).unwrap();
    host.shutdown().unwrap();

    let host = world.open();
    assert_eq!(code(host.install(&package, true)), "E5002", "it is there, and does not start");
    assert_eq!((host.status("a").unwrap().state.as_str(), standing(&host).0), ("Quarantined", "quarantined"));
    host.release("a").unwrap();
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
}
