//! How a plugin's life is written to the audit log.

use super::error::LifecycleError;
use crate::metrics::PluginMetrics;
use crate::plugin::PluginState;
use crate::runtime::Trap;
use common::audit::{Actor, AuditError, AuditLog, Outcome, Record};
use common::error::{Coded, ErrorClass};
use std::sync::Arc;

/// Writes the records of one plugin.
#[derive(Debug)]
pub(super) struct Recorder {
    pub audit: AuditLog,
    /// The plugin as a whole.
    pub actor: Actor,
    pub name: String,
    pub metrics: Arc<PluginMetrics>,
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
    /// A move from one state to another: class A, a span with an event in the host's own log, and a count.
    pub fn transition(
        &self,
        from: PluginState,
        to: PluginState,
        why: &str,
        weight: Weight,
    ) -> Result<(), AuditError> {
        let span = tracing::info_span!("plugin.transition", plugin = %self.name, %from, %to);
        let _entered = span.enter();
        let details = [("from", from.name()), ("to", to.name()), ("why", why)];
        let outcome = if to == PluginState::Failed { Outcome::Failed } else { Outcome::Ok };
        let record = Record { details: &details, ..self.record("lifecycle", outcome, None, verb(to)) };
        match weight {
            Weight::Ordinary => self.audit.commit(&record).map(drop)?,
            Weight::Protecting => self.audit.protect(&record),
        }
        self.metrics.transition();
        tracing::info!(target: "forgeone::event", plugin = %self.name, %from, %to, why, "plugin.transition");
        Ok(())
    }

    /// The saved state is about to be forgotten: class A.
    pub fn discarded_state(&self) -> Result<(), AuditError> {
        let details = [("why", "the plugin refused to load it when it was started again")];
        let record =
            Record { details: &details, ..self.record("lifecycle", Outcome::Ok, None, "discard_state") };
        self.audit.commit(&record).map(drop)
    }

    /// A call or function that failed, a trap: class B; a limit hit or a call that was turned away: class B,
    /// summarised beyond the log's rate.
    /// The failure stands whether or not this is recorded; the host's own log tells of one that is not.
    pub fn failure(&self, error: &LifecycleError) {
        let code = error.code();
        let (function, why) = (function(error), cause(error));
        let details = [("function", function.as_str()), ("why", why.as_str())];
        let record =
            Record { details: &details, ..self.record("call", outcome(error), Some(code.id), "call") };
        let turned_away =
            matches!(error, LifecycleError::NotRunning { .. } | LifecycleError::NoOperation { .. });
        if turned_away || record.outcome == Outcome::Limit {
            drop(self.audit.append_limited(&record));
        } else if let Err(refused) = self.audit.append(&record) {
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

fn outcome(error: &LifecycleError) -> Outcome {
    if error.code().class == ErrorClass::Limit { Outcome::Limit } else { Outcome::Failed }
}

/// The function that failed; `call` when none was entered.
fn function(error: &LifecycleError) -> String {
    match error {
        LifecycleError::Status { when, .. } | LifecycleError::Trapped { when, .. } => when.to_string(),
        LifecycleError::Instantiate { .. } => "instantiate".to_owned(),
        _ => "call".to_owned(),
    }
}

/// What a plugin said is data, not a fact of the host: the record keeps the host's words alone.
pub(super) fn cause(error: &LifecycleError) -> String {
    match error {
        LifecycleError::Status { status, .. } => format!("status {status}"),
        LifecycleError::RestartBudget { restarts, .. } => {
            format!("lost {restarts} instances within a minute")
        }
        LifecycleError::Unwell { failures, .. } => format!("failed its health check {failures} times"),
        LifecycleError::Trapped { trap: Trap::Abort(_), .. } => "abort".to_owned(),
        LifecycleError::Trapped { trap: Trap::Guest(_), .. } => "trap".to_owned(),
        LifecycleError::Trapped { trap, .. } => trap.to_string(),
        LifecycleError::NoOperation { .. } => "no such operation".to_owned(),
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
