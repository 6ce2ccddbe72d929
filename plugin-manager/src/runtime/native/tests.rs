//! Native plugins on the engine trait: what the conformance suite asks of engines, as far as it can be asked here,
//! and what is left of a panic.

use super::{ForgePlugin, NativeCode, NativeError, NativeHost};
use crate::runtime::{
    CallOutcome, CompiledModule, EngineKind, Entry, Execution, Lifecycle, RuntimeError, Terms, Trap,
};
use crate::sandbox::Limits;
use crate::syscall::Chain;
use crate::syscall::testing::{FakePort, SeenHandle};
use crate::syscall::{LogLevel, Status, SyscallArgs};
use common::cancel::CancelToken;
use common::clock::{Deadline, ManualClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

type Function = dyn Fn(&mut NativeHost<'_>) -> Result<(), NativeError> + Send + Sync;

/// Does what a function says.
#[derive(Clone)]
struct Does(Arc<Function>);

impl ForgePlugin for Does {
    const MANIFEST: &'static str = "";
    const KEEPS_STATE: bool = true;
    fn call(&mut self, _: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        (self.0)(host)
    }
    fn start(&mut self, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        (self.0)(host)
    }
    fn state_save(&mut self, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        (self.0)(host)
    }
    fn state_load(&mut self, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        (self.0)(host)
    }
}

/// An instance, and what its port saw.
struct Rig {
    clock: Arc<ManualClock>,
    execution: Execution,
    seen: SeenHandle,
}

const PAYLOAD: usize = 64;

fn made(code: &NativeCode) -> Result<Rig, RuntimeError> {
    let clock = ManualClock::at(0);
    let port = FakePort::new(clock.clone()).with_variable("mood", b"good");
    let (seen, chain) = (port.seen(), Chain::new());
    let limits = Limits { payload_bytes: PAYLOAD, ..Limits::default() };
    let (module, plan) = (code.module(), code.plan(vec!["op".into(), "other".into()]));
    let terms = Terms::new(Deadline::NEVER, &chain);
    let execution = Execution::new(
        &*super::engine(),
        &module,
        &plan,
        &limits,
        Box::new(port),
        &CancelToken::new(),
        terms,
    )?;
    Ok(Rig { clock, execution, seen })
}

fn rig(does: impl Fn(&mut NativeHost<'_>) -> Result<(), NativeError> + Send + Sync + 'static) -> Rig {
    made(&NativeCode::of(Does(Arc::new(does)))).unwrap()
}

impl Rig {
    fn within<T>(&mut self, call: impl FnOnce(&mut Execution, Terms<'_>) -> T) -> T {
        let deadline = Deadline::after(&*self.clock, Duration::from_millis(50));
        let chain = Chain::new();
        call(&mut self.execution, Terms::new(deadline, &chain))
    }
    /// Calls the first operation: its outcome and what it wrote. The input comes back as it was.
    fn call(&mut self, input: &[u8]) -> Result<(CallOutcome, Vec<u8>), Trap> {
        let (mut given, mut output) = (input.to_vec(), b"left over".to_vec());
        let done = self.within(|e, terms| e.operation(0, &mut given, &mut output, terms));
        assert_eq!(given, input);
        done.map(|outcome| (outcome, output))
    }
}

#[test]
fn input_output_log_environment_and_host_calls_are_a_guests() {
    let mut rig = rig(|host| {
        let input = host.input();
        assert_eq!(host.syscall("ping", &SyscallArgs::new().arg("x"))?, b"pong");
        let refused = host.syscall("nothing", &SyscallArgs::new()).unwrap_err();
        assert_eq!((refused.call(), refused.status()), ("nothing", Status::Unknown));
        assert_eq!(host.env("mood")?, b"good");
        assert_eq!(host.env("weather").unwrap_err().status(), Status::NotFound);
        host.log(LogLevel::Debug, "a line");
        host.output(input)?;
        Ok(host.output("!")?)
    });
    assert_eq!(rig.call(b"hi").unwrap(), (CallOutcome::default(), b"hi!".to_vec()));
    let seen = rig.seen.get();
    assert_eq!(seen.calls[0], (b"ping".to_vec(), b"\x01\0\0\0x".to_vec()));
    assert_eq!(seen.logs, [(LogLevel::Debug, b"a line".to_vec())]);
    assert_eq!((seen.begun, seen.ended), (2, 2), "making it, and the call");
}

#[test]
fn output_has_its_limit_and_its_phases() {
    let mut rig = rig(|host| {
        host.output(vec![b'x'; PAYLOAD])?;
        assert_eq!(host.output("y").unwrap_err().status(), Status::Limit);
        Ok(())
    });
    assert_eq!(rig.call(b"").unwrap().1.len(), PAYLOAD);
    assert_eq!(rig.seen.get().limited.len(), 1);
    let started = rig.within(|e, terms| e.lifecycle(Lifecycle::Start, terms)).unwrap();
    assert_eq!(started.status, forgeone_abi::status::INVALID, "no output in `start`, and `?` passes it on");
    let loaded = rig.within(|e, terms| e.state_load(&mut b"s".to_vec(), "1.0.0", terms)).unwrap();
    assert_eq!(loaded.status, forgeone_abi::status::INVALID);
    let mut state = Vec::new();
    rig.within(|e, terms| e.state_save(&mut state, terms)).unwrap();
    assert_eq!(state.len(), PAYLOAD);
    assert_eq!(rig.seen.get().invalid.len(), 2);
    assert_eq!(
        rig.call(&[0; PAYLOAD + 1]).unwrap_err(),
        Trap::Input { length: PAYLOAD + 1, limit: PAYLOAD },
        "too much input does not reach it"
    );
}

#[test]
fn an_error_is_a_status_and_its_text_and_output_before_it_is_discarded() {
    let mut rig = rig(|host| {
        host.output("half")?;
        Err(NativeError::new(0, "why\nnot"))
    });
    let (outcome, output) = rig.call(b"").unwrap();
    assert_eq!((outcome.status, outcome.failure.as_deref()), (NativeError::GENERAL, Some("why\\nnot")));
    assert_eq!(output, b"");
    assert!(rig.execution.is_alive());
}

#[test]
fn a_host_call_that_fails_is_named_in_the_plugins_failure() {
    let mut rig = rig(|host| host.syscall("nothing", &SyscallArgs::new()).map(|_| ()).map_err(Into::into));
    let failed = rig.call(b"").unwrap().0;
    assert_eq!(failed.failure.as_deref(), Some("nothing: this host has no such call"));
    assert_eq!(failed.status, forgeone_abi::status::UNKNOWN_SYSCALL);
    let mut rig = self::rig(|host| host.env("weather").map(|_| ()).map_err(Into::into));
    assert_eq!(rig.call(b"").unwrap().0.failure.as_deref(), Some("env: not found"));
}

#[test]
fn a_panic_ends_the_instance_wherever_it_comes_from() {
    let mut rig = self::rig(|_| panic!("number\n{}", 7));
    assert_eq!(rig.call(b"in").unwrap_err(), Trap::Guest("panicked: number\\n7".into()));
    assert_eq!(rig.call(b"in").unwrap_err(), Trap::Dropped);

    let mut rig = self::rig(|_| {
        let _falls = Bomb(true);
        Ok(())
    });
    assert_eq!(rig.call(b"").unwrap_err(), Trap::Guest("panicked: dropped".into()));

    let mut rig = self::rig(|_| std::panic::panic_any(Bomb(true)));
    assert_eq!(rig.call(b"").unwrap_err(), Trap::Guest("panicked".into()), "what was thrown panics too");
}

/// Panics when an instance of it is dropped, but not when the pattern is.
struct Bomb(bool);

impl Clone for Bomb {
    fn clone(&self) -> Self {
        Self(true)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "dropped");
    }
}

impl ForgePlugin for Bomb {
    const MANIFEST: &'static str = "";
    fn call(&mut self, _: &str, _: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
}

#[test]
fn an_instance_that_panics_when_it_is_dropped_takes_nobody_with_it() {
    let rig = made(&NativeCode::of(Bomb(false))).unwrap();
    drop(rig);
}

#[test]
fn a_pattern_that_cannot_be_made_is_tried_again() {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    let code = NativeCode::lazy(|| {
        assert!(TRIES.fetch_add(1, Ordering::SeqCst) > 0, "not the first time");
        Does(Arc::new(|_| Ok(())))
    });
    let first = made(&code).err().unwrap();
    assert!(matches!(&first, RuntimeError::Instantiate(Trap::Guest(text)) if text.contains("not the first")));
    assert!(made(&code).is_ok() && made(&code).is_ok());
    assert_eq!(TRIES.load(Ordering::SeqCst), 2);
}

#[test]
fn what_comes_back_after_its_deadline_ends_as_a_guest_would() {
    let clock: Arc<std::sync::OnceLock<Arc<ManualClock>>> = Arc::default();
    let own = clock.clone();
    let mut rig = rig(move |host| {
        assert!(!host.expired());
        own.get().unwrap().advance(Duration::from_millis(51));
        assert!(host.expired());
        Ok(())
    });
    clock.set(rig.clock.clone()).ok().unwrap();
    assert_eq!(rig.call(b"").unwrap_err(), Trap::Deadline);
    assert!(!rig.execution.is_alive());
}

#[test]
fn there_is_nothing_to_compile_and_no_other_module_to_run() {
    let engine = super::engine();
    assert_eq!(engine.kind(), EngineKind::Native);
    assert!(matches!(engine.compile(b"\0asm\x01\0\0\0", false), Err(RuntimeError::Mismatch(_))));
    let code = NativeCode::of(Does(Arc::new(|_| Ok(()))));
    assert!(engine.serialize(&code.module()).is_err());
    let foreign = CompiledModule { kind: EngineKind::Native, inner: Arc::new(()) };
    let port = Box::new(FakePort::new(ManualClock::at(0)));
    let chain = Chain::new();
    let terms = Terms::new(Deadline::NEVER, &chain);
    let limits = Limits::default();
    let made =
        Execution::new(&*engine, &foreign, &code.plan(Vec::new()), &limits, port, &CancelToken::new(), terms);
    assert!(matches!(made, Err(RuntimeError::Mismatch(_))));
    let rig = self::made(&code).unwrap();
    assert!(rig.execution.has(Entry::Operation(1)) && !rig.execution.has(Entry::Operation(2)));
    assert!(!rig.execution.has(Entry::Initialize) && rig.execution.has(Entry::StateSave));
}
