//! Acting for others: nothing is done that one of them may not do, and nobody gains by calling.

use super::*;
use common::error::codes;
use common::identity::PluginId;

fn id(context: &TrustContext) -> PluginId {
    context.identity().as_plugin().unwrap().id
}

fn named(name: &str, grants: &[(&str, &str)]) -> TrustContext {
    TrustContext::with_grants(Arc::new(plugin(name, "acme")), permissions(grants))
}

/// A callee with these grants that acts for these callers, outermost first.
fn acting(grants: &[(&str, &str)], callers: &[&TrustContext]) -> TrustContext {
    let mut callee = context(grants);
    let chain = callers.iter().fold(Chain::new(), |chain, caller| chain.then(id(caller), caller.link()));
    callee.act_for(&chain);
    callee
}

#[test]
fn a_callee_has_no_right_that_one_of_its_callers_lacks() {
    let evaluator = evaluator(&[]);
    let (with, without) = (named("with", &[("storage", "get")]), named("without", &[("storage", "set")]));
    let grants = [("storage", "get"), ("storage", "set")];
    let read = |mut callee: TrustContext| decide(&evaluator, &mut callee, "kv_get", ("k", true));
    assert!(read(acting(&grants, &[])).is_ok());
    assert!(read(acting(&grants, &[&with])).is_ok());
    for callers in [&[&without][..], &[&with, &without], &[&without, &with]] {
        let denial = read(acting(&grants, callers)).unwrap_err();
        assert_eq!((denial.code, denial.lacking.as_deref()), (&codes::E2002, Some("without")));
        assert_eq!(denial.missing.as_deref(), Some(r#"storage = ["get"]"#));
        assert!(denial.reason.starts_with("it acts for without, which may not: "), "{}", denial.reason);
    }
    assert!(read(acting(&[], &[&with])).is_err(), "a caller lends nothing");
}

#[test]
fn what_everyone_may_is_done_for_anyone_and_the_next_call_is_in_its_own_right() {
    let evaluator = evaluator(&[]);
    let bare = named("bare", &[]);
    let mut callee = acting(&[("storage", "get")], &[&bare]);
    for free in ["ping", "log", "config_get"] {
        assert!(decide(&evaluator, &mut callee, free, ("k", true)).is_ok(), "{free}");
    }
    assert!(decide(&evaluator, &mut callee, "kv_get", ("k", true)).is_err());
    callee.act_for(&Chain::of([id(&bare)]));
    assert_eq!(callee.depth(), 1);
    assert!(decide(&evaluator, &mut callee, "kv_get", ("k", true)).is_ok(), "in its own right");
    callee.act_for(&Chain::new().then(id(&bare), bare.link()));
    assert!(decide(&evaluator, &mut callee, "kv_get", ("k", true)).is_err(), "and for another again");
}

#[cfg(feature = "cedar")]
#[test]
fn a_policy_that_forbids_a_caller_forbids_it_through_others() {
    let evaluator =
        evaluator(&[r#"forbid(principal == Plugin::"without", action == Action::"kv_get", resource)
           when { resource.name == "k" };"#]);
    let grants = [("storage", "get")];
    let without = named("without", &grants);
    let mut callee = acting(&grants, &[&without]);
    let denial = decide(&evaluator, &mut callee, "kv_get", ("k", true)).unwrap_err();
    assert_eq!(denial.code, &codes::E2001);
    assert!(decide(&evaluator, &mut callee, "kv_get", ("other", true)).is_ok());
    evaluator.publish(&[]).unwrap();
    assert!(decide(&evaluator, &mut callee, "kv_get", ("k", true)).is_ok(), "the new policies count at once");
}

#[test]
fn what_is_remembered_of_a_caller_is_kept_for_the_same_instance_only() {
    let evaluator = evaluator(&[]);
    let grants = [("storage", "get")];
    let (one, other) = (named("one", &grants), named("one", &[]));
    let mut callee = acting(&grants, &[&one]);
    let ask = |callee: &mut TrustContext| decide(&evaluator, callee, "kv_get", ("k", true)).is_ok();
    assert!(ask(&mut callee));
    callee.act_for(&Chain::new().then(id(&other), other.link()));
    assert!(!ask(&mut callee), "the same name with other grants is another");
    callee.act_for(&Chain::new().then(id(&one), one.link()));
    assert!(ask(&mut callee));
}
