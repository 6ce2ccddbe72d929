//! Guest faults: the trap they give, and that nothing is called after one.

use super::{Bench, conformance};
use crate::runtime::{Entry, Lifecycle, RuntimeError, Trap};

conformance! {
    fault_048_traps_are_named_alike
    fault_027_endless_recursion_exhausts_the_stack
    a_trap_ends_the_instance_and_no_other
    fault_026_a_trap_in_the_start_function_refuses_the_instance
    segments_outside_memory_and_tables_refuse_the_instance
    a_missing_export_is_named
}

fn fault_048_traps_are_named_alike(bench: &Bench) {
    let prelude = r#"(type $none (func)) (type $int (func (result i32)))
        (table $t 4 4 funcref) (elem (i32.const 0) $nothing) (func $nothing)
        (elem $spare func $nothing)
        (global $zero (mut i32) (i32.const 0))"#;
    for (code, text) in [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_s (i32.const 1) (global.get $zero)))", "integer divide by zero"),
        ("(drop (i32.rem_u (i32.const 1) (global.get $zero)))", "integer divide by zero"),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (global.get $zero) (i32.const 1))))",
            "integer overflow",
        ),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "invalid conversion to integer"),
        ("(drop (i32.trunc_f64_s (f64.const 1e10)))", "integer overflow"),
        ("(drop (i32.load (i32.const 65533)))", "out of bounds memory access"),
        ("(drop (i32.load offset=0xffffffff (i32.const -1)))", "out of bounds memory access"),
        ("(i64.store (i32.const -8) (i64.const 0))", "out of bounds memory access"),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))", "out of bounds memory access"),
        ("(memory.copy (i32.const -1) (i32.const 0) (i32.const 2))", "out of bounds memory access"),
        ("(call_indirect (type $int) (i32.const 0)) drop", "indirect call type mismatch"),
        ("(call_indirect (type $none) (i32.const 1))", "uninitialized element"),
        ("(call_indirect (type $none) (i32.const 4))", "undefined element: out of bounds table access"),
        ("(call_indirect (type $none) (i32.const -1))", "undefined element: out of bounds table access"),
        ("(drop (table.get $t (i32.const 4)))", "undefined element: out of bounds table access"),
        (
            "(table.init $t $spare (i32.const 4) (i32.const 0) (i32.const 1))",
            "undefined element: out of bounds table access",
        ),
    ] {
        let body = format!(r#"{prelude} (func (export "op") (param i32) (result i32) {code} (i32.const 0))"#);
        let mut guest = bench.guest(&body).run();
        assert_eq!(guest.status(), Err(Trap::Guest(text.into())), "{code}");
        assert_eq!(guest.status(), Err(Trap::Dropped), "{code}");
    }
}

fn fault_027_endless_recursion_exhausts_the_stack(bench: &Bench) {
    let bodies = [
        "(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))",
        r#"(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $g (local.get 0))))
           (func $g (param i32) (result i32) (i32.add (i32.const 2) (call $f (local.get 0))))"#,
        r#"(func $f (param i32) (result i32)
             (call $log (i32.const 0) (i32.const 0)) (i32.add (i32.const 1) (call $f (local.get 0))))"#,
        r#"(type $op (func (param i32) (result i32))) (table 1 1 funcref) (elem (i32.const 0) $f)
           (func $f (param i32) (result i32)
             (i32.add (i32.const 1) (call_indirect (type $op) (local.get 0) (i32.const 0))))"#,
    ];
    for body in bodies {
        let body = format!(r#"{body} (func (export "op") (param i32) (result i32) (call $f (i32.const 0)))"#);
        let mut guest = bench.guest(&body).run();
        assert_eq!(guest.status(), Err(Trap::Stack), "{body}");
        assert_eq!(guest.status(), Err(Trap::Dropped));
    }
    let begin = bench.guest("(func $f (call $f) (drop (memory.size)) (call $f)) (start $f)").try_run();
    assert!(matches!(begin, Err(RuntimeError::Instantiate(Trap::Stack))), "{:?}", begin.err());
}

fn a_trap_ends_the_instance_and_no_other(bench: &Bench) {
    let body = r#"(func (export "op") (param i32) (result i32) unreachable)
        (func (export "op_fine") (param i32) (result i32) i32.const 0)
        (func (export "state_save") (result i32) i32.const 0)"#;
    let mut other = bench.guest(body).run();
    let mut guest = bench.guest(body).run();
    let mut output = b"old".to_vec();
    let trapped = guest.with(|e, terms| e.operation(0, &mut Vec::new(), &mut output, terms));
    assert!(matches!(trapped, Err(Trap::Guest(_))));
    assert!(output.is_empty());
    let (begun, ended) = guest.counts();
    assert_eq!(begun, ended);
    assert_eq!(guest.call(1, b"").unwrap_err(), Trap::Dropped);
    assert_eq!(guest.lifecycle(Lifecycle::Stop), Err(Trap::Dropped));
    assert_eq!(guest.with(|e, terms| e.state_save(&mut Vec::new(), terms)), Err(Trap::Dropped));
    assert!(!guest.execution.has(Entry::Operation(1)) && !guest.execution.is_alive());
    assert_eq!(guest.execution.usage().memory_bytes, 65_536);
    assert_eq!(guest.counts(), (begun, ended));
    assert_eq!(other.call(1, b"").unwrap().0.status, 0);
    assert_eq!(bench.guest(body).run().call(1, b"").unwrap().0.status, 0);
}

fn fault_026_a_trap_in_the_start_function_refuses_the_instance(bench: &Bench) {
    let made = bench.guest("(func $f unreachable) (start $f)").try_run();
    let Err(RuntimeError::Instantiate(trap)) = made else { panic!("{:?}", made.err()) };
    assert_eq!(trap, Trap::Guest("unreachable".into()));
}

fn segments_outside_memory_and_tables_refuse_the_instance(bench: &Bench) {
    for (body, text) in [
        (r#"(data (i32.const 65535) "xx")"#, "out of bounds memory access"),
        (r#"(data (i32.const -1) "x")"#, "out of bounds memory access"),
        (
            "(table 1 1 funcref) (elem (i32.const 1) $f) (func $f)",
            "undefined element: out of bounds table access",
        ),
    ] {
        let made = bench.guest(body).try_run();
        let Err(RuntimeError::Instantiate(trap)) = made else { panic!("{body} {:?}", made.err()) };
        assert_eq!(trap, Trap::Guest(text.into()));
    }
}

fn a_missing_export_is_named(bench: &Bench) {
    let wat = format!(r#"(module {} {})"#, super::MEMORY, super::LIFECYCLE);
    let mut guest = bench.module(&wat);
    guest.plan.operations.push("absent".into());
    assert!(matches!(guest.try_run(), Err(RuntimeError::Export(name)) if name == "absent"));
    let mut guest = bench.module(&wat);
    guest.plan.operations.push("init".into());
    assert!(matches!(guest.try_run(), Err(RuntimeError::Export(name)) if name == "init"), "wrong type");
    let mut guest = bench.module(&format!("(module {})", super::LIFECYCLE));
    guest.plan.operations.clear();
    assert!(matches!(guest.try_run(), Err(RuntimeError::Export(name)) if name == "memory"));
}
