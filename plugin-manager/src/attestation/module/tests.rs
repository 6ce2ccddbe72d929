//! Faults of modules (FAULTS.md, part B) that are found before an engine is asked.

use super::*;
use crate::loader::testing::{TOML, WAT, wasm};
use crate::loader::{PluginToml, manifest::Manifest};
use common::error::Coded;
use proptest::prelude::*;

fn rules() -> ModuleRules {
    ModuleRules {
        imports: vec![ImportRule::integers("env", "output", 2, 1), ImportRule::integers("env", "log", 2, 0)],
    }
}

fn manifest(extra: &str) -> Manifest {
    let source = PluginToml::parse(&format!("{TOML}\n{extra}")).unwrap();
    Manifest::from_author(&source, None, BTreeMap::new()).unwrap()
}

fn inspected(bytes: &[u8], toml: &str) -> Result<ModuleFacts, ModuleError> {
    inspect(bytes, &manifest(toml), &ModuleLimits::default(), &rules())
}

/// The good module with more fields.
fn plus(fields: &str) -> Vec<u8> {
    let end = WAT.rfind(')').unwrap();
    wasm(&format!("{}\n{fields})", &WAT[..end]))
}

#[track_caller]
fn refused(bytes: &[u8], code: &str) -> ModuleError {
    let error = inspected(bytes, "").expect_err("it was accepted");
    assert_eq!(error.code().id, code, "{error}: {:?}", std::error::Error::source(&error));
    error
}

#[test]
fn a_good_module_gives_its_facts() {
    let facts = inspected(&wasm(WAT), "").unwrap();
    assert_eq!(facts.imports, ["env.output"]);
    assert_eq!(facts.operations, ["greet"]);
    assert_eq!(facts.lifecycle.len(), 3);
    assert_eq!((facts.memory_min, facts.memory_max), (1, Some(4)));
    assert_eq!(facts.functions, 4);
    assert!(!facts.initialize && !facts.state_save && !facts.state_load);
    assert_eq!(facts.digest, common::identity::Digest::of(&wasm(WAT)));
}

#[test]
fn a_group_of_types_counts_as_all_it_states_before_memory_is_taken_for_it() {
    // One group of 863,488 types, of which none is there: memory for them would be 69 MB.
    let module = b"\0asm\x01\0\0\0\x01\x05\x01\x4e\x80\xda\x34";
    let error = inspected(module, "").unwrap_err();
    assert!(
        matches!(error, ModuleError::Limit { what: "types", found: 863_488, limit: 10_000 }),
        "{error:?}"
    );
    let small = b"\0asm\x01\0\0\0\x01\x09\x01\x4e\x02\x60\0\0\x60\0\0";
    assert!(matches!(inspected(small, "").unwrap_err(), ModuleError::Feature(_)));
}

#[test]
fn optional_functions_are_found_and_typed() {
    let all = plus(
        r#"(func (export "pause") (result i32) i32.const 0) (func (export "_initialize"))
        (func (export "state_save") (result i32) i32.const 0)
        (func (export "state_load") (param i32) (result i32) i32.const 0)"#,
    );
    let facts = inspected(&all, "").unwrap();
    assert!(facts.initialize && facts.state_save && facts.state_load);
    assert_eq!(facts.lifecycle.get(&Lifecycle::Pause).unwrap(), "pause");
    for bad in [
        r#"(func (export "pause"))"#,
        r#"(func (export "_initialize") (param i32))"#,
        r#"(func (export "state_save"))"#,
        r#"(func (export "state_load") (result i32) i32.const 0)"#,
        r#"(global (export "unload") i32 (i32.const 0))"#,
    ] {
        refused(&plus(bad), "E1012");
    }
}

#[test]
fn a_missing_export_is_told_with_at_most_sixteen_that_are_there() {
    let many: String = (0..20).map(|i| format!("(func (export \"f{i:02}\"))")).collect();
    let renamed = WAT.replace("\"greet\"", "\"gret\"");
    let end = renamed.rfind(')').unwrap();
    let reasons = |bytes: &[u8]| refused(bytes, "E1012").reasons().concat();
    assert_eq!(reasons(&wasm(&renamed)), "it exports gret, init, start, stop");
    let told = reasons(&wasm(&format!("{}{many})", &renamed[..end])));
    assert!(told.starts_with("it exports f00, f01") && told.ends_with("f15 and 8 more"), "{told}");
}

#[test]
fn entry_points_are_found_under_the_names_the_manifest_gives() {
    let toml = "[entry_points]\ninit = \"plugin_init\"\npause = \"hold\"";
    let renamed = WAT.replace("\"init\"", "\"plugin_init\"");
    let error = inspected(&wasm(&renamed), toml).unwrap_err();
    assert!(error.to_string().contains("does not export hold"), "{error}");
    let end = renamed.rfind(')').unwrap();
    let held = format!("{} (func (export \"hold\") (result i32) i32.const 0))", &renamed[..end]);
    assert_eq!(
        inspected(&wasm(&held), toml).unwrap().lifecycle.get(&Lifecycle::Init).unwrap(),
        "plugin_init"
    );
}

#[test]
fn fault_023_not_a_core_module() {
    refused(b"", "E1010");
    refused(b"\x7fELF1234", "E1010");
    refused(b"\0asm\x02\0\0\0", "E1010");
    refused(b"\0asm\x0d\0\x01\0", "E1010");
    refused(&wasm("(component)"), "E1010");
    let good = wasm(WAT);
    let names = good.windows(4).position(|w| w == b"name").unwrap() - 3;
    for n in (0..good.len()).filter(|n| *n != names) {
        assert!(inspected(&good[..n], "").is_err(), "cut at {n}");
    }
}

#[test]
fn fault_031_locals() {
    for count in [10_001, 50_000] {
        refused(&plus(&format!("(func {})", "(local i32) ".repeat(count))), "E1016");
    }
    // Two groups of 4 billion each: the sum does not wrap.
    let mut wraps = vec![0, b'a', b's', b'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 17, 1, 15, 2];
    for _ in 0..2 {
        wraps.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f]);
    }
    wraps.extend_from_slice(&[0x01, 0x0b]);
    refused(&wraps, "E1016");
}

#[test]
fn fault_032_segments() {
    for count in [10_001, 90_000] {
        refused(&plus(&"(data (i32.const 0) \"\") ".repeat(count)), "E1016");
        refused(&plus(&"(data \"\") ".repeat(count)), "E1016");
    }
    // A segment that claims a gigabyte, and one that has as much as a module may.
    let claims = [wasm("(module (memory 1))"), vec![11, 9, 1, 1, 0x80, 0x80, 0x80, 0x80, 4, 0, 0]].concat();
    refused(&claims, "E1010");
    refused(&plus(&format!("(data (i32.const 0) \"{}\")", "x".repeat(8 << 20))), "E1016");
    let elements = "(elem func) ".repeat(10_001);
    refused(&plus(&elements), "E1016");
    let funcs = format!("(func $f) (elem func {})", "$f ".repeat(200_001));
    refused(&plus(&funcs), "E1016");
}

/// Compilers take the square of the branches of a function, which a small module can have many of.
#[test]
fn branches_are_bounded_by_their_squares_over_the_whole_module() {
    let module = |functions: usize, branches: usize| {
        let body = "i32.const 0 br_if 0 ".repeat(branches);
        let function = format!("(func (block {body}))");
        wat::parse_str(format!("(module {})", function.repeat(functions))).unwrap()
    };
    let limits = ModuleLimits { branch_work: 100, ..ModuleLimits::default() };
    assert!(scan::scan(&module(1, 10), &limits).is_ok());
    assert!(scan::scan(&module(4, 5), &limits).is_ok());
    for (functions, branches) in [(1, 11), (5, 5)] {
        let module = module(functions, branches);
        let refused = scan::scan(&module, &limits);
        assert!(matches!(refused, Err(ModuleError::Limit { .. })), "{functions} of {branches}");
    }
}

#[test]
fn fault_033_what_compiles_slowly() {
    let nops = "nop ".repeat(256 << 10);
    refused(&plus(&format!("(func {nops})")), "E1016");
    let deep = format!("(func {} {})", "(block ".repeat(900), ")".repeat(900));
    refused(&plus(&deep), "E1016");
    let table = format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(60_000));
    refused(&plus(&table), "E1016");
    let several = "(br_table 0 ".to_owned() + &"0 ".repeat(9_000) + "(i32.const 0))";
    refused(&plus(&format!("(func {})", several.repeat(6))), "E1016");
}

#[test]
fn fault_034_imports() {
    let import = |text: &str| wasm(&WAT.replacen("(module", &format!("(module {text}"), 1));
    let error = refused(&import(r#"(import "env" "lag" (func (param i32 i32)))"#), "E1011");
    assert!(error.to_string().contains("env.lag") && error.to_string().contains("env.log"), "{error}");
    refused(&import(r#"(import "other" "log" (func (param i32 i32)))"#), "E1011");
    refused(&import(r#"(import "env" "log" (func (param i32)))"#), "E1011");
    refused(&import(r#"(import "env" "log" (func (param i32 i64)))"#), "E1011");
    let shared = WAT
        .replace("(memory (export", "(memory (import \"env\" \"m\") 1 4) (export")
        .replace("\"memory\") 1 4)", "\"memory\" (memory 0))");
    refused(&wasm(&shared), "E1011");
    refused(&import(r#"(import "env" "log" (table 1 funcref))"#), "E1011");
    refused(&import(r#"(import "env" "log" (global i32))"#), "E1011");
    let error = refused(
        &import(
            r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        ),
        "E1017",
    );
    assert!(error.to_string().contains("fd_write"), "{error}");
    refused(&import(&r#"(import "env" "log" (func (param i32 i32)))"#.repeat(10_000)), "E1016");
    let long = "x".repeat(300);
    refused(&import(&format!("(import \"env\" \"{long}\" (func))")), "E1016");
}

#[test]
fn fault_035_exports() {
    for name in ["init", "start", "stop", "greet", "memory"] {
        let without = WAT.replace(&format!("(export \"{name}\")"), "");
        let error = refused(&wasm(&without), "E1012");
        assert!(error.to_string().contains(name), "{error}");
    }
    refused(
        &wasm(
            &WAT.replace("(func (export \"start\") (result i32)", "(func (export \"start\") (result i64)")
                .replace("(result i64) i32.const 0", "(result i64) i64.const 0"),
        ),
        "E1012",
    );
    refused(
        &wasm(&WAT.replace(
            "(memory (export \"memory\") 1 4)",
            "(memory 1) (global (export \"memory\") i32 (i32.const 0))",
        )),
        "E1012",
    );
    let many: String = (0..100_000).map(|i| format!("(export \"e{i}\" (memory 0))")).collect();
    refused(&plus(&many), "E1016");
    let megabyte = "x".repeat(1 << 20);
    refused(&plus(&format!("(export \"{megabyte}\" (memory 0))")), "E1010");
    let long = "x".repeat(1 << 16);
    refused(&plus(&format!("(export \"{long}\" (memory 0))")), "E1016");
    let mut bad = wasm(WAT);
    let at = bad.windows(5).position(|w| w == b"greet").unwrap();
    bad[at] = 0xff;
    refused(&bad, "E1010");
}

#[test]
fn fault_029_and_030_large_beginnings() {
    refused(&wasm(&WAT.replace(" 1 4)", " 65536)")), "E1016");
    refused(&plus("(table 10000000 funcref)"), "E1016");
    refused(&plus(&"(table 1 funcref)".repeat(20)), "E1016");
}

#[test]
fn fault_046_features_that_are_off() {
    for fields in [
        "(memory 1)",
        "(func $f (return_call $f))",
        "(tag)",
        "(type (struct))",
        "(func (result v128) (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
        "(func (drop (i32.atomic.load (i32.const 0))))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(func (param (ref func)))",
        "(table 1 externref)",
        "(func (param externref))",
        "(func (local externref))",
        "(elem externref (ref.null extern))",
    ] {
        refused(&plus(fields), "E1015");
    }
    refused(&wasm(&WAT.replace("1 4)", "i64 1 4)")), "E1015");
    refused(&wasm(&WAT.replace("1 4)", "1 4 shared)")), "E1015");
}

#[test]
fn features_that_are_on_pass() {
    for fields in [
        "(global (mut i32) (i32.const 0))",
        "(func (drop (i32.extend8_s (i32.const 1))))",
        "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
        "(func (result i32 i32) (i32.const 1) (i32.const 2))",
        "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))",
        "(func (drop (v128.const i64x2 0 0)))",
    ] {
        inspected(&plus(fields), "").unwrap_or_else(|e| panic!("{fields}: {e}"));
    }
}

#[test]
fn fault_051_custom_sections() {
    let mut bytes = wasm(WAT);
    for _ in 0..65 {
        bytes.extend_from_slice(&[0, 2, 1, b'x']);
    }
    refused(&bytes, "E1016");
    // One that is as large as a module may be, one that claims more than there is, and one whose name does.
    refused(&plus(&format!("(@custom \"x\" \"{}\")", "x".repeat(8 << 20))), "E1016");
    refused(&[wasm(WAT), vec![0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, b'x']].concat(), "E1010");
    refused(&[wasm(WAT), vec![0, 2, 9, b'x']].concat(), "E1010");
    let mut lies = wasm(WAT);
    lies.extend_from_slice(b"\0\x08\x04name\xff\xff\xff");
    inspected(&lies, "").unwrap();
}

#[test]
fn fault_034_an_import_that_can_do_nothing_without_a_permission_needs_it_asked_for() {
    use common::permission::Capability::{FilesystemDelete, FilesystemRead, FilesystemWrite};
    let mut rules = rules();
    let needs = [
        ("open", ImportNeeds::OneOf(vec![FilesystemRead, FilesystemWrite])),
        ("rename", ImportNeeds::Each(vec![FilesystemWrite, FilesystemDelete])),
        ("close", ImportNeeds::Nothing),
    ];
    for (name, needs) in needs {
        let rule = ImportRule::integers("wasi_snapshot_preview1", name, 1, 1);
        rules.imports.push(ImportRule { needs, ..rule });
    }
    let inspected = |name: &str, permissions: &str| {
        let import =
            format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func (param i32) (result i32)))");
        let module = wasm(&WAT.replacen("(module", &format!("(module {import}"), 1));
        let toml =
            if permissions.is_empty() { String::new() } else { format!("[permissions]\n{permissions}") };
        inspect(&module, &manifest(&toml), &ModuleLimits::default(), &rules)
    };
    assert!(inspected("close", "").is_ok());
    assert!(inspected("open", "filesystem = [\"write:/data/logs/**\"]").is_ok());
    assert!(inspected("rename", "filesystem = [\"write\", \"delete\"]").is_ok());
    let refused = |name, permissions| {
        let error = inspected(name, permissions).unwrap_err();
        assert_eq!(error.code().id, "E1014", "{error}");
        (error.to_string(), error.help().unwrap())
    };
    let (text, help) = refused("open", "storage = [\"get\"]");
    assert!(
        text.contains("wasi_snapshot_preview1.open, which needs filesystem read or filesystem write"),
        "{text}"
    );
    assert!(help.contains("filesystem = [\"read\"], or filesystem = [\"write\"]"), "{help}");
    let (text, help) = refused("rename", "filesystem = [\"write\"]");
    assert!(text.contains("needs filesystem delete;"), "{text}");
    assert!(help.ends_with("filesystem = [\"delete\"]"), "{help}");
}

#[test]
fn a_command_is_told_how_to_become_a_plugin() {
    let error = refused(&wasm(r#"(module (memory (export "memory") 1) (func (export "_start")))"#), "E1013");
    assert!(error.code().help.contains("reactor"));
    inspected(&plus("(func (export \"_start\"))"), "").unwrap();
}

#[test]
fn a_module_too_large_is_not_read() {
    let limits = ModuleLimits { module: 10, ..ModuleLimits::default() };
    let error = inspect(&wasm(WAT), &manifest(""), &limits, &rules()).unwrap_err();
    assert_eq!(error.code().id, "E1016");
}

proptest! {
    #[test]
    fn inspecting_never_panics(at in any::<prop::sample::Index>(), byte: u8, tail in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = wasm(WAT);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = inspected(&bytes, "");
        bytes.truncate(at);
        bytes.extend_from_slice(&tail);
        let _ = inspected(&bytes, "");
    }
}
