//! What is this engine's own: added checks, deadlines, fuel, limits, and living beside wasmtime in one process.

mod added;
mod bounds;
#[cfg(feature = "wasmtime-runtime")]
mod together;

use super::engine::WasmerEngine;
use crate::abi::{HostContext, Phase};
use crate::runtime::{CompiledModule, Engine, Entry, ExportPlan, Instance, RuntimeError, Trap};
use crate::sandbox::Limits;
use crate::syscall::Chain;
use crate::syscall::testing::FakePort;
use common::clock::{Clock, Deadline, SystemClock};
use std::sync::Arc;
use std::time::Duration;

/// An engine, its clock, and a module's operations by name.
struct Bench {
    clock: Arc<dyn Clock>,
    engine: Arc<dyn Engine>,
}

impl Bench {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = SystemClock::start().unwrap();
        let engine = Arc::new(WasmerEngine::start(clock.clone()).unwrap());
        Self { clock, engine }
    }
    fn compile(&self, wat: &str, fuel: bool) -> Result<CompiledModule, RuntimeError> {
        self.engine.compile(&wat::parse_str(wat).unwrap(), fuel)
    }
    fn make(
        &self,
        module: &CompiledModule,
        operations: &[&str],
        limits: &Limits,
    ) -> Result<Guest, RuntimeError> {
        let plan = ExportPlan {
            operations: operations.iter().map(|&o| o.to_owned()).collect(),
            ..Default::default()
        };
        let mut context = HostContext::new(Box::new(self.port()), limits.payload_bytes);
        begin(&mut context, Deadline::after(&*self.clock, limits.timeout));
        let instance = self.engine.instantiate(module, &plan, limits, context)?;
        Ok(Guest { instance, clock: self.clock.clone(), timeout: limits.timeout })
    }
    /// One instance of this text with one second for each call.
    fn guest(&self, wat: &str, operations: &[&str]) -> Guest {
        let limits = Limits { timeout: Duration::from_secs(1), ..Limits::default() };
        self.make(&self.compile(wat, false).unwrap(), operations, &limits).unwrap()
    }
    /// A port whose `sleep` takes as many milliseconds as its argument is long.
    fn port(&self) -> FakePort {
        FakePort::new(self.clock.clone()).answering("sleep", |args| {
            std::thread::sleep(Duration::from_millis(args.len() as u64));
            Ok(Vec::new())
        })
    }
}

fn begin(context: &mut HostContext, deadline: Deadline) {
    context.begin(Phase::Operation, &mut Vec::new(), deadline, &Chain::new());
}

struct Guest {
    instance: Box<dyn Instance>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl Guest {
    fn call(&mut self, operation: u16) -> Result<i32, Trap> {
        self.call_with(operation, Vec::new())
    }
    fn call_within(&mut self, operation: u16, timeout: Duration) -> Result<i32, Trap> {
        self.timeout = timeout;
        self.call_with(operation, Vec::new())
    }
    /// The operation's argument is the length of its input.
    fn call_with(&mut self, operation: u16, mut input: Vec<u8>) -> Result<i32, Trap> {
        let deadline = Deadline::after(&*self.clock, self.timeout);
        self.instance.context().begin(Phase::Operation, &mut input, deadline, &Chain::new());
        let result = self.instance.call(Entry::Operation(operation));
        self.instance.context().end(&mut Vec::new(), &mut Vec::new());
        result
    }
}
