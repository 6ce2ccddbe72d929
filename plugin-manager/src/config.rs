//! The schema of `plugin-manager.yaml`: every key the contract names, strict, with the contract's defaults.
//!
//! Defaults are production's. A weakened security default is an error in production and is listed by
//! [`Config::weakened`] elsewhere, so that it can be recorded and shown.

mod auth;
mod directory;
mod keys;
mod limits;
mod network;
mod objects;
mod read;
mod reviews;
mod supervision;
#[cfg(test)]
mod tests;
mod trust_score;

pub use auth::{Auth, TokenIssuer, TokenSignature};
pub use directory::Directory;
pub use keys::Keys;
pub use limits::Limits;
pub use network::Network;
pub use objects::{FolderBucket, ObjectStorage, S3Bucket};
pub use read::SettingsError;
pub(crate) use read::syslog_target;
pub use reviews::Reviews;
pub use supervision::{
    Dependents, HealthCheck, OnBudgetSpent, Restart, StatusCheck, Supervision, SupervisionSection,
};
pub use trust_score::{OnQuarantined, TrustScore};

use common::config::{ByteSize, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Policy files read at most.
pub const MAX_POLICIES: usize = 10_000;
/// Most keys in one section of a plugin's settings; the store keeps as many.
pub(crate) const MAX_SETTINGS: usize = 256;
/// Most bytes of the key of a setting.
pub(crate) const MAX_SETTING_KEY: usize = 256;
/// Most bytes of the value of a setting.
pub(crate) const MAX_SETTING_VALUE: usize = 64 << 10;

/// Where the host stands between a developer's desk and production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Signatures required, no weakened defaults.
    Production,
    /// Signatures required, of publishers trusted for staging.
    Staging,
    /// Signatures may be switched off.
    Development,
}

impl Environment {
    /// The word used in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

/// An engine this product knows; which are compiled in is asked of `runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// wasmtime with Cranelift.
    Wasmtime,
    /// wasmer with Cranelift.
    Wasmer,
    /// Rust code of the host program; packages and configurations cannot choose it.
    #[serde(skip)]
    Native,
}

impl EngineKind {
    /// The word used in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Wasmer => "wasmer",
            Self::Native => "native",
        }
    }
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How far plugins may reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkAccess {
    /// Not at all.
    None,
    /// What policy grants, public addresses only.
    Restricted,
    /// What policy grants.
    Open,
}

/// How verbose the host's own log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum LogFilter {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where records wait for the committer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// A mapped file: survives a kill of the host.
    Mapped,
    /// Memory: what is younger than 5 ms is lost with the host.
    Memory,
}

/// Which counted actions get a record of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// As many a second as `detail_rate` says, and summaries beyond.
    Rate,
    /// Each; callers wait when the journal is full.
    Every,
}

/// `sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Linear memory of one instance, at most.
    pub memory_limit: ByteSize,
    /// Cores for all plugins together.
    pub cpu_limit: u32,
    /// Open handles of one plugin.
    pub file_descriptor_limit: u32,
    /// Reach of the network.
    pub network_access: NetworkAccess,
    /// Bytes one plugin may keep in storage, and as many again in files.
    pub storage_limit: ByteSize,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            memory_limit: ByteSize(512_000_000),
            cpu_limit: 2,
            file_descriptor_limit: 1024,
            network_access: NetworkAccess::Restricted,
            storage_limit: ByteSize(256_000_000),
        }
    }
}

/// `telemetry`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Whether metrics are kept.
    pub metrics_enabled: bool,
    /// Whether spans are made.
    pub tracing_enabled: bool,
    /// The host's own log.
    pub log_level: LogFilter,
    /// Path of the metrics in the HTTP API.
    pub prometheus_endpoint: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            metrics_enabled: true,
            tracing_enabled: true,
            log_level: LogFilter::Info,
            prometheus_endpoint: "/metrics".into(),
        }
    }
}

/// `security`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Packages must be signed. Only development may say no.
    pub verify_signatures: bool,
    /// Host calls need a policy that permits them. Outside production, without it what was granted is permitted
    /// unless a policy forbids it.
    pub enforce_permissions: bool,
    /// Must be true: this product does not act unrecorded.
    pub audit_logging: bool,
    /// Plugins run in worker processes unless policy marks their tier trusted.
    pub namespace_isolation: bool,
    /// The host program's own code may act as plugins. It cannot be in a worker process, whatever the key above says.
    pub native_plugins: bool,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            verify_signatures: true,
            enforce_permissions: true,
            audit_logging: true,
            namespace_isolation: true,
            native_plugins: true,
        }
    }
}

/// `audit`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Which counted actions get a record of their own.
    pub detail: Detail,
    /// Records a second per plugin and action before summaries take over.
    pub detail_rate: u32,
    /// Records of effects are durable before the effect.
    pub strict: bool,
    /// Where records wait for the committer.
    pub journal: Journal,
    /// Name of this host in records and checkpoints.
    pub node: String,
    /// Size at which a new segment is begun.
    pub segment_size: ByteSize,
    /// Bytes of segments that are kept at least; all without it and `retain_for`.
    pub retain_size: Option<ByteSize>,
    /// How long records are kept at least.
    pub retain_for: Option<Span>,
    /// Free bytes under which the log warns.
    pub warn_free: ByteSize,
    /// Free bytes under which privileged actions are refused.
    pub refuse_free: ByteSize,
    /// Where checkpoints are sent as they are made.
    pub checkpoints: Checkpoints,
    /// Verifier keys of those whose cosignatures are accepted.
    pub witnesses: Vec<String>,
    /// Kinds of resources that records of host calls tell apart without naming them.
    pub redact: Vec<Redacted>,
}

/// An item of `audit.redact`: a kind of resource whose names may tell of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redacted {
    /// Paths of files.
    Path,
    /// Keys of stored values.
    Key,
    /// Objects, with their buckets.
    Object,
    /// Hosts and ports.
    Host,
    /// Types of events.
    Event,
    /// Names of metrics.
    Metric,
}

/// `audit.checkpoints`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoints {
    /// A file they are appended to.
    pub file: Option<PathBuf>,
    /// `unix:/path`, `udp:host:port` or `tcp:host:port`.
    pub syslog: Option<String>,
    /// An `https://` address they are posted to.
    pub webhook: Option<String>,
    /// A PEM file of the roots its certificate must lead to; those of the web without it.
    pub webhook_ca: Option<PathBuf>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            detail: Detail::Rate,
            detail_rate: 1000,
            strict: false,
            journal: Journal::Mapped,
            node: "forgeone".into(),
            segment_size: ByteSize(64 << 20),
            retain_size: None,
            retain_for: None,
            warn_free: ByteSize(512 << 20),
            refuse_free: ByteSize(64 << 20),
            checkpoints: Checkpoints::default(),
            witnesses: Vec::new(),
            redact: Vec::new(),
        }
    }
}

/// What the operator sets for one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSection {
    /// Read by `config_get`.
    pub config: BTreeMap<String, String>,
    /// Read by `env_get`.
    pub env: BTreeMap<String, String>,
    /// How it is kept up; what is not said here is as in `supervision` of the host.
    pub supervision: SupervisionSection,
}

/// The configuration of a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the host stands.
    pub environment: Environment,
    /// The engine of plugins that take any; the first one compiled in when not set.
    pub engine: Option<EngineKind>,
    /// The drop directory; the home's `plugins/` when not set.
    pub plugin_directory: Option<PathBuf>,
    /// How the drop directory is watched.
    pub directory: Directory,
    /// For what is not staged in the home.
    pub temp_directory: PathBuf,
    /// Plugins installed at most.
    pub max_plugins: u32,
    /// Time of a call, unless the manifest asks for less.
    pub default_timeout: Span,
    /// Limits of plugins.
    pub sandbox: Sandbox,
    /// What plugins may ask of the host.
    pub limits: Limits,
    /// Requests of plugins.
    pub network: Network,
    /// `objects`: buckets of objects.
    pub objects: ObjectStorage,
    /// Whose tokens are believed.
    pub auth: Auth,
    /// What is measured.
    pub telemetry: Telemetry,
    /// What is demanded.
    pub security: Security,
    /// How records are kept.
    pub audit: Audit,
    /// How plugins are kept up.
    pub supervision: SupervisionSection,
    /// How far what a plugin does changes how far it is trusted.
    pub trust_score: TrustScore,
    /// How often somebody is to look at plugins and policies.
    pub reviews: Reviews,
    /// When what runs out is warned of.
    pub keys: Keys,
    /// Settings by plugin name.
    pub plugins: BTreeMap<String, PluginSection>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::Production,
            engine: None,
            plugin_directory: None,
            directory: Directory::default(),
            temp_directory: "/tmp/forgeone/plugins".into(),
            max_plugins: 1000,
            default_timeout: Span(Duration::from_secs(30)),
            sandbox: Sandbox::default(),
            limits: Limits::default(),
            network: Network::default(),
            objects: ObjectStorage::default(),
            auth: Auth::default(),
            telemetry: Telemetry::default(),
            security: Security::default(),
            audit: Audit::default(),
            supervision: SupervisionSection::default(),
            trust_score: TrustScore::default(),
            reviews: Reviews::default(),
            keys: Keys::default(),
            plugins: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The JSON Schema (draft 2020-12) of `plugin-manager.yaml`, for editors and other tools.
    pub const JSON_SCHEMA: &'static str = include_str!("../schemas/plugin-manager.schema.json");
}
