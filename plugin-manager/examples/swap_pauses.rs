//! Prints what callers see while a plugin they call is replaced again and again, beside the same load without that.
//!
//! `cargo xtask soak swap [ENGINE]...`. Four threads call without pause an operation that counts in the plugin's state;
//! meanwhile the plugin is upgraded and rolled back, with its state, 100 times. A call that fails, a count below the calls that
//! were answered (lost) or above them (doubled) ends the program with status 1.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use plugin_manager::{PackageLimits, PluginManager, Source, UpgradeOptions, pack};
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CALLERS: usize = 4;
const SWAPS: usize = 100;
/// Calls that are answered between one swap and the next.
const BETWEEN: u64 = 100;

const COUNTER: &str = r#"(module
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $n (mut i64) (i64.const 0))
    (func (export "init") (result i32) i32.const 0)
    (func (export "start") (result i32) i32.const 0)
    (func (export "stop") (result i32) i32.const 0)
    (func $tell (result i32)
      (i64.store (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 8)))
    (func (export "add") (param i32) (result i32)
      (global.set $n (i64.add (global.get $n) (i64.const 1))) i32.const 0)
    (func (export "count") (param i32) (result i32) (call $tell))
    (func (export "state_save") (result i32) (call $tell))
    (func (export "state_load") (param i32) (result i32)
      (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
      (global.set $n (i64.load (i32.const 0))) i32.const 0))"#;

fn package(version: &str) -> Outcome<Vec<u8>> {
    let module = wat::parse_str(COUNTER)?;
    let toml = format!(
        "[plugin]\nname = \"counter\"\nversion = \"{version}\"\npublisher = \"acme\"\n\
         [[operations]]\nname = \"add\"\n[[operations]]\nname = \"count\"\n"
    );
    let source = Source { plugin_toml: &toml, publisher: None, module: &module, assets: &[] };
    Ok(pack(&source, &PackageLimits::default())?)
}

fn open(home: &Path, engine: &str) -> Outcome<PluginManager> {
    std::fs::write(
        home.join("plugin-manager.yaml"),
        format!(
            "plugin_manager:\n  environment: development\n  engine: {engine}\n  \
             security: {{ verify_signatures: false, namespace_isolation: false, enforce_permissions: false }}\n"
        ),
    )?;
    Ok(PluginManager::builder().home(home).open()?)
}

/// What callers saw.
#[derive(Debug, Default)]
struct Seen {
    failed: u64,
    /// How long each call took, sorted.
    took: Vec<Duration>,
}

impl Seen {
    fn answered(&self) -> u64 {
        self.took.len() as u64
    }
    /// What this many of 1,000 calls took at most.
    fn within(&self, thousandths: usize) -> Duration {
        let at = (self.took.len() * thousandths / 1000).min(self.took.len().saturating_sub(1));
        self.took.get(at).copied().unwrap_or_default()
    }
}

/// Calls without pause while `job` is done.
fn beside_calls(host: &PluginManager, job: impl FnOnce(&AtomicU64) -> Outcome<()>) -> Outcome<Seen> {
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let call = || -> Outcome<Seen> {
        let mut add = host.handle("counter")?.operation("add")?;
        let (mut input, mut output, mut seen) = (Vec::new(), Vec::new(), Seen::default());
        while !over.load(Ordering::Relaxed) {
            let began = Instant::now();
            match add.call(&mut input, &mut output) {
                Ok(()) => {
                    seen.took.push(began.elapsed());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => seen.failed += 1,
            }
        }
        Ok(seen)
    };
    std::thread::scope(|scope| {
        let call = || call().map_err(|error| error.to_string());
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        let done = job(&answered);
        over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for caller in callers {
            let seen = caller.join().map_err(|_| "a caller panicked")??;
            all.failed += seen.failed;
            all.took.extend(seen.took);
        }
        all.took.sort_unstable();
        done.map(|()| all)
    })
}

fn swap_often(host: &PluginManager, answered: &AtomicU64) -> Outcome<()> {
    host.upgrade(&package("1.1.0")?, &UpgradeOptions::default())?;
    for i in 1..SWAPS {
        let until = answered.load(Ordering::Relaxed) + BETWEEN;
        while answered.load(Ordering::Relaxed) < until {
            std::thread::yield_now();
        }
        host.rollback("counter", Some(if i % 2 == 1 { "1.0.0" } else { "1.1.0" }))?;
    }
    Ok(())
}

/// Measures one engine. Whether no call failed, was lost or was made twice.
fn measure(engine: &str) -> Outcome<bool> {
    let home = tempfile::tempdir()?;
    let host = open(home.path(), engine)?;
    host.install(&package("1.0.0")?, true)?;
    host.call("counter", "add", Vec::new())?;
    let began = Instant::now();
    let swapped = beside_calls(&host, |answered| swap_often(&host, answered))?;
    let took = began.elapsed();
    let count = host.call("counter", "count", Vec::new())?;
    let counted = u64::from_le_bytes(count.try_into().map_err(|_| "a count has 8 bytes")?) - 1;
    let still = beside_calls(&host, |_| {
        std::thread::sleep(took);
        Ok(())
    })?;
    host.shutdown()?;
    let (lost, doubled) =
        (swapped.answered().saturating_sub(counted), counted.saturating_sub(swapped.answered()));
    for (load, seen, lost, doubled) in [(SWAPS, &swapped, lost, doubled), (0, &still, 0, 0)] {
        let (answered, failed) = (seen.answered(), seen.failed);
        let [median, most, longest] = [500, 999, 1000].map(|share| format!("{:.1?}", seen.within(share)));
        println!(
            "{engine:<9} {load:>5} {answered:>9} {failed:>6} {lost:>5} {doubled:>7} {median:>9} {most:>9} {longest:>9}"
        );
    }
    println!(
        "{engine:<9} {SWAPS} swaps took {took:.1?}: {:.1?} each, calls between them included",
        took / 100
    );
    Ok(lost == 0 && doubled == 0 && swapped.failed == 0)
}

fn main() -> Outcome<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let engines = if named.is_empty() { vec!["wasmtime".to_owned(), "wasmer".to_owned()] } else { named };
    println!("engine    swaps     calls failed  lost doubled    median     99.9%   longest");
    for engine in engines {
        if !measure(&engine)? {
            return Err("a call failed, was lost or was made twice".into());
        }
    }
    Ok(())
}
