//! A plugin under test: an engine, a guest of inline text, a real log, a port and a vault that can be told to fail.

use super::super::*;
use crate::metrics::PluginMetrics;
use crate::plugin::PluginState;
use crate::runtime::{self, Engine, EngineKind, ExportPlan, Lifecycle, Terms};
use crate::sandbox::{InstanceMode, Limits};
use crate::syscall::Chain;
use crate::syscall::Status;
use crate::syscall::testing::FakePort;
use common::audit::{AuditLog, AuditOptions, Files, SegmentFile, SystemFiles, tail};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline, SystemClock};
use common::crypto::{Algorithm, SigningKey};
use common::identity::{Digest, Name, PluginId, PluginIdentity};
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
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

static CLOCK: LazyLock<Arc<SystemClock>> = LazyLock::new(|| SystemClock::start().unwrap());
static ENGINES: Mutex<Vec<Arc<dyn Engine>>> = Mutex::new(Vec::new());

pub fn engine(kind: EngineKind) -> Arc<dyn Engine> {
    let mut engines = ENGINES.lock();
    if let Some(engine) = engines.iter().find(|e| e.kind() == kind) {
        return engine.clone();
    }
    let clock: Arc<dyn Clock> = CLOCK.clone();
    let engine = runtime::engine(kind, &clock).unwrap();
    engines.push(engine.clone());
    engine
}

pub fn clock() -> Arc<dyn Clock> {
    CLOCK.clone()
}

/// A disk whose writes fail while it is broken.
#[derive(Debug, Default)]
struct Disk(Arc<AtomicBool>);

#[derive(Debug)]
struct Segment(Box<dyn SegmentFile>, Arc<AtomicBool>);

fn whole(broken: &AtomicBool) -> io::Result<()> {
    if broken.load(Ordering::SeqCst) { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
}

impl Files for Disk {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(Segment(SystemFiles.append_to(path)?, self.0.clone())))
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        whole(&self.0).and_then(|()| SystemFiles.replace(path, bytes))
    }
}

impl SegmentFile for Segment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        whole(&self.1).and_then(|()| self.0.append(bytes))
    }
    fn sync(&mut self) -> io::Result<()> {
        whole(&self.1).and_then(|()| self.0.sync())
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        whole(&self.1).and_then(|()| self.0.truncate(length))
    }
}

/// A vault in memory.
#[derive(Debug, Default)]
pub struct Vault {
    pub state: Mutex<Option<Vec<u8>>>,
    pub broken: AtomicBool,
}

impl Vault {
    fn whole(&self) -> Result<(), VaultFailure> {
        Ok(whole(&self.broken)?)
    }
}

impl StateVault for Vault {
    fn load(&self) -> Result<Option<Saved>, VaultFailure> {
        let saved = |bytes| Saved { version: "0.9.0".into(), bytes };
        self.whole().map(|()| self.state.lock().clone().map(saved))
    }
    fn save(&self, state: &[u8]) -> Result<(), VaultFailure> {
        self.whole().map(|()| *self.state.lock() = Some(state.to_vec()))
    }
    fn discard(&self) -> Result<(), VaultFailure> {
        self.whole().map(|()| *self.state.lock() = None)
    }
}

type Answers = Arc<Mutex<Vec<(String, Arc<dyn Fn() -> Result<Vec<u8>, Status> + Send + Sync>)>>>;

/// What a guest is built from.
pub struct Rig {
    kind: EngineKind,
    wat: String,
    pub mode: InstanceMode,
    pub max: usize,
    pub warm: usize,
    pub queue: usize,
    pub timeout: Duration,
    pub state: PluginState,
    pub vault: Arc<Vault>,
    pub keeper: Arc<dyn Keeper>,
    answers: Answers,
}

/// A plugin that was built, and what surrounds it.
pub struct Built {
    pub plugin: Arc<ManagedPlugin>,
    pub vault: Arc<Vault>,
    audit: AuditLog,
    broken: Arc<AtomicBool>,
    pub chain: Chain,
    dir: tempfile::TempDir,
}

pub const HEAD: &str = r#"
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (import "env" "fail" (func $fail (param i32 i32)))
    (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)"#;

/// The required functions, each with this result.
pub fn lifecycle(init: i32, start: i32, stop: i32) -> String {
    let f = |name: &str, status: i32| format!("(func (export \"{name}\") (result i32) i32.const {status})");
    f("init", init) + &f("start", start) + &f("stop", stop)
}

/// Operations: `op_add` counts and gives the count as one byte, `op_trap`, `op_loop`, `op_fail` (3, `no`),
/// `op_wait` makes the host call `wait`.
pub const OPERATIONS: &str = r#"
    (data (i32.const 64) "no") (data (i32.const 80) "wait") (data (i32.const 90) "loading")
    (global $n (mut i32) (i32.const 0))
    (func (export "op_add") (param i32) (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store8 (i32.const 0) (global.get $n))
      (call $output (i32.const 0) (i32.const 1)))
    (func (export "op_trap") (param i32) (result i32) unreachable)
    (func (export "op_loop") (param i32) (result i32) (loop (br 0)) i32.const 0)
    (func (export "op_fail") (param i32) (result i32)
      (drop (call $output (i32.const 64) (i32.const 2)))
      (call $fail (i32.const 64) (i32.const 2)) i32.const 3)
    (func (export "op_wait") (param i32) (result i32)
      (drop (call $syscall (i32.const 80) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
      i32.const 0)"#;

/// Keeps the count of `op_add` over instances. A state of two bytes traps, a longer one is refused with 9.
pub const STATE: &str = r#"
    (func (export "state_save") (result i32)
      (i32.store8 (i32.const 0) (global.get $n)) (call $output (i32.const 0) (i32.const 1)))
    (func (export "state_load") (param i32) (result i32)
      (drop (call $syscall (i32.const 90) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
      (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
      (if (i32.eq (local.get 0) (i32.const 2)) (then unreachable))
      (if (i32.gt_u (local.get 0) (i32.const 1)) (then (return (i32.const 9))))
      (global.set $n (i32.load8_u (i32.const 0))) i32.const 0)"#;

impl Rig {
    /// A guest of [`OPERATIONS`] and this.
    pub fn new(kind: EngineKind, more: &str) -> Self {
        Self {
            kind,
            wat: format!("(module {HEAD} {OPERATIONS} {more})"),
            mode: InstanceMode::Shared,
            max: 1,
            warm: 1,
            queue: 1024,
            timeout: Duration::from_secs(20),
            state: PluginState::Created,
            vault: Arc::default(),
            keeper: Arc::new(Nobody),
            answers: Arc::default(),
        }
    }
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
    /// Answers a host call of this name.
    pub fn answering(
        self,
        name: &str,
        answer: impl Fn() -> Result<Vec<u8>, Status> + Send + Sync + 'static,
    ) -> Self {
        self.answers.lock().push((name.to_owned(), Arc::new(answer)));
        self
    }
    /// The plugin, not yet brought up.
    pub fn build(self) -> Built {
        let dir = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let disk = Disk::default();
        let broken = disk.0.clone();
        let options = AuditOptions { node: "test".into(), ..AuditOptions::default() };
        let audit = AuditLog::open_on(Arc::new(disk), dir.path(), key, options, clock()).unwrap();
        let plan = plan_of(&self.wat);
        let engine = engine(self.kind);
        let answers = self.answers.clone();
        let blueprint = Blueprint {
            identity: identity(),
            module: engine.compile(&wat::parse_str(&self.wat).unwrap(), false).unwrap(),
            engine,
            operations: plan.operations.clone(),
            plan,
            limits: Limits { timeout: self.timeout, ..Limits::default() },
            mode: self.mode,
            max_instances: self.max,
            warm_instances: self.warm,
            queue_length: self.queue,
            ports: Box::new(move |_| {
                let port = FakePort::new(clock());
                let answer = |port: FakePort, (name, answer): &(String, Arc<dyn Fn() -> _ + Send + Sync>)| {
                    let answer = answer.clone();
                    port.answering(name, move |_| answer())
                };
                Box::new(answers.lock().iter().fold(port, answer))
            }),
            audit: audit.clone(),
            clock: clock(),
            metrics: Arc::new(PluginMetrics::default()),
            vault: self.vault.clone(),
            warrant: Arc::new(crate::lifecycle::Unconditional::default()),
            keeper: self.keeper,
            over: CancelToken::new(),
        };
        let plugin = Arc::new(ManagedPlugin::new(blueprint, self.state));
        Built { plugin, vault: self.vault, audit, broken, chain: Chain::new(), dir }
    }
    /// The plugin, running.
    pub fn running(self) -> Built {
        let built = self.build();
        built.up().unwrap();
        built
    }
}

impl Built {
    /// `initialize` and `start`.
    pub fn up(&self) -> Result<(), LifecycleError> {
        self.plugin.initialize(&self.chain).and_then(|()| self.plugin.start(&self.chain))
    }
    pub fn call(&self, operation: &str) -> Result<Vec<u8>, LifecycleError> {
        self.call_until(operation, Deadline::NEVER)
    }
    pub fn call_until(&self, operation: &str, deadline: Deadline) -> Result<Vec<u8>, LifecycleError> {
        self.call_on(operation, Terms::new(deadline, &self.chain))
    }
    /// The same for a caller that may give it up.
    pub fn call_under(&self, operation: &str, token: &CancelToken) -> Result<Vec<u8>, LifecycleError> {
        self.call_on(operation, Terms::new(Deadline::NEVER, &self.chain).cancelled_by(Some(token)))
    }
    fn call_on(&self, operation: &str, terms: Terms<'_>) -> Result<Vec<u8>, LifecycleError> {
        let index = self.plugin.operation(operation)?;
        let mut output = b"left over".to_vec();
        let done = self.plugin.call(index, &mut Vec::new(), &mut output, terms, 1);
        assert!(done.is_ok() || output.is_empty(), "a call without a result leaves none");
        done.map(|()| output)
    }
    pub fn is(&self, state: PluginState) {
        assert_eq!(self.plugin.state(), state);
    }
    /// Whether the log's disk fails from now on.
    pub fn break_log(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
    /// What the log says of this kind of event: action, code and details of each.
    pub fn recorded(&self, event: &str) -> Vec<String> {
        self.audit.flush().unwrap();
        let lines = tail(self.dir.path(), u64::MAX).unwrap();
        let parsed = lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
        parsed.filter(|line| line["type"] == event).map(|line| line.to_string()).collect()
    }
}

fn identity() -> PluginIdentity {
    let (name, publisher) = (Name::new("guest").unwrap(), Name::new("acme").unwrap());
    PluginIdentity {
        id: PluginId::new(&publisher, &name),
        name,
        publisher,
        version: "1.0.0".into(),
        digest: Digest::of(b"guest"),
        instance: 0,
    }
}

/// The exports of a text, the way the loader finds them in a package: operations are called `op_…`.
fn plan_of(wat: &str) -> ExportPlan {
    let exports: Vec<&str> =
        wat.split("(export \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let has = |name: &str| exports.contains(&name);
    ExportPlan {
        lifecycle: Lifecycle::ALL.map(|f| has(f.name()).then(|| f.name().to_owned())),
        operations: exports.iter().filter(|e| e.starts_with("op_")).map(|e| (*e).to_owned()).collect(),
        initialize: has("_initialize"),
        state_save: has("state_save"),
        state_load: has("state_load"),
    }
}
