//! Policies: a changed folder is obeyed by a daemon without a word, a denial is explained, other policies are tried.

use crate::shapes::shape_snapshot;
use forgeone_tests::{Daemon, Wat, World, pack_args};
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
