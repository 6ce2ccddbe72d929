//! A new plugin from `forgeone new` to its first answer, in each language, with the commands its own files name.

use forgeone_tests::{Engine, Environment, Ran, Wat, World, lifecycle, on_both_engines, workspace_root};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A committed example.
fn example(language: &str) -> PathBuf {
    workspace_root().join("plugin-manager/guest/examples").join(language)
}

/// Packs a directory with a built module; the path of the package.
fn packed(world: &World, dir: &Path, module: &Path) -> PathBuf {
    let package = world.path("greeter.forgepkg");
    world.run(&["pack", text(dir), "--wasm", text(module), "-o", text(&package)]).ok();
    package
}

/// Installs the package and hears it answer.
fn greets(world: &World, package: &Path) {
    world.run(&["install", text(package)]).ok();
    let name = "greeter";
    world.run(&["call", name, "last"]).fails(5, "E4002").says("nobody was greeted yet");
    assert_eq!(world.call(name, "greet", b"Ada \n").ok().text(), "Hello, Ada!\n");
    assert_eq!(world.run(&["call", name, "last"]).ok().text(), "Ada");
    world
        .call(name, "greet", b" \n")
        .fails(5, "E4002")
        .says("status 1")
        .says("there is no name in the input");
    assert!(world.run(&["logs", name]).ok().text().contains("greeting"));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8 path")
}

/// cargo in a directory, told by nothing of the build these tests are part of and downloading nothing.
fn cargo(dir: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir).env("CARGO_NET_OFFLINE", "true");
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// The cargo commands of the CI example, in order.
fn checks_of_ci(dir: &Path) -> Vec<String> {
    let workflow = std::fs::read_to_string(dir.join(".github/workflows/plugin.yml")).expect("a workflow");
    let run = |line: &str| line.trim().strip_prefix("- run: cargo ").map(str::to_owned);
    workflow.lines().filter_map(run).collect()
}

#[test]
fn a_new_plugin_in_rust_is_checked_tested_built_signed_and_answers_without_a_registry() {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    world.run(&["new", "greeter", "--publisher", "ada"]).ok();
    let dir = world.path("greeter");
    let checks = checks_of_ci(&dir);
    let words: Vec<&str> = checks.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["fmt", "clippy", "test", "wasm"]);
    for check in &checks {
        // A cargo home with nothing in it: what is needed lies in the directory.
        let mut cargo = cargo(&dir);
        let ran = Ran::of(cargo.env("CARGO_HOME", world.path("cargo-home")).args(check.split(' ')), b"").ok();
        assert!(!ran.stderr.contains("warning"), "{ran}");
        if check == "test" {
            assert!(ran.text().contains("3 passed; 0 failed"), "{ran}");
        }
    }
    let package = packed(&world, &dir, &dir.join("target/wasm32-unknown-unknown/release/plugin.wasm"));
    world.run(&["install", text(&package)]).fails(3, "E1201");
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "ada"]).ok();
    world.run(&["sign", text(&package), "--publisher", "ada"]).ok();
    world.run(&["keys", "issue", "qa", "--signer", "--role", "staging"]).ok();
    let staged = world.run(&["stage", text(&package), "--calls", "50", "--json"]).ok().json();
    assert_eq!(staged["tests"].as_array().map(Vec::len), Some(5));
    assert_eq!((&staged["passed"], &staged["stager"]), (&true.into(), &"forgeone://house/qa".into()));
    greets(&world, &package);
    world.run(&["config", "greeter", "set", "greeting", "Good morning"]).ok();
    assert_eq!(world.call("greeter", "greet", b"Ada").ok().text(), "Good morning, Ada!\n");
}

#[test]
fn the_commands_it_prints_lead_to_an_installed_plugin() {
    let world = World::development();
    let made = world.run(&["new", "greeter", "--lang", "wat", "--dir", "here", "--json"]).ok().json();
    let dir = world.path("here");
    std::fs::write(dir.join("plugin.wasm"), wat::parse_file(dir.join("plugin.wat")).expect("a module"))
        .unwrap();
    let steps: Vec<&str> = made["next"].as_array().unwrap().iter().filter_map(|s| s.as_str()).collect();
    assert_eq!(steps.first(), Some(&"sh build.sh"), "what the `wat` crate did above");
    for step in steps.iter().skip(1) {
        let words: Vec<&str> =
            step.strip_prefix("forgeone ").expect("a forgeone command").split(' ').collect();
        Ran::of(world.command().current_dir(&dir).args(words), b"").ok();
    }
    assert_eq!(world.call("greeter", "greet", b"Ada").ok().text(), "Hello, Ada!\n");
}

#[test]
fn a_new_plugin_takes_nobodys_place() {
    let world = World::development();
    world.write("taken/mine", "mine");
    world.run(&["new", "taken"]).fails(7, "E5009");
    for name in ["common", "microkernel"] {
        world.run(&["new", name]).fails(2, "E0101").says("provided by the host");
        assert!(!world.path(name).exists());
    }
    world.run(&["new", "Not_A_Name"]).fails(2, "E0101");
    world.run(&["new", "a", "--sdk", "nowhere"]).fails(7, "E5008");
    world.run(&["new", "a", "--lang", "c", "--sdk", "nowhere"]).fails(2, "E0101");
    assert!(!world.path("a").exists());
    let left: Vec<_> = std::fs::read_dir(world.path("taken")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

on_both_engines! {
    fn a_plugin_in_webassembly_text_answers(engine) {
        let world = World::new(Environment::Development, engine);
        let module = wat::parse_file(example("wat").join("plugin.wat")).expect("a module");
        let module = world.write("plugin.wasm", module);
        let package = packed(&world, &example("wat"), &module);
        world.run(&["stage", text(&package), "--dry-run", "--calls", "50"]).ok();
        greets(&world, &package);
    }
}

/// The example that makes every host call, tested and built with the crates the workspace has.
fn tour_module(world: &World) -> PathBuf {
    let (dir, sdk) = (world.path("tour"), workspace_root().join("plugin-manager/guest/pdk"));
    let manifest = std::fs::read_to_string(example("tour").join("Cargo.toml")).unwrap();
    world.write("tour/Cargo.toml", manifest.replace("../../pdk", text(&sdk)));
    world.write("tour/Cargo.lock", std::fs::read(workspace_root().join("Cargo.lock")).unwrap());
    world.write("tour/src/lib.rs", std::fs::read(example("tour").join("src/lib.rs")).unwrap());
    for line in ["test", "build --release --target wasm32-unknown-unknown"] {
        Ran::of(cargo(&dir).args(line.split(' ')), b"").ok();
    }
    dir.join("target/wasm32-unknown-unknown/release/plugin.wasm")
}

/// What each stop of the tour answers where everything is permitted. Three more are services a host may lack.
const TOUR: [(&str, &str); 25] = [
    ("ping", "pong"),
    ("kv_set", "done"),
    ("kv_get", "Some([49])"),
    ("kv_cas", "true"),
    ("kv_list", "tour/a"),
    ("kv_delete", "done"),
    ("file_write", "done"),
    ("file_append", "done"),
    ("file_read", "o w"),
    ("file_stat", "11 bytes, File"),
    ("file_list", "tour.txt"),
    ("file_delete", "done"),
    ("config_get", "12"),
    ("env_get", "paris"),
    ("time_now", "true"),
    ("random", "true"),
    ("metric_record", "done"),
    ("event_emit", "done"),
    ("span_begin", "true"),
    ("span_end", "done"),
    ("object_put", "done"),
    ("object_get", "Some([101])"),
    ("object_list", "tour/a"),
    ("object_delete", "done"),
    ("plugin_call", "hello"),
];

#[test]
fn every_wrapper_of_the_sdk_means_what_the_host_means() {
    let builder = World::development();
    let module = tour_module(&builder);
    for engine in [Engine::Wasmtime, Engine::Wasmer] {
        let world = World::new(Environment::Development, engine);
        let bucket = world.path("objects");
        std::fs::create_dir(&bucket).unwrap();
        let world = world.with("objects", json!({ "folders": { "tour": { "path": bucket } } }));
        let package = world.path("tour.forgepkg");
        world.run(&["pack", text(&example("tour")), "--wasm", text(&module), "-o", text(&package)]).ok();
        world.run(&["install", text(&package)]).ok();
        let echo = r#"(func (export "say") (param $len i32) (result i32)
            (drop (call $input_read (i32.const 0) (i32.const 1024) (i32.const 4096)))
            (call $output (i32.const 1024) (local.get $len)))"#;
        let echo = Wat::new("echo", &["say"], &format!("{}{echo}", lifecycle()));
        world.install("echo", &echo.package()).ok();

        let denied = world.call("tour", "visit", br#"{"only":"time"}"#).ok().json();
        assert_eq!(denied["time_now"], "time_now: denied", "{denied}");
        let policy = r#"permit (principal == Plugin::"tour", action in Action::"syscall.*", resource);"#;
        world.write("home/trust/policy/tour.cedar", policy);
        world.run(&["config", "tour", "set", "most", "12"]).ok();
        world.run(&["config", "tour", "set", "--env", "TOUR", "paris"]).ok();

        let visited = world.call("tour", "visit", b"{}").ok().json();
        for (stop, answer) in TOUR {
            assert_eq!(visited[stop], answer, "{engine:?} {stop}: {visited:#}");
        }
        let invalid = world.call("tour", "visit", b"nowhere").fails(5, "E4002").says("status -3");
        assert!(invalid.stderr.contains("the input is not the expected JSON"), "{invalid}");
        assert_eq!(world.run(&["call", "tour", "visits"]).ok().text(), "2", "its state was saved and loaded");
    }
}

/// The C example, built by its own script in a copy of its directory.
fn c_answers(engine: Engine) {
    let world = World::new(Environment::Development, engine);
    for file in ["plugin.c", "forgeone.h", "plugin.toml", "build.sh"] {
        world.write(&format!("c/{file}"), std::fs::read(example("c").join(file)).unwrap());
    }
    let dir = world.path("c");
    Ran::of(Command::new("sh").arg("build.sh").current_dir(&dir), b"").ok();
    greets(&world, &packed(&world, &dir, &dir.join("plugin.wasm")));
    let long = world.call("greeter", "greet", &[b'a'; 1025]).fails(5, "E4002");
    assert!(long.stderr.contains("longer than 1024 bytes"), "{long}");
}

#[test]
#[ignore = "run by cargo xtask interop: needs clang"]
fn interop_c_answers_on_wasmtime() {
    c_answers(Engine::Wasmtime);
}

#[test]
#[ignore = "run by cargo xtask interop: needs clang"]
fn interop_c_answers_on_wasmer() {
    c_answers(Engine::Wasmer);
}
