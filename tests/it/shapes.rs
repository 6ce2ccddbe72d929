//! What scripts rely on: one exit code and one error shape per class, and the JSON of every command.

use forgeone_tests::{Engine, Environment, Ran, Wat, World, lifecycle};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A development home with `good` in it.
fn with_good() -> World {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    world
}

/// A plugin `bad` that fails in every way there is.
fn bad() -> Vec<u8> {
    let body = r#"(data (i32.const 0) "the sky fell")
        (func (export "status") (param i32) (result i32) (call $fail (i32.const 0) (i32.const 12)) (i32.const 42))
        (func (export "trap") (param i32) (result i32) unreachable)
        (func (export "spin") (param i32) (result i32) (loop $a (br $a)) (i32.const 0))"#;
    Wat::new("bad", &["status", "trap", "spin"], &format!("{}{body}", lifecycle())).package()
}

/// The same value with the keys of its objects in order: their order says nothing.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            map.into_iter().collect()
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Digests, identifiers, times and places differ from run to run; everything else is promised.
fn snapshot(name: &str, ran: &Ran, world: &World) {
    let json = serde_json::to_string_pretty(&sorted(ran.json())).expect("JSON");
    let json = json.replace(world.path("").to_str().expect("UTF-8 path"), "[DIR]/");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        filters => vec![
            (r"sha256:[0-9a-f]{64}", "[DIGEST]"),
            (r"\+[0-9a-f]{8}\+[0-9A-Za-z+/]{44}", "[VKEY]"),
            (r#""serial": "[0-9a-f]+""#, r#""serial": "[SERIAL]""#),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[UUID]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
            (r#""(compiled_ms|\w*memory_\w*bytes|bytes|took_us|elapsed_ms|p50_us|p99_us)": \d+"#, r#""$1": [NUMBER]"#),
            (r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----", "[CERTIFICATE]"),
        ],
    }, { insta::assert_snapshot!(name, json); });
}

#[test]
fn each_class_of_error_has_its_exit_code() {
    let world = with_good();
    world.install("bad", &bad()).ok();
    world.write("source/plugin.toml", "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n");
    world.write("source/plugin.wasm", Wat::new("x", &[], lifecycle()).module());
    std::fs::create_dir(world.path("taken")).unwrap();
    world.run(&["pack", "source", "-o", "taken"]).fails(1, "E0002");
    world.run(&["call", "good"]).fails(2, "E0101");
    world.run(&["install", world.write("x.forgepkg", b"nonsense").to_str().unwrap()]).fails(3, "E1002");
    world.run(&["call", "bad", "status"]).fails(5, "E4002").says("42").says("the sky fell");
    world.run(&["call", "bad", "trap"]).fails(5, "E4001");
    world.run(&["call", "bad", "spin"]).fails(6, "E4010");
    world.run(&["call", "nobody", "hello"]).fails(7, "E5001");
    world.run(&["call", "goood", "hello"]).fails(7, "E5001").says("did you mean `good`?");
    world.run(&["call", "good", "nothing"]).fails(7, "E5005").says("its operations are ");
    world.run(&["sign", "missing.forgepkg", "--publisher", "acme"]).fails(7, "E5008");
}

#[test]
fn a_policy_that_forbids_denies_with_four() {
    let world = with_good();
    let policy = "@id(\"no-calls\") forbid(principal, action == Action::\"call\", resource);";
    world.write("home/trust/policy/no-calls.cedar", policy);
    world.run(&["policy", "check"]).ok();
    world.run(&["call", "good", "hello"]).fails(4, "E2001");
    world.run(&["list"]).ok();
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_named() {
    let world = World::development();
    world.write("home/trust/policy/typo.cedar", "forbid(principal, action == Action::\"cal\", resource);");
    let file = world.path("home/trust/policy/typo.cedar").display().to_string();
    world.run(&["policy", "check"]).fails(2, "E2004").says(&file).says("did you mean `call`?");
    world.run(&["list"]).fails(2, "E2004");
}

#[test]
fn a_damaged_log_fails_with_eight() {
    let world = with_good();
    let segments = world.files_below("audit");
    let (path, bytes) =
        segments.iter().find(|(p, _)| p.extension().is_some_and(|e| e == "jsonl")).expect("a segment");
    let mut changed = bytes.clone();
    changed[20] ^= 1;
    std::fs::write(path, changed).unwrap();
    let failed = world.run(&["audit", "verify", "--json"]).exits(8).json();
    assert_eq!(failed["error"]["class"], "audit", "{failed}");
}

#[test]
fn configuration_errors_name_the_place_and_the_nearest_key() {
    let world = World::development();
    world.write("typo.yaml", "plugin_manager:\n  max_plugin: 3\n");
    world
        .run(&["list", "--config", "typo.yaml"])
        .fails(2, "E0102")
        .says("typo.yaml:2:3: ")
        .says("did you mean `max_plugins`");
    world.run(&["list", "--config", "nowhere.yaml"]).exits(1);
}

#[test]
fn an_error_is_one_object_on_stdout_with_json() {
    let world = with_good();
    for (line, code) in [
        (["call", "nobody", "hello", "--json"].as_slice(), 7),
        (&["--json", "lst"], 2),
        (&["call", "good", "--json"], 2),
        (&["install", "missing.forgepkg", "--json"], 7),
    ] {
        let failed = world.run(line).exits(code);
        assert_eq!(failed.stderr, "", "{failed}");
        let error = failed.json()["error"].as_object().expect("an error").clone();
        let keys: BTreeSet<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["class", "code", "help", "message", "reasons"]), "{failed}");
    }
}

#[test]
fn help_and_version_are_results() {
    let world = World::development();
    assert!(world.run(&["--help"]).ok().text().contains("Usage: forgeone"));
    assert!(world.run(&["audit", "--help"]).ok().text().contains("prove"));
    assert_eq!(world.run(&["--version"]).ok().text(), "forgeone 1.0.0\n");
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let world = with_good();
    for line in [["--help"].as_slice(), &["list"], &["call", "good", "hello"], &["audit", "tail"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = world.command().args(line).stdout(writer).stderr(std::process::Stdio::piped()).spawn();
        let ended = child.expect("runs").wait_with_output().expect("ends");
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()), "{line:?}");
    }
}

#[test]
fn call_writes_the_result_and_nothing_else() {
    let world = with_good();
    let called = world.run(&["call", "good", "hello"]).ok();
    assert_eq!((called.stdout.as_slice(), called.stderr.as_str()), (b"hello".as_slice(), ""));
    let text = world.run(&["call", "good", "hello", "--json"]).ok().json();
    assert_eq!(text["output"], "hello");
    let bytes = world.run_with(&["call", "good", "echo", "--input", "-", "--json"], &[0xff, 0]).ok().json();
    assert_eq!((&bytes["output_base64"], &bytes["output"]), (&"/wA=".into(), &Value::Null));
}

#[test]
fn logs_show_what_a_plugin_wrote_and_nothing_it_could_forge() {
    let world = World::development();
    let body = r#"(data (i32.const 0) "one\1b[31m\ntwo")
        (func (export "say") (param i32) (result i32) (call $log (i32.const 0) (i32.const 12)) (i32.const 0))"#;
    world.install("talker", &Wat::new("talker", &["say"], &format!("{}{body}", lifecycle())).package()).ok();
    world.run(&["call", "talker", "say"]).ok();
    let logs = world.run(&["logs", "talker", "--json"]).ok().json();
    let lines = logs["lines"].as_array().expect("lines");
    let line = lines.iter().filter_map(Value::as_str).find(|l| l.contains("one")).expect("the line");
    assert!(line.contains("two") && !line.contains('\u{1b}') && !line.contains('\n'), "{line:?}");
}

#[test]
fn nothing_is_coloured_where_nobody_looks() {
    let world = with_good();
    for line in [["list"].as_slice(), &["status", "good"], &["--help"], &["audit", "classes"]] {
        let ran = world.run(line).ok();
        assert!(!ran.stdout.contains(&0x1b), "{ran}");
    }
}

#[test]
fn json_of_packages_and_keys() {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    snapshot("new", &world.run(&["new", "greeter", "--json"]).ok(), &world);
    snapshot("keys-init", &world.run(&["keys", "init", "--name", "house", "--json"]).ok(), &world);
    snapshot(
        "keys-issue",
        &world.run(&["keys", "issue", "acme", "--packages", "go*", "--json"]).ok(),
        &world,
    );
    world.run(&["keys", "issue", "tools", "--days", "9"]).ok();
    snapshot("keys-list", &world.run(&["keys", "list", "--json"]).ok(), &world);
    snapshot("keys-notary", &world.run(&["keys", "notary", "--json"]).ok(), &world);
    snapshot("keys-export", &world.run(&["keys", "export", "acme", "--json"]).ok(), &world);
    world.write(
        "source/plugin.toml",
        "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n",
    );
    world.write("source/plugin.wasm", Wat::new("good", &[], lifecycle()).module());
    snapshot("pack", &world.run(&["pack", "source", "-o", "p.forgepkg", "--json"]).ok(), &world);
    snapshot("sign", &world.run(&["sign", "p.forgepkg", "--publisher", "acme", "--json"]).ok(), &world);
    snapshot("inspect", &world.run(&["inspect", "p.forgepkg", "--json"]).ok(), &world);
    snapshot("verify", &world.run(&["verify", "p.forgepkg", "--json"]).ok(), &world);
    snapshot("install-signed", &world.run(&["install", "p.forgepkg", "--json"]).ok(), &world);
    let next = "[plugin]\nname = \"good\"\nversion = \"1.1.0\"\npublisher = \"acme\"\n[permissions]\nclock = [\"now\"]\n";
    world.write("source/plugin.toml", next);
    world.run(&["pack", "source", "-o", "next.forgepkg"]).ok();
    world.run(&["sign", "next.forgepkg", "--publisher", "acme"]).ok();
    let upgrade = ["upgrade", "next.forgepkg", "--accept-permissions", "--json"];
    snapshot("upgrade", &world.run(&upgrade).ok(), &world);
    snapshot("rollback", &world.run(&["rollback", "good", "--json"]).ok(), &world);
    world.write("source/plugin.toml", next.replace("1.1.0", "1.2.0"));
    world.run(&["pack", "source", "-o", "more.forgepkg"]).ok();
    world.run(&["sign", "more.forgepkg", "--publisher", "acme"]).ok();
    world.run(&["upgrade", "more.forgepkg"]).fails(3, "E1407");
    snapshot("approve-list", &world.run(&["approve", "--list", "--json"]).ok(), &world);
    snapshot("approve-reject", &world.run(&["approve", "good", "--reject", "--json"]).ok(), &world);
    world.run(&["upgrade", "more.forgepkg"]).fails(3, "E1407");
    snapshot("approve", &world.run(&["approve", "good", "--json"]).ok(), &world);
    snapshot("keys-rotate", &world.run(&["keys", "rotate", "tools", "--json"]).ok(), &world);
    snapshot("keys-revoke", &world.run(&["keys", "revoke", "tools", "--kill", "--json"]).ok(), &world);
    let new = world.write("passphrase", "correct horse");
    let protect = ["keys", "protect", "tools", "--new-passphrase-file", new.to_str().unwrap(), "--json"];
    snapshot("keys-protect", &world.run(&protect).ok(), &world);
}

#[test]
fn json_of_staging_and_reviews() {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.run(&["keys", "issue", "qa", "--signer", "--role", "staging"]).ok();
    let toml = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n[[operations]]\nname = \"go\"\n";
    let go = format!("{} (func (export \"go\") (param i32) (result i32) i32.const 0)", lifecycle());
    world.write("source/plugin.toml", toml);
    world.write("source/plugin.wasm", Wat::new("good", &["go"], &go).module());
    world.write("source/assets/tests/a.json", r#"{"tests": [{"name": "goes", "operation": "go"}]}"#);
    world.run(&["pack", "source", "-o", "p.forgepkg"]).ok();
    world.run(&["sign", "p.forgepkg", "--publisher", "acme"]).ok();
    snapshot("stage", &world.run(&["stage", "p.forgepkg", "--calls", "20", "--json"]).ok(), &world);
    world.run(&["install", "p.forgepkg"]).ok();
    world.write("home/trust/policy/a.cedar", "permit(principal, action, resource);");
    let review = ["review", "plugin", "good", "--by", "ada", "--note", "read it", "--json"];
    snapshot("review-plugin", &world.run(&review).ok(), &world);
    snapshot("review-policy", &world.run(&["review", "policy", "--by", "bob", "--json"]).ok(), &world);
    snapshot("review-list", &world.run(&["review", "list", "--json"]).ok(), &world);
}

#[test]
fn json_of_plugins() {
    let world = with_good();
    world.install("bad", &bad()).ok();
    snapshot("list", &world.run(&["list", "--json"]).ok(), &world);
    snapshot("status", &world.run(&["status", "good", "--json"]).ok(), &world);
    snapshot("pause", &world.run(&["pause", "good", "--json"]).ok(), &world);
    snapshot("call", &world.run(&["call", "bad", "status", "--json"]).exits(5), &world);
    snapshot("config-set", &world.run(&["config", "good", "set", "k", "v", "--json"]).ok(), &world);
    snapshot("config-list", &world.run(&["config", "good", "list", "--json"]).ok(), &world);
    snapshot("secrets-set", &world.run_with(&["secrets", "set", "api/token", "--json"], b"x").ok(), &world);
    snapshot("secrets-list", &world.run(&["secrets", "list", "--json"]).ok(), &world);
    snapshot("logs", &world.run(&["logs", "good", "--json"]).ok(), &world);
    snapshot("remove", &world.run(&["remove", "good", "--json"]).ok(), &world);
}

#[test]
fn json_of_policy_and_audit() {
    let world = with_good();
    snapshot("policy-check", &world.run(&["policy", "check", "--json"]).ok(), &world);
    let policy = "@id(\"no-calls\") forbid(principal, action == Action::\"call\", resource);";
    world.write("home/trust/policy/no-calls.cedar", policy);
    snapshot("policy-check-files", &world.run(&["policy", "check", "--json"]).ok(), &world);
    std::fs::remove_file(world.path("home/trust/policy/no-calls.cedar")).unwrap();
    snapshot("audit-classes", &world.run(&["audit", "classes", "--json"]).ok(), &world);
    // Counts differ with the order of records of different threads, so shapes alone are compared.
    let verified = world.run(&["audit", "verify", "--json"]).ok().json();
    assert!(verified["records"].as_u64().is_some_and(|n| n > 0), "{verified}");
    let tail = world.run(&["audit", "tail", "-n", "1", "--json"]).ok().json();
    let record = tail["records"][0].as_object().expect("a record");
    for field in
        ["v", "seq", "t", "mono_ns", "node", "boot", "type", "outcome", "actor", "action", "resource", "prev"]
    {
        assert!(record.contains_key(field), "no {field}: {tail}");
    }
    let seq = record["seq"].to_string();
    let proof = world.run(&["audit", "prove", &seq, "--json"]).ok().json();
    for field in ["seq", "leaf", "path", "size", "root", "checkpoint"] {
        assert!(!proof[field].is_null(), "no {field}: {proof}");
    }
    world.run(&["audit", "prove", "99999999"]).fails(7, "E3006");
}

/// Every number 0, every text `text`, and one item of each list: for results whose values differ from run to run.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), shape(v))).collect(),
        Value::Array(list) => list.iter().take(1).map(shape).collect(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "text".into(),
        other => other.clone(),
    }
}

pub fn shape_snapshot(name: &str, ran: &Ran) {
    let json = serde_json::to_string_pretty(&sorted(shape(&ran.json()))).expect("JSON");
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!(name, json); });
}

#[test]
fn shapes_of_what_differs_from_run_to_run() {
    // A home without plugins: what its first command records does not depend on the order of threads.
    let world = World::development();
    world.run(&["list"]).ok();
    shape_snapshot("audit-tail", &world.run(&["audit", "tail", "-n", "1", "--json"]).ok());
    shape_snapshot("audit-verify", &world.run(&["audit", "verify", "--json"]).ok());
    shape_snapshot("audit-people", &world.run(&["audit", "people", "--json"]).ok());
    shape_snapshot("audit-prove", &world.run(&["audit", "prove", "0", "--json"]).ok());
    shape_snapshot("doctor", &world.run(&["doctor", "--json"]).ok());
    let people = world.run(&["audit", "people", "--json"]).ok().json();
    let name = people["people"][0]["name"].as_str().unwrap();
    shape_snapshot("audit-erase", &world.run(&["audit", "erase", "--subject", name, "--json"]).ok());
}

#[test]
fn json_of_errors_and_of_changes_of_state() {
    let world = with_good();
    snapshot("error", &world.run(&["call", "nobody", "hello", "--json"]).exits(7), &world);
    snapshot("call-text", &world.run(&["call", "good", "hello", "--json"]).ok(), &world);
    let bytes = world.run_with(&["call", "good", "echo", "--input", "-", "--json"], &[0xff, 0]).ok();
    snapshot("call-bytes", &bytes, &world);
    snapshot(
        "resume",
        &{
            world.run(&["pause", "good"]).ok();
            world.run(&["resume", "good", "--json"]).ok()
        },
        &world,
    );
    snapshot("stop", &world.run(&["stop", "good", "--json"]).ok(), &world);
    snapshot("start", &world.run(&["start", "good", "--json"]).ok(), &world);
    snapshot("status-all", &world.run(&["status", "--json"]).ok(), &world);
    world.run(&["config", "good", "set", "k", "v"]).ok();
    snapshot("config-get", &world.run(&["config", "good", "get", "k", "--json"]).ok(), &world);
    snapshot("config-unset", &world.run(&["config", "good", "unset", "k", "--json"]).ok(), &world);
    snapshot("explain", &world.run(&["explain", "E1204", "--json"]).ok(), &world);
    shape_snapshot("explain-all", &world.run(&["explain", "--json"]).ok());
    world.run(&["explain", "E9999"]).fails(7, "E5008");
    assert!(world.run(&["explain", "1204"]).ok().text().starts_with("# E1204: "));
    assert!(world.run(&["explain", "e1204"]).ok().text().starts_with("# E1204: "));
}

/// What a person sees of a fault in each of the three documents.
#[test]
fn faults_in_documents_name_file_line_column_reason_and_next_step() {
    let world = World::development();
    let mut seen = String::new();
    let mut told = |ran: Ran| seen.push_str(&ran.stderr.replace(world.path("").to_str().expect("UTF-8"), ""));
    for text in [
        "plugin_manager:\n  max_plugin: 3\n",
        "plugin_manager:\n  max_plugins: many\n",
        "plugin_manager:\n  max_plugins: 0\n",
        "plugin_manager:\n  default_timeout: 30\n",
        "plugin_manager:\n  sandbox: { memory_limit: 5 }\n",
        "plugin_manager:\n  max_plugins: 1\n  max_plugins: 2\n",
        "plugin_manager:\n  environment: prodution\n",
        "plugin_manager:\n  plugins: { \"../x\": {} }\n",
        "plugin_manager:\n  security: { verify_signatures: false }\n",
        "plugin_manager: [\n",
    ] {
        world.write("bad.yaml", text);
        told(world.run(&["list", "--config", "bad.yaml"]).exits(2));
    }
    world.write("source/plugin.wasm", Wat::good().module());
    let head = "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n";
    for text in [
        format!("{head}licence = \"MIT\"\n"),
        format!("{head}abi = \"1\"\n"),
        format!("{head}abi = 1\nabi = 1\n"),
        format!("{head}[limits]\nmemory = \"64\"\n"),
        format!("{head}[limits]\ntimeout = \"5 sec\"\n"),
        format!("{head}[permissions]\nstorage = [\"gett\"]\n"),
        head.replace("version = \"1.0.0\"\n", ""),
        head.replace("1.0.0", "1.0"),
        head.replace("\"x\"", "\"common\""),
        format!("{head}[limits\n"),
    ] {
        world.write("source/plugin.toml", text);
        told(world.run(&["pack", "source", "-o", "p.forgepkg"]).exits(3));
    }
    for (field, value) in [("permisions", Value::Null), ("limits", serde_json::json!({ "timeout": "5" }))] {
        told(world.install("bad", &Wat::good().says(field, value).package()).exits(3));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("faults-in-documents", seen);
    });
}
