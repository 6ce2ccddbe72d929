//! OCSF 1.8: one event a record. What the schema has no attribute for is under `unmapped`, and nowhere else.

use super::Event;
use super::event::Who;
use super::ocsf_class::{self, API, AUTHORIZE, COMPLIANCE, Class, DETECTION, ENTITY, LIFECYCLE, MODULE};
use serde_json::{Map, Value, json};

const VERSION: &str = "1.8.0";

/// The event of this record.
pub(super) fn event(event: &Event) -> Value {
    let class = ocsf_class::of(event);
    let mut to = Map::new();
    base(&mut to, event, class);
    let mut put = |key: &str, value: Value| {
        to.insert(key.to_owned(), value);
    };
    match class.class {
        LIFECYCLE => {
            put("app", app(event));
        }
        MODULE => {
            put("actor", actor(event));
            put("device", device(event));
            put("module", module(event));
        }
        API => {
            put("actor", actor(event));
            put("api", json!({ "operation": event.action(), "service": { "name": "forgeone" } }));
            put("src_endpoint", endpoint(event));
            put("resources", json!([resource(event)]));
        }
        AUTHORIZE => {
            put("actor", actor(event));
            put("src_endpoint", endpoint(event));
            put("user", json!({ "name": event.text("/resource/name"), "type_id": 4 }));
            let granted: Vec<&str> = event.detail("accepted_permissions").split_whitespace().collect();
            put("privileges", if granted.is_empty() { json!(["none added"]) } else { json!(granted) });
        }
        ENTITY => {
            put("actor", actor(event));
            put("src_endpoint", endpoint(event));
            put("entity", entity(event));
        }
        DETECTION | COMPLIANCE => finding(event, class, &mut put),
        _ => {}
    }
    Value::Object(to)
}

fn base(to: &mut Map<String, Value>, event: &Event, class: Class) {
    let is_finding = class.category == 2;
    let mut put = |key: &str, value: Value| {
        to.insert(key.to_owned(), value);
    };
    put("class_uid", class.class.into());
    put("category_uid", class.category.into());
    put("activity_id", class.activity.into());
    put("type_uid", (class.class * 100 + class.activity).into());
    put("severity_id", event.severity().into());
    put("time", event.millis().into());
    put("message", event.sentence().into());
    // Of a finding, 1 means new.
    put("status_id", if is_finding || event.outcome() == "ok" { 1 } else { 2 }.into());
    if class.activity == 99 {
        put("activity_name", event.action().into());
    }
    if !event.text("/code").is_empty() {
        put("status_code", event.text("/code").into());
    }
    let why = [event.detail("reason"), event.detail("why")].into_iter().find(|w| !w.is_empty());
    if let Some(why) = why {
        put("status_detail", why.into());
    }
    if let Some(n) = event.number("n") {
        put("count", n.into());
        put("start_time", event.millis_of("first").unwrap_or_default().into());
        put("end_time", event.millis_of("last").unwrap_or_default().into());
    }
    put(
        "metadata",
        json!({
            "version": VERSION, "sequence": event.seq(), "uid": format!("{}/{}", event.text("/node"), event.seq()),
            "log_name": "audit", "log_provider": "forgeone", "original_time": event.text("/t"),
            "product": { "name": "ForgeOne Plugin Manager", "vendor_name": "ForgeOne", "version": env!("CARGO_PKG_VERSION") },
        }),
    );
    put("unmapped", event.value().clone());
}

fn host(event: &Event) -> &str {
    event.text("/node")
}

/// Where attributes of the profile `host` are the class's own.
fn device(event: &Event) -> Value {
    json!({ "hostname": host(event), "type_id": 0 })
}

fn endpoint(event: &Event) -> Value {
    json!({ "hostname": host(event) })
}

fn app(event: &Event) -> Value {
    let name = event.plugin();
    if name.is_empty() {
        return json!({ "name": "forgeone", "vendor_name": "ForgeOne" });
    }
    let versions = [event.text("/actor/version"), event.detail("version")];
    let vendors = [event.text("/actor/publisher"), event.detail("publisher")];
    let mut app = json!({ "name": name });
    for (key, found) in [("version", versions), ("vendor_name", vendors)] {
        if let (Some(text), Some(app)) = (found.into_iter().find(|t| !t.is_empty()), app.as_object_mut()) {
            app.insert(key.to_owned(), text.into());
        }
    }
    app
}

fn actor(event: &Event) -> Value {
    match event.who() {
        Who::User(name) => json!({ "user": { "name": name, "type_id": 1 } }),
        Who::Plugin(name) => json!({ "app_name": name, "app_uid": event.text("/actor/digest") }),
        Who::Host(name) => json!({ "app_name": format!("forgeone {name}") }),
    }
}

fn module(event: &Event) -> Value {
    let function = event.action().strip_prefix("call:").unwrap_or(match event.detail("function") {
        "" => event.action(),
        function => function,
    });
    let mut file = json!({ "name": format!("{}.wasm", event.plugin()), "type_id": 1 });
    let digest = event.text("/actor/digest").strip_prefix("sha256:");
    if let (Some(value), Some(file)) = (digest, file.as_object_mut()) {
        file.insert("hashes".to_owned(), json!([{ "algorithm_id": 3, "value": value }]));
    }
    json!({ "function_name": function, "file": file })
}

fn resource(event: &Event) -> Value {
    let (kind, name) = (event.text("/resource/kind"), event.text("/resource/name"));
    json!({ "type": kind, "name": if name.is_empty() { kind } else { name } })
}

fn entity(event: &Event) -> Value {
    let kind = match event.detail("change") {
        "" => event.text("/resource/kind"),
        change => change,
    };
    let name = match event.text("/resource/name") {
        "" => kind,
        name => name,
    };
    let type_id = match (kind, event.action()) {
        ("policies", _) => 5,
        (_, "erase") => 2,
        _ => 99,
    };
    json!({ "name": name, "type": kind, "type_id": type_id })
}

fn finding(event: &Event, class: Class, put: &mut impl FnMut(&str, Value)) {
    let uid = format!("{}/{}", host(event), event.seq());
    put("device", device(event));
    put("evidences", json!([{ "actor": actor(event) }]));
    put("finding_info", json!({ "uid": uid, "title": format!("{}: {}", event.action(), event.outcome()) }));
    put("resources", json!([resource(event)]));
    if class.class == COMPLIANCE {
        let control = event.detail("weakened");
        put(
            "compliance",
            json!({ "control": control, "standards": ["ForgeOne security defaults"], "status_id": 3 }),
        );
    }
}
