//! Calls: what a failing one does to the instance, the plugin and the log; modes of instances.

use super::rig::{Rig, clock, lifecycle, on_each_engine};
use crate::lifecycle::{LifecycleError, When};
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use crate::sandbox::InstanceMode;
use common::clock::Deadline;
use common::error::Coded;
use std::time::Duration;

on_each_engine! {
    a_status_keeps_the_instance_and_tells_what_the_plugin_gave_to_fail
    a_trap_drops_the_instance_and_the_fifth_within_a_minute_fails_the_plugin
    a_callers_haste_spends_no_budget
    a_call_that_came_too_late_keeps_the_instance
    the_plugins_timeout_holds_whatever_the_caller_allows
    what_is_too_large_or_does_not_exist_never_reaches_the_guest
    fresh_instances_answer_one_call_each_and_may_trap
    pooled_instances_are_several
    an_init_that_fails_anew_spends_the_budget
}

fn code<T>(result: Result<T, LifecycleError>) -> &'static str {
    result.err().unwrap().code().id
}

fn a_status_keeps_the_instance_and_tells_what_the_plugin_gave_to_fail(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    rig.call("op_add").unwrap();
    let error = rig.call("op_fail").unwrap_err();
    let LifecycleError::Status { when, status: 3, failure: Some(text), .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((when, text.as_str()), (&When::Operation("op_fail".into()), "no"));
    assert_eq!(rig.call("op_add").unwrap(), [2]);
    let sample = rig.plugin.metrics().sample();
    assert_eq!((sample.calls, sample.errors, sample.traps, sample.instances), (3, 1, 0, 1));
    let lines = rig.recorded("call");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("status 3") && !lines[0].contains("\"no\""), "{lines:?}");
}

fn a_trap_drops_the_instance_and_the_fifth_within_a_minute_fails_the_plugin(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    for _ in 0..4 {
        assert_eq!(rig.call("op_add").unwrap(), [1]);
        assert_eq!(code(rig.call("op_trap")), "E4001");
        rig.is(S::Running);
    }
    assert_eq!(code(rig.call("op_trap")), "E4001");
    rig.is(S::Failed);
    let told = rig.plugin.own_failure().unwrap();
    assert!(told.contains("lost 5 instances") && told.contains("op_trap"), "{told}");
    assert_eq!(code(rig.call("op_add")), "E5003");
    assert_eq!((rig.plugin.metrics().sample().traps, rig.plugin.metrics().sample().faults), (5, 5));
    assert!(rig.recorded("lifecycle").last().unwrap().contains("\"action\":\"fail\""));
    rig.up().unwrap();
    for _ in 0..4 {
        assert_eq!(code(rig.call("op_trap")), "E4001");
    }
    rig.is(S::Running);
}

fn soon() -> Deadline {
    Deadline::after(&*clock(), Duration::from_millis(20))
}

fn a_callers_haste_spends_no_budget(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    for _ in 0..7 {
        assert_eq!(code(rig.call_until("op_loop", soon())), "E4010");
    }
    rig.is(S::Running);
    assert_eq!((rig.plugin.metrics().sample().traps, rig.plugin.metrics().sample().faults), (7, 0));
    let own = Rig::new(kind, &lifecycle(0, 0, 0)).with(|r| r.timeout = Duration::from_millis(20)).running();
    for _ in 0..5 {
        assert_eq!(code(own.call("op_loop")), "E4010");
    }
    own.is(S::Failed);
}

fn a_call_that_came_too_late_keeps_the_instance(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    rig.call("op_add").unwrap();
    for _ in 0..7 {
        assert_eq!(code(rig.call_until("op_add", Deadline::at_ms(0))), "E4010");
    }
    rig.is(S::Running);
    assert_eq!(rig.call("op_add").unwrap(), [2]);
    assert_eq!(rig.plugin.metrics().sample().traps, 0);
}

fn the_plugins_timeout_holds_whatever_the_caller_allows(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).with(|r| r.timeout = Duration::from_millis(30)).running();
    assert_eq!(code(rig.call_until("op_loop", Deadline::NEVER)), "E4010");
    assert_eq!(rig.call("op_add").unwrap(), [1]);
}

fn what_is_too_large_or_does_not_exist_never_reaches_the_guest(kind: EngineKind) {
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).running();
    assert_eq!(code(rig.call("init")), "E5005");
    assert_eq!(code(rig.call("op_none")), "E5005");
    let (mut input, mut output) = (vec![0; (16 << 20) + 1], vec![1]);
    let terms = crate::runtime::Terms::new(Deadline::NEVER, &rig.chain);
    let index = rig.plugin.operation("op_add").unwrap();
    assert_eq!(code(rig.plugin.call(index, &mut input, &mut output, terms, 1)), "E4015");
    assert!(output.is_empty());
    assert_eq!(rig.call("op_add").unwrap(), [1]);
    let lines = rig.recorded("call");
    assert!(lines.len() == 3 && lines[2].contains("E4015"), "{lines:?}");
}

fn fresh_instances_answer_one_call_each_and_may_trap(kind: EngineKind) {
    let fresh = |r: &mut Rig| (r.mode, r.max) = (InstanceMode::Fresh, 2);
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + super::rig::STATE)).with(fresh).running();
    for _ in 0..3 {
        assert_eq!(rig.call("op_add").unwrap(), [1]);
    }
    for _ in 0..7 {
        assert_eq!(code(rig.call("op_trap")), "E4001");
    }
    rig.is(S::Running);
    assert_eq!(rig.plugin.metrics().sample().instances, 11, "one to see that it starts");
    rig.plugin.pause().unwrap();
    rig.plugin.resume().unwrap();
    rig.plugin.stop().unwrap();
    assert_eq!(*rig.vault.state.lock(), None, "nothing of a fresh instance survives");
}

fn pooled_instances_are_several(kind: EngineKind) {
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(3));
    let gate = barrier.clone();
    let wait = move || {
        entered.send(()).unwrap();
        gate.wait();
        Ok(Vec::new())
    };
    let pooled = |r: &mut Rig| (r.mode, r.max) = (InstanceMode::Pooled, 2);
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).answering("wait", wait).with(pooled).running();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| rig.call("op_wait"))).collect();
        wait_entered.recv().unwrap();
        wait_entered.recv().unwrap();
        assert_eq!(code(rig.call_until("op_add", soon())), "E4010", "both are lent out");
        barrier.wait();
        calls.into_iter().for_each(|c| drop(c.join().unwrap().unwrap()));
    });
    assert_eq!(rig.plugin.metrics().sample().instances, 2);
    rig.plugin.stop().unwrap();
}

fn an_init_that_fails_anew_spends_the_budget(kind: EngineKind) {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let once = move || match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Ok(Vec::new()),
        _ => Err(crate::syscall::Status::Unavailable),
    };
    let init = r#"(func (export "init") (result i32)
          (call $syscall (i32.const 80) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;
    let rig = Rig::new(kind, init).answering("wait", once).running();
    assert_eq!(code(rig.call("op_trap")), "E4001");
    for _ in 0..4 {
        assert_eq!(code(rig.call("op_add")), "E4002");
    }
    rig.is(S::Failed);
    assert!(rig.plugin.failure().unwrap().contains("init returned status -6"));
}
