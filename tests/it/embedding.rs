//! Embedding the host: the example program on a real plugin, and the documents the user began with, taken at their word.

use forgeone_tests::{
    Environment, Ran, World, lifecycle, on_both_engines, sample_wasm, signed_package, workspace_root,
};
use plugin_manager::{PackageLimits, PluginManager, Source, pack};

#[path = "../../plugin-manager/examples/main.rs"]
#[allow(dead_code, reason = "a program's `main` is called by nobody here")]
mod example;

/// As the user wrote it.
const PLUGIN_TOML: &str = r#"# Example plugin.toml manifest
[plugin]
name = "example-plugin"
version = "1.0.0"
description = "Example plugin for ForgeOne"
author = "ForgeOne Team"
license = "MIT"

[dependencies]
common = "^1.0.0"
microkernel = "^1.0.0"

[permissions]
filesystem = ["read", "write"]
network = ["connect"]

[entry_points]
init = "plugin_init"
start = "plugin_start"
stop = "plugin_stop"
"#;

/// As the user wrote it.
const CONFIGURATION: &str = r#"# plugin-manager.yaml
plugin_manager:
  plugin_directory: "/var/lib/forgeone/plugins"
  temp_directory: "/tmp/forgeone/plugins"
  max_plugins: 1000
  default_timeout: 30s
  
  sandbox:
    memory_limit: 512MB
    cpu_limit: 2
    file_descriptor_limit: 1024
    network_access: restricted
    
  telemetry:
    metrics_enabled: true
    tracing_enabled: true
    log_level: info
    prometheus_endpoint: "/metrics"
    
  security:
    verify_signatures: true
    enforce_permissions: true
    audit_logging: true
    namespace_isolation: true
"#;

on_both_engines! {
    fn the_example_installs_calls_and_answers_as_often_as_it_is_run(engine) {
        let world = World::new(Environment::Staging, engine);
        let toml = std::fs::read_to_string(workspace_root().join("sample-plugin/plugin.toml")).unwrap();
        let package = signed_package(&world, &toml, &std::fs::read(sample_wasm()).unwrap());
        let (home, package) = (world.home(), package.to_str().unwrap());
        let home = home.to_str().unwrap();
        for _ in 0..2 {
            let answer = example::answer(home, package, "redact", b"mail ada@example.com").unwrap();
            assert_eq!(answer, b"mail [email]");
        }
        let error = example::answer(home, package, "sing", b"").unwrap_err();
        assert!(example::told(&error).starts_with("E5005 "), "{}", example::told(&error));
        let tail = world.run(&["audit", "tail", "-n", "1000"]).ok();
        assert!(tail.text().contains("example"), "the operator is named: {tail}");
        world.run(&["audit", "verify"]).ok();
    }

    fn the_users_manifest_is_one_that_installs_and_starts(engine) {
        let world = World::new(Environment::Development, engine);
        let module = lifecycle().replace("\"init\"", "\"plugin_init\"").replace("\"start\"", "\"plugin_start\"")
            .replace("\"stop\"", "\"plugin_stop\"");
        let module = wat::parse_str(format!("(module (memory (export \"memory\") 1) {module})")).unwrap();
        let publisher = "forgeone".parse().unwrap();
        let source =
            Source { plugin_toml: PLUGIN_TOML, publisher: Some(&publisher), module: &module, assets: &[] };
        let package = pack(&source, &PackageLimits::default()).unwrap();
        let host = PluginManager::builder().home(world.home()).open().unwrap();
        let report = host.install(&package, true).unwrap();
        assert_eq!((report.name.as_str(), report.version.as_str()), ("example-plugin", "1.0.0"));
        assert!(report.granted.iter().any(|line| line.contains("filesystem")), "{report:?}");
        assert_eq!(host.status("example-plugin").unwrap().state, "Running");
        host.shutdown().unwrap();
    }
}

#[test]
fn the_users_configuration_opens_a_home_with_every_wall_up() {
    let world = World::development();
    let file = world.write("users.yaml", CONFIGURATION);
    let host = PluginManager::builder().home(world.home()).config(file).open().unwrap();
    let isolation = host.doctor().into_iter().find(|probe| probe.name == "isolation").unwrap();
    assert_ne!(isolation.verdict, "warning", "isolation is demanded: {isolation:?}");
    assert!(host.list().unwrap().is_empty());
    host.shutdown().unwrap();
}

#[test]
fn the_guide_shows_the_example_as_it_is_and_it_is_short() {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join(path)).unwrap();
    let example = read("plugin-manager/examples/main.rs");
    assert!(example.lines().count() < 60);
    assert!(read("plugin-manager/docs/embedding-guide.md").contains(&example));
}

/// Names of the crates a build of the library with these features depends on.
fn tree(features: &str) -> std::collections::BTreeSet<String> {
    let lean =
        ["tree", "--offline", "--locked", "-p", "plugin-manager", "--no-default-features", "--features"];
    let shape = ["-e", "normal", "--prefix", "none", "--format", "{lib}"];
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let ran = Ran::of(cargo.args(lean).arg(features).args(shape).current_dir(workspace_root()), b"").ok();
    ran.text().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_library_has_no_command_line_no_server_and_only_the_engine_asked_for() {
    let all = tree("wasmtime-runtime,wasmer-runtime,cedar,authority");
    for crate_name in ["wasmtime", "wasmer", "cedar_policy", "rcgen"] {
        assert!(all.contains(crate_name), "{all:?}");
    }
    for crate_name in ["clap", "axum", "tower", "reqwest", "indicatif", "comfy_table"] {
        assert!(!all.contains(crate_name), "{crate_name}");
    }
    let lean = tree("wasmtime-runtime");
    assert!(lean.contains("wasmtime") && lean.len() < all.len());
    for crate_name in ["wasmer", "cedar_policy", "rcgen"] {
        assert!(!lean.contains(crate_name), "{crate_name}");
    }
}
