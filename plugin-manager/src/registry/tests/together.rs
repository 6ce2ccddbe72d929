//! Operations at once: on one plugin they come one after the other or are refused by name, on different plugins they
//! go side by side.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{PluginManager, UpgradeOptions};
use common::error::ForgeError;
use std::collections::BTreeMap;
use std::sync::Barrier;

on_each_engine! {
    fault_095_of_installations_of_one_plugin_at_once_one_is_done
    fault_095_installing_while_removing_leaves_one_or_the_other
    fault_095_fifty_plugins_installed_and_removed_at_once
    a_step_that_takes_long_does_not_keep_other_plugins_waiting
}

type Job<'a> = Box<dyn Fn() -> Result<(), ForgeError> + Send + 'a>;

/// Does these jobs at once; how many ended in which code, done ones under `done`.
fn at_once(jobs: Vec<Job<'_>>) -> BTreeMap<&'static str, usize> {
    let gate = Barrier::new(jobs.len());
    let mut ended = BTreeMap::new();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for job in jobs {
            let gate = &gate;
            threads.push(scope.spawn(move || {
                gate.wait();
                job()
            }));
        }
        for thread in threads {
            let code = thread.join().unwrap().map_or_else(|error| error.code().id, |()| "done");
            *ended.entry(code).or_default() += 1;
        }
    });
    ended
}

fn files(world: &World, below: &str) -> usize {
    std::fs::read_dir(world.path(below)).unwrap().count()
}

fn fault_095_of_installations_of_one_plugin_at_once_one_is_done(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let package = Guest::new("a").package();
    let install = || host.install(&package, true).map(drop);
    let ended = at_once((0..8).map(|_| Box::new(install) as Job<'_>).collect());
    assert_eq!(ended, BTreeMap::from([("done", 1), ("E5004", 7)]));
    assert_eq!(world.recorded(&host, &["\"action\":\"install\"", "\"outcome\":\"ok\""]), 1);
    assert_eq!((files(&world, "store/sha256"), files(&world, "cache")), (1, 1));
    assert_eq!(host.call("a", "echo", vec![5]).unwrap(), [5]);
    // And of one that another version is put in the place of: it is the winner's.
    let next = |i: u64| {
        let (host, package) = (&host, Guest::new("a").version(&format!("1.0.{i}")).package());
        Box::new(move || host.upgrade(&package, &UpgradeOptions::default()).map(drop)) as Job<'_>
    };
    let ended = at_once((1..9).map(next).collect());
    assert!(ended["done"] >= 1 && ended.keys().all(|code| ["done", "E1406"].contains(code)), "{ended:?}");
    assert_eq!(host.status("a").unwrap().version, "1.0.8");
    assert_eq!(host.status("a").unwrap().kept.len(), ended["done"].min(5));
}

fn fault_095_installing_while_removing_leaves_one_or_the_other(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let package = Guest::new("a").package();
    for round in 0..8 {
        if round % 2 == 0 {
            host.install(&package, round % 4 == 0).unwrap();
        }
        let install = || host.install(&package, true).map(drop);
        let remove = || host.remove("a", false);
        let call = || host.call("a", "echo", vec![1]).map(drop);
        let ended = at_once(vec![Box::new(install), Box::new(remove), Box::new(call), Box::new(remove)]);
        // A plugin may be removed after it is installed and before it is brought up, or while it is called.
        assert!(ended.keys().all(|code| ["done", "E5001", "E5003", "E5004"].contains(code)), "{ended:?}");
        let there = host.list().unwrap().len();
        assert_eq!((files(&world, "store/sha256"), files(&world, "cache")), (there, there), "{ended:?}");
        if there == 1 {
            if host.status("a").unwrap().desired == "running" {
                host.call("a", "echo", vec![1]).unwrap();
            }
            host.remove("a", false).unwrap();
        }
        assert_eq!((host.hall().names().len(), host.metrics_text().matches("plugin=\"a\"").count()), (0, 0));
    }
}

fn fault_095_fifty_plugins_installed_and_removed_at_once(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let job = |i: usize| {
        let (host, name) = (&host, format!("p{i:02}"));
        let package = Guest::new(&name).package();
        Box::new(move || {
            host.install(&package, true)?;
            assert_eq!(host.call(&name, "echo", vec![7]).unwrap(), [7]);
            if i.is_multiple_of(2) { host.remove(&name, false) } else { Ok(()) }
        }) as Job<'_>
    };
    assert_eq!(at_once((0..50).map(job).collect()), BTreeMap::from([("done", 50)]));
    let all = host.list().unwrap();
    assert!(all.len() == 25 && all.iter().all(|p| p.state == "Running"), "{all:?}");
    assert_eq!(files(&world, "store/sha256"), 25);
    host.shutdown().unwrap();
    let host: PluginManager = world.open();
    assert_eq!(host.list().unwrap().len(), 25);
}

/// A plugin whose `init` calls another one is held up in the middle of its step by that one's own call.
fn a_step_that_takes_long_does_not_keep_other_plugins_waiting(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let endless = r#"(func (export "init") (result i32) (loop $l (br $l)) i32.const 0)
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;
    let slow = Guest::new("slow").body(endless).package();
    std::thread::scope(|scope| {
        let long = scope.spawn(|| code(host.install(&slow, true)));
        // It is brought up for as long as its deadline allows: two seconds.
        while world.recorded(&host, &["\"slow\"", "\"to\":\"Initializing\""]) == 0 {
            std::thread::yield_now();
        }
        for name in ["a", "b", "c"] {
            host.install(&Guest::new(name).body(GOOD).package(), true).unwrap();
            host.remove(name, false).unwrap();
        }
        assert!(!long.is_finished(), "three plugins came and went within one deadline of another");
        assert_eq!(long.join().unwrap(), "E4010");
    });
    assert_eq!(host.status("slow").unwrap().state, "Failed");
}
