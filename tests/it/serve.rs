//! What is asked of a running daemon is answered as without one, by plugins that stay up meanwhile.

use forgeone_tests::{Daemon, Engine, Environment, Ran, Wat, World, lifecycle, on_both_engines};
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread;

/// A plugin `counter` whose `count` says how often it was called since `init`, as one byte from `1`.
fn counter() -> Vec<u8> {
    let body = r#"(global $n (mut i32) (i32.const 0))
        (func (export "init") (result i32) (global.set $n (i32.const 48)) (i32.const 0))
        (func (export "start") (result i32) (i32.const 0))
        (func (export "stop") (result i32) (i32.const 0))
        (func (export "count") (param i32) (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1)))
          (i32.store8 (i32.const 0) (global.get $n))
          (call $output (i32.const 0) (i32.const 1)))"#;
    Wat::new("counter", &["count"], body).package()
}

/// A plugin `bad` that fails in every way there is.
fn bad() -> Vec<u8> {
    let body = r#"(data (i32.const 0) "the sky fell")
        (func (export "status") (param i32) (result i32) (call $fail (i32.const 0) (i32.const 12)) (i32.const 42))
        (func (export "trap") (param i32) (result i32) unreachable)
        (func (export "spin") (param i32) (result i32) (loop $a (br $a)) (i32.const 0))"#;
    Wat::new("bad", &["status", "trap", "spin"], &format!("{}{body}", lifecycle())).package()
}

on_both_engines! {
    fn calls_on_a_running_daemon_share_an_instance_and_its_memory(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("counter", &counter()).ok();
        let count = || world.run(&["call", "counter", "count"]).ok().stdout;
        assert_eq!((count(), count()), (b"1".to_vec(), b"1".to_vec()), "without a daemon each call is the first");
        let daemon = Daemon::start(&world, &[]);
        assert_eq!(daemon.ready()["running"], serde_json::json!(["counter"]));
        assert_eq!((count(), count()), (b"1".to_vec(), b"2".to_vec()));
        daemon.stop();
        assert_eq!(count(), b"1");
    }
}

/// Every verb that opens the home, with every kind of outcome. `-` after a line is what stdin has.
const LINES: &[&str] = &[
    "install good.forgepkg",
    "install good.forgepkg",
    "install good.forgepkg --json",
    "install bad.forgepkg --no-start --json",
    "install nonsense.forgepkg",
    "install missing.forgepkg --json",
    "list",
    "list --json",
    "status good",
    "status nobody",
    "status goood --json",
    "status --json",
    "call good hello",
    "call good hello --json",
    "call good echo --input - --json",
    "call good nothing",
    "call nobody hello",
    "call bad status",
    "start bad",
    "call bad status",
    "call bad status --json",
    "call bad trap",
    "call bad spin",
    "config good set colour blue",
    "config good set --env LANG C --json",
    "config good get colour",
    "config good get shade",
    "config good list",
    "config good list --json",
    "config good unset colour",
    "config nobody list",
    "logs good",
    "logs bad --json",
    "logs nobody",
    "deps tree",
    "deps tree --with next.forgepkg --json",
    "deps check needy.forgepkg",
    "deps graph next.forgepkg",
    "pause good",
    "pause good",
    "call good hello",
    "resume good --json",
    "resume good",
    "stop good --json",
    "stop good",
    "call good hello",
    "start good --json",
    "upgrade next.forgepkg",
    "upgrade good.forgepkg",
    "upgrade good.forgepkg --allow-downgrade --json",
    "upgrade next.forgepkg",
    "rollback good",
    "rollback good --to 9.0.0",
    "install needy.forgepkg",
    "keys init --name house",
    "keys init --name house --json",
    "keys issue acme --algorithm ed25519 --days 90 --packages log-*",
    "keys issue acme",
    "keys list",
    "verify good.forgepkg",
    "policy check",
    "audit verify --json",
    "doctor",
    "remove bad --keep-data",
    "remove bad",
    "remove good --json",
    "list",
    "status",
];

fn prepared() -> World {
    let world = World::development();
    world.write("good.forgepkg", Wat::good().package());
    world.write("next.forgepkg", Wat::good().says("version", "1.1.0".into()).package());
    world.write("bad.forgepkg", bad());
    world.write("nonsense.forgepkg", b"nonsense");
    let needs = serde_json::json!({ "nobody-has-this": "^1.0" });
    world.write(
        "needy.forgepkg",
        Wat::good().says("name", "needy".into()).says("dependencies", needs).package(),
    );
    world
}

fn told(world: &World) -> Vec<Ran> {
    let run = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        world.run_with(&words, b"in\xff")
    };
    LINES.iter().map(run).collect()
}

/// What differs from one home to another, and what is true of a plugin with a daemon alone: it stays up.
fn comparable(world: &World, text: &str) -> String {
    let text = text.replace(world.path("").to_str().expect("UTF-8"), "[DIR]/");
    let facts = [
        ("started and stopped once: it will run", "started: it runs"),
        ("started and stopped again, desired running: a call brings it up", "Running, desired running"),
        ("Stopped, desired running: a call brings it up", "Running, desired running"),
        ("Stopped  running", "Running  running"),
        ("it cannot move from Stopped to Running", "it cannot move from Running to Running"),
    ];
    let text = facts.iter().fold(text, |text, (without, with)| text.replace(without, with));
    // Only what is supervised has a health, and only a host that stays up is ready.
    let own = |line: &&str| !line.starts_with("health ") && !line.starts_with("ready ");
    text.lines().filter(own).map(masked).collect::<Vec<_>>().join("\n")
}

/// A line without what is counted, drawn by lot, or the time.
fn masked(line: &str) -> String {
    let counted = [
        "calls ",
        "memory ",
        "daemon ",
        "health ",
        "ready ",
        "\"calls\"",
        "\"errors\"",
        "\"memory_bytes\"",
        "\"denials\"",
    ];
    let lots = ["fingerprint", "serial", "valid", "\"serial\"", "\"key\"", "\"fingerprint\"", "\"not_"];
    let log =
        ["\"records\"", "\"covered\"", "\"uncovered\"", "\"checkpoints\"", "\"root\"", "\"torn_bytes\""];
    let start = line.trim_start();
    match counted.iter().chain(&lots).chain(&log).find(|word| start.starts_with(**word)) {
        Some(word) => format!("{word} …"),
        None => line.split(' ').map(|w| if drawn_by_lot(w) { "…" } else { w }).collect::<Vec<_>>().join(" "),
    }
}

/// Milliseconds of a compilation, a moment, a digest of a certificate, or a line of one.
fn drawn_by_lot(word: &str) -> bool {
    let moment = word.len() == 20 && word.ends_with('Z');
    word.parse::<u32>().is_ok() || moment || word.starts_with("sha256:") || word.len() == 64
}

/// As [`comparable`], of each text in JSON.
fn comparable_texts(world: &World, value: Value) -> Value {
    match value {
        Value::String(text) => comparable(world, &text).into(),
        Value::Array(list) => list.into_iter().map(|value| comparable_texts(world, value)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, comparable_texts(world, value))).collect()
        }
        other => other,
    }
}

/// As [`comparable`], of JSON: states and what is counted aside.
fn comparable_json(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                let up = map.get("desired").is_some_and(|d| d == "running");
                if up && map.get("state").is_some_and(|s| s == "Stopped") {
                    map.insert("state".to_owned(), "Running".into());
                }
                for key in
                    ["calls", "errors", "denials", "memory_bytes", "daemon", "compiled_ms", "ready", "health"]
                {
                    map.remove(key);
                }
                for key in ["health", "ready", "not_ready", "restarts"] {
                    map.remove(key);
                }
                for key in ["records", "covered", "uncovered", "checkpoints", "root", "torn_bytes", "key"] {
                    map.remove(key);
                }
                // Checkpoints of the log, where it is verified; versions anywhere else.
                if map.get("kept").is_some_and(Value::is_number) {
                    map.remove("kept");
                }
                map.values_mut().for_each(walk);
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[test]
fn every_verb_answers_with_a_daemon_as_without_one() {
    let (alone, served) = (prepared(), prepared());
    let daemon = Daemon::start(&served, &[]);
    let (without, with) = thread::scope(|scope| {
        let without = scope.spawn(|| told(&alone));
        let with = told(&served);
        (without.join().expect("no panic"), with)
    });
    for (line, (without, with)) in LINES.iter().zip(without.iter().zip(&with)) {
        assert_eq!(without.code, with.code, "{line}: {without}{with}");
        let stderr = |world: &World, ran: &Ran| comparable(world, &ran.stderr);
        assert_eq!(stderr(&alone, without), stderr(&served, with), "{line}");
        if line.ends_with("--json") {
            let json = |world: &World, ran: &Ran| comparable_texts(world, ran.json());
            let (without, with) = (json(&alone, without), json(&served, with));
            assert_eq!(comparable_json(without), comparable_json(with), "{line}");
        } else {
            let stdout = |world: &World, ran: &Ran| comparable(world, &String::from_utf8_lossy(&ran.stdout));
            assert_eq!(stdout(&alone, without), stdout(&served, with), "{line}");
        }
    }
    daemon.stop();
}

/// Places and times differ from run to run; everything else is promised.
fn snapshot(name: &str, world: &World, value: &Value) {
    let json = serde_json::to_string_pretty(value).expect("JSON");
    let json = json.replace(world.path("").to_str().expect("UTF-8 path"), "[DIR]/");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        filters => vec![(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]")],
    }, { insta::assert_snapshot!(name, json); });
}

#[test]
fn fifty_clients_at_once_are_answered_each_with_its_own() {
    let world = World::development();
    world.install("counter", &counter()).ok();
    let daemon = Daemon::start(&world, &[]);
    let answers: BTreeSet<Vec<u8>> = thread::scope(|scope| {
        let ask = || world.run(&["call", "counter", "count"]).ok().stdout;
        let clients: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).collect()
    });
    assert_eq!(answers, (0..50).map(|n| vec![b'1' + n]).collect());
    daemon.stop();
}

#[test]
fn what_is_trusted_while_a_daemon_runs_holds_at_once() {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    let daemon = Daemon::start(&world, &[]);
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.write(
        "source/plugin.toml",
        "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n",
    );
    world.write("source/plugin.wasm", Wat::new("good", &[], lifecycle()).module());
    world.run(&["pack", "source", "-o", "p.forgepkg"]).ok();
    world.run(&["install", "p.forgepkg"]).fails(3, "E1201");
    world.run(&["sign", "p.forgepkg", "--publisher", "acme"]).ok();
    world.run(&["install", "p.forgepkg"]).ok();
    daemon.stop();
}

#[test]
fn a_plugin_that_cannot_come_up_is_said_and_keeps_nobody_else_down() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let ill = r#"(func (export "init") (result i32) (i32.const 7))
        (func (export "start") (result i32) (i32.const 0)) (func (export "stop") (result i32) (i32.const 0))"#;
    world.install("ill", &Wat::new("ill", &[], ill).package()).exits(5);
    let mut daemon = Daemon::start(&world, &[]);
    assert_eq!(daemon.ready()["running"], serde_json::json!(["good"]));
    assert_eq!(daemon.ready()["not_ready"][0]["plugin"], "ill");
    let mut ready = daemon.ready().clone();
    ready["pid"] = 4711.into();
    snapshot("serve", &world, &ready);
    daemon.says("plugin ill is not ready: it is Failed: ");
    daemon.says("1 plugin running, 1 not");
    world.run(&["call", "good", "hello"]).ok();
    daemon.stop();
}

#[test]
fn a_daemon_says_that_it_runs_and_since_when() {
    let world = World::development();
    assert_eq!(world.run(&["status", "--json"]).ok().json()["daemon"], Value::Null);
    assert!(world.run(&["status"]).ok().text().starts_with("daemon  none\n"));
    let daemon = Daemon::start(&world, &[]);
    let status = world.run(&["status", "--json"]).ok().json();
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert_eq!(status["daemon"]["since"], daemon.ready()["since"]);
    let mut told = status;
    told["daemon"]["pid"] = 4711.into();
    snapshot("status-served", &world, &told);
    let line = format!("process {}, since ", daemon.pid());
    assert!(world.run(&["status"]).ok().text().contains(&line));
    assert!(world.run(&["doctor"]).ok().text().contains(&line));
    daemon.stop();
}

#[test]
fn a_command_that_names_another_configuration_is_refused() {
    let world = World::development();
    let other = world.write("other.yaml", "plugin_manager: { max_plugins: 3 }");
    let daemon = Daemon::start(&world, &[]);
    world.run(&["list", "--config", "other.yaml"]).fails(2, "E0101").says(other.to_str().expect("UTF-8"));
    world.run(&["list", "--config", "home/plugin-manager.yaml"]).ok();
    daemon.stop();
}
