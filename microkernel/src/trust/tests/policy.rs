//! Policy files: what they may say, how they are refused, and that forbidding wins.

use super::super::membership::Position;
use super::super::ruling::Circumstances;
use super::super::{cedar, rules};
use super::*;
use crate::trust::table::Table;
use common::error::{Coded, codes};

fn problems(text: &str) -> Vec<String> {
    match TrustEvaluator::new(&builtin_actions(), &[source("10-net.cedar", text)]) {
        Err(TrustError::Policy { name, problems }) => {
            assert_eq!(name, "10-net.cedar");
            problems
        }
        other => panic!("{text}\naccepted: {other:?}"),
    }
}

#[test]
fn an_unknown_action_or_group_is_answered_with_the_nearest_one() {
    let policy = |action: &str| format!("forbid(principal, action in Action::\"{action}\", resource);\n");
    let said = |action: &str| problems(&policy(action)).join("\n");
    assert!(said("clok.*").contains("(did you mean `clock.*`?)"), "{}", said("clok.*"));
    assert!(said("kv_gte").contains("(did you mean `kv_get`?)"), "{}", said("kv_gte"));
    assert!(said("cal").contains("(did you mean `call`?)"), "{}", said("cal"));
    let added = said("bell_ring");
    assert!(added.contains("added by another program") && !added.contains("did you mean"), "{added}");
    assert!(said("weather.*").contains("no such group"), "{}", said("weather.*"));
    let two = problems(&(policy("clok.*") + &policy("kv_gte")));
    assert!(two[0].starts_with("line 1:") && two.last().unwrap().starts_with("line 2:"), "{two:?}");
}

#[test]
fn the_rules_without_cedar_rule_as_the_built_in_policies_do() {
    let table = Table::new(&builtin_actions()).unwrap();
    let people = [plugin("p", "acme"), IdentityContext::operator("ada"), IdentityContext::new("host")];
    for enforcement in [Enforcement::PolicyDecides, Enforcement::GrantedIsPermitted] {
        let options = PolicyOptions { enforcement, ..PolicyOptions::default() };
        let with = cedar::Engine::new(&table, &options).unwrap();
        let without = rules::Engine::new(&table, &options).unwrap();
        let (policies, none) = (with.compile(&[]).unwrap(), without.compile(&[]).unwrap());
        let calls = builtin_actions();
        let rows = calls.iter().filter_map(|a| table.find(a));
        let verbs = ManagementAction::ALL.into_iter().filter_map(|v| table.management(v));
        for row in rows.chain(verbs) {
            let action = table.get(row).unwrap();
            for (who, private) in people.iter().flat_map(|who| [(who, true), (who, false)]) {
                let on = resource(action, "x", private);
                let none_given = Memberships::default();
                let position = Position::new(TrustClass::Full, &none_given, who);
                let subject = with.subject(who, &position);
                let whole = with.decide_whole(&policies, &subject, row, &on, Circumstances::default());
                let subject = without.subject(who, &position);
                let plain = without.decide_whole(&none, &subject, row, &on, Circumstances::default());
                assert_eq!(whole, plain, "{} {who:?} private={private}", action.name);
            }
        }
    }
    assert!(
        rules::Engine::new(&table, &PolicyOptions::default()).unwrap().compile(&[source("a", "")]).is_err()
    );
}

#[test]
fn the_built_in_policies_fit_the_schema() {
    // As a source they would be refused for a name or an attribute the schema does not have.
    let text = cedar::builtin_text();
    TrustEvaluator::new(&builtin_actions(), &[source("copy", &text)]).unwrap();
}

#[test]
fn policies_permit_by_publisher_role_tag_attribute_and_context() {
    let permits = [
        r#"permit(principal in Publisher::"acme", action == Action::"time_now", resource);"#,
        r#"permit(principal in Role::"clocks", action == Action::"time_now", resource);"#,
        r#"permit(principal, action == Action::"time_now", resource)
           when { principal.hasTag("tier") && principal.getTag("tier") == "gold" };"#,
        r#"permit(principal is Plugin, action == Action::"time_now", resource)
           when { principal.version == "1.2.0" && principal.roles.contains("clocks") };"#,
        r#"permit(principal, action in Action::"clock.*", resource) when { context.environment == "production" };"#,
        r#"permit(principal == Plugin::"redactor", action, resource is NoneResource);"#,
    ];
    let who = plugin("redactor", "acme").with_role("clocks").with_attribute("tier", "gold");
    let stranger = plugin("other", "evil").with_attribute("tier", "tin");
    for (i, permit) in permits.iter().enumerate() {
        let evaluator = evaluator(&[permit]);
        let ask = |who: &IdentityContext| {
            let mut context =
                TrustContext::with_grants(Arc::new(who.clone()), permissions(&[("clock", "now")]));
            decide(&evaluator, &mut context, "time_now", ("", false))
        };
        assert_eq!(ask(&who).as_deref(), Ok("s0:policy0"), "{permit}");
        assert_eq!(ask(&stranger).is_ok(), i == 4, "{permit}");
    }
}

#[test]
fn forbidding_wins_and_is_named() {
    let evaluator = evaluator(&[
        r#"permit(principal, action, resource);"#,
        r#"@id("no-secrets") forbid(principal, action, resource is KeyResource) when { resource.name like "secret/*" };"#,
    ]);
    let mut context = context(&[("storage", "get")]);
    assert!(decide(&evaluator, &mut context, "kv_get", ("plain", true)).is_ok());
    let denial = decide(&evaluator, &mut context, "kv_get", ("secret/a", true)).unwrap_err();
    assert_eq!(denial.code, &codes::E2001);
    assert_eq!(denial.reason, "forbidden by s1:no-secrets");
    assert_eq!(&*evaluator.policy_ids(denial.policies), "s1:no-secrets");
}

#[test]
fn what_is_forbidden_cannot_be_done_by_a_finer_action() {
    let all = "permit(principal, action, resource);";
    for head in [r#"== Action::"file_write""#, r#"in Action::"file_write""#, r#"in [Action::"file_write"]"#] {
        let forbid = format!(
            r#"forbid(principal, action {head}, resource) when {{ resource.name like "/data/archive/*" }};"#
        );
        let evaluator = evaluator(&[all, &forbid]);
        let mut context = context(&[("filesystem", "write")]);
        for finer in
            ["file_write", "file_open", "file_write_at", "file_resize", "file_rename_to", "dir_create"]
        {
            let denial = decide(&evaluator, &mut context, finer, ("/data/archive/x", true)).unwrap_err();
            assert_eq!(denial.code, &codes::E2001, "{finer} {head}");
            assert!(decide(&evaluator, &mut context, finer, ("/data/x", true)).is_ok(), "{finer}");
        }
        assert!(decide(&evaluator, &mut context, "file_append", ("/data/archive/x", true)).is_ok());
    }
}

#[test]
fn an_annotation_that_is_nearly_one_is_refused() {
    for wrong in ["Label", "lable", "labels", "ID", "iD"] {
        let said = problems(&format!(
            r#"@{wrong}("secret") permit(principal, action == Action::"ping", resource);"#
        ));
        assert!(said[0].contains("did you mean"), "{said:?}");
    }
    evaluator(&[r#"@advice("ask us") @id("a") permit(principal, action == Action::"ping", resource);"#]);
}

#[test]
fn a_permit_of_one_action_permits_no_finer_one() {
    let exact = evaluator(&[r#"permit(principal, action == Action::"file_write", resource);"#]);
    let whole = evaluator(&[r#"permit(principal, action in Action::"file_write", resource);"#]);
    for (evaluator, finer) in [(&exact, false), (&whole, true)] {
        let mut context = context(&[("filesystem", "write:/x")]);
        assert!(decide(evaluator, &mut context, "file_write", ("/x", false)).is_ok());
        assert_eq!(decide(evaluator, &mut context, "file_write_at", ("/x", false)).is_ok(), finer);
    }
}

#[test]
fn a_forbidding_policy_wins_over_the_development_mode() {
    let options = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
    let forbid = [source("f", r#"forbid(principal, action == Action::"random", resource);"#)];
    let evaluator = TrustEvaluator::with_options(&builtin_actions(), &forbid, &options).unwrap();
    let mut context = context(&[("random", "bytes")]);
    let denial = decide(&evaluator, &mut context, "random", ("", false)).unwrap_err();
    assert_eq!(denial.code, &codes::E2001);
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_though_another_permits() {
    let overflow = r#"forbid(principal, action == Action::"ping", resource)
        when { (context.depth + 9223372036854775807) * 2 > 0 };"#;
    let evaluator = evaluator(&[overflow]);
    let denial = decide(&evaluator, &mut context(&[]), "ping", ("", false)).unwrap_err();
    assert_eq!(denial.code, &codes::E2003);
    assert!(denial.reason.contains("s0:policy0"), "{}", denial.reason);
    assert!(decide(&evaluator, &mut context(&[]), "log", ("", false)).is_ok(), "others are not affected");
}

#[test]
fn the_policy_a_denial_suggests_permits_it() {
    let names = ["HOME", "quote\"and\\slash", "line\nbreak", "*", "\u{1f600}"];
    for action in builtin_actions() {
        for name in names {
            let grants = || TrustContext::with_grants(Arc::new(plugin("p", "acme")), everything());
            let on = resource(&action, name, false);
            let open = evaluator(&[]);
            let Verdict::Deny(denial) = open.evaluate(&grants(), &action, &on) else { continue };
            let missing = denial.missing.unwrap();
            if missing.starts_with("permit") {
                let evaluator = evaluator(&[&missing]);
                let verdict = evaluator.evaluate(&grants(), &action, &on);
                assert!(matches!(verdict, Verdict::Allow(_)), "{missing}");
            } else {
                assert!(action.needs.iter().any(|n| n.private_by_default()), "{missing}");
            }
        }
    }
}

#[test]
fn sources_that_are_not_valid_are_refused_with_their_line() {
    for (text, line, word) in [
        ("permit(principal, action, resource);\npermit(princpal, action, resource);", "line 2", "princpal"),
        ("\n\npermit(principal, action == Action::\"kv_gte\", resource);", "line 3", "kv_get"),
        ("permit(principal, action, resource)\n  when { resource.nam == \"x\" };", "line 2", "nam"),
        ("permit(principal, action, resource)\nwhen { principal.getTag(\"a\") == \"x\" };", "line 2", "a"),
        ("permit(principal is Plugin, action in Action::\"management.*\", resource);", "line 1", "action"),
        ("permit(principal, action, resource) when { context.time > 3 };", "line 1", "time"),
        ("permit(principal, action, resource", "line 1", ""),
        (
            "permit(principal, action == Action::\"kv_get\", resource is PathResource);",
            "line 1",
            "impossible",
        ),
        ("permit(principal, action, resource) when { resource.name == \"\u{202e}x\" };", "line 1", ""),
    ] {
        let found = problems(text);
        let all = found.join("\n");
        assert!(all.contains(line) && all.contains(word), "{text}\n-> {all}");
    }
    assert!(problems("permit(principal == ?principal, action, resource);")[0].contains("?principal"));
    for id in ["", "a,b", "a\\nb", &"x".repeat(129)] {
        let found = problems(&format!("@id(\"{id}\") permit(principal, action, resource);"));
        assert!(found[0].contains("an @id has"), "{found:?}");
    }
    let twice =
        "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") forbid(principal, action, resource);";
    assert!(problems(twice)[0].contains("10-net.cedar:a"));
}

#[test]
fn nobody_can_pass_for_the_built_in_policy() {
    let text = "permit(principal, action, resource);";
    for name in ["builtin", "builtin:private-area"] {
        let error = TrustEvaluator::new(&builtin_actions(), &[source(name, text)]).unwrap_err();
        assert_eq!(error.code(), &codes::E2004);
        assert!(error.reasons()[0].contains("taken"));
    }
    // A different source and id may still spell the same text; the set refuses it.
    let twins = [
        source("a", "@id(\"b:c\") permit(principal, action, resource);"),
        source("a:b", "@id(\"c\") permit(principal, action, resource);"),
    ];
    assert!(TrustEvaluator::new(&builtin_actions(), &twins).is_err());
}

#[test]
fn the_schema_names_every_action_and_kind() {
    let evaluator = evaluator(&[]);
    for action in builtin_actions() {
        assert!(evaluator.schema().contains(&format!("action \"{}\"", action.name)));
    }
    assert!(evaluator.schema().contains("entity PathResource"));
}

#[test]
fn a_source_that_is_refused_changes_nothing() {
    let evaluator = evaluator(&[r#"permit(principal, action == Action::"time_now", resource);"#]);
    assert!(evaluator.publish(&[source("bad", "permit(")]).is_err());
    assert!(evaluator.check(&[source("bad", "permit(")]).is_err());
    assert!(evaluator.check(&[]).is_ok());
    assert_eq!(evaluator.epoch(), 1);
    assert!(decide(&evaluator, &mut context(&[("clock", "now")]), "time_now", ("", false)).is_ok());
    assert_eq!(evaluator.publish(&[]).unwrap(), 2);
    assert!(decide(&evaluator, &mut context(&[("clock", "now")]), "time_now", ("", false)).is_err());
}
