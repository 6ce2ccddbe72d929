//! Which records are meant: a span of time, and conditions on members that must all hold.

use super::event::millis;
use super::{Event, ExportError};
use serde_json::Value;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Is,
    IsNot,
    Has,
}

/// A condition on one member of a record: `actor.plugin=redactor`, `outcome!=ok`, `resource.name~secret`.
///
/// A member that is not there is the empty text. Lists hold a text when one of their items does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    member: String,
    test: Test,
    text: String,
}

impl FromStr for Condition {
    type Err = ExportError;

    fn from_str(written: &str) -> Result<Self, ExportError> {
        let wrong = || ExportError::Condition(written.to_owned());
        let at = written.find(['=', '~', '!']).ok_or_else(wrong)?;
        let (member, rest) = written.split_at(at);
        let tests = [("!=", Test::IsNot), ("=", Test::Is), ("~", Test::Has)];
        let found = tests.iter().find_map(|(sign, test)| Some((*test, rest.strip_prefix(sign)?)));
        let (test, text) = found.ok_or_else(wrong)?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if member.is_empty() || !member.chars().all(known) {
            return Err(wrong());
        }
        Ok(Self { member: member.to_owned(), test, text: text.to_owned() })
    }
}

impl Condition {
    fn holds(&self, event: &Event) -> bool {
        let found = self.member.split('.').try_fold(event.value(), |value, key| value.get(key));
        let any = |test: &dyn Fn(&str) -> bool| match found {
            None | Some(Value::Null) => test(""),
            Some(Value::String(text)) => test(text),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).any(test),
            Some(other) => test(&other.to_string()),
        };
        match self.test {
            Test::Is => any(&|text| text == self.text),
            Test::IsNot => !any(&|text| text == self.text),
            Test::Has => any(&|text| text.contains(&self.text)),
        }
    }
}

impl Event {
    /// Whether all of these hold of it.
    pub fn has_all(&self, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| condition.holds(self))
    }
}

/// Which records are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The first millisecond since 1970; from the beginning without it.
    pub since: Option<u64>,
    /// The millisecond after the last one; to the end without it.
    pub until: Option<u64>,
    /// What must hold of a record.
    pub conditions: Vec<Condition>,
}

impl Selection {
    /// Whether it is meant. The clock of a host may jump, so every record is asked, not only the first and the last.
    pub fn has(&self, event: &Event) -> bool {
        let at = event.millis();
        let in_time = self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until);
        in_time && event.has_all(&self.conditions)
    }

    /// Milliseconds since 1970 of a moment as people write it: `2026-11-21`, its beginning in UTC, or `2026-11-21T10:00:00Z`.
    ///
    /// # Errors
    /// [`ExportError::Moment`] for anything else.
    pub fn moment(text: &str) -> Result<u64, ExportError> {
        let found = if text.len() == 10 { millis(&format!("{text}T00:00:00Z")) } else { millis(text) };
        found.ok_or_else(|| ExportError::Moment(text.to_owned()))
    }
}
