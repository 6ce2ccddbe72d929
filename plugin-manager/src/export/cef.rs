//! ArcSight Common Event Format, version 0: seven header fields and key-value pairs.

use super::Event;
use super::event::Who;
use std::fmt::Write as _;

/// The line of this record.
pub(super) fn event(event: &Event) -> String {
    let severity = match event.severity() {
        1 => 2,
        2 => 4,
        3 => 6,
        _ => 9,
    };
    let class = format!("{}:{}", event.kind(), event.action());
    let mut to = String::from("CEF:0|ForgeOne|Plugin Manager|");
    for field in [env!("CARGO_PKG_VERSION"), &class, &event.sentence()] {
        header(&mut to, field);
        to.push('|');
    }
    let _ = write!(to, "{severity}|");
    let mut pairs = vec![
        ("rt", event.millis().to_string()),
        ("dvchost", event.text("/node").to_owned()),
        ("externalId", event.seq().to_string()),
        ("act", event.action().to_owned()),
        ("outcome", event.outcome().to_owned()),
        ("cnt", event.count().to_string()),
        ("reason", event.text("/code").to_owned()),
    ];
    pairs.extend(match event.who() {
        Who::Plugin(name) => vec![
            ("sourceServiceName", name.to_owned()),
            ("fileHash", event.text("/actor/digest").to_owned()),
            ("cs1Label", "pluginVersion".to_owned()),
            ("cs1", event.text("/actor/version").to_owned()),
            ("cs2Label", "publisher".to_owned()),
            ("cs2", event.text("/actor/publisher").to_owned()),
        ],
        Who::User(name) => vec![("suser", name.to_owned())],
        Who::Host(name) => vec![("sproc", name.to_owned())],
    });
    let details = event.value().get("details").map(ToString::to_string).unwrap_or_default();
    pairs.extend([
        ("cs3Label", "resourceKind".to_owned()),
        ("cs3", event.text("/resource/kind").to_owned()),
        ("cs4Label", "resource".to_owned()),
        ("cs4", event.text("/resource/name").to_owned()),
        ("cs5Label", "details".to_owned()),
        ("cs5", details),
        ("cs6Label", "prev".to_owned()),
        ("cs6", event.text("/prev").to_owned()),
    ]);
    for label in pairs.chunk_by(|a, b| a.0.strip_suffix("Label") == Some(b.0)) {
        if label.last().is_some_and(|(_, value)| !value.is_empty()) {
            for (key, value) in label {
                extension(&mut to, key, value);
            }
        }
    }
    to
}

fn header(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '|' | '\\' => to.extend(['\\', c]),
            c if c.is_control() => to.push(' '),
            c => to.push(c),
        }
    }
}

fn extension(to: &mut String, key: &str, value: &str) {
    if !to.ends_with('|') {
        to.push(' ');
    }
    to.push_str(key);
    to.push('=');
    for c in value.chars() {
        match c {
            '=' | '\\' => to.extend(['\\', c]),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            c if c.is_control() => to.push(' '),
            c => to.push(c),
        }
    }
}
