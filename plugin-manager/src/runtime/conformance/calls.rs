//! Calls from begin to end: lifecycle, operations, sizes, statuses, state.

use super::{Bench, conformance};
use crate::runtime::{CallOutcome, Entry, Lifecycle, Terms, Trap, Usage};
use crate::syscall::Chain;
use common::clock::Deadline;
use common::identity::{Name, PluginId};

conformance! {
    lifecycle_functions_run_when_called_and_only_then
    absent_functions_are_success_or_missing
    an_operation_gives_its_status_and_output
    every_size_is_echoed_up_to_the_limit
    fault_042_output_in_small_pieces_ends_at_the_limit
    a_failure_belongs_to_one_call
    state_is_kept_between_calls_and_carried_by_save_and_load
    a_loaded_state_comes_with_the_version_that_saved_it
    a_call_that_is_late_enters_no_guest
    the_chain_and_each_call_reach_the_port
    usage_counts_memory
    instances_of_one_module_share_nothing
    threads_run_their_own_instances
    guests_that_call_guests_have_stack_enough
}

/// Reads the whole input to address 0, growing memory as needed, and writes it out.
pub const ECHO: &str = r#"
    (func (export "op_echo") (param $n i32) (result i32)
      (local $have i32)
      (local.set $have (i32.shl (memory.size) (i32.const 16)))
      (if (i32.gt_u (local.get $n) (local.get $have))
        (then (if (i32.eq (i32.const -1) (memory.grow (i32.shr_u
            (i32.add (i32.sub (local.get $n) (local.get $have)) (i32.const 65535)) (i32.const 16))))
          (then (return (i32.const 99))))))
      (if (i32.ne (local.get $n) (call $input_read (i32.const 0) (i32.const 0) (local.get $n)))
        (then (return (i32.const 98))))
      (call $output (i32.const 0) (local.get $n)))"#;

fn lifecycle_functions_run_when_called_and_only_then(bench: &Bench) {
    let functions: String = (0..6)
        .map(|i| {
            let name = Lifecycle::ALL[i].name();
            format!(
                r#"(func (export "{name}") (result i32)
                     (call $log (i32.const {at}) (i32.const 1)) (i32.const {status}))"#,
                at = 16 + i,
                status = i * 7 % 3,
            )
        })
        .collect();
    let initialize = r#"(func (export "_initialize") (call $log (i32.const 22) (i32.const 1)))"#;
    let wat = format!(
        r#"(module {} {} (data (i32.const 16) "istpru_") {functions} {initialize})"#,
        super::IMPORTS,
        super::MEMORY
    );
    let mut guest = bench.module(&wat).run();
    assert!(guest.seen.get().logs.is_empty());
    guest.with(|e, terms| e.initialize(terms)).unwrap();
    for (i, function) in Lifecycle::ALL.into_iter().enumerate() {
        assert_eq!(guest.lifecycle(function).unwrap().status, i as i32 * 7 % 3);
    }
    let seen = guest.seen.get();
    let said: Vec<u8> = seen.logs.iter().flat_map(|(_, line)| line.clone()).collect();
    assert_eq!(said, b"_istpru");
    assert_eq!((seen.begun, seen.ended), (8, 8));
}

fn absent_functions_are_success_or_missing(bench: &Bench) {
    let mut guest = bench.guest(r#"(func (export "op") (param i32) (result i32) i32.const 0)"#).run();
    assert_eq!(guest.lifecycle(Lifecycle::Pause), Ok(CallOutcome::default()));
    assert_eq!(guest.with(|e, terms| e.initialize(terms)), Ok(CallOutcome::default()));
    assert_eq!(guest.call(1, b"").unwrap_err(), Trap::Missing(Entry::Operation(1)));
    assert_eq!(guest.call(u16::MAX, b"").unwrap_err(), Trap::Missing(Entry::Operation(u16::MAX)));
    let saved = guest.with(|e, terms| e.state_save(&mut Vec::new(), terms));
    assert_eq!(saved, Err(Trap::Missing(Entry::StateSave)));
    assert!(guest.execution.has(Entry::Lifecycle(Lifecycle::Init)));
    assert!(guest.execution.has(Entry::Operation(0)) && !guest.execution.has(Entry::Operation(1)));
    assert!(
        !guest.execution.has(Entry::Lifecycle(Lifecycle::Pause)) && !guest.execution.has(Entry::Initialize)
    );
    assert_eq!(guest.status(), Ok(0));
}

fn an_operation_gives_its_status_and_output(bench: &Bench) {
    let mut guest = bench
        .guest(
            r#"(data (i32.const 0) "resultwhy")
            (func (export "op_good") (param i32) (result i32)
              (drop (call $output (i32.const 0) (i32.const 3)))
              (call $output (i32.const 3) (i32.const 3)))
            (func (export "op_bad") (param i32) (result i32)
              (drop (call $output (i32.const 0) (i32.const 6)))
              (call $fail (i32.const 6) (i32.const 3))
              (i32.const -2147483648))
            (func (export "op_length") (param i32) (result i32) local.get 0)"#,
        )
        .run();
    assert_eq!(guest.call(0, b"").unwrap(), (CallOutcome::default(), b"result".to_vec()));
    let failed = CallOutcome { status: i32::MIN, failure: Some("why".into()) };
    assert_eq!(guest.call(1, b"").unwrap(), (failed, vec![]));
    assert_eq!(guest.call(2, &[0; 1234]).unwrap().0.status, 1234);
    assert_eq!(guest.call(0, b"").unwrap().1, b"result");
}

fn every_size_is_echoed_up_to_the_limit(bench: &Bench) {
    let mut guest = bench.guest(ECHO).run();
    const LIMIT: usize = 16 << 20;
    let pattern: Vec<u8> = (0..=LIMIT).map(|i| (i * 31 + (i >> 8)) as u8).collect();
    for size in [0, 1, 2, 63, 64, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20, LIMIT, 5] {
        let (outcome, output) = guest.call(0, &pattern[..size]).unwrap();
        assert_eq!(outcome.status, 0, "{size}");
        assert!(output == pattern[..size], "{size}");
    }
    let refused = guest.call(0, &pattern).unwrap_err();
    assert_eq!(refused, Trap::Input { length: LIMIT + 1, limit: LIMIT });
    assert_eq!(guest.call(0, b"still there").unwrap().1, b"still there");
}

fn fault_042_output_in_small_pieces_ends_at_the_limit(bench: &Bench) {
    let mut guest = bench
        .guest(
            r#"(func (export "op") (param i32) (result i32)
              (local $wrote i64) (local $status i32)
              (loop $more
                (local.set $status (call $output (i32.const 0) (i32.const 1000)))
                (local.set $wrote (i64.add (local.get $wrote) (i64.const 1000)))
                (br_if $more (i32.and (i32.eqz (local.get $status))
                                      (i64.lt_u (local.get $wrote) (i64.const 4294967296)))))
              (i32.store (i32.const 0) (local.get $status))
              (call $fail (i32.const 0) (i32.const 4))
              (i32.wrap_i64 (local.get $wrote)))"#,
        )
        .limits(|l| l.payload_bytes = 1 << 20)
        .run();
    let (outcome, output) = guest.call(0, b"").unwrap();
    assert_eq!(outcome.status, 1_049_000, "the piece that does not fit is the 1,049th");
    assert_eq!(outcome.failure.unwrap(), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "-4 as bytes is fc ff ff ff");
    assert!(output.is_empty());
    assert_eq!(guest.seen.get().limited.len(), 1);
}

fn a_failure_belongs_to_one_call(bench: &Bench) {
    let mut guest = bench
        .guest(
            r#"(func (export "op_says") (param i32) (result i32) (call $fail (i32.const 0) (i32.const 1)) i32.const 0)
            (func (export "op_status") (param i32) (result i32) i32.const 5)"#,
        )
        .run();
    assert_eq!(guest.call(0, b"").unwrap().0, CallOutcome::default());
    assert_eq!(guest.call(1, b"").unwrap().0, CallOutcome { status: 5, failure: None });
}

const COUNTER: &str = r#"
    (func (export "op") (param i32) (result i32)
      (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
      (i32.load8_u (i32.const 0)))
    (func (export "state_save") (result i32)
      (if (i32.ne (i32.const -3) (call $input_read (i32.const 0) (i32.const 8) (i32.const 1)))
        (then (return (i32.const 90))))
      (call $output (i32.const 0) (i32.const 1)))
    (func (export "state_load") (param $n i32) (result i32)
      (if (i32.ne (i32.const -3) (call $output (i32.const 0) (i32.const 1)))
        (then (return (i32.const 91))))
      (i32.sub (local.get $n) (call $input_read (i32.const 0) (i32.const 0) (local.get $n))))"#;

fn state_is_kept_between_calls_and_carried_by_save_and_load(bench: &Bench) {
    let mut old = bench.guest(COUNTER).run();
    assert_eq!([old.status(), old.status(), old.status()], [Ok(1), Ok(2), Ok(3)]);
    let mut state = Vec::new();
    assert_eq!(old.with(|e, terms| e.state_save(&mut state, terms)).unwrap().status, 0);
    assert_eq!(state, [3]);
    let mut new = bench.guest(COUNTER).run();
    assert_eq!(new.with(|e, terms| e.state_load(&mut state, "1.2.3", terms)).unwrap().status, 0);
    assert_eq!(state, [3]);
    assert_eq!(new.status(), Ok(4));
}

fn a_loaded_state_comes_with_the_version_that_saved_it(bench: &Bench) {
    let body = r#"(data (i32.const 0) "FORGE_STATE_VERSION")
        (func $ask (result i32)
          (call $env_get (i32.const 0) (i32.const 19) (i32.const 100) (i32.const 100)))
        (func (export "op_ask") (param i32) (result i32) (call $ask))
        (func (export "op_tell") (param i32) (result i32) (call $output (i32.const 200) (i32.const 5)))
        (func (export "state_save") (result i32) i32.const 0)
        (func (export "state_load") (param i32) (result i32)
          (if (i32.ne (call $ask) (i32.const 5)) (then (return (i32.const 9))))
          (memory.copy (i32.const 200) (i32.const 100) (i32.const 5)) i32.const 0)"#;
    let mut guest = bench.guest(body).port(|p| p.with_variable("FORGE_STATE_VERSION", b"a setting")).run();
    let loaded = guest.with(|e, terms| e.state_load(&mut Vec::new(), "1.2.3", terms));
    assert_eq!(loaded.unwrap().status, 0);
    assert_eq!(guest.call(1, b"").unwrap().1, b"1.2.3");
    assert_eq!(guest.call(0, b"").unwrap().0.status, 9, "elsewhere it is a variable as any other");
}

fn a_call_that_is_late_enters_no_guest(bench: &Bench) {
    let mut guest = bench.guest(COUNTER).run();
    let chain = Chain::new();
    let late = Terms::new(Deadline::at_ms(0), &chain);
    let called = guest.execution.operation(0, &mut Vec::new(), &mut Vec::new(), late);
    assert_eq!(called, Err(Trap::Late));
    assert!(guest.execution.is_alive());
    assert_eq!(guest.status(), Ok(1));
    let never = Terms::new(Deadline::NEVER, &chain);
    let called = guest.execution.operation(0, &mut Vec::new(), &mut Vec::new(), never);
    assert_eq!(called.unwrap().status, 2);
}

fn the_chain_and_each_call_reach_the_port(bench: &Bench) {
    let mut guest = bench.guest(COUNTER).run();
    let name = |n: &str| Name::new(n).unwrap();
    let chain = Chain::of([PluginId::new(&name("acme"), &name("caller"))]);
    let terms = Terms::new(Deadline::NEVER, &chain);
    guest.execution.operation(0, &mut Vec::new(), &mut Vec::new(), terms).unwrap();
    let seen = guest.seen.get();
    assert_eq!((seen.begun, seen.ended, &seen.chain[..]), (2, 2, &chain[..]));
}

fn usage_counts_memory(bench: &Bench) {
    let mut guest =
        bench.guest(r#"(func (export "op") (param i32) (result i32) (memory.grow (i32.const 3)))"#).run();
    assert_eq!(guest.execution.usage(), Usage { memory_bytes: 65_536, fuel: None });
    assert_eq!(guest.status(), Ok(1));
    assert_eq!(guest.execution.usage(), Usage { memory_bytes: 4 * 65_536, fuel: None });
}

fn instances_of_one_module_share_nothing(bench: &Bench) {
    let wat = format!("(module {} {} {} {COUNTER})", super::IMPORTS, super::MEMORY, super::LIFECYCLE);
    let module = bench.compile(&wat).unwrap();
    let mut one = bench.module(&wat).run_module(&module).unwrap();
    let mut two = bench.module(&wat).run_module(&module).unwrap();
    assert_eq!([one.status(), one.status(), two.status(), one.status()], [Ok(1), Ok(2), Ok(1), Ok(3)]);
}

fn threads_run_their_own_instances(bench: &Bench) {
    let wat = format!("(module {} {} {} {ECHO})", super::IMPORTS, super::MEMORY, super::LIFECYCLE);
    let module = bench.compile(&wat).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let (module, wat) = (&module, &wat);
            scope.spawn(move || {
                let mut guest = bench.module(wat).run_module(module).unwrap();
                for round in 0..200u8 {
                    let input = [thread, round].repeat(500);
                    assert_eq!(guest.call(0, &input).unwrap().1, input);
                }
            });
        }
    });
}

/// Recurses `depth` times, each with a frame of its own, then calls the next guest, whose status it returns.
const NEST: &str = r#"
    (data (i32.const 0) "next")
    (func $deep (param $n i32) (result i32)
      (if (result i32) (local.get $n)
        (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))
        (else
          (if (i32.ne (i32.const 4) (call $syscall (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)
                                                   (i32.const 16) (i32.const 4)))
            (then (return (i32.const 900))))
          (i32.add (i32.load (i32.const 16)) (i32.const 1)))))
    (func (export "op") (param $n i32) (result i32) (call $deep (local.get $n)))"#;

/// Frames that fill most of a guest's stack, in no engine all of it.
const FRAMES: usize = 7_000;

fn nested(bench: &Bench, left: u32) -> i32 {
    let (engine, clock) = (bench.engine.clone(), bench.clock.clone());
    let next = move |_: &[u8]| {
        let inner = Bench { engine: engine.clone(), clock: clock.clone() };
        let status = if left == 0 { 0 } else { nested(&inner, left - 1) };
        Ok(status.to_le_bytes().to_vec())
    };
    let mut guest = bench.guest(NEST).port(|p| p.answering("next", next)).run();
    guest.call(0, &[0; FRAMES]).unwrap().0.status
}

fn guests_that_call_guests_have_stack_enough(bench: &Bench) {
    assert_eq!(nested(bench, 7), 8);
}
