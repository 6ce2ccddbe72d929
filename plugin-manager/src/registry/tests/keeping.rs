//! Supervised plugins: brought up in order, started again after their back-off, given up, quarantined, released, and
//! held back while what they need is out of service. Time stands still until a test moves it.

use super::super::supervisor::{Bell, Watch};
use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{Event, EventKind, Events, PluginManager, Told};
use common::clock::ManualClock;
use std::sync::Arc;
use std::time::Duration;

on_each_engine! {
    plugins_come_up_after_what_they_need
    a_crash_loop_is_backed_off_from_then_quarantined_until_released
    a_plugin_given_up_stays_failed_until_an_operator_starts_it
    a_plugin_that_cannot_start_is_tried_again_after_its_backoff
    what_was_failed_when_supervision_began_is_left_unless_always
    dependents_are_paused_while_what_they_need_is_out_and_resumed_after
    dependents_that_are_told_go_on
    what_an_operator_stops_or_removes_is_let_be
    a_guard_brings_everything_up_and_there_is_one_at_a_time
    a_quarantined_plugin_is_not_started_by_an_upgrade
}

/// Rules with waits of 1, 2, 4 and 4 seconds, three restarts, and no chance.
pub const RULES: &str = "backoff: { first: 1s, max: 4s, jitter: 0 }, budget: { restarts: 3, within: 10m }";

pub fn ruled(kind: EngineKind, rules: &str) -> World {
    World::with(kind, &format!("  supervision: {{ {RULES}, {rules} }}\n"))
}

/// A supervised host whose supervision is driven by hand.
pub struct Bench {
    pub host: PluginManager,
    clock: Arc<ManualClock>,
    bell: Arc<Bell>,
    watch: Watch,
    events: Events,
    heard: Vec<Arc<Event>>,
}

impl Bench {
    pub fn over(host: &PluginManager) -> Self {
        let (bell, clock) = (Arc::new(Bell::default()), ManualClock::at(0));
        let events = host.events();
        assert!(host.host().feed.watch(bell.clone()));
        let watch = Watch::over(host.clone(), clock.clone(), Box::new(|| 0), bell.clone()).unwrap();
        Self { host: host.clone(), clock, bell, watch, events, heard: Vec::new() }
    }
    /// Looks and does until there is nothing to do; the tasks that were done.
    pub fn settle(&mut self) -> Vec<String> {
        let mut did = Vec::new();
        loop {
            let round = self.watch.look();
            if round.tasks.is_empty() {
                return did;
            }
            for (plugin, task) in round.tasks {
                did.push(plugin.clone());
                let done = self.host.perform(&plugin, &task);
                self.bell.done(plugin, done);
            }
        }
    }
    pub fn after(&mut self, ms: u64) -> Vec<String> {
        self.clock.advance(Duration::from_millis(ms));
        self.settle()
    }
    pub fn is(&self, name: &str, state: &str) {
        let status = self.host.status(name).unwrap();
        assert_eq!(status.state, state, "{status:?}");
    }
    pub fn told(&mut self, name: &str) -> Vec<EventKind> {
        while let Some(Told::Event(event)) = self.events.next_within(Duration::ZERO) {
            self.heard.push(event);
        }
        let own = self.heard.extract_if(.., |event| event.plugin == name).map(|event| event.kind.clone());
        own.filter(|kind| !matches!(kind, EventKind::Moved { .. })).collect()
    }
    fn crash(&self, name: &str) {
        for _ in 0..5 {
            self.host.call(name, "trap", vec![]).unwrap_err();
        }
    }
}

fn needing(name: &str, need: &str) -> Guest {
    Guest::new(name).tables(&format!("[dependencies]\n{need} = \"^1\""))
}

fn plugins_come_up_after_what_they_need(kind: EngineKind) {
    let world = ruled(kind, "restart: on-failure");
    let host = world.open();
    host.install(&Guest::new("z").package(), true).unwrap();
    host.install(&needing("m", "z").package(), true).unwrap();
    host.install(&needing("a", "m").package(), true).unwrap();
    host.install(&Guest::new("resting").package(), false).unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    assert!(!host.readiness().ready);
    let mut bench = Bench::over(&host);
    assert_eq!(bench.settle(), ["z", "m", "a"]);
    for name in ["z", "m", "a"] {
        bench.is(name, "Running");
    }
    bench.is("resting", "Stopped");
    assert_eq!(bench.settle(), [""; 0]);
    assert!(host.readiness().ready, "{:?}", host.readiness());
}

fn a_crash_loop_is_backed_off_from_then_quarantined_until_released(kind: EngineKind) {
    let world = ruled(kind, "on_budget_spent: quarantine");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    for wait in [1000, 2000, 4000] {
        bench.crash("a");
        bench.settle();
        bench.is("a", "Failed");
        assert!(bench.after(wait - 1).is_empty());
        bench.is("a", "Failed");
        assert_eq!(bench.after(1), ["a"]);
        bench.is("a", "Running");
        let told = [EventKind::RestartDue { wait: Duration::from_millis(wait) }, EventKind::Restarted];
        assert_eq!(bench.told("a"), told);
    }
    assert_eq!(host.status("a").unwrap().restarts, 3);
    assert!(host.metrics_text().contains("forgeone_plugin_restarts_total{plugin=\"a\"} 3\n"));
    bench.crash("a");
    assert!(bench.after(600_000).is_empty());
    bench.is("a", "Quarantined");
    let told = bench.told("a");
    assert!(
        matches!(told.as_slice(), [EventKind::Quarantined { .. }, EventKind::TrustChanged { .. }]),
        "{told:?}"
    );
    assert!(host.status("a").unwrap().evidence.is_some());
    assert!(host.metrics_text().contains("forgeone_plugin_quarantined{plugin=\"a\"} 1\n"));
    assert_eq!(world.recorded(&host, &["\"from\":\"Running\"", "\"to\":\"Quarantined\""]), 1);
    drop(bench);
    host.shutdown().unwrap();

    let host = world.open();
    let mut bench = Bench::over(&host);
    assert!(bench.settle().is_empty());
    bench.is("a", "Quarantined");
    assert!(host.status("a").unwrap().failure.unwrap().contains("lost 5 instances"));
    let refused = host.start("a").unwrap_err();
    assert_eq!(refused.code().id, "E5002");
    assert!(refused.help().contains("forgeone release a"), "{}", refused.help());
    assert_eq!(code(host.initialize("a")), "E5002");
    assert_eq!(code(host.pause("a")), "E5002");
    assert_eq!(code(host.resume("a")), "E5002");
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    assert!(host.readiness().reasons[0].why.starts_with("it is Quarantined: "));
    let released = host.release("a").unwrap();
    assert_eq!((released.state.as_str(), released.failure), ("Stopped", None));
    assert_eq!(code(host.release("a")), "E5002");
    assert_eq!(world.recorded(&host, &["\"action\":\"release\"", "\"outcome\":\"ok\""]), 1);
    assert_eq!(bench.settle(), ["a"]);
    bench.is("a", "Running");
}

fn a_plugin_given_up_stays_failed_until_an_operator_starts_it(kind: EngineKind) {
    let world = ruled(kind, "restart: on-failure");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    for _ in 0..3 {
        bench.crash("a");
        bench.settle();
        assert_eq!(bench.after(4000), ["a"]);
    }
    bench.crash("a");
    assert!(bench.settle().is_empty());
    assert_eq!(bench.told("a").last(), Some(&EventKind::GivenUp));
    assert_eq!(host.status("a").unwrap().health, "given up");
    bench.is("a", "Failed");
    host.start("a").unwrap();
    bench.settle();
    bench.crash("a");
    bench.settle();
    assert_eq!(bench.after(1000), ["a"], "its restarts count anew");
    bench.is("a", "Running");
}

/// `init` returns 1 until the setting `rule` is there.
const PICKY: &str = r#"(func (export "init") (result i32)
      (i32.lt_s (call $syscall (i32.const 96) (i32.const 10) (i32.const 112) (i32.const 8) (i32.const 0) (i32.const 0)) (i32.const 0)))
    (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;

fn a_plugin_that_cannot_start_is_tried_again_after_its_backoff(kind: EngineKind) {
    let world = ruled(kind, "restart: on-failure");
    let host = world.open();
    let mut bench = Bench::over(&host);
    assert_eq!(code(host.install(&Guest::new("a").body(PICKY).package(), true)), "E4002");
    // It came to be while supervised, so it is no failure of an earlier time.
    assert!(bench.settle().is_empty());
    assert_eq!(bench.after(1000), ["a"]);
    drop(bench);
    drop(host);
    let world = ruled(kind, "restart: always");
    let host = world.open();
    assert_eq!(code(host.install(&Guest::new("a").body(PICKY).package(), true)), "E4002");
    let mut bench = Bench::over(&host);
    assert!(bench.settle().is_empty());
    assert_eq!(bench.after(1000), ["a"]);
    bench.is("a", "Failed");
    assert!(bench.after(1999).is_empty());
    host.set_setting("a", "config", "rule", Some("1")).unwrap();
    assert_eq!(bench.after(1), ["a"]);
    bench.is("a", "Running");
}

fn what_was_failed_when_supervision_began_is_left_unless_always(kind: EngineKind) {
    let world = ruled(kind, "restart: on-failure");
    let host = world.open();
    host.install(&Guest::new("a").body(PICKY).package(), true).unwrap_err();
    host.set_setting("a", "config", "rule", Some("1")).unwrap();
    let mut bench = Bench::over(&host);
    assert!(bench.after(600_000).is_empty());
    bench.is("a", "Failed");
    let never = World::with(kind, "  plugins: { a: { supervision: { restart: never } } }\n");
    let host = never.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.crash("a");
    assert!(bench.after(600_000).is_empty());
    bench.is("a", "Failed");
}

fn dependents_are_paused_while_what_they_need_is_out_and_resumed_after(kind: EngineKind) {
    let world = ruled(kind, "dependents: pause");
    let host = world.open();
    host.install(&Guest::new("base").package(), true).unwrap();
    host.install(&needing("mid", "base").package(), true).unwrap();
    host.install(&needing("top", "mid").package(), true).unwrap();
    host.install(&Guest::new("beside").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.crash("base");
    assert_eq!(bench.settle(), ["mid", "top"]);
    for name in ["mid", "top"] {
        bench.is(name, "Paused");
        assert_eq!(host.status(name).unwrap().desired, "running");
        assert_eq!(code(host.call(name, "echo", vec![])), "E5003");
        assert_eq!(bench.told(name), [EventKind::NeedDown { need: "base".into() }]);
    }
    bench.is("beside", "Running");
    assert_eq!(world.recorded(&host, &["base, which it needs, is out of service"]), 2);
    let mut did = bench.after(1000);
    did.sort();
    assert_eq!(did, ["base", "mid", "top"]);
    for name in ["base", "mid", "top"] {
        bench.is(name, "Running");
        host.call(name, "echo", vec![]).unwrap();
    }
}

fn dependents_that_are_told_go_on(kind: EngineKind) {
    let world = ruled(kind, "dependents: tell");
    let host = world.open();
    host.install(&Guest::new("base").package(), true).unwrap();
    host.install(&needing("top", "base").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.crash("base");
    bench.settle();
    bench.is("top", "Running");
    assert_eq!(bench.told("top"), [EventKind::NeedDown { need: "base".into() }]);
    bench.after(1000);
    assert_eq!(bench.told("top"), [EventKind::NeedsBack]);
}

fn what_an_operator_stops_or_removes_is_let_be(kind: EngineKind) {
    let world = ruled(kind, "restart: always");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.crash("a");
    bench.settle();
    host.stop("a").unwrap();
    assert!(bench.after(600_000).is_empty());
    bench.is("a", "Failed");
    host.start("a").unwrap();
    host.pause("a").unwrap();
    assert!(bench.after(600_000).is_empty());
    bench.is("a", "Paused");
    host.resume("a").unwrap();
    host.remove("a", false).unwrap();
    assert!(bench.settle().is_empty());
    assert_eq!(bench.told("a").last(), Some(&EventKind::Removed));
    assert!(!host.metrics_text().contains("restarts_total{plugin=\"a\"}"));
}

fn a_guard_brings_everything_up_and_there_is_one_at_a_time(kind: EngineKind) {
    let world = ruled(kind, "restart: on-failure");
    let host = world.open();
    host.install(&Guest::new("z").package(), true).unwrap();
    host.install(&needing("a", "z").package(), true).unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    let mut events = host.events();
    let guard = host.start_supervision().unwrap();
    assert_eq!(code(host.start_supervision().map(drop)), "E5009");
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    while !host.readiness().ready {
        assert!(std::time::Instant::now() < patience, "{:?}", host.readiness());
        // What makes it ready may follow the last event.
        let _ = events.next_within(Duration::from_millis(50));
    }
    assert_eq!(host.status("a").unwrap().health, "unchecked");
    assert!(guard.stop(Duration::from_secs(20)));
    assert_eq!(host.status("a").unwrap().health, "unsupervised");
    let guard = host.start_supervision().unwrap();
    host.shutdown_within(Duration::from_secs(20)).unwrap();
    assert_eq!(code(host.start_supervision().map(drop)), "E5003");
    drop(guard);
}

fn a_quarantined_plugin_is_not_started_by_an_upgrade(kind: EngineKind) {
    let world = World::with(
        kind,
        "  supervision: { on_budget_spent: quarantine, budget: { restarts: 0, within: 1m } }\n",
    );
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.crash("a");
    bench.is("a", "Quarantined");
    let newer = Guest::new("a").version("1.1.0").package();
    assert_eq!(code(host.upgrade(&newer, &Default::default())), "E5002");
    host.stop("a").unwrap();
    host.upgrade(&newer, &Default::default()).unwrap();
    bench.is("a", "Quarantined");
    host.remove("a", false).unwrap();
    assert_eq!(code(host.install(&newer, true)), "E5002");
    bench.is("a", "Quarantined");
    host.release("a").unwrap();
    host.start("a").unwrap();
    bench.is("a", "Running");
}
