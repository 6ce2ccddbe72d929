//! Plugins written by hand in WAT against nothing but CONTRACT.md, and their packages.

use crate::archive::{Entries, gzip, tar_of};
use common::identity::Digest;
use serde_json::{Value, json};

/// A hand-written plugin: a module and what its manifest says.
#[derive(Debug, Clone)]
pub struct Wat {
    module: Vec<u8>,
    manifest: Value,
}

/// The three lifecycle functions every plugin has, each returning 0.
pub fn lifecycle() -> &'static str {
    r#"(func (export "init") (result i32) (i32.const 0))
       (func (export "start") (result i32) (i32.const 0))
       (func (export "stop") (result i32) (i32.const 0))"#
}

/// Where [`syscall_operation`] reads its input to.
const ARGUMENTS: u32 = 0x1_0000;
/// Where it has responses written to.
const RESPONSE: u32 = 0x2_0000;

/// An operation that hands its input to a syscall as arguments and returns the response; a negative status `-n`
/// becomes the operation's status `n`. `at` is where the syscall's name may lie: 32 bytes below 64 KiB.
pub fn syscall_operation(operation: &str, syscall: &str, at: u32) -> String {
    let length = syscall.len();
    format!(
        r#"(data (i32.const {at}) "{syscall}")
        (func (export "{operation}") (param $len i32) (result i32) (local $n i32)
          (drop (call $input_read (i32.const 0) (i32.const {ARGUMENTS}) (i32.const 0x10000)))
          (local.set $n (call $syscall (i32.const {at}) (i32.const {length})
            (i32.const {ARGUMENTS}) (local.get $len) (i32.const {RESPONSE}) (i32.const 0x10000)))
          (if (i32.lt_s (local.get $n) (i32.const 0))
            (then (return (i32.sub (i32.const 0) (local.get $n)))))
          (drop (call $output (i32.const {RESPONSE}) (local.get $n)))
          (i32.const 0))"#
    )
}

/// A sequence of byte strings as syscalls take them.
pub fn pack_args(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(u32::try_from(part.len()).expect("short").to_le_bytes());
        bytes.extend(*part);
    }
    bytes
}

/// The byte strings of a list response.
pub fn parse_list(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().expect("a length");
        let (item, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        list.push(item.to_vec());
        bytes = rest;
    }
    list
}

impl Wat {
    /// A plugin `name` with these operations. `body` is what stands in the module after the imports `$log`,
    /// `$input_read`, `$output`, `$fail` and `$syscall`, and a memory of four pages that may grow.
    pub fn new(name: &str, operations: &[&str], body: &str) -> Self {
        Self::of_module(name, operations, &format!("{IMPORTS} (memory (export \"memory\") 4) {body}"))
    }
    /// A plugin `name` whose module has these fields and nothing else.
    pub fn of_module(name: &str, operations: &[&str], fields: &str) -> Self {
        let module = wat::parse_str(format!("(module {fields})")).unwrap_or_else(|e| panic!("{e}"));
        let operations: Vec<Value> = operations.iter().map(|o| json!({ "name": o })).collect();
        let manifest = json!({
            "schema": 1, "name": name, "version": "1.0.0", "publisher": "acme", "abi": 1,
            "operations": operations,
        });
        Self { module, manifest }
    }
    /// Sets a field of the manifest.
    #[must_use]
    pub fn says(mut self, field: &str, value: Value) -> Self {
        self.manifest[field] = value;
        self
    }
    /// The entries of its package, digests filled in.
    pub fn entries(&self) -> Entries {
        let mut manifest = self.manifest.clone();
        manifest["files"] = json!({ "plugin.wasm": Digest::of(&self.module).to_string() });
        let manifest = serde_json::to_vec_pretty(&manifest).expect("JSON");
        // The manifest last: any order is accepted.
        vec![("plugin.wasm".into(), self.module.clone()), ("manifest.json".into(), manifest)]
    }
    /// Its package.
    pub fn package(&self) -> Vec<u8> {
        gzip(&tar_of(&self.entries()))
    }
    /// Its module.
    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// A plugin `good` that answers `hello` with `hello`, and `echo` with its input.
    pub fn good() -> Self {
        let body = r#"(data (i32.const 0) "hello")
            (func (export "hello") (param i32) (result i32)
              (call $output (i32.const 0) (i32.const 5)))
            (func (export "echo") (param $len i32) (result i32)
              (drop (call $input_read (i32.const 0) (i32.const 1024) (i32.const 4096)))
              (call $output (i32.const 1024) (local.get $len)))"#;
        Self::new("good", &["hello", "echo"], &format!("{}{body}", lifecycle()))
    }
    /// A plugin `keeper` with the operations `put`, `get`, `drop` and `keys` over its storage.
    pub fn keeper() -> Self {
        let calls = [("put", "kv_set"), ("get", "kv_get"), ("drop", "kv_delete"), ("keys", "kv_list")];
        let mut body = lifecycle().to_owned();
        for (at, (operation, syscall)) in (0..).step_by(32).zip(calls) {
            body.push_str(&syscall_operation(operation, syscall, at));
        }
        let operations = calls.map(|(operation, _)| operation);
        Self::new("keeper", &operations, &body)
            .says("permissions", json!({ "storage": ["get", "set", "delete", "list"] }))
    }
}

const IMPORTS: &str = r#"
    (import "env" "log" (func $log (param i32 i32)))
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (import "env" "fail" (func $fail (param i32 i32)))
    (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))"#;
