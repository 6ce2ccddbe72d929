//! What a plugin may do for another, and after it has read a secret; and what the log tells of it afterwards.

use super::{GOOD, Guest, World, asks, on_each_engine};
use crate::runtime::EngineKind;
use crate::{Denied, HeldBy, PluginManager, diff_policies, explain_denial, test_policies};
use common::error::ForgeError;

on_each_engine! {
    a_callee_does_nothing_its_caller_may_not_however_it_is_called
    who_has_read_a_secret_carries_nothing_out_until_it_ends
    a_callers_instance_is_marked_with_the_answer_of_its_callee
    a_denial_is_explained_and_other_policies_are_tried
    fault_053_a_capability_that_is_revoked_is_gone_with_the_next_call
}

/// An operation of four letters that makes this host call and answers with its status.
pub fn does(operation: &str, at: u32, call: &str, arguments: &[&str]) -> String {
    let list: String = arguments.iter().map(|a| format!("\\{:02x}\\00\\00\\00{a}", a.len())).collect();
    let (name, args) = (call.len(), arguments.iter().map(|a| a.len() + 4).sum::<usize>());
    let from = at + 32;
    format!(
        r#"(data (i32.const {at}) "{call}") (data (i32.const {from}) "{list}")
        (func (export "{operation}") (param i32) (result i32)
          (i32.store (i32.const 0) (call $syscall (i32.const {at}) (i32.const {name}) (i32.const {from})
            (i32.const {args}) (i32.const 0) (i32.const 0)))
          (call $output (i32.const 0) (i32.const 4)))"#
    )
}

/// A plugin that reads the key `customers` (`look`) and emits an event (`emit`), and one that asks it to look.
fn both(asker: &str) -> [Vec<u8>; 2] {
    let (look, emit) =
        (does("look", 512, "kv_get", &["customers"]), does("emit", 640, "event_emit", &["seen", "{}"]));
    let keeper = Guest::new("keeper")
        .body(&format!("{GOOD} {look} {emit}"))
        .tables("[permissions]\nstorage = [\"get\"]\nobservability = [\"event\"]")
        .operation("look")
        .operation("emit");
    let asks = asks("keeper").replace("echo", "look");
    let run = r#"(func (export "run") (param i32) (result i32)
        (i32.store (i32.const 0) (call $ask)) (call $output (i32.const 0) (i32.const 4)))"#;
    let asker = Guest::new("asker")
        .body(&format!("{GOOD} {asks} {run} {emit}"))
        .tables(&format!("[permissions]\nplugins = [\"call:keeper\"]\n{asker}"))
        .operation("run")
        .operation("emit");
    [keeper.package(), asker.package()]
}

fn home(kind: EngineKind, asker: &str) -> (World, PluginManager) {
    let world = World::development(kind);
    let host = world.open();
    for package in both(asker) {
        host.install(&package, true).unwrap();
    }
    (world, host)
}

fn status(answer: Result<Vec<u8>, ForgeError>) -> i32 {
    i32::from_le_bytes(answer.unwrap().try_into().unwrap())
}

const NOT_FOUND: i32 = -2;
const DENIED: i32 = -1;

fn a_callee_does_nothing_its_caller_may_not_however_it_is_called(kind: EngineKind) {
    let (world, host) = home(kind, "");
    assert_eq!(status(host.call("keeper", "look", vec![])), NOT_FOUND, "in its own right");
    assert_eq!(status(host.call("asker", "run", vec![])), 4, "the keeper answers");
    let lacks =
        ["\"type\":\"denial\"", "\"action\":\"kv_get\"", "\"lacking\":\"asker\"", "E2002", "\"chain\""];
    assert_eq!(world.recorded(&host, &lacks), 1, "and was denied for its caller");
    let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(status(waiting.block_on(host.call_async("asker", "run", vec![]))), 4);
    let mut run = host.handle("asker").unwrap().operation("run").unwrap();
    run.call(&mut vec![], &mut Vec::new()).unwrap();
    assert_eq!(world.recorded(&host, &lacks), 3, "whoever called, and however");
    assert_eq!(status(host.call("keeper", "look", vec![])), NOT_FOUND, "it has its own rights again");
    assert_eq!(world.recorded(&host, &lacks), 3);
    drop(run);
    host.shutdown().unwrap();
    let (world, host) = home(kind, "storage = [\"get\"]");
    host.call("asker", "run", vec![]).unwrap();
    assert_eq!(world.recorded(&host, &["\"type\":\"denial\""]), 0, "the caller has the right too");
    host.shutdown().unwrap();
}

const LABEL: &str = r#"@id("customers") @label("secret")
    permit(principal, action == Action::"kv_get", resource == KeyResource::"customers");"#;

fn label(world: &World, host: &PluginManager) {
    std::fs::write(world.path("trust/policy/labels.cedar"), LABEL).unwrap();
    assert_eq!(host.reload_policies().unwrap(), 1);
}

fn who_has_read_a_secret_carries_nothing_out_until_it_ends(kind: EngineKind) {
    let (world, host) = home(kind, "");
    label(&world, &host);
    assert_eq!(status(host.call("keeper", "emit", vec![])), 0);
    assert_eq!(status(host.call("keeper", "look", vec![])), NOT_FOUND);
    for _ in 0..2 {
        assert_eq!(status(host.call("keeper", "emit", vec![])), DENIED);
    }
    assert_eq!(world.recorded(&host, &["\"type\":\"label\"", "customers", "\"label\":\"secret\""]), 1);
    assert_eq!(world.recorded(&host, &["\"type\":\"denial\"", "event_emit", "E2008"]), 2);
    host.stop("keeper").unwrap();
    host.start("keeper").unwrap();
    assert_eq!(status(host.call("keeper", "emit", vec![])), 0, "another instance has read nothing");
    host.shutdown().unwrap();
}

fn a_callers_instance_is_marked_with_the_answer_of_its_callee(kind: EngineKind) {
    let (world, host) = home(kind, "storage = [\"get\"]\nobservability = [\"event\"]");
    label(&world, &host);
    assert_eq!(status(host.call("asker", "emit", vec![])), 0);
    host.call("asker", "run", vec![]).unwrap();
    assert_eq!(status(host.call("asker", "emit", vec![])), DENIED);
    let told = ["\"type\":\"label\"", "\"plugin\":\"asker\"", "\"action\":\"plugin_call\""];
    assert_eq!(world.recorded(&host, &told), 1);
    host.shutdown().unwrap();
}

fn a_denial_is_explained_and_other_policies_are_tried(kind: EngineKind) {
    let (world, host) = home(kind, "");
    host.call("asker", "run", vec![]).unwrap();
    host.call("asker", "emit", vec![]).unwrap();
    host.call("keeper", "emit", vec![]).unwrap();
    host.shutdown().unwrap();
    let last = |plugin: &str| explain_denial(&world.path(""), None, &Denied::LastOf(plugin.into()));
    let keeper = last("keeper").unwrap();
    assert_eq!((keeper.held_by, keeper.lacking.as_deref()), (HeldBy::Caller, Some("asker")));
    assert_eq!(keeper.smallest.as_deref(), Some(r#"storage = ["get"]"#));
    let asker = last("asker").unwrap();
    assert_eq!((asker.held_by, asker.code.as_str()), (HeldBy::Grant, "E2002"));
    assert_eq!(asker.smallest.as_deref(), Some(r#"observability = ["event:seen"]"#));
    let same = explain_denial(&world.path(""), None, &Denied::Record(asker.seq)).unwrap();
    assert_eq!(same.reason, asker.reason);
    assert_eq!(super::code(explain_denial(&world.path(""), None, &Denied::Record(0))), "E0101");
    assert_eq!(super::code(last("nobody")), "E5008");

    let candidate = world.path("candidate");
    std::fs::create_dir(&candidate).unwrap();
    let rule =
        "@id(\"quiet\") forbid(principal == Plugin::\"keeper\", action == Action::\"event_emit\", resource);";
    std::fs::write(candidate.join("quiet.cedar"), rule).unwrap();
    let changes = test_policies(&world.path(""), None, &candidate).unwrap();
    let [change] = changes.changed.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.call.principal.as_str(), change.times, change.permitted_before), ("keeper", 1, true));
    assert!(change.because.contains("quiet.cedar:quiet"), "{}", change.because);
    assert!(changes.decided >= 2 && changes.skipped >= 2, "{changes:?}");
    let now = world.path("trust/policy");
    let diff = |old, new| diff_policies(&world.path(""), None, old, new).unwrap().1.changed;
    assert_eq!(diff(&now, &candidate).len(), 1);
    assert!(!diff(&candidate, &now)[0].permitted_before);
    assert!(diff(&now, &now).is_empty());
    assert_eq!(super::code(test_policies(&world.path(""), None, &world.path("absent"))), "E5008");
}

fn fault_053_a_capability_that_is_revoked_is_gone_with_the_next_call(kind: EngineKind) {
    let (world, host) = home(kind, "");
    let file = world.path("trust/policy/revoked.cedar");
    for round in 0..2 {
        assert_eq!(status(host.call("keeper", "emit", vec![])), 0, "round {round}");
        std::fs::write(&file, "forbid(principal, action == Action::\"event_emit\", resource);").unwrap();
        host.reload_policies().unwrap();
        assert_eq!(status(host.call("keeper", "emit", vec![])), DENIED, "the same instance, round {round}");
        assert_eq!(world.recorded(&host, &["\"type\":\"denial\"", "event_emit", "E2001"]), round + 1);
        std::fs::remove_file(&file).unwrap();
        host.reload_policies().unwrap();
    }
    host.shutdown().unwrap();
}
