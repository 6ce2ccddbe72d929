//! Both engines in one process: each handles its own traps, whoever installed its signal handlers first.

use super::{Bench, begin};
use crate::abi::HostContext;
use crate::runtime::{Engine, EngineKind, Entry, ExportPlan, Instance, Trap, engine};
use crate::sandbox::Limits;
use crate::syscall::Status;
use common::clock::{Deadline, SystemClock};
use std::sync::{Arc, Mutex};

/// One operation for each way to trap by a signal, and one that asks the host and then goes on.
const TRAPS: &str = r#"(module
  (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "other")
  (func $down (param i32) (result i32) (i32.add (call $down (local.get 0)) (i32.const 1)))
  (func (export "unreachable") (param i32) (result i32) unreachable)
  (func (export "bounds") (param i32) (result i32) (i32.load (i32.const -4)))
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func (export "stack") (param i32) (result i32) (call $down (i32.const 0)))
  (func (export "fine") (param i32) (result i32) (i32.const 5))
  (func (export "ask") (param i32) (result i32)
    (call $syscall (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
const OPERATIONS: [&str; 6] = ["unreachable", "bounds", "divide", "stack", "fine", "ask"];

fn expected() -> [Result<i32, Trap>; 5] {
    [
        Err(Trap::Guest("unreachable".into())),
        Err(Trap::Guest("out of bounds memory access".into())),
        Err(Trap::Guest("integer divide by zero".into())),
        Err(Trap::Stack),
        Ok(5),
    ]
}

type Answer = Box<dyn Fn() -> Result<(), Status> + Send>;

fn instance(engine: &Arc<dyn Engine>, answer: Answer) -> Box<dyn Instance> {
    let bench = Bench { clock: SystemClock::start().unwrap(), engine: engine.clone() };
    let module = bench.compile(TRAPS, false).unwrap();
    let plan = ExportPlan { operations: OPERATIONS.map(String::from).to_vec(), ..Default::default() };
    let port = bench.port().answering("other", move |_| answer().map(|()| Vec::new()));
    let mut context = HostContext::new(Box::new(port), 1 << 20);
    begin(&mut context, Deadline::NEVER);
    engine.instantiate(&module, &plan, &Limits::default(), context).unwrap()
}

fn plain(engine: &Arc<dyn Engine>) -> Box<dyn Instance> {
    instance(engine, Box::new(|| Ok(())))
}

fn engines() -> [Arc<dyn Engine>; 2] {
    let clock: Arc<dyn common::clock::Clock> = SystemClock::start().unwrap();
    [EngineKind::Wasmer, EngineKind::Wasmtime].map(|kind| engine(kind, &clock).unwrap())
}

#[test]
fn traps_take_turns() {
    let [wasmer, wasmtime] = engines();
    for _ in 0..10 {
        for (index, expected) in (0..).zip(expected()) {
            for engine in [&wasmer, &wasmtime] {
                assert_eq!(plain(engine).call(Entry::Operation(index)), expected, "{engine:?}");
            }
        }
    }
}

#[test]
fn traps_take_turns_on_many_threads() {
    let engines = Arc::new(engines());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let engines = engines.clone();
            std::thread::spawn(move || {
                for (index, expected) in (0..).zip(expected()) {
                    // Half of the threads meet wasmtime first: each thread has its own signal stack.
                    let order = if thread % 2 == 0 { [0, 1] } else { [1, 0] };
                    for engine in order.map(|i| &engines[i]) {
                        assert_eq!(plain(engine).call(Entry::Operation(index)), expected);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A guest of `outer` asks the host, which calls a guest of `inner` that traps.
fn nested(outer: &Arc<dyn Engine>, inner: &Arc<dyn Engine>) {
    for (index, expected) in (0..).zip(expected()) {
        let below = Mutex::new(plain(inner));
        let seen = Arc::new(Mutex::new(None));
        let report = seen.clone();
        let answer = move || {
            let result = below.lock().unwrap().call(Entry::Operation(index));
            let failed = result.is_err();
            *report.lock().unwrap() = Some(result);
            if failed { Err(Status::Internal) } else { Ok(()) }
        };
        let mut above = instance(outer, Box::new(answer));
        let status = if expected.is_err() { -7 } else { 0 };
        assert_eq!(above.call(Entry::Operation(5)), Ok(status), "{outer:?} over {inner:?}");
        assert_eq!(seen.lock().unwrap().take(), Some(expected));
        // The outer guest's own traps are still its own.
        assert_eq!(above.call(Entry::Operation(3)), Err(Trap::Stack));
    }
}

#[test]
fn a_trap_below_another_engines_guest_is_the_inner_ones() {
    let [wasmer, wasmtime] = engines();
    nested(&wasmer, &wasmtime);
    nested(&wasmtime, &wasmer);
    nested(&wasmer, &wasmer);
}

/// Traps of one engine, then of the other, then of one below the other.
fn in_this_order(kinds: [EngineKind; 2]) {
    let clock: Arc<dyn common::clock::Clock> = SystemClock::start().unwrap();
    let engines = kinds.map(|kind| {
        let engine = engine(kind, &clock).unwrap();
        for (index, expected) in (0..).zip(expected()) {
            assert_eq!(plain(&engine).call(Entry::Operation(index)), expected, "{engine:?}");
        }
        engine
    });
    let [first, second] = &engines;
    nested(first, second);
    nested(second, first);
}

#[test]
fn wasmer_first() {
    in_this_order([EngineKind::Wasmer, EngineKind::Wasmtime]);
}

#[test]
fn wasmtime_first() {
    in_this_order([EngineKind::Wasmtime, EngineKind::Wasmer]);
}

/// Handlers are installed once in a process, so each order has one of its own.
#[test]
fn handlers_may_be_installed_in_either_order() {
    let this = std::env::current_exe().unwrap();
    for child in ["wasmer_first", "wasmtime_first"] {
        let name = format!("runtime::wasmer_engine::tests::together::{child}");
        let run = std::process::Command::new(&this).args(["--exact", &name]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{child}: {}\n{said}", run.status);
    }
}
