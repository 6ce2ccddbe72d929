//! The parts of a swap, each on one plugin: held calls, a state given and taken, and leaving in favour of another.

use super::rig::{Built, Rig, STATE, clock, lifecycle, on_each_engine};
use crate::lifecycle::{LastState, LifecycleError, Saved};
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use crate::sandbox::InstanceMode;
use common::clock::Deadline;
use common::error::Coded;
use std::time::Duration;

on_each_engine! {
    held_calls_wait_until_their_own_deadlines_and_go_on
    a_call_that_does_not_end_is_not_waited_for_for_ever
    a_state_that_cannot_be_saved_lifts_the_hold
    a_state_is_adopted_in_place_of_the_one_saved_last
    a_superseded_plugin_sends_calls_elsewhere_and_counts_none_of_them
    what_is_left_saves_its_state_unless_it_was_handed_over
    what_is_dismissed_leaves_the_saved_state_alone
    what_cannot_be_recorded_does_not_come_up_and_still_goes
}

fn guest(kind: EngineKind) -> Rig {
    Rig::new(kind, &(lifecycle(0, 0, 0) + STATE))
}

fn soon() -> Deadline {
    Deadline::after(&*clock(), Duration::from_millis(20))
}

fn saved(rig: &Built) -> Option<Vec<u8>> {
    rig.vault.state.lock().clone()
}

fn held_calls_wait_until_their_own_deadlines_and_go_on(kind: EngineKind) {
    let rig = guest(kind).running();
    rig.call("op_add").unwrap();
    std::thread::scope(|scope| {
        let held = rig.plugin.hold(None).unwrap();
        rig.is(S::Running);
        assert_eq!(rig.call_until("op_add", soon()).unwrap_err().code().id, "E4010");
        let waiting = scope.spawn(|| rig.call("op_add"));
        let state = held.state().unwrap().unwrap();
        assert_eq!((state.version.as_str(), state.bytes.as_slice()), ("1.0.0", [1].as_slice()));
        drop(held);
        assert_eq!(waiting.join().unwrap().unwrap(), [2], "on the instance it would have had");
    });
    assert_eq!(rig.plugin.metrics().sample().instances, 1);
    assert_eq!(saved(&rig), None, "asking for a state does not save it");
}

fn a_call_that_does_not_end_is_not_waited_for_for_ever(kind: EngineKind) {
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let (leave, wait_leave) = std::sync::mpsc::channel::<()>();
    let wait_leave = parking_lot::Mutex::new(wait_leave);
    let wait = move || {
        entered.send(()).unwrap();
        wait_leave.lock().recv().unwrap();
        Ok(Vec::new())
    };
    let slow = |r: &mut Rig| r.timeout = Duration::from_millis(30);
    let rig = guest(kind).answering("wait", wait).with(slow).running();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| rig.call("op_wait"));
        wait_entered.recv().unwrap();
        assert!(matches!(rig.plugin.hold(None), Err(LifecycleError::Busy { .. })));
        leave.send(()).unwrap();
        drop(call.join().unwrap());
    });
    rig.is(S::Running);
    rig.call("op_add").unwrap();
}

fn a_state_that_cannot_be_saved_lifts_the_hold(kind: EngineKind) {
    let trapping = STATE.replacen(
        "(func (export \"state_save\") (result i32)",
        "(func (export \"state_save\") (result i32) unreachable",
        1,
    );
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + &trapping))
        .with(|r| *r.vault.state.lock() = Some(vec![7]))
        .running();
    let error = rig.plugin.hold(None).unwrap().state().unwrap_err();
    assert_eq!(error.code().id, "E4001");
    assert_eq!(rig.call("op_add").unwrap(), [8], "an instance of the state saved last");
    assert_eq!(rig.plugin.metrics().sample().traps, 1);
    assert_eq!(rig.recorded("call").len(), 1);
    // Without an instance, what was saved last is its state.
    rig.call("op_trap").unwrap_err();
    let state = rig.plugin.hold(None).unwrap().state().unwrap().unwrap();
    assert_eq!((state.version.as_str(), state.bytes.as_slice()), ("0.9.0", [7].as_slice()));
}

fn a_state_is_adopted_in_place_of_the_one_saved_last(kind: EngineKind) {
    let rig = guest(kind).with(|r| *r.vault.state.lock() = Some(vec![7])).build();
    rig.plugin.initialize(&rig.chain).unwrap();
    rig.plugin.start_without_state(&rig.chain).unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [1], "no state was loaded");
    let mut state = Saved { version: "1.0.0".into(), bytes: vec![20] };
    rig.plugin.adopt(&mut state).unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [21]);
    for (poison, code) in [(b"too long".as_slice(), "E4002"), (b"!!", "E4001")] {
        state.bytes = poison.to_vec();
        assert_eq!(rig.plugin.adopt(&mut state).unwrap_err().code().id, code);
    }
    assert_eq!(saved(&rig), Some(vec![7]));
}

fn a_superseded_plugin_sends_calls_elsewhere_and_counts_none_of_them(kind: EngineKind) {
    let rig = guest(kind).running();
    rig.call("op_add").unwrap();
    std::thread::scope(|scope| {
        let held = rig.plugin.hold(None).unwrap();
        let waiting = scope.spawn(|| rig.call("op_add"));
        rig.plugin.supersede(LastState::HandedOver, None).unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(LifecycleError::Superseded { .. })));
        drop(held);
    });
    rig.is(S::Unloaded);
    assert!(matches!(rig.call("op_add"), Err(LifecycleError::Superseded { .. })));
    let sample = rig.plugin.metrics().sample();
    assert_eq!((sample.calls, sample.errors), (1, 0));
    assert!(rig.recorded("call").is_empty(), "they go on elsewhere");
}

fn what_is_left_saves_its_state_unless_it_was_handed_over(kind: EngineKind) {
    for (last, left) in [(LastState::Save, Some(vec![1])), (LastState::HandedOver, None)] {
        let rig = guest(kind).running();
        rig.call("op_add").unwrap();
        rig.plugin.supersede(last, None).unwrap();
        assert_eq!(saved(&rig), left);
    }
    let pooled = guest(kind).with(|r| r.mode = InstanceMode::Pooled).running();
    let rig = guest(kind).running();
    assert!(rig.plugin.hands_state_to(&rig.plugin));
    assert!(!rig.plugin.hands_state_to(&pooled.plugin) && !pooled.plugin.hands_state_to(&rig.plugin));
    // Whatever state it is in, it goes.
    rig.plugin.pause().unwrap();
    rig.plugin.supersede(LastState::Save, None).unwrap();
    let ready = guest(kind).build();
    ready.plugin.initialize(&ready.chain).unwrap();
    ready.plugin.supersede(LastState::Save, None).unwrap();
    let stubborn = Rig::new(kind, &lifecycle(0, 0, 9)).running();
    assert_eq!(stubborn.plugin.supersede(LastState::Save, None).unwrap_err().code().id, "E4002");
    assert_ne!(stubborn.plugin.state(), S::Running);
}

fn what_is_dismissed_leaves_the_saved_state_alone(kind: EngineKind) {
    let rig = guest(kind).with(|r| *r.vault.state.lock() = Some(vec![7])).running();
    rig.call("op_add").unwrap();
    rig.plugin.dismiss();
    rig.is(S::Unloaded);
    assert_eq!(saved(&rig), Some(vec![7]));
    for (init, start) in [(3, 0), (0, 3)] {
        let rig = Rig::new(kind, &lifecycle(init, start, 0)).build();
        rig.up().unwrap_err();
        rig.plugin.dismiss();
        rig.is(S::Unloaded);
    }
    let ready = guest(kind).build();
    ready.plugin.initialize(&ready.chain).unwrap();
    ready.plugin.dismiss();
    ready.is(S::Unloaded);
}

fn what_cannot_be_recorded_does_not_come_up_and_still_goes(kind: EngineKind) {
    let candidate = guest(kind).build();
    candidate.break_log(true);
    assert_eq!(candidate.up().unwrap_err().code().id, "E3001");
    candidate.is(S::Created);
    candidate.plugin.dismiss();
    assert_eq!(candidate.plugin.metrics().sample().instances, 0);
    let old = guest(kind).running();
    old.break_log(true);
    assert_eq!(old.plugin.supersede(LastState::HandedOver, None).unwrap_err().code().id, "E3001");
    old.is(S::Stopped);
    assert!(matches!(old.call("op_add"), Err(LifecycleError::Superseded { .. })));
}
