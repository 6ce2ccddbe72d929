//! Calls that are given up, refused for those that wait, or found instances made ahead.

use super::rig::{Built, Rig, lifecycle, on_each_engine};
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use crate::sandbox::InstanceMode;
use common::cancel::CancelToken;
use common::error::Coded;
use std::sync::mpsc::{Receiver, channel};

on_each_engine! {
    a_call_given_up_ends_its_guest_is_recorded_and_costs_no_restart
    a_call_given_up_while_it_waits_never_begins
    the_call_over_the_limit_is_refused_at_once_and_recorded
    a_storm_of_calls_given_up_leaves_the_plugin_as_it_was
    a_pooled_plugin_has_the_instances_it_asks_for_before_its_first_call
}

/// Tells that it runs, and does not end.
const SPIN: &str = r#"(func (export "op_spin") (param i32) (result i32)
    (drop (call $syscall (i32.const 80) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (loop $l (br $l)) i32.const 0)"#;

fn code<T>(done: Result<T, super::super::LifecycleError>) -> &'static str {
    done.err().expect("it fails").code().id
}

/// A running plugin that can spin, and who hears when it does.
fn spinning(kind: EngineKind, change: impl FnOnce(&mut Rig)) -> (Built, Receiver<()>) {
    let (tell, told) = channel();
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + SPIN)).with(change);
    let rig = rig.answering("wait", move || {
        tell.send(()).unwrap();
        Ok(Vec::new())
    });
    (rig.running(), told)
}

fn a_call_given_up_ends_its_guest_is_recorded_and_costs_no_restart(kind: EngineKind) {
    let (rig, told) = spinning(kind, |_| ());
    // More often than a plugin may lose instances by its own fault.
    for _ in 0..7 {
        let token = CancelToken::new();
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| rig.call_under("op_spin", &token));
            told.recv().unwrap();
            token.cancel();
            assert_eq!(code(caller.join().unwrap()), "E4031");
        });
        assert_eq!(rig.call("op_add").unwrap(), [1], "a new instance answers");
    }
    rig.is(S::Running);
    let lines = rig.recorded("call");
    assert_eq!(lines.iter().filter(|l| l.contains("E4031") && l.contains("op_spin")).count(), 7, "{lines:?}");
    let sample = rig.plugin.metrics().sample();
    assert_eq!((sample.calls, sample.errors, sample.traps, sample.faults), (14, 7, 7, 0));
}

fn a_call_given_up_while_it_waits_never_begins(kind: EngineKind) {
    let (rig, told) = spinning(kind, |_| ());
    let (first, second) = (CancelToken::new(), CancelToken::new());
    std::thread::scope(|scope| {
        let spins = scope.spawn(|| rig.call_under("op_spin", &first));
        told.recv().unwrap();
        let waits = scope.spawn(|| rig.call_under("op_add", &second));
        while rig.plugin.metrics().sample().queue_depth == 0 {
            std::thread::yield_now();
        }
        second.cancel();
        assert_eq!(code(waits.join().unwrap()), "E4031");
        first.cancel();
        assert_eq!(code(spins.join().unwrap()), "E4031");
    });
    assert_eq!(code(rig.call_under("op_add", &first)), "E4031");
    assert_eq!(rig.call("op_add").unwrap(), [1], "no other call was counted by a guest");
}

fn the_call_over_the_limit_is_refused_at_once_and_recorded(kind: EngineKind) {
    let (rig, told) = spinning(kind, |r| r.queue = 0);
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        let spins = scope.spawn(|| rig.call_under("op_spin", &token));
        told.recv().unwrap();
        let refused = rig.call("op_add").unwrap_err();
        assert_eq!((refused.code().id, refused.blames_plugin()), ("E4030", false));
        token.cancel();
        drop(spins.join().unwrap());
    });
    rig.is(S::Running);
    assert_eq!(rig.plugin.metrics().sample().calls_refused, 1);
    assert!(rig.recorded("call").iter().any(|line| line.contains("E4030")));
    assert_eq!(rig.call("op_add").unwrap(), [1]);
}

fn a_storm_of_calls_given_up_leaves_the_plugin_as_it_was(kind: EngineKind) {
    let (rig, told) = spinning(kind, |r| (r.mode, r.max) = (InstanceMode::Pooled, 3));
    std::thread::scope(|scope| {
        for caller in 0..6 {
            let rig = &rig;
            scope.spawn(move || {
                for round in 0..30 {
                    let token = CancelToken::new();
                    let other = token.clone();
                    let cancel = std::thread::spawn(move || {
                        (0..(caller * round) % 40).for_each(|_| std::thread::yield_now());
                        other.cancel();
                    });
                    assert_eq!(code(rig.call_under("op_spin", &token)), "E4031");
                    cancel.join().unwrap();
                }
            });
        }
    });
    drop(told);
    rig.is(S::Running);
    assert_eq!(rig.plugin.metrics().sample().queue_depth, 0);
    for _ in 0..6 {
        rig.call("op_add").unwrap();
    }
    rig.plugin.stop().unwrap();
}

fn a_pooled_plugin_has_the_instances_it_asks_for_before_its_first_call(kind: EngineKind) {
    let made = |mode, warm, max| {
        let rig = Rig::new(kind, &lifecycle(0, 0, 0)).with(|r| (r.mode, r.warm, r.max) = (mode, warm, max));
        rig.running().plugin.metrics().sample().instances
    };
    assert_eq!(made(InstanceMode::Pooled, 3, 4), 3);
    assert_eq!(made(InstanceMode::Pooled, 9, 4), 4, "no more than there may be");
    assert_eq!(made(InstanceMode::Pooled, 0, 4), 1);
    assert_eq!(made(InstanceMode::Shared, 3, 4), 1);
    assert_eq!(made(InstanceMode::Fresh, 3, 4), 1);
}
