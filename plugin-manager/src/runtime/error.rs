//! What goes wrong when a module is compiled, instantiated or run.

use super::{EngineKind, Entry};
use common::error::{Code, Coded, codes};

/// Why a module could not be made ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The build lacks the engine. The operator can change build or configuration.
    #[error("this build has no {0} engine")]
    NotCompiledIn(EngineKind),
    /// The engine could not start. A fault of the host.
    #[error("the {0} engine could not start")]
    Start(EngineKind, #[source] EngineFailure),
    /// The engine refuses the module. The author can mend it.
    #[error("the {0} engine cannot compile the module")]
    Compile(EngineKind, #[source] EngineFailure),
    /// The module could not be instantiated: a limit or a trap in its start function or segments.
    #[error("the module cannot be instantiated")]
    Instantiate(#[source] Trap),
    /// The module asks for more than its limits at the start.
    #[error("the module needs {what} at the start, more than its limit")]
    Limit {
        /// What it needs.
        what: String,
        /// The code: E4011 for memory, E4014 for tables.
        code: &'static Code,
    },
    /// An export the plan names is not there. The loader's checks make this a fault of the host.
    #[error("the module has no export {0}")]
    Export(String),
    /// Module, limits and engine do not belong together. A fault of the host.
    #[error("the compiled module cannot be used: {0}")]
    Mismatch(&'static str),
    /// Compiled code is not what this host sealed. It must be set aside and compiled anew.
    #[error("the compiled code does not match its seal")]
    Seal,
    /// Authenticated code does not load. A fault of the host.
    #[error("the {0} engine cannot load its compiled code")]
    Load(EngineKind, #[source] EngineFailure),
}

/// What an engine said, as text: engines' error types stay inside their files.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineFailure(pub String);

impl Coded for RuntimeError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotCompiledIn(_) => &codes::E0105,
            Self::Start(..) | Self::Export(_) | Self::Load(..) | Self::Mismatch(_) => &codes::E4003,
            Self::Compile(..) => &codes::E4004,
            Self::Instantiate(trap) => match trap {
                Trap::Guest(_) | Trap::Abort(_) => &codes::E4005,
                other => other.code(),
            },
            Self::Limit { code, .. } => code,
            Self::Seal => &codes::E1505,
        }
    }
}

impl From<Trap> for RuntimeError {
    fn from(trap: Trap) -> Self {
        Self::Instantiate(trap)
    }
}

/// Why a call ended without a status. Where [`Trap::ends_instance`] the instance must be dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trap {
    /// The deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The stack is exhausted.
    #[error("call stack exhausted")]
    Stack,
    /// The fuel is exhausted.
    #[error("all fuel consumed")]
    Fuel,
    /// The call was given more input than its limit. The guest was not entered.
    #[error("{length} bytes of input are more than the limit of {limit}")]
    Input {
        /// What was given.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The deadline had passed before the guest was entered.
    #[error("the deadline passed before the call began")]
    Late,
    /// The caller gave the call up, and the guest was ended.
    #[error("the caller gave the call up")]
    Cancelled,
    /// The caller had given the call up before the guest was entered.
    #[error("the caller gave the call up before it began")]
    Unwanted,
    /// The instance has no such entry. The guest was not entered.
    #[error("the instance has no {0}")]
    Missing(Entry),
    /// Plugins called one another too deeply. The guest was not entered.
    #[error("calls are nested too deeply")]
    Nested,
    /// An earlier call ended the instance. No guest code is there to be entered.
    #[error("the instance was dropped after an earlier trap")]
    Dropped,
    /// A memory or table could not be had within the limits at instantiation.
    #[error("memory or table limit exceeded: {0}")]
    Resource(String),
    /// The guest called `abort`.
    #[error("aborted: {0}")]
    Abort(String),
    /// A trap of the guest: unreachable, division by zero, out of bounds, …
    #[error("{0}")]
    Guest(String),
    /// The engine itself failed.
    #[error("the engine failed: {0}")]
    Engine(String),
}

impl Trap {
    /// Whether guest code ended in the middle, so that nothing can be said of the instance's state.
    pub const fn ends_instance(&self) -> bool {
        !matches!(self, Self::Input { .. } | Self::Late | Self::Unwanted | Self::Missing(_) | Self::Nested)
    }
}

impl Coded for Trap {
    fn code(&self) -> &'static Code {
        match self {
            Self::Deadline | Self::Late => &codes::E4010,
            Self::Cancelled | Self::Unwanted => &codes::E4031,
            Self::Stack | Self::Nested => &codes::E4012,
            Self::Fuel => &codes::E4013,
            Self::Resource(_) => &codes::E4011,
            Self::Abort(_) | Self::Guest(_) => &codes::E4001,
            Self::Input { .. } => &codes::E4015,
            Self::Missing(_) => &codes::E5005,
            Self::Engine(_) | Self::Dropped => &codes::E4003,
        }
    }
}
