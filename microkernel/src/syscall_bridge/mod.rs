//! The one door: evaluate, record, dispatch, record a failure. A handler cannot be called without a permit.

mod args;
mod caller;
mod handler;
mod table;

pub use args::{ArgsError, SyscallArgs, list, push, take};
pub use caller::Caller;
pub use handler::{Call, CallError, Status, SyscallHandler, Target};
pub use table::{Action, ActionId, builtin_actions};

use crate::trust::{Permit, Resource, TrustEvaluator};
use common::audit::AuditLog;
use common::clock::Clock;
use std::sync::Arc;

/// Decides, records and dispatches host calls.
pub struct SyscallBridge {
    evaluator: Arc<TrustEvaluator>,
    audit: AuditLog,
    clock: Arc<dyn Clock>,
    entries: Vec<(Action, Option<Arc<dyn SyscallHandler>>)>,
}

impl std::fmt::Debug for SyscallBridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyscallBridge").field("actions", &self.entries.len()).finish_non_exhaustive()
    }
}

impl SyscallBridge {
    /// A bridge over these actions and their handlers. An action without a handler can be admitted
    /// ([`SyscallBridge::admit`]) but not executed: a call of it is [`Status::Unknown`].
    pub fn new(
        evaluator: Arc<TrustEvaluator>,
        audit: AuditLog,
        clock: Arc<dyn Clock>,
        entries: Vec<(Action, Option<Arc<dyn SyscallHandler>>)>,
    ) -> Self {
        Self { evaluator, audit, clock, entries }
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
    pub fn action(&self, _name: &str) -> Option<ActionId> {
        None
    }
    /// Decides and records an action whose effect the caller of this method performs itself (log lines).
    ///
    /// # Errors
    /// [`Status::Denied`], or [`Status::Unavailable`] when it cannot be recorded.
    pub fn admit(
        &self,
        _caller: &mut Caller,
        _action: ActionId,
        _resource: &Resource<'_>,
    ) -> Result<Permit, Status> {
        Err(Status::Denied)
    }
    /// One host call: target, verdict, record, effect. `response` is cleared first.
    ///
    /// # Errors
    /// The status the guest is given.
    pub fn execute(
        &self,
        _caller: &mut Caller,
        _action: ActionId,
        _args: &[u8],
        response: &mut Vec<u8>,
    ) -> Result<(), Status> {
        response.clear();
        Err(Status::Unknown)
    }
    /// Records a host call that could not be understood (a wild pointer, a malformed argument list, an
    /// unknown name), as class B.
    pub fn invalid(&self, _caller: &mut Caller, _action: &str, _status: Status, _what: &str) {}
}
