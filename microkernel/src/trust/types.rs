//! The words of a decision: resource, management action, verdict, denial.

use super::Permit;
use common::audit::RecordClass;
use common::error::{Code, codes};

/// What kind of thing a call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are named by `name`")]
pub enum ResourceKind {
    None,
    Path,
    Key,
    Object,
    Host,
    Secret,
    Variable,
    Setting,
    Plugin,
    Token,
    Metric,
    Event,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Path,
        Self::Key,
        Self::Object,
        Self::Host,
        Self::Secret,
        Self::Variable,
        Self::Setting,
        Self::Plugin,
        Self::Token,
        Self::Metric,
        Self::Event,
    ];
    /// The word used in policies and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Path => "path",
            Self::Key => "key",
            Self::Object => "object",
            Self::Host => "host",
            Self::Secret => "secret",
            Self::Variable => "variable",
            Self::Setting => "setting",
            Self::Plugin => "plugin",
            Self::Token => "token",
            Self::Metric => "metric",
            Self::Event => "event",
        }
    }
}

/// The canonical resource of a call: what the host will really touch, never the guest's own spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its canonical name; empty when there is none.
    pub name: &'a str,
    /// Whether it lies in the caller's own private area.
    pub private: bool,
}

impl Resource<'_> {
    /// No resource beyond the action itself.
    pub const NONE: Self = Self { kind: ResourceKind::None, name: "", private: false };
}

/// What operators do with plugins and with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are named by `name`")]
pub enum ManagementAction {
    Install,
    Upgrade,
    Approve,
    Rollback,
    Remove,
    Start,
    Stop,
    Pause,
    Resume,
    Release,
    Stage,
    Review,
    Call,
    Configure,
    Read,
}

impl ManagementAction {
    /// Every management action.
    pub const ALL: [Self; 15] = [
        Self::Install,
        Self::Upgrade,
        Self::Approve,
        Self::Rollback,
        Self::Remove,
        Self::Start,
        Self::Stop,
        Self::Pause,
        Self::Resume,
        Self::Release,
        Self::Stage,
        Self::Review,
        Self::Call,
        Self::Configure,
        Self::Read,
    ];
    /// The verb used in policies and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Approve => "approve",
            Self::Rollback => "rollback",
            Self::Remove => "remove",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Release => "release",
            Self::Stage => "stage",
            Self::Review => "review",
            Self::Call => "call",
            Self::Configure => "configure",
            Self::Read => "read",
        }
    }
    /// How it is recorded (RECORDING.md): calls and reads are counted, every change is durable first.
    pub const fn class(self) -> RecordClass {
        match self {
            Self::Call | Self::Read => RecordClass::C,
            Self::Install
            | Self::Upgrade
            | Self::Approve
            | Self::Rollback
            | Self::Remove
            | Self::Start
            | Self::Stop
            | Self::Pause
            | Self::Resume
            | Self::Release
            | Self::Stage
            | Self::Review
            | Self::Configure => RecordClass::A,
        }
    }
}

/// What was decided.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// Go ahead, with proof.
    Allow(Permit),
    /// No.
    Deny(Denial),
}

impl From<Result<Permit, Box<Denial>>> for Verdict {
    fn from(decided: Result<Permit, Box<Denial>>) -> Self {
        match decided {
            Ok(permit) => Self::Allow(permit),
            Err(denial) => Self::Deny(*denial),
        }
    }
}

/// Why not. For records and operators; a plugin only ever learns "denied".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// E2001 (forbidden), E2002 (nothing permits), E2003 (a policy failed) or E2008 (it could carry a secret out).
    pub code: &'static Code,
    /// The rule or the missing grant, in words.
    pub reason: String,
    /// Which plugin lacks the right: the one that acts, or one it acts for. `None` when that is the one that acts.
    pub lacking: Option<String>,
    /// The smallest permission or policy that would allow it, when that is known.
    pub missing: Option<String>,
    /// Which policies decided.
    pub policies: u32,
    /// The epoch it was decided in.
    pub epoch: u64,
    /// Whether it came from a cache.
    pub cached: bool,
}

impl Denial {
    pub(super) fn new(code: &'static Code, epoch: u64, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), lacking: None, missing: None, policies: 0, epoch, cached: false }
    }
    /// Nothing permits it.
    pub fn no_permit(epoch: u64) -> Self {
        Self::new(&codes::E2002, epoch, "no policy permits it")
    }
}
