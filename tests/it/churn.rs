//! Plugins that come, change and go leave nothing behind: the short version of `cargo xtask soak churn`.

use forgeone_tests::{Environment, World, on_both_engines};
use serde_json::Value;
use std::process::Command;

/// What a process held after each round, of one of the two phases.
fn held(samples: &[Value], phase: &str, what: &str) -> Vec<u64> {
    let of_it = samples.iter().filter(|sample| sample["phase"] == phase);
    of_it.map(|sample| sample[what].as_u64().expect("a number")).collect()
}

/// A thread that is about to end may be counted once.
fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

on_both_engines! {
    fn plugins_that_come_change_and_go_leave_nothing_behind(engine) {
        let world = World::new(Environment::Development, engine);
        let ran = Command::new(env!("CARGO_BIN_EXE_churn")).arg(world.home()).args(["30", "30"]).output().expect("it runs");
        assert!(ran.status.success(), "{ran:?}");
        let samples: Vec<Value> = ran.stdout.split(|b| *b == b'\n').filter(|l| !l.is_empty())
            .map(|line| serde_json::from_slice(line).expect("JSON")).collect();
        for (phase, standing, kept) in [("install", 4, 0), ("swap", 5, 5)] {
            for what in ["packages", "code"] {
                let counts = held(&samples, phase, what);
                // Earlier versions are kept up to their bound, and no more.
                let (last, rest) = counts.split_last().expect("samples");
                assert_eq!(*last, standing + kept, "{phase} {what}: {counts:?}");
                assert!(rest.iter().all(|count| count <= last), "{phase} {what}: {counts:?}");
            }
            // The log opens a file for each level of its tree of hashes when the tree grows to it: once, not each round.
            for (what, once) in [("descriptors", 2), ("threads", 0)] {
                let counts = held(&samples, phase, what);
                let (first, second) = counts.split_at(counts.len() / 2);
                assert!(median(second) <= median(first) + once, "{phase} {what}: {counts:?}");
            }
        }
    }
}
