//! Several packages installed as one: versions chosen from folders, conflicts in words, and the lock file.

use forgeone_tests::{Ran, Wat, World, lifecycle};
use serde_json::json;

/// A package of the folder `packages`.
fn offer(world: &World, file: &str, name: &str, version: &str, needs: serde_json::Value) -> Wat {
    let wat = Wat::new(name, &[], lifecycle()).says("version", version.into()).says("dependencies", needs);
    world.write(&format!("packages/{file}.forgepkg"), wat.package());
    wat
}

/// A `front` that needs `back` and `rules`, which both need `base`; several versions of each.
fn market() -> World {
    let world = World::development();
    offer(&world, "front", "front", "1.0.0", json!({"back": "^1", "rules": "*", "common": "^1"}));
    for (version, base) in [("1.0.0", "^1"), ("1.4.0", "^1"), ("1.5.0", "^2"), ("2.0.0", "^2")] {
        offer(&world, &format!("back-{version}"), "back", version, json!({"base": base}));
    }
    offer(&world, "rules", "rules", "0.3.0", json!({"base": ">=1.1, <2"}));
    for version in ["1.0.0", "1.2.0", "1.3.0-rc.1", "2.1.0"] {
        offer(&world, &format!("base-{version}"), "base", version, json!({}));
    }
    world
}

fn shown(name: &str, world: &World, text: &str) {
    let text = text.replace(world.path("").to_str().expect("UTF-8 path"), "[DIR]/");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        filters => vec![(r"sha256:[0-9a-f]{64}", "[DIGEST]")],
    }, { insta::assert_snapshot!(name, text); });
}

fn names(list: &Ran) -> Vec<String> {
    let list = list.json();
    let one =
        |p: &serde_json::Value| format!("{} {}", p["name"].as_str().unwrap(), p["version"].as_str().unwrap());
    list["plugins"].as_array().unwrap().iter().map(one).collect()
}

const FRONT: [&str; 4] = ["install", "packages/front.forgepkg", "--from", "packages"];

#[test]
fn what_is_needed_comes_from_a_folder() {
    let world = market();
    world.write("packages/torn.forgepkg", "half a package");
    let with = |more: &[&'static str]| FRONT.iter().chain(more).copied().collect::<Vec<_>>();
    // Alone it lacks what it needs.
    world.run(&FRONT[..2]).fails(3, "E1602");
    shown("install-dry-run", &world, world.run(&with(&["--dry-run"])).ok().text());
    shown("json-install-plan", &world, world.run(&with(&["--dry-run", "--json"])).ok().text());
    assert!(names(&world.run(&["list", "--json"]).ok()).is_empty());
    shown("install-chosen", &world, world.run(&FRONT).ok().text());
    assert_eq!(
        names(&world.run(&["list", "--json"]).ok()),
        ["back 1.4.0", "base 1.2.0", "front 1.0.0", "rules 0.3.0"]
    );
    shown("forgeone-lock", &world, &std::fs::read_to_string(world.path("home/forgeone.lock")).unwrap());
    world.run(&["deps", "check"]).ok();
    world.run(&["remove", "base"]).fails(7, "E5007").says("needed by back, rules");
}

#[test]
fn fault_066_a_conflict_is_told_in_words() {
    let world = market();
    offer(&world, "rules", "rules", "0.3.0", json!({"base": "^2"}));
    for version in ["1.5.0", "2.0.0"] {
        std::fs::remove_file(world.path(&format!("packages/back-{version}.forgepkg"))).unwrap();
    }
    let refused = world.run(&FRONT).fails(3, "E1603");
    shown("install-conflict", &world, &refused.stderr);
    assert!(!world.path("home/forgeone.lock").exists());
}

#[test]
fn fault_067_the_same_name_of_another_publisher_is_not_chosen() {
    let world = market();
    let theirs = Wat::new("rules", &[], lifecycle())
        .says("version", "9.0.0".into())
        .says("publisher", "mallory".into());
    world.write("packages/rules-9.forgepkg", theirs.package());
    let refused = world.run(&FRONT).fails(3, "E1414");
    shown("install-two-publishers", &world, &refused.stderr);
    world.run(&["install", "packages/front.forgepkg", "packages/rules.forgepkg", "--from", "packages"]).ok();
}

#[test]
fn a_lock_file_brings_another_home_to_the_same_packages() {
    let world = market();
    world.run(&FRONT).ok();
    world.run(&["deps", "lock", "-o", "forgeone.lock"]).ok();
    shown(
        "json-deps-lock",
        &world,
        world.run(&["deps", "lock", "-o", "forgeone.lock", "--json"]).ok().text(),
    );
    offer(&world, "back-1.4.9", "back", "1.4.9", json!({"base": "^1"}));
    let line = ["install", "--locked", "forgeone.lock", "--from", "packages", "--home", "second"];
    std::fs::create_dir(world.path("second")).unwrap();
    std::fs::copy(world.path("home/plugin-manager.yaml"), world.path("second/plugin-manager.yaml")).unwrap();
    world.run(&line).ok();
    let text = |home: &str| std::fs::read_to_string(world.path(home)).unwrap();
    assert_eq!(text("second/forgeone.lock"), text("home/forgeone.lock"));
    assert!(world.run(&line).ok().text().contains("nothing was to be done"));
    std::fs::remove_file(world.path("packages/back-1.4.0.forgepkg")).unwrap();
    world.run(&line[..5]).ok();
    world
        .run(&[
            "install",
            "--locked",
            "forgeone.lock",
            "--from",
            "packages",
            "--home",
            "third",
            "--config",
            "home/plugin-manager.yaml",
        ])
        .fails(3, "E1606")
        .says("back 1.4.0 of acme");
    world.write("home/forgeone.lock", text("home/forgeone.lock").replace("1.4.0", "1.4.1"));
    world
        .run(&["deps", "check"])
        .fails(7, "E1607")
        .says("back is installed at 1.4.0; the lock file has 1.4.1");
    world.run(&["deps", "lock"]).ok();
    world.run(&["deps", "check"]).ok();
}
