//! WebAssembly modules before an engine sees them.

use crate::{Seen, Target, told};
use plugin_manager::attestation::module::inspect;
use plugin_manager::attestation::{ImportRule, ModuleLimits, ModuleRules};
use plugin_manager::loader::Manifest;
use std::cell::OnceCell;

pub const MODULE: Target = Target {
    name: "module",
    max_len: 4 << 10,
    tokens: &[
        "\0asm\x01\0\0\0",
        "env",
        "memory",
        "init",
        "start",
        "stop",
        "greet",
        "output",
        "\x60\0\x01\x7f",
        "_start",
        "_initialize",
        "\u{ff}\u{ff}\u{ff}\u{ff}\x0f",
    ],
    memory: 16 << 20,
    smoke: 2_000,
    body: module,
    seeds,
};

struct Setting {
    manifest: Manifest,
    limits: ModuleLimits,
    rules: ModuleRules,
}

thread_local! {
    static SETTING: OnceCell<Setting> = const { OnceCell::new() };
}

fn setting() -> Setting {
    let text = r#"{"schema":1,"name":"hello","version":"1.0.0","publisher":"acme","abi":1,"operations":[{"name":"greet"}],
        "files":{"plugin.wasm":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}"#;
    let mut rules = ModuleRules::default();
    rules.imports.push(ImportRule::integers("env", "output", 2, 1));
    rules.imports.push(ImportRule::integers("env", "log", 2, 0));
    let mut limits = ModuleLimits::default();
    (limits.functions, limits.exports, limits.imports) = (24, 24, 8);
    Setting { manifest: Manifest::from_json(text.as_bytes()).expect("the manifest"), limits, rules }
}

/// A module that passes is within the limits and imports only what it is given.
fn module(input: &[u8]) -> Seen {
    SETTING.with(|setting| {
        let s = setting.get_or_init(self::setting);
        match inspect(input, &s.manifest, &s.limits, &s.rules) {
            Ok(facts) => {
                assert_eq!((facts.size, facts.digest), (input.len(), common::identity::Digest::of(input)));
                assert!(
                    u64::from(facts.functions) <= s.limits.functions
                        && facts.memory_min <= s.limits.memory_pages
                );
                assert!(
                    facts.imports.iter().all(|name| name.ends_with("output") || name.ends_with("log")),
                    "{:?}",
                    facts.imports
                );
                assert!(facts.memory_max.is_none_or(|max| max >= facts.memory_min));
                Seen::accepted(facts.imports.len() as u64 * 4 + u64::from(facts.functions.min(3)))
            }
            Err(error) => Seen::refused(&told(&error)),
        }
    })
}

fn seeds() -> Vec<Vec<u8>> {
    const SMALL: &str = r#"(module
      (import "env" "output" (func $output (param i32 i32) (result i32)))
      (memory (export "memory") 1 4)
      (func (export "init") (result i32) i32.const 0)
      (func (export "start") (result i32) i32.const 0)
      (func (export "stop") (result i32) i32.const 0)
      (func (export "greet") (param i32) (result i32) (call $output (i32.const 0) (i32.const 0))))"#;
    const RICH: &str = r#"(module
      (import "env" "log" (func $log (param i32 i32)))
      (type $t (func (param i32) (result i32)))
      (memory (export "memory") 1) (table 2 4 funcref) (global $g (mut i64) (i64.const 1))
      (elem (i32.const 0) $f) (data (i32.const 8) "text")
      (func $f (type $t) (local i64 f32 f64)
        (block (loop (br_if 1 (local.get 0)) (br_table 0 1 0 (i32.const 1))))
        (call_indirect (type $t) (i32.const 1) (i32.const 0)))
      (func (export "init") (result i32) i32.const 0)
      (func (export "start") (result i32) (call $log (i32.const 8) (i32.const 4)) i32.const 0)
      (func (export "stop") (result i32) i32.const 0)
      (func (export "greet") (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.const 1)) (else (call $f (i32.const 2))))))"#;
    [SMALL, RICH].map(|text| wat::parse_str(text).expect("the seed")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_accepted() {
        for seed in seeds() {
            let s = setting();
            inspect(&seed, &s.manifest, &s.limits, &s.rules).unwrap();
        }
    }
}
