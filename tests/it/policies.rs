//! Policies: a changed folder is obeyed by a daemon without a word, a denial is explained, other policies are tried.

use crate::shapes::shape_snapshot;
use forgeone_tests::{Daemon, Wat, World, lifecycle, pack_args};
use serde_json::Value;

const NO_WRITES: &str = "@id(\"no-writes\") forbid(principal, action == Action::\"kv_set\", resource);";

/// A home whose plugin `keeper` wrote one value, and was denied to write another by a policy.
fn denied() -> World {
    let world = World::development();
    world.install("keeper", &Wat::keeper().package()).ok();
    let put =
        |key: &[u8]| world.run_with(&["call", "keeper", "put", "--input", "-"], &pack_args(&[key, b"1"]));
    put(b"first").ok();
    world.write("home/trust/policy/site.cedar", NO_WRITES);
    put(b"second").fails(5, "E4002");
    world
}

#[test]
fn a_denial_is_explained_by_its_number_and_as_the_last_of_a_plugin() {
    let world = denied();
    let ran = world.run(&["policy", "explain", "--plugin", "keeper", "--json"]).ok();
    shape_snapshot("policy-explain", &ran);
    let json = ran.json();
    assert_eq!((&json["held_by"], &json["rules"][0]["id"]), (&"rule".into(), &"site.cedar:no-writes".into()));
    assert!(json["rules"][0]["text"].as_str().is_some_and(|text| text.contains("forbid")), "{json}");
    let ran = world.run(&["policy", "explain", &json["seq"].to_string()]).ok();
    let text = ran.text();
    assert!(text.contains("a forbid wins") && text.contains("kv_set key second by keeper"), "{text}");
    world.run(&["policy", "explain", "0"]).fails(2, "E0101");
    world.run(&["policy", "explain", "999999"]).fails(7, "E5008");
    world.run(&["policy", "explain", "--plugin", "nobody"]).fails(7, "E5008");
    world.run(&["policy", "explain"]).fails(2, "E0101");
}

#[test]
fn other_policies_are_tried_on_what_was_recorded() {
    let world = denied();
    let (now, other) = (world.path("home/trust/policy"), world.path("other"));
    let (now, other) = (now.display().to_string(), other.display().to_string());
    world.write("other/empty.cedar", "");
    let ran = world.run(&["policy", "test", &other, "--json"]).ok();
    shape_snapshot("policy-test", &ran);
    let changed = |json: &Value| {
        let lines = json["changed"].as_array().cloned().unwrap_or_default();
        lines
            .iter()
            .map(|l| format!("{} {}", l["call"]["resource"], l["after"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(&ran.json()), ["second permitted"]);
    let ran = world.run(&["policy", "diff", &other, &now, "--json"]).ok();
    shape_snapshot("policy-diff", &ran);
    assert_eq!(changed(&ran.json()), ["first denied", "second denied"]);
    let ran = world.run(&["policy", "test", &now]).ok();
    let text = ran.text();
    assert!(text.contains("first") && text.contains("would be decided otherwise"), "{text}");
    world.write("other/broken.cedar", "forbid(");
    world.run(&["policy", "test", &other]).fails(2, "E2004").says("broken.cedar");
    world.run(&["policy", "diff", &now, "nowhere"]).fails(7, "E5008");
}

/// Words of the lines of this list that have all of these fields.
fn lines(json: &Value, list: &str, fields: &[&str]) -> Vec<String> {
    let all = json[list].as_array().cloned().unwrap_or_default();
    let word = |line: &Value, field: &&str| line[*field].as_str().unwrap_or_default().to_owned();
    all.iter().map(|l| fields.iter().map(|f| word(l, f)).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn policies_differ_before_anything_was_recorded() {
    let world = World::development();
    world.install("keeper", &Wat::keeper().package()).ok();
    let (old, new) = (world.path("old"), world.path("new"));
    let (old, new) = (old.display().to_string(), new.display().to_string());
    world.write("old/same.cedar", "@id(\"same\") permit(principal, action == Action::\"ping\", resource);");
    world.write("old/a.cedar", "@id(\"gone\") forbid(principal, action == Action::\"start\", resource);");
    world.write("new/same.cedar", "@id(\"same\") permit(principal, action == Action::\"ping\", resource);");
    world.write("new/site.cedar", NO_WRITES);
    let ran = world.run(&["policy", "diff", &old, &new, "--json"]).ok();
    let json = ran.json();
    assert_eq!(
        lines(&json, "policies", &["id", "edit"]),
        ["a.cedar:gone removed", "site.cedar:no-writes added"]
    );
    let told = lines(&json, "prospects", &["principal_kind", "principal", "action", "before", "after"]);
    assert_eq!(
        told,
        [
            "plugin keeper kv_set depends never",
            "plugin keeper kv_cas depends never",
            "operator * start never always"
        ]
    );
    let ran = world.run(&["policy", "diff", &new, &new]).ok();
    assert!(ran.text().contains("the policies are the same"), "{}", ran.text());
}

#[test]
fn roles_and_tiers_of_trust_toml_decide_from_the_next_command_on() {
    let world = World::development();
    world.install("keeper", &Wat::keeper().package()).ok();
    world.write(
        "home/trust/policy/site.cedar",
        "@id(\"writers\") forbid(principal is Plugin, action == Action::\"kv_set\", resource)\n\
         unless { principal in Role::\"writers\" && principal.tier == \"trusted\" };",
    );
    let text = world.run(&["policy", "check"]).ok().text().to_owned();
    assert!(text.contains("Role::\"writers\": trust.toml gives nobody this role"), "{text}");
    let put = || world.run_with(&["call", "keeper", "put", "--input", "-"], &pack_args(&[b"k", b"1"]));
    put().fails(5, "E4002");
    let publisher = world.run(&["status", "keeper", "--json"]).ok().json()["publisher"].clone();
    let plugins = format!("plugins = [\"{}/keep*\"]", publisher.as_str().expect("a publisher"));
    let role = format!("version = 1\n[[role]]\nname = \"writers\"\n{plugins}\n");
    world.write("home/trust/trust.toml", &role);
    put().fails(5, "E4002");
    world.write("home/trust/trust.toml", format!("{role}[[tier]]\nname = \"trusted\"\n{plugins}\n"));
    put().ok();
    let text = world.run(&["policy", "check"]).ok().text().to_owned();
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn a_policy_that_speaks_of_what_there_is_not_names_the_place() {
    let world = World::development();
    for (text, word) in [
        ("permit(principal is Plugin, action, resource)\nwhen { principal.teir == \"x\" };", "tier"),
        ("permit(principal is Operator, action, resource)\nwhen { principal.trust == \"full\" };", "trust"),
        ("permit(principal, action, resource)\nwhen { context.hour > 3 };", "hour"),
    ] {
        world.write("home/trust/policy/site.cedar", text);
        world.run(&["policy", "check"]).fails(2, "E2004").says("line 2").says(word);
    }
}

#[test]
fn the_evidence_of_a_quarantine_is_checked_by_a_command() {
    let world = World::development();
    let config = "plugin_manager:\n  environment: development\n  trust_score: { severity: 1000 }\n  \
                  security: { verify_signatures: false, namespace_isolation: false }\n";
    world.write("home/plugin-manager.yaml", config);
    let trap = "(func (export \"trap\") (param i32) (result i32) unreachable)";
    let bad = Wat::new("bad", &["trap"], &format!("{}{trap}", lifecycle()));
    world.install("bad", &bad.package()).ok();
    for _ in 0..4 {
        world.run(&["call", "bad", "trap"]).exits(5);
    }
    let status = world.run(&["status", "bad", "--json"]).ok().json();
    assert_eq!(status["state"], "Quarantined", "{status}");
    let bundle = status["evidence"].as_str().expect("a bundle").to_owned();
    let statement = world.path("statement.json").display().to_string();
    let ran = world.run(&["audit", "quarantine", &bundle, "-o", &statement, "--json"]).ok();
    shape_snapshot("audit-quarantine", &ran);
    assert_eq!((&ran.json()["plugin"], &ran.json()["version"]), (&"bad".into(), &status["version"]));
    let written = std::fs::read_to_string(&statement).expect("written");
    assert!(written.contains("attestations/quarantine/v1"));
    let key = world.run(&["audit", "verify", "--json"]).ok().json()["key"].as_str().unwrap_or("").to_owned();
    let text = world.run(&["audit", "quarantine", &bundle, "--key", &key]).ok().text().to_owned();
    assert!(text.contains("holds") && text.contains("its trust score fell"), "{text}");
    let other = World::development();
    other.run(&["list"]).ok();
    other.run(&["audit", "quarantine", &bundle]).fails(3, "E1204");
    world.run(&["audit", "quarantine", &statement]).fails(3, "E1202");
    world.run(&["audit", "quarantine", &bundle, "--key", "none"]).fails(2, "E0101");
    world.run(&["audit", "quarantine", "nowhere"]).fails(7, "E5008");
}

#[test]
fn a_daemon_obeys_changed_policies_without_being_told() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let mut daemon = Daemon::start(&world, &[]);
    let file = world.write(
        "home/trust/policy/no-calls.cedar",
        "@id(\"no-calls\") forbid(principal, action == Action::\"call\", resource);",
    );
    daemon.says("policies read again: 1 file");
    world.run(&["call", "good", "hello"]).fails(4, "E2001");
    std::fs::write(&file, "forbid(nobody knows").expect("written");
    assert!(daemon.says("the policies stay as they were").contains("E2004"));
    world.run(&["call", "good", "hello"]).fails(4, "E2001");
    assert!(world.run(&["doctor"]).fails(1, "E0107").text().contains("stay in force"));
    std::fs::remove_file(&file).expect("removed");
    daemon.says("policies read again: 0 files");
    world.run(&["call", "good", "hello"]).ok();
    daemon.stop();
}
