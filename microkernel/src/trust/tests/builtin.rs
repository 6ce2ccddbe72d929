//! The built-in policy: what the manifest asks of the private areas, own settings, `log`, `ping`, management.

use super::*;
use common::error::codes;

#[test]
fn without_policy_files_a_plugin_may_use_its_private_areas_and_nothing_else() {
    let evaluator = evaluator(&[]);
    for action in builtin_actions() {
        for private in [true, false] {
            let mut granted = TrustContext::with_grants(Arc::new(plugin("p", "acme")), everything());
            let mut bare = TrustContext::new(&plugin("p", "acme"));
            let free = matches!(action.name, "log" | "ping" | "config_get");
            let in_area = private && matches!(action.resource, ResourceKind::Path | ResourceKind::Key);
            let with = decide(&evaluator, &mut granted, action.name, ("/data/x", private));
            let without = decide(&evaluator, &mut bare, action.name, ("/data/x", private));
            assert_eq!(with.is_ok(), free || in_area, "{} private={private}", action.name);
            assert_eq!(without.is_ok(), free, "{} private={private}", action.name);
        }
    }
}

#[test]
fn what_was_not_granted_is_denied_with_the_smallest_grant_that_would_do() {
    let evaluator = evaluator(&[]);
    let denial = decide(&evaluator, &mut context(&[("storage", "get")]), "kv_cas", ("k", true)).unwrap_err();
    assert_eq!(denial.code, &codes::E2002);
    assert_eq!(denial.missing.as_deref(), Some(r#"storage = ["set"]"#));
    let mut context = context(&[("storage", "get"), ("storage", "set")]);
    assert_eq!(decide(&evaluator, &mut context, "kv_cas", ("k", true)).unwrap(), "builtin:private-area");
}

#[test]
fn hosts_and_operators_manage_and_plugins_do_not() {
    let evaluator = evaluator(&[]);
    for verb in ManagementAction::ALL {
        let asked = |who: &IdentityContext| {
            let mut context = TrustContext::new(who);
            let whole = allowed(&evaluator, evaluator.evaluate_management(&context, verb, "redactor"));
            let cold =
                allowed(&evaluator, evaluator.evaluate_management_cached(&mut context, verb, "redactor"));
            let warm = evaluator.evaluate_management_cached(&mut context, verb, "redactor");
            assert!(
                matches!(&warm, Verdict::Allow(p) if p.cached())
                    || matches!(&warm, Verdict::Deny(d) if d.cached)
            );
            assert_eq!(whole, cold);
            whole
        };
        assert_eq!(asked(&IdentityContext::new("plugin-manager")).unwrap(), "builtin:host-manages");
        assert_eq!(asked(&IdentityContext::operator("ada")).unwrap(), "builtin:operator-manages");
        assert_eq!(asked(&plugin("redactor", "acme")).unwrap_err().code, &codes::E2002);
    }
}

#[test]
fn an_action_the_evaluator_was_not_made_for_is_denied() {
    let evaluator = evaluator(&[]);
    let mut altered = action("kv_set");
    altered.needs = &[];
    let on = resource(&altered, "k", true);
    let mut context = context(&[]);
    let verdict = evaluator.evaluate_syscall(&mut context, &altered, &on);
    assert!(matches!(&verdict, Verdict::Deny(d) if d.code == &codes::E2003));
    let wrong_kind = Resource { kind: ResourceKind::Path, name: "k", private: true };
    let verdict = evaluator.evaluate_syscall(&mut context, &action("kv_set"), &wrong_kind);
    assert!(matches!(&verdict, Verdict::Deny(d) if d.code == &codes::E2003));
}

#[test]
fn a_context_used_with_two_evaluators_is_decided_by_each() {
    let options = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
    let strict = evaluator(&[]);
    let lax = TrustEvaluator::with_options(&builtin_actions(), &[], &options).unwrap();
    let mut context = context(&[("clock", "now")]);
    for _ in 0..3 {
        assert!(decide(&strict, &mut context, "time_now", ("", false)).is_err());
        assert_eq!(
            decide(&lax, &mut context, "time_now", ("", false)).unwrap(),
            "builtin:granted-is-permitted"
        );
    }
}

#[test]
fn the_development_mode_permits_what_was_granted_and_no_more() {
    let options = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
    let evaluator = TrustEvaluator::with_options(&builtin_actions(), &[], &options).unwrap();
    for action in builtin_actions() {
        let mut granted = TrustContext::with_grants(Arc::new(plugin("p", "acme")), everything());
        let mut bare = TrustContext::new(&plugin("p", "acme"));
        let by = decide(&evaluator, &mut granted, action.name, ("/data/x", true)).unwrap();
        assert!(by.contains("builtin:granted-is-permitted"), "{}: {by}", action.name);
        let without = decide(&evaluator, &mut bare, action.name, ("/data/x", true));
        assert_eq!(without.is_ok(), action.needs.is_empty(), "{}", action.name);
    }
}

#[test]
fn ping_and_log_are_decided_by_the_action_alone() {
    let evaluator = evaluator(&[]);
    let mut context = context(&[]);
    for name in ["ping", "log"] {
        let ask = |context: &mut TrustContext| {
            let Verdict::Allow(permit) = evaluator.evaluate_syscall(context, &action(name), &Resource::NONE)
            else {
                panic!("{name} was denied");
            };
            (permit.cached(), permit.epoch())
        };
        assert_eq!(ask(&mut context), (false, 1));
        assert_eq!(ask(&mut context), (true, 1));
    }
}
