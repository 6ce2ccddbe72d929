//! What a service behind the door implements, and what it may answer.

use super::Spans;
use crate::trust::{Chain, Link, Permit};
use common::audit::Outcome;
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use common::error::{Code, codes};
use common::identity::IdentityContext;
use std::borrow::Cow;
use std::sync::Arc;

/// What a caller is told. A plugin never learns more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "each is named by its text")]
pub enum Status {
    #[error("denied")]
    Denied,
    #[error("not found")]
    NotFound,
    #[error("invalid")]
    Invalid,
    #[error("limit")]
    Limit,
    #[error("timeout")]
    Timeout,
    #[error("unavailable")]
    Unavailable,
    #[error("internal")]
    Internal,
    #[error("unknown syscall")]
    Unknown,
    #[error("conflict")]
    Conflict,
}

impl Status {
    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
        }
    }
    /// The code a record of a call that ended so has.
    pub fn code(self) -> &'static Code {
        match self {
            Self::Denied => &codes::E2007,
            Self::NotFound => &codes::E5008,
            Self::Invalid => &codes::E4060,
            Self::Limit => &codes::E4062,
            Self::Timeout => &codes::E4010,
            Self::Unavailable => &codes::E4063,
            Self::Internal => &codes::E4064,
            Self::Unknown => &codes::E4061,
            Self::Conflict => &codes::E4065,
        }
    }
    /// The outcome a record of a call that ended so has.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Denied => Outcome::Denied,
            Self::Limit | Self::Timeout => Outcome::Limit,
            Self::NotFound
            | Self::Invalid
            | Self::Unavailable
            | Self::Internal
            | Self::Unknown
            | Self::Conflict => Outcome::Failed,
        }
    }
}

/// Why a handler did not do it: the status for the caller, and the cause for the record.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {cause}")]
pub struct CallError {
    /// What the caller is told.
    pub status: Status,
    /// What the record says. Never a payload, never a secret.
    pub cause: Cow<'static, str>,
}

impl CallError {
    /// An error with this status and cause.
    pub fn new(status: Status, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { status, cause: cause.into() }
    }
}

impl From<super::ArgsError> for CallError {
    fn from(_: super::ArgsError) -> Self {
        Self::new(Status::Invalid, "malformed argument list")
    }
}

/// The canonical name of what a call would touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Its canonical name.
    pub name: Cow<'a, str>,
    /// Whether it lies in the caller's own private area.
    pub private: bool,
}

/// One admitted call, as its handler sees it.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls.
    pub identity: &'a Arc<IdentityContext>,
    /// The caller as a chain of calls carries it, for a service that calls on.
    pub link: &'a Link,
    /// The plugins that called one another to get here, outermost first, the caller not included.
    pub chain: &'a Chain,
    /// By when it must end.
    pub deadline: Deadline,
    /// What gives the call into the caller up, when anyone can: what takes long looks at it or listens to it.
    pub cancel: Option<&'a CancelToken>,
    /// The clock the deadline is read by.
    pub clock: &'a dyn Clock,
    /// The canonical name that was decided on; act on this, not on the arguments' spelling.
    pub target: &'a str,
    /// The encoded arguments.
    pub args: &'a [u8],
    /// Where the response goes; empty at the start.
    pub response: &'a mut Vec<u8>,
    /// The spans the caller has open.
    pub spans: &'a mut Spans,
    /// The way back to the door; there for handlers that ask for it ([`SyscallHandler::decides_further`]).
    pub further: Option<&'a mut dyn Further>,
}

/// Further decisions within one call: what it turns out to touch beside its target, such as where it is sent on to.
pub trait Further: std::fmt::Debug {
    /// Decides one more action of the same caller by the policies of now, and records it. The caller of this method
    /// has the effect.
    ///
    /// # Errors
    /// [`Status::Denied`], which is recorded; [`Status::Unavailable`] when it cannot be recorded,
    /// [`Status::Unknown`] when there is no such action, [`Status::Limit`] for a name longer than 4096 bytes.
    fn admit(&mut self, action: &str, target: &Target<'_>) -> Result<Permit, Status>;
}

/// A service behind the door.
pub trait SyscallHandler: Send + Sync {
    /// The canonical resource the arguments name. Pure: touches nothing.
    ///
    /// # Errors
    /// [`Status::Invalid`] when the arguments do not name one.
    fn target<'a>(&self, identity: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError>;

    /// What the record of an effect says of its arguments beside the resource: one short line, never a payload and
    /// never a secret. Asked for calls of class A and B. Pure.
    fn summary(&self, _args: &[u8]) -> Option<String> {
        None
    }

    /// Whether it may come to decide more than its target, and so is handed [`Call::further`].
    fn decides_further(&self) -> bool {
        false
    }

    /// Does it. The permit is consumed: one permit, one effect.
    ///
    /// # Errors
    /// When it was not done.
    fn handle(&self, permit: Permit, call: Call<'_>) -> Result<(), CallError>;
}
