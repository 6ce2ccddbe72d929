//! Calls beside steps: whatever the order, a call answers or is refused, and the plugin ends in a state of the table.

use super::rig::{Built, Rig, STATE, lifecycle, on_each_engine};
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use crate::sandbox::InstanceMode;
use common::error::Coded;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

on_each_engine! {
    calls_beside_pause_resume_stop_and_start_answer_or_are_refused
    pausing_waits_for_the_call_in_flight
    a_shared_plugin_never_has_two_instances
}

const ROUNDS: usize = 60;

/// Ends the storm however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn storm(rig: &Built, answered: &AtomicU64) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..8 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    match rig.call("op_add") {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::SeqCst)),
                        Err(error) => assert!(["E5003", "E4010"].contains(&error.code().id), "{error}"),
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            let before = answered.load(Ordering::SeqCst);
            while answered.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
            if round % 2 == 0 {
                rig.plugin.pause().unwrap();
                rig.is(S::Paused);
                rig.plugin.resume().unwrap();
            } else {
                rig.plugin.stop().unwrap();
                rig.is(S::Stopped);
                rig.up().unwrap();
            }
            rig.is(S::Running);
        }
    });
}

fn calls_beside_pause_resume_stop_and_start_answer_or_are_refused(kind: EngineKind) {
    for (mode, max) in [(InstanceMode::Shared, 1), (InstanceMode::Pooled, 3), (InstanceMode::Fresh, 3)] {
        let rig = Rig::new(kind, &lifecycle(0, 0, 0)).with(|r| (r.mode, r.max) = (mode, max)).running();
        let answered = AtomicU64::new(0);
        storm(&rig, &answered);
        rig.is(S::Running);
        let sample = rig.plugin.metrics().sample();
        assert_eq!((sample.calls, sample.errors), (answered.into_inner(), 0), "{mode:?}");
        rig.call("op_add").unwrap();
        rig.plugin.stop().unwrap();
    }
}

/// The count is carried over by the saved state: were there ever two instances, or a call on one that was saved
/// already, it would be less than the number of calls.
fn a_shared_plugin_never_has_two_instances(kind: EngineKind) {
    let rig = Rig::new(kind, &(lifecycle(0, 0, 0) + STATE)).running();
    let answered = AtomicU64::new(0);
    storm(&rig, &answered);
    let count = rig.call("op_add").unwrap();
    assert_eq!(u64::from(count[0]), (answered.into_inner() + 1) % 256);
}

fn pausing_waits_for_the_call_in_flight(kind: EngineKind) {
    let (entered, wait_entered) = std::sync::mpsc::channel();
    let (go, wait_go) = std::sync::mpsc::channel::<()>();
    let wait_go = parking_lot::Mutex::new(wait_go);
    let wait = move || {
        entered.send(()).unwrap();
        wait_go.lock().recv().unwrap();
        Ok(Vec::new())
    };
    let rig = Rig::new(kind, &lifecycle(0, 0, 0)).answering("wait", wait).running();
    let paused = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| rig.call("op_wait"));
        wait_entered.recv().unwrap();
        let pause = scope.spawn(|| {
            rig.plugin.pause().unwrap();
            paused.store(true, Ordering::SeqCst);
        });
        while rig.plugin.state() != S::Paused {
            std::thread::yield_now();
        }
        assert_eq!(rig.call("op_add").unwrap_err().code().id, "E5003", "new calls are refused at once");
        assert!(!paused.load(Ordering::SeqCst), "the call is in flight");
        go.send(()).unwrap();
        call.join().unwrap().unwrap();
        pause.join().unwrap();
    });
    rig.plugin.resume().unwrap();
}
