//! RFC 5424: a header, the members that receivers sort by as structured data, and the record as the text.

use super::Event;
use super::event::Who;
use std::fmt::Write as _;

/// Facility 13, log audit.
const FACILITY: u8 = 13;

/// The message of this record; its text is the record.
pub(super) fn message(event: &Event) -> String {
    carrying(event, event.line())
}

/// A message with this text for this record.
pub(super) fn carrying(event: &Event, text: &str) -> String {
    let severity = match event.severity() {
        1 => 6,
        2 | 3 => 4,
        _ => 2,
    };
    let node = name(event.text("/node"), 255);
    let id = name(event.text("/action"), 32);
    let mut to = format!("<{}>1 {} {node} forgeone - {id} ", FACILITY * 8 + severity, event.text("/t"));
    to.push_str("[forgeone@32473");
    parameter(&mut to, "seq", &event.seq().to_string());
    parameter(&mut to, "type", event.kind());
    parameter(&mut to, "outcome", event.outcome());
    parameter(&mut to, "code", event.text("/code"));
    let (key, who) = match event.who() {
        Who::Plugin(who) => ("plugin", who),
        Who::User(who) => ("user", who),
        Who::Host(who) => ("part", who),
    };
    parameter(&mut to, key, who);
    to.push_str("] ");
    // Escaped JSON has no control characters; neither has any other text that comes here.
    to.push_str(text);
    to
}

/// A name of the header: printable ASCII without spaces, `-` when nothing is left.
fn name(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

fn parameter(to: &mut String, key: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = write!(to, " {key}=\"");
    for c in value.chars() {
        match c {
            '"' | '\\' | ']' => to.extend(['\\', c]),
            c if c.is_control() => to.push('?'),
            c => to.push(c),
        }
    }
    to.push('"');
}
