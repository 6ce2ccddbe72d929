//! JSON or TOML text read field by field: a key nobody knows is an error, and every error says where.

mod parse;
#[cfg(test)]
mod tests;

use common::config::unknown_key;
use parse::{Placed, Table, Tree};
use std::fmt;
use std::sync::Arc;

/// Where in a document something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DocumentError {
    /// The document, such as `manifest.json`; empty where the error around this one names it.
    pub file: &'static str,
    /// Line, from 1; 0 when no one line is to blame.
    pub line: usize,
    /// Column in characters, from 1; 0 with line 0.
    pub column: usize,
    /// The path of the value, such as `operations[2].name`; empty for the document as a whole.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for DocumentError {
    /// `FILE:LINE:COLUMN: PLACE: PROBLEM`, without what is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file, self.line) {
            ("", 0) => {}
            ("", line) => write!(f, "line {line}, column {}: ", self.column)?,
            (file, 0) => write!(f, "{file}: ")?,
            (file, line) => write!(f, "{file}:{line}:{}: ", self.column)?,
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)
    }
}

impl DocumentError {
    /// An error of no one line.
    pub(crate) fn new(place: &str, problem: impl Into<String>) -> Self {
        Self { file: "", line: 0, column: 0, place: place.to_owned(), problem: problem.into() }
    }
    /// The same, in a document of this name.
    pub(crate) const fn in_file(mut self, file: &'static str) -> Self {
        self.file = file;
        self
    }
    /// The same, at this byte of the text.
    fn at(mut self, text: &[u8], byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        self.line = before.iter().filter(|b| **b == b'\n').count() + 1;
        self.column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
        self
    }
}

/// Reads one JSON document of at most `max` bytes.
pub(crate) fn json(bytes: &[u8], max: usize) -> Result<Node, DocumentError> {
    Ok(Node::whole(parse::json(bytes, max)?, bytes))
}

/// Reads one TOML document of at most `max` bytes.
pub(crate) fn toml(text: &str, max: usize) -> Result<Node, DocumentError> {
    Ok(Node::whole(parse::toml(text, max)?, text.as_bytes()))
}

fn within(length: usize, max: usize) -> Result<(), DocumentError> {
    if length > max {
        return Err(DocumentError::new("", format!("longer than {max} bytes")));
    }
    Ok(())
}

/// Text from outside, short and with control characters escaped, fit for a message.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

/// A value with its place, to be read as the type the schema asks for.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    value: Placed,
    /// The byte its key starts at, or it itself where it has none.
    key: usize,
    place: String,
    text: Arc<[u8]>,
}

impl Node {
    fn whole(value: Placed, text: &[u8]) -> Self {
        Self { key: value.at, value, place: String::new(), text: text.into() }
    }
    /// What is wrong with the key this value stands under.
    pub(crate) fn fail_key(&self, problem: impl Into<String>) -> DocumentError {
        DocumentError::new(&self.place, problem).at(&self.text, self.key)
    }
    pub(crate) fn fail(&self, problem: impl Into<String>) -> DocumentError {
        DocumentError::new(&self.place, problem).at(&self.text, self.value.at)
    }
    fn wrong(&self, wanted: &str) -> DocumentError {
        self.fail(format!("expected {wanted}, found {}", self.value.tree.kind()))
    }
    /// The text, of at most `max` bytes.
    pub(crate) fn text(&self, max: usize) -> Result<&str, DocumentError> {
        match &self.value.tree {
            Tree::Text(text) if text.len() > max => Err(self.fail(format!("longer than {max} bytes"))),
            Tree::Text(text) => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }
    /// The text, read as a `T`.
    pub(crate) fn parse<T>(&self, max: usize) -> Result<T, DocumentError>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(max)?;
        text.parse().map_err(|e: T::Err| self.fail(format!("`{}`: {e}", clip(text))))
    }
    /// The whole number, when it lies in the range.
    pub(crate) fn integer(&self, range: std::ops::RangeInclusive<u64>) -> Result<u64, DocumentError> {
        let Tree::Integer(n) = self.value.tree else { return Err(self.wrong("a whole number")) };
        let n = u64::try_from(n).ok().filter(|n| range.contains(n));
        n.ok_or_else(|| self.fail(format!("must be from {} to {}", range.start(), range.end())))
    }
    /// True or false.
    pub(crate) fn boolean(&self) -> Result<bool, DocumentError> {
        if let Tree::Bool(value) = self.value.tree { Ok(value) } else { Err(self.wrong("true or false")) }
    }
    /// The items of a list of at most `max`.
    pub(crate) fn list(mut self, max: usize) -> Result<Vec<Self>, DocumentError> {
        let Tree::List(items) = &mut self.value.tree else { return Err(self.wrong("a list")) };
        let items = std::mem::take(items);
        if items.len() > max {
            return Err(self.fail(format!("more than {max} items")));
        }
        let item = |(i, value): (usize, Placed)| Self {
            key: value.at,
            value,
            place: format!("{}[{i}]", self.place),
            text: Arc::clone(&self.text),
        };
        Ok(items.into_iter().enumerate().map(item).collect())
    }
    fn table(&mut self) -> Result<Table, DocumentError> {
        match &mut self.value.tree {
            Tree::Table(table) => Ok(std::mem::take(table)),
            _ => Err(self.wrong("a table")),
        }
    }
    /// The entries of a table of at most `max` keys, whatever the keys are.
    pub(crate) fn entries(mut self, max: usize) -> Result<Vec<(String, Self)>, DocumentError> {
        let table = self.table()?;
        if table.len() > max {
            return Err(self.fail(format!("more than {max} keys")));
        }
        let entry = |(name, (key, value)): (String, (usize, Placed))| {
            let place = below(&self.place, &name);
            (name, Self { value, key, place, text: Arc::clone(&self.text) })
        };
        Ok(table.into_iter().map(entry).collect())
    }
    /// The fields of a table that may have these keys and no other.
    pub(crate) fn fields(mut self, known: &[&str]) -> Result<Fields, DocumentError> {
        let table = self.table()?;
        match table.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, (at, _))) => {
                Err(DocumentError::new(&self.place, unknown_key(key, known)).at(&self.text, *at))
            }
            None => Ok(Fields { table, place: self.place, text: self.text, at: self.value.at }),
        }
    }
}

fn below(place: &str, key: &str) -> String {
    if place.is_empty() { clip(key) } else { format!("{place}.{}", clip(key)) }
}

/// A table whose keys are all known, taken apart key by key.
#[derive(Debug)]
pub(crate) struct Fields {
    table: Table,
    place: String,
    text: Arc<[u8]>,
    at: usize,
}

impl Fields {
    /// The value of a key that may be absent.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let (at, value) = self.table.remove(key)?;
        Some(Node { value, key: at, place: below(&self.place, key), text: Arc::clone(&self.text) })
    }
    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, key: &str) -> Result<Node, DocumentError> {
        let missing = format!("the key `{key}` is missing");
        self.take(key).ok_or_else(|| DocumentError::new(&self.place, missing).at(&self.text, self.at))
    }
    /// Whether a key is still there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}
