//! `trust.toml` is read strictly, written back as it was read, and refuses what this build cannot check.

use super::*;
use common::error::Coded;
use proptest::prelude::*;

const FULL: &str = r#"
version = 1
mode = "staging"

[verify]
algorithms = ["ed25519"]
clock_skew = "30s"
max_chain = 3
time = "now"
require = ["package"]

[[anchor]]
name = "corp-root"
file = "roots/corp-root.pem"
uri_prefix = "https://forgeone.example/publishers/"

[[anchor]]
name = "inline"
pem = "x"
uri_prefix = "https://other.example"

[[intermediate]]
file = "intermediates/a.pem"

[[publisher]]
name = "acme"
uri = "https://forgeone.example/publishers/acme"
packages = ["log-*", "pii-rules"]
environments = ["production", "staging"]
max_permissions = ["storage", "filesystem:read"]
min_version = { log-redactor = "1.0.0" }

[[publisher]]
name = "other"
uri = "https://other.example/o"
packages = ["*"]

[[role]]
name = "observers"
plugins = ["acme/log-*", "*/metrics"]
operators = ["ada"]

[[role]]
name = "admins"

[[tier]]
name = "trusted"
plugins = ["acme/*"]

[kill]
digests = ["sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
serials = ["01ab"]
keys = []
"#;

#[test]
fn everything_is_read_and_written_back() {
    let config = TrustConfig::parse(FULL).unwrap();
    assert_eq!(TrustConfig::parse(&config.to_toml()).unwrap(), config, "{}", config.to_toml());
    assert_eq!(config.files().collect::<Vec<_>>(), ["roots/corp-root.pem", "intermediates/a.pem"]);
    assert_eq!(config.publishers[0].max_permissions.as_ref().unwrap().len(), 5);
    assert_eq!(config.publishers[1].environments, Environment::ALL);
    let means = |publisher: &str, name: &str| {
        config.roles[0].plugins.iter().any(|p| p.matches(&publisher.parse().unwrap(), &name.parse().unwrap()))
    };
    assert!(means("acme", "log-a") && means("evil", "metrics") && !means("evil", "log-a"));
    let empty = TrustConfig::default();
    assert_eq!(TrustConfig::parse(&empty.to_toml()).unwrap(), empty);
}

#[test]
fn checks_of_later_versions_are_refused_and_not_ignored() {
    let keys = [
        ("max_chain = 3", "log = { required = true }"),
        ("max_chain = 3", "timestamp = true"),
        ("time = \"now\"", "time = \"timestamp\""),
        ("[\"package\"]", "[\"package\", \"vex\"]"),
        ("mode = \"staging\"", "witness = []"),
        ("keys = []", "file = \"kill.json\""),
    ];
    for (from, to) in keys {
        assert!(FULL.contains(from));
        let error = TrustConfig::parse(&FULL.replace(from, to)).unwrap_err();
        assert_eq!(error.code().id, "E1409", "{to}: {error}");
    }
}

#[test]
fn what_does_not_fit_the_schema_is_refused() {
    let cases = [
        ("version = 1", "version = 2"),
        ("version = 1", ""),
        ("max_chain", "max_chian"),
        ("max_chain = 3", "max_chain = 1"),
        ("[\"ed25519\"]", "[\"rsa\"]"),
        ("[\"ed25519\"]", "[]"),
        ("\"30s\"", "\"2h\""),
        ("\"30s\"", "\"1ms\""),
        ("\"30s\"", "30"),
        ("mode = \"staging\"", "mode = \"prod\""),
        ("roots/corp-root.pem", "../corp-root.pem"),
        ("roots/corp-root.pem", "/etc/root.pem"),
        ("roots/corp-root.pem", ""),
        ("pem = \"x\"", "pem = \"x\"\nfile = \"y\""),
        ("pem = \"x\"", ""),
        ("name = \"inline\"", "name = \"corp-root\""),
        ("name = \"other\"", "name = \"acme\""),
        ("https://other.example/o", "https://forgeone.example/publishers/acme"),
        ("https://other.example/o", "https://elsewhere.example/o"),
        ("https://other.example/o", "https://other.example-evil/o"),
        ("https://other.example/o", "not a uri"),
        ("\"log-*\"", "\"LOG\""),
        ("\"log-*\"", "\"**\""),
        ("\"filesystem:read\"", "\"filesystem:reed\""),
        ("\"storage\"", "\"storages\""),
        ("\"1.0.0\"", "\"1.0\""),
        ("sha256:ba", "sha256:BA"),
        ("\"01ab\"", "\"1ab\""),
        ("\"01ab\"", "\"01AB\""),
        ("[kill]", "[kill]\nkillall = 1"),
        ("packages = [\"*\"]", ""),
        ("name = \"admins\"", "name = \"observers\""),
        ("name = \"admins\"", "name = \"Admins\""),
        ("\"acme/log-*\"", "\"acme\""),
        ("\"acme/log-*\"", "\"acme/a/b\""),
        ("\"ada\"", "\"\""),
        ("plugins = [\"acme/*\"]", ""),
    ];
    for (from, to) in cases {
        assert!(FULL.contains(from), "{from}");
        let error = TrustConfig::parse(&FULL.replace(from, to)).expect_err(to);
        assert_eq!(error.code().id, "E1408", "{from} -> {to}");
    }
}

#[test]
fn unknown_keys_get_the_nearest_known_one() {
    let error = TrustConfig::parse(&FULL.replace("max_chain", "max_chian")).unwrap_err();
    let TrustError::Invalid(source) = error else { panic!("{error}") };
    let line = 1 + FULL.lines().position(|l| l.contains("max_chain")).unwrap();
    let expected = format!("trust.toml:{line}:1: verify: unknown key `max_chian`; did you mean `max_chain`?");
    assert_eq!(source.to_string(), expected);
}

#[test]
fn prefixes_end_at_a_slash() {
    assert!(root::covers("https://a/p/", "https://a/p/x"));
    assert!(root::covers("https://a/p", "https://a/p/x"));
    assert!(!root::covers("https://a/p", "https://a/px"));
    assert!(!root::covers("https://a/p", "https://a/p"));
    assert!(!root::covers("https://a/p/", "https://a/p/"));
}

#[test]
fn name_patterns_match_whole_names() {
    let p = |text: &str| text.parse::<NamePattern>().unwrap();
    let name = |text: &str| common::identity::Name::new(text).unwrap();
    assert!(p("log-*").matches(&name("log-redactor")));
    assert!(!p("log-*").matches(&name("catalog-x")));
    assert!(p("*").matches(&name("anything")));
    assert!(p("a").matches(&name("a")) && !p("a").matches(&name("ab")));
    assert!("".parse::<NamePattern>().is_err());
}

#[test]
fn certificates_must_be_there_and_be_authorities() {
    let config = || TrustConfig::parse(FULL).unwrap();
    let error = TrustRoot::new(config(), |_| None).unwrap_err();
    assert!(matches!(&error, TrustError::Missing { file } if file == "roots/corp-root.pem"), "{error}");
    for pem in [
        &b""[..],
        b"junk",
        include_bytes!("../testdata/rsa.pem"),
        include_bytes!("../testdata/openssl-root.key"),
    ] {
        let error = TrustRoot::new(config(), |_| Some(pem.to_vec())).unwrap_err();
        assert!(matches!(error, TrustError::Certificate { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in ".{0,200}") {
        let _ = TrustConfig::parse(&text);
        let _ = TrustConfig::parse(&format!("version = 1\n{text}"));
    }
}
