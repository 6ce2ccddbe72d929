//! Fuel, stack, memory, tables, and code that was stored and loaded.

use super::Bench;
use crate::runtime::{CodeKey, RuntimeError, Trap};
use crate::sandbox::Limits;
use common::crypto::MacKey;
use common::error::Coded;
use common::identity::Digest;
use std::time::Duration;

const FUELLED: &str = r#"(module (memory (export "memory") 100)
  (func (export "three") (param i32) (result i32) (i32.add (i32.const 1) (i32.const 2)))
  (func (export "loop") (param i32) (result i32) (loop (br 0)) (i32.const 0))
  (func (export "fill") (param i32) (result i32)
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 6400)) (i32.const 0))
  (func (export "branches") (param i32) (result i32)
    (if (result i32) (i32.const 0) (then (i32.add (i32.const 1) (i32.const 2))) (else (i32.const 5)))))"#;
const OPERATIONS: [&str; 4] = ["three", "loop", "fill", "branches"];

fn fuel(amount: u64) -> Limits {
    Limits { fuel: Some(amount), timeout: Duration::from_secs(5), ..Limits::default() }
}

#[test]
fn fuel_used_is_counted_for_each_call() {
    let bench = Bench::new();
    let module = bench.compile(FUELLED, true).unwrap();
    let mut guest = bench.make(&module, &OPERATIONS, &fuel(1_000)).unwrap();
    // One for the call, one for each operator that makes code.
    for _ in 0..2 {
        assert_eq!(guest.call(0), Ok(3));
        assert_eq!(guest.instance.usage().fuel, Some(1 + 3));
    }
    // `fill` costs one for each 64 bytes.
    assert_eq!(guest.call(2), Ok(0));
    assert_eq!(guest.instance.usage().fuel, Some(1 + 5 + 100));
    // The branch not taken costs nothing.
    assert_eq!(guest.call(3), Ok(5));
    assert_eq!(guest.instance.usage().fuel, Some(1 + 2 + 1));
}

#[test]
fn exhausted_fuel_is_a_trap_of_its_own() {
    let bench = Bench::new();
    let module = bench.compile(FUELLED, true).unwrap();
    for operation in [1, 2] {
        let mut guest = bench.make(&module, &OPERATIONS, &fuel(50)).unwrap();
        assert_eq!(guest.call(operation), Err(Trap::Fuel));
        assert!(guest.instance.usage().fuel.unwrap() >= 50);
    }
}

#[test]
fn without_a_limit_metered_code_runs_and_is_counted() {
    let bench = Bench::new();
    let limits = Limits { fuel: None, ..fuel(0) };
    let mut guest = bench.make(&bench.compile(FUELLED, true).unwrap(), &OPERATIONS, &limits).unwrap();
    assert_eq!(guest.call(0), Ok(3));
    assert_eq!(guest.instance.usage().fuel, Some(4));
    let mut guest = bench.make(&bench.compile(FUELLED, false).unwrap(), &OPERATIONS, &limits).unwrap();
    assert_eq!(guest.call(0), Ok(3));
    assert_eq!(guest.instance.usage().fuel, None);
}

#[test]
fn a_fuel_limit_needs_metered_code() {
    let bench = Bench::new();
    let module = bench.compile(FUELLED, false).unwrap();
    assert!(matches!(bench.make(&module, &OPERATIONS, &fuel(50)), Err(RuntimeError::Mismatch(_))));
}

#[test]
fn metered_code_still_ends_at_its_deadline() {
    let bench = Bench::new();
    let module = bench.compile(FUELLED, true).unwrap();
    let mut guest = bench.make(&module, &OPERATIONS, &Limits { fuel: None, ..fuel(0) }).unwrap();
    assert_eq!(guest.call_within(1, Duration::from_millis(30)), Err(Trap::Deadline));
}

const DEEP: &str = r#"(module (memory (export "memory") 1)
  (func $down (param i32) (result i32) (i32.add (call $down (local.get 0)) (i32.const 1)))
  (func $level (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (call $level (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0))))
  (func (export "endless") (param i32) (result i32) (call $down (i32.const 0)))
  (func (export "deep") (param i32) (result i32) (call $level (i32.const 1000))))"#;

#[test]
fn endless_recursion_ends_as_exhausted_stack_each_time() {
    let bench = Bench::new();
    let module = bench.compile(DEEP, false).unwrap();
    for _ in 0..50 {
        let mut guest = bench.make(&module, &["endless", "deep"], &Limits::default()).unwrap();
        assert_eq!(guest.call(1), Ok(1000));
        assert_eq!(guest.call(0), Err(Trap::Stack));
    }
}

/// A guest as deep as the stack goes, whose last function traps: wasmer raises these traps on the guest's stack, where
/// running out in the middle would leave a lock of the whole process locked.
fn traps_at_every_depth(operator: &str) {
    let wat = format!(
        r#"(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
          (memory (export "memory") 1) (table 1 funcref) (data "abc") (elem func 0 0)
          (func $down (param i32) (result i32)
            (if (result i32) (local.get 0)
              (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
              (else {operator} (i32.const 0))))
          (func (export "run") (param i32) (result i32) (call $down (local.get 0))))"#
    );
    let bench = Bench::new();
    let module = bench.compile(&wat, false).unwrap();
    let fits = |depth: usize| {
        let mut guest = bench.make(&module, &["run"], &Limits::default()).unwrap();
        guest.call_with(0, vec![0; depth]) != Err(Trap::Stack)
    };
    let (mut most, mut too_many) = (1, 1 << 20);
    while too_many - most > 1 {
        let middle = usize::midpoint(most, too_many);
        *(if fits(middle) { &mut most } else { &mut too_many }) = middle;
    }
    for depth in (most.saturating_sub(400)..too_many + 10).step_by(9) {
        assert_eq!(fits(depth), depth <= most, "{operator} at depth {depth} of {most}");
    }
}

#[test]
fn a_trap_with_the_stack_nearly_used_up_holds_no_lock() {
    let (done, finished) = std::sync::mpsc::channel();
    // On a thread of its own: what this looks for would never return.
    std::thread::spawn(move || {
        for operator in [
            "(unreachable)",
            "(memory.fill (i32.const 65000) (i32.const 0) (i32.const 6000))",
            "(table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 6))",
            "(call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        ] {
            traps_at_every_depth(operator);
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(120)).unwrap();
}

const OUTSIDE: &str = r#"(module (memory (export "memory") 1) (table $t 4 funcref) (table $e 4 externref)
  (data $d "abcdef") (elem $f func $g $g $g) (func $g)
  (func (export "fill") (param i32) (result i32) (memory.fill (i32.const 65530) (i32.const 7) (local.get 0)) (i32.load8_u (i32.const 65535)))
  (func (export "copy") (param i32) (result i32) (memory.copy (i32.const 65530) (i32.const 1) (local.get 0)) (i32.const 0))
  (func (export "copy from") (param i32) (result i32) (memory.copy (i32.const 1) (i32.const 65530) (local.get 0)) (i32.const 0))
  (func (export "init") (param i32) (result i32) (memory.init $d (i32.const 100) (i32.const 0) (local.get 0)) (i32.load8_u (i32.const 105)))
  (func (export "init dropped") (param i32) (result i32) (data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 0))
  (func (export "table fill") (param i32) (result i32) (table.fill $e (i32.const 1) (ref.null extern) (local.get 0)) (i32.const 0))
  (func (export "table copy") (param i32) (result i32) (table.copy $t $t (i32.const 0) (i32.const 1) (local.get 0)) (i32.const 0))
  (func (export "table init") (param i32) (result i32) (table.init $t $f (i32.const 0) (i32.const 0) (local.get 0)) (ref.is_null (table.get $t (i32.const 2))))
  (func (export "table init dropped") (param i32) (result i32) (elem.drop $f) (table.init $t $f (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 0))
  (func (export "table get") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
  (func (export "table set") (param i32) (result i32) (table.set $t (local.get 0) (ref.func $g)) (ref.is_null (table.get $t (local.get 0)))))"#;

#[test]
fn operators_reach_to_the_last_element_and_trap_beyond() {
    // For each: the largest argument that is in bounds, and what it gives.
    let operations = [
        ("fill", 6, 7),
        ("copy", 6, 0),
        ("copy from", 6, 0),
        ("init", 6, i32::from(b'f')),
        ("init dropped", 0, 0),
        ("table fill", 3, 0),
        ("table copy", 3, 0),
        ("table init", 3, 0),
        ("table init dropped", 0, 0),
        ("table get", 3, 1),
        ("table set", 3, 0),
    ];
    let bench = Bench::new();
    let module = bench.compile(OUTSIDE, true).unwrap();
    for (index, (name, last, result)) in (0..).zip(operations) {
        let argument = |argument: usize| {
            let mut guest =
                bench.make(&module, &operations.map(|(name, ..)| name), &Limits::default()).unwrap();
            guest.call_with(index, vec![0; argument])
        };
        assert_eq!(argument(last), Ok(result), "{name}");
        let text = if name.starts_with('t') {
            "undefined element: out of bounds table access"
        } else {
            "out of bounds memory access"
        };
        assert_eq!(argument(last + 1), Err(Trap::Guest(text.into())), "{name}");
        assert_eq!(argument(10_000), Err(Trap::Guest(text.into())), "{name}");
    }
}

#[test]
fn memory_grows_to_its_limit_and_not_beyond() {
    let wat = |max: &str| {
        format!(
            r#"(module (memory (export "memory") 1 {max})
          (func (export "one") (param i32) (result i32) (memory.grow (i32.const 1)))
          (func (export "all") (param i32) (result i32)
            (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)))"#
        )
    };
    let bench = Bench::new();
    for (max, pages) in [("", 10), ("5", 5), ("65536", 10), ("10", 10)] {
        let module = bench.compile(&wat(max), false).unwrap();
        let limits = Limits { memory_bytes: 10 * 65_536, ..Limits::default() };
        let mut guest = bench.make(&module, &["one", "all"], &limits).unwrap();
        assert_eq!(guest.call(0), Ok(1));
        assert_eq!(guest.call(1), Ok(pages), "maximum {max:?}");
        assert_eq!(guest.call(0), Ok(-1));
        assert_eq!(guest.instance.usage().memory_bytes, pages as u64 * 65_536);
    }
}

#[test]
fn tables_grow_to_their_limit_together() {
    let wat = r#"(module (memory (export "memory") 1) (table $a 10 funcref) (table $b 10 20 externref)
      (func (export "a") (param i32) (result i32)
        (loop $l (br_if $l (i32.ne (table.grow $a (ref.null func) (i32.const 1)) (i32.const -1)))) (table.size $a))
      (func (export "b") (param i32) (result i32)
        (loop $l (br_if $l (i32.ne (table.grow $b (ref.null extern) (i32.const 1)) (i32.const -1)))) (table.size $b)))"#;
    let bench = Bench::new();
    let module = bench.compile(wat, false).unwrap();
    for table_elements in [20, 25, 100] {
        let limits = Limits { table_elements, ..Limits::default() };
        let mut guest = bench.make(&module, &["a", "b"], &limits).unwrap();
        let (a, b) = (guest.call(0).unwrap(), guest.call(1).unwrap());
        assert_eq!((a + b).cast_unsigned(), table_elements, "{a} + {b}");
    }
}

#[test]
fn a_module_too_large_at_the_start_is_refused_with_its_code() {
    let bench = Bench::new();
    let limits = Limits { memory_bytes: 65_536, table_elements: 10, ..Limits::default() };
    let tables = "(table 0 funcref)".repeat(65);
    let cases =
        [("(memory (export \"memory\") 2)", "E4011"), ("(table 11 funcref)", "E4014"), (&*tables, "E4014")];
    for (what, code) in cases {
        let module = bench.compile(&format!("(module {what})"), false).unwrap();
        let Err(error) = bench.make(&module, &[], &limits) else { panic!("{what}") };
        assert!(matches!(error, RuntimeError::Limit { .. }), "{error}");
        assert_eq!(error.code().id, code);
    }
}

#[test]
fn segments_that_do_not_fit_are_a_trap() {
    let bench = Bench::new();
    let wat = r#"(module (memory (export "memory") 1) (data (i32.const 65536) "x"))"#;
    let module = bench.compile(wat, false).unwrap();
    let error = bench.make(&module, &[], &Limits::default()).err().unwrap();
    assert!(matches!(error, RuntimeError::Instantiate(Trap::Guest(_))), "{error:?}");
}

#[test]
fn what_is_not_a_plain_module_does_not_compile() {
    let bench = Bench::new();
    for wat in [
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (memory 1 1 shared))",
        "(module (func (return_call 0)))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
        r#"(module (import "env" "unheard" (func)))"#,
        r#"(module (import "env" "log" (func (param i64))))"#,
        r#"(module (import "env" "log" (memory 1)))"#,
        r#"(module (import "other" "log" (func (param i32 i32))))"#,
    ] {
        let error = bench.compile(wat, false).err().unwrap_or_else(|| panic!("{wat}"));
        assert!(matches!(error, RuntimeError::Compile(..)), "{wat}: {error}");
    }
}

#[test]
fn stored_code_is_loaded_with_its_checks() {
    let bench = Bench::new();
    let wat = r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
      (func $s (global.set $g (i32.const 9))) (start $s)
      (func (export "get") (param i32) (result i32) (global.get $g))
      (func (export "loop") (param i32) (result i32) (loop (br 0)) (i32.const 0)))"#;
    let host = MacKey::new(&[7; 32]);
    for fuel in [false, true] {
        let compiled = bench.compile(wat, fuel).unwrap();
        let bytes = bench.engine.serialize(&compiled).unwrap();
        drop(compiled);
        let key = CodeKey { module: Digest::of(wat.as_bytes()), fingerprint: bench.engine.fingerprint(fuel) };
        let code = key.open(&host, key.seal(&host, &bytes)).unwrap();
        let loaded = bench.engine.load(&code, fuel).unwrap();
        assert_eq!(bench.engine.serialize(&loaded).unwrap(), bytes);
        let mut guest = bench.make(&loaded, &["get", "loop"], &Limits::default()).unwrap();
        drop(loaded);
        assert_eq!(guest.call(0), Ok(9));
        assert_eq!(guest.instance.usage().fuel.is_some(), fuel);
        assert_eq!(guest.call_within(1, Duration::from_millis(30)), Err(Trap::Deadline));
    }
}

#[test]
fn the_fingerprint_tells_metered_code_apart() {
    let bench = Bench::new();
    assert_ne!(bench.engine.fingerprint(true), bench.engine.fingerprint(false));
    assert!(bench.engine.fingerprint(false).starts_with("wasmer 7."));
}

#[test]
fn an_abort_carries_its_text() {
    let wat = r#"(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
      (memory (export "memory") 1) (data (i32.const 0) "\04\00\00\00n\00o\00")
      (func (export "run") (param i32) (result i32)
        (call $abort (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)))"#;
    assert_eq!(Bench::new().guest(wat, &["run"]).call(0), Err(Trap::Abort("no".into())));
}
