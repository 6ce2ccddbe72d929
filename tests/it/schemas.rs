//! The committed JSON Schemas say what the parsers do: the same keys, the same required ones, the same words; and
//! over thousands of mutated documents an outside validator and the parser give the same verdict.

use common::permission::Capability;
use forgeone_tests::{World, workspace_root};
use plugin_manager::{Config, Manifest, PluginToml};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of the three documents: its schema, its parser, and a document with every key.
struct Kind {
    name: &'static str,
    schema: Value,
    full: Value,
    /// The parser's complaint about a document; nothing when it is accepted.
    parse: fn(&Value) -> Result<(), String>,
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain);
    source.map_or_else(|| error.to_string(), |below| format!("{error}: {below}"))
}

fn kinds() -> [Kind; 3] {
    let schema = |text: &str| serde_json::from_str(text).expect("a schema is JSON");
    [
        Kind {
            name: "plugin-manager",
            schema: schema(Config::JSON_SCHEMA),
            full: full_config(),
            parse: |v| Config::parse("x.yaml", &v.to_string()).map(drop).map_err(|e| chain(&e)),
        },
        Kind {
            name: "manifest",
            schema: schema(Manifest::JSON_SCHEMA),
            full: full_manifest(),
            parse: |v| Manifest::from_json(v.to_string().as_bytes()).map(drop).map_err(|e| chain(&e)),
        },
        Kind {
            name: "plugin-toml",
            schema: schema(PluginToml::JSON_SCHEMA),
            full: full_toml(),
            parse: |v| {
                let text = toml::to_string(v).map_err(|e| e.to_string())?;
                PluginToml::parse(&text).map(drop).map_err(|e| chain(&e))
            },
        },
    ]
}

fn full_config() -> Value {
    json!({ "plugin_manager": {
        "environment": "development", "engine": "wasmtime", "plugin_directory": "/var/lib/forgeone/plugins",
        "directory": {"settle": "1s", "rescan": "10s", "allow_downgrade": false},
        "temp_directory": "/tmp/forgeone/plugins", "max_plugins": 1000, "default_timeout": "30s",
        "sandbox": { "memory_limit": "512MB", "cpu_limit": 2, "file_descriptor_limit": 1024,
            "network_access": "restricted", "storage_limit": "256MB" },
        "telemetry": { "metrics_enabled": true, "tracing_enabled": true, "log_level": "info",
            "prometheus_endpoint": "/metrics" },
        "security": { "verify_signatures": false, "enforce_permissions": true, "audit_logging": true,
            "namespace_isolation": false, "native_plugins": true },
        "limits": {
            "host_calls_per_second": 10_000_000, "effects_per_second": 100_000,
            "queue_length": 1024, "call_threads": 8, "call_queue": 4096,
        },
        "network": { "tls_roots": "/etc/ssl/certs/ca-certificates.crt", "plain_http": ["metrics.local:9100"],
            "private_ranges": ["10.1.0.0/16"], "redirects": 5, "request_timeout": "30s", "response_limit": "16MB",
            "requests_at_once": 8, "requests_per_second": 100, "bytes_per_second": "16MB" },
        "objects": { "object_limit": "16MB", "request_timeout": "30s", "requests_at_once": 8,
            "requests_per_second": 100, "bytes_per_second": "16MB",
            "folders": { "reports": { "path": "/srv/reports", "capacity": "1GB", "entries": 100_000 } },
            "s3": { "media": { "endpoint": "https://s3.example.com", "region": "eu-1", "bucket": "acme-media",
                "prefix": "plugins", "access_key": "s3/key", "secret_key": "s3/secret", "session_token": "s3/token",
                "private_ranges": ["10.1.0.0/16"], "plain_http": false } } },
        "auth": { "issuers": [
            { "issuer": "https://id.example.com", "audiences": ["forge"], "algorithms": ["ES256"],
                "keys": "https://id.example.com/keys", "leeway": "30s", "refresh": "10m" },
        ] },
        "audit": { "detail": "rate", "detail_rate": 1000, "strict": false, "journal": "mapped", "node": "n1",
            "segment_size": "1MiB", "retain_size": "1GiB", "retain_for": "90d", "warn_free": "1GiB",
            "refuse_free": "100MiB", "witnesses": [], "redact": ["key"],
            "checkpoints": { "file": "/x/kept", "syslog": "tcp:host:601", "webhook": "https://h/x",
                "webhook_ca": "/x/ca.pem" } },
        "supervision": supervision(),
        "keys": { "warn_before": "30d" },
        "trust_score": { "attested": 100, "unattested": 80, "reduced_below": 60, "quarantined_below": 20,
            "recovery": 10, "severity": 100, "learning": "1h", "factor": 8, "least": 100,
            "on_quarantined": "tell" },
        "reviews": { "every": "90d" },
        "plugins": { "log-redactor": {
            "config": { "rules": "email" }, "env": { "MODE": "x" }, "supervision": supervision() } },
    }})
}

fn supervision() -> Value {
    json!({ "restart": "always", "backoff": { "first": "1s", "max": "1m", "jitter": 20 },
        "budget": { "restarts": 5, "within": "10m" }, "on_budget_spent": "quarantine",
        "health": { "operation": "check", "status": "calls", "every": "30s", "timeout": "5s", "failures": 3 },
        "dependents": "tell" })
}

fn sections() -> Value {
    json!({
        "entry_points": { "init": "plugin_init", "start": "start", "stop": "stop", "pause": "pause",
            "resume": "resume", "unload": "unload" },
        "operations": [{ "name": "redact", "description": "…", "input": "text/plain", "output": "text/plain" }],
        "dependencies": { "common": "^1.0.0", "pii-rules": "^2.1" },
        "permissions": {
            "filesystem": ["read:/data/**", "list"], "storage": ["get", "set:a/*"],
            "objects": ["get:reports/**", "list"], "network": ["connect:*.example.com:8000-8100"], "secrets": ["use:token"], "env": ["read"],
            "config": ["read"], "plugins": ["call:pii-rules"], "auth": ["verify"],
            "observability": ["metric", "trace"], "clock": ["now"], "random": ["bytes"] },
        "limits": { "memory": "64MB", "timeout": "5s", "fuel": 1000 },
        "instances": { "mode": "pooled", "max": 4, "warm": 2 },
    })
}

fn head() -> Value {
    json!({ "name": "log-redactor", "version": "1.2.0-rc.1+b", "publisher": "acme", "description": "Masks",
        "author": "ForgeOne Team", "license": "MIT", "abi": 1, "engine": "any" })
}

fn merged(parts: &[Value]) -> Value {
    let all = parts.iter().filter_map(Value::as_object).flatten();
    Value::Object(all.map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn full_manifest() -> Value {
    let digest = format!("sha256:{}", "0".repeat(64));
    merged(&[head(), sections(), json!({ "schema": 1, "files": { "plugin.wasm": digest } })])
}

fn full_toml() -> Value {
    merged(&[json!({ "plugin": head() }), sections()])
}

/// The pointers of every value below this one.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (escape(k), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let pointer = format!("{at}/{key}");
        into.push(pointer.clone());
        pointers(child, &pointer, into);
    }
}

fn all_pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(value, "", &mut found);
    found
}

/// The part of a schema that is for the value at this pointer.
fn part<'s>(schema: &'s Value, pointer: &str) -> &'s Value {
    let resolve = |mut s: &'s Value| {
        while let Some(reference) = s["$ref"].as_str() {
            s = schema.pointer(&reference[1..]).expect("a definition");
        }
        s
    };
    pointer.split('/').skip(1).fold(resolve(schema), |s, key| {
        let key = key.replace("~1", "/");
        let below = [&s["properties"][&key], &s["items"], &s["additionalProperties"]];
        resolve(below.into_iter().find(|b| b.is_object()).unwrap_or_else(|| panic!("no schema at {pointer}")))
    })
}

fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).expect("there") = value;
    changed
}

fn without(document: &Value, pointer: &str) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("below the top");
    match changed.pointer_mut(parent).expect("there") {
        Value::Object(map) => drop(map.remove(&key.replace("~1", "/"))),
        Value::Array(list) => drop(list.remove(key.parse().expect("an index"))),
        other => panic!("{other} has no children"),
    }
    changed
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn the_documents_with_every_key_are_accepted_and_complete() {
    for kind in kinds() {
        (kind.parse)(&kind.full).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
        for pointer in all_pointers(&kind.full).iter().chain([&String::new()]) {
            let Some(known) = part(&kind.schema, pointer)["properties"].as_object() else { continue };
            let there = kind.full.pointer(pointer).and_then(Value::as_object).expect("a table");
            let (known, there): (BTreeSet<_>, BTreeSet<_>) = (known.keys().collect(), there.keys().collect());
            assert_eq!(known, there, "{} {pointer}", kind.name);
        }
    }
}

#[test]
fn a_schema_has_exactly_the_keys_its_parser_knows() {
    for kind in kinds() {
        for pointer in all_pointers(&kind.full).iter().chain([&String::new()]) {
            let part = part(&kind.schema, pointer);
            let Some(known) = part["properties"].as_object() else { continue };
            assert_eq!(part["additionalProperties"], false, "{} {pointer}", kind.name);
            let mut document = kind.full.clone();
            document.pointer_mut(pointer).expect("there")["zzqqzzqq"] = json!(1);
            let refused = (kind.parse)(&document).expect_err(pointer);
            if pointer.ends_with("/permissions") {
                let families: BTreeSet<&str> = Capability::all().map(Capability::family).collect();
                assert_eq!(known.keys().map(String::as_str).collect::<BTreeSet<_>>(), families);
                continue;
            }
            let (_, list) = refused.rsplit_once("known keys are ").unwrap_or_else(|| panic!("{refused}"));
            let parsed: BTreeSet<&str> = list.split(", ").collect();
            assert_eq!(known.keys().map(String::as_str).collect::<BTreeSet<_>>(), parsed, "{pointer}");
        }
    }
}

#[test]
fn a_schema_requires_exactly_what_its_parser_misses() {
    for kind in kinds() {
        for pointer in all_pointers(&kind.full) {
            let (parent, key) = pointer.rsplit_once('/').expect("below the top");
            let part = part(&kind.schema, parent);
            if !part["properties"].is_object() {
                continue;
            }
            let required = strings(&part["required"]).contains(key);
            // Without `environment` it is production, which allows no weakened default.
            let left = without(&kind.full, &pointer);
            let missed = (kind.parse)(&left).is_err_and(|e| e.contains("is missing"));
            assert_eq!(required, missed, "{} {pointer}", kind.name);
        }
    }
}

#[test]
fn a_schema_has_exactly_the_words_its_parser_knows() {
    for kind in kinds() {
        for pointer in all_pointers(&kind.full) {
            let words = strings(&part(&kind.schema, &pointer)["enum"]);
            if words.is_empty() {
                continue;
            }
            let refused = (kind.parse)(&with(&kind.full, &pointer, json!("zzqqzzqq"))).expect_err(&pointer);
            let (_, list) = refused.rsplit_once("must be one of ").unwrap_or_else(|| panic!("{refused}"));
            assert_eq!(words, list.split(", ").map(str::to_owned).collect(), "{pointer}: {refused}");
        }
    }
}

#[test]
fn a_default_in_the_schema_is_the_default() {
    let kind = &kinds()[0];
    let mut set = 0;
    for pointer in all_pointers(&kind.full) {
        let default = &part(&kind.schema, &pointer)["default"];
        if default.is_null() {
            continue;
        }
        let mut document = json!({});
        let keys: Vec<&str> = pointer.split('/').skip(1).collect();
        keys.iter().fold(&mut document, |at, key| &mut at[*key]).clone_from(default);
        let read = Config::parse("x.yaml", &document.to_string()).expect("a default is valid");
        assert_eq!(read, Config::default(), "{pointer}");
        set += 1;
    }
    assert!(set >= 20, "{set}");
}

#[test]
fn forgeone_prints_the_committed_schemas() {
    let world = World::development();
    for kind in kinds() {
        let file = workspace_root().join(format!("plugin-manager/schemas/{}.schema.json", kind.name));
        assert_eq!(world.run(&["schema", kind.name]).ok().stdout, std::fs::read(file).unwrap());
    }
    world.run(&["schema", "other"]).fails(2, "E0101");
}

/// What a schema cannot say: relations between values, and how many bytes a size is.
fn only_the_parser_knows(verdict: &Result<(), String>) -> bool {
    let beyond = [
        "is there twice",
        "is an entry point",
        "one page of 64KiB",
        "64KiB, one page",
        "at most 24h",
        "must be at least audit.refuse_free",
        "must be at most `instances.max`",
        "must be verifier keys of witnesses",
    ];
    verdict.as_ref().is_err_and(|e| beyond.iter().any(|known| e.contains(known)))
}

/// Documents a step away from a good one.
fn mutated(kind: &Kind) -> Vec<(String, Value)> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(5),
        json!(5_000_000_000_u64),
        json!(1.5),
        json!(""),
        json!("zzz"),
        json!("Zz z"),
        json!("../x"),
        json!("5"),
        json!("5MB"),
        json!("0s"),
        json!("10s"),
        json!("1.2"),
        json!("01.2.3"),
        json!("CON"),
        json!("common"),
        json!("init"),
        json!("a\u{202e}b"),
        json!("x".repeat(5000)),
        json!([]),
        json!(["read"]),
        json!({}),
        json!({ "zzz": "1" }),
        json!({ "../x": "1" }),
    ];
    let mut all = vec![("as it is".to_owned(), kind.full.clone())];
    for pointer in all_pointers(&kind.full) {
        let now = kind.full.pointer(&pointer).cloned().unwrap_or_default();
        all.push((format!("{pointer} removed"), without(&kind.full, &pointer)));
        // YAML reads a quoted number as a number where one is wanted; a schema has no word for that.
        let quoted = |v: &Value| kind.name == "plugin-manager" && now.is_number() && *v == json!("5");
        for value in values.iter().filter(|v| !quoted(v)) {
            all.push((format!("{pointer} = {value:.60}"), with(&kind.full, &pointer, value.clone())));
        }
        if let Value::Object(mut grown) = now {
            grown.insert("zzz".to_owned(), json!("1"));
            all.push((format!("{pointer} grown"), with(&kind.full, &pointer, grown.into())));
        }
    }
    all
}

/// What the documents show between `<<'WORD'` and `WORD`.
fn shown(word: &str) -> Vec<String> {
    let guides =
        ["README.md", "plugin-manager/docs/operator-guide.md", "plugin-manager/docs/plugin-author-guide.md"];
    let read = |file: &str| std::fs::read_to_string(workspace_root().join(file)).expect("a document");
    let (open, close) = (format!("<<'{word}'\n"), format!("\n{word}\n"));
    let blocks = |text: String| -> Vec<String> {
        let begun = text.split(&open).skip(1);
        begun.filter_map(|b| b.split_once(&close)).map(|(block, _)| block.to_owned()).collect()
    };
    guides.map(read).into_iter().flat_map(blocks).collect()
}

/// Documents of this kind that people are given as examples.
fn examples(kind: &str) -> Vec<(String, Value)> {
    let toml = |text: String| {
        let value = toml::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (text, value)
    };
    let yaml = |text: String| {
        let value = common::config::from_yaml("example", &text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (text, value)
    };
    let sample = workspace_root().join("sample-plugin/plugin.toml");
    let found: Vec<_> = match kind {
        "plugin-manager" => shown("YAML").into_iter().map(yaml).collect(),
        "plugin-toml" => {
            let sample = std::fs::read_to_string(sample).expect("the sample plugin");
            shown("TOML").into_iter().chain([sample]).map(toml).collect()
        }
        _ => return Vec::new(),
    };
    assert!(found.len() > 1, "the guides show no {kind}");
    found
}

#[test]
fn the_documents_the_guides_show_are_accepted() {
    for kind in kinds() {
        for (text, value) in examples(kind.name) {
            (kind.parse)(&value).unwrap_or_else(|e| panic!("{e}:\n{text}"));
        }
    }
}

/// The files of which the outside validator says that they do not fit the schema.
fn refused_by_validator(schema: &Path, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let ran = Command::new("check-jsonschema")
        .args(["-o", "json", "--schemafile"])
        .arg(schema)
        .args(files)
        .output()
        .expect("check-jsonschema is installed: pip install check-jsonschema");
    let report: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&ran.stderr)));
    assert_eq!(report["parse_errors"], json!([]), "{report}");
    let errors = report["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().filter_map(|e| e["filename"].as_str()).map(PathBuf::from).collect()
}

#[test]
#[ignore = "run by cargo xtask interop: needs check-jsonschema"]
fn interop_schemas_and_parsers_give_the_same_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    for kind in kinds() {
        let schema = workspace_root().join(format!("plugin-manager/schemas/{}.schema.json", kind.name));
        let is_toml = kind.name == "plugin-toml";
        // TOML has no null.
        let written = |(_, v): &(String, Value)| !is_toml || !v.to_string().contains("null");
        let mut documents: Vec<_> = mutated(&kind).into_iter().filter(written).collect();
        documents.extend(examples(kind.name));
        let file = |i: usize| dir.path().join(format!("{}-{i}.json", kind.name));
        let files: Vec<PathBuf> = (0..documents.len()).map(file).collect();
        for (file, (_, document)) in files.iter().zip(&documents) {
            std::fs::write(file, document.to_string()).expect("a file");
        }
        let refused: BTreeSet<PathBuf> =
            files.chunks(500).flat_map(|some| refused_by_validator(&schema, some)).collect();
        let differs = |(file, (what, document)): (&PathBuf, &(String, Value))| {
            let verdict = (kind.parse)(document);
            let same = verdict.is_err() == refused.contains(file) || only_the_parser_knows(&verdict);
            (!same).then(|| format!("{what}: the parser says {verdict:?}"))
        };
        let differences: Vec<String> = files.iter().zip(&documents).filter_map(differs).collect();
        assert!(differences.is_empty(), "{}:\n{}", kind.name, differences.join("\n"));
        assert!(documents.len() > 500 && refused.len() > 100, "{} of {}", refused.len(), documents.len());
    }
}
