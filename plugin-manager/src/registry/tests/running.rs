//! A host that stays open: what is desired running comes up in order, and what was changed beside it holds.

use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;

on_each_engine! {
    what_is_desired_running_comes_up_after_what_it_needs
    what_cannot_come_up_keeps_down_what_needs_it_and_nobody_else
}

fn needs(name: &str, on: &str) -> Vec<u8> {
    Guest::new(name).tables(&format!("[dependencies]\n{on} = \"^1.0.0\"\n")).package()
}

/// The name and the code of each plugin that was to come up.
fn brought_up(host: &crate::PluginManager) -> Vec<(String, Option<&'static str>)> {
    let all = host.bring_up_desired().unwrap();
    all.into_iter().map(|p| (p.name, p.outcome.err().map(|e| e.code().id))).collect()
}

fn what_is_desired_running_comes_up_after_what_it_needs(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("z").package(), true).unwrap();
    host.install(&needs("m", "z"), true).unwrap();
    host.install(&needs("a", "m"), true).unwrap();
    host.install(&Guest::new("idle").package(), false).unwrap();
    host.install(&Guest::new("still").package(), true).unwrap();
    host.pause("still").unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    let up = |name: &str| (name.to_owned(), None);
    assert_eq!(brought_up(&host), [up("z"), up("m"), up("a")]);
    let states: Vec<String> = host.list().unwrap().into_iter().map(|p| p.state).collect();
    assert_eq!(states, ["Running", "Stopped", "Running", "Paused", "Running"]);
    assert_eq!(brought_up(&host), [up("z"), up("m"), up("a")], "what is up stays up");
    host.shutdown().unwrap();
}

fn what_cannot_come_up_keeps_down_what_needs_it_and_nobody_else(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("base").package(), true).unwrap();
    host.install(&needs("user", "base"), true).unwrap();
    host.install(&Guest::new("other").package(), true).unwrap();
    host.stop("base").unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    let expected = [("other", None), ("user", Some("E5003"))];
    assert_eq!(brought_up(&host), expected.map(|(name, code)| (name.to_owned(), code)));
    assert_eq!(world.recorded(&host, &["\"action\":\"start\"", "E5003", "user"]), 1);
    host.shutdown().unwrap();
}

#[test]
fn trust_that_cannot_be_used_any_more_refuses_in_a_host_that_is_open() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    std::fs::write(world.path("trust/trust.toml"), "version = \"no number\"").unwrap();
    assert_eq!(code(host.install(&Guest::new("b").package(), true)), "E1408");
    std::fs::remove_file(world.path("trust/trust.toml")).unwrap();
    host.install(&Guest::new("b").package(), true).unwrap();
}

#[test]
fn policies_are_put_in_force_whole_or_not_at_all() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let file = world.path("trust/policy/site.cedar");
    std::fs::write(&file, "forbid(principal, action == Action::\"call\", resource);").unwrap();
    assert!(host.call("a", "echo", vec![]).is_ok(), "nobody has read it");
    assert_eq!(host.reload_policies().unwrap(), 1);
    assert_eq!(code(host.call("a", "echo", vec![])), "E2001");
    std::fs::write(&file, "forbid(nobody").unwrap();
    let refused = host.reload_policies().unwrap_err();
    assert_eq!(refused.code().id, "E2004");
    assert!(
        refused.to_string().contains(&file.display().to_string())
            || refused.reasons().iter().any(|r| r.contains("site.cedar")),
        "{refused:?}"
    );
    assert_eq!(code(host.call("a", "echo", vec![])), "E2001");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(host.reload_policies().unwrap(), 0);
    assert!(host.call("a", "echo", vec![]).is_ok());
    assert_eq!(world.recorded(&host, &["\"change\":\"policies\"", "\"outcome\":\"ok\""]), 2);
}

#[test]
fn policies_cannot_keep_their_own_files_from_being_read() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    let file = world.path("trust/policy/site.cedar");
    let closed = r#"forbid(principal, action in Action::"management.*", resource) unless { action == Action::"read" };"#;
    std::fs::write(&file, closed).unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap(), 1);
    assert_eq!(code(host.reload_policies()), "E2001", "an operator is asked");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap(), 0);
    assert_eq!(host.reload_policies().unwrap(), 0);
}

#[test]
fn a_policy_directory_that_is_away_is_not_an_empty_one() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let (dir, away) = (world.path("trust/policy"), world.path("trust/policy.away"));
    std::fs::write(dir.join("site.cedar"), "forbid(principal, action == Action::\"call\", resource);")
        .unwrap();
    host.reload_changed_policies().unwrap().unwrap();
    std::fs::rename(&dir, &away).unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap_err().code().id, "E0002");
    assert_eq!(code(host.call("a", "echo", vec![])), "E2001");
    assert!(host.doctor().iter().any(|probe| probe.name == "policies" && probe.verdict == "problem"));
    assert!(host.reload_changed_policies().is_none(), "told once");
    std::fs::create_dir(&dir).unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap(), 0);
    assert!(host.call("a", "echo", vec![]).is_ok());
}

#[test]
fn changed_policy_files_are_put_in_force_when_looked_at_and_broken_ones_are_told_of_once() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    assert!(host.reload_changed_policies().is_none());
    let file = world.path("trust/policy/site.cedar");
    std::fs::write(&file, "forbid(principal, action == Action::\"call\", resource);").unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap(), 1);
    assert!(host.reload_changed_policies().is_none());
    assert_eq!(code(host.call("a", "echo", vec![])), "E2001");
    std::fs::write(&file, "forbid(nobody").unwrap();
    assert_eq!(code(host.reload_changed_policies().unwrap()), "E2004");
    assert!(host.reload_changed_policies().is_none(), "told once");
    assert_eq!(code(host.call("a", "echo", vec![])), "E2001", "what was in force stays");
    let probe = || host.doctor().into_iter().find(|probe| probe.name == "policies").unwrap();
    assert_eq!(probe().verdict, "problem");
    assert!(probe().detail.contains("site.cedar"), "{}", probe().detail);
    assert!(host.metrics_text().contains("\nforgeone_policy_stale 1\n"));
    assert!(world.recorded(&host, &["\"action\":\"configure\"", "E2004"]) == 1);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(host.reload_changed_policies().unwrap().unwrap(), 0);
    assert!(host.call("a", "echo", vec![]).is_ok());
    assert_eq!(probe().verdict, "ok");
    assert!(host.metrics_text().contains("\nforgeone_policy_stale 0\n"));
}
