//! From the text of a configuration to its values: strict, in range, and never weaker than its environment allows.

use super::{Config, Environment, MAX_SETTING_KEY, MAX_SETTING_VALUE, MAX_SETTINGS, PluginSection};
use common::audit::{SyslogTarget, Witness};
use common::config::{ConfigError, from_yaml, locate};
use common::error::{Code, Coded, codes};
use common::identity::Name;
use serde::Deserialize;

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
    /// The text is not valid, or a value is out of its range.
    #[error("the configuration is not valid")]
    Text(#[source] ConfigError),
    /// A security default is weakened where that is not allowed.
    #[error("{key}: false is not allowed in {environment}")]
    Weakened {
        /// The key.
        key: &'static str,
        /// The environment.
        environment: &'static str,
        /// Where it is allowed.
        allowed_in: &'static [Environment],
        /// Where it stands.
        #[source]
        place: ConfigError,
    },
}

impl Coded for SettingsError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Text(_) => &codes::E0102,
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
        let place = |path: &[&str], problem: String| {
            let all: Vec<&str> = std::iter::once("plugin_manager").chain(path.iter().copied()).collect();
            let (line, column) = locate(text, &all).unwrap_or_default();
            let problem = format!("{}: {problem}", path.join("."));
            ConfigError { source_name: source_name.to_owned(), line, column, problem }
        };
        if let Some((path, problem)) = config.out_of_range() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            return Err(SettingsError::Text(place(&path, problem)));
        }
        match config.weakened().into_iter().find(|key| !weakenable(key).contains(&config.environment)) {
            Some(key) => Err(SettingsError::Weakened {
                key,
                environment: config.environment.name(),
                allowed_in: weakenable(key),
                place: place(&key.split('.').collect::<Vec<_>>(), "is false".to_owned()),
            }),
            None => Ok(config),
        }
    }

    /// The path of the first value out of its range, and what it may be.
    fn out_of_range(&self) -> Option<(Vec<String>, String)> {
        let a = &self.audit;
        let ranges: [(&str, bool, &str); 20] = [
            ("max_plugins", (1..=100_000).contains(&self.max_plugins), "must be 1 to 100000"),
            ("default_timeout", !self.default_timeout.0.is_zero(), "must be longer than nothing"),
            ("directory.settle", !self.directory.settle.0.is_zero(), "must be longer than nothing"),
            ("directory.rescan", !self.directory.rescan.0.is_zero(), "must be longer than nothing"),
            (
                "sandbox.memory_limit",
                self.sandbox.memory_limit.0 >= 65_536,
                "must be at least 64KiB, one page",
            ),
            ("sandbox.cpu_limit", self.sandbox.cpu_limit >= 1, "must be at least 1"),
            ("sandbox.file_descriptor_limit", self.sandbox.file_descriptor_limit >= 1, "must be at least 1"),
            ("limits.host_calls_per_second", self.limits.host_calls_per_second >= 1, "must be at least 1"),
            ("limits.effects_per_second", self.limits.effects_per_second >= 1, "must be at least 1"),
            ("limits.queue_length", self.limits.queue_length <= 65_536, "must be 0 to 65536"),
            (
                "limits.call_threads",
                self.limits.call_threads.is_none_or(|n| (1..=1024).contains(&n)),
                "must be 1 to 1024",
            ),
            ("limits.call_queue", (1..=1_048_576).contains(&self.limits.call_queue), "must be 1 to 1048576"),
            ("audit.detail_rate", self.audit.detail_rate >= 1, "must be at least 1"),
            (
                "audit.node",
                node_name(&self.audit.node),
                "must be 1 to 128 of letters, digits, `.`, `-` and `/`",
            ),
            ("audit.segment_size", (1 << 16..=1 << 40).contains(&a.segment_size.0), "must be 64KiB to 1TiB"),
            ("audit.retain_size", a.retain_size.is_none_or(|size| size.0 > 0), "must be more than nothing"),
            ("audit.warn_free", a.warn_free >= a.refuse_free, "must be at least audit.refuse_free"),
            (
                "audit.checkpoints.syslog",
                a.checkpoints.syslog.as_deref().is_none_or(|at| syslog_target(at).is_some()),
                "must be unix:/path, udp:host:port or tcp:host:port",
            ),
            (
                "audit.checkpoints.webhook",
                a.checkpoints.webhook.as_deref().is_none_or(|url| url.starts_with("https://")),
                "must begin with https://",
            ),
            (
                "audit.witnesses",
                a.witnesses.iter().all(|key| Witness::parse(key).is_ok()),
                "must be verifier keys of witnesses, `name+id+key`",
            ),
        ];
        let path = |key: &str| key.split('.').map(str::to_owned).collect();
        let range = ranges.into_iter().find(|(_, valid, _)| !valid);
        range.map(|(key, _, problem)| (path(key), problem.to_owned())).or_else(|| self.section_problem())
    }

    /// The path of the first value out of its range in a section that knows its own, and what it may be.
    fn section_problem(&self) -> Option<(Vec<String>, String)> {
        let at = |section: &str, below: &[&str], problem: &str| {
            let path = std::iter::once(section).chain(below.iter().copied());
            (path.map(str::to_owned).collect(), problem.to_owned())
        };
        let in_sections = [
            self.network.problem().map(|(key, problem)| at("network", &[key], problem)),
            self.objects.problem().map(|(below, problem)| at("objects", &below, problem)),
            self.auth.problem().map(|problem| at("auth", &["issuers"], problem)),
            self.supervision.problem().map(|(below, problem)| at("supervision", &below, problem)),
            self.trust_score.problem().map(|(key, problem)| at("trust_score", &[key], problem)),
            self.reviews.problem().map(|(key, problem)| at("reviews", &[key], problem)),
        ];
        in_sections.into_iter().flatten().next().or_else(|| {
            self.plugins.iter().find_map(|(name, own)| {
                let (below, problem) = own.problem(name)?;
                let path = ["plugins", name].into_iter().chain(below);
                Some((path.map(str::to_owned).collect(), problem))
            })
        })
    }

    /// The keys that are set to something else than their default and that this build does not act on.
    pub fn unheeded(&self) -> Vec<&'static str> {
        let (d, t) = (Self::default(), &self.telemetry);
        [
            ("temp_directory", self.temp_directory != d.temp_directory),
            ("sandbox.cpu_limit", self.sandbox.cpu_limit != d.sandbox.cpu_limit),
            (
                "sandbox.file_descriptor_limit",
                self.sandbox.file_descriptor_limit != d.sandbox.file_descriptor_limit,
            ),
            ("telemetry.metrics_enabled", t.metrics_enabled != d.telemetry.metrics_enabled),
            ("telemetry.tracing_enabled", t.tracing_enabled != d.telemetry.tracing_enabled),
            ("telemetry.log_level", t.log_level != d.telemetry.log_level),
            ("telemetry.prometheus_endpoint", t.prometheus_endpoint != d.telemetry.prometheus_endpoint),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
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

impl PluginSection {
    /// What is wrong with the section of this name: the path below it, and the problem.
    fn problem(&self, name: &str) -> Option<(Vec<&str>, String)> {
        if let Err(e) = Name::new(name) {
            return Some((Vec::new(), e.to_string()));
        }
        if let Some((below, problem)) = self.supervision.problem() {
            return Some((["supervision"].into_iter().chain(below).collect(), problem.to_owned()));
        }
        [("config", &self.config), ("env", &self.env)].into_iter().find_map(|(section, settings)| {
            if settings.len() > MAX_SETTINGS {
                return Some((vec![section], format!("has more than {MAX_SETTINGS} keys")));
            }
            let fits = |key: &str, value: &str| {
                let plain = !key.is_empty() && !key.contains(char::is_control);
                plain && key.len() <= MAX_SETTING_KEY && value.len() <= MAX_SETTING_VALUE
            };
            let (key, _) = settings.iter().find(|(key, value)| !fits(key, value))?;
            let problem = format!(
                "a key has 1 to {MAX_SETTING_KEY} bytes and no control character, a value at most {MAX_SETTING_VALUE} bytes"
            );
            Some((vec![section, key], problem))
        })
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

/// The receiver a text names.
pub(crate) fn syslog_target(text: &str) -> Option<SyslogTarget> {
    let (kind, at) = text.split_once(':')?;
    let port =
        || at.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match kind {
        "unix" if at.starts_with('/') => Some(SyslogTarget::Unix(at.into())),
        "udp" if port() => Some(SyslogTarget::Udp(at.to_owned())),
        "tcp" if port() => Some(SyslogTarget::Tcp(at.to_owned())),
        _ => None,
    }
}

fn node_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/'))
}
