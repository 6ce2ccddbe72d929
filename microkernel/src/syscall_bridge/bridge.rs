//! One host call: target, verdict, record, effect, and a second record when the effect failed. In this order.

use super::record::Recorder;
use super::redact::{Redacting, Redaction};
use super::{Action, ActionId, Call, CallError, Caller, Status, SyscallHandler, Target, further};
use crate::trust::{Denial, Permit, Resource, ResourceKind, Row, TrustContext, TrustEvaluator, Verdict};
use common::audit::{AuditError, AuditLog, Decision, Outcome, Record, RecordClass};
use common::clock::{Clock, Deadline};
use common::identity::IdentityContext;
use std::collections::HashMap;
use std::sync::Arc;

mod labels;
mod origins;

use origins::{chain, trace_id};

/// Longest canonical name of a resource, in bytes: what is decided on is also recorded.
pub(super) const LONGEST_NAME: usize = 4096;

/// Decides, records and dispatches host calls.
pub struct SyscallBridge {
    evaluator: Arc<TrustEvaluator>,
    audit: AuditLog,
    recorder: Arc<dyn Recorder>,
    clock: Arc<dyn Clock>,
    entries: Vec<Entry>,
    names: HashMap<&'static str, ActionId>,
}

/// One action of the bridge.
struct Entry {
    id: ActionId,
    action: Action,
    handler: Option<Arc<dyn SyscallHandler>>,
    row: Option<Row>,
}

impl std::fmt::Debug for SyscallBridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyscallBridge").field("actions", &self.entries.len()).finish_non_exhaustive()
    }
}

impl SyscallBridge {
    /// A bridge over these actions and their handlers. An action without a handler can be admitted
    /// ([`SyscallBridge::admit`]) but not executed: a call of it is [`Status::Unknown`]. An action the evaluator
    /// was not made for is always denied. Of two actions of one name the first counts.
    pub fn new(
        evaluator: Arc<TrustEvaluator>,
        audit: AuditLog,
        clock: Arc<dyn Clock>,
        entries: Vec<(Action, Option<Arc<dyn SyscallHandler>>)>,
    ) -> Self {
        let recorder = Arc::new(audit.clone());
        Self::recording_to(evaluator, audit, recorder, clock, entries)
    }

    pub(crate) fn recording_to(
        evaluator: Arc<TrustEvaluator>,
        audit: AuditLog,
        recorder: Arc<dyn Recorder>,
        clock: Arc<dyn Clock>,
        entries: Vec<(Action, Option<Arc<dyn SyscallHandler>>)>,
    ) -> Self {
        // More actions than a u16 can number are left out, and what is left out is unknown.
        let entries: Vec<Entry> = (0..=u16::MAX)
            .zip(entries)
            .map(|(id, (action, handler))| {
                let row = evaluator.row(&action);
                Entry { id: ActionId(id), action, handler, row }
            })
            .collect();
        let mut names = HashMap::new();
        for entry in &entries {
            names.entry(entry.action.name).or_insert(entry.id);
        }
        Self { evaluator, audit, recorder, clock, entries, names }
    }

    /// This bridge, recording without the names of the chosen kinds of resources: whoever calls through it, whatever
    /// is decided.
    #[must_use]
    pub fn redacting(mut self, redaction: Redaction) -> Self {
        self.recorder = Arc::new(Redacting { log: self.recorder, redaction });
        self
    }

    /// The evaluator behind it.
    pub fn evaluator(&self) -> &Arc<TrustEvaluator> {
        &self.evaluator
    }
    /// The log behind it.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }
    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    /// The action of this name.
    pub fn action(&self, name: &str) -> Option<ActionId> {
        self.names.get(name).copied()
    }

    /// The action of this name, and the kind of resource it touches.
    pub(super) fn known(&self, name: &str) -> Option<(ActionId, ResourceKind)> {
        let id = self.action(name)?;
        self.entries.get(id.index()).map(|entry| (id, entry.action.resource))
    }

    /// Its actions, in order.
    pub fn actions(&self) -> Vec<Action> {
        self.entries.iter().map(|entry| entry.action.clone()).collect()
    }

    /// Whether an action has an effect outside the instance, so that each is recorded (classes A and B).
    #[inline]
    pub fn has_effect(&self, action: ActionId) -> bool {
        self.entries.get(action.index()).is_some_and(|entry| entry.action.class != RecordClass::C)
    }

    /// A caller with this trust context, recording where this bridge records.
    pub fn caller(&self, trust: TrustContext) -> Caller {
        Caller::recording_to(trust, self.recorder.clone())
    }

    /// Decides and records an action whose effect the caller of this method performs itself (log lines).
    ///
    /// # Errors
    /// [`Status::Denied`], or [`Status::Unavailable`] when it cannot be recorded.
    pub fn admit(
        &self,
        caller: &mut Caller,
        action: ActionId,
        resource: &Resource<'_>,
    ) -> Result<Permit, Status> {
        let Some(entry) = self.entries.get(action.index()) else {
            return Err(self.unknown(caller, "syscall"));
        };
        let permit = self.decide(caller, entry, resource)?;
        self.intend(caller, entry, resource, &permit, &[])?;
        if entry.action.class == RecordClass::C {
            self.count(caller, entry, permit.epoch(), true, 0)?;
        }
        caller.tally().count_allowed(action.index());
        Ok(permit)
    }

    /// One host call: target, verdict, record, effect. `response` is cleared first, and holds nothing when the
    /// call failed.
    ///
    /// # Errors
    /// The status the guest is given.
    pub fn execute(
        &self,
        caller: &mut Caller,
        action: ActionId,
        args: &[u8],
        response: &mut Vec<u8>,
    ) -> Result<(), Status> {
        response.clear();
        let entry = self.entries.get(action.index());
        let Some((entry, handler)) = entry.and_then(|e| Some((e, e.handler.as_deref()?))) else {
            return Err(self.unknown(caller, entry.map_or("syscall", |e| e.action.name)));
        };
        let done = self.pass(caller, entry, handler, args, response);
        if done.is_err() {
            response.clear();
        }
        done
    }

    /// Decides a host call as [`SyscallBridge::execute`] would. Records nothing and has no effect.
    ///
    /// # Errors
    /// [`Status::Unknown`] when there is no such call, [`Status::Invalid`] when its arguments name nothing,
    /// [`Status::Limit`] when the name is longer than 4096 bytes.
    pub fn evaluate(&self, caller: &mut Caller, action: ActionId, args: &[u8]) -> Result<Verdict, CallError> {
        let entry = self.entries.get(action.index());
        let Some((entry, handler)) = entry.and_then(|e| Some((e, e.handler.as_deref()?))) else {
            return Err(CallError::new(Status::Unknown, "there is no such host call"));
        };
        let target = target(handler, &caller.identity, args)?;
        let resource = entry.resource(&target.name, target.private);
        Ok(self.evaluator.decide(&mut caller.trust, entry.row, &resource).into())
    }

    /// Records a host call that could not be understood (a wild pointer, a malformed argument list, an
    /// unknown name), as class B. An `action` this bridge does not have is recorded as `syscall`, and its name
    /// as a detail, cut to 64 characters.
    pub fn invalid(&self, caller: &mut Caller, action: &str, status: Status, what: &str) {
        let known = self.action(action).and_then(|id| self.entries.get(id.index()));
        let name: String = action.chars().take(64).collect();
        let (action, kind) = known.map_or(("syscall", "none"), |e| (e.action.name, e.action.resource.name()));
        let details = [("status", status.name()), ("cause", what), ("name", name.as_str())];
        let details = if known.is_some() { details.get(..2) } else { details.get(..) };
        caller.stats.count_failed();
        if status.outcome() == Outcome::Limit {
            caller.tally().count_limited();
        }
        // What could not be understood has no effect, so there is nothing to refuse when it is not recorded.
        self.report(&Record {
            event: "host_call",
            outcome: status.outcome(),
            code: Some(status.code().id),
            actor: &caller.actor,
            action,
            resource: (kind, ""),
            decision: None,
            details: details.unwrap_or_default(),
        });
    }

    fn unknown(&self, caller: &mut Caller, name: &str) -> Status {
        self.invalid(caller, name, Status::Unknown, "no handler serves it");
        Status::Unknown
    }

    fn pass(
        &self,
        caller: &mut Caller,
        entry: &Entry,
        handler: &dyn SyscallHandler,
        args: &[u8],
        response: &mut Vec<u8>,
    ) -> Result<(), Status> {
        let target = match target(handler, &caller.identity, args) {
            Ok(target) => target,
            Err(error) => {
                self.invalid(caller, entry.action.name, error.status, &error.cause);
                return Err(error.status);
            }
        };
        let resource = entry.resource(&target.name, target.private);
        let permit = self.decide(caller, entry, &resource)?;
        self.intend(caller, entry, &resource, &permit, args)?;
        caller.tally().count_allowed(entry.id.index());
        let (epoch, policies, cached) = (permit.epoch(), permit.policies(), permit.cached());
        let began = self.clock.coarse_ms();
        let done = if caller.deadline != Deadline::NEVER && began >= caller.deadline.as_ms() {
            Err(CallError::new(Status::Timeout, "the deadline had passed before it began"))
        } else if handler.decides_further() {
            further::dispatch(self, caller, (handler, permit), (resource.name, args), response)
        } else {
            handler.handle(
                permit,
                Call {
                    identity: &caller.identity,
                    link: caller.trust.link(),
                    chain: &caller.chain,
                    deadline: caller.deadline,
                    cancel: caller.cancel.as_ref(),
                    clock: &*self.clock,
                    target: resource.name,
                    args,
                    response,
                    spans: &mut caller.spans,
                    further: None,
                },
            )
        };
        let answered = done.as_ref().err().is_none_or(|e| e.status == Status::NotFound);
        if let Err(error) = &done
            && !answered
        {
            let decided = self.decided(epoch, policies, cached);
            self.failed(caller, entry, &resource, &decided, error);
        }
        if entry.action.class == RecordClass::C {
            let took = self.clock.coarse_ms().saturating_sub(began);
            self.count(caller, entry, epoch, answered, took)?;
        }
        done.map_err(|error| error.status)
    }

    #[inline]
    fn decide(&self, caller: &mut Caller, entry: &Entry, resource: &Resource<'_>) -> Result<Permit, Status> {
        if caller.trust.is_newly_tainted() {
            self.told_secret(caller)?;
        }
        match self.evaluator.decide(&mut caller.trust, entry.row, resource) {
            Ok(permit) if permit.gives_secret() => self.give_secret(caller, entry, resource, permit),
            Ok(permit) => Ok(permit),
            Err(denial) => Err(self.denied(caller, entry, resource, &denial)),
        }
    }

    /// Records a denial, whatever the class of the action. One that cannot be recorded is no answer.
    #[cold]
    fn denied(&self, caller: &Caller, entry: &Entry, resource: &Resource<'_>, denial: &Denial) -> Status {
        caller.tally().count_denied();
        if let Some(lacking) = &denial.lacking {
            caller.trust.charge(lacking);
        }
        let decided = self.decided(denial.epoch, denial.policies, denial.cached);
        let (chain, trace) = (chain(&caller.chain), trace_id(caller));
        let told = [
            ("reason", Some(&denial.reason)),
            ("missing", denial.missing.as_ref()),
            ("lacking", denial.lacking.as_ref()),
            ("chain", chain.as_ref()),
            ("trace_id", trace.as_ref()),
        ];
        let details: Vec<(&str, &str)> =
            told.into_iter().filter_map(|(key, value)| Some((key, value?.as_str()))).collect();
        let record = Record {
            event: "denial",
            outcome: Outcome::Denied,
            code: Some(denial.code.id),
            details: &details,
            ..entry.record(caller, resource, &decided)
        };
        self.report(&record).map_or(Status::Unavailable, |()| Status::Denied)
    }

    /// Records an effect before it happens, as its class demands. Class C is counted when it is over.
    #[inline]
    fn intend(
        &self,
        caller: &Caller,
        entry: &Entry,
        resource: &Resource<'_>,
        permit: &Permit,
        args: &[u8],
    ) -> Result<(), Status> {
        match entry.action.class {
            RecordClass::C => Ok(()),
            RecordClass::A | RecordClass::B => self.record_intent(caller, entry, resource, permit, args),
        }
    }

    #[inline(never)]
    fn record_intent(
        &self,
        caller: &Caller,
        entry: &Entry,
        resource: &Resource<'_>,
        permit: &Permit,
        args: &[u8],
    ) -> Result<(), Status> {
        let decided = self.decided(permit.epoch(), permit.policies(), permit.cached());
        let chain = chain(&caller.chain);
        let summary = entry.handler.as_deref().and_then(|handler| handler.summary(args));
        let trace = trace_id(caller);
        let told =
            [("chain", chain.as_deref()), ("trace_id", trace.as_deref()), ("summary", summary.as_deref())];
        let (mut details, mut count) = ([("", ""); 3], 0);
        for (key, value) in told {
            if let (Some(value), Some(slot)) = (value, details.get_mut(count)) {
                *slot = (key, value);
                count += 1;
            }
        }
        let details = details.get(..count).unwrap_or_default();
        let record = Record { details, ..entry.record(caller, resource, &decided) };
        let recorded = match entry.action.class {
            RecordClass::A => self.recorder.commit(&record),
            RecordClass::B | RecordClass::C => self.recorder.append(&record),
        };
        recorded.map_err(|error| {
            caller.stats.count_failed();
            tracing::error!(action = entry.action.name, %error, "a host call was refused: it cannot be recorded");
            Status::Unavailable
        })
    }

    /// Records that a permitted call failed. What a plugin can cause at will without an effect is rated; a failed
    /// effect is told each time, as its intent was.
    #[cold]
    fn failed(
        &self,
        caller: &Caller,
        entry: &Entry,
        resource: &Resource<'_>,
        decided: &Decided,
        error: &CallError,
    ) {
        caller.stats.count_failed();
        if error.status.outcome() == Outcome::Limit {
            caller.tally().count_limited();
        }
        let (chain, trace) = (chain(&caller.chain), trace_id(caller));
        let details: Vec<(&str, &str)> = [
            Some(("status", error.status.name())),
            Some(("cause", &error.cause)),
            chain.as_deref().map(|c| ("chain", c)),
            trace.as_deref().map(|t| ("trace_id", t)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let record = Record {
            outcome: error.status.outcome(),
            code: Some(error.status.code().id),
            details: &details,
            ..entry.record(caller, resource, decided)
        };
        // The policies permitted this call: what its handler or a further decision denied was not theirs to answer.
        let decision = record.decision.filter(|_| error.status != Status::Denied);
        let record = Record { decision, ..record };
        match (entry.action.class, record.outcome) {
            (RecordClass::C, _) | (_, Outcome::Denied | Outcome::Limit) => self.report(&record),
            (RecordClass::A | RecordClass::B, Outcome::Ok | Outcome::Failed) => {
                self.told(&record, self.recorder.append(&record))
            }
        };
    }

    /// Records what a plugin can cause at will without any effect. `None` when that was refused.
    fn report(&self, record: &Record<'_>) -> Option<()> {
        self.told(record, self.recorder.append_limited(record))
    }

    /// Tells the operator of a record of what went wrong that was itself refused.
    fn told(&self, record: &Record<'_>, recorded: Result<(), AuditError>) -> Option<()> {
        if let Err(error) = &recorded {
            tracing::error!(action = record.action, %error, "a denied or failed host call cannot be recorded");
        }
        recorded.ok()
    }

    /// Counts an action of class C. One that cannot be counted is not answered.
    #[inline]
    fn count(
        &self,
        caller: &mut Caller,
        entry: &Entry,
        epoch: u64,
        ok: bool,
        took: u64,
    ) -> Result<(), Status> {
        let action = (entry.id.index(), entry.action.name, entry.action.resource.name());
        caller.count(action, epoch, ok, took).map_err(|error| {
            caller.stats.count_failed();
            tracing::error!(action = entry.action.name, %error, "a host call was refused: it cannot be counted");
            Status::Unavailable
        })
    }

    fn decided(&self, epoch: u64, policies: u32, cached: bool) -> Decided {
        Decided { policies: self.evaluator.policy_ids(policies), epoch, cached }
    }
}

/// What the arguments name, within bounds.
#[inline]
fn target<'a>(
    handler: &dyn SyscallHandler,
    identity: &IdentityContext,
    args: &'a [u8],
) -> Result<Target<'a>, CallError> {
    let target = handler.target(identity, args)?;
    if target.name.len() > LONGEST_NAME {
        return Err(CallError::new(Status::Limit, "the name of the resource is longer than 4096 bytes"));
    }
    Ok(target)
}

/// A decision as records name it.
struct Decided {
    policies: Arc<str>,
    epoch: u64,
    cached: bool,
}

impl Entry {
    /// The resource that is decided on, recorded and acted on: one and the same.
    fn resource<'a>(&self, name: &'a str, private: bool) -> Resource<'a> {
        match self.action.resource {
            ResourceKind::None => Resource::NONE,
            kind => Resource { kind, name, private },
        }
    }

    fn record<'a>(&self, caller: &'a Caller, resource: &Resource<'a>, decided: &'a Decided) -> Record<'a> {
        Record {
            event: "host_call",
            outcome: Outcome::Ok,
            code: None,
            actor: &caller.actor,
            action: self.action.name,
            resource: (resource.kind.name(), resource.name),
            decision: Some(Decision {
                policies: &decided.policies,
                epoch: decided.epoch,
                cached: decided.cached,
            }),
            details: &[],
        }
    }
}
