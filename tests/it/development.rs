//! A plugin written by hand in WAT against nothing but the contract, packed with the `tar` that is on every desk.

use forgeone_tests::{Engine, Environment, Wat, World, on_both_engines};
use std::process::Command;

/// The package of `Wat::good`, made by the system's own `tar`.
fn packed_with_tar(world: &World) -> String {
    for (name, bytes) in Wat::good().entries() {
        world.write(&format!("good/{name}"), bytes);
    }
    let package = world.path("good.forgepkg");
    let made = Command::new("tar")
        .arg("-czf")
        .arg(&package)
        .arg("-C")
        .arg(world.path("good"))
        .args(["plugin.wasm", "manifest.json"])
        .status()
        .expect("tar runs");
    assert!(made.success());
    package.to_str().expect("UTF-8 path").to_owned()
}

on_both_engines! {
    fn it_answers_at_once_in_a_development_home(engine) {
        let world = World::new(Environment::Development, engine);
        let package = packed_with_tar(&world);
        world.run(&["install", &package]).ok();
        let answer = world.run(&["call", "good", "hello"]).ok();
        assert_eq!(answer.stdout, b"hello");
        // Bytes that are no text, and one that a line-based printer would lose.
        let bytes = [0, 255, 10, 13, 10];
        assert_eq!(world.call("good", "echo", &bytes).ok().stdout, bytes);
    }
}

#[test]
fn a_production_home_refuses_it_for_want_of_a_signature() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    let package = packed_with_tar(&world);
    world.run(&["install", &package]).fails(3, "E1201");
    world.run(&["verify", &package]).fails(3, "E1201");
    assert!(world.run(&["list", "--json"]).ok().json()["plugins"].as_array().unwrap().is_empty());
}

#[test]
fn a_production_home_is_not_opened_with_signatures_switched_off() {
    let world = World::new(Environment::Production, Engine::Wasmtime)
        .with("security", serde_json::json!({ "verify_signatures": false }));
    world.run(&["list"]).fails(2, "E0103");
}

#[test]
fn a_production_home_refuses_a_plugin_it_cannot_wall_in() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    let toml = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n\
                [[operations]]\nname = \"hello\"\n[[operations]]\nname = \"echo\"\n";
    let package = forgeone_tests::signed_package(&world, toml, Wat::good().module());
    let package = package.to_str().unwrap();
    world.run(&["verify", package]).ok();
    world.run(&["install", package]).fails(3, "E4050");
}

#[test]
fn development_certificates_stay_out_of_production() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    world.run(&["keys", "init", "--name", "desk", "--development"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    let package = packed_with_tar(&world);
    world.run(&["sign", &package, "--publisher", "acme"]).ok();
    let refused = world.run(&["verify", &package]).exits(3);
    assert!(refused.stderr.starts_with("error[E14"), "{refused}");
}
