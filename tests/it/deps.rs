//! Who needs whom: the tree, the check and the pictures, of what is installed and of what might be.

use forgeone_tests::{Wat, World, lifecycle};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

/// A plugin with needs.
fn plugin(name: &str, version: &str, needs: serde_json::Value) -> Vec<u8> {
    let wat = Wat::new(name, &[], lifecycle()).says("version", version.into());
    wat.says("dependencies", needs).package()
}

/// `front` needs `back`, which is there; both need the host.
fn pair() -> World {
    let world = World::development();
    world.install("back", &plugin("back", "1.4.2", json!({"common": "^1.0.0"}))).ok();
    world.install("front", &plugin("front", "2.0.0", json!({"back": ">=1.2, <2", "microkernel": "^1"}))).ok();
    world
}

/// Packages with every fault there is, beside the installed pair.
fn faults(world: &World) -> [&'static str; 4] {
    world.write("lost.forgepkg", plugin("lost", "0.1.0", json!({"gone": "^3.1", "back": "^2"})));
    world.write("hen.forgepkg", plugin("hen", "1.0.0", json!({"egg": "*"})));
    world.write("egg.forgepkg", plugin("egg", "1.0.0", json!({"hen": "^1", "common": "^9"})));
    world.write("self.forgepkg", plugin("self", "1.0.0", json!({"self": "^1"})));
    ["lost.forgepkg", "hen.forgepkg", "egg.forgepkg", "self.forgepkg"]
}

fn shown(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!(name, text); });
}

#[test]
fn what_is_installed_as_tree_check_and_pictures() {
    let world = pair();
    shown("deps-tree", world.run(&["deps", "tree"]).ok().text());
    shown("deps-tree-back", world.run(&["deps", "tree", "back"]).ok().text());
    shown("deps-check", world.run(&["deps", "check"]).ok().text());
    for format in ["dot", "mermaid", "svg"] {
        shown(&format!("deps-graph-{format}"), world.run(&["deps", "graph", "--format", format]).ok().text());
    }
    for line in [["tree"].as_slice(), &["check"], &["graph", "--format", "mermaid"]] {
        let words: Vec<&str> = ["deps"].iter().chain(line).chain(&["--json"]).copied().collect();
        shown(&format!("json-deps-{}", line[0]), world.run(&words).ok().text());
    }
}

#[test]
fn what_might_be_installed_is_told_with_every_fault() {
    let world = pair();
    let packages = faults(&world);
    let line = |first: &[&'static str]| first.iter().copied().chain(packages).collect::<Vec<_>>();
    let check = world.run(&line(&["deps", "check"])).fails(3, "E1604");
    shown("deps-check-faults", &check.stderr);
    shown("deps-graph-faults-svg", world.run(&line(&["deps", "graph", "--format", "svg"])).ok().text());
    shown("deps-graph-faults-dot", world.run(&line(&["deps", "graph"])).ok().text());
    let with: Vec<&str> =
        ["deps", "tree"].into_iter().chain(packages.into_iter().flat_map(|p| ["--with", p])).collect();
    shown("deps-tree-faults", world.run(&with).ok().text());
    world.run(&["deps", "check"]).ok();
    assert_eq!(world.run(&["list", "--json"]).ok().json()["plugins"].as_array().unwrap().len(), 2);
}

#[test]
fn one_fault_has_its_own_code() {
    let world = World::development();
    for (needs, code) in
        [(json!({"gone": "*"}), "E1602"), (json!({"common": "^2"}), "E1604"), (json!({"lone": "*"}), "E1601")]
    {
        world.write("lone.forgepkg", plugin("lone", "1.0.0", needs));
        world.run(&["deps", "check", "lone.forgepkg"]).fails(3, code).says("lone");
    }
}

#[test]
fn a_package_stands_in_for_the_installed_plugin_of_its_publisher() {
    let world = pair();
    world.write("back.forgepkg", plugin("back", "2.0.0", json!({})));
    world.run(&["deps", "check", "back.forgepkg"]).fails(3, "E1603").says("front 2.0.0 needs back >=1.2, <2");
    let graph = world.run(&["deps", "graph", "back.forgepkg", "--about", "back", "--json"]).ok().json();
    let back = graph["nodes"].as_array().unwrap().iter().find(|n| n["name"] == "back").unwrap();
    assert_eq!((&back["kind"], &back["replaces"]), (&json!("offered"), &json!("1.4.2")));
    world.run(&["deps", "check", "back.forgepkg", "back.forgepkg"]).fails(7, "E5004");
    let other = Wat::new("back", &[], lifecycle()).says("publisher", "mallory".into()).package();
    world.write("back.forgepkg", other);
    world.run(&["deps", "graph", "back.forgepkg"]).fails(3, "E1411");
}

#[test]
fn a_plugin_nobody_knows_is_not_found() {
    let world = pair();
    world.run(&["deps", "tree", "nobody"]).fails(7, "E5001");
    world.run(&["deps", "graph", "--about", "nobody"]).fails(7, "E5001");
    world.run(&["deps", "check", "nowhere.forgepkg"]).fails(7, "E5008");
    assert_eq!(world.run(&["deps", "tree", "common"]).ok().text(), "common 1.0.0 (host)\nneeded by back\n");
}

#[test]
fn a_tree_ends_at_its_depth_and_its_number_of_lines() {
    let world = World::development();
    let tree = |names: &[String]| {
        let with = names.iter().flat_map(|name| ["--with".to_owned(), format!("{name}.forgepkg")]);
        let words: Vec<String> = ["deps".to_owned(), "tree".to_owned()].into_iter().chain(with).collect();
        let ran = world.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok();
        ran.text().to_owned()
    };
    let chain: Vec<String> = (0..60).map(|i| format!("link{i:02}")).collect();
    for (i, name) in chain.iter().enumerate() {
        let needs = chain.get(i + 1).map_or(json!({}), |next| json!({ next.as_str(): "^1" }));
        world.write(&format!("{name}.forgepkg"), plugin(name, "1.0.0", needs));
    }
    let deep = tree(&chain);
    assert!(deep.lines().count() < 50 && deep.contains("… deeper: `forgeone deps tree link40`"), "{deep}");

    let wide: Vec<String> = (0..101).map(|i| format!("wide{i:03}")).collect();
    let needs: serde_json::Map<_, _> = (0..100).map(|i| (format!("gone{i:03}"), json!("^1"))).collect();
    for name in &wide {
        world.write(&format!("{name}.forgepkg"), plugin(name, "1.0.0", json!(needs)));
    }
    let long = tree(&wide);
    assert!((9_900..10_110).contains(&long.lines().count()), "{}", long.lines().count());
    assert!(long.contains(" more"), "it says that there is more");
}

#[test]
fn an_empty_home_has_an_empty_tree_and_picture() {
    let world = World::development();
    assert_eq!(world.run(&["deps", "tree"]).ok().text(), "nothing is installed\n");
    world.run(&["deps", "check"]).ok();
    assert!(world.run(&["deps", "graph", "--format", "svg"]).ok().text().ends_with("</svg>\n"));
}

#[test]
fn a_picture_goes_to_the_file_whose_name_says_the_format() {
    let world = pair();
    let told = world.run(&["deps", "graph", "-o", "plugins.svg"]).ok();
    assert!(told.text().contains("plugins.svg (svg, "), "{told}");
    let file = std::fs::read_to_string(world.path("plugins.svg")).unwrap();
    assert_eq!(file, world.run(&["deps", "graph", "--format", "svg"]).ok().text());
    let json = world.run(&["deps", "graph", "-o", "plugins.mmd", "--json"]).ok().json();
    assert_eq!(
        (&json["format"], &json["picture"], &json["file"]),
        (&json!("mermaid"), &json!(null), &json!("plugins.mmd"))
    );
}

/// Packages of a larger set: each needs some of those after it among its fifty.
fn many(world: &World, count: usize) -> Vec<String> {
    let package = |n: usize| {
        let needs =
            [n + 1, n + 7, n * 3 % count].into_iter().filter(|m| *m > n && *m < count && *m / 50 == n / 50);
        let needs: serde_json::Map<_, _> = needs.map(|m| (format!("plugin-{m:03}"), json!("^1"))).collect();
        let name = format!("plugin-{n:03}.forgepkg");
        world.write(&name, plugin(&format!("plugin-{n:03}"), "1.0.0", needs.into()));
        name
    };
    (0..count).map(package).collect()
}

#[test]
fn two_hundred_plugins_have_a_picture_and_too_many_have_a_way_out() {
    let world = World::development();
    let files = many(&world, 501);
    let line = |count: usize, rest: &[&'static str]| -> Vec<String> {
        let words = ["deps", "graph"].into_iter().map(str::to_owned);
        words
            .chain(files[501 - count..].iter().cloned())
            .chain(rest.iter().map(|w| (*w).to_owned()))
            .collect()
    };
    let run = |words: Vec<String>| world.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let svg = run(line(200, &["--format", "svg"])).ok();
    assert_eq!(svg.text().matches("class=\"name\"").count(), 200);
    run(line(501, &["--format", "svg"])).fails(2, "E0101").says("--about");
    run(line(501, &["--format", "dot"])).ok();
    let about = run(line(501, &["--format", "svg", "--about", "plugin-480"])).ok();
    assert_eq!(about.text().matches("class=\"name\"").count(), 50);
}

/// Fails unless a program takes this on its stdin and ends well.
fn accepted(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{program} {arguments:?}: {}\n{said}", ended.status);
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
#[ignore = "run by cargo xtask interop: needs graphviz"]
fn interop_dot_accepts_the_graph() {
    let world = pair();
    let packages = faults(&world);
    let line: Vec<&str> = ["deps", "graph"].into_iter().chain(packages).collect();
    let drawn = accepted("dot", &["-Tsvg"], world.run(&line).ok().text());
    for name in ["front", "back", "gone", "common", "&gt;=1.2, &lt;2"] {
        assert!(drawn.contains(name), "{name} is not in what dot drew");
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs xmllint"]
fn interop_svg_is_well_formed() {
    let world = pair();
    let packages = faults(&world);
    let line: Vec<&str> = ["deps", "graph", "--format", "svg"].into_iter().chain(packages).collect();
    accepted("xmllint", &["--noout", "--nonet", "-"], world.run(&line).ok().text());
}
