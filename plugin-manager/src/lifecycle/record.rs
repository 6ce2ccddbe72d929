//! How a plugin's life is written to the audit log.

use super::error::{LifecycleError, When};
use crate::plugin::PluginState;
use crate::runtime::Trap;
use common::audit::{Actor, AuditError, AuditLog, Outcome, Record};
use common::error::{Coded, ErrorClass};

/// Writes the records of one plugin.
#[derive(Debug)]
pub(super) struct Recorder {
    audit: AuditLog,
    /// The plugin as a whole.
    actor: Actor,
    name: String,
}

/// Whether a step may be refused when it cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Durable first, or not at all.
    Ordinary,
    /// Happens always; recorded as soon as the log can.
    Protecting,
}

impl Recorder {
    /// The recorder of this plugin.
    pub fn new(audit: AuditLog, actor: Actor, name: String) -> Self {
        Self { audit, actor, name }
    }

    /// A move from one state to another: class A.
    pub fn transition(
        &self,
        from: PluginState,
        to: PluginState,
        why: &str,
        weight: Weight,
    ) -> Result<(), AuditError> {
        let details = [("from", from.name()), ("to", to.name()), ("why", why)];
        let outcome = if to == PluginState::Failed { Outcome::Failed } else { Outcome::Ok };
        let record = Record { details: &details, ..self.record("lifecycle", outcome, None, verb(to)) };
        match weight {
            Weight::Ordinary => self.audit.commit(&record).map(drop),
            Weight::Protecting => {
                self.audit.protect(&record);
                Ok(())
            }
        }
    }

    /// A call that failed, a trap or a limit: class B. The failure stands whether or not this is recorded; an
    /// unrecorded one is logged by the host.
    pub fn failure(&self, error: &LifecycleError, when: &When) {
        let code = error.code();
        let outcome = if code.class == ErrorClass::Limit { Outcome::Limit } else { Outcome::Failed };
        let (when, why) = (when.to_string(), cause(error));
        let details = [("function", when.as_str()), ("why", why.as_str())];
        let record = Record { details: &details, ..self.record("call", outcome, Some(code.id), "call") };
        if let Err(refused) = self.audit.append(&record) {
            tracing::error!(plugin = %self.name, error = %refused, "a failed call could not be recorded");
        }
    }

    fn record<'a>(
        &'a self,
        event: &'a str,
        outcome: Outcome,
        code: Option<&'a str>,
        action: &'a str,
    ) -> Record<'a> {
        let resource = ("plugin", self.name.as_str());
        Record { event, outcome, code, actor: &self.actor, action, resource, decision: None, details: &[] }
    }
}

/// What a plugin said is data, not a fact of the host: the record keeps the host's words alone.
fn cause(error: &LifecycleError) -> String {
    match error {
        LifecycleError::Status { status, .. } => format!("status {status}"),
        LifecycleError::Trapped { trap: Trap::Abort(_), .. } => "abort".to_owned(),
        LifecycleError::Trapped { trap, .. } => trap.to_string(),
        other => other.to_string(),
    }
}

/// The verb of the step that ends in this state.
const fn verb(to: PluginState) -> &'static str {
    match to {
        PluginState::Created => "install",
        PluginState::Initializing => "init",
        PluginState::Ready => "ready",
        PluginState::Running => "start",
        PluginState::Paused => "pause",
        PluginState::Stopping => "stop",
        PluginState::Stopped => "stopped",
        PluginState::Failed => "fail",
        PluginState::Quarantined => "quarantine",
        PluginState::Unloaded => "unload",
    }
}
