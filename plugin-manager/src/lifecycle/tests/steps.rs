//! Steps: each leaves the plugin in the state the contract names, also when it fails or cannot be recorded.

use super::rig::{Rig, lifecycle, on_each_engine};
use crate::lifecycle::LifecycleError;
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use crate::syscall::Status;
use common::error::Coded;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

on_each_engine! {
    a_life_from_created_to_unloaded_is_recorded_step_by_step
    every_other_step_is_e5002_and_changes_nothing
    a_function_that_fails_makes_the_plugin_failed_and_start_is_another_try
    what_pause_and_resume_return
    a_trap_in_resume_drops_the_instance_and_the_next_call_has_another
    a_failing_stop_takes_the_plugin_down_as_failed
    a_start_that_cannot_be_recorded_is_not_made
    stopping_and_pausing_happen_without_a_log
    a_stop_that_waits_in_vain_gives_the_instance_up
}

fn code<T>(result: Result<T, LifecycleError>) -> &'static str {
    result.err().unwrap().code().id
}

fn a_life_from_created_to_unloaded_is_recorded_step_by_step(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).build();
    rig.plugin.initialize(&rig.chain).unwrap();
    rig.is(S::Ready);
    assert_eq!(code(rig.call("op_add")), "E5003");
    rig.plugin.start(&rig.chain).unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [1]);
    rig.plugin.pause().unwrap();
    assert_eq!(code(rig.call("op_add")), "E5003");
    rig.plugin.resume().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [2], "the instance is the same");
    rig.plugin.stop().unwrap();
    rig.is(S::Stopped);
    assert_eq!(code(rig.call("op_add")), "E5003");
    rig.plugin.unload().unwrap();
    rig.is(S::Unloaded);
    let lines = rig.recorded("lifecycle");
    let actions = ["init", "ready", "start", "pause", "start", "stop", "stopped", "unload"];
    assert_eq!(lines.len(), actions.len(), "{lines:?}");
    for (line, action) in lines.iter().zip(actions) {
        assert!(line.contains(&format!("\"action\":\"{action}\"")), "{action} is not {line}");
    }
    assert_eq!(rig.plugin.metrics().sample().transitions, 8);
}

fn every_other_step_is_e5002_and_changes_nothing(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).build();
    let p = &rig.plugin;
    for wrong in [p.start(&rig.chain), p.pause(), p.resume(), p.stop()] {
        assert_eq!(code(wrong), "E5002");
        rig.is(S::Created);
    }
    rig.up().unwrap();
    for wrong in [p.start(&rig.chain), p.initialize(&rig.chain), p.resume(), p.unload()] {
        assert_eq!(code(wrong), "E5002");
        rig.is(S::Running);
    }
    p.pause().unwrap();
    for wrong in [p.start(&rig.chain), p.initialize(&rig.chain), p.pause(), p.unload()] {
        assert_eq!(code(wrong), "E5002");
        rig.is(S::Paused);
    }
    p.stop().unwrap();
    for wrong in [p.start(&rig.chain), p.pause(), p.resume(), p.stop()] {
        assert_eq!(code(wrong), "E5002");
        rig.is(S::Stopped);
    }
    rig.up().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [1], "a new instance");
}

fn a_function_that_fails_makes_the_plugin_failed_and_start_is_another_try(kind: EngineKind) {
    for (functions, function) in [(lifecycle(4, 0, 0), "init"), (lifecycle(0, 5, 0), "start")] {
        let rig = Rig::new(kind, &functions).build();
        let error = rig.up().unwrap_err();
        assert_eq!(error.code().id, "E4002");
        rig.is(S::Failed);
        let told = rig.plugin.own_failure().unwrap();
        assert!(told.contains(function) && told.contains("status"), "{told}");
        assert_eq!(code(rig.call("op_add")), "E5003");
        assert_eq!(rig.call("op_add").unwrap_err().reasons(), std::slice::from_ref(&told));
        assert_eq!(code(rig.up()), "E4002");
        rig.is(S::Failed);
        rig.plugin.unload().unwrap();
        assert_eq!(rig.plugin.failure(), None, "only a failed plugin has a failure");
        let failures = rig.recorded("call");
        assert!(failures[0].contains("E4002") && failures[0].contains(function), "{failures:?}");
    }
    let trap = Rig::new(kind, "(func (export \"init\") (result i32) unreachable)").build();
    assert_eq!(code(trap.up()), "E4001");
    trap.is(S::Failed);
}

fn what_pause_and_resume_return(kind: EngineKind) {
    let both = r#"(global $turns (mut i32) (i32.const 2))
        (func (export "pause") (result i32) i32.const 6)
        (func (export "resume") (result i32)
          (global.set $turns (i32.sub (global.get $turns) (i32.const 1))) (global.get $turns))"#;
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + both)).running();
    rig.call("op_add").unwrap();
    assert_eq!(code(rig.plugin.pause()), "E4002");
    rig.is(S::Paused);
    assert_eq!(code(rig.plugin.resume()), "E4002");
    rig.is(S::Paused);
    rig.plugin.resume().unwrap();
    rig.is(S::Running);
    assert_eq!(rig.call("op_add").unwrap(), [2], "a status ends no instance");
}

fn a_trap_in_resume_drops_the_instance_and_the_next_call_has_another(kind: EngineKind) {
    let resume = r#"(func (export "resume") (result i32) unreachable)"#;
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + resume)).running();
    rig.call("op_add").unwrap();
    rig.plugin.pause().unwrap();
    assert_eq!(code(rig.plugin.resume()), "E4001");
    rig.is(S::Paused);
    rig.plugin.resume().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [1]);
}

fn a_failing_stop_takes_the_plugin_down_as_failed(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 7)).running();
    assert_eq!(code(rig.plugin.stop()), "E4002");
    rig.is(S::Failed);
    rig.up().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [1], "the old instance was dropped");
    let slow = r#"(func (export "init") (result i32) i32.const 0) (func (export "start") (result i32) i32.const 0)
        (func (export "stop") (result i32) (loop (br 0)) i32.const 0)"#;
    let slow = Rig::new(kind, slow).with(|r| r.timeout = Duration::from_millis(50)).running();
    assert_eq!(code(slow.plugin.stop()), "E4010");
    slow.is(S::Failed);
}

fn a_start_that_cannot_be_recorded_is_not_made(kind: EngineKind) {
    let inits = Arc::new(AtomicUsize::new(0));
    let seen = inits.clone();
    let init = r#"(func (export "init") (result i32)
          (drop (call $syscall (i32.const 80) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
          i32.const 0)
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;
    let count = move || {
        seen.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    };
    let rig = Rig::new(kind, init).answering("wait", count).build();
    rig.break_log(true);
    assert_eq!(code(rig.up()), "E3001");
    rig.is(S::Created);
    assert_eq!(inits.load(Ordering::SeqCst), 0, "nothing of the guest ran");

    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).build();
    rig.plugin.initialize(&rig.chain).unwrap();
    rig.break_log(true);
    assert_eq!(code(rig.plugin.start(&rig.chain)), "E3001");
    rig.is(S::Failed);
    assert!(rig.plugin.failure().is_some());
    assert_eq!(rig.plugin.own_failure(), None, "the log's fault is not the plugin's");
    assert_eq!(code(rig.call("op_add")), "E5003");
}

fn stopping_and_pausing_happen_without_a_log(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    rig.break_log(true);
    rig.plugin.pause().unwrap();
    rig.is(S::Paused);
    assert_eq!(code(rig.plugin.resume()), "E3001");
    rig.is(S::Paused);
    rig.plugin.stop().unwrap();
    rig.is(S::Stopped);
    assert_eq!(code(rig.plugin.unload()), "E3001");
    rig.is(S::Stopped);
}

/// The call comes back long after the plugin was started anew, and its instance is not taken back.
fn a_stop_that_waits_in_vain_gives_the_instance_up(kind: EngineKind) {
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let (go, wait_go) = std::sync::mpsc::channel::<()>();
    let wait_go = parking_lot::Mutex::new(wait_go);
    let wait = move || {
        entered.send(()).unwrap();
        wait_go.lock().recv().map_err(|_| Status::Unavailable)?;
        Ok(Vec::new())
    };
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).answering("wait", wait);
    let rig = rig.with(|r| r.timeout = Duration::from_millis(100)).running();
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| rig.call("op_wait"));
        wait_entered.recv().unwrap();
        assert_eq!(code(rig.plugin.stop()), "E4010");
        rig.is(S::Failed);
        rig.up().unwrap();
        assert_eq!(rig.call("op_add").unwrap(), [1]);
        go.send(()).unwrap();
        let late = stuck.join().unwrap();
        assert!(late.is_ok() || code(late) == "E4010");
        assert_eq!(rig.call("op_add").unwrap(), [2], "one instance, not the stuck one");
        rig.is(S::Running);
    });
    rig.plugin.stop().unwrap();
}
