//! Which modules an engine takes: the WebAssembly that is on, and nothing that is off.

use super::{Bench, conformance};
use crate::runtime::RuntimeError;

conformance! {
    fault_046_features_that_are_off_are_refused
    features_that_are_on_work
    fault_023_what_is_no_module_is_refused
    fault_034_unknown_and_mistyped_imports_are_refused
}

fn fault_046_features_that_are_off_are_refused(bench: &Bench) {
    for (feature, module) in [
        ("memory64", r#"(module (memory (export "memory") i64 1))"#),
        ("threads", r#"(module (memory (export "memory") 1 1 shared))"#),
        ("threads", r#"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"#),
        ("multi-memory", r#"(module (memory 1) (memory 1))"#),
        ("exceptions", r#"(module (tag $e) (func (throw $e)))"#),
        ("gc", r#"(module (type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1)))))"#),
        (
            "function references",
            r#"(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))"#,
        ),
        ("tail calls", r#"(module (func $f (return_call $f)))"#),
        (
            "relaxed simd",
            r#"(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))"#,
        ),
        (
            "wide arithmetic",
            r#"(module (func (param i64) (i64.mul_wide_u (local.get 0) (local.get 0)) drop drop))"#,
        ),
        ("custom page sizes", r#"(module (memory 1 (pagesize 1)))"#),
        ("components", r#"(component)"#),
    ] {
        let compiled = bench.compile(module);
        assert!(matches!(compiled, Err(RuntimeError::Compile(..))), "{feature}: {compiled:?}");
    }
}

fn features_that_are_on_work(bench: &Bench) {
    let body = r#"
        (global $g (mut i32) (i32.add (i32.const 20) (i32.const 22)))
        (table $t 2 funcref) (elem declare func $pair)
        (func $pair (result i32 i32) (i32.const 1) (i32.const 2))
        (func (export "op") (param i32) (result i32)
          (table.set $t (i32.const 1) (ref.func $pair))
          (memory.fill (i32.const 0) (i32.const 200) (i32.const 16))
          (memory.copy (i32.const 16) (i32.const 0) (i32.const 16))
          (i32.add (i32.extend8_s (i32.load8_u (i32.const 31)))
            (i32.add (i32x4.extract_lane 3 (i32x4.add (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 2 3 4)))
              (i32.add (i32.trunc_sat_f32_s (f32.const nan))
                (i32.add (global.get $g) (i32.sub (call $pair)))))))"#;
    assert_eq!(bench.guest(body).run().status(), Ok(-56 + 8 + 42 - 1));
}

fn fault_023_what_is_no_module_is_refused(bench: &Bench) {
    let good = wat::parse_str(format!("(module {} {})", super::MEMORY, super::LIFECYCLE)).unwrap();
    assert!(bench.engine.compile(&good, false).is_ok());
    let mut version = good.clone();
    version[4] = 2;
    let mut garbage = good.clone();
    let last = garbage.len() - 1;
    garbage[last] = 0xff;
    let text = format!("(module {})", super::MEMORY).into_bytes();
    for bad in [Vec::new(), b"\0asm".to_vec(), version, garbage, text, b"MZ".to_vec()] {
        let compiled = bench.engine.compile(&bad, false);
        assert!(matches!(compiled, Err(RuntimeError::Compile(..))), "{bad:?}");
    }
    for end in 1..good.len() {
        // A cut between sections leaves a module, though one without all of this one's parts.
        if let Ok(module) = bench.engine.compile(&good[..end], false) {
            let wat = format!("(module {} {})", super::MEMORY, super::LIFECYCLE);
            assert!(bench.module(&wat).run_module(&module).is_err(), "cut at {end}");
        }
    }
}

fn fault_034_unknown_and_mistyped_imports_are_refused(bench: &Bench) {
    for import in [
        r#"(import "env" "exit" (func (param i32)))"#,
        r#"(import "host" "log" (func (param i32 i32)))"#,
        r#"(import "env" "log" (func (param i32)))"#,
        r#"(import "env" "log" (func (param i64 i32)))"#,
        r#"(import "env" "output" (func (param i32 i32)))"#,
        r#"(import "env" "memory" (memory 1))"#,
        r#"(import "env" "table" (table 1 funcref))"#,
        r#"(import "wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
    ] {
        let memory = if import.contains("(memory") { "" } else { super::MEMORY };
        let wat = format!("(module {import} {memory} {})", super::LIFECYCLE);
        let made = bench.module(&wat).try_run();
        let refused = matches!(made, Err(RuntimeError::Compile(..) | RuntimeError::Instantiate(_)));
        assert!(refused, "{import}: {:?}", made.err());
    }
}
