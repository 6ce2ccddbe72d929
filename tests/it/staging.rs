//! A package is staged in one home and judged in another, and reviews are taken down, through the binary.

use forgeone_tests::{Daemon, Engine, Environment, Wat, World, lifecycle, on_both_engines};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Echoes its input; `tests` is its `assets/tests/a.json`.
fn package(world: &World, version: &str, tests: &str) -> PathBuf {
    let echo = r#"(func (export "echo") (param $n i32) (result i32)
        (drop (call $input_read (i32.const 0) (i32.const 1024) (local.get $n)))
        (call $output (i32.const 1024) (local.get $n)))"#;
    let wat = Wat::new("echo", &["echo"], &format!("{}{echo}", lifecycle()));
    let dir = format!("source-{version}");
    let toml = format!(
        "[plugin]\nname = \"echo\"\nversion = \"{version}\"\npublisher = \"acme\"\n[[operations]]\nname = \"echo\"\n"
    );
    world.write(&format!("{dir}/plugin.toml"), toml);
    world.write(&format!("{dir}/plugin.wasm"), wat.module());
    world.write(&format!("{dir}/assets/tests/a.json"), tests);
    let package = world.path(&format!("echo-{version}.forgepkg"));
    world.run(&["pack", &dir, "-o", package.to_str().unwrap()]).ok();
    world.run(&["sign", package.to_str().unwrap(), "--publisher", "acme"]).ok();
    package
}

fn test_that_says(output: &str) -> String {
    format!(
        r#"{{"tests": [{{"name": "echoes", "operation": "echo", "input": {{"text": "hi"}}, "expect": {{"output": {{"text": "{output}"}}}}}}]}}"#
    )
}

/// A staging home with a publisher and two signers, of whom `qa` stages.
fn staging(engine: Engine) -> World {
    let world = World::new(Environment::Staging, engine);
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.run(&["keys", "issue", "qa", "--signer", "--role", "staging"]).ok();
    world.run(&["keys", "issue", "ada", "--signer", "--role", "other"]).ok();
    world
}

/// A production home that trusts what this one trusts, with this table of `trust.toml` beside it.
fn production(of: &World, verify: &str) -> World {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    let trust = std::fs::read_to_string(of.home().join("trust/trust.toml")).unwrap();
    let text = trust.replacen("[verify]\n", &format!("[verify]\n{verify}\n"), 1);
    let home = world.home();
    std::fs::create_dir_all(home.join("trust/roots")).unwrap();
    std::fs::write(home.join("trust/trust.toml"), text).unwrap();
    std::fs::copy(of.home().join("trust/roots/house.pem"), home.join("trust/roots/house.pem")).unwrap();
    world
}

const REQUIRED: &str = "require = [\"staging\"]";

on_both_engines! {
    fn a_package_that_was_staged_is_accepted_where_one_that_was_not_is_refused(engine) {
        let world = staging(engine);
        let package = package(&world, "1.0.0", &test_that_says("hi"));
        let package = package.to_str().unwrap();
        let production = production(&world, REQUIRED);
        production.run(&["verify", package]).fails(3, "E1405").says("lacks a staging attestation");
        let staged = world.path("staged.forgepkg");
        let staged = staged.to_str().unwrap();
        let shown = world.run(&["stage", package, "--calls", "100", "-o", staged]).ok();
        assert!(shown.text().contains("echoes") && shown.text().contains("100 calls"), "{shown}");
        assert!(shown.text().contains("forgeone://house/qa"), "{shown}");
        let verified = production.run(&["verify", staged]).ok();
        assert!(verified.text().contains("staging by qa at "), "{verified}");
        // What was there before has no attestation still, and nothing is installed where it was tried.
        production.run(&["verify", package]).fails(3, "E1405");
        assert!(world.run(&["list", "--json"]).ok().json()["plugins"].as_array().unwrap().is_empty());
        world.run(&["audit", "verify"]).ok();
    }

    fn a_package_that_fails_its_own_test_is_not_attested(engine) {
        let world = staging(engine);
        let package = package(&world, "1.0.0", &test_that_says("ho"));
        let before = std::fs::read(&package).unwrap();
        let ran = world.run(&["stage", package.to_str().unwrap()]);
        ran.fails(5, "E5031").says("test \"echoes\" wrote \"hi\", not \"ho\"");
        assert_eq!(std::fs::read(&package).unwrap(), before);
    }
}

#[test]
fn an_attestation_of_somebody_else_or_of_long_ago_does_not_count() {
    let world = staging(Engine::Wasmtime);
    let package = package(&world, "1.0.0", &test_that_says("hi"));
    let package = package.to_str().unwrap();
    // `ada` has no role that stages: she cannot attest here, and what `qa` says is not what production asks for there.
    world.run(&["stage", package, "--as", "ada"]).fails(7, "E5008");
    world.run(&["stage", package, "--calls", "5"]).ok();
    let by_ada = production(&world, &format!("{REQUIRED}\nstaging = {{ signers = [\"ada\"] }}"));
    by_ada
        .run(&["verify", package])
        .fails(3, "E1405")
        .says("forgeone://house/qa does not stage for this host");
    let young = production(&world, &format!("{REQUIRED}\nstaging = {{ max_age = \"1s\" }}"));
    let begun = Instant::now();
    while !young.run(&["verify", package]).stderr.contains("error[E1417]") {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    // The attestation of one version in the package of another.
    let other = self::package(&world, "1.0.1", &test_that_says("hi"));
    let bundle =
        plugin_manager::Package::load(&std::fs::read(package).unwrap(), &Default::default()).unwrap();
    let bundle = bundle.attestations().find(|(name, _)| name.contains("staging")).unwrap().1.to_vec();
    let moved = plugin_manager::with_staging(&std::fs::read(&other).unwrap(), &bundle).unwrap();
    let moved = world.write("moved.forgepkg", moved);
    production(&world, REQUIRED).run(&["verify", moved.to_str().unwrap()]).fails(3, "E1405");
}

#[test]
fn only_a_staging_home_stages() {
    let world = staging(Engine::Wasmtime);
    let package = package(&world, "1.0.0", &test_that_says("hi"));
    let package = package.to_str().unwrap();
    production(&world, "").run(&["stage", package]).fails(2, "E0109");
    let development = World::development();
    development.run(&["stage", package]).fails(2, "E0109");
    development.run(&["stage", package, "--dry-run", "--calls", "5"]).ok();
}

#[test]
fn a_daemon_stages_and_takes_reviews_down_like_a_command() {
    let world = staging(Engine::Wasmtime);
    let package = package(&world, "1.0.0", &test_that_says("hi"));
    let package = package.to_str().unwrap();
    let daemon = Daemon::start(&world, &[]);
    let staged = world.run(&["stage", package, "--calls", "50", "--json"]).ok().json();
    assert_eq!((&staged["passed"], &staged["soak"]["calls"]), (&true.into(), &50.into()));
    world.run(&["install", package]).ok();
    let reviewed = world.run(&["review", "plugin", "echo", "--by", "ada", "--json"]).ok().json();
    assert_eq!((&reviewed["reviewer"], &reviewed["overdue"]), (&"ada".into(), &false.into()));
    let status = world.run(&["status", "echo"]).ok();
    assert!(status.text().contains("by ada at "), "{status}");
    drop(daemon);
}
