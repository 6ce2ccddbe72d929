//! JSON or TOML text to a tree without duplicate keys, read field by field: a key nobody knows is an error.

use common::config::unknown_key;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Deepest nesting of tables and lists accepted.
const MAX_DEPTH: u32 = 24;

/// Where in a document something is wrong, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if place.is_empty() { String::new() } else { format!("{place}: ") })]
pub struct DocumentError {
    /// The path of the value, such as `operations[2].name`; empty for the document as a whole.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl DocumentError {
    pub(crate) fn new(place: &str, problem: impl Into<String>) -> Self {
        Self { place: place.to_owned(), problem: problem.into() }
    }
}

/// One value of a document.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float,
    Text(String),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
}

impl Tree {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A value with its place, to be read as the type the schema asks for.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    tree: Tree,
    place: String,
}

/// Reads one JSON document of at most `max` bytes.
pub(crate) fn json(bytes: &[u8], max: usize) -> Result<Node, DocumentError> {
    within(bytes.len(), max)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let fail = |e: serde_json::Error| DocumentError::new("", e.to_string());
    let tree = Seed(MAX_DEPTH).deserialize(&mut reader).map_err(fail)?;
    reader.end().map_err(fail)?;
    Ok(Node { tree, place: String::new() })
}

/// Reads one TOML document of at most `max` bytes.
pub(crate) fn toml(text: &str, max: usize) -> Result<Node, DocumentError> {
    within(text.len(), max)?;
    let fail = |e: toml::de::Error| DocumentError::new("", toml_problem(text, &e));
    let reader = toml::Deserializer::parse(text).map_err(fail)?;
    let tree = Seed(MAX_DEPTH).deserialize(reader).map_err(fail)?;
    Ok(Node { tree, place: String::new() })
}

fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(String::new(), |b| format!("line {}: ", b.matches('\n').count() + 1));
    format!("{line}{}", error.message())
}

fn within(length: usize, max: usize) -> Result<(), DocumentError> {
    if length > max {
        return Err(DocumentError::new("", format!("longer than {max} bytes")));
    }
    Ok(())
}

/// Builds a tree that is at most so deep.
struct Seed(u32);

impl Seed {
    fn deeper<E: Error>(&self) -> Result<u32, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom(format!("nested deeper than {MAX_DEPTH}")))
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Tree;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Tree, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Tree;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(v))
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(v.into()))
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Tree, E> {
        Ok(Tree::Integer(v.into()))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Float)
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Tree, E> {
        Ok(Tree::Text(v.to_owned()))
    }
    fn visit_string<E: Error>(self, v: String) -> Result<Tree, E> {
        Ok(Tree::Text(v))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Seed(depth))? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let depth = self.deeper()?;
        let mut table = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if table.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{}` is there twice", clip(&key))));
            }
            table.insert(key, map.next_value_seed(Seed(depth))?);
        }
        Ok(Tree::Table(table))
    }
}

/// Text from outside, short and with control characters escaped, fit for a message.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

impl Node {
    pub(crate) fn fail(&self, problem: impl Into<String>) -> DocumentError {
        DocumentError::new(&self.place, problem)
    }
    fn wrong(place: &str, wanted: &str, found: &Tree) -> DocumentError {
        DocumentError::new(place, format!("expected {wanted}, found {}", found.kind()))
    }
    /// The text, of at most `max` bytes.
    pub(crate) fn text(&self, max: usize) -> Result<&str, DocumentError> {
        match &self.tree {
            Tree::Text(text) if text.len() > max => Err(self.fail(format!("longer than {max} bytes"))),
            Tree::Text(text) => Ok(text),
            other => Err(Self::wrong(&self.place, "text", other)),
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
        let Tree::Integer(n) = self.tree else {
            return Err(Self::wrong(&self.place, "a whole number", &self.tree));
        };
        let n = u64::try_from(n).ok().filter(|n| range.contains(n));
        n.ok_or_else(|| self.fail(format!("must be from {} to {}", range.start(), range.end())))
    }
    /// The items of a list of at most `max`.
    pub(crate) fn list(self, max: usize) -> Result<Vec<Self>, DocumentError> {
        let Tree::List(items) = self.tree else { return Err(Self::wrong(&self.place, "a list", &self.tree)) };
        if items.len() > max {
            return Err(DocumentError::new(&self.place, format!("more than {max} items")));
        }
        let place = self.place;
        Ok(items
            .into_iter()
            .enumerate()
            .map(|(i, tree)| Self { tree, place: format!("{place}[{i}]") })
            .collect())
    }
    /// The entries of a table of at most `max` keys, whatever the keys are.
    pub(crate) fn entries(self, max: usize) -> Result<Vec<(String, Self)>, DocumentError> {
        let Tree::Table(table) = self.tree else {
            return Err(Self::wrong(&self.place, "a table", &self.tree));
        };
        if table.len() > max {
            return Err(DocumentError::new(&self.place, format!("more than {max} keys")));
        }
        let place = self.place;
        Ok(table
            .into_iter()
            .map(|(key, tree)| {
                let place = below(&place, &key);
                (key, Self { tree, place })
            })
            .collect())
    }
    /// The fields of a table that may have these keys and no other.
    pub(crate) fn fields(self, known: &[&str]) -> Result<Fields, DocumentError> {
        let Tree::Table(table) = self.tree else {
            return Err(Self::wrong(&self.place, "a table", &self.tree));
        };
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(DocumentError::new(&self.place, unknown_key(key, known))),
            None => Ok(Fields { table, place: self.place }),
        }
    }
}

fn below(place: &str, key: &str) -> String {
    if place.is_empty() { clip(key) } else { format!("{place}.{}", clip(key)) }
}

/// A table whose keys are all known, taken apart key by key.
#[derive(Debug)]
pub(crate) struct Fields {
    table: BTreeMap<String, Tree>,
    place: String,
}

impl Fields {
    /// The value of a key that may be absent.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let tree = self.table.remove(key)?;
        Some(Node { tree, place: below(&self.place, key) })
    }
    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, key: &str) -> Result<Node, DocumentError> {
        self.take(key).ok_or_else(|| DocumentError::new(&self.place, format!("the key `{key}` is missing")))
    }
    /// Whether a key is still there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(text: &str) -> String {
        json(text.as_bytes(), 1 << 20).unwrap_err().to_string()
    }

    #[test]
    fn duplicate_keys_are_errors_at_every_depth() {
        assert!(problem(r#"{"a":1,"a":2}"#).contains("`a` is there twice"));
        assert!(problem(r#"{"x":[{"b":1,"b":1}]}"#).contains("`b` is there twice"));
        assert!(toml("a = 1\na = 2", 100).is_err());
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(json(b"[[1]]", 4).is_err());
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(json(deep(24).as_bytes(), 1 << 20).is_ok());
        assert!(problem(&deep(25)).contains("nested deeper"));
        assert!(json(deep(100_000).as_bytes(), 1 << 20).is_err());
        assert!(toml(&format!("a = {}", deep(5_000)), 1 << 20).is_err());
    }

    #[test]
    fn trailing_text_is_an_error() {
        assert!(problem("{} {}").contains("trailing"));
    }

    #[test]
    fn unknown_and_missing_keys_are_named_with_their_place() {
        let node =
            || json(br#"{"a":{"vresion":1}}"#, 100).unwrap().fields(&["a"]).unwrap().take("a").unwrap();
        let e = node().fields(&["version"]).unwrap_err();
        assert_eq!(e.to_string(), "a: unknown key `vresion`; did you mean `version`?");
        let mut f = json(b"{}", 100).unwrap().fields(&["x"]).unwrap();
        assert_eq!(f.need("x").unwrap_err().to_string(), "the key `x` is missing");
    }

    #[test]
    fn kinds_are_checked() {
        let list = json(br#"[1, "a", 1.5, -1, null]"#, 100).unwrap().list(10).unwrap();
        assert_eq!(list[0].integer(0..=9), Ok(1));
        assert_eq!(list[0].text(9).unwrap_err().to_string(), "[0]: expected text, found a whole number");
        assert!(list[2].integer(0..=9).is_err());
        assert!(list[3].integer(0..=9).is_err());
        assert!(list[1].text(0).is_err());
        assert!(list[4].clone().entries(1).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
            let _ = json(&bytes, 1 << 16);
            let _ = json(text.as_bytes(), 1 << 16);
            let _ = toml(&text, 1 << 16);
        }
    }
}
