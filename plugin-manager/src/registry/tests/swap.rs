//! Swaps under load: no call fails, is lost or is made twice, whether state is carried or not.

use super::upgrade::{count, counter};
use super::{Guest, World, on_each_engine};
use crate::runtime::EngineKind;
use crate::{PluginManager, UpgradeOptions};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

on_each_engine! {
    a_hundred_swaps_under_load_lose_double_and_fail_no_call
    swaps_of_pools_and_of_instances_for_each_call_fail_no_call
    calls_that_are_held_go_on_when_the_swap_comes_to_nothing
    upgrades_of_one_plugin_at_once_come_one_after_the_other
    an_upgrade_does_not_wait_for_calls_of_the_old_version
}

const CALLERS: usize = 4;
const SWAPS: usize = 100;

/// What callers saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub calls: u64,
    longest: Duration,
}

/// Ends the calls however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Calls without pause through handles, and in every fourth thread by name, while `job` is done.
pub fn beside_calls(host: &PluginManager, operation: &str, job: impl FnOnce(&AtomicU64)) -> Seen {
    let (over, made) = (AtomicBool::new(false), AtomicU64::new(0));
    let longest = std::thread::scope(|scope| {
        let over_at_the_end = Over(&over);
        let call = |i: usize| {
            let (over, made) = (&over, &made);
            scope.spawn(move || {
                let mut handle = host.handle("a").unwrap().operation(operation).unwrap();
                let (mut input, mut output, mut longest) = (vec![7], Vec::new(), Duration::ZERO);
                while !over.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    if i == 3 {
                        host.call_into("a", operation, &mut input, &mut output).unwrap();
                    } else {
                        handle.call(&mut input, &mut output).unwrap();
                    }
                    longest = longest.max(began.elapsed());
                    made.fetch_add(1, Ordering::SeqCst);
                }
                longest
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(call).collect();
        job(&made);
        drop(over_at_the_end);
        callers.into_iter().map(|caller| caller.join().unwrap()).max()
    });
    Seen { calls: made.into_inner(), longest: longest.unwrap() }
}

/// Until so many calls more are answered.
pub fn after(made: &AtomicU64, calls: u64) {
    let until = made.load(Ordering::SeqCst) + calls;
    while made.load(Ordering::SeqCst) < until {
        std::thread::yield_now();
    }
}

/// One upgrade and rollbacks between the two versions, with calls between one and the next.
fn swap_often(host: &PluginManager, first: &[u8], made: &AtomicU64) {
    host.upgrade(first, &UpgradeOptions::default()).unwrap();
    for i in 1..SWAPS {
        after(made, 20);
        let to = if i % 2 == 1 { "1.0.0" } else { "1.1.0" };
        host.rollback("a", Some(to)).unwrap();
    }
    after(made, 20);
}

fn a_hundred_swaps_under_load_lose_double_and_fail_no_call(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    let began = Instant::now();
    let swapped = beside_calls(&host, "add", |made| swap_often(&host, &counter("1.1.0").package(), made));
    let took = began.elapsed();
    assert_eq!(count(&host), swapped.calls, "as many as were made");
    let still = beside_calls(&host, "add", |made| {
        while began.elapsed() < took * 2 {
            after(made, 1);
        }
    });
    assert_eq!(count(&host), swapped.calls + still.calls);
    assert_eq!(world.recorded(&host, &["\"action\":\"rollback\"", "\"outcome\":\"ok\""]), SWAPS - 1);
    println!(
        "{kind}: {SWAPS} swaps with state under {CALLERS} callers: {} calls, longest pause of a caller {:?}; \
         the same load for as long without swaps: {} calls, longest {:?}",
        swapped.calls, swapped.longest, still.calls, still.longest
    );
    host.shutdown().unwrap();
}

fn swaps_of_pools_and_of_instances_for_each_call_fail_no_call(kind: EngineKind) {
    for mode in ["pooled", "fresh", "shared"] {
        let world = World::development(kind);
        let host = world.open();
        let guest = |version: &str| {
            let table = format!("[instances]\nmode = \"{mode}\"\nmax = 2");
            Guest::new("a").version(version).tables(&table).package()
        };
        host.install(&guest("1.0.0"), true).unwrap();
        let swapped = beside_calls(&host, "echo", |made| {
            host.upgrade(&guest("1.1.0"), &UpgradeOptions::default()).unwrap();
            for to in ["1.0.0", "1.1.0", "1.0.0", "1.1.0"] {
                after(made, 20);
                host.rollback("a", Some(to)).unwrap();
            }
        });
        assert!(swapped.calls >= 80, "{mode}");
        assert_eq!(
            world.recorded(&host, &["\"type\":\"call\""]),
            0,
            "{mode}: no call failed or was turned away"
        );
        host.shutdown().unwrap();
    }
}

fn calls_that_are_held_go_on_when_the_swap_comes_to_nothing(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    let refusing = super::upgrade::refuses_state("1.1.0").package();
    let seen = beside_calls(&host, "add", |made| {
        for _ in 0..5 {
            let refused = host.upgrade(&refusing, &UpgradeOptions::default());
            assert_eq!(refused.unwrap_err().code().id, "E4002");
            after(made, 20);
        }
    });
    assert_eq!(count(&host), seen.calls);
    assert_eq!(host.status("a").unwrap().version, "1.0.0");
}

fn upgrades_of_one_plugin_at_once_come_one_after_the_other(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&counter("1.0.0").package(), true).unwrap();
    let next = counter("1.1.0").package();
    let seen = beside_calls(&host, "add", |_| {
        let codes: Vec<&str> = std::thread::scope(|scope| {
            let upgrade = || match host.upgrade(&next, &UpgradeOptions::default()) {
                Ok(_) => "ok",
                Err(error) => error.code().id,
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(upgrade)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let with = |wanted: &str| codes.iter().filter(|code| **code == wanted).count();
        assert_eq!((with("ok"), with("E5004")), (1, 3), "{codes:?}");
    });
    assert_eq!(count(&host), seen.calls);
    assert_eq!(host.status("a").unwrap().kept, ["1.0.0"]);
}

/// Spins for as long as the file `/data/go` is not there.
fn spinner(version: &str) -> Vec<u8> {
    let body = format!(
        r#"{} (data (i32.const 256) "file_stat") (data (i32.const 272) "\08\00\00\00/data/go")
        (func (export "spin") (param i32) (result i32)
          (loop $again
            (br_if $again (i32.lt_s
              (call $syscall (i32.const 256) (i32.const 9) (i32.const 272) (i32.const 12) (i32.const 512) (i32.const 64))
              (i32.const 0))))
          i32.const 0)"#,
        super::GOOD
    );
    let tables = "[permissions]\nfilesystem = [\"read\"]\n[limits]\ntimeout = \"20s\"\n[instances]\nmode = \"pooled\"\nmax = 4";
    Guest::new("a").version(version).tables(tables).body(&body).operation("spin").package()
}

fn an_upgrade_does_not_wait_for_calls_of_the_old_version(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&spinner("1.0.0"), true).unwrap();
    let first = host.status("a").unwrap().calls;
    std::thread::scope(|scope| {
        let go = || {
            std::fs::create_dir_all(world.path("data/acme/a")).unwrap();
            std::fs::write(world.path("data/acme/a/go"), b"").unwrap();
        };
        let mut spinning = Vec::new();
        for version in ["1.1.0", "1.2.0", "1.3.0"] {
            let host = &host;
            spinning.push(scope.spawn(move || host.call("a", "spin", vec![])));
            // It is in flight once it has asked for the file.
            let asking = || host.hall().loaded("a").unwrap().plugin.metrics().sample().instances > 0;
            while !asking() || host.hall().loaded("a").unwrap().plugin.is_to_be_waited_for() {
                std::thread::yield_now();
            }
            let report = host.upgrade(&spinner(version), &UpgradeOptions::default()).unwrap();
            assert_eq!((report.now.version.as_str(), report.draining.len()), (version, spinning.len()));
            host.call("a", "echo", vec![1]).unwrap();
        }
        assert_eq!(host.status("a").unwrap().draining, ["1.0.0", "1.1.0", "1.2.0"]);
        let refused = host.upgrade(&spinner("1.4.0"), &UpgradeOptions::default()).unwrap_err();
        assert_eq!(refused.code().id, "E5024");
        assert!(refused.to_string().contains("1.0.0, 1.1.0, 1.2.0"), "{refused}");
        go();
        for call in spinning {
            call.join().unwrap().unwrap();
        }
    });
    assert_eq!((first, world.recorded(&host, &["\"type\":\"call\""])), (0, 0));
    host.clone().shutdown().unwrap();
    assert_eq!(host.status("a").unwrap().draining, [] as [&str; 0]);
    assert_eq!(world.recorded(&host, &["\"to\":\"Unloaded\"", "another version took its place"]), 3);
}
