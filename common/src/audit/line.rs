//! One record as one line of JSON, whatever its text holds; and the fields that chain lines, read back.

use super::codec::{Entry, Extra, Summary};
use super::record::{Decision, Outcome};
use super::tree::Hash;
use serde::Deserialize;
use std::borrow::Cow;

/// The version of the line format: field `v`.
pub(super) const VERSION: u64 = 1;
/// Longest line that is written or believed, in bytes.
pub(super) const MAX_LINE: usize = 4 << 20;

/// What the log adds to every line.
#[derive(Debug)]
pub(super) struct Origin {
    /// `"node":"…","boot":"…",`, rendered once.
    fragment: Vec<u8>,
}

impl Origin {
    pub(super) fn new(node: &str, boot: &str) -> Self {
        let mut fragment = Vec::new();
        for (key, value) in [("node", node), ("boot", boot)] {
            escape(&mut fragment, key);
            fragment.push(b':');
            escape(&mut fragment, value);
            fragment.push(b',');
        }
        Self { fragment }
    }
}

/// Appends the line of `entry` to `to`, without its newline.
pub(super) fn write(to: &mut Vec<u8>, origin: &Origin, seq: u64, prev: &Hash, entry: &Entry<'_>) {
    number(to, "{\"v\":", VERSION);
    number(to, ",\"seq\":", seq);
    time(to, ",\"t\":", entry.wall_ns);
    number(to, ",\"mono_ns\":", entry.mono_ns);
    to.push(b',');
    to.extend_from_slice(&origin.fragment);
    text(to, "\"type\":", entry.event);
    text(to, ",\"outcome\":", entry.outcome.name());
    if let Some(code) = entry.code {
        text(to, ",\"code\":", code);
    }
    to.extend_from_slice(b",\"actor\":");
    to.extend_from_slice(entry.actor.as_bytes());
    text(to, ",\"action\":", entry.action);
    text(to, ",\"resource\":{\"kind\":", entry.resource.0);
    text(to, ",\"name\":", entry.resource.1);
    to.push(b'}');
    if let Some(decision) = &entry.decision {
        write_decision(to, entry.outcome, decision);
    }
    write_details(to, &entry.details);
    match entry.extra {
        Extra::None => {}
        Extra::Latency(ms) => number(to, ",\"latency_ms\":", ms),
        Extra::Summary(summary) => write_summary(to, &summary),
    }
    to.extend_from_slice(b",\"prev\":\"");
    hex(to, prev);
    to.extend_from_slice(b"\"}");
}

fn write_decision(to: &mut Vec<u8>, outcome: Outcome, decision: &Decision<'_>) {
    let effect = if outcome == Outcome::Denied { "deny" } else { "permit" };
    text(to, ",\"decision\":{\"effect\":", effect);
    to.extend_from_slice(b",\"policies\":[");
    let mut before: &[u8] = b"";
    for policy in decision.policies.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        to.extend_from_slice(before);
        escape(to, policy);
        before = b",";
    }
    number(to, "],\"epoch\":", decision.epoch);
    to.extend_from_slice(if decision.cached { b",\"cached\":true}" } else { b",\"cached\":false}" });
}

fn write_details(to: &mut Vec<u8>, details: &[(&str, &str)]) {
    let mut before: &[u8] = b",\"details\":{";
    for (name, value) in details {
        to.extend_from_slice(before);
        escape(to, name);
        to.push(b':');
        escape(to, value);
        before = b",";
    }
    if !details.is_empty() {
        to.push(b'}');
    }
}

fn write_summary(to: &mut Vec<u8>, summary: &Summary) {
    number(to, ",\"n\":", summary.n);
    number(to, ",\"errors\":", summary.errors);
    time(to, ",\"first\":", summary.first_ns);
    time(to, ",\"last\":", summary.last_ns);
    number(to, ",\"latency_ms\":", summary.latency_ms);
}

fn text(to: &mut Vec<u8>, before: &str, value: &str) {
    to.extend_from_slice(before.as_bytes());
    escape(to, value);
}

fn number(to: &mut Vec<u8>, before: &str, value: u64) {
    to.extend_from_slice(before.as_bytes());
    digits(to, value);
}

fn digits(to: &mut Vec<u8>, mut value: u64) {
    let start = to.len();
    loop {
        to.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if let Some(written) = to.get_mut(start..) {
        written.reverse();
    }
}

pub(super) fn hex(to: &mut Vec<u8>, hash: &Hash) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in hash {
        for nibble in [byte >> 4, byte & 15] {
            to.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
        }
    }
}

/// Appends `text` as a JSON string. Everything a terminal or a line reader could act on is escaped: the
/// control characters of ASCII, DEL, and those of U+0080 to U+009F, U+2028 and U+2029.
pub(super) fn escape(to: &mut Vec<u8>, text: &str) {
    to.push(b'"');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        to.extend_from_slice(text.as_bytes());
        return to.push(b'"');
    }
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        let (plain, tail) = rest.split_at(at);
        to.extend_from_slice(plain.as_bytes());
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            escape_char(to, c);
        }
        rest = chars.as_str();
    }
    to.extend_from_slice(rest.as_bytes());
    to.push(b'"');
}

fn special(c: char) -> bool {
    matches!(c, '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

fn escape_char(to: &mut Vec<u8>, c: char) {
    match c {
        '"' => to.extend_from_slice(b"\\\""),
        '\\' => to.extend_from_slice(b"\\\\"),
        '\n' => to.extend_from_slice(b"\\n"),
        '\r' => to.extend_from_slice(b"\\r"),
        '\t' => to.extend_from_slice(b"\\t"),
        _ => to.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
    }
}

/// The time of a record, as its line has it.
pub(super) fn time_text(wall_ns: u64) -> String {
    let mut text = Vec::new();
    time(&mut text, "", wall_ns);
    String::from_utf8_lossy(text.get(1..text.len().saturating_sub(1)).unwrap_or_default()).into_owned()
}

/// RFC 3339 in UTC, to the millisecond.
fn time(to: &mut Vec<u8>, before: &str, wall_ns: u64) {
    let ms = wall_ns / 1_000_000;
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = date(days);
    to.extend_from_slice(before.as_bytes());
    to.push(b'"');
    for (value, width, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (of_day / 3_600_000, 2, b':'),
        (of_day / 60_000 % 60, 2, b':'),
        (of_day / 1_000 % 60, 2, b'.'),
        (of_day % 1_000, 3, b'Z'),
    ] {
        padded(to, value, width);
        to.push(after);
    }
    to.push(b'"');
}

fn padded(to: &mut Vec<u8>, value: u64, width: u32) {
    for place in (0..width).rev() {
        to.push(b'0' + (value / 10_u64.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day counted from 1970-01-01. Source: the days algorithm of Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
fn date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// What of a line verification reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub seq: u64,
    pub node: String,
    pub prev: Hash,
}

#[derive(Deserialize)]
struct RawLine<'a> {
    v: u64,
    seq: u64,
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    prev: Cow<'a, str>,
}

/// Reads a line back. `None` when it is no line of this log's format.
pub(super) fn parse(line: &[u8]) -> Option<Parsed> {
    let raw: RawLine<'_> = serde_json::from_slice(line).ok()?;
    let prev = unhex(&raw.prev)?;
    (raw.v == VERSION).then(|| Parsed { seq: raw.seq, node: raw.node.into_owned(), prev })
}

fn unhex(text: &str) -> Option<Hash> {
    let digest: crate::identity::Digest = format!("sha256:{text}").parse().ok()?;
    Some(*digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::plain;
    use super::*;
    use proptest::prelude::*;

    fn line(entry: &Entry<'_>) -> String {
        let mut to = Vec::new();
        write(&mut to, &Origin::new("n\"1", "b"), 3, &[0xab; 32], entry);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn a_line_has_every_field_in_its_order() {
        let entry = Entry {
            outcome: Outcome::Denied,
            code: Some("E2002"),
            decision: Some(Decision { policies: "p1, p2", epoch: 4, cached: true }),
            details: Cow::Borrowed(&[("why", "no"), ("who", "me")]),
            extra: Extra::Summary(Summary {
                n: 9,
                errors: 1,
                first_ns: 0,
                last_ns: 999_000_000,
                latency_ms: 7,
            }),
            ..plain("a\tb")
        };
        let want = [
            r#"{"v":1,"seq":3,"t":"2023-11-14T22:13:20.123Z","mono_ns":5,"node":"n\"1","boot":"b","#,
            r#""type":"host_call","outcome":"denied","code":"E2002","actor":{"host":"t"},"action":"kv_set","#,
            r#""resource":{"kind":"key","name":"a\tb"},"#,
            r#""decision":{"effect":"deny","policies":["p1","p2"],"epoch":4,"cached":true},"#,
            r#""details":{"why":"no","who":"me"},"n":9,"errors":1,"first":"1970-01-01T00:00:00.000Z","#,
            r#""last":"1970-01-01T00:00:00.999Z","latency_ms":7,"#,
            r#""prev":"abababababababababababababababababababababababababababababababab"}"#,
        ];
        assert_eq!(line(&entry), want.concat());
        let parsed = parse(line(&entry).as_bytes()).unwrap();
        assert_eq!(parsed, Parsed { seq: 3, node: "n\"1".into(), prev: [0xab; 32] });
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ns, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999_999_999, "2000-02-29T23:59:59.999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
            (1_795_219_200_000_000_000, "2026-11-21T00:00:00.000Z"),
        ] {
            let mut to = Vec::new();
            time(&mut to, "", ns);
            assert_eq!(String::from_utf8(to).unwrap(), format!("\"{want}\""));
        }
    }

    #[test]
    fn what_is_not_a_line_of_this_format_is_not_read() {
        let good = line(&plain("x"));
        assert!(parse(good.as_bytes()).is_some());
        for bad in
            ["", "{}", "[]", &good[1..], &good.replace("\"v\":1", "\"v\":2"), &good.replace("ab", "AB")]
        {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_valid_json_line_and_reads_back(name in any::<String>(), event in any::<String>()) {
            let entry = Entry { event: &event, ..plain(&name) };
            let line = line(&entry);
            let acts = line.chars().any(|c| c.is_control() || c == '\u{2028}');
            prop_assert!(!acts);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["resource"]["name"].as_str(), Some(name.as_str()));
            prop_assert_eq!(value["type"].as_str(), Some(event.as_str()));
        }

        #[test]
        fn numbers_are_written_in_full(n: u64) {
            let mut to = Vec::new();
            digits(&mut to, n);
            prop_assert_eq!(String::from_utf8(to).unwrap(), n.to_string());
        }
    }
}
