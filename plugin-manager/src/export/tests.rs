//! Every kind of record in every format: what receivers rely on is there, and nothing breaks a line.

use super::*;
use serde_json::{Value, json};

fn event(type_: &str, action: &str, outcome: &str, more: Value) -> Event {
    let mut record = json!({
        "v": 1, "seq": 7, "t": "2026-11-21T08:33:40.392Z", "mono_ns": 5, "node": "n1", "boot": "b", "type": type_,
        "outcome": outcome, "actor": { "plugin": "red|actor", "version": "1.0.0", "digest": format!("sha256:{}", "a".repeat(64)),
        "publisher": "acme", "instance": 0 }, "action": action, "resource": { "kind": "key", "name": "a=b]\"c" },
        "prev": "0".repeat(64),
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    Event::parse(7, &record.to_string()).unwrap()
}

fn every() -> Vec<Event> {
    let user = json!({ "actor": { "user": "ann", "roles": ["admin"] }, "resource": { "kind": "plugin", "name": "p" } });
    let host = json!({ "actor": { "host": "audit" }, "resource": { "kind": "log", "name": "" } });
    let mut all = Vec::new();
    for verb in [
        "install",
        "remove",
        "start",
        "stop",
        "pause",
        "resume",
        "release",
        "upgrade",
        "rollback",
        "trial",
        "open",
        "key_init",
        "key_revoke",
        "call",
        "configure",
        "erase",
        "review",
        "read",
        "directory",
        "offer",
    ] {
        for outcome in ["ok", "denied", "failed"] {
            all.push(event("management", verb, outcome, user.clone()));
        }
    }
    let mut approve = user.clone();
    approve["details"] = json!({ "accepted_permissions": "network:connect storage:get" });
    all.push(event("management", "approve", "ok", approve));
    let mut weak = user;
    weak["details"] = json!({ "weakened": "security.verify_signatures" });
    all.push(event("management", "open", "ok", weak));
    for step in ["init", "ready", "start", "stop", "stopped", "pause", "quarantine", "unload"] {
        all.push(event("lifecycle", step, "ok", json!({ "resource": { "kind": "plugin", "name": "p" } })));
        all.push(event(
            "lifecycle",
            step,
            "failed",
            json!({ "code": "E4001", "details": { "why": "trap" } }),
        ));
    }
    for call in
        ["call:redact", "kv_get", "kv_set", "file_delete", "event_emit", "http_request", "time_now", "log"]
    {
        all.push(event("host_call", call, "ok", json!({})));
        all.push(event("denial", call, "denied", json!({ "details": { "reason": "no policy permits it" } })));
    }
    let sum = json!({ "n": 9, "errors": 1, "first": "2026-11-21T08:33:40.000Z", "last": "2026-11-21T08:33:40.999Z", "latency_ms": 3 });
    all.push(event("host_call", "kv_get", "ok", sum));
    all.push(event("call", "call", "limit", json!({ "details": { "function": "operation spin" } })));
    all.push(event("call", "call", "failed", json!({ "details": { "function": "operation greet" } })));
    all.push(event("detection", "load_code", "failed", json!({ "actor": { "host": "loader" } })));
    all.push(event("audit", "torn_tail_cut", "failed", host.clone()));
    all.push(event("audit", "segments_removed", "ok", host));
    for outcome in ["ok", "failed"] {
        let fall = json!({ "actor": { "user": "person-1", "commitment": "sha256:00" }, "resource": { "kind": "plugin", "name": "p" } });
        all.push(event("trust", "trust_class", outcome, fall));
    }
    all.push(event("label", "kv_get", "ok", json!({ "details": { "label": "secret" } })));
    all.push(event("outcome", "install", "failed", json!({ "actor": { "user": "ann" } })));
    all
}

#[test]
fn a_type_of_ocsf_is_its_class_and_activity_and_extras_are_unmapped() {
    for event in every() {
        let to: Value = serde_json::from_str(&Format::Ocsf.line(&event)).unwrap();
        let number = |key: &str| to[key].as_u64().unwrap();
        assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
        assert_eq!(number("category_uid"), number("class_uid") / 1000);
        assert_eq!(&to["unmapped"], event.value());
        assert_eq!(to["time"], 1_795_250_020_392_u64);
        assert_eq!(to["metadata"]["sequence"], 7);
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs PyPI ocsf-json-schema"]
fn interop_every_ocsf_event_is_of_its_schema() {
    let lines: Vec<String> = every().iter().map(|event| Format::Ocsf.line(event)).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/ocsf.py");
    let mut child = std::process::Command::new("python")
        .arg(script)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.join("\n").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let seen: std::collections::BTreeMap<String, usize> = serde_json::from_slice(&out.stdout).unwrap();
    assert!(out.status.success());
    assert_eq!(seen.values().sum::<usize>(), lines.len(), "{seen:?}");
    assert_eq!(seen.len(), 7, "every class: {seen:?}");
}

#[test]
fn every_class_of_the_design_is_used() {
    let uid = |event: &Event| {
        serde_json::from_str::<Value>(&Format::Ocsf.line(event)).unwrap()["class_uid"].as_u64().unwrap()
    };
    let used: std::collections::BTreeSet<u64> = every().iter().map(uid).collect();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [1005, 2003, 2004, 3003, 3004, 6002, 6003]);
}

#[test]
fn a_line_is_one_line_whatever_the_record_holds() {
    let nasty = json!({ "resource": { "kind": "key", "name": "a\nb\r\u{1b}[31m\u{85}" }, "actor": { "user": "x\ny" } });
    for format in Format::ALL {
        for event in every().into_iter().chain([event("host_call", "kv\nset", "ok", nasty.clone())]) {
            for line in [format.line(&event), format.message(&event)] {
                assert!(!line.contains(['\n', '\r', '\u{1b}']), "{format}: {line}");
            }
        }
    }
}

#[test]
fn a_syslog_message_has_the_number_and_the_record_whose_hash_is_in_the_tree() {
    let event = event("denial", "kv_set", "denied", json!({ "code": "E2002" }));
    let message = Format::Rfc5424.line(&event);
    let want = "<108>1 2026-11-21T08:33:40.392Z n1 forgeone - kv_set [forgeone@32473 seq=\"7\" type=\"denial\" \
                outcome=\"denied\" code=\"E2002\" plugin=\"red|actor\"] ";
    assert_eq!(message.strip_prefix(want), Some(event.line()));
    assert_eq!(Format::Jsonl.line(&event), event.line());
    assert!(Format::Cef.message(&event).contains("] CEF:0|ForgeOne|"));
}

#[test]
fn cef_escapes_what_would_end_a_field() {
    let line = Format::Cef.line(&event("host_call", "kv_set", "ok", json!({})));
    let head = format!(
        "CEF:0|ForgeOne|Plugin Manager|{}|host_call:kv_set|plugin red\\|actor: kv_set on key a=b]\"c: ok|2|rt=",
        env!("CARGO_PKG_VERSION")
    );
    assert!(line.starts_with(&head), "{line}");
    assert!(
        line.contains(" externalId=7 act=kv_set outcome=ok cnt=1 sourceServiceName=red|actor "),
        "{line}"
    );
    assert!(line.contains(" cs3Label=resourceKind cs3=key cs4Label=resource cs4=a\\=b]\"c "), "{line}");
    assert!(!line.contains("cs5Label"), "nothing is labelled that is not there: {line}");
}

#[test]
fn ecs_says_what_happened_in_words_of_its_schema() {
    let categories = [
        "api",
        "configuration",
        "database",
        "file",
        "host",
        "iam",
        "intrusion_detection",
        "network",
        "package",
        "process",
    ];
    let kinds = [
        "access",
        "change",
        "creation",
        "deletion",
        "denied",
        "end",
        "error",
        "info",
        "installation",
        "start",
    ];
    for event in every() {
        let to: Value = serde_json::from_str(&Format::Ecs.line(&event)).unwrap();
        assert!(categories.contains(&to["event"]["category"][0].as_str().unwrap()));
        for kind in to["event"]["type"].as_array().unwrap() {
            assert!(kinds.contains(&kind.as_str().unwrap()), "{to}");
        }
        assert_eq!(to["event"]["sequence"], 7);
        assert_eq!(&to["forgeone"], event.value());
    }
}

#[test]
fn conditions_hold_of_members_lists_and_what_is_not_there() {
    let event =
        event("host_call", "kv_set", "ok", json!({ "decision": { "policies": ["p1", "p2"], "epoch": 4 } }));
    for (condition, holds) in [
        ("actor.publisher=acme", true),
        ("action~set", true),
        ("action!=kv_set", false),
        ("decision.policies=p2", true),
        ("decision.policies!=p2", false),
        ("decision.epoch=4", true),
        ("code=", true),
        ("code!=E1", true),
        ("details.x=y", false),
    ] {
        let selection = Selection { conditions: vec![condition.parse().unwrap()], ..Selection::default() };
        assert_eq!(selection.has(&event), holds, "{condition}");
    }
    for wrong in ["", "a", "=x", "a!b", "a b=c", "a<b"] {
        assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
    }
}

#[test]
fn moments_are_days_or_seconds_in_utc_and_a_span_has_its_beginning_and_not_its_end() {
    assert_eq!(Selection::moment("1970-01-02").unwrap(), 86_400_000);
    assert_eq!(Selection::moment("2000-02-29T00:00:00Z").unwrap(), 951_782_400_000);
    for wrong in [
        "",
        "2026",
        "2026-13-01",
        "2026-11-21T25:00:00Z",
        "2026-11-21 10:00:00",
        "2026-11-21T10:00:00+01:00",
        "é026-11-21",
    ] {
        assert!(Selection::moment(wrong).is_err(), "{wrong}");
    }
    let at = 1_795_250_020_392;
    let has = |since, until| {
        Selection { since, until, conditions: Vec::new() }.has(&event("host_call", "kv_set", "ok", json!({})))
    };
    assert!(has(Some(at), Some(at + 1)) && !has(Some(at + 1), None) && !has(None, Some(at)));
}

#[test]
fn what_is_no_record_is_an_error_with_its_number() {
    assert_eq!(Event::parse(3, "{").unwrap_err().to_string(), "record 3 cannot be read");
}
