//! What commands say is what a reader needs next: the verb that helps, the reason, the part that is wrong.

use forgeone_tests::{Daemon, Engine, Environment, Wat, World, lifecycle, signed_package};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const TOML: &str = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n";

fn with_good() -> World {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    world
}

#[test]
fn no_command_shows_the_commands_and_help_is_a_verb_too() {
    let world = World::development();
    let none = world.run(&[]).exits(2);
    assert!(none.stdout.is_empty() && none.stderr.contains("Make a package:"), "{none}");
    world.run(&["keys"]).exits(2).says("Usage: forgeone keys");
    assert_eq!(world.run(&["keys", "--json"]).exits(2).json()["error"]["code"], "E0101");
    let (verb, option) = (world.run(&["help"]).ok(), world.run(&["--help"]).ok());
    assert_eq!(verb.text(), option.text());
    let (verb, option) = (world.run(&["help", "policy", "check"]), world.run(&["policy", "check", "--help"]));
    assert_eq!(verb.ok().text(), option.ok().text());
}

#[test]
fn doctor_shows_what_keeps_a_home_from_opening_among_the_rest() {
    let world = World::development();
    let rows = |world: &World| {
        let ran = world.run(&["doctor"]).fails(1, "E0107");
        ran.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let verdict = |rows: &[String], name: &str| {
        let row = rows.iter().find(|row| row.starts_with(name)).unwrap_or_else(|| panic!("{name}: {rows:?}"));
        (row.contains(" problem "), row.clone())
    };
    world.write("home/trust/policy/broken.cedar", "forbid(");
    let seen = rows(&world);
    assert!(
        verdict(&seen, "policies").0 && verdict(&seen, "policies").1.contains("broken.cedar"),
        "{seen:?}"
    );
    assert!(!verdict(&seen, "configuration").0 && !verdict(&seen, "trust").0, "{seen:?}");
    world.write("other.yaml", "plugin_manager: { max_plugin: 3 }");
    let ran = world.run(&["doctor", "--config", "other.yaml"]).fails(1, "E0107");
    assert!(ran.text().contains("max_plugins") && ran.text().contains("policies"), "{ran}");
    set_permissions(world.home(), Permissions::from_mode(0o770)).unwrap();
    let seen = rows(&world);
    assert!(verdict(&seen, "home").1.contains("chmod 700"), "{seen:?}");
    world.run(&["list"]).exits(2).says("chmod go-w");
}

#[test]
fn doctor_finds_a_private_key_that_others_can_read() {
    let world = World::development();
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.run(&["doctor"]).ok();
    let key = world.path("home/keys/publishers/acme.key.pem");
    set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let ran = world.run(&["doctor"]).fails(1, "E0107");
    assert!(ran.text().contains("acme.key.pem"), "{ran}");
}

#[test]
fn a_second_daemon_is_refused_at_once() {
    let world = World::development();
    let daemon = Daemon::start(&world, &[]);
    let began = Instant::now();
    let refused = world.run(&["serve", "--wait", "60s"]).fails(7, "E5006");
    assert!(began.elapsed() < Duration::from_secs(30), "{refused}");
    refused.says(&format!("a daemon, process {}, serves it", daemon.pid()));
    daemon.stop();
}

#[test]
fn policies_that_are_not_in_force_are_checked_in_their_directory() {
    let world = World::development();
    world.write("site/a.cedar", "permit(principal, action == Action::\"storage.*\", resource);");
    let refused = world.run(&["policy", "check", "site"]).fails(2, "E2004");
    let refused = refused.says("site/a.cedar").says("action in Action::\"storage.*\"");
    assert!(refused.stderr.contains("line 1"), "{refused}");
    world.write("site/a.cedar", "permit(principal, action in Action::\"storage.*\", resource);");
    let ran = world.run(&["policy", "check", "site"]).ok();
    assert!(ran.text().contains("site/a.cedar"), "{ran}");
    assert!(!world.run(&["policy", "check"]).ok().text().contains("a.cedar"));
    world.run(&["policy", "check", "nowhere"]).fails(7, "E5008");
}

#[test]
fn a_setting_that_was_changed_or_was_not_there_is_said() {
    let world = with_good();
    let said = |words: &[&str]| world.run(words).ok().text().to_owned();
    assert_eq!(said(&["config", "good", "set", "rules", "x"]), "set config `rules` of good\n");
    assert_eq!(said(&["config", "good", "unset", "rules"]), "unset config `rules` of good\n");
    assert_eq!(said(&["config", "good", "unset", "rules"]), "was not set: config `rules` of good\n");
}

#[test]
fn the_last_records_of_one_plugin_and_outcome_are_found_behind_others() {
    let world = with_good();
    world.run(&["call", "good", "nothing"]).fails(7, "E5005");
    for _ in 0..12 {
        world.run(&["list"]).ok();
    }
    assert!(!world.run(&["audit", "tail", "-n", "10"]).ok().text().contains("good"));
    let records = |words: &[&str]| {
        let ran = world.run(&[&["audit", "tail", "--json"], words].concat()).ok();
        ran.json()["records"].as_array().cloned().unwrap()
    };
    let of_good = records(&["--plugin", "good", "-n", "1000"]);
    assert!(of_good.len() > 3, "{of_good:?}");
    assert!(of_good.iter().all(|r| r["resource"]["name"] == "good" || r["actor"]["plugin"] == "good"));
    assert_eq!(records(&["--plugin", "good", "-n", "2"]), of_good[of_good.len() - 2..]);
    assert!(
        records(&["--plugin", "nobody"]).is_empty() && records(&["--plugin", "good", "-n", "0"]).is_empty()
    );
    let failed = records(&["--plugin", "good", "--outcome", "failed"]);
    assert!(!failed.is_empty() && failed.iter().all(|r| r["outcome"] == "failed"), "{failed:?}");
}

#[test]
fn help_names_what_helps() {
    let world = World::development();
    let package = world.write("good.forgepkg", Wat::good().package());
    let package = package.to_str().unwrap();
    world.run(&["upgrade", package]).fails(7, "E5001").says("forgeone install");
    world.run(&["install", package]).ok();
    world.run(&["install", package]).fails(7, "E5004").says("forgeone upgrade");
    world.run(&["stop", "good"]).ok();
    world.run(&["stop", "good"]).fails(7, "E5002").says("stopped already");
    world.run(&["call", "good", "hello"]).fails(7, "E5003").says("forgeone start good");
    // The log says why, too.
    let ran = world.run(&["audit", "tail", "--outcome", "failed"]).ok();
    assert!(ran.text().contains("cannot move from Stopped"), "{ran}");
    world.run(&["start", "good"]).ok();
    world.run(&["pause", "good"]).ok();
    world.run(&["call", "good", "hello"]).fails(7, "E5003").says("forgeone resume good");
}

#[test]
fn a_deadline_names_the_time_of_the_call_that_it_was() {
    let world = World::development();
    let body = r#"(func (export "spin") (param i32) (result i32) (loop $a (br $a)) (i32.const 0))
        (func (export "three") (param i32) (result i32) (i32.const -3))"#;
    let body = format!("{}{body}", lifecycle());
    world.install("busy", &Wat::new("busy", &["spin", "three"], &body).package()).ok();
    world.run(&["call", "busy", "spin", "--timeout", "50ms"]).fails(6, "E4010").says("50ms, from --timeout");
    world.run(&["call", "busy", "three"]).fails(5, "E4002").says("forgeone audit tail");
}

#[test]
fn a_plugin_that_may_not_run_any_more_is_not_shown_as_waiting_for_a_call() {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    let package = signed_package(&world, TOML, Wat::new("good", &[], lifecycle()).module());
    world.run(&["install", package.to_str().unwrap()]).ok();
    let status = world.run(&["status", "good"]).ok();
    assert!(status.text().contains("a call brings it up") && !status.text().contains("failure"), "{status}");
    world.run(&["keys", "revoke", "acme"]).ok();
    let status = world.run(&["status", "good"]).ok();
    let failure = status.text().lines().find(|line| line.starts_with("failure")).expect("a reason");
    assert!(failure.contains("revoked") && !failure.contains("check 1"), "{failure}");
    assert!(!status.text().contains("a call brings it up"), "{status}");
    // A daemon says the same, in a line that can be read.
    let mut daemon = Daemon::start(&world, &[]);
    let line = daemon.says("plugin good is not ready");
    assert!(line.contains("revoked") && line.len() < 300, "{line}");
    let served = world.run(&["status", "good"]).ok();
    assert!(served.text().contains("revoked") && !served.text().contains("a call brings it up"), "{served}");
    daemon.stop();
}
