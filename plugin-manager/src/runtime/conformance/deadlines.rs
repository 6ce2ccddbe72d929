//! Guests that do not end by themselves: by deadline, and by fuel.

use super::{Bench, Running, conformance};
use crate::runtime::{Lifecycle, RuntimeError, Trap};
use std::time::{Duration, Instant};

conformance! {
    fault_024_an_endless_loop_ends_at_its_deadline
    fault_024_an_endless_loop_of_host_calls_ends_at_its_deadline
    fault_024_an_endless_loop_of_bulk_memory_ends_at_its_deadline
    fault_025_an_endless_start_function_ends_at_its_deadline
    an_endless_lifecycle_function_ends_at_its_deadline
    a_call_after_a_deadline_elsewhere_works
    each_call_has_its_own_deadline
    fuel_ends_an_endless_loop
    fuel_is_counted_and_given_anew_for_each_call
    fuel_has_to_be_compiled_in
}

const DEADLINE: Duration = Duration::from_millis(400);

/// Runs `body`, which must end with a deadline, not before it and before twice of it.
fn times_out(body: impl FnOnce() -> Trap) {
    let start = Instant::now();
    assert_eq!(body(), Trap::Deadline);
    let took = start.elapsed();
    // The deadline counts from the coarse clock, which a busy machine refreshes late.
    assert!(took >= DEADLINE * 3 / 4 && took < DEADLINE * 2, "{took:?}");
}

fn endless<'a>(bench: &'a Bench, code: &str) -> Running<'a> {
    let body = format!(r#"(func (export "op") (param i32) (result i32) {code} (i32.const 0))"#);
    bench.guest(&body).limits(|l| l.timeout = DEADLINE).run()
}

fn fault_024_an_endless_loop_ends_at_its_deadline(bench: &Bench) {
    for code in [
        "(loop $l (br $l))",
        "(loop $l (drop (i32.load (i32.const 0))) (br_if $l (i32.eqz (i32.load (i32.const 8)))))",
    ] {
        let mut guest = endless(bench, code);
        times_out(|| guest.status().unwrap_err());
        assert_eq!(guest.status(), Err(Trap::Dropped));
    }
}

fn fault_024_an_endless_loop_of_host_calls_ends_at_its_deadline(bench: &Bench) {
    let mut guest = endless(
        bench,
        "(loop $l (drop (call $response_read (i32.const 0) (i32.const 0) (i32.const 9))) (br $l))",
    );
    times_out(|| guest.status().unwrap_err());
}

fn fault_024_an_endless_loop_of_bulk_memory_ends_at_its_deadline(bench: &Bench) {
    let code = "(drop (memory.grow (i32.const 255)))
        (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216)) (br $l))";
    let mut guest = endless(bench, code);
    times_out(|| guest.status().unwrap_err());
}

fn fault_025_an_endless_start_function_ends_at_its_deadline(bench: &Bench) {
    let guest = bench.guest("(func $f (loop $l (br $l))) (start $f)").limits(|l| l.timeout = DEADLINE);
    times_out(|| match guest.try_run() {
        Err(RuntimeError::Instantiate(trap)) => trap,
        other => panic!("{:?}", other.err()),
    });
}

fn an_endless_lifecycle_function_ends_at_its_deadline(bench: &Bench) {
    let wat = format!(
        r#"(module {} (func (export "_initialize") (loop $l (br $l)))
          (func (export "init") (result i32) (loop $l (br $l)) (i32.const 0)))"#,
        super::MEMORY
    );
    let run = || bench.module(&wat).limits(|l| l.timeout = DEADLINE).run();
    times_out(|| run().lifecycle(Lifecycle::Init).unwrap_err());
    times_out(|| run().with(|e, terms| e.initialize(terms)).unwrap_err());
}

fn a_call_after_a_deadline_elsewhere_works(bench: &Bench) {
    let mut other = bench.guest(super::calls::ECHO).run();
    let mut guest = endless(bench, "(loop $l (br $l))");
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| guest.status());
        while !hung.is_finished() {
            assert_eq!(other.call(0, b"alive").unwrap().1, b"alive");
        }
        assert_eq!(hung.join().unwrap(), Err(Trap::Deadline));
    });
    assert_eq!(other.call(0, b"alive").unwrap().1, b"alive");
}

fn each_call_has_its_own_deadline(bench: &Bench) {
    let body = r#"(func (export "op") (param $n i32) (result i32)
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 0))"#;
    let mut guest = bench.guest(body).limits(|l| l.timeout = DEADLINE).run();
    let start = Instant::now();
    // Together they take longer than one deadline.
    while start.elapsed() < DEADLINE + DEADLINE / 2 {
        assert_eq!(guest.call(0, &[0; 1_000_000]).unwrap().0.status, 0);
    }
}

fn fuel_ends_an_endless_loop(bench: &Bench) {
    let body = r#"(func (export "op") (param i32) (result i32) (loop $l (br $l)) (i32.const 0))"#;
    let mut guest = bench.guest(body).limits(|l| l.fuel = Some(1_000_000)).run();
    assert_eq!(guest.status(), Err(Trap::Fuel));
    assert_eq!(guest.status(), Err(Trap::Dropped));
    let begin =
        bench.guest("(func $f (loop $l (br $l))) (start $f)").limits(|l| l.fuel = Some(10_000)).try_run();
    assert!(matches!(begin, Err(RuntimeError::Instantiate(Trap::Fuel))), "{:?}", begin.err());
}

fn fuel_is_counted_and_given_anew_for_each_call(bench: &Bench) {
    let body = r#"(func (export "op") (param $n i32) (result i32)
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 0))"#;
    let mut guest = bench.guest(body).limits(|l| l.fuel = Some(100_000)).run();
    let mut used = |n: usize| {
        guest.call(0, &vec![0; n]).unwrap();
        guest.execution.usage().fuel.unwrap()
    };
    let (few, many) = (used(10), used(10_000));
    assert!(few > 0 && few < many && many <= 100_000, "{few} {many}");
    // More in all than one budget: each call has its own.
    for _ in 0..20 {
        assert_eq!((used(10), used(10_000)), (few, many));
    }
}

fn fuel_has_to_be_compiled_in(bench: &Bench) {
    let wat = format!("(module {} {})", super::MEMORY, super::LIFECYCLE);
    let module = bench.compile(&wat).unwrap();
    let made = bench.module(&wat).limits(|l| l.fuel = Some(5)).run_module(&module);
    assert!(matches!(made, Err(RuntimeError::Mismatch(_))), "{:?}", made.err());
}
