//! Homes in temporary directories: packages go in, plugins are operated, and what is left behind is looked at.

mod added;
mod api;
mod attested;
mod by_id;
mod callers;
mod conduct;
mod consent;
mod crash;
mod faults;
mod guard;
mod health;
mod install;
mod keeping;
mod life;
mod native;
mod people;
mod plan;
mod port;
mod reviews;
mod rights;
mod running;
mod shutdown;
mod staging;
mod swap;
mod threads;
mod together;
mod told;
mod traces;
mod trial;
mod trust;
mod upgrade;
#[cfg(all(feature = "wasi", feature = "cedar"))]
mod walk;

use crate::PluginManager;
use crate::loader::Asset;
use crate::loader::testing::{packed, wasm};
use crate::runtime::EngineKind;
use crate::store::people_of;
use common::audit::tail;
use common::error::ForgeError;
use std::path::PathBuf;
use std::time::Duration;

/// Makes one `#[test]` for each function and each engine compiled in.
macro_rules! on_each_engine {
    ($($name:ident)*) => {
        #[cfg(feature = "wasmtime-runtime")]
        mod wasmtime {
            $(#[test] fn $name() { super::$name(crate::runtime::EngineKind::Wasmtime); })*
        }
        #[cfg(feature = "wasmer-runtime")]
        mod wasmer {
            $(#[test] fn $name() { super::$name(crate::runtime::EngineKind::Wasmer); })*
        }
    };
}
pub(crate) use on_each_engine;

/// A home.
pub struct World(tempfile::TempDir);

impl World {
    /// A home with this configuration below `plugin_manager`.
    pub fn configured(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plugin-manager.yaml"), format!("plugin_manager:\n{text}")).unwrap();
        Self(dir)
    }
    /// A development home without signatures and wall.
    pub fn development(engine: EngineKind) -> Self {
        Self::with(engine, "")
    }
    /// The same with more keys.
    pub fn with(engine: EngineKind, more: &str) -> Self {
        Self::configured(&format!(
            "  environment: development\n  engine: {engine}\n  default_timeout: 2s\n{more}  \
             security: {{ verify_signatures: false, namespace_isolation: false, enforce_permissions: false }}\n"
        ))
    }
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }
    pub fn open(&self) -> PluginManager {
        PluginManager::builder().home(self.0.path()).wait(Duration::from_secs(10)).open().unwrap()
    }
    /// Lines of the log that contain all of these.
    pub fn recorded(&self, host: &PluginManager, parts: &[&str]) -> usize {
        host.host().audit.flush().unwrap();
        let lines = tail(&self.path("audit"), u64::MAX).unwrap().map(Result::unwrap);
        lines.filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
    /// What records say in place of this name.
    pub fn pseudonym(&self, name: &str) -> String {
        let people = people_of(self.0.path()).unwrap();
        people.into_iter().find(|person| person.name == name).unwrap().pseudonym
    }
    /// Flips one byte in the middle of the only file there.
    pub fn damage(&self, below: &str) {
        let files: Vec<_> = std::fs::read_dir(self.path(below)).unwrap().map(|e| e.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let mut bytes = std::fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
}

pub fn code<T>(result: Result<T, ForgeError>) -> &'static str {
    result.err().expect("it fails").code().id
}

const IMPORTS: &str = r#"
    (import "env" "log" (func $log (param i32 i32)))
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (import "env" "fail" (func $fail (param i32 i32)))
    (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "no way") (data (i32.const 80) "hello") (data (i32.const 96) "config_get")
    (data (i32.const 112) "\04\00\00\00rule") (data (i32.const 128) "plugin_call")"#;

/// Operations every guest has.
const OPERATIONS: &str = r#"
    (func (export "echo") (param $n i32) (result i32)
      (drop (call $input_read (i32.const 0) (i32.const 1024) (local.get $n)))
      (call $output (i32.const 1024) (local.get $n)))
    (func (export "fail") (param i32) (result i32) (call $fail (i32.const 64) (i32.const 6)) i32.const 3)
    (func (export "trap") (param i32) (result i32) unreachable)
    (func (export "greet") (param i32) (result i32) (call $log (i32.const 80) (i32.const 5)) i32.const 0)
    (func (export "rule") (param i32) (result i32) (local $n i32)
      (local.set $n (call $syscall (i32.const 96) (i32.const 10) (i32.const 112) (i32.const 8) (i32.const 2048) (i32.const 64)))
      (if (i32.lt_s (local.get $n) (i32.const 0)) (then (return (local.get $n))))
      (call $output (i32.const 2048) (local.get $n)))"#;

/// `init`, `start` and `stop` that return 0.
pub const GOOD: &str = r#"(func (export "init") (result i32) i32.const 0)
    (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;

/// What a package is made of.
pub struct Guest {
    name: String,
    publisher: String,
    version: String,
    plugin: String,
    tables: String,
    body: String,
    operations: Vec<&'static str>,
    assets: Vec<Asset>,
}

impl Guest {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            publisher: "acme".into(),
            version: "1.0.0".into(),
            plugin: String::new(),
            tables: String::new(),
            body: GOOD.into(),
            operations: vec!["echo", "fail", "trap", "greet", "rule"],
            assets: Vec::new(),
        }
    }
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }
    pub fn publisher(mut self, publisher: &str) -> Self {
        self.publisher = publisher.into();
        self
    }
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }
    /// Lines of the `[plugin]` table.
    pub fn plugin(mut self, lines: &str) -> Self {
        self.plugin = lines.into();
        self
    }
    /// Further tables of the manifest.
    pub fn tables(mut self, text: &str) -> Self {
        self.tables = text.into();
        self
    }
    /// The guest's own functions, in place of [`GOOD`].
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }
    pub fn operation(mut self, name: &'static str) -> Self {
        self.operations.push(name);
        self
    }
    pub fn asset(mut self, name: &str, text: &str) -> Self {
        self.assets.push(Asset { name: format!("assets/{name}"), bytes: text.as_bytes().to_vec() });
        self
    }
    pub fn package(&self) -> Vec<u8> {
        let operations: String =
            self.operations.iter().map(|o| format!("\n[[operations]]\nname = \"{o}\"\n")).collect();
        let Self { name, publisher, version, plugin, tables, body, .. } = self;
        let head =
            format!("[plugin]\nname = \"{name}\"\nversion = \"{version}\"\npublisher = \"{publisher}\"\n");
        let module = wasm(&format!("(module {IMPORTS} {OPERATIONS} {body})"));
        packed(&format!("{head}{plugin}\n{tables}\n{operations}"), &module, &self.assets)
    }
}

/// A call of `plugin_call` on operation `echo` with no input, whose status is what the function gives.
pub fn asks(plugin: &str) -> String {
    let list = |text: &str| format!("\\{:02x}\\00\\00\\00{text}", text.len());
    let arguments = list(plugin) + &list("echo") + &list("");
    let length = 12 + plugin.len() + 4;
    format!(
        r#"(data (i32.const 256) "{arguments}")
        (func $ask (result i32)
          (call $syscall (i32.const 128) (i32.const 11) (i32.const 256) (i32.const {length}) (i32.const 0) (i32.const 0)))"#
    )
}
