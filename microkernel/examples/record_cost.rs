//! Prints what recording adds to an allowed host call, in nanoseconds: the same call decided without a record,
//! counted (class C), recorded (class B), and recorded without its name.
//!
//! `cargo run --release -p microkernel --example record_cost [DIR]`. Bursts that the journal holds, in turns, with a flush after
//! each that is not counted: what is measured is the call, not the disk. Medians of the turns; the machine should be idle.

#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use common::audit::{AuditLog, AuditOptions, RecordClass};
use common::clock::{Clock, SystemClock};
use common::crypto::{Algorithm, MacKey, SigningKey};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use common::permission::{Capability, Permission};
use microkernel::syscall_bridge::{
    Action, ActionId, Call, CallError, Caller, Redaction, Status, SyscallArgs, SyscallBridge, SyscallHandler,
    Target, builtin_actions, take,
};
use microkernel::trust::{Permit, ResourceKind, TrustContext, TrustEvaluator, Verdict};
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Calls of one burst.
const BURST: u32 = 1_000;
const TURNS: usize = 301;

/// A bridge, and who calls through it.
struct Way {
    name: &'static str,
    bridge: SyscallBridge,
    caller: Caller,
    action: ActionId,
    /// Whether the call goes around the bridge once it is decided.
    unrecorded: bool,
    nanos: Vec<f64>,
}

fn main() -> Outcome<()> {
    let dir = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/record_cost"), PathBuf::from);
    let (key, _) = SigningKey::generate(Algorithm::Ed25519)?;
    let clock: Arc<dyn Clock> = SystemClock::start()?;
    let audit = AuditLog::open(
        &dir.join(std::process::id().to_string()),
        key,
        AuditOptions::new("cost"),
        clock.clone(),
    )?;
    let way = |name, class, redacted: bool, unrecorded| -> Outcome<Way> {
        let mut actions = builtin_actions();
        actions.iter_mut().filter(|a| a.name == "kv_set").for_each(|a| a.class = class);
        let evaluator = Arc::new(TrustEvaluator::new(&actions, &[])?);
        let serve = |action: Action| (action, Some(Arc::new(Nothing) as Arc<dyn SyscallHandler>));
        let entries = actions.into_iter().map(serve).collect();
        let mut bridge = SyscallBridge::new(evaluator, audit.clone(), clock.clone(), entries);
        if redacted {
            bridge = bridge.redacting(Redaction::new(vec![ResourceKind::Key], MacKey::new(&[7; 32])));
        }
        let action = bridge.action("kv_set").ok_or("no such action")?;
        Ok(Way { name, caller: bridge.caller(context()?), bridge, action, unrecorded, nanos: Vec::new() })
    };
    let mut ways = [
        way("decided, unrecorded", RecordClass::C, false, true)?,
        way("counted (class C)", RecordClass::C, false, false)?,
        way("recorded (class B)", RecordClass::B, false, false)?,
        way("recorded, its name redacted", RecordClass::B, true, false)?,
    ];
    for _ in 0..TURNS {
        for way in &mut ways {
            way.burst()?;
            audit.flush()?;
        }
    }
    let mut bare = None;
    for way in &mut ways {
        way.nanos.sort_by(f64::total_cmp);
        let median = way.nanos.get(TURNS / 2).copied().unwrap_or_default();
        let over = median - *bare.get_or_insert(median);
        println!("{:32} {median:>8.1} ns  {over:>+8.1} ns", way.name);
    }
    Ok(())
}

impl Way {
    fn burst(&mut self) -> Outcome<()> {
        let args = SyscallArgs::new().arg("counters/2026-11-21/emails").arg("42");
        let mut response = Vec::with_capacity(64);
        let began = Instant::now();
        for _ in 0..BURST {
            if self.unrecorded {
                self.around(args.as_bytes())?;
            } else {
                let done = self.bridge.execute(&mut self.caller, self.action, args.as_bytes(), &mut response);
                done.map_err(|status| format!("{status:?}"))?;
            }
        }
        self.nanos.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(BURST));
        Ok(())
    }

    /// The decision alone: the effect is nothing on every side.
    fn around(&mut self, args: &[u8]) -> Outcome<()> {
        match self.bridge.evaluate(&mut self.caller, self.action, args) {
            Ok(Verdict::Allow(permit)) => {
                black_box(permit);
                Ok(())
            }
            _ => Err("denied".into()),
        }
    }
}

fn context() -> Outcome<TrustContext> {
    let (name, publisher) = (Name::new("redactor")?, Name::new("acme")?);
    let identity = IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&publisher, &name),
        digest: Digest::of(b"redactor"),
        name,
        publisher,
        version: "1.0.0".to_owned(),
        instance: 0,
    });
    let grants = Capability::all().map(|capability| Permission { capability, scope: None }).collect();
    Ok(TrustContext::with_grants(Arc::new(identity), grants))
}

/// A service that does nothing, so that what is left is the door.
struct Nothing;

impl SyscallHandler for Nothing {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let Some(name) = take(&mut &*args)? else { return Ok(Target { name: "".into(), private: false }) };
        let name = std::str::from_utf8(name).map_err(|_| CallError::new(Status::Invalid, "not UTF-8"))?;
        Ok(Target { name: name.into(), private: true })
    }
    fn handle(&self, permit: Permit, call: Call<'_>) -> Result<(), CallError> {
        black_box((permit, call.target));
        Ok(())
    }
}
