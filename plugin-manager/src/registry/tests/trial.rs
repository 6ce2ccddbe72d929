//! Trials: a version answers a share of the calls or repeats them, and takes the installed one's place or is let go of.

use super::swap::{after, beside_calls};
use super::upgrade::{count, counter};
use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{Percent, PluginManager, Trial, TrialKind, UpgradeOptions};
use common::error::ForgeError;
use std::time::{Duration, Instant};

on_each_engine! {
    a_share_of_the_calls_goes_to_the_new_version_and_then_all
    a_version_that_fails_more_often_is_abandoned_by_itself
    a_version_that_traps_or_is_denied_is_abandoned_by_itself
    a_shadow_repeats_calls_and_changes_nothing
    a_shadow_starts_from_the_state_and_is_promoted_without_it
    what_a_shadow_answers_otherwise_is_counted
    an_operator_ends_a_trial_either_way
    while_a_trial_is_on_nothing_else_takes_the_place
    a_trial_ends_with_its_plugin
    a_trial_that_cannot_begin_leaves_all_as_it_was
    plugins_that_call_it_are_part_of_the_trial
    no_call_fails_or_is_lost_while_trials_come_and_go
}

/// Tells its version by one byte; `touch` stores a value, `slow` spins.
fn teller(version: &str, body: &str) -> Guest {
    let digit = version.as_bytes()[2] - b'0';
    let all = format!(
        r#"{} {body}
        (data (i32.const 256) "kv_set") (data (i32.const 272) "\01\00\00\00k\01\00\00\00{digit}")
        (func (export "tell") (param i32) (result i32)
          (i32.store8 (i32.const 0) (i32.const {digit})) (call $output (i32.const 0) (i32.const 1)))
        (func (export "touch") (param i32) (result i32)
          (call $syscall (i32.const 256) (i32.const 6) (i32.const 272) (i32.const 10) (i32.const 0) (i32.const 0)))
        (func (export "odd") (param i32) (result i32) (i32.const {odd}))"#,
        super::GOOD,
        odd = if digit == 1 { 7 } else { 0 },
    );
    Guest::new("a")
        .version(version)
        .body(&all)
        .tables("[permissions]\nstorage = [\"set\"]")
        .operation("tell")
        .operation("touch")
        .operation("odd")
}

fn share(percent: u16, calls: u64) -> Trial {
    Trial { calls, max_latency_percent: None, ..Trial::new(TrialKind::Share(Percent::new(percent).unwrap())) }
}

fn shadow(calls: u64) -> Trial {
    Trial { calls, max_latency_percent: None, ..Trial::new(TrialKind::Shadow) }
}

fn on(trial: Trial) -> UpgradeOptions {
    UpgradeOptions { trial: Some(trial), ..UpgradeOptions::default() }
}

fn tell(host: &PluginManager) -> u8 {
    host.call("a", "tell", vec![]).unwrap()[0]
}

fn version(host: &PluginManager) -> String {
    host.status("a").unwrap().version
}

/// Until this is so; fails after half a minute.
fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(30), "it did not come");
        std::thread::yield_now();
    }
}

fn ended(host: &PluginManager) {
    until(|| host.trial("a").unwrap().is_none());
    // Whoever ended it has the plugin's turn until all is done.
    host.settings("a").unwrap();
    host.hall().in_turn("a", None, || Ok::<(), ForgeError>(())).unwrap();
}

fn a_share_of_the_calls_goes_to_the_new_version_and_then_all(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let report = host.upgrade(&teller("1.2.0", "").package(), &on(share(25, 10))).unwrap();
    let trial = report.trial.unwrap();
    assert_eq!((trial.version.as_str(), trial.installed.as_str()), ("1.2.0", "1.0.0"));
    assert_eq!((version(&host).as_str(), report.replaced.as_str()), ("1.0.0", "1.0.0"));
    let answers: Vec<u8> = (0..36).map(|_| tell(&host)).collect();
    let expected: Vec<u8> = (1..=36).map(|n| if n % 4 == 0 { 2 } else { 0 }).collect();
    assert_eq!(answers, expected, "every fourth, by a counter");
    let seen = host.trial("a").unwrap().unwrap().figures;
    assert_eq!((seen.installed.calls, seen.candidate.calls, seen.candidate.errors), (27, 9, 0));
    assert!(seen.installed.p95 > Duration::ZERO && seen.candidate.p95 > Duration::ZERO);
    for _ in 0..4 {
        tell(&host);
    }
    until(|| version(&host) == "1.2.0");
    ended(&host);
    assert_eq!((tell(&host), host.status("a").unwrap().kept), (2, vec!["1.0.0".to_owned()]));
    assert_eq!(world.recorded(&host, &["\"trial\":\"share 25%\"", "\"beside\":\"1.0.0\""]), 1);
    assert_eq!(world.recorded(&host, &["\"verdict\":\"promoted\"", "10 calls, 0 failed"]), 1);
    assert_eq!(
        world.recorded(&host, &["\"action\":\"upgrade\"", "\"replaces\":\"1.0.0\"", "\"outcome\":\"ok\""]),
        1
    );
    host.shutdown().unwrap();
}

fn a_version_that_fails_more_often_is_abandoned_by_itself(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    host.upgrade(&teller("1.1.0", "").package(), &on(share(50, 1000))).unwrap();
    let mut failed = 0;
    until(|| {
        let _ = host.call("a", "odd", vec![]);
        host.trial("a").unwrap().is_none()
    });
    ended(&host);
    for _ in 0..50 {
        failed += u32::from(host.call("a", "odd", vec![]).is_err());
    }
    assert_eq!((failed, version(&host).as_str()), (0, "1.0.0"));
    assert_eq!(host.status("a").unwrap().kept, [] as [&str; 0]);
    assert_eq!(world.recorded(&host, &["\"verdict\":\"abandoned\"", "100% of its calls failed, 0% of"]), 1);
    assert_eq!(world.recorded(&host, &["\"to\":\"Unloaded\"", "1.1.0"]), 1);
}

fn a_version_that_traps_or_is_denied_is_abandoned_by_itself(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    // It spends its restart budget before it has answered enough to be judged by its failures.
    let traps = teller("1.2.0", "").package();
    host.upgrade(&traps, &on(share(50, 1000))).unwrap();
    until(|| {
        let _ = host.call("a", "trap", vec![]);
        host.trial("a").unwrap().is_none()
    });
    ended(&host);
    // The installed one traps as often, and has had to be started again or stays.
    let status = host.status("a").unwrap();
    if status.state == "Failed" {
        host.start("a").unwrap();
    }
    // It asks for less, and does what it did not ask for.
    let denied = teller("1.3.0", "").tables("[permissions]").package();
    host.upgrade(&denied, &on(share(50, 1000))).unwrap();
    until(|| {
        let _ = host.call("a", "touch", vec![]);
        host.trial("a").unwrap().is_none()
    });
    ended(&host);
    assert_eq!(world.recorded(&host, &["\"verdict\":\"abandoned\"", "host calls were denied, 0 of"]), 1);
    assert_eq!((version(&host).as_str(), tell(&host)), ("1.0.0", 0));
}

fn a_shadow_repeats_calls_and_changes_nothing(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    host.upgrade(&teller("1.2.0", "").package(), &on(shadow(1000))).unwrap();
    for _ in 0..10 {
        assert_eq!(tell(&host), 0, "the caller has the installed version's answer");
        host.call("a", "touch", vec![]).unwrap();
        host.call("a", "greet", vec![]).unwrap();
    }
    let seen = || host.trial("a").unwrap().unwrap().figures;
    until(|| seen().candidate.calls == 30);
    let seen = seen();
    assert_eq!((seen.installed.calls, seen.installed.errors, seen.suppressed, seen.skipped), (30, 0, 10, 0));
    // `tell` answers otherwise; of `touch`, which was not let store, nothing is said.
    assert_eq!((seen.equal, seen.different, seen.incomparable, seen.candidate.errors), (10, 10, 10, 0));
    assert_eq!(seen.candidate.denials, 0, "what a shadow is not let do is no fault of it");
    let status = host.abandon("a").unwrap();
    assert_eq!(status.figures.candidate.calls, 30);
    assert_eq!(host.logs("a", 100).unwrap().len(), 10, "only the installed version's lines");
    let namespace = host.host().home.clone();
    host.shutdown().unwrap();
    let mut stored = Vec::new();
    namespace.kv_load("acme/a", &mut |_, value| stored.push(value.to_vec())).unwrap();
    assert_eq!(stored, [b"0"], "only the installed version stored");
}

fn a_shadow_starts_from_the_state_and_is_promoted_without_it(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    for _ in 0..3 {
        host.call("a", "add", vec![]).unwrap();
    }
    let next = counter("1.1.0").package();
    assert_eq!(code(host.upgrade(&next, &on(share(10, 10)))), "E5022");
    assert!(host.trial("a").unwrap().is_none());
    host.upgrade(&next, &on(shadow(50))).unwrap();
    for _ in 0..10 {
        host.call("a", "add", vec![]).unwrap();
    }
    assert_eq!(count(&host), 13);
    until(|| host.trial("a").unwrap().unwrap().figures.equal == 11);
    assert_eq!(host.promote("a").unwrap().carried, Some(8));
    assert_eq!(
        (count(&host), version(&host).as_str()),
        (13, "1.1.0"),
        "once, from the version that answered"
    );
}

fn what_a_shadow_answers_otherwise_is_counted(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let strict = Trial { max_different: Some(Percent::ZERO), ..shadow(1000) };
    host.upgrade(&teller("1.2.0", "").package(), &on(strict)).unwrap();
    until(|| {
        tell(&host);
        host.trial("a").unwrap().is_none()
    });
    ended(&host);
    assert_eq!(
        world.recorded(&host, &["\"verdict\":\"abandoned\"", "100% of its answers differ", "0 equal"]),
        1
    );
    assert_eq!(version(&host), "1.0.0");
    // The same answers, and it is promoted by itself.
    host.upgrade(&teller("1.2.0", "").package(), &on(Trial { calls: 5, ..strict })).unwrap();
    until(|| {
        host.call("a", "echo", vec![7]).unwrap();
        version(&host) == "1.2.0"
    });
}

fn an_operator_ends_a_trial_either_way(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    assert_eq!((code(host.promote("a")), code(host.abandon("a"))), ("E5023", "E5023"));
    assert_eq!(code(host.promote("b")), "E5001");
    let next = teller("1.2.0", "").package();
    host.upgrade(&next, &on(share(50, 1000))).unwrap();
    assert_eq!(host.abandon("a").unwrap().version, "1.2.0");
    assert!((0..20).all(|_| tell(&host) == 0));
    host.upgrade(&next, &on(share(50, 1000))).unwrap();
    assert_eq!(host.promote("a").unwrap().now.version, "1.2.0");
    assert!((0..20).all(|_| tell(&host) == 2));
    assert_eq!(world.recorded(&host, &["\"action\":\"trial\"", "an operator asked"]), 2);
    host.rollback("a", None).unwrap();
    assert_eq!(tell(&host), 0);
}

fn while_a_trial_is_on_nothing_else_takes_the_place(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let (next, other) = (teller("1.2.0", "").package(), teller("1.3.0", "").package());
    host.upgrade(&next, &on(share(50, 1000))).unwrap();
    assert_eq!(code(host.upgrade(&other, &on(share(50, 1000)))), "E5023");
    let error = host.upgrade(&other, &UpgradeOptions::default()).unwrap_err();
    assert_eq!(error.code().id, "E5023");
    assert!(error.to_string().contains("1.2.0") && error.help().contains("promote a"), "{error}");
    assert_eq!(code(host.rollback("a", None)), "E5023");
    assert_eq!(host.status("a").unwrap().trial.unwrap().version, "1.2.0");
}

fn a_trial_ends_with_its_plugin(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let next = teller("1.2.0", "").package();
    let begin = || drop(host.upgrade(&next, &on(share(50, 1000))).unwrap());
    begin();
    host.pause("a").unwrap();
    assert!(host.trial("a").unwrap().is_none());
    assert_eq!(code(host.upgrade(&next, &on(share(50, 1000)))), "E5003");
    host.resume("a").unwrap();
    begin();
    host.stop("a").unwrap();
    assert!(host.trial("a").unwrap().is_none());
    host.start("a").unwrap();
    begin();
    host.clone().shutdown().unwrap();
    assert_eq!(world.recorded(&host, &["\"verdict\":\"abandoned\"", "taken down"]), 2);
    assert_eq!(world.recorded(&host, &["\"verdict\":\"abandoned\"", "paused"]), 1);
    drop(host);
    // Nothing of it is left, and the home is let go of.
    let host = world.open();
    assert!(host.trial("a").unwrap().is_none());
    assert_eq!((version(&host).as_str(), tell(&host)), ("1.0.0", 0));
    host.upgrade(&next, &on(share(50, 1000))).unwrap();
    host.remove("a", false).unwrap();
    assert!(host.hall().trials.is_empty());
}

fn a_trial_that_cannot_begin_leaves_all_as_it_was(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let broken =
        super::GOOD.replace("\"start\") (result i32) i32.const 0", "\"start\") (result i32) i32.const 7");
    let broken = Guest::new("a").version("1.1.0").body(&broken).package();
    assert_eq!(code(host.upgrade(&broken, &on(share(50, 10)))), "E4002");
    let check = UpgradeOptions { check: Some("odd".into()), ..on(share(50, 10)) };
    assert_eq!(code(host.upgrade(&teller("1.1.0", "").package(), &check)), "E4002");
    assert_eq!(code(host.upgrade(&teller("1.2.0", "").package(), &on(share(0, 10)))), "E0101");
    let more = teller("1.2.0", "").tables("[permissions]\nstorage = [\"set\", \"get\"]").package();
    assert_eq!(code(host.upgrade(&more, &on(share(50, 10)))), "E1407");
    assert!(host.trial("a").unwrap().is_none());
    assert_eq!((version(&host).as_str(), tell(&host)), ("1.0.0", 0));
    assert_eq!(world.recorded(&host, &["\"action\":\"trial\""]), 0);
}

fn plugins_that_call_it_are_part_of_the_trial(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&teller("1.0.0", "").package(), true).unwrap();
    let asking = format!(
        "{} {} (func (export \"ask\") (param i32) (result i32) (call $ask))",
        super::GOOD,
        super::asks("a")
    );
    let permissions = "[permissions]\nplugins = [\"call:a\"]";
    host.install(&Guest::new("asker").body(&asking).tables(permissions).operation("ask").package(), true)
        .unwrap();
    host.upgrade(&teller("1.2.0", "").package(), &on(share(50, 1000))).unwrap();
    for _ in 0..10 {
        host.call("asker", "ask", vec![]).unwrap();
    }
    let seen = host.trial("a").unwrap().unwrap().figures;
    assert_eq!((seen.installed.calls, seen.candidate.calls), (5, 5));
}

fn no_call_fails_or_is_lost_while_trials_come_and_go(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").tables("[instances]\nmode = \"pooled\"\nmax = 2").package(), true).unwrap();
    let next = Guest::new("a").version("1.1.0").tables("[instances]\nmode = \"pooled\"\nmax = 2").package();
    let seen = beside_calls(&host, "echo", |made| {
        for i in 0..8 {
            let trial = if i % 2 == 0 { share(50, u64::MAX) } else { shadow(u64::MAX) };
            host.upgrade(&next, &on(trial)).unwrap();
            after(made, 200);
            host.abandon("a").unwrap();
            after(made, 20);
        }
        host.upgrade(&next, &on(share(50, u64::MAX))).unwrap();
        after(made, 200);
        host.promote("a").unwrap();
        after(made, 20);
    });
    assert!(seen.calls >= 1900);
    assert_eq!(world.recorded(&host, &["\"type\":\"call\""]), 0, "no call failed or was turned away");
    assert_eq!(version(&host), "1.1.0");
    host.shutdown().unwrap();
}
