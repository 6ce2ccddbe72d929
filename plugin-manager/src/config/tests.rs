//! What a configuration accepts and refuses, and where it says the fault is.

use super::*;
use common::error::Coded;

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
    let defaults = Config { plugin_directory: Some("/var/lib/forgeone/plugins".into()), ..Config::default() };
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
        let text = format!("plugin_manager: {{ environment: {environment}, security: {{ {key}: false }} }}");
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

/// Where the fault is said to be, and what it is.
fn fault(text: &str) -> (u64, u64, String) {
    match Config::parse("c.yaml", text).unwrap_err() {
        SettingsError::Text(e) | SettingsError::Weakened { place: e, .. } => (e.line, e.column, e.problem),
    }
}

#[test]
fn values_have_ranges_and_faults_a_place() {
    for (text, at, problem) in [
        ("plugin_manager:\n  max_plugins: 0", (2, 3), "max_plugins: must be 1 to 100000"),
        ("plugin_manager:\n  default_timeout: 0s", (2, 3), "default_timeout: must be longer than nothing"),
        (
            "plugin_manager:\n  sandbox:\n    memory_limit: 1KB",
            (3, 5),
            "sandbox.memory_limit: must be at least",
        ),
        ("plugin_manager:\n  audit: { node: \"a b\" }", (2, 12), "audit.node: must be"),
        ("plugin_manager:\n  security:\n    verify_signatures: false", (3, 5), "is false"),
    ] {
        let (line, column, found) = fault(text);
        assert_eq!((line, column), at, "{found}");
        assert!(found.contains(problem), "{found}");
    }
}

#[test]
fn the_log_is_kept_as_configured_and_within_bounds() {
    let parse = |audit: &str| Config::parse("c.yaml", &format!("plugin_manager: {{ audit: {{ {audit} }} }}"));
    let audit = parse(
        "segment_size: 1MiB, retain_size: 5MiB, retain_for: 30d, checkpoints: { syslog: 'udp:h:514' }, redact: [key, path]",
    );
    let audit = audit.unwrap().audit;
    assert_eq!(audit.redact, [Redacted::Key, Redacted::Path]);
    assert_eq!((audit.segment_size.0, audit.retain_size.unwrap().0), (1 << 20, 5 << 20));
    assert_eq!(audit.retain_for.unwrap().0.as_secs(), 30 * 86_400);
    for at in ["unix:/dev/log", "udp:host:514", "tcp:[::1]:6514"] {
        parse(&format!("checkpoints: {{ syslog: '{at}' }}")).unwrap();
    }
    for (bad, problem) in [
        ("segment_size: 1KiB", "must be 64KiB to 1TiB"),
        ("retain_size: 0B", "must be more than nothing"),
        ("warn_free: 1MiB", "must be at least audit.refuse_free"),
        ("checkpoints: { syslog: 'host:514' }", "must be unix:/path"),
        ("checkpoints: { syslog: 'tcp:host' }", "must be unix:/path"),
        ("checkpoints: { syslog: 'unix:dev/log' }", "must be unix:/path"),
        ("checkpoints: { webhook: 'http://h/x' }", "must begin with https://"),
        ("witnesses: ['w+1234+AAAA']", "must be verifier keys of witnesses"),
        ("redact: [keys]", "did you mean `key`?"),
    ] {
        let error = parse(bad).unwrap_err();
        let told = format!("{error}: {}", std::error::Error::source(&error).unwrap());
        assert!(told.contains(problem), "{bad}: {told}");
    }
}

#[test]
fn plugins_are_named_as_plugins_are() {
    for bad in ["../x", "", "CON", "h\u{435}llo", &"a".repeat(64)] {
        let (line, column, problem) = fault(&format!("plugin_manager:\n  plugins:\n    \"{bad}\": {{}}"));
        assert_eq!((line, column > 0), (3, true), "{problem}");
        assert!(problem.starts_with("plugins."), "{problem}");
    }
}

#[test]
fn settings_of_a_plugin_are_bounded() {
    let with = |count: usize, key: &str, value: &str| {
        let keys: String = (1..count).map(|i| format!("k{i}: v, ")).collect();
        Config::parse(
            "c.yaml",
            &format!(
                "plugin_manager: {{ plugins: {{ x: {{ env: {{ {keys} \"{key}\": \"{value}\" }} }} }} }}"
            ),
        )
    };
    let (key, value) = ("k".repeat(MAX_SETTING_KEY), "v".repeat(MAX_SETTING_VALUE));
    with(MAX_SETTINGS, &key, &value).unwrap();
    assert!(with(MAX_SETTINGS + 1, "k", "v").is_err());
    assert!(with(1, &format!("{key}k"), "v").is_err());
    assert!(with(1, "k", &format!("{value}v")).is_err());
    assert!(with(1, "", "v").is_err());
    assert!(with(1, "a\\u0007", "v").is_err());
}

#[test]
fn keys_without_effect_are_known_when_they_are_set() {
    assert!(Config::default().unheeded().is_empty());
    let text = "plugin_manager: { temp_directory: /x, max_plugins: 3, sandbox: { network_access: none },
      telemetry: { log_level: debug } }";
    let keys = Config::parse("c.yaml", text).unwrap().unheeded();
    assert_eq!(keys, ["temp_directory", "telemetry.log_level"]);
}

#[test]
fn each_kind_of_fault_says_where_and_what() {
    for (text, at, problem) in [
        ("plugin_manager:\n  max_plugin: 3", (2, 3), "did you mean `max_plugins`"),
        ("plugin_manager:\n  max_plugins: many", (2, 16), "max_plugins: expected a whole number"),
        ("plugin_manager:\n  max_plugins: -1", (2, 16), "expected a whole number"),
        ("plugin_manager:\n  audit: { strict: 3 }", (2, 20), "expected true or false"),
        ("plugin_manager:\n  default_timeout: 30", (2, 20), "lacks a unit"),
        ("plugin_manager:\n  sandbox: { memory_limit: 5 }", (2, 28), "memory_limit: `5` lacks a unit"),
        ("plugin_manager:\n  max_plugins: 1\n  max_plugins: 2", (3, 3), "max_plugins"),
        ("plugin_manager:\n  environment: prodution", (2, 16), "did you mean `production`"),
        ("{\"plugin_manager\": {\"audit\": {\"strict\" : 3}}}", (1, 42), "strict: expected true or false"),
        ("plugin_manager: [", (1, 17), "plugin_manager: expected keys and values"),
    ] {
        let (line, column, found) = fault(text);
        assert_eq!((line, column), at, "{text}: {found}");
        assert!(found.contains(problem), "{text}: {found}");
    }
}
