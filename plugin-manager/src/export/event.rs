//! One record of the log, read: its members by name, and what follows from them for every format.

use super::ExportError;
use serde_json::Value;

/// A record that was read.
#[derive(Debug, Clone)]
pub struct Event {
    value: Value,
    seq: u64,
    line: String,
}

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// A plugin.
    Plugin(&'a str),
    /// A person or token, as the log names them.
    User(&'a str),
    /// A part of the host.
    Host(&'a str),
}

impl Event {
    /// Reads the line of record `seq`.
    ///
    /// # Errors
    /// [`ExportError::Record`] when the line is not JSON.
    pub fn parse(seq: u64, line: &str) -> Result<Self, ExportError> {
        let value = serde_json::from_str(line).map_err(|source| ExportError::Record { seq, source })?;
        Ok(Self { value, seq, line: line.to_owned() })
    }
    /// Its number.
    pub const fn seq(&self) -> u64 {
        self.seq
    }
    /// The line as it stands in the log, whose hash is in the tree.
    pub fn line(&self) -> &str {
        &self.line
    }
    /// The record.
    pub const fn value(&self) -> &Value {
        &self.value
    }
    /// A text, by JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
    /// A detail; empty where there is none.
    pub fn detail(&self, name: &str) -> &str {
        self.value.get("details").and_then(|d| d.get(name)).and_then(Value::as_str).unwrap_or_default()
    }
    /// A number, by member; `None` where there is none.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value.get(name).and_then(Value::as_u64)
    }
    /// How many actions it stands for: 1, or the count of a summary.
    pub fn count(&self) -> u64 {
        self.number("n").unwrap_or(1)
    }
    /// `host_call`, `management`, …
    pub fn kind(&self) -> &str {
        self.text("/type")
    }
    /// What was done.
    pub fn action(&self) -> &str {
        self.text("/action")
    }
    /// `ok`, `denied`, `failed` or `limit`.
    pub fn outcome(&self) -> &str {
        self.text("/outcome")
    }
    /// The plugin it is about: who acted, or what was acted on; empty when neither is one.
    pub fn plugin(&self) -> &str {
        match (self.text("/actor/plugin"), self.text("/resource/kind")) {
            ("", "plugin") => self.text("/resource/name"),
            (actor, _) => actor,
        }
    }
    pub(super) fn who(&self) -> Who<'_> {
        match (self.text("/actor/plugin"), self.text("/actor/user")) {
            ("", "") => Who::Host(self.text("/actor/host")),
            ("", user) => Who::User(user),
            (plugin, _) => Who::Plugin(plugin),
        }
    }
    /// When, in milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        millis(self.text("/t")).unwrap_or_default()
    }
    /// A millisecond count of another time of the record.
    pub(super) fn millis_of(&self, name: &str) -> Option<u64> {
        millis(self.value.get(name)?.as_str()?)
    }
    /// One sentence for people.
    pub(super) fn sentence(&self) -> String {
        let who = match self.who() {
            Who::Plugin(name) => format!("plugin {name}"),
            Who::User(name) => format!("user {name}"),
            Who::Host(name) => format!("host part {name}"),
        };
        let (kind, name) = (self.text("/resource/kind"), self.text("/resource/name"));
        let on = if name.is_empty() { String::new() } else { format!(" on {kind} {name}") };
        let count = if self.count() > 1 { format!(", {} times", self.count()) } else { String::new() };
        format!("{who}: {}{on}: {}{count}", self.action(), self.outcome())
    }
    /// From 1, a fact, to 4, damage or an attack.
    pub(super) fn severity(&self) -> u8 {
        match (self.kind(), self.outcome()) {
            ("detection", _) => 4,
            ("audit", _) if self.is_damage() => 4,
            (_, "denied" | "limit") => 3,
            (_, "failed") => 2,
            _ => 1,
        }
    }
    /// Whether the log tells of damage to itself, or of too little room for it.
    pub(super) fn is_damage(&self) -> bool {
        let told =
            ["torn_tail_cut", "unfinished", "unreadable", "disk_low", "disk_exhausted", "checkpoint_unsent"];
        self.text("/actor/host") == "audit" && told.contains(&self.action())
    }
}

/// Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; `None` for anything else.
pub(super) fn millis(text: &str) -> Option<u64> {
    let part = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if marks.iter().any(|(at, mark)| text.get(*at..*at + 1) != Some(mark)) {
        return None;
    }
    let ms = match text.get(19..)? {
        "Z" => 0,
        rest if rest.len() == 5 && rest.starts_with('.') && rest.ends_with('Z') => part(20, 23)?,
        _ => return None,
    };
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let known = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !known || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Days since 1970-01-01 of a text that begins with `YYYY-MM-DD`; `None` for anything else.
pub fn day_of(text: &str) -> Option<u64> {
    millis(&format!("{}T00:00:00Z", text.get(..10)?)).map(|ms| ms / 86_400_000)
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01: [`day_of`] backwards.
pub fn date_of(day: u64) -> String {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{date:02}", year + era * 400 + u64::from(month <= 2))
}

/// Days since 1970-01-01. Years are counted from 1 March, so that a leap day is the last of its year.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}
