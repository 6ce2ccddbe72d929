//! Prints what calls cost through the product, as ratios to wasmtime used directly, in one process.
//!
//! `cargo run --release -p plugin-manager --example call_cost [CASE]`. Rounds of both sides alternate, so that a slow
//! hour of the machine slows both; the ratio is the median over rounds. The product's side is the whole path of
//! a call below the plugin's own state machine: deadline, host context, port, bridge, decision, count, and the
//! audit log in a temporary directory. An instance may log 1 MiB a second for long, so in `log` most lines are
//! admitted, counted and then dropped, as they are for any plugin that floods. The other side is a typed function at hand, no limits, no deadline.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use common::audit::{Actor, AuditLog, AuditOptions, Tally};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline, SystemClock};
use common::crypto::{Algorithm, SigningKey};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use microkernel::syscall_bridge::{Call, CallError, SyscallBridge, SyscallHandler, Target, builtin_actions};
use microkernel::trust::Chain;
use microkernel::trust::{Permit, TrustContext, TrustEvaluator};
use plugin_manager::runtime::{EngineKind, Execution, ExportPlan, Terms, engine};
use plugin_manager::sandbox::Limits;
use plugin_manager::syscall::{HostPort, LogAllowance, LogBus, LogSink};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::{Caller, Memory, Store, TypedFunc};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Host calls in one call of a loop.
const LOOP: u64 = 1000;
/// How long one side runs in one round, and how many rounds there are.
const ROUND: Duration = Duration::from_millis(20);
const ROUNDS: usize = 41;

const PRODUCT: &str = r#"(module
    (import "env" "log" (func $log (param i32 i32)))
    (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
    (import "env" "output" (func $output (param i32 i32) (result i32)))
    (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 64)
    (data (i32.const 0) "ping")
    (data (i32.const 64) "a line of sixty-four bytes, as a plugin may write it to its log.")
    (func (export "empty") (param i32) (result i32) i32.const 0)
    (func (export "ping") (param i32) (result i32) (local $i i32)
      (loop $l
        (drop (call $syscall (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 4)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (i32.const 0))
    (func (export "log") (param i32) (result i32) (local $i i32)
      (loop $l
        (call $log (i32.const 64) (i32.const 64))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (i32.const 0))
    (func (export "echo") (param $n i32) (result i32)
      (drop (call $input_read (i32.const 0) (i32.const 1024) (local.get $n)))
      (memory.copy (i32.const 2097152) (i32.const 1024) (local.get $n))
      (call $output (i32.const 2097152) (local.get $n))))"#;

const BARE: &str = r#"(module
    (import "env" "noop" (func $noop (param i32) (result i32)))
    (import "env" "log" (func $log (param i32 i32)))
    (memory (export "memory") 64)
    (func (export "empty") (param i32) (result i32) i32.const 0)
    (func (export "ping") (param i32) (result i32) (local $i i32)
      (loop $l
        (drop (call $noop (local.get $i)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (i32.const 0))
    (func (export "log") (param i32) (result i32) (local $i i32)
      (loop $l
        (call $log (i32.const 64) (i32.const 64))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (i32.const 0))
    (func (export "echo") (param $n i32) (result i32)
      (memory.copy (i32.const 2097152) (i32.const 1024) (local.get $n))
      (i32.const 2097152)))"#;

/// Operations in the order of the product's plan, and what each is measured with.
const CASES: [(&str, u16, usize, u64); 6] = [
    ("empty operation", 0, 0, 1),
    ("ping", 1, 0, LOOP),
    ("log 64 B", 2, 0, LOOP),
    ("echo 64 B", 3, 64, 1),
    ("echo 4 KiB", 3, 4096, 1),
    ("echo 1 MiB", 3, 1 << 20, 1),
];
const NAMES: [&str; 4] = ["empty", "ping", "log", "echo"];

struct Pong;

impl SyscallHandler for Pong {
    fn target<'a>(&self, _: &IdentityContext, _: &'a [u8]) -> Result<Target<'a>, CallError> {
        Ok(Target { name: "".into(), private: false })
    }
    fn handle(&self, _: Permit, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(b"pong");
        Ok(())
    }
}

/// Takes lines and lets them go: what is measured is the way to the file, not the disk.
struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _: &Name, block: &[u8]) -> std::io::Result<()> {
        black_box(block.len());
        Ok(())
    }
}

struct Product {
    execution: Execution,
    tallies: Vec<Tally>,
    clock: Arc<dyn Clock>,
    chain: Chain,
    input: Vec<u8>,
    output: Vec<u8>,
    _bus: LogBus,
    _dir: tempfile::TempDir,
}

fn identity() -> Outcome<IdentityContext> {
    let (name, publisher) = (Name::new("call-cost")?, Name::new("forgeone")?);
    Ok(IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&publisher, &name),
        name,
        publisher,
        version: "1.0.0".into(),
        digest: Digest::of(PRODUCT.as_bytes()),
        instance: 1,
    }))
}

impl Product {
    fn new() -> Outcome<Self> {
        let clock: Arc<dyn Clock> = SystemClock::start()?;
        let dir = tempfile::tempdir()?;
        let (key, _) = SigningKey::generate(Algorithm::Ed25519)?;
        let options = AuditOptions { node: "call-cost".into(), ..AuditOptions::default() };
        let audit = AuditLog::open(dir.path(), key, options, clock.clone())?;
        let actions = builtin_actions();
        let evaluator = Arc::new(TrustEvaluator::new(&actions, &[])?);
        let entries = actions.into_iter().map(|action| {
            let handler = (action.name == "ping").then(|| Arc::new(Pong) as Arc<dyn SyscallHandler>);
            (action, handler)
        });
        let bridge = Arc::new(SyscallBridge::new(evaluator, audit.clone(), clock.clone(), entries.collect()));
        let identity = Arc::new(identity()?);
        let actor = Actor::new(&identity);
        let tallies = NAMES.map(|name| audit.tally(&actor, &format!("call:{name}"), "operation"));
        let caller = bridge.caller(TrustContext::with_grants(identity, Vec::new()));
        let bus = LogBus::start(Arc::new(Nowhere))?;
        let port =
            Box::new(HostPort::new(bridge, caller, &bus, Arc::new(LogAllowance::new(clock.coarse_ms()))));
        let engine = engine(EngineKind::Wasmtime, &clock)?;
        let module = engine.compile(&wat::parse_str(PRODUCT)?, false)?;
        let plan = ExportPlan { operations: NAMES.map(String::from).to_vec(), ..ExportPlan::default() };
        let chain: Chain = Chain::new();
        let terms = Terms::new(Deadline::after(&*clock, Duration::from_secs(30)), &chain);
        let (limits, over) = (Limits::default(), CancelToken::new());
        let execution = Execution::new(&*engine, &module, &plan, &limits, port, &over, terms)?;
        Ok(Self {
            execution,
            tallies: tallies.into(),
            clock,
            chain,
            input: Vec::new(),
            output: Vec::new(),
            _bus: bus,
            _dir: dir,
        })
    }

    fn call(&mut self, operation: u16) -> Outcome<()> {
        let began = self.clock.coarse_ms();
        let terms = Terms::new(Deadline::at_ms(began + 30_000), &self.chain);
        let done = self.execution.operation(operation, &mut self.input, &mut self.output, terms)?;
        let took = self.clock.coarse_ms().saturating_sub(began);
        if let Some(tally) = self.tallies.get_mut(usize::from(operation)) {
            tally.hit(1, done.status == 0, took)?;
        }
        if done.status == 0 { Ok(()) } else { Err("the guest failed".into()) }
    }
}

#[derive(Default)]
struct Host {
    memory: Option<Memory>,
    sink: u64,
}

struct Bare {
    store: Store<Host>,
    memory: Memory,
    functions: Vec<TypedFunc<u32, u32>>,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// Reads 64 bytes eight at a time, as the harness of the peers does.
fn touch(bytes: &[u8]) -> u64 {
    bytes.as_chunks::<8>().0.iter().fold(0, |sum, chunk| sum ^ u64::from_le_bytes(*chunk))
}

impl Bare {
    fn new() -> Outcome<Self> {
        let engine = wasmtime::Engine::default();
        let module = wasmtime::Module::new(&engine, wat::parse_str(BARE)?)?;
        let mut linker = wasmtime::Linker::new(&engine);
        linker.func_wrap("env", "noop", |x: u32| x.wrapping_add(1))?;
        linker.func_wrap("env", "log", |mut caller: Caller<'_, Host>, ptr: u32, len: u32| {
            let Some(memory) = caller.data().memory else { return };
            let (bytes, host) = memory.data_and_store_mut(&mut caller);
            let line = bytes.get(ptr as usize..).and_then(|b| b.get(..len as usize));
            host.sink ^= touch(line.unwrap_or_default());
        })?;
        let mut store = Store::new(&engine, Host::default());
        let instance = linker.instantiate(&mut store, &module)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        store.data_mut().memory = Some(memory);
        let functions: Result<_, _> =
            NAMES.iter().map(|name| instance.get_typed_func(&mut store, name)).collect();
        Ok(Self { functions: functions?, store, memory, input: Vec::new(), output: Vec::new() })
    }

    fn call(&mut self, operation: u16) -> Outcome<()> {
        let length = self.input.len();
        if length > 0 {
            self.memory.write(&mut self.store, 1024, &self.input)?;
        }
        let function = self.functions.get(usize::from(operation)).ok_or("no function")?;
        let at = function.call(&mut self.store, u32::try_from(length)?)? as usize;
        if length > 0 {
            let bytes = self.memory.data(&self.store).get(at..).and_then(|b| b.get(..length));
            self.output.clear();
            self.output.extend_from_slice(bytes.ok_or("out of bounds")?);
        }
        Ok(())
    }
}

/// Nanoseconds of one call, averaged over a round.
fn round(mut call: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let (start, mut calls) = (Instant::now(), 0u32);
    loop {
        for _ in 0..16 {
            call()?;
        }
        calls += 16;
        let took = start.elapsed();
        if took >= ROUND {
            return Ok(took.as_nanos() as f64 / f64::from(calls));
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Outcome<()> {
    let (mut product, mut bare) = (Product::new()?, Bare::new()?);
    println!("{:<16} {:>12} {:>12} {:>8}", "", "product ns", "bare ns", "ratio");
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (name, operation, size, per_call) in CASES.into_iter().filter(|case| case.0.contains(&wanted)) {
        product.input = vec![b'x'; size];
        bare.input = vec![b'x'; size];
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let ours = round(|| product.call(operation))? / per_call as f64;
            let theirs = round(|| bare.call(operation))? / per_call as f64;
            rounds.push((ours, theirs));
        }
        let ours = median(rounds.iter().map(|r| r.0));
        let theirs = median(rounds.iter().map(|r| r.1));
        let ratio = median(rounds.iter().map(|r| r.0 / r.1));
        println!("{name:<16} {ours:>12.1} {theirs:>12.1} {ratio:>7.2}x");
    }
    Ok(())
}
