//! Every kind of event, and the word for it.

use crate::plugin::PluginState;
use microkernel::trust::TrustClass;
use std::time::Duration;

/// What happened to a plugin. Nothing that a plugin says is in it but in the texts of failures and in what it emits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// It moved from one state to another.
    Moved {
        /// From this one.
        from: PluginState,
        /// To this one.
        to: PluginState,
        /// Why.
        why: String,
    },
    /// It was installed.
    Installed,
    /// It took the place of this version.
    Upgraded {
        /// The version before.
        from: String,
    },
    /// It is an earlier version that took the place of this one.
    RolledBack {
        /// The version before.
        from: String,
    },
    /// It was removed.
    Removed,
    /// It failed its health check.
    Unwell {
        /// How many times in a row.
        failures: u32,
        /// What the check ran into.
        why: String,
    },
    /// It passed its health check after it had failed it.
    Well,
    /// It failed and will be started again.
    RestartDue {
        /// After this wait.
        wait: Duration,
    },
    /// Supervision started it again.
    Restarted,
    /// Supervision does not start it again.
    GivenUp,
    /// It was taken out of service until an operator releases it.
    Quarantined {
        /// Why.
        why: String,
    },
    /// It is trusted more or less than before.
    TrustChanged {
        /// The class before.
        from: TrustClass,
        /// The class now.
        to: TrustClass,
        /// Points now, 0 to 100.
        points: u32,
        /// What led to it.
        why: String,
    },
    /// Its quarantine was lifted.
    Released,
    /// A plugin that it needs is out of service by a failure.
    NeedDown {
        /// That plugin.
        need: String,
    },
    /// What it needs is back.
    NeedsBack,
    /// A version was put on trial beside the installed one; the event names that version.
    TrialBegun {
        /// `shadow`, or the share of the calls.
        trial: String,
    },
    /// The trial of this version ended.
    TrialEnded {
        /// `promoted` or `abandoned`.
        verdict: String,
        /// Why.
        why: String,
    },
    /// A version waits for somebody to consent to what it asks for; the event names that version.
    Offered {
        /// The permissions that are new in it.
        added: Vec<String>,
    },
    /// Somebody consented to what this version asks for, and it took its place.
    Approved,
    /// Somebody dropped this version.
    Rejected,
    /// A file of the plugin directory is this plugin from now on.
    FileTaken {
        /// The file.
        file: String,
    },
    /// The file of this plugin was deleted, and the plugin with it.
    FileGone {
        /// The file.
        file: String,
    },
    /// A file of the plugin directory was refused, or its plugin does not run. The event names the plugin where it is
    /// known.
    FileRefused {
        /// The file.
        file: String,
        /// Where it was moved to, below the directory; `None` when it stays.
        moved_to: Option<String>,
        /// Why.
        why: String,
    },
    /// A file of the plugin directory, or the removal of a plugin, waits for something else to change.
    FileWaits {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// Host calls were denied to it since this was told last.
    Denied {
        /// How many.
        calls: u64,
    },
    /// It emitted an event of its own.
    Emitted {
        /// Its type: words of a-z and 0-9 joined by one of `.`, `_` and `-`.
        kind: String,
        /// Well-formed JSON of at most 64 KiB: the plugin's words.
        json: String,
    },
}

impl EventKind {
    /// A word for it, of lower-case letters and `_`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "moved",
            Self::Installed => "installed",
            Self::Upgraded { .. } => "upgraded",
            Self::RolledBack { .. } => "rolled_back",
            Self::Removed => "removed",
            Self::Unwell { .. } => "unwell",
            Self::Well => "well",
            Self::RestartDue { .. } => "restart_due",
            Self::Restarted => "restarted",
            Self::GivenUp => "given_up",
            Self::Quarantined { .. } => "quarantined",
            Self::TrustChanged { .. } => "trust_changed",
            Self::Released => "released",
            Self::NeedDown { .. } => "need_down",
            Self::NeedsBack => "needs_back",
            Self::TrialBegun { .. } => "trial_begun",
            Self::TrialEnded { .. } => "trial_ended",
            Self::Offered { .. } => "offered",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::FileTaken { .. } => "file_taken",
            Self::FileGone { .. } => "file_gone",
            Self::FileRefused { .. } => "file_refused",
            Self::FileWaits { .. } => "file_waits",
            Self::Denied { .. } => "denied",
            Self::Emitted { .. } => "emitted",
        }
    }
}
