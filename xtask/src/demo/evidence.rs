//! Looks at files, records and texts without trusting what a command said about them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Kinds the sample plugin masks, as its masks name them.
const KINDS: [&str; 5] = ["email", "ipv4", "ipv6", "card", "bearer"];

/// What stands all over the default log and may not stand in its redacted copy.
const PLANTED: [&str; 9] = [
    "@example.com",
    "@example.org",
    "192.0.2.",
    "198.51.100.",
    "203.0.113.",
    "2001:db8:",
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "Bearer example-token",
];

/// Files below a directory.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).with_context(|| format!("{} is not there", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a directory with everything in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let place = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(place.parent().context("a file has a directory")?)?;
        fs::copy(&file, &place)?;
    }
    Ok(())
}

/// Flips a bit inside a record in the middle of the first audit segment; its name and the byte's offset.
pub fn flip_a_byte(audit: &Path) -> Result<(String, usize)> {
    let segment = files(audit)?.into_iter().find(|file| file.extension().is_some_and(|e| e == "jsonl"));
    let segment = segment.context("there is no audit segment")?;
    let mut bytes = fs::read(&segment)?;
    let middle = bytes.len() / 2;
    let letter =
        bytes.iter().skip(middle).position(u8::is_ascii_alphanumeric).context("the segment holds text")?;
    let offset = middle + letter;
    bytes.get_mut(offset).into_iter().for_each(|byte| *byte ^= 1);
    fs::write(&segment, bytes)?;
    Ok((segment.file_name().unwrap_or_default().to_string_lossy().into_owned(), offset))
}

/// How many lines a text has.
pub fn line_count(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Checks a redacted text against its original: as many lines, something masked, nothing planted left, no e-mail.
pub fn redacted(before: &[u8], after: &[u8]) -> Result<()> {
    ensure!(line_count(before) == line_count(after), "lines were lost or added");
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    for planted in PLANTED.iter().filter(|planted| before.contains(**planted)) {
        ensure!(!after.contains(planted), "\"{planted}\" is still in the redacted text");
    }
    match after.lines().position(has_email) {
        Some(line) => bail!("line {} still holds an e-mail address", line + 1),
        None => Ok(()),
    }
}

/// Whether a line holds something of the form `a@b.cd`, told apart from a file name such as `logo@2x.png`.
fn has_email(line: &str) -> bool {
    let local = |c: char| c.is_ascii_alphanumeric();
    line.match_indices('@').any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back()).is_some_and(local);
        let rest = line.get(at + 1..).unwrap_or_default();
        let domain = rest.split(|c: char| !local(c) && c != '.' && c != '-').next().unwrap_or_default();
        let top = domain.trim_end_matches(['.', '-']).rsplit_once('.').map_or("", |(_, top)| top);
        let file =
            ["png", "jpg", "jpeg", "gif", "webp", "avif", "ico"].contains(&top.to_ascii_lowercase().as_str());
        before && !file && top.len() >= 2 && top.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// How many masks of each kind the redaction added.
pub fn masks_added(before: &[u8], after: &[u8]) -> Vec<(&'static str, u64)> {
    let count = |text: &[u8], mask: &str| String::from_utf8_lossy(text).matches(mask).count() as u64;
    let added = |kind: &'static str| {
        let mask = format!("[{kind}]");
        (kind, count(after, &mask).saturating_sub(count(before, &mask)))
    };
    KINDS.map(added).into()
}

/// The shortest line with two masks, before and after.
pub fn example(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let pairs = before.lines().zip(after.lines());
    let masks =
        |line: &str| KINDS.iter().map(|kind| line.matches(&format!("[{kind}]")).count()).sum::<usize>();
    let short = pairs.filter(|(_, after)| masks(after) >= 2).min_by_key(|(before, _)| before.len());
    short.map_or(Vec::new(), |(before, after)| vec![format!("- {before}"), format!("+ {after}")])
}

/// The first value of this key, however deep it is.
pub fn field<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|inner| field(inner, key))),
        Value::Array(items) => items.iter().find_map(|inner| field(inner, key)),
        _ => None,
    }
}

/// Audit records: a JSON array, an object holding one, or an object a line.
pub fn records(text: &str) -> Result<Vec<Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Array(records)) => Ok(records),
        Ok(Value::Object(map)) if map.values().any(Value::is_array) => {
            Ok(map.into_iter().filter_map(|(_, value)| value.as_array().cloned()).flatten().collect())
        }
        _ => text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect(),
    }
}

/// The last record of an action that was denied, or was not.
pub fn record<'r>(records: &'r [Value], action: &str, denied: bool) -> Option<&'r Value> {
    let matches = |record: &&Value| {
        let named = word(record, "/action").is_some_and(|name| name.contains(action));
        named && is_denied(record) == denied
    };
    records.iter().rev().find(matches)
}

fn is_denied(record: &Value) -> bool {
    ["/outcome", "/decision/effect", "/decision"]
        .iter()
        .any(|path| word(record, path).is_some_and(|word| word.to_ascii_lowercase().starts_with("den")))
}

fn word<'r>(record: &'r Value, path: &str) -> Option<&'r str> {
    record.pointer(path).and_then(Value::as_str)
}

/// Number, action, resource and outcome of a record.
pub fn brief(record: &Value) -> String {
    let seq = record.get("seq").map_or_else(|| "?".to_owned(), Value::to_string);
    let or_dash = |path| word(record, path).unwrap_or("-");
    format!("record {seq}: {} {} {}", or_dash("/action"), or_dash("/resource/name"), or_dash("/outcome"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_that_still_holds_something_is_no_redacted_text() {
        let before = b"192.0.2.1 bob@example.com\nlogo@2x.png\n";
        assert!(redacted(before, b"[ipv4] [email]\nlogo@2x.png\n").is_ok());
        for after in [&b"192.0.2.1 [email]\n\n"[..], b"[ipv4] bob@example.net\n\n", b"[ipv4] [email]\n"] {
            assert!(redacted(before, after).is_err(), "{}", String::from_utf8_lossy(after));
        }
    }

    #[test]
    fn masks_that_were_there_before_do_not_count() {
        let added = masks_added(b"[card] a@example.com", b"[card] [email]");
        assert_eq!(added.iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [&("email", 1)]);
    }

    #[test]
    fn records_are_read_in_every_form_and_told_apart() {
        let denied = json!({"seq": 2, "action": "random", "outcome": "denied"});
        let permitted =
            json!({"seq": 1, "action": "kv_cas", "resource": {"name": "totals"}, "outcome": "ok"});
        let both = [permitted.clone(), denied.clone()];
        for text in [
            format!("{permitted}\n{denied}\n"),
            Value::from(both.to_vec()).to_string(),
            json!({"records": both}).to_string(),
        ] {
            let records = records(&text).unwrap();
            assert_eq!(record(&records, "random", true), Some(&denied));
            assert_eq!(record(&records, "kv_", false), Some(&permitted));
            assert_eq!(record(&records, "random", false), None);
        }
        assert_eq!(brief(&permitted), "record 1: kv_cas totals ok");
    }

    #[test]
    fn a_field_is_found_at_any_depth() {
        let value = json!({"a": [{"b": {"desired": "running"}}]});
        assert_eq!(field(&value, "desired"), Some(&json!("running")));
        assert_eq!(field(&value, "none"), None);
    }
}
