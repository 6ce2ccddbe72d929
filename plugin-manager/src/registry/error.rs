//! What goes wrong in the hall itself. Errors of other rooms pass through as they are.

use crate::extension::{BadRange, BadUrl, ObjectsError, RootsError};
use crate::plugin::PluginState;
use crate::store::StoreError;
use common::error::{Code, Coded, codes};
use std::path::PathBuf;
use std::sync::Arc;

/// A refusal or a failure of the hall.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No home was named.
    #[error("no home was named")]
    NoHome,
    /// A file of the home cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that decides is not one to rely on. The operator can mend it.
    #[error("{path} {problem}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The host said nothing of a package that is installed. Installing it again says it.
    #[error("there is no summary of this host about the package of plugin {0}")]
    Unattested(String),
    /// What the host said of a package does not hold. Somebody else changed the store.
    #[error("the summary of this host about plugin {name} does not hold: {why}")]
    Attestation {
        /// The plugin.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A thread of the host cannot be started.
    #[error("a thread of the host cannot be started")]
    Thread(#[source] std::io::Error),
    /// As many calls wait for a call thread as may. The caller can call again later, or less at once.
    #[error("{waiting} calls wait for a call thread already")]
    CallQueueFull {
        /// How many may wait.
        waiting: usize,
    },
    /// The caller gave the call up before it reached its plugin.
    #[error("the call was given up by its caller")]
    GivenUp,
    /// What vouches for servers cannot be read.
    #[error("the file of network.tls_roots cannot be used")]
    TlsRoots(#[source] RootsError),
    /// A range of addresses cannot be read.
    #[error("a list of private_ranges is not valid")]
    Range(#[source] BadRange),
    /// The URL of an issuer's keys cannot be read.
    #[error("the URL of an issuer's keys is none")]
    KeysUrl(#[source] BadUrl),
    /// The endpoint of a bucket cannot be read.
    #[error("the endpoint of a bucket of `objects` is no URL")]
    Endpoint(#[source] BadUrl),
    /// A bucket of objects cannot be set up.
    #[error("the buckets of `objects` cannot be set up")]
    Objects(#[source] ObjectsError),
    /// No secret of this name is kept.
    #[error("no secret {0} is kept")]
    NoSecret(String),
    /// Records name nobody of this name.
    #[error("records of this home name nobody who is called so")]
    NoPerson,
    /// The pseudonym of an operator cannot be kept, so nothing can be recorded of it.
    #[error("the operator cannot be named in records")]
    Unnamed(#[source] Arc<StoreError>),
    /// No plugin of this name is installed.
    #[error("no plugin {0} is installed")]
    NoPlugin(String),
    /// The name is taken by the same publisher's plugin.
    #[error("plugin {name} {version} is installed already")]
    Installed {
        /// The plugin.
        name: String,
        /// The installed version.
        version: String,
    },
    /// Another package of that version is kept.
    #[error("version {version} of plugin {name} is kept, and this package of it has other bytes")]
    OtherBytes {
        /// The plugin.
        name: String,
        /// The version.
        version: String,
    },
    /// A lower version is offered than is installed, and nobody asked for that.
    #[error("plugin {name} {installed} is installed; {offered} is lower")]
    Downgrade {
        /// The plugin.
        name: String,
        /// The installed version.
        installed: String,
        /// The version offered.
        offered: String,
    },
    /// A version asks for permissions that the installed one does not ask for, and nobody consented. The operator
    /// can.
    #[error("{name} {version} asks for {}, which the installed version does not ask for", added.join(", "))]
    MorePermissions {
        /// The plugin.
        name: String,
        /// The version offered.
        version: String,
        /// The permissions.
        added: Vec<String>,
    },
    /// The version asked for is not kept.
    #[error("no version {wanted} of plugin {name} is kept")]
    NoVersion {
        /// The plugin.
        name: String,
        /// The version asked for, or what it had to be.
        wanted: String,
        /// The versions there are.
        kept: Vec<String>,
    },
    /// The version asked for does not wait for consent, or several do and none was named.
    #[error("{}", not_pending(name, wanted.as_deref(), pending))]
    NoPending {
        /// The plugin.
        name: String,
        /// The version asked for, if one was.
        wanted: Option<String>,
        /// The versions that wait.
        pending: Vec<String>,
    },
    /// The name is taken by another publisher's plugin.
    #[error("plugin {name} of publisher {installed} is installed; this one is of {offered}")]
    OtherPublisher {
        /// The plugin.
        name: String,
        /// Who published the installed one.
        installed: String,
        /// Who published this one.
        offered: String,
    },
    /// The name is one slip away from that of another publisher's plugin.
    #[error(
        "{name} of publisher {offered} is one slip away from {installed} of publisher {publisher}, which is installed"
    )]
    Lookalike {
        /// The plugin.
        name: String,
        /// Who published it.
        offered: String,
        /// The installed plugin.
        installed: String,
        /// Who published that one.
        publisher: String,
    },
    /// The name is taken by code of this program.
    #[error("the name {name} is taken by a native plugin of this program")]
    NativeName {
        /// The plugin.
        name: String,
    },
    /// The manifest of a native plugin says what only a package can. Whoever wrote it can mend it.
    #[error("the manifest of native plugin {name}: {problem}")]
    NativeManifest {
        /// The plugin.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The manifest of a native plugin names another publisher than the program's.
    #[error("native plugin {name} names the publisher {named}; those of this program are of {own}")]
    NativePublisher {
        /// The plugin.
        name: String,
        /// The publisher its manifest names.
        named: String,
        /// The program's.
        own: String,
    },
    /// The name of the program's publisher is no name.
    #[error("the publisher of native plugins cannot be used")]
    Publisher(#[source] common::identity::BadName),
    /// The audit log is gone while plugins are installed. The operator can put it back.
    #[error("the audit log is missing, and {plugins} plugins are installed that it has records of")]
    LogLost {
        /// How many are installed.
        plugins: usize,
    },
    /// The configuration names a webhook, and this program speaks no HTTP.
    #[error("audit.checkpoints.webhook is set, and this program cannot post to one")]
    NoWebhook,
    /// The host is full.
    #[error("{0} plugins are installed, as many as max_plugins allows")]
    Full(u32),
    /// Other plugins depend on it.
    #[error("plugin {name} is needed by {}", by.join(", "))]
    Needed {
        /// The plugin.
        name: String,
        /// Who needs it.
        by: Vec<String>,
    },
    /// The plugin is not desired running.
    #[error("plugin {name} is {state}, not Running")]
    NotRunning {
        /// The plugin.
        name: String,
        /// Its state.
        state: PluginState,
        /// Why, when it failed.
        failure: Option<String>,
    },
    /// The state table does not have the move.
    #[error("plugin {name} cannot move from {from} to {to}")]
    WrongMove {
        /// The plugin.
        name: String,
        /// Its state.
        from: &'static str,
        /// The state asked for.
        to: &'static str,
    },
    /// A version is on trial; another may not come meanwhile. The operator can end the trial.
    #[error("version {version} of plugin {name} is on trial")]
    OnTrial {
        /// The plugin.
        name: String,
        /// The version.
        version: String,
    },
    /// No version is on trial.
    #[error("no version of plugin {name} is on trial")]
    NoTrial {
        /// The plugin.
        name: String,
    },
    /// A share of the calls would change one copy of the state, and the rest another.
    #[error("plugin {name} carries state, which a share of its calls would split")]
    SplitState {
        /// The plugin.
        name: String,
    },
    /// As many versions as may are still finishing calls. They are done when those calls are.
    #[error("{} of plugin {name} are still finishing calls", versions.join(", "))]
    Draining {
        /// The plugin.
        name: String,
        /// The versions.
        versions: Vec<String>,
    },
    /// The plugin waits for an operator to release it.
    #[error("plugin {name} cannot move from {from} to {to}")]
    Quarantined {
        /// The plugin.
        name: String,
        /// Its state.
        from: &'static str,
        /// The state asked for.
        to: &'static str,
        /// Why it is quarantined.
        why: String,
    },
    /// The host is supervised, and can be by one alone.
    #[error("the host is supervised already")]
    Supervised,
    /// The time given for a shutdown was not enough. What is named was given up.
    #[error("the shutdown ended before everything was done")]
    Unfinished {
        /// Plugins and what was left of each.
        left: Vec<String>,
    },
    /// Only what is paused can be resumed.
    #[error("plugin {name} is not paused: it cannot move from {state} to Running")]
    NotPaused {
        /// The plugin.
        name: String,
        /// Its state.
        state: &'static str,
    },
    /// The policy denies the management action.
    #[error("{operator} may not {action} {name}")]
    Denied {
        /// Who asked.
        operator: String,
        /// What for.
        action: &'static str,
        /// Of which plugin.
        name: String,
        /// The code of the denial.
        code: &'static Code,
        /// The rule, or what is missing.
        reason: String,
    },
    /// A trust context came with an identity it is not of. The embedding program can mend it.
    #[error("the trust context is of {trust}, not of {identity} with the same roles and attributes")]
    OtherTrust {
        /// The name of the identity.
        identity: String,
        /// The name the trust context speaks of.
        trust: String,
    },
    /// Somebody else was bringing the plugin up or down for as long as the caller could wait.
    #[error("plugin {0} was being started or stopped until the call's deadline")]
    Busy(String),
    /// The host is being shut down; nothing is brought up any more.
    #[error("the host is being shut down")]
    Closing,
    /// More policy files than are read.
    #[error("there are more than {} policy files", crate::config::MAX_POLICIES)]
    TooManyPolicies,
    /// A setting's section, key or value is not valid.
    #[error("{0}")]
    Setting(&'static str),
}

impl HostError {
    /// Whether it says that a file is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl Coded for HostError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NoHome | Self::Unfit { .. } => &codes::E0104,
            Self::Read { .. } | Self::Thread(_) => &codes::E0002,
            Self::NoPlugin(_) => &codes::E5001,
            Self::NoWebhook => &codes::E0102,
            Self::LogLost { .. } => &codes::E3005,
            Self::Installed { .. } | Self::OtherBytes { .. } | Self::NativeName { .. } => &codes::E5004,
            Self::Downgrade { .. } => &codes::E1406,
            Self::MorePermissions { .. } => &codes::E1407,
            Self::NoVersion { .. } => &codes::E5011,
            Self::OnTrial { .. } | Self::NoTrial { .. } => &codes::E5023,
            Self::SplitState { .. } => &codes::E5022,
            Self::Draining { .. } => &codes::E5024,
            Self::NoPending { .. } => &codes::E5021,
            Self::NativeManifest { .. } | Self::NativePublisher { .. } => &codes::E1104,
            Self::Publisher(_) => &codes::E0101,
            Self::OtherPublisher { .. } => &codes::E1411,
            Self::Unattested(_) => &codes::E1501,
            Self::Attestation { .. } => &codes::E1502,
            Self::Lookalike { .. } => &codes::E1413,
            Self::Full(_) => &codes::E4018,
            Self::Busy(_) => &codes::E4010,
            Self::CallQueueFull { .. } => &codes::E4030,
            Self::GivenUp => &codes::E4031,
            Self::Closing => &codes::E5003,
            Self::Needed { .. } => &codes::E5007,
            Self::NotRunning { .. } => &codes::E5003,
            Self::Supervised => &codes::E5009,
            Self::Unfinished { .. } => &codes::E4033,
            Self::WrongMove { .. } | Self::NotPaused { .. } | Self::Quarantined { .. } => &codes::E5002,
            Self::Denied { code, .. } => code,
            Self::TooManyPolicies
            | Self::TlsRoots(_)
            | Self::Range(_)
            | Self::KeysUrl(_)
            | Self::Endpoint(_)
            | Self::Objects(_) => &codes::E0102,
            Self::NoSecret(_) | Self::NoPerson => &codes::E5008,
            Self::Unnamed(source) => source.code(),
            Self::OtherTrust { .. } | Self::Setting(_) => &codes::E0101,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::LogLost { .. } => Some("restore the home's audit/ from a copy".to_owned()),
            Self::OtherTrust { .. } => {
                Some("make it of that identity with `TrustContext::new(&identity)`".to_owned())
            }
            Self::OnTrial { name, .. } => {
                Some(format!("`forgeone promote {name}` or `forgeone abandon {name}` ends the trial"))
            }
            Self::NoTrial { .. } => Some("begin one with `forgeone upgrade PACKAGE --canary 10%`".to_owned()),
            Self::MorePermissions { name, version, .. } => Some(format!(
                "it waits for consent: `forgeone approve --list` shows it, `forgeone approve {name} --version {version}` \
                 accepts it, as `forgeone upgrade --accept-permissions` does"
            )),
            Self::Unfit { path, problem } if problem.contains("writable") => {
                Some(format!("take that from others: `chmod go-w {}`", path.display()))
            }
            Self::Quarantined { name, .. } => PluginState::Quarantined.way_back(name),
            Self::NotRunning { name, state, .. } => state.way_back(name),
            Self::WrongMove { name, from, to } => so_already(name, from, to),
            Self::Installed { name, .. } => Some(format!(
                "`forgeone upgrade PACKAGE` puts another version in its place; to install this one anew, \
                 `forgeone remove {name} --keep-data` first, which keeps what it stored"
            )),
            Self::NoSecret(_) => Some("`forgeone secrets list` shows the names there are".to_owned()),
            Self::NoPerson => Some("`forgeone audit people` shows whom they name".to_owned()),
            Self::Supervised => Some("stop the supervision there is first".to_owned()),
            _ => None,
        }
    }

    fn reasons(&self) -> Vec<String> {
        match self {
            Self::NotRunning { failure: Some(text), .. } => vec![text.clone()],
            Self::NoVersion { kept, .. } if kept.is_empty() => vec!["no earlier version is kept".to_owned()],
            Self::NoVersion { kept, .. } => vec![format!("kept: {}", kept.join(", "))],
            Self::NoPending { pending, .. } if pending.is_empty() => Vec::new(),
            Self::NoPending { pending, .. } => vec![format!("waiting: {}", pending.join(", "))],
            Self::Denied { reason, .. } => vec![reason.clone()],
            Self::Quarantined { why, .. } => vec![why.clone()],
            Self::Unfinished { left } => left.clone(),
            _ => Vec::new(),
        }
    }
}

/// What to say of a move to where the plugin is.
fn so_already(name: &str, from: &str, to: &str) -> Option<String> {
    let running = PluginState::Running.name();
    if from == running && to == PluginState::Initializing.name() {
        return Some(format!("{name} runs already; `forgeone stop {name}` stops it"));
    }
    let down = from == PluginState::Stopped.name() && to == PluginState::Stopping.name();
    down.then(|| format!("{name} is stopped already; `forgeone start {name}` starts it"))
}

fn not_pending(name: &str, wanted: Option<&str>, pending: &[String]) -> String {
    match wanted {
        Some(version) => format!("version {version} of plugin {name} does not wait for consent"),
        None if pending.is_empty() => format!("no version of plugin {name} waits for consent"),
        None => format!("several versions of plugin {name} wait for consent"),
    }
}
