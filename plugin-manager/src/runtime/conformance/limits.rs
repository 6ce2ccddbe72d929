//! Memory and tables: what is refused at the start, and what growth is refused later.

use super::{Bench, conformance};
use crate::runtime::RuntimeError;
use common::error::Coded;

conformance! {
    fault_028_memory_grows_to_its_limit_and_no_further
    fault_028_endless_growth_ends_with_minus_one
    fault_029_an_initial_memory_beyond_the_limit_is_refused
    a_declared_maximum_beyond_the_limit_is_no_harm
    fault_030_tables_are_bounded_at_the_start
    fault_030_a_table_grows_to_its_limit_and_no_further
    fault_030_tables_are_bounded_together_as_they_grow
}

const PAGE: u64 = 65_536;
const GROW: &str = r#"(func (export "op") (param $n i32) (result i32)
    (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
    (memory.grow (i32.load (i32.const 0))))"#;

fn fault_028_memory_grows_to_its_limit_and_no_further(bench: &Bench) {
    let mut guest = bench.guest(GROW).limits(|l| l.memory_bytes = 10 * PAGE).run();
    let mut grow = |pages: u32| guest.call(0, &pages.to_le_bytes()).unwrap().0.status;
    assert_eq!(grow(10), -1);
    assert_eq!(grow(65_535), -1);
    assert_eq!(grow(65_536), -1);
    assert_eq!(grow(u32::MAX), -1);
    assert_eq!(grow(8), 1);
    assert_eq!(grow(0), 9);
    assert_eq!(grow(1), 9);
    assert_eq!(grow(1), -1);
    assert_eq!(grow(0), 10);
    assert_eq!(guest.execution.usage().memory_bytes, 10 * PAGE);
}

fn fault_028_endless_growth_ends_with_minus_one(bench: &Bench) {
    let body = r#"(func (export "op") (param i32) (result i32)
        (loop $l (br_if $l (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) (memory.size))"#;
    let mut guest = bench.guest(body).limits(|l| l.memory_bytes = 1000 * PAGE).run();
    assert_eq!(guest.status(), Ok(1000));
    assert_eq!(guest.status(), Ok(1000));
}

fn fault_029_an_initial_memory_beyond_the_limit_is_refused(bench: &Bench) {
    for pages in [11, 65_536] {
        let wat = format!(r#"(module (memory (export "memory") {pages}) {})"#, super::LIFECYCLE);
        let made = bench.module(&wat).limits(|l| l.memory_bytes = 10 * PAGE).try_run();
        let error = made.err().unwrap();
        assert!(matches!(error, RuntimeError::Limit { .. }), "{error:?}");
        assert_eq!(error.code().id, "E4011");
    }
    let wat = format!(r#"(module (memory (export "memory") 10) {})"#, super::LIFECYCLE);
    let mut guest = bench.module(&wat).limits(|l| l.memory_bytes = 10 * PAGE).run();
    assert_eq!(guest.execution.usage().memory_bytes, 10 * PAGE);
}

fn a_declared_maximum_beyond_the_limit_is_no_harm(bench: &Bench) {
    let wat = format!(
        r#"(module (memory (export "memory") 1 65536) {}
          (func (export "op") (param i32) (result i32) (memory.grow (i32.const 10))))"#,
        super::LIFECYCLE
    );
    let mut guest = bench.module(&wat).limits(|l| l.memory_bytes = 10 * PAGE).run();
    assert_eq!(guest.status(), Ok(-1));
    let wat = wat.replace("1 65536", "1 2").replace("i32.const 10", "i32.const 2");
    assert_eq!(bench.module(&wat).limits(|l| l.memory_bytes = 10 * PAGE).run().status(), Ok(-1));
}

fn fault_030_tables_are_bounded_at_the_start(bench: &Bench) {
    for tables in
        ["(table 10000000 funcref)", "(table 1001 funcref)", "(table 600 funcref) (table 401 funcref)"]
    {
        let made = bench.guest(tables).limits(|l| l.table_elements = 1000).try_run();
        let error = made.err().unwrap();
        assert!(matches!(error, RuntimeError::Limit { .. }), "{tables} {error:?}");
        assert_eq!(error.code().id, "E4014");
    }
    bench.guest("(table 600 funcref) (table 400 funcref)").limits(|l| l.table_elements = 1000).run();
    let many = "(table 1 funcref)".repeat(65);
    let error = bench.guest(&many).try_run().err().unwrap();
    assert_eq!(error.code().id, "E4014", "{error:?}");
}

fn fault_030_a_table_grows_to_its_limit_and_no_further(bench: &Bench) {
    let body = r#"(table $a 100 funcref)
        (func (export "op") (param i32) (result i32)
          (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
          (table.grow $a (ref.null func) (i32.load (i32.const 0))))"#;
    let grow = |body: &str, steps: &[(u32, i32)]| {
        let mut guest = bench.guest(body).limits(|l| l.table_elements = 1000).run();
        for (by, expected) in steps {
            assert_eq!(guest.call(0, &by.to_le_bytes()).unwrap().0.status, *expected, "{by}");
        }
    };
    grow(body, &[(u32::MAX, -1), (901, -1), (400, 100), (501, -1), (500, 500), (1, -1), (0, 1000)]);
    let own_maximum = body.replace("100 funcref", "100 200 funcref");
    grow(&own_maximum, &[(101, -1), (100, 100), (1, -1)]);
}

/// How the room to grow is shared among tables is the engine's; that it is one room is not.
fn fault_030_tables_are_bounded_together_as_they_grow(bench: &Bench) {
    let body = r#"(table $a 100 funcref) (table $b 100 funcref)
        (func (export "op") (param i32) (result i32)
          (loop $more (br_if $more (i32.or
            (i32.ne (i32.const -1) (table.grow $a (ref.null func) (i32.const 1)))
            (i32.ne (i32.const -1) (table.grow $b (ref.null func) (i32.const 1))))))
          (i32.add (table.size $a) (table.size $b)))"#;
    assert_eq!(bench.guest(body).limits(|l| l.table_elements = 1000).run().status(), Ok(1000));
}
