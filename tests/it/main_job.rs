//! The main job: pack, sign, prove, install, run, refuse, record, remove, with a plugin built from Rust.

use forgeone_tests::{Environment, World, on_both_engines, sample_wasm, signed_package, workspace_root};
use serde_json::Value;

const LINE: &[u8] =
    b"ada@example.com asked from 203.0.113.7 with Authorization: Bearer abcdef0123456789abcdef\n";

/// A staging home with the sample plugin in it.
fn installed(world: &World) {
    let toml = std::fs::read_to_string(workspace_root().join("sample-plugin/plugin.toml")).unwrap();
    let module = std::fs::read(sample_wasm()).unwrap();
    let package = signed_package(world, &toml, &module);
    let package = package.to_str().unwrap();
    let seen = world.run(&["verify", package, "--json"]).ok().json();
    assert_eq!(seen["signer"], "forgeone://test-authority/acme");
    assert_eq!(seen["checks"].as_array().unwrap().len(), 14, "{seen}");
    let report = world.run(&["install", package, "--json"]).ok().json();
    assert_eq!((&report["name"], &report["started"]), (&"log-redactor".into(), &true.into()));
    assert_eq!(report["digest"], seen["digest"]);
}

fn records(world: &World) -> Vec<Value> {
    let tail = world.run(&["audit", "tail", "-n", "100000", "--json"]).ok().json();
    tail["records"].as_array().expect("records").clone()
}

on_both_engines! {
    fn a_signed_plugin_lives_a_whole_life(engine) {
        let world = World::new(Environment::Staging, engine);
        installed(&world);
        let listed = world.run(&["list", "--json"]).ok().json();
        assert_eq!(listed["plugins"][0]["engine"], engine.name(), "{listed}");

        let masked = world.call("log-redactor", "redact", LINE).ok();
        assert_eq!(
            masked.text(),
            "[email] asked from [ipv4] with Authorization: Bearer [bearer]\n".to_owned(),
            "{masked}"
        );
        let probe = world.run(&["call", "log-redactor", "probe"]).ok();
        assert_eq!(probe.text(), "kv_get: ok\nrandom: denied\n", "{probe}");
        let stats = world.run(&["call", "log-redactor", "stats"]).ok().json();
        assert_eq!(stats["totals"]["calls"], 1, "what was counted outlives the process: {stats}");

        for (turn, refused) in [("pause", true), ("resume", false), ("stop", true), ("start", false)] {
            world.run(&[turn, "log-redactor"]).ok();
            let call = world.call("log-redactor", "redact", LINE);
            if refused { call.fails(7, "E5003") } else { call.ok() };
        }
        world.run(&["remove", "log-redactor"]).ok();
        assert!(world.run(&["list", "--json"]).ok().json()["plugins"].as_array().unwrap().is_empty());
        world.run(&["call", "log-redactor", "redact"]).fails(7, "E5001");
    }

    /// What happened can be read from the log, and the log proves that it is whole.
    fn each_effect_and_each_denial_is_in_the_log(engine) {
        let world = World::new(Environment::Staging, engine);
        installed(&world);
        world.call("log-redactor", "redact", LINE).ok();
        world.run(&["call", "log-redactor", "probe"]).ok();
        world.run(&["remove", "log-redactor"]).ok();
        let records = records(&world);
        let find = |action: &str, outcome: &str| {
            records.iter().find(|r| r["action"] == action && r["outcome"] == outcome)
                .unwrap_or_else(|| panic!("no {action} {outcome} among {records:#?}"))
        };
        for action in ["install", "start", "remove"] {
            find(action, "ok");
        }
        let stored = find("kv_cas", "ok");
        assert_eq!((&stored["actor"]["plugin"], &stored["resource"]["name"]), (&"log-redactor".into(), &"totals".into()));
        assert_eq!(find("random", "denied")["code"], "E2002");
        let verified = world.run(&["audit", "verify", "--json"]).ok().json();
        assert!(verified["records"].as_u64().unwrap() >= records.len() as u64, "{verified}");
        let seq = stored["seq"].to_string();
        let proof = world.run(&["audit", "prove", &seq, "--json"]).ok().json();
        assert_eq!(proof["seq"], stored["seq"], "{proof}");
    }
}
