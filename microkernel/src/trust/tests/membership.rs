//! Roles and tiers are seen by the next decision, and by nobody they do not mean.

use super::*;
use common::permission::Glob;

const POLICIES: [&str; 2] = [
    r#"@id("observers") permit(principal in Role::"observers", action == Action::"time_now", resource);"#,
    r#"@id("trusted") forbid(principal is Plugin, action == Action::"kv_get", resource)
        unless { principal.tier == "trusted" };"#,
];

fn pattern(publisher: &str, name: &str) -> PluginPattern {
    PluginPattern { publisher: Glob::name(publisher).unwrap(), name: Glob::name(name).unwrap() }
}

fn role(name: &str, plugins: Vec<PluginPattern>, operators: &[&str]) -> RoleMembers {
    let operators = operators.iter().map(|name| (*name).to_owned()).collect();
    RoleMembers { role: Name::new(name).unwrap(), plugins, operators }
}

fn tier(name: &str, plugins: Vec<PluginPattern>) -> TierMembers {
    TierMembers { tier: Name::new(name).unwrap(), plugins }
}

#[test]
fn a_role_and_a_tier_hold_from_the_next_decision_on_and_end_with_it() {
    let evaluator = evaluator(&POLICIES);
    let mut context = context(&[("clock", "now"), ("storage", "get")]);
    let mut allowed = |evaluator: &TrustEvaluator| {
        let clock = decide(evaluator, &mut context, "time_now", ("", false)).is_ok();
        (clock, decide(evaluator, &mut context, "kv_get", ("k", true)).is_ok())
    };
    assert_eq!(allowed(&evaluator), (false, false));
    let before = evaluator.epoch();
    let members = Memberships {
        roles: vec![role("observers", vec![pattern("acme", "red*")], &[])],
        tiers: vec![tier("trusted", vec![pattern("*", "redactor")]), tier("other", vec![pattern("*", "*")])],
    };
    assert_eq!(evaluator.set_memberships(members), before + 1);
    assert_eq!(allowed(&evaluator), (true, true));
    let members = Memberships {
        roles: vec![role("observers", vec![pattern("evil", "*"), pattern("acme", "other")], &["redactor"])],
        tiers: vec![tier("other", vec![pattern("*", "*")]), tier("trusted", vec![pattern("*", "redactor")])],
    };
    evaluator.set_memberships(members);
    assert_eq!(allowed(&evaluator), (false, false), "the first tier that means it is its tier");
    evaluator.set_memberships(Memberships::default());
    assert_eq!(evaluator.set_memberships(Memberships::default()), before + 3, "nothing changed");
    assert_eq!(allowed(&evaluator), (false, false));
}

#[test]
fn an_operator_has_a_role_by_name_and_keeps_those_of_its_identity() {
    let evaluator = evaluator(&[
        r#"forbid(principal is Operator, action in Action::"management.*", resource) unless { principal in Role::"admins" || principal.roles.contains("own") };"#,
    ]);
    evaluator.set_memberships(Memberships { roles: vec![role("admins", vec![], &["ada"])], tiers: vec![] });
    let may = |identity: IdentityContext| {
        let context = TrustContext::new(&identity);
        matches!(evaluator.evaluate_management(&context, ManagementAction::Remove, "x"), Verdict::Allow(_))
    };
    assert!(may(IdentityContext::operator("ada")));
    assert!(!may(IdentityContext::operator("bob")));
    assert!(may(IdentityContext::operator("bob").with_role("own")));
}
