//! Documents people write: manifest, `plugin.toml`, configuration, trust configuration; and JSON itself.

use crate::package::{MANIFEST_JSON, PLUGIN_TOML_TEXT};
use crate::{Seen, Target, told};
use common::identity::Digest;
use plugin_manager::attestation::{TrustConfig, TrustRoot};
use plugin_manager::config::Config;
use plugin_manager::loader::{self, Manifest, PluginToml};
use serde_json::Value;
use std::collections::BTreeMap;

pub const JSON: Target = Target {
    name: "json",
    max_len: 4 << 10,
    tokens: &[
        "{",
        "}",
        "[",
        "]",
        "\"a\":",
        "\"\\u0061\":",
        "null",
        "true",
        "1e999",
        "-0",
        "\\ud800",
        "\\u0000",
    ],
    memory: 4 << 20,
    smoke: 4_000,
    body: json,
    seeds: json_seeds,
};

/// Deepest nesting our reader accepts.
const DEPTH: usize = 24;

/// Our reader accepts what serde_json accepts, but for keys that are there twice and deep nesting.
fn json(input: &[u8]) -> Seen {
    let ours = loader::fuzzing::json(input, 1 << 20);
    let theirs: Result<Value, _> = serde_json::from_slice(input);
    match (ours, theirs) {
        (Ok(()), Ok(value)) => {
            assert!(depth(&value) <= DEPTH, "deep nesting was accepted");
            Seen::accepted(0)
        }
        (Ok(()), Err(error)) => panic!("serde_json refuses what we read: {error}"),
        (Err(ours), Err(_)) => Seen::refused(&ours),
        (Err(ours), Ok(value)) => {
            let text = ours.to_string();
            let twice = text.contains("is there twice");
            assert!(twice || depth(&value) > DEPTH, "we refuse what serde_json reads: {text}");
            Seen::refused(&ours)
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn json_seeds() -> Vec<Vec<u8>> {
    let deep = format!("{}1{}", "[".repeat(24), "]".repeat(24));
    let mut seeds = manifest_seeds();
    seeds.push(deep.into_bytes());
    seeds.push(br#"{"a":[1,-2,3.5,"\u0041\n",null,true],"b":{"a":{},"c":""}}"#.to_vec());
    seeds
}

pub const MANIFEST: Target = Target {
    name: "manifest",
    max_len: 4 << 10,
    tokens: &[
        "\"schema\":1",
        "\"name\":",
        "\"version\":",
        "\"publisher\":",
        "\"files\":",
        "\"permissions\":",
        "\"filesystem\"",
        "\"network\"",
        "\"read:/data/**\"",
        "\"connect:a.b:1-2\"",
        "\"operations\":",
        "\"dependencies\":",
        "\"limits\":",
        "\"memory\":\"64MB\"",
        "\"timeout\":\"5s\"",
        "\"instances\":",
        "\"pooled\"",
        "\"max\":",
        "\"entry_points\":",
        "sha256:",
        "^1.0.0",
        ">=1, <2",
        "\"plugin.wasm\"",
    ],
    memory: 8 << 20,
    smoke: 4_000,
    body: manifest,
    seeds: manifest_seeds,
};

/// A manifest that is read is written as one that reads back equal, always with the same bytes.
fn manifest(input: &[u8]) -> Seen {
    let manifest = match Manifest::from_json(input) {
        Ok(manifest) => manifest,
        Err(error) => return Seen::refused(&error),
    };
    comes_back(&manifest);
    let value: Value = serde_json::from_slice(input).expect("serde_json reads what we read");
    assert_eq!(value["name"].as_str(), Some(manifest.name.as_str()), "another name than serde_json reads");
    assert_eq!(value["files"].as_object().map(serde_json::Map::len), Some(manifest.files.len()));
    let parts = [
        manifest.permissions.len(),
        manifest.operations.len(),
        manifest.dependencies.len(),
        manifest.files.len(),
    ];
    Seen::accepted(parts.iter().fold(0, |kind, n| kind * 5 + (*n).min(4) as u64))
}

fn comes_back(manifest: &Manifest) {
    let written = manifest.to_json();
    let again = Manifest::from_json(&written).expect("what we write we read");
    assert_eq!(&again, manifest, "a manifest does not come back");
    assert_eq!(again.to_json(), written, "equal manifests are written otherwise");
}

fn manifest_seeds() -> Vec<Vec<u8>> {
    let small = format!(
        r#"{{"schema":1,"name":"a","version":"1.0.0","publisher":"b","abi":1,"files":{{"plugin.wasm":"{}"}}}}"#,
        Digest::of(b"")
    );
    vec![MANIFEST_JSON.as_bytes().to_vec(), small.into_bytes()]
}

pub const PLUGIN_TOML: Target = Target {
    name: "plugin_toml",
    max_len: 4 << 10,
    tokens: &[
        "[plugin]\n",
        "name = \"a\"\n",
        "version = \"1.0.0\"\n",
        "publisher = \"b\"\n",
        "[permissions]\n",
        "filesystem = [\"read\"]\n",
        "[[operations]]\n",
        "[limits]\n",
        "memory = \"64MB\"\n",
        "timeout = \"5s\"\n",
        "[instances]\n",
        "mode = \"fresh\"\n",
        "[dependencies]\n",
        "[entry_points]\n",
        "'''",
        "\"\"\"",
        "1979-05-27T07:32:00Z",
        "0x",
        "inf",
        "a.b.c = 1\n",
        "#",
    ],
    memory: 8 << 20,
    smoke: 2_000,
    body: plugin_toml,
    seeds: plugin_toml_seeds,
};

/// A source becomes a manifest that reads back equal.
fn plugin_toml(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::refused(&"not UTF-8") };
    let source = match PluginToml::parse(text) {
        Ok(source) => source,
        Err(error) => return Seen::refused(&told(&error)),
    };
    let files = BTreeMap::from([("plugin.wasm".to_owned(), Digest::of(input))]);
    match Manifest::from_author(&source, None, files) {
        Ok(manifest) => {
            assert_eq!((&manifest.name, &manifest.version), (source.name(), source.version()));
            comes_back(&manifest);
            Seen::accepted(
                manifest.permissions.len().min(8) as u64 + 16 * manifest.operations.len().min(8) as u64,
            )
        }
        Err(error) => {
            assert!(source.publisher().is_none(), "no manifest from a source with a publisher: {error}");
            Seen::refused(&error)
        }
    }
}

fn plugin_toml_seeds() -> Vec<Vec<u8>> {
    let small = "[plugin]\nname = \"hello\"\nversion = \"1.0.0\"\n";
    vec![PLUGIN_TOML_TEXT.as_bytes().to_vec(), small.as_bytes().to_vec()]
}

pub const CONFIG: Target = Target {
    name: "config",
    max_len: 2 << 10,
    tokens: &[
        "plugin_manager:",
        "sandbox:",
        "security:",
        "audit:",
        "telemetry:",
        "plugins:",
        "memory_limit: 512MB",
        "default_timeout: 30s",
        "environment: staging",
        "verify_signatures: false",
        "&a",
        "*a",
        "<<: *a",
        "!!str",
        "!!binary",
        "---\n",
        "...\n",
        "|\n ",
        ">-\n ",
        "? ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "\n  ",
        "%YAML 1.2\n",
        "0x1F",
        "~",
        "'",
        "1_000",
    ],
    memory: 16 << 20,
    smoke: 2_000,
    body: config,
    seeds: config_seeds,
};

/// A configuration is read within bounds, and one for production has nothing weakened.
fn config(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::refused(&"not UTF-8") };
    match Config::parse("plugin-manager.yaml", text) {
        Ok(config) => {
            let production = config.environment.name() == "production";
            assert!(!production || config.weakened().is_empty(), "production with {:?}", config.weakened());
            assert!(config.max_plugins >= 1 && !config.default_timeout.0.is_zero());
            Seen::accepted(config.weakened().len() as u64 * 4 + config.plugins.len().min(3) as u64)
        }
        Err(error) => Seen::refused(&told(&error)),
    }
}

fn config_seeds() -> Vec<Vec<u8>> {
    const TEXT: &str = "plugin_manager:\n  environment: staging\n  engine: wasmtime\n  max_plugins: 1000\n  default_timeout: 30s\n  \
        sandbox: { memory_limit: 512MB, cpu_limit: 2, file_descriptor_limit: 1024, network_access: restricted }\n  \
        telemetry: { metrics_enabled: true, log_level: info }\n  security: { namespace_isolation: false }\n  \
        audit: { detail: rate, detail_rate: 10 }\n  plugins:\n    log-redactor:\n      config: { greeting: hello }\n      env: { A: b }\n";
    let json = r#"{"plugin_manager": {"environment": "production", "max_plugins": 5}}"#;
    vec![TEXT.as_bytes().to_vec(), json.as_bytes().to_vec(), b"plugin_manager: {a: &x [1], b: *x}".to_vec()]
}

pub const TRUST_TOML: Target = Target {
    name: "trust_toml",
    max_len: 4 << 10,
    tokens: &[
        "version = 1\n",
        "mode = \"staging\"\n",
        "[[anchor]]\n",
        "[[intermediate]]\n",
        "[[publisher]]\n",
        "[verify]\n",
        "[kill]\n",
        "file = \"root.pem\"\n",
        "pem = \"\"\"",
        "uri_prefix = \"https://a/\"\n",
        "-----BEGIN CERTIFICATE-----\n",
        "packages = [\"a-*\"]\n",
        "digests = [",
        "serials = [",
        "sha256:",
        "algorithms = [",
        "\"ed25519\"",
    ],
    memory: 8 << 20,
    smoke: 2_000,
    body: trust_toml,
    seeds: trust_toml_seeds,
};

/// A trust configuration is written as one that reads back equal; certificates it names are read within bounds.
fn trust_toml(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::refused(&"not UTF-8") };
    let config = match TrustConfig::parse(text) {
        Ok(config) => config,
        Err(error) => return Seen::refused(&told(&error)),
    };
    let again = TrustConfig::parse(&config.to_toml()).expect("what we write we read");
    assert_eq!(again, config, "a trust configuration does not come back");
    for file in config.files() {
        assert!(
            !file.starts_with('/') && file.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{file:?} leaves the directory"
        );
    }
    match TrustRoot::new(config, |_| Some(crate::proofs::ROOT_PEM.as_bytes().to_vec())) {
        Ok(root) => Seen::accepted(root.anchors().len().min(4) as u64),
        Err(error) => Seen::refused(&told(&error)),
    }
}

fn trust_toml_seeds() -> Vec<Vec<u8>> {
    vec![crate::proofs::TRUST_TOML.as_bytes().to_vec(), b"version = 1\n".to_vec()]
}
