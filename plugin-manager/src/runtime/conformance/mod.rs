//! What every engine must do alike, as tests that name no engine. Each room below lists its tests once; they
//! run once for each engine compiled in.

mod calls;
mod cancels;
mod code;
mod deadlines;
mod features;
mod imports;
mod limits;
mod numbers;
mod traps;
#[cfg(feature = "wasi")]
mod wasi;

use super::{
    CallOutcome, CompiledModule, Engine, EngineKind, Execution, ExportPlan, Lifecycle, RuntimeError, Terms,
    Trap,
};
use crate::sandbox::Limits;
use crate::syscall::Chain;
use crate::syscall::testing::{FakePort, SeenHandle};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline, SystemClock};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// Makes one `#[test]` for each function and each engine.
macro_rules! conformance {
    ($($name:ident)*) => {
        #[cfg(feature = "wasmtime-runtime")]
        mod wasmtime {
            $(#[test] fn $name() { super::$name(&crate::runtime::conformance::Bench::on(crate::runtime::EngineKind::Wasmtime)); })*
        }
        #[cfg(feature = "wasmer-runtime")]
        mod wasmer {
            $(#[test] fn $name() { super::$name(&crate::runtime::conformance::Bench::on(crate::runtime::EngineKind::Wasmer)); })*
        }
    };
}
pub(crate) use conformance;
#[cfg(all(feature = "wasi", feature = "cedar"))]
pub(crate) use wasi::every_function as every_wasi_function;

static CLOCK: LazyLock<Arc<SystemClock>> = LazyLock::new(|| SystemClock::start().unwrap());
static ENGINES: Mutex<Vec<Arc<dyn Engine>>> = Mutex::new(Vec::new());

/// An engine under test. Engines are shared by all tests, as they are by all plugins.
pub struct Bench {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
}

impl Bench {
    pub fn on(kind: EngineKind) -> Self {
        let clock: Arc<dyn Clock> = CLOCK.clone();
        let mut engines = ENGINES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let engine = match engines.iter().find(|e| e.kind() == kind) {
            Some(engine) => engine.clone(),
            None => {
                let engine = crate::runtime::engine(kind, &clock).unwrap();
                engines.push(engine.clone());
                engine
            }
        };
        Self { engine, clock }
    }
    #[cfg(all(feature = "wasi", feature = "cedar"))]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }
    pub fn compile(&self, wat: &str) -> Result<CompiledModule, RuntimeError> {
        self.engine.compile(&wat::parse_str(wat).unwrap(), false)
    }
    /// A guest with these functions beside every import, one page of memory and the required exports.
    pub fn guest(&self, body: &str) -> Guest<'_> {
        self.module(&format!("(module {IMPORTS} {MEMORY} {LIFECYCLE} {body})"))
    }
    /// A guest of this text alone.
    pub fn module(&self, wat: &str) -> Guest<'_> {
        let plan = plan_of(wat);
        let limits = Limits { timeout: Duration::from_secs(20), ..Limits::default() };
        let port = FakePort::new(self.clock.clone());
        Guest { bench: self, seen: port.seen(), port, wat: wat.to_owned(), plan, limits }
    }
}

/// Every import of ABI 1.
pub const IMPORTS: &str = r#"
    (import "env" "log" (func $log (param i32 i32)))
    (import "env" "log_at" (func $log_at (param i32 i32 i32)))
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (import "env" "fail" (func $fail (param i32 i32)))
    (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "response_read" (func $response_read (param i32 i32 i32) (result i32)))
    (import "env" "env_get" (func $env_get (param i32 i32 i32 i32) (result i32)))
    (import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#;
pub const MEMORY: &str = r#"(memory (export "memory") 1)"#;
pub const LIFECYCLE: &str = r#"
    (func (export "init") (result i32) i32.const 0)
    (func (export "start") (result i32) i32.const 0)
    (func (export "stop") (result i32) i32.const 0)"#;

/// The exports of a text, the way the loader finds them in a package: operations are called `op…`.
fn plan_of(wat: &str) -> ExportPlan {
    let exports: Vec<&str> =
        wat.split("(export \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let has = |name: &str| exports.contains(&name);
    ExportPlan {
        lifecycle: Lifecycle::ALL.map(|f| has(f.name()).then(|| f.name().to_owned())),
        operations: exports.iter().filter(|e| e.starts_with("op")).map(|e| (*e).to_owned()).collect(),
        initialize: has("_initialize"),
        state_save: has("state_save"),
        state_load: has("state_load"),
    }
}

/// A guest to be run: its text, limits and port.
pub struct Guest<'a> {
    bench: &'a Bench,
    wat: String,
    plan: ExportPlan,
    limits: Limits,
    port: FakePort,
    seen: SeenHandle,
}

impl<'a> Guest<'a> {
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }
    pub fn port(mut self, change: impl FnOnce(FakePort) -> FakePort) -> Self {
        self.port = change(self.port);
        self
    }
    pub fn try_run(self) -> Result<Running<'a>, RuntimeError> {
        let wasm = wat::parse_str(&self.wat).unwrap();
        let module = self.bench.engine.compile(&wasm, self.limits.fuel.is_some())?;
        self.run_module(&module)
    }
    pub fn run_module(self, module: &CompiledModule) -> Result<Running<'a>, RuntimeError> {
        let chain = Chain::new();
        let deadline = Deadline::after(&*self.bench.clock, self.limits.timeout);
        let terms = Terms::new(deadline, &chain);
        let engine = &*self.bench.engine;
        let execution = Execution::new(
            engine,
            module,
            &self.plan,
            &self.limits,
            Box::new(self.port),
            &CancelToken::new(),
            terms,
        )?;
        let timeout = self.limits.timeout;
        Ok(Running { bench: self.bench, execution, timeout, seen: self.seen })
    }
    pub fn run(self) -> Running<'a> {
        self.try_run().unwrap()
    }
}

/// A guest with an instance.
pub struct Running<'a> {
    bench: &'a Bench,
    pub execution: Execution,
    pub timeout: Duration,
    pub seen: SeenHandle,
}

impl Running<'_> {
    fn with<R>(&mut self, call: impl FnOnce(&mut Execution, Terms<'_>) -> R) -> R {
        let chain = Chain::new();
        let deadline = Deadline::after(&*self.bench.clock, self.timeout);
        call(&mut self.execution, Terms::new(deadline, &chain))
    }
    pub fn lifecycle(&mut self, function: Lifecycle) -> Result<CallOutcome, Trap> {
        self.with(|e, terms| e.lifecycle(function, terms))
    }
    /// Calls operation `index`: its outcome and what it wrote.
    pub fn call(&mut self, index: u16, input: &[u8]) -> Result<(CallOutcome, Vec<u8>), Trap> {
        let (mut given, mut output) = (input.to_vec(), b"left over".to_vec());
        let outcome = self.with(|e, terms| e.operation(index, &mut given, &mut output, terms));
        assert_eq!(given, input, "the input is given back as it was");
        outcome.map(|outcome| (outcome, output))
    }
    /// Calls begun and ended, as the port saw them.
    pub fn counts(&self) -> (usize, usize) {
        let seen = self.seen.get();
        (seen.begun, seen.ended)
    }
    /// Calls operation 0 without input and gives its status.
    pub fn status(&mut self) -> Result<i32, Trap> {
        self.call(0, b"").map(|(outcome, _)| outcome.status)
    }
}
