//! Labels and what follows from them: who is given a secret may not carry it out, whatever is remembered.

use super::*;
use common::error::codes;

const LABEL: &str = r#"@id("customers") @label("secret")
    permit(principal, action == Action::"kv_get", resource) when { resource.name like "customers/*" };"#;
const OPEN: &str = r#"permit(principal, action in Action::"syscall.*", resource);"#;

/// Every permission, within the plugin's own area and without.
fn everywhere() -> Vec<Permission> {
    let scoped =
        |c: common::permission::Capability| Permission::parse(c.family(), &format!("{}:/x", c.verb())).ok();
    everything().into_iter().chain(common::permission::Capability::all().filter_map(scoped)).collect()
}

fn gives_secret(evaluator: &TrustEvaluator, context: &mut TrustContext, key: &str) -> bool {
    let action = action("kv_get");
    let on = resource(&action, key, true);
    let [whole, cold, warm] = [
        evaluator.evaluate(context, &action, &on),
        evaluator.evaluate_syscall(context, &action, &on),
        evaluator.evaluate_syscall(context, &action, &on),
    ]
    .map(|verdict| matches!(verdict, Verdict::Allow(permit) if permit.gives_secret()));
    assert_eq!((whole, cold), (cold, warm));
    whole
}

#[test]
fn a_label_names_what_it_speaks_of_and_permits_nothing() {
    let evaluator = evaluator(&[LABEL]);
    let mut granted = context(&[("storage", "get")]);
    assert!(gives_secret(&evaluator, &mut granted, "customers/1"));
    assert!(!gives_secret(&evaluator, &mut granted, "weather"));
    assert_eq!(
        decide(&evaluator, &mut granted, "kv_get", ("customers/1", true)).unwrap(),
        "builtin:private-area"
    );
    assert!(decide(&evaluator, &mut granted, "kv_get", ("customers/1", false)).is_err());
}

#[test]
fn a_label_that_cannot_be_evaluated_labels() {
    let text = r#"@label("secret") permit(principal, action == Action::"kv_get", resource)
        when { context.depth + 9223372036854775807 > 0 };"#;
    let evaluator = evaluator(&[text]);
    let mut callee = context(&[("storage", "get")]);
    callee.set_depth(1);
    assert!(gives_secret(&evaluator, &mut callee, "k"));
}

#[test]
fn labels_that_forbid_or_say_another_word_are_refused() {
    let refused = |text: &str| TrustEvaluator::new(&builtin_actions(), &[source("s", text)]).is_err();
    assert!(refused(r#"@label("secret") forbid(principal, action, resource);"#));
    assert!(refused(r#"@label("private") permit(principal, action, resource);"#));
    assert!(refused(r#"@label permit(principal, action, resource);"#));
    assert!(!refused(r#"@label("secret") permit(principal, action, resource);"#));
}

#[test]
fn who_has_read_a_secret_may_not_carry_it_out_and_keeps_the_rest() {
    let evaluator = evaluator(&[LABEL, OPEN]);
    let mut tainted = TrustContext::with_grants(Arc::new(plugin("redactor", "acme")), everywhere());
    let all: Vec<String> = builtin_actions().iter().map(|a| a.name.to_owned()).collect();
    for name in &all {
        assert!(decide(&evaluator, &mut tainted, name, ("/x", false)).is_ok(), "{name} before");
    }
    tainted.taint();
    for name in &all {
        let (action, decided) = (action(name), decide(&evaluator, &mut tainted, name, ("/x", false)));
        let carries = crate::trust::flow::carries_out(&action, &resource(&action, "/x", false));
        assert_eq!(decided.as_ref().err().map(|d| d.code.id), carries.then_some("E2008"), "{name}");
    }
    assert!(decide(&evaluator, &mut tainted, "kv_set", ("x", true)).is_ok(), "its own area stays its own");
}

#[test]
fn policies_see_that_a_secret_was_read_and_what_was_remembered_is_forgotten() {
    let forbid = r#"forbid(principal, action in Action::"storage.*", resource) when { context.tainted };"#;
    let evaluator = evaluator(&[forbid]);
    let mut context = context(&[("storage", "set")]);
    assert!(decide(&evaluator, &mut context, "kv_set", ("k", true)).is_ok());
    context.taint();
    let denial = decide(&evaluator, &mut context, "kv_set", ("k", true)).unwrap_err();
    assert_eq!(denial.code, &codes::E2001);
}

#[test]
fn the_mark_travels_to_whoever_is_given_the_answer() {
    let id = |name| plugin(name, "acme").as_plugin().unwrap().id;
    let named = |name: &str| TrustContext::with_grants(Arc::new(plugin(name, "acme")), everything());
    let (outer, middle) = (named("outer"), named("middle"));
    let chain = Chain::new().then(id("outer"), outer.link()).then(id("middle"), middle.link());
    let mut callee = named("redactor");
    callee.act_for(&chain);
    assert!(!outer.is_tainted() && !middle.is_tainted());
    callee.taint();
    assert!(outer.is_tainted() && middle.is_tainted(), "of a secret read for them");
    let late = named("late");
    callee.act_for(&Chain::new().then(id("late"), late.link()));
    assert!(late.is_tainted(), "and of one read before");
    let own = named("own");
    callee.act_for(&Chain::new().then(id("own"), own.link()).in_own_right());
    assert!(!own.is_tainted(), "a function that does not act for it gives it nothing");
}
