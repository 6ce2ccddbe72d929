//! Saved state: kept over stop and start, given to the instance after a trap, never in the way for ever.

use super::rig::{Rig, STATE, lifecycle, on_each_engine};
use crate::plugin::PluginState as S;
use crate::runtime::EngineKind;
use common::error::Coded;
use std::sync::atomic::Ordering;

on_each_engine! {
    state_is_carried_over_stop_and_start
    after_a_trap_the_state_saved_last_is_loaded
    a_state_that_is_refused_fails_the_plugin_and_is_kept_until_it_is_started_again
    a_state_that_is_refused_only_once_is_kept
    a_state_that_cannot_be_forgotten_on_record_is_kept
    a_vault_that_fails_is_not_the_plugins_fault
}

fn guest(kind: EngineKind) -> Rig {
    Rig::new(kind, &(lifecycle(0, 0, 0) + STATE))
}

fn state_is_carried_over_stop_and_start(kind: EngineKind) {
    let rig = guest(kind).running();
    rig.call("op_add").unwrap();
    rig.call("op_add").unwrap();
    rig.plugin.stop().unwrap();
    assert_eq!(*rig.vault.state.lock(), Some(vec![2]));
    rig.up().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [3]);
}

fn after_a_trap_the_state_saved_last_is_loaded(kind: EngineKind) {
    let rig = guest(kind).with(|r| *r.vault.state.lock() = Some(vec![7])).running();
    assert_eq!(rig.call("op_add").unwrap(), [8]);
    rig.call("op_trap").unwrap_err();
    assert_eq!(rig.call("op_add").unwrap(), [8], "what was not saved is lost");
    assert_eq!(*rig.vault.state.lock(), Some(vec![7]));
}

fn a_state_that_is_refused_fails_the_plugin_and_is_kept_until_it_is_started_again(kind: EngineKind) {
    for (poison, code) in [(b"too long".as_slice(), "E4002"), (b"!!", "E4001")] {
        let rig = guest(kind).with(|r| *r.vault.state.lock() = Some(poison.to_vec())).build();
        let error = rig.up().unwrap_err();
        assert_eq!(error.code().id, code);
        rig.is(S::Failed);
        assert!(rig.plugin.own_failure().unwrap().contains("state_load"));
        assert_eq!(rig.vault.state.lock().as_deref(), Some(poison), "an operator may still look at it");
        rig.up().unwrap();
        assert_eq!(rig.call("op_add").unwrap(), [1]);
        assert_eq!(*rig.vault.state.lock(), None);
        let lines = rig.recorded("lifecycle");
        assert_eq!(lines.iter().filter(|l| l.contains("discard_state")).count(), 1, "{lines:?}");
    }
}

fn a_state_that_is_refused_only_once_is_kept(kind: EngineKind) {
    let rig = guest(kind).with(|r| *r.vault.state.lock() = Some(b"!!".to_vec())).build();
    rig.up().unwrap_err();
    *rig.vault.state.lock() = Some(vec![4]);
    rig.up().unwrap();
    assert_eq!(rig.call("op_add").unwrap(), [5]);
    assert_eq!(*rig.vault.state.lock(), Some(vec![4]));
}

fn a_state_that_cannot_be_forgotten_on_record_is_kept(kind: EngineKind) {
    let failed = guest(kind).with(|r| {
        *r.vault.state.lock() = Some(b"!!".to_vec());
        r.state = S::Failed;
    });
    let rig = failed.build();
    rig.plugin.initialize(&rig.chain).unwrap();
    rig.break_log(true);
    assert_eq!(rig.plugin.start(&rig.chain).unwrap_err().code().id, "E3001");
    rig.is(S::Failed);
    assert_eq!(rig.vault.state.lock().as_deref(), Some(b"!!".as_slice()));
}

fn a_vault_that_fails_is_not_the_plugins_fault(kind: EngineKind) {
    let rig = guest(kind).running();
    rig.call("op_add").unwrap();
    rig.vault.broken.store(true, Ordering::SeqCst);
    assert_eq!(rig.plugin.stop().unwrap_err().code().id, "E0002");
    rig.is(S::Failed);
    assert_eq!(rig.plugin.own_failure(), None);
    assert_eq!(rig.up().unwrap_err().code().id, "E0002");
    rig.vault.broken.store(false, Ordering::SeqCst);
    rig.up().unwrap();
    rig.call("op_trap").unwrap_err();
    rig.vault.broken.store(true, Ordering::SeqCst);
    for _ in 0..7 {
        assert_eq!(rig.call("op_add").unwrap_err().code().id, "E0002");
    }
    rig.is(S::Running);
}
