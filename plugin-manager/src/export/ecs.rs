//! Elastic Common Schema 8.17. What it has no field for is under `forgeone`.

use super::Event;
use super::event::Who;
use serde_json::{Map, Value, json};

/// The document of this record.
pub(super) fn event(event: &Event) -> Value {
    let (category, kinds) = sorts(event);
    let outcome = if event.outcome() == "ok" { "success" } else { "failure" };
    let mut about = json!({
        "kind": if event.severity() > 2 { "alert" } else { "event" },
        "category": [category], "type": kinds, "action": event.action(), "outcome": outcome,
        "sequence": event.seq(), "id": format!("{}/{}", event.text("/node"), event.seq()),
        "provider": "forgeone", "module": "forgeone", "dataset": "forgeone.audit", "severity": event.severity(),
    });
    set(&mut about, "code", event.text("/code"));
    set(&mut about, "start", event.text("/first"));
    set(&mut about, "end", event.text("/last"));
    let mut to = json!({
        "@timestamp": event.text("/t"), "ecs": { "version": "8.17.0" }, "message": event.sentence(),
        "host": { "name": event.text("/node") }, "event": about, "forgeone": event.value(),
    });
    if let Some(to) = to.as_object_mut() {
        who(to, event);
    }
    to
}

fn who(to: &mut Map<String, Value>, event: &Event) {
    match event.who() {
        Who::Plugin(name) => {
            let mut package = json!({ "name": name, "type": "forgepkg" });
            set(&mut package, "version", event.text("/actor/version"));
            set(&mut package, "checksum", event.text("/actor/digest"));
            to.insert("package".to_owned(), package);
            to.insert("service".to_owned(), json!({ "name": name }));
        }
        Who::User(name) => {
            let mut user = json!({ "name": name });
            if let (Some(roles), Some(user)) = (event.value().pointer("/actor/roles"), user.as_object_mut()) {
                user.insert("roles".to_owned(), roles.clone());
            }
            to.insert("user".to_owned(), user);
        }
        Who::Host(name) => {
            to.insert("service".to_owned(), json!({ "name": name }));
        }
    }
    if event.text("/actor/plugin").is_empty() && event.text("/resource/kind") == "plugin" {
        let mut package = json!({ "name": event.text("/resource/name"), "type": "forgepkg" });
        set(&mut package, "version", event.detail("version"));
        set(&mut package, "checksum", event.detail("manifest"));
        to.insert("package".to_owned(), package);
    }
}

fn set(to: &mut Value, key: &str, text: &str) {
    if let Some(to) = to.as_object_mut().filter(|_| !text.is_empty()) {
        to.insert(key.to_owned(), Value::from(text));
    }
}

/// `event.category` and `event.type`, of the values the schema allows.
fn sorts(event: &Event) -> (&'static str, Vec<&'static str>) {
    let (category, kind) = match (event.kind(), event.action()) {
        ("detection", _) => ("intrusion_detection", "info"),
        ("management", "install") => ("package", "installation"),
        ("management", "remove") => ("package", "deletion"),
        ("management", "upgrade" | "rollback" | "approve" | "trial") => ("package", "change"),
        ("management", "start") => ("process", "start"),
        ("management", "stop" | "pause") => ("process", "end"),
        ("management", "configure") => ("configuration", "change"),
        ("management", key) if key.starts_with("key_") => ("iam", "change"),
        ("lifecycle", "start") => ("process", "start"),
        ("lifecycle", "stopped" | "unload") => ("process", "end"),
        ("lifecycle" | "call", _) => ("process", "info"),
        ("host_call" | "denial", action) => match action.split_once('_').map_or(action, |(head, _)| head) {
            "kv" | "object" => ("database", "access"),
            "file" | "dir" => ("file", "access"),
            "http" => ("network", "access"),
            _ => ("api", "access"),
        },
        _ => ("host", "info"),
    };
    let ending = match event.outcome() {
        "denied" => Some("denied"),
        "failed" | "limit" if category == "package" || category == "process" || category == "host" => {
            Some("error")
        }
        _ => None,
    };
    (category, std::iter::once(kind).chain(ending.filter(|_| category != "database")).collect())
}
