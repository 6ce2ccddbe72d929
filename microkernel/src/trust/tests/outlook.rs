//! What is foretold is what is decided: of every action, for every principal, whatever it touches.

use super::*;

const POLICIES: [&str; 4] = [
    r#"permit(principal in Publisher::"acme", action in Action::"clock.*", resource);"#,
    r#"permit(principal == Plugin::"redactor", action == Action::"event_emit", resource == EventResource::"x");"#,
    r#"@id("shut") forbid(principal, action == Action::"random", resource);"#,
    r#"@label("secret") permit(principal, action == Action::"kv_get", resource) when { resource.name like "s/*" };"#,
];

#[test]
fn what_never_and_always_happens_does_so_whatever_is_touched() {
    let evaluator = evaluator(&POLICIES);
    let scoped = permissions(&[("storage", "get:a/*"), ("clock", "now"), ("random", "bytes")]);
    let mut seen = std::collections::BTreeMap::new();
    for (name, grants) in [("redactor", everything()), ("redactor", scoped), ("other", Vec::new())] {
        let context = TrustContext::with_grants(Arc::new(plugin(name, "acme")), grants);
        for action in builtin_actions() {
            let Outlook { prospect, policies } = evaluator.outlook(&context, &action);
            for (on, private) in [("x", false), ("x", true), ("s/1", false), ("a/1", true)] {
                let verdict = evaluator.evaluate(&context, &action, &resource(&action, on, private));
                match (prospect, allowed(&evaluator, verdict)) {
                    (Prospect::Never, Ok(by)) => panic!("{} {on}: permitted by {by}", action.name),
                    (Prospect::Always, Err(denial)) => panic!("{} {on}: {}", action.name, denial.reason),
                    (_, Ok(by)) => assert!(by.split(',').all(|id| policies.contains(&id.to_owned())), "{by}"),
                    (_, Err(_)) => {}
                }
            }
            *seen.entry(prospect.name()).or_insert(0) += 1;
        }
    }
    assert!(["never", "depends", "always"].iter().all(|word| seen.get(word) > Some(&2)), "{seen:?}");
}

#[test]
fn who_may_speak_is_named_and_who_is_not_granted_is_not_spoken_of() {
    let evaluator = evaluator(&POLICIES);
    let outlook = |grants: &[(&str, &str)], name: &str| evaluator.outlook(&context(grants), &action(name));
    let clock = outlook(&[("clock", "now")], "time_now");
    assert_eq!((clock.prospect, &clock.policies[..]), (Prospect::Always, &["s0:policy0".to_owned()][..]));
    assert_eq!(outlook(&[], "time_now"), Outlook { prospect: Prospect::Never, policies: vec![] });
    assert_eq!(outlook(&[("observability", "event")], "event_emit").prospect, Prospect::Depends);
    assert_eq!(outlook(&[("random", "bytes")], "random").policies, ["s2:shut"]);
    let labelled = outlook(&[("storage", "get")], "kv_get");
    assert_eq!(labelled.policies, ["builtin:private-area", "s3:policy0"]);
    let ada = TrustContext::new(&IdentityContext::operator("ada"));
    let closed = super::evaluator(&[r#"forbid(principal, action == Action::"kv_get", resource);"#]);
    assert_eq!(closed.outlook(&context(&[("storage", "get")]), &action("kv_get")).prospect, Prospect::Never);
    assert_eq!(evaluator.outlook_management(&ada, ManagementAction::Remove).prospect, Prospect::Always);
}

#[test]
fn what_policies_name_is_told_and_actions_are_not() {
    let evaluator = evaluator(&POLICIES);
    let named: Vec<(String, String)> = evaluator.mentions().into_iter().map(|m| (m.kind, m.name)).collect();
    let expected = [("Publisher", "acme"), ("EventResource", "x"), ("Plugin", "redactor")];
    assert_eq!(named, expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
    let texts = evaluator.policy_texts();
    assert_eq!(texts.len(), 5 + POLICIES.len());
    assert!(texts.iter().any(|(id, text)| id == "s2:shut" && text.contains("forbid")));
}
