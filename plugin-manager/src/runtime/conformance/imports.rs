//! Imports called from guest code, with good and with hostile arguments.

use super::{Bench, Guest, conformance};
use crate::runtime::{RuntimeError, Trap};
use crate::syscall::{LogLevel, Status};

conformance! {
    fault_036_037_038_039_wild_pointers_reach_nothing
    logs_arrive_with_their_level
    a_syscall_answers_into_guest_memory
    every_status_reaches_the_guest
    fault_040_arguments_and_answer_may_share_memory
    fault_041_a_response_outlives_growth_of_memory
    a_response_is_gone_in_the_next_call
    variables_are_read
    abort_traps_with_its_message
    a_panic_message_is_kept_with_the_trap
    imports_answer_from_the_start_function
    output_and_input_are_refused_in_lifecycle_functions
    pointers_above_two_gibibytes_are_unsigned
}

/// `op`: the input is a selector and six arguments; the output is what the import returned.
const CALL_ANY: &str = r#"
    (data (i32.const 1024) "ping")
    (func $arg (param $i i32) (result i32) (i32.load (i32.shl (local.get $i) (i32.const 2))))
    (func (export "op") (param i32) (result i32)
      (local $r i32)
      (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 28)))
      (block $done
        (block $0 (block $1 (block $2 (block $3 (block $4 (block $5 (block $6 (block $7
          (br_table $0 $1 $2 $3 $4 $5 $6 $7 $done (call $arg (i32.const 0))))
        ;; 7
        (local.set $r (call $env_get (call $arg (i32.const 1)) (call $arg (i32.const 2))
            (call $arg (i32.const 3)) (call $arg (i32.const 4)))) (br $done))
        ;; 6
        (local.set $r (call $response_read (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))))
        (br $done))
        ;; 5
        (local.set $r (call $syscall (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))
            (call $arg (i32.const 4)) (call $arg (i32.const 5)) (call $arg (i32.const 6)))) (br $done))
        ;; 4
        (call $fail (call $arg (i32.const 1)) (call $arg (i32.const 2))) (br $done))
        ;; 3
        (local.set $r (call $output (call $arg (i32.const 1)) (call $arg (i32.const 2)))) (br $done))
        ;; 2
        (local.set $r (call $input_read (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))))
        (br $done))
        ;; 1
        (call $log_at (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))) (br $done))
        ;; 0
        (call $log (call $arg (i32.const 1)) (call $arg (i32.const 2))))
      (i32.store (i32.const 0) (local.get $r))
      (call $output (i32.const 0) (i32.const 4)))"#;

fn fault_036_037_038_039_wild_pointers_reach_nothing(bench: &Bench) {
    const PING: (u32, u32) = (1024, 4);
    let mut guest = bench.guest(CALL_ANY).run();
    let mut refused = 0;
    let size = 65_536;
    let wild = [(size, 1), (0, size + 1), (u32::MAX, 1), (u32::MAX, u32::MAX), (1, u32::MAX), (size + 1, 0)];
    for (p, n) in wild {
        for call in [
            [0, p, n, 0, 0, 0, 0],
            [1, 2, p, n, 0, 0, 0],
            [2, 0, p, n, 0, 0, 0],
            [3, p, n, 0, 0, 0, 0],
            [4, p, n, 0, 0, 0, 0],
            [5, p, n, 0, 0, 0, 0],
            [5, PING.0, PING.1, p, n, 0, 0],
            [5, PING.0, PING.1, 0, 0, p, n],
            [6, 0, p, n, 0, 0, 0],
            [7, p, n, 0, 0, 0, 0],
            [7, 0, 4, p, n, 0, 0],
        ] {
            let input: Vec<u8> = call.iter().flat_map(|v: &u32| v.to_le_bytes()).collect();
            let (outcome, output) = guest.call(0, &input).unwrap();
            let returns_nothing = matches!(call[0], 0 | 1 | 4);
            assert_eq!(outcome.status, 0);
            assert_eq!(output, if returns_nothing { 0i32 } else { -3 }.to_le_bytes(), "{call:?}");
            refused += 1;
            assert_eq!(guest.seen.get().invalid.len(), refused, "{call:?} is reported once");
        }
    }
    let seen = guest.seen.get();
    assert!(seen.calls.is_empty() && seen.logs.is_empty() && seen.variables.is_empty());
}

fn logs_arrive_with_their_level(bench: &Bench) {
    let mut guest = bench
        .guest(
            r#"(data (i32.const 8) "hello\ff")
            (func (export "op") (param i32) (result i32)
              (call $log (i32.const 8) (i32.const 5))
              (call $log_at (i32.const 4) (i32.const 8) (i32.const 6))
              (i32.const 0))"#,
        )
        .run();
    assert_eq!(guest.status(), Ok(0));
    let expected = [(LogLevel::Info, b"hello".to_vec()), (LogLevel::Error, b"hello\xff".to_vec())];
    assert_eq!(guest.seen.get().logs, expected);
}

fn echo_port<'a>(guest: Guest<'a>) -> Guest<'a> {
    guest.port(|p| p.answering("echo", |args| Ok(args.to_vec())))
}

fn a_syscall_answers_into_guest_memory(bench: &Bench) {
    let body = r#"(data (i32.const 0) "pingecho0123456789")
        (func (export "op") (param i32) (result i32)
          (i32.store8 (i32.const 200)
            (call $syscall (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 204) (i32.const 9)))
          (i32.store8 (i32.const 201)
            (call $syscall (i32.const 4) (i32.const 4) (i32.const 8) (i32.const 10) (i32.const 213) (i32.const 3)))
          (i32.store8 (i32.const 202) (call $response_read (i32.const 3) (i32.const 216) (i32.const 100)))
          (i32.store8 (i32.const 203) (call $response_read (i32.const 10) (i32.const 226) (i32.const 100)))
          (call $output (i32.const 200) (i32.const 25)))"#;
    let mut guest = echo_port(bench.guest(body)).run();
    let (_, output) = guest.call(0, b"").unwrap();
    assert_eq!(output, b"\x04\x0a\x07\x00pong\0\0\0\0\x000123456789\0\0");
    let calls = [(b"ping".to_vec(), vec![]), (b"echo".to_vec(), b"0123456789".to_vec())];
    assert_eq!(guest.seen.get().calls, calls);
}

fn every_status_reaches_the_guest(bench: &Bench) {
    let statuses = [
        Status::Denied,
        Status::NotFound,
        Status::Invalid,
        Status::Limit,
        Status::Timeout,
        Status::Unavailable,
        Status::Internal,
        Status::Unknown,
        Status::Conflict,
    ];
    let body = r#"(func (export "op") (param $n i32) (result i32)
        (drop (call $input_read (i32.const 0) (i32.const 0) (local.get $n)))
        (call $syscall (i32.const 0) (local.get $n) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))"#;
    let mut guest = bench
        .guest(body)
        .port(|port| {
            statuses.iter().enumerate().fold(port, |port, (i, status)| {
                let status = *status;
                port.answering(&format!("s{i}"), move |_| Err(status))
            })
        })
        .run();
    for i in 0..9 {
        assert_eq!(guest.call(0, format!("s{i}").as_bytes()).unwrap().0.status, -1 - i);
    }
    assert_eq!(guest.call(0, b"no such call").unwrap().0.status, -8);
    assert_eq!(guest.call(0, b"").unwrap().0.status, -8);
    assert_eq!(guest.call(0, b"ping").unwrap().0.status, 4);
}

fn fault_040_arguments_and_answer_may_share_memory(bench: &Bench) {
    let body = r#"(data (i32.const 0) "echo0123456789")
        (func (export "op") (param i32) (result i32)
          (drop (call $syscall (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 10) (i32.const 2) (i32.const 12)))
          (call $output (i32.const 0) (i32.const 14)))"#;
    let mut guest = echo_port(bench.guest(body)).run();
    assert_eq!(guest.call(0, b"").unwrap().1, b"ec012345678989");
}

fn fault_041_a_response_outlives_growth_of_memory(bench: &Bench) {
    let body = r#"(data (i32.const 0) "echo0123456789")
        (func (export "op") (param i32) (result i32)
          (drop (call $syscall (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 10) (i32.const 0) (i32.const 0)))
          (drop (memory.grow (i32.const 300)))
          (drop (call $response_read (i32.const 0) (i32.const 19000000) (i32.const 100)))
          (call $output (i32.const 19000000) (i32.const 10)))"#;
    let mut guest = echo_port(bench.guest(body)).run();
    assert_eq!(guest.call(0, b"").unwrap().1, b"0123456789");
}

fn a_response_is_gone_in_the_next_call(bench: &Bench) {
    let body = r#"(data (i32.const 0) "ping")
        (func (export "op_ask") (param i32) (result i32)
          (call $syscall (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (func (export "op_read") (param i32) (result i32)
          (call $response_read (i32.const 0) (i32.const 0) (i32.const 100)))"#;
    let mut guest = bench.guest(body).run();
    assert_eq!(guest.call(0, b"").unwrap().0.status, 4);
    assert_eq!(guest.call(1, b"").unwrap().0.status, 0);
}

fn variables_are_read(bench: &Bench) {
    let body = r#"(data (i32.const 0) "HOMENONE")
        (func (export "op_home") (param i32) (result i32)
          (drop (call $env_get (i32.const 0) (i32.const 4) (i32.const 100) (i32.const 100)))
          (call $output (i32.const 100) (i32.const 5)))
        (func (export "op_none") (param i32) (result i32)
          (call $env_get (i32.const 4) (i32.const 4) (i32.const 100) (i32.const 100)))"#;
    let mut guest = bench.guest(body).port(|p| p.with_variable("HOME", b"/data")).run();
    assert_eq!(guest.call(0, b"").unwrap().1, b"/data");
    assert_eq!(guest.call(1, b"").unwrap().0.status, -2);
}

fn abort_traps_with_its_message(bench: &Bench) {
    let body = r#"(data (i32.const 0) "\06\00\00\00n\00o\00!\00") (data (i32.const 16) "\08\00\00\00a\00.\00t\00s\00")
        (func (export "op") (param i32) (result i32)
          (call $abort (i32.const 4) (i32.const 20) (i32.const 3) (i32.const 7)) (i32.const 0))
        (func (export "op_null") (param i32) (result i32)
          (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0))
        (func (export "op_wild") (param i32) (result i32)
          (call $abort (i32.const -1) (i32.const -1) (i32.const 0) (i32.const 0)) (i32.const 0))"#;
    for (index, text) in [(0, "no! (a.ts:3:7)"), (1, "abort"), (2, "abort")] {
        let mut guest = bench.guest(body).run();
        assert_eq!(guest.call(index, b"").unwrap_err(), Trap::Abort(text.into()));
        assert!(!guest.execution.is_alive());
        assert_eq!(guest.seen.get().invalid.len(), usize::from(index == 2));
    }
}

fn a_panic_message_is_kept_with_the_trap(bench: &Bench) {
    let body = r#"(data (i32.const 0) "index out of bounds")
        (func (export "op") (param i32) (result i32) (call $fail (i32.const 0) (i32.const 19)) unreachable)"#;
    let trapped = bench.guest(body).run().status().unwrap_err();
    assert_eq!(trapped, Trap::Guest("unreachable: index out of bounds".into()));
}

fn imports_answer_from_the_start_function(bench: &Bench) {
    let body = r#"(data (i32.const 0) "hiping") (global $got (mut i32) (i32.const 0))
        (func $begin
          (call $log (i32.const 0) (i32.const 2))
          (global.set $got (call $syscall (i32.const 2) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 4)))
          (global.set $got (i32.add (global.get $got) (call $output (i32.const 0) (i32.const 1)))))
        (start $begin)
        (func (export "op") (param i32) (result i32) global.get $got)"#;
    let mut guest = bench.guest(body).run();
    assert_eq!(guest.status(), Ok(1), "4 bytes of pong and -3 for the output");
    assert_eq!(guest.seen.get().logs, [(LogLevel::Info, b"hi".to_vec())]);
    let aborted = bench
        .guest("(func $begin (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (start $begin)")
        .try_run();
    assert!(matches!(aborted, Err(RuntimeError::Instantiate(Trap::Abort(_)))));
}

fn output_and_input_are_refused_in_lifecycle_functions(bench: &Bench) {
    let refused = |name: &str| {
        format!(
            r#"(func (export "{name}") (result i32) (i32.sub
              (i32.mul (call $output (i32.const 0) (i32.const 1)) (i32.const 10))
              (call $input_read (i32.const 0) (i32.const 0) (i32.const 1))))"#
        )
    };
    let functions: String = crate::runtime::Lifecycle::ALL.iter().map(|f| refused(f.name())).collect();
    let wat = format!("(module {} {} {functions})", super::IMPORTS, super::MEMORY);
    let mut guest = bench.module(&wat).run();
    for function in crate::runtime::Lifecycle::ALL {
        assert_eq!(guest.lifecycle(function).unwrap().status, -27);
    }
    assert_eq!(guest.seen.get().invalid.len(), 12);
}

fn pointers_above_two_gibibytes_are_unsigned(bench: &Bench) {
    let body = r#"(func (export "op") (param $n i32) (result i32)
        (if (i32.eq (i32.const -1) (memory.grow (i32.const 32768))) (then (return (i32.const 1))))
        (drop (call $input_read (i32.const 0) (i32.const 0x80000100) (local.get $n)))
        (call $output (i32.const 0x80000100) (local.get $n)))"#;
    let mut guest = bench.guest(body).limits(|l| l.memory_bytes = 32_769 * 65_536).run();
    assert_eq!(guest.call(0, b"high").unwrap().1, b"high");
}
