//! What is remembered is never wrong: against the uncached decision, under random policies and publications.

use super::*;
use proptest::prelude::*;

const ACTIONS: [&str; 7] = ["ping", "kv_get", "kv_cas", "file_read", "env_get", "plugin_call", "time_now"];
const NAMES: [&str; 4] = ["a", "b", "/data/a", "redactor"];

/// A random policy made of every head and condition that slicing and remembering tell apart.
fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "forbid", "@label(\"secret\") permit"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal == Plugin::\"redactor\"",
        "principal == Plugin::\"other\"",
        "principal in Publisher::\"acme\"",
        "principal in Publisher::\"evil\"",
        "principal is Plugin",
        "principal is Operator",
        "principal is Plugin in Role::\"r\"",
        "principal in Role::\"s\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"kv_get\"",
        "action == Action::\"time_now\"",
        "action in Action::\"storage.*\"",
        "action in Action::\"syscall.*\"",
        "action in [Action::\"file_read\", Action::\"kv_cas\"]",
        "action in [Action::\"env_get\", Action::\"filesystem.*\"]",
        "action in Action::\"management.*\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource is KeyResource",
        "resource is PathResource",
        "resource == KeyResource::\"a\"",
        "resource in PathResource::\"/data/a\"",
        "resource is VariableResource in VariableResource::\"a\"",
        "resource is NoneResource",
    ]);
    let when = prop::sample::select(vec![
        "true",
        "resource.private",
        "resource.name == \"a\"",
        "context.depth < 2",
        "context.tainted",
        "context.environment == \"production\"",
        "principal.hasTag(\"t\") && principal.getTag(\"t\") == \"1\"",
        "context.depth + 9223372036854775807 > 0",
    ]);
    (effect, principal, action, resource, when)
        .prop_map(|(e, p, a, r, w)| format!("{e}({p}, {a}, {r}) when {{ {w} }};"))
}

/// Policies the schema has no use for (an action that never touches such a resource) are left out.
fn accepted(evaluator: &TrustEvaluator, policies: Vec<String>) -> Vec<PolicySource> {
    let sources =
        policies.into_iter().enumerate().map(|(i, text)| PolicySource { name: format!("p{i}"), text });
    sources.filter(|s| evaluator.check(std::slice::from_ref(s)).is_ok()).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<String>),
    Ask {
        who: usize,
        action: usize,
        name: usize,
        private: bool,
        depth: u32,
    },
    /// This one reads a secret, and so do those it acts for.
    Taint(usize),
    /// This one acts for the next one, or for nobody.
    ActFor(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (0..3usize, 0..ACTIONS.len(), 0..NAMES.len(), any::<bool>(), 0..3u32)
        .prop_map(|(who, action, name, private, depth)| Step::Ask { who, action, name, private, depth });
    prop_oneof![
        4 => prop::collection::vec(policy(), 0..6).prop_map(Step::Publish),
        1 => (0..3usize).prop_map(Step::Taint),
        3 => (0..3usize, any::<bool>()).prop_map(|(who, acts)| Step::ActFor(who, acts)),
        40 => ask,
    ]
}

fn people() -> Vec<TrustContext> {
    let redactor = plugin("redactor", "acme").with_role("r").with_attribute("t", "1");
    let other = plugin("other", "evil").with_role("s");
    [redactor, other, IdentityContext::operator("ada").with_role("s")]
        .into_iter()
        .map(|who| TrustContext::with_grants(Arc::new(who), everything()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn slices_and_memory_never_disagree_with_all_policies(steps in prop::collection::vec(step(), 1..60)) {
        let evaluator = evaluator(&[]);
        let mut people = people();
        for step in steps {
            match step {
                Step::Publish(policies) => {
                    let before = evaluator.epoch();
                    let sources = accepted(&evaluator, policies);
                    prop_assert_eq!(evaluator.publish(&sources).unwrap(), before + 1);
                }
                Step::Taint(who) => people[who].taint(),
                Step::ActFor(who, acts) => {
                    let caller = people[(who + 1) % 3].link().clone();
                    let id = plugin("caller", "acme").as_plugin().unwrap().id;
                    let chain = Chain::new().then(id, &caller);
                    people[who].act_for(&if acts { chain } else { Chain::new() });
                }
                Step::Ask { who, action: wanted, name, private, depth } => {
                    let context = &mut people[who];
                    context.set_depth(depth);
                    let action = action(ACTIONS[wanted]);
                    let on = resource(&action, NAMES[name], private);
                    let whole = evaluator.evaluate(context, &action, &on);
                    let secret = |v: &Verdict| matches!(v, Verdict::Allow(permit) if permit.gives_secret());
                    let quick = evaluator.evaluate_syscall(context, &action, &on);
                    if let Verdict::Allow(permit) = &quick {
                        prop_assert_eq!(permit.epoch(), evaluator.epoch());
                    }
                    prop_assert_eq!(secret(&whole), secret(&quick));
                    let whole = allowed(&evaluator, whole);
                    let quick = allowed(&evaluator, quick).map_err(|d| Denial { cached: false, ..d });
                    prop_assert_eq!(whole, quick);
                }
            }
        }
    }
}

#[test]
fn a_decision_that_looks_at_the_chain_is_not_remembered() {
    let evaluator = evaluator(&[
        r#"permit(principal, action == Action::"plugin_call", resource);"#,
        r#"forbid(principal, action == Action::"plugin_call", resource) when { context.depth > 1 };"#,
    ]);
    let mut context = context(&[("plugins", "call"), ("storage", "get")]);
    for (depth, allowed) in [(0, true), (2, false), (1, true), (0, true)] {
        context.set_depth(depth);
        assert_eq!(decide(&evaluator, &mut context, "plugin_call", ("x", false)).is_ok(), allowed);
        let on = resource(&action("plugin_call"), "x", false);
        let verdict = evaluator.evaluate_syscall(&mut context, &action("plugin_call"), &on);
        assert!(
            matches!(&verdict, Verdict::Allow(p) if !p.cached())
                || matches!(&verdict, Verdict::Deny(d) if !d.cached)
        );
    }
    let on = resource(&action("kv_get"), "k", true);
    let cached = |c: &mut TrustContext| matches!(evaluator.evaluate_syscall(c, &action("kv_get"), &on), Verdict::Allow(p) if p.cached());
    assert!(!cached(&mut context) && cached(&mut context), "others are");
}

#[test]
fn a_denial_is_remembered_with_its_reason() {
    let evaluator = evaluator(&[]);
    let mut context = context(&[]);
    let on = resource(&action("kv_set"), "k", true);
    let mut ask = || match evaluator.evaluate_syscall(&mut context, &action("kv_set"), &on) {
        Verdict::Deny(denial) => denial,
        Verdict::Allow(_) => panic!("allowed"),
    };
    let (first, second) = (ask(), ask());
    assert!(!first.cached && second.cached);
    assert_eq!((&first.reason, &first.missing), (&second.reason, &second.missing));
}
