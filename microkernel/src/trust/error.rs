//! Why an evaluator cannot be made or cannot take new policies. Deciding itself never fails: it denies.

use common::error::{Code, Coded, codes};

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A policy does not parse or does not fit the schema. Whoever wrote it can mend it.
    #[error("policy {name} is not valid")]
    Policy {
        /// The source's name.
        name: String,
        /// What is wrong, one line each, with the line of the source where it is known.
        problems: Vec<String>,
    },
    /// An action's name is not a word, or is taken by another action, a management verb or a group. Whoever
    /// registered the action can mend it.
    #[error("the action name \"{name}\" cannot be used: {problem}")]
    Action {
        /// The name.
        name: String,
        /// Why not.
        problem: &'static str,
    },
    /// The action table makes no valid schema: a fault of this program.
    #[error("the action table makes no policy schema")]
    Schema(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Coded for TrustError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Policy { .. } => &codes::E2004,
            Self::Action { .. } | Self::Schema(_) => &codes::E0001,
        }
    }
    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Policy { problems, .. } => problems.clone(),
            Self::Action { .. } | Self::Schema(_) => Vec::new(),
        }
    }
}
