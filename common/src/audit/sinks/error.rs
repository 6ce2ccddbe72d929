//! Why a checkpoint did not arrive.

use crate::audit::AuditError;
use crate::error::{Code, Coded, codes};

/// Why a checkpoint did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The receiver could not be reached or written to.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The receiver answered that it does not take it.
    #[error("the receiver refused it: {0}")]
    Refused(String),
    /// The log could not give what the receiver asks for.
    #[error("the log cannot give what the receiver asks for")]
    Log(#[from] AuditError),
}

impl SinkError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
    /// The message with its causes, on one line.
    pub(super) fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

impl Coded for SinkError {
    fn code(&self) -> &'static Code {
        &codes::E3014
    }
}
