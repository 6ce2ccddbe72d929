//! The schema of `plugin-manager.yaml`: every key the contract names, strict, with the contract's defaults.
//!
//! Defaults are production's. A weakened security default is an error in production and is listed by
//! [`Config::weakened`] elsewhere, so that it can be recorded and shown.

mod limits;

pub use limits::Limits;

use common::config::{ByteSize, ConfigError, Span, from_yaml};
use common::error::{Code, Coded, codes};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Policy files read at most.
pub const MAX_POLICIES: usize = 10_000;

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
}

impl EngineKind {
    /// The word used in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Wasmer => "wasmer",
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
}

impl Default for Security {
    fn default() -> Self {
        Self {
            verify_signatures: true,
            enforce_permissions: true,
            audit_logging: true,
            namespace_isolation: true,
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
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            detail: Detail::Rate,
            detail_rate: 1000,
            strict: false,
            journal: Journal::Mapped,
            node: "forgeone".into(),
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
    /// What is measured.
    pub telemetry: Telemetry,
    /// What is demanded.
    pub security: Security,
    /// How records are kept.
    pub audit: Audit,
    /// Settings by plugin name.
    pub plugins: BTreeMap<String, PluginSection>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::Production,
            engine: None,
            plugin_directory: None,
            temp_directory: "/tmp/forgeone/plugins".into(),
            max_plugins: 1000,
            default_timeout: Span(Duration::from_secs(30)),
            sandbox: Sandbox::default(),
            limits: Limits::default(),
            telemetry: Telemetry::default(),
            security: Security::default(),
            audit: Audit::default(),
            plugins: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    plugin_manager: Config,
}

/// Why a configuration is refused. The operator can mend each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is not valid.
    #[error("the configuration is not valid")]
    Text(#[source] ConfigError),
    /// A value is out of its range.
    #[error("{key}: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A security default is weakened where that is not allowed.
    #[error("{key}: false is not allowed in {environment}")]
    Weakened {
        /// The key.
        key: &'static str,
        /// The environment.
        environment: &'static str,
        /// Where it is allowed.
        allowed_in: &'static [Environment],
    },
}

impl Coded for SettingsError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Text(_) | Self::Value { .. } => &codes::E0102,
            Self::Weakened { .. } => &codes::E0103,
        }
    }
    fn help(&self) -> Option<String> {
        let Self::Weakened { allowed_in, .. } = self else { return None };
        let names: Vec<&str> = allowed_in.iter().map(|e| e.name()).collect();
        match names.is_empty() {
            true => Some("remove the key: nowhere may it be false".to_owned()),
            false => Some(format!("remove the key, or set `environment` to {}", names.join(" or "))),
        }
    }
}

impl Config {
    /// Reads and checks a configuration text.
    ///
    /// ```
    /// use plugin_manager::config::{Config, Environment};
    /// let c = Config::parse("x.yaml", "plugin_manager: { environment: staging, max_plugins: 5 }").unwrap();
    /// assert_eq!((c.environment, c.max_plugins), (Environment::Staging, 5));
    /// ```
    ///
    /// # Errors
    /// [`SettingsError`], with line, column and the nearest known key.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, SettingsError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config = from_yaml::<File>(source_name, text).map_err(SettingsError::Text)?.plugin_manager;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let ranges: [(&'static str, bool, &'static str); 9] = [
            ("max_plugins", (1..=100_000).contains(&self.max_plugins), "1 to 100000"),
            ("default_timeout", !self.default_timeout.0.is_zero(), "longer than nothing"),
            ("sandbox.memory_limit", self.sandbox.memory_limit.0 >= 65_536, "at least one page of 64KiB"),
            ("sandbox.cpu_limit", self.sandbox.cpu_limit >= 1, "at least 1"),
            ("sandbox.file_descriptor_limit", self.sandbox.file_descriptor_limit >= 1, "at least 1"),
            ("limits.host_calls_per_second", self.limits.host_calls_per_second >= 1, "at least 1"),
            ("limits.effects_per_second", self.limits.effects_per_second >= 1, "at least 1"),
            ("audit.detail_rate", self.audit.detail_rate >= 1, "at least 1"),
            ("audit.node", node_name(&self.audit.node), "1 to 128 of letters, digits, `.`, `-` and `/`"),
        ];
        if let Some((key, _, problem)) = ranges.into_iter().find(|(_, valid, _)| !valid) {
            return Err(SettingsError::Value { key, problem });
        }
        match self.weakened().into_iter().find(|key| !weakenable(key).contains(&self.environment)) {
            Some(key) => Err(SettingsError::Weakened {
                key,
                environment: self.environment.name(),
                allowed_in: weakenable(key),
            }),
            None => Ok(()),
        }
    }

    /// The security defaults that are switched off.
    pub fn weakened(&self) -> Vec<&'static str> {
        let s = &self.security;
        [
            ("security.verify_signatures", s.verify_signatures),
            ("security.enforce_permissions", s.enforce_permissions),
            ("security.audit_logging", s.audit_logging),
            ("security.namespace_isolation", s.namespace_isolation),
        ]
        .into_iter()
        .filter_map(|(key, on)| (!on).then_some(key))
        .collect()
    }
}

/// Where a security default may be switched off.
fn weakenable(key: &str) -> &'static [Environment] {
    match key {
        // Records are what every other promise rests on.
        "security.audit_logging" => &[],
        "security.verify_signatures" => &[Environment::Development],
        _ => &[Environment::Staging, Environment::Development],
    }
}

fn node_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS_EXAMPLE: &str = r#"
plugin_manager:
  plugin_directory: "/var/lib/forgeone/plugins"
  temp_directory: "/tmp/forgeone/plugins"
  max_plugins: 1000
  default_timeout: 30s

  sandbox:
    memory_limit: 512MB
    cpu_limit: 2
    file_descriptor_limit: 1024
    network_access: restricted

  telemetry:
    metrics_enabled: true
    tracing_enabled: true
    log_level: info
    prometheus_endpoint: "/metrics"

  security:
    verify_signatures: true
    enforce_permissions: true
    audit_logging: true
    namespace_isolation: true
"#;

    #[test]
    fn the_users_example_is_the_default() {
        let c = Config::parse("example", USERS_EXAMPLE).unwrap();
        let defaults =
            Config { plugin_directory: Some("/var/lib/forgeone/plugins".into()), ..Config::default() };
        assert_eq!(c, defaults);
        assert_eq!(Config::parse("empty", "").unwrap(), Config::default());
        assert!(c.weakened().is_empty());
    }

    #[test]
    fn unknown_keys_name_the_nearest_one() {
        let e = Config::parse("c.yaml", "plugin_manager:\n  max_plugin: 3\n").unwrap_err();
        let SettingsError::Text(e) = e else { panic!("{e}") };
        assert_eq!((e.line, e.column), (2, 3));
        assert!(e.problem.contains("did you mean `max_plugins`"), "{e}");
        assert!(Config::parse("c.yaml", "plugin_manger: {}").is_err());
    }

    #[test]
    fn weakening_is_refused_where_the_contract_says() {
        let with = |environment: &str, key: &str| {
            let text =
                format!("plugin_manager: {{ environment: {environment}, security: {{ {key}: false }} }}");
            Config::parse("c.yaml", &text).map(|c| c.weakened().len())
        };
        for key in ["verify_signatures", "enforce_permissions", "audit_logging", "namespace_isolation"] {
            assert!(matches!(with("production", key), Err(SettingsError::Weakened { .. })), "{key}");
        }
        assert!(matches!(with("staging", "verify_signatures"), Err(SettingsError::Weakened { .. })));
        assert!(matches!(with("development", "audit_logging"), Err(SettingsError::Weakened { .. })));
        let help = |environment, key| with(environment, key).unwrap_err().help().unwrap();
        assert!(help("production", "namespace_isolation").ends_with("to staging or development"));
        assert!(help("staging", "verify_signatures").ends_with("to development"));
        assert!(!help("development", "audit_logging").contains("environment"));
        assert_eq!(with("development", "verify_signatures").unwrap(), 1);
        assert_eq!(with("staging", "namespace_isolation").unwrap(), 1);
    }

    #[test]
    fn counted_actions_are_summarised_unless_each_is_asked_for() {
        let detail = |text: &str| Config::parse("c.yaml", text).map(|c| c.audit.detail);
        assert_eq!(detail("").unwrap(), Detail::Rate);
        assert_eq!(detail("plugin_manager: { audit: { detail: every } }").unwrap(), Detail::Every);
        assert!(detail("plugin_manager: { audit: { detail: none } }").is_err());
    }

    #[test]
    fn values_have_ranges() {
        for bad in [
            "max_plugins: 0",
            "default_timeout: 0s",
            "sandbox: { memory_limit: 1KB }",
            "audit: { node: \"a b\" }",
        ] {
            let e = Config::parse("c.yaml", &format!("plugin_manager: {{ {bad} }}")).unwrap_err();
            assert!(matches!(e, SettingsError::Value { .. }), "{bad}: {e}");
        }
    }
}
