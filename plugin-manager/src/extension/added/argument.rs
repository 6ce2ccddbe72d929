//! The arguments of an added host call: how many, of which kinds, within which bounds.

use microkernel::syscall_bridge::{CallError, Status, take};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// Arguments of one call at most.
pub const MAX_ARGUMENTS: usize = 16;
/// Characters of an argument that a record's summary shows.
const SHOWN: usize = 64;

/// One argument: its name, its kind and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    name: &'static str,
    kind: Kind,
    optional: bool,
    recorded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text(RangeInclusive<usize>),
    Bytes(RangeInclusive<usize>),
    Number(RangeInclusive<u64>),
}

impl Argument {
    /// UTF-8 text of this many bytes.
    pub const fn text(name: &'static str, bytes: RangeInclusive<usize>) -> Self {
        Self { name, kind: Kind::Text(bytes), optional: false, recorded: false }
    }
    /// This many bytes of any kind. They are never recorded.
    pub const fn bytes(name: &'static str, bytes: RangeInclusive<usize>) -> Self {
        Self { name, kind: Kind::Bytes(bytes), optional: false, recorded: false }
    }
    /// An integer in this range: eight bytes, little-endian.
    pub const fn number(name: &'static str, range: RangeInclusive<u64>) -> Self {
        Self { name, kind: Kind::Number(range), optional: false, recorded: false }
    }
    /// It may be left out. Only others that may be left out follow it.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
    /// Its value is in the record of each call of class A or B: text cut to 64 characters. Not for secrets.
    #[must_use]
    pub const fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    pub(super) const fn is_optional(&self) -> bool {
        self.optional
    }
    pub(super) const fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_))
    }
    /// Whether its bytes would be recorded.
    pub(super) const fn records_bytes(&self) -> bool {
        self.recorded && matches!(self.kind, Kind::Bytes(_))
    }

    /// Whether these bytes are one.
    fn accepts(&self, item: &[u8]) -> Result<(), CallError> {
        let fits = match &self.kind {
            Kind::Text(bytes) => bytes.contains(&item.len()) && std::str::from_utf8(item).is_ok(),
            Kind::Bytes(bytes) => bytes.contains(&item.len()),
            Kind::Number(range) => number(item).is_some_and(|n| range.contains(&n)),
        };
        if fits {
            return Ok(());
        }
        let name = self.name;
        let expected = match &self.kind {
            Kind::Text(b) => format!("{} to {} bytes of UTF-8", b.start(), b.end()),
            Kind::Bytes(b) => format!("{} to {} bytes", b.start(), b.end()),
            Kind::Number(r) => format!("an integer of eight bytes from {} to {}", r.start(), r.end()),
        };
        Err(CallError::new(Status::Invalid, format!("argument {name} is not {expected}")))
    }

    fn shown(&self, item: &[u8]) -> Option<String> {
        let value = match &self.kind {
            _ if !self.recorded => return None,
            Kind::Text(_) => std::str::from_utf8(item).ok()?.chars().take(SHOWN).collect(),
            Kind::Number(_) => number(item)?.to_string(),
            Kind::Bytes(_) => return None,
        };
        Some(format!("{}={value}", self.name))
    }
}

/// Whether an argument list is one of this schema.
pub(super) fn accept(schema: &[Argument], mut list: &[u8]) -> Result<(), CallError> {
    for argument in schema {
        match take(&mut list)? {
            Some(item) => argument.accepts(item)?,
            None if argument.optional => return Ok(()),
            None => {
                let cause = format!("argument {} is missing", argument.name);
                return Err(CallError::new(Status::Invalid, cause));
            }
        }
    }
    if list.is_empty() {
        return Ok(());
    }
    Err(CallError::new(Status::Invalid, format!("more than {} arguments", schema.len())))
}

/// The values that are to be recorded, as `name=value`; `None` when there are none.
pub(super) fn summary(schema: &[Argument], mut list: &[u8]) -> Option<String> {
    let mut line = String::new();
    for argument in schema {
        let Ok(Some(item)) = take(&mut list) else { break };
        if let Some(shown) = argument.shown(item) {
            let space = if line.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(line, "{space}{shown}");
        }
    }
    (!line.is_empty()).then_some(line)
}

/// The item at this place of a list.
pub(super) fn item(mut list: &[u8], index: usize) -> Option<&[u8]> {
    for _ in 0..index {
        take(&mut list).ok()??;
    }
    take(&mut list).ok()?
}

/// An integer: eight bytes, little-endian.
pub(super) fn number(item: &[u8]) -> Option<u64> {
    item.try_into().ok().map(u64::from_le_bytes)
}
