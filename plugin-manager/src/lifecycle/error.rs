//! What goes wrong in a plugin's life.

use super::warrant::Withdrawn;
use crate::plugin::{PluginState, WrongMove};
use crate::runtime::{RuntimeError, Trap};
use common::audit::AuditError;
use common::config::nearest;
use common::error::{Code, Coded, ErrorClass, codes};
use std::fmt;

/// Which function of the plugin was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A lifecycle function or `_initialize`, `state_save`, `state_load`.
    Function(&'static str),
    /// An operation.
    Operation(String),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => f.write_str(name),
            Self::Operation(name) => write!(f, "operation {name}"),
        }
    }
}

/// Why a step of a plugin's life, or a call, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// The state table does not have the move. The caller can look at the state.
    #[error("plugin {plugin} cannot do that now")]
    Move {
        /// The plugin.
        plugin: String,
        /// The move.
        #[source]
        wrong: WrongMove,
    },
    /// A call of a plugin that is not running.
    #[error("plugin {plugin} is {state}, not Running")]
    NotRunning {
        /// The plugin.
        plugin: String,
        /// Its state.
        state: PluginState,
        /// Why, when it failed.
        failure: Option<String>,
    },
    /// Another version took the plugin's place before the call began. Whoever routes calls can send it there.
    #[error("plugin {plugin} {version} was replaced by another version")]
    Superseded {
        /// The plugin.
        plugin: String,
        /// The version that was replaced.
        version: String,
    },
    /// The plugin was taken down between `init` and `start`.
    #[error("plugin {plugin} was taken down before it was started")]
    NotStarted {
        /// The plugin.
        plugin: String,
    },
    /// The manifest declares no such operation.
    #[error("plugin {plugin} has no operation {operation}")]
    NoOperation {
        /// The plugin.
        plugin: String,
        /// What was asked for.
        operation: String,
        /// What it has.
        known: Vec<String>,
    },
    /// The plugin returned a nonzero status. Its author can say why.
    #[error("plugin {plugin}: {when} returned status {status}{}", said(failure))]
    Status {
        /// The plugin.
        plugin: String,
        /// Which function.
        when: When,
        /// The status.
        status: i32,
        /// What it gave to `fail`.
        failure: Option<String>,
    },
    /// The plugin trapped or ran into a limit; its instance was dropped.
    #[error("plugin {plugin}: {when} did not finish")]
    Trapped {
        /// The plugin.
        plugin: String,
        /// Which function.
        when: When,
        /// Why.
        #[source]
        trap: Trap,
    },
    /// No instance became free before the call's deadline.
    #[error("plugin {plugin} was busy until the call's deadline")]
    Busy {
        /// The plugin.
        plugin: String,
    },
    /// As many callers wait for an instance as may. The caller can call again later, or less at once.
    #[error("{waiting} calls of plugin {plugin} wait already")]
    QueueFull {
        /// The plugin.
        plugin: String,
        /// How many may wait.
        waiting: usize,
    },
    /// The caller gave the call up before an instance was free for it.
    #[error("the call of plugin {plugin} was given up by its caller")]
    Cancelled {
        /// The plugin.
        plugin: String,
    },
    /// The host did not wait any longer: it is being shut down, or another version took the plugin's place.
    #[error("plugin {plugin} was ended before {when} was done")]
    Ended {
        /// The plugin.
        plugin: String,
        /// What was running.
        when: When,
    },
    /// The input is larger than a call may carry.
    #[error("the input has more than the {limit} bytes that a call may carry")]
    Input {
        /// Its size, as far as it was read.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// Instances were dropped too often in a minute; the plugin is `Failed`.
    #[error("plugin {plugin} lost {restarts} instances within a minute; the last: {last}")]
    RestartBudget {
        /// The plugin.
        plugin: String,
        /// How many.
        restarts: usize,
        /// What the last one was lost to.
        last: String,
    },
    /// It failed its health check too often in a row; its instances are given up.
    #[error("plugin {plugin} failed its health check {failures} times in a row; the last: {last}")]
    Unwell {
        /// The plugin.
        plugin: String,
        /// How many times.
        failures: u32,
        /// What the last one ran into.
        last: String,
    },
    /// No instance could be made.
    #[error("plugin {plugin} cannot be instantiated")]
    Instantiate {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: RuntimeError,
    },
    /// It may not be run, or not any more: the trust configuration refuses it.
    #[error("plugin {plugin} is not trusted to run")]
    Withdrawn {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        withdrawn: Withdrawn,
    },
    /// The step could not be recorded and was not taken.
    #[error("plugin {plugin}: the step cannot be recorded")]
    Unrecorded {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: AuditError,
    },
    /// The plugin's saved state could not be kept or read.
    #[error("plugin {plugin}: its saved state cannot be kept or read")]
    Vault {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LifecycleError {
    /// Whether the plugin itself is at fault, so that it is to stay `Failed`: not when the host, its log or its
    /// disk failed, and not when the caller left no time or came too deep.
    pub fn blames_plugin(&self) -> bool {
        let unentered = matches!(self.trap(), Some(Trap::Late | Trap::Nested | Trap::Unwanted))
            || matches!(self, Self::QueueFull { .. } | Self::Ended { .. });
        !unentered && matches!(self.code().class, ErrorClass::Plugin | ErrorClass::Limit)
    }

    /// The trap behind it, when there is one.
    pub(super) const fn trap(&self) -> Option<&Trap> {
        match self {
            Self::Trapped { trap, .. }
            | Self::Instantiate { source: RuntimeError::Instantiate(trap), .. } => Some(trap),
            _ => None,
        }
    }

    /// Whether it is the plugin's refusal to load its saved state.
    pub(super) fn is_of_state_load(&self) -> bool {
        let (Self::Status { when, .. } | Self::Trapped { when, .. }) = self else { return false };
        *when == When::Function(STATE_LOAD) && self.blames_plugin()
    }

    /// What it says, with its causes.
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// The export that loads a saved state.
pub(super) const STATE_LOAD: &str = "state_load";

fn said(failure: &Option<String>) -> String {
    failure.as_deref().map_or(String::new(), |text| format!(": {text}"))
}

/// How many operations are listed.
const LISTED: usize = 16;

/// The operation that may have been meant, and those there are.
fn advice(operation: &str, known: &[String]) -> String {
    let near = nearest(operation, known.iter().map(String::as_str));
    let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let listed: Vec<&str> = known.iter().take(LISTED).map(String::as_str).collect();
    match known.len().saturating_sub(LISTED) {
        0 if listed.is_empty() => "it has no operations".to_owned(),
        0 => format!("{near}its operations are {}", listed.join(", ")),
        more => format!("{near}its operations are {} and {more} more", listed.join(", ")),
    }
}

impl Coded for LifecycleError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Move { .. } => &codes::E5002,
            Self::NotRunning { .. } | Self::NotStarted { .. } | Self::Superseded { .. } => &codes::E5003,
            Self::NoOperation { .. } => &codes::E5005,
            Self::Status { .. } => &codes::E4002,
            Self::Trapped { trap, .. } => trap.code(),
            Self::Busy { .. } => &codes::E4010,
            Self::QueueFull { .. } => &codes::E4030,
            Self::Cancelled { .. } => &codes::E4031,
            Self::Ended { .. } => &codes::E4034,
            Self::Input { .. } => &codes::E4015,
            Self::RestartBudget { .. } => &codes::E4017,
            Self::Unwell { .. } => &codes::E4032,
            Self::Instantiate { source, .. } => source.code(),
            Self::Unrecorded { source, .. } => source.code(),
            Self::Withdrawn { withdrawn, .. } => withdrawn.code,
            Self::Vault { .. } => &codes::E0002,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            // What a plugin returns that hands on the status of a denied host call.
            Self::Status { status: -1, .. } => Some(
                "-1 is the status of a denied host call: `forgeone audit tail` names the missing permission"
                    .to_owned(),
            ),
            Self::Status { status: -9..=-2, .. } => Some(
                "statuses -9 to -2 are those of host calls that failed: `forgeone audit tail` names the call and why; \
                 the plugin's own words are in `forgeone logs`"
                    .to_owned(),
            ),
            Self::NoOperation { operation, known, .. } => Some(advice(operation, known)),
            Self::NotRunning { plugin, state, .. } => state.way_back(plugin),
            _ => None,
        }
    }

    fn reasons(&self) -> Vec<String> {
        match self {
            Self::NotRunning { failure: Some(text), .. } => vec![text.clone()],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_is_not_there_is_answered_with_those_that_are() {
        let names = |count: usize| (0..count).map(|i| format!("op_{i:02}")).collect::<Vec<_>>();
        assert_eq!(advice("any", &[]), "it has no operations");
        assert_eq!(advice("redcat", &["redact".into()]), "did you mean `redact`? its operations are redact");
        assert!(advice("sing", &names(LISTED)).ends_with("op_14, op_15"));
        assert!(advice("sing", &names(LISTED + 1)).ends_with("op_15 and 1 more"));
    }
}
