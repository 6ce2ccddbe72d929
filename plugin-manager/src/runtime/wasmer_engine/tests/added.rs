//! The added code changes no result and is passed in bounded time.

use super::Bench;
use crate::runtime::{RuntimeError, Trap};
use crate::sandbox::Limits;
use common::clock::Deadline;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Every way out of a function, of every result type there is, and code after it that is never reached.
const WAYS_OUT: &str = r#"(module (memory (export "memory") 1) (elem declare func $f)
  (func $f (result i32) i32.const 7)
  (func $branch (result i32) (block (br 1 (i32.const 7))) (i32.const 1))
  (func $nested (param i32) (result i32)
    (loop $again (block $out (br_if 2 (i32.const 9) (i32.const 1)) drop (br $again)) (br $again)) i32.const 1)
  (func $table (param i32) (result i32)
    (block $a (result i32) (block $b (result i32)
      (br_table $b $a 2 (i32.const 10) (local.get 0))) (return (i32.add (i32.const 100)))) (i32.add (i32.const 200)))
  (func $pair (param i32) (result i32 i64)
    (if (local.get 0) (then (return (i32.const 3) (i64.const 4))))
    (loop (br_if 1 (i32.const 5) (i64.const 6) (i32.const 1)) drop drop) (i32.const 0) (i64.const 0))
  (func $double (result f64) (block (result f64) (f64.const 1.5)))
  (func $vector (result v128) (v128.const i32x4 1 2 3 4))
  (func $reference (result funcref) (ref.func $f))
  (func $foreign (result externref) (ref.null extern))
  (func $dead (result i32) (return (i32.const 8)) (loop (br 0)) (if (i32.const 1) (then (loop (br 0)))) i32.const 1)
  (func $nothing (param i32) (br_if 0 (local.get 0)) (block (br 1)))
  (func (export "branch") (param i32) (result i32) (call $branch))
  (func (export "nested") (param i32) (result i32) (call $nested (i32.const 0)))
  (func (export "table") (param i32) (result i32)
    (i32.add (call $table (i32.const 0)) (i32.add (call $table (i32.const 1)) (call $table (i32.const 2)))))
  (func (export "pair") (param i32) (result i32)
    (i32.wrap_i64 (call $pair (i32.const 1))) (drop) (drop)
    (call $pair (i32.const 0)) (drop))
  (func (export "double") (param i32) (result i32) (i32.trunc_f64_s (call $double)))
  (func (export "vector") (param i32) (result i32) (i32x4.extract_lane 2 (call $vector)))
  (func (export "references") (param i32) (result i32)
    (i32.add (ref.is_null (call $reference)) (ref.is_null (call $foreign))))
  (func (export "dead") (param i32) (result i32) (call $dead))
  (func (export "nothing") (param i32) (result i32)
    (call $nothing (i32.const 0)) (call $nothing (i32.const 1)) (i32.const 4)))"#;

#[test]
fn every_way_out_of_a_function_gives_what_it_gave() {
    let expected = [
        ("branch", 7),
        ("nested", 9),
        ("table", 110 + 210 + 10),
        ("pair", 5),
        ("double", 1),
        ("vector", 3),
        ("references", 1),
        ("dead", 8),
        ("nothing", 4),
    ];
    let names = expected.map(|(name, _)| name);
    let bench = Bench::new();
    for fuel in [false, true] {
        let module = bench.compile(WAYS_OUT, fuel).unwrap();
        let mut guest = bench.make(&module, &names, &Limits::default()).unwrap();
        for (index, (name, result)) in (0..).zip(expected) {
            assert_eq!(guest.call(index), Ok(result), "{name}, fuel {fuel}");
        }
    }
}

fn ends_at_its_deadline(body: &str) {
    let wat = format!(
        r#"(module
          (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2000) (table $t 90000 funcref) (data (i32.const 0) "sleep")
          (func $fib (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
              (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                             (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
          (func $pair (result i32 i32) (loop (br 0)) (unreachable))
          (func (export "run") (param i32) (result i32) (local i32) {body} (i32.const 0)))"#
    );
    let bench = Bench::new();
    let mut guest = bench.guest(&wat, &["run"]);
    let (begun, timeout) = (Instant::now(), Duration::from_millis(50));
    let deadline = Deadline::after(&*bench.clock, timeout);
    assert_eq!(guest.call_within(0, timeout), Err(Trap::Deadline), "{body}");
    assert!(deadline.passed(&*bench.clock), "{body}: early");
    // Twice the deadline, and what a busy test machine needs.
    assert!(begun.elapsed() < Duration::from_secs(2), "{body}: after {:?}", begun.elapsed());
}

#[test]
fn a_loop_that_touches_no_memory_ends() {
    ends_at_its_deadline("(loop (br 0))");
    ends_at_its_deadline("(loop (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br 0))");
    ends_at_its_deadline("(loop (loop (br_if 1 (i32.const 1))))");
    ends_at_its_deadline("(block (loop (block (br_table 0 1 1 (i32.const 1)))))");
    ends_at_its_deadline("(call $pair) drop drop");
}

#[test]
fn a_loop_that_uses_memory_ends() {
    ends_at_its_deadline("(loop (i32.store (i32.const 0) (i32.load (i32.const 4))) (br 0))");
    ends_at_its_deadline("(loop (drop (memory.grow (i32.const 0))) (br 0))");
    ends_at_its_deadline("(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0))");
}

#[test]
fn recursion_without_a_loop_ends() {
    ends_at_its_deadline("(drop (call $fib (i32.const 60)))");
}

#[test]
fn bulk_operations_in_a_row_end() {
    for operation in [
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 130000000))",
        "(memory.copy (i32.const 0) (i32.const 65536) (i32.const 130000000))",
        "(table.fill $t (i32.const 0) (ref.null func) (i32.const 90000))",
        "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 89999))",
    ] {
        ends_at_its_deadline(&operation.repeat(3000));
    }
}

#[test]
fn host_calls_in_a_row_end() {
    let call = "(drop (call $syscall (i32.const 0) (i32.const 5) (i32.const 8) (i32.const 20) (i32.const 0) (i32.const 0)))";
    ends_at_its_deadline(&call.repeat(200));
}

#[test]
fn the_start_function_is_under_the_deadline() {
    let bench = Bench::new();
    let limits = Limits { timeout: Duration::from_millis(50), ..Limits::default() };
    let wat = r#"(module (memory (export "memory") 1) (func $s (loop (br 0))) (start $s))"#;
    let module = bench.compile(wat, false).unwrap();
    let Err(RuntimeError::Instantiate(trap)) = bench.make(&module, &[], &limits) else {
        panic!("an endless start function")
    };
    assert_eq!(trap, Trap::Deadline);
}

#[test]
fn the_start_function_runs_once_and_first() {
    let bench = Bench::new();
    let wat = r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 5))
      (func $s (global.set $g (i32.add (global.get $g) (i32.const 1)))) (start $s)
      (func (export "get") (param i32) (result i32) (global.get $g)))"#;
    let mut guest = bench.guest(wat, &["get"]);
    assert_eq!(guest.call(0), Ok(6));
    assert_eq!(guest.call(0), Ok(6));
}

#[test]
fn a_module_that_uses_the_private_names_is_refused() {
    let bench = Bench::new();
    for name in ["interrupt", "fuel", "start", "scratch", "more"] {
        let mut wat = String::from("(module (memory (export \"memory\") 1)");
        write!(wat, "(global (export \"\\01forgeone.{name}\") (mut i32) (i32.const 0)))").unwrap();
        let Err(RuntimeError::Compile(_, failure)) = bench.compile(&wat, false) else { panic!("{name}") };
        assert!(failure.0.contains("reserved"), "{failure}");
    }
}

#[test]
fn a_modules_own_globals_stay_where_they_are() {
    let bench = Bench::new();
    let wat = r#"(module (memory (export "memory") 1)
      (global $a (mut i32) (i32.const 1)) (global $b (mut i64) (i64.const 2)) (global $c (export "c") (mut i32) (i32.const 3))
      (func (export "run") (param i32) (result i32)
        (loop $l (global.set $a (i32.add (global.get $a) (global.get $c)))
          (global.set $b (i64.add (global.get $b) (i64.const 1)))
          (br_if $l (i64.lt_u (global.get $b) (i64.const 1000))))
        (global.get $a)))"#;
    for fuel in [false, true] {
        let module = bench.compile(wat, fuel).unwrap();
        let mut guest = bench.make(&module, &["run"], &Limits::default()).unwrap();
        assert_eq!(guest.call(0), Ok(1 + 998 * 3));
    }
}
