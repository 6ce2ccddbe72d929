//! What goes wrong when a module is compiled, instantiated or run.

use super::EngineKind;
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
            Self::Start(..) | Self::Export(_) | Self::Load(..) => &codes::E4003,
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

/// Why a call ended without a status. The instance must be dropped.
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

impl Coded for Trap {
    fn code(&self) -> &'static Code {
        match self {
            Self::Deadline => &codes::E4010,
            Self::Stack => &codes::E4012,
            Self::Fuel => &codes::E4013,
            Self::Resource(_) => &codes::E4011,
            Self::Abort(_) | Self::Guest(_) => &codes::E4001,
            Self::Engine(_) => &codes::E4003,
        }
    }
}
