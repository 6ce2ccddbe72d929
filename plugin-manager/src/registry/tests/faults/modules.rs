//! Part B: modules that are refused before they run.

use super::super::on_each_engine;
use super::{Bad, Stage, agree_with_the_list};
use crate::loader::testing::{TOML, WAT, packed, sample, wasm};
use crate::runtime::EngineKind;

on_each_engine! {
    every_bad_module_is_refused_and_nothing_else_changes
}

fn module(number: u32, what: &str, module: &[u8], code: &'static str) -> Bad {
    Bad { number, what: what.into(), package: packed(TOML, module, &[]), code }
}

/// The good module with more fields.
fn plus(number: u32, what: &str, fields: &str, code: &'static str) -> Bad {
    let end = WAT.rfind(')').unwrap();
    module(number, what, &wasm(&format!("{}\n{fields})", &WAT[..end])), code)
}

/// The good module with an import before all else.
fn import(number: u32, what: &str, fields: &str, code: &'static str) -> Bad {
    module(number, what, &wasm(&WAT.replacen("(module", &format!("(module {fields}"), 1)), code)
}

/// The good module with one piece of its text replaced.
fn bent(number: u32, what: &str, (from, to): (&str, &str), code: &'static str) -> Bad {
    assert!(WAT.contains(from), "{from}");
    module(number, what, &wasm(&WAT.replace(from, to)), code)
}

fn shapes() -> Vec<Bad> {
    let sections = [wasm(WAT), [0, 2, 1, b'x'].repeat(65)].concat();
    // The data section claims a segment of a gigabyte.
    let claims = [wasm("(module (memory 1))"), vec![11, 9, 1, 1, 0x80, 0x80, 0x80, 0x80, 4, 0, 0]].concat();
    vec![
        module(23, "no module", b"\x7fELF1234", "E1010"),
        module(23, "another version", b"\0asm\x02\0\0\0", "E1010"),
        module(23, "a component", &wasm("(component)"), "E1010"),
        bent(29, "65,536 pages at the start", (" 1 4)", " 65536)"), "E1016"),
        plus(30, "a table of 10 M", "(table 10000000 funcref)", "E1016"),
        plus(31, "50 k locals", &format!("(func {})", "(local i32)".repeat(50_000)), "E1016"),
        plus(32, "90 k segments", &"(data (i32.const 0) \"\")".repeat(90_000), "E1016"),
        plus(32, "many elements", &format!("(func $f) (elem func {})", "$f ".repeat(200_001)), "E1016"),
        module(32, "a segment of 1 GB", &claims, "E1010"),
        plus(33, "a long function", &format!("(func {})", "nop ".repeat(256 << 10)), "E1016"),
        plus(33, "deep nesting", &format!("(func {} {})", "(block ".repeat(900), ")".repeat(900)), "E1016"),
        plus(
            33,
            "a wide branch",
            &format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(60_000)),
            "E1016",
        ),
        module(51, "65 custom sections", &sections, "E1016"),
    ]
}

fn imports_and_exports() -> Vec<Bad> {
    let many: String = (0..50_000).map(|i| format!("(export \"e{i}\" (memory 0))")).collect();
    let mut text = wasm(WAT);
    let at = text.windows(5).position(|w| w == b"greet").unwrap();
    text[at] = 0xff;
    vec![
        import(34, "an unknown import", r#"(import "env" "lag" (func (param i32 i32)))"#, "E1011"),
        import(34, "another arity", r#"(import "env" "log" (func (param i32)))"#, "E1011"),
        import(34, "another kind", r#"(import "env" "log" (global i32))"#, "E1011"),
        import(34, "10 k imports", &r#"(import "env" "log" (func (param i32 i32)))"#.repeat(10_000), "E1016"),
        import(34, "WASI of old", r#"(import "wasi_unstable" "proc_exit" (func (param i32)))"#, "E1017"),
        import(
            34,
            "WASI without permission",
            r#"(import "wasi_snapshot_preview1" "path_unlink_file" (func (param i32 i32 i32) (result i32)))"#,
            "E1014",
        ),
        bent(35, "no init", ("(export \"init\")", ""), "E1012"),
        bent(
            35,
            "a memory that is a function",
            ("(memory (export \"memory\") 1 4)", "(memory 1) (func (export \"memory\"))"),
            "E1012",
        ),
        plus(35, "50 k exports", &many, "E1016"),
        plus(35, "a name of 64 KB", &format!("(export \"{}\" (memory 0))", "x".repeat(1 << 16)), "E1016"),
        module(35, "a name that is not UTF-8", &text, "E1010"),
    ]
}

fn features() -> Vec<Bad> {
    let off = [
        (46, "(memory 1)"),
        (46, "(tag)"),
        (46, "(type (struct))"),
        (46, "(func (drop (i32.atomic.load (i32.const 0))))"),
        (46, "(func $f (return_call $f))"),
        (49, "(table 1 externref)"),
    ];
    let mut all: Vec<Bad> = off.map(|(number, fields)| plus(number, fields, fields, "E1015")).into();
    all.push(bent(46, "memory64", ("1 4)", "i64 1 4)"), "E1015"));
    all
}

fn every_bad_module_is_refused_and_nothing_else_changes(engine: EngineKind) {
    let stage = Stage::new(engine);
    let all: Vec<Bad> = shapes().into_iter().chain(imports_and_exports()).chain(features()).collect();
    for bad in &all {
        stage.refused(bad);
        stage.answers(&sample(), "hello", "greet", &bad.what);
    }
    let given: Vec<(u32, &str)> = all.iter().map(|bad| (bad.number, bad.code)).collect();
    agree_with_the_list(&given, [23, 29, 30, 31, 32, 33, 34, 35, 46, 49, 51]);
}

/// What lies near the edge of what an engine takes: types, sizes, initial values.
fn edges() -> Vec<String> {
    let many = |what: &str, count: usize| format!("(func ({what} {}))", "v128 ".repeat(count));
    let mut edges = [
        "(table 1 externref)",
        "(func (param externref))",
        "(func (local externref))",
        "(global (mut externref) (ref.null extern))",
        "(elem externref (ref.null extern))",
        "(table $t 1 externref) (func (drop (table.grow $t (ref.null extern) (i32.const 1))))",
        "(global (mut funcref) (ref.null func))",
        "(table 1 (ref null func) (ref.null func))",
        "(type $f (func)) (table 1 (ref null $f))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(global $a i32 (i32.const 1)) (global i32 (global.get $a))",
        "(global v128 (v128.const i64x2 0 0))",
        "(func (i32.const 1) (block (param i32) (drop)))",
        "(func (result v128) (i8x16.popcnt (v128.const i64x2 0 0)))",
        "(func (result v128) (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
        "(func atomic.fence)",
        "(func (ref.null cont) drop)",
        "(table 100000 funcref)",
        "(table 100001 funcref)",
        "(table i64 1 funcref)",
    ]
    .map(String::from)
    .to_vec();
    edges.extend([8, 9].map(|count| "(table 1 funcref)".repeat(count)));
    edges.extend([64, 65, 1_001].map(|count| many("param", count)));
    edges.extend([9_999, 10_001, 50_001].map(|count| many("local", count)));
    edges.extend([290, 310].map(|n| format!("(func {} {})", "(block ".repeat(n), ")".repeat(n))));
    edges
}

/// The code a module with these fields is refused with, or none, on this engine.
fn outcome(stage: &Stage, fields: &str) -> Option<&'static str> {
    match stage.host.install(&plus(49, fields, fields, "").package, true) {
        Ok(_) => {
            stage.host.remove("hello", false).unwrap();
            None
        }
        Err(error) => Some(error.code().id),
    }
}

#[test]
fn fault_049_no_module_is_taken_by_one_engine_and_refused_by_the_other() {
    let stages: Vec<Stage> = crate::runtime::available().iter().map(|kind| Stage::new(*kind)).collect();
    for fields in edges() {
        let shown: String = fields.chars().take(80).collect();
        let outcomes: Vec<_> = stages.iter().map(|stage| outcome(stage, &fields)).collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{shown}: {outcomes:?}");
        // What an engine would refuse is refused before it is asked.
        assert!(matches!(outcomes[0], None | Some("E1010" | "E1015" | "E1016")), "{shown}: {outcomes:?}");
    }
}
