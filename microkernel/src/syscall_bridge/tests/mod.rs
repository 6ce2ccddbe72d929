//! What the door promises: over every action, with a log that remembers and handlers that count.

mod denials;
mod kernel;
#[cfg(feature = "cedar")]
mod labels;
mod records;
mod redact;

use super::record::{Counter, Recorder};
use super::*;
use crate::trust::tests::{everything, permissions, plugin};
use crate::trust::{Enforcement, PolicyOptions, TrustContext, TrustEvaluator};
use common::audit::{Actor, AuditError, AuditLog, AuditOptions, Outcome, Record};
use common::clock::ManualClock;
use common::crypto::{Algorithm, SigningKey};
use common::identity::IdentityContext;
use parking_lot::Mutex;
use std::sync::Arc;

/// What happened, in order: records and effects alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Recorded { how: How, event: String, outcome: Outcome, code: Option<String>, line: String },
    Counted { action: String, epoch: u64, ok: bool, latency_ms: u64 },
    Effect(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Appended,
    Limited,
    Committed,
}

/// A log that remembers, and refuses when told to.
#[derive(Clone, Default)]
pub(super) struct Double {
    events: Arc<Mutex<Vec<Event>>>,
    refuses: Arc<Mutex<Option<How>>>,
    refuses_counts: Arc<Mutex<bool>>,
}

impl Double {
    fn take(&self, how: How, record: &Record<'_>) -> Result<(), AuditError> {
        if *self.refuses.lock() == Some(how) {
            return Err(AuditError::Refused("the test says so".into()));
        }
        let decided = record.decision.map(|d| format!("{}@{} cached={}", d.policies, d.epoch, d.cached));
        let details: Vec<String> = record.details.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let line = format!(
            "{} {}:{} [{}] {}",
            record.action,
            record.resource.0,
            record.resource.1,
            decided.unwrap_or_default(),
            details.join(" ")
        );
        self.events.lock().push(Event::Recorded {
            how,
            event: record.event.into(),
            outcome: record.outcome,
            code: record.code.map(Into::into),
            line,
        });
        Ok(())
    }
    pub(super) fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock())
    }
    pub(super) fn refuse(&self, how: How) {
        *self.refuses.lock() = Some(how);
    }
    pub(super) fn refuse_counts(&self) {
        *self.refuses_counts.lock() = true;
    }
}

impl Recorder for Double {
    fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.take(How::Appended, record)
    }
    fn append_limited(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.take(How::Limited, record)
    }
    fn commit(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.take(How::Committed, record)
    }
    fn counter(&self, _actor: &Actor, action: &str, _kind: &str) -> Box<dyn Counter> {
        Box::new(DoubleCounter { log: self.clone(), action: action.into() })
    }
}

struct DoubleCounter {
    log: Double,
    action: String,
}

impl Counter for DoubleCounter {
    fn hit(&mut self, epoch: u64, ok: bool, latency_ms: u64) -> Result<(), AuditError> {
        if *self.log.refuses_counts.lock() {
            return Err(AuditError::Refused("the test says so".into()));
        }
        self.log.events.lock().push(Event::Counted { action: self.action.clone(), epoch, ok, latency_ms });
        Ok(())
    }
}

/// A handler whose effect is an event. Its argument is the name of what it touches; `../` is not one.
pub(super) struct Service {
    log: Double,
    name: &'static str,
    private: bool,
    answer: Option<Status>,
    takes: Option<(Arc<ManualClock>, u64)>,
}

impl SyscallHandler for Service {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [Some(name)] = list::<1>(args, 1)? else { return Err(ArgsError.into()) };
        let name = std::str::from_utf8(name).map_err(|_| CallError::new(Status::Invalid, "not UTF-8"))?;
        if name.contains("..") {
            return Err(CallError::new(Status::Invalid, "the path has a .. segment"));
        }
        Ok(Target { name: name.trim_end_matches('/').into(), private: self.private })
    }
    fn handle(&self, _permit: crate::trust::Permit, call: Call<'_>) -> Result<(), CallError> {
        self.log.events.lock().push(Event::Effect(format!("{} {}", self.name, call.target)));
        if let Some((clock, ms)) = &self.takes {
            clock.advance(std::time::Duration::from_millis(*ms));
        }
        call.response.extend_from_slice(b"half an answer");
        self.answer.map_or(Ok(()), |status| Err(CallError::new(status, "the test says so")))
    }
}

/// A bridge over every built-in action, its log and its clock.
pub(super) struct Door {
    pub(super) bridge: Arc<SyscallBridge>,
    pub(super) log: Double,
    pub(super) clock: Arc<ManualClock>,
    _dir: tempfile::TempDir,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Setup {
    pub(super) class: Option<common::audit::RecordClass>,
    pub(super) private: bool,
    pub(super) answer: Option<Status>,
    pub(super) takes_ms: u64,
}

impl Door {
    /// Whatever was granted is permitted; the resources are private or not, the handlers answer so.
    pub(super) fn new(setup: Setup) -> Self {
        let (log, clock, dir) = (Double::default(), ManualClock::at(1), tempfile::tempdir().unwrap());
        let options = AuditOptions::new("test");
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let audit = AuditLog::open(dir.path(), key, options, clock.clone()).unwrap();
        let mut actions = builtin_actions();
        if let Some(class) = setup.class {
            actions.iter_mut().for_each(|a| a.class = class);
        }
        let lax = PolicyOptions { enforcement: Enforcement::GrantedIsPermitted, ..PolicyOptions::default() };
        let evaluator = Arc::new(TrustEvaluator::with_options(&actions, &[], &lax).unwrap());
        let entries = actions.into_iter().map(|action| {
            let service = Service {
                log: log.clone(),
                name: action.name,
                private: setup.private,
                answer: setup.answer,
                takes: (setup.takes_ms > 0).then(|| (clock.clone(), setup.takes_ms)),
            };
            let handler: Option<Arc<dyn SyscallHandler>> =
                (action.name != "log").then(|| Arc::new(service) as Arc<dyn SyscallHandler>);
            (action, handler)
        });
        let entries = entries.collect();
        let bridge =
            SyscallBridge::recording_to(evaluator, audit, Arc::new(log.clone()), clock.clone(), entries);
        Self { bridge: Arc::new(bridge), log, clock, _dir: dir }
    }
    /// A plugin that was granted everything, bare.
    pub(super) fn granted(&self) -> Caller {
        self.bridge.caller(TrustContext::with_grants(Arc::new(plugin("redactor", "acme")), everything()))
    }
    /// A plugin that was granted everything, within its own area and without.
    #[cfg(feature = "cedar")]
    pub(super) fn granted_everywhere(&self) -> Caller {
        let all = common::permission::Capability::all();
        let scoped = all.filter_map(|c| {
            let scope = if c.family() == "filesystem" { ":/**" } else { ":**" };
            common::permission::Permission::parse(c.family(), &format!("{}{scope}", c.verb())).ok()
        });
        let grants = everything().into_iter().chain(scoped).collect();
        self.bridge.caller(TrustContext::with_grants(Arc::new(plugin("redactor", "acme")), grants))
    }
    /// A plugin that was granted nothing.
    pub(super) fn bare(&self) -> Caller {
        self.bridge.caller(TrustContext::new(&plugin("redactor", "acme")))
    }
    pub(super) fn call(&self, caller: &mut Caller, name: &str, arg: &str) -> (Result<(), Status>, Vec<u8>) {
        let mut response = b"of the last call".to_vec();
        let action = self.bridge.action(name).unwrap();
        let done = self.bridge.execute(caller, action, SyscallArgs::new().arg(arg).as_bytes(), &mut response);
        (done, response)
    }
}

/// Every action a handler serves.
pub(super) fn served() -> impl Iterator<Item = Action> {
    builtin_actions().into_iter().filter(|a| a.name != "log")
}

/// Whether some handler acted.
pub(super) fn acted(events: &[Event]) -> bool {
    events.iter().any(|e| matches!(e, Event::Effect(_)))
}

#[test]
fn what_crosses_threads_may() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    sent::<Caller>();
    shared::<SyscallBridge>();
    shared::<TrustEvaluator>();
    shared::<crate::Kernel>();
}
