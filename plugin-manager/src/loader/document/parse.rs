//! JSON and TOML text to a tree of bounded depth without duplicate keys, each value with the byte it starts at.

use super::{DocumentError, clip, within};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use toml::de::{DeTable, DeValue};

/// Deepest nesting of tables and lists accepted.
const MAX_DEPTH: u32 = 24;

/// One value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float,
    Date,
    Text(String),
    List(Vec<Placed>),
    Table(Table),
}

/// The entries of a table, each with the byte its key starts at.
pub(super) type Table = BTreeMap<String, (usize, Placed)>;

/// A value and the byte of the text it starts at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) at: usize,
    pub(super) tree: Tree,
}

impl Tree {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Date => "a date",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// The tree of a JSON text of at most `max` bytes.
pub(super) fn json(bytes: &[u8], max: usize) -> Result<Placed, DocumentError> {
    within(bytes.len(), max)?;
    let starts = Starts { bytes, next: Cell::new(0), fault: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { starts: &starts, depth: MAX_DEPTH };
    let read = seed.deserialize(&mut reader).and_then(|tree| reader.end().map(|()| tree));
    read.map_err(|e| match starts.fault.take() {
        Some((at, problem)) => DocumentError::new("", problem).at(bytes, at),
        None => json_error(&e),
    })
}

/// serde_json's message without the place it ends in, which is said in front.
fn json_error(error: &serde_json::Error) -> DocumentError {
    let text = error.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    DocumentError { line: error.line(), column: error.column(), ..DocumentError::new("", problem) }
}

/// Where the keys and values of a JSON text start, in the order they are read.
struct Starts<'a> {
    bytes: &'a [u8],
    next: Cell<usize>,
    /// What is wrong beyond JSON's own grammar, and where.
    fault: RefCell<Option<(usize, String)>>,
}

impl Starts<'_> {
    /// The byte at which the next key or value starts. Text that is not JSON gives some byte of it.
    fn take(&self) -> usize {
        let from = self.next.get();
        let rest = self.bytes.get(from..).unwrap_or_default();
        let skipped = rest.iter().take_while(|b| b" \t\r\n,:]}".contains(b)).count();
        let start = from + skipped;
        self.next.set(start + token(rest.get(skipped..).unwrap_or_default()));
        start
    }
    fn fail<E: Error>(&self, at: usize, problem: String) -> E {
        let error = E::custom(&problem);
        *self.fault.borrow_mut() = Some((at, problem));
        error
    }
}

/// Bytes of the token these bytes begin with: a string, an opening bracket, a number or a word.
fn token(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'"') => {
            let mut escaped = false;
            let inside = bytes.iter().skip(1).take_while(|b| {
                let ends = **b == b'"' && !escaped;
                escaped = **b == b'\\' && !escaped;
                !ends
            });
            inside.count() + 2
        }
        Some(b'[' | b'{') => 1,
        _ => bytes.iter().take_while(|b| !b" \t\r\n,:]}".contains(b)).count(),
    }
}

/// Builds a tree that is at most so deep.
#[derive(Clone, Copy)]
struct Seed<'a> {
    starts: &'a Starts<'a>,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Placed;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Placed, D::Error> {
        let at = self.starts.take();
        let tree = reader.deserialize_any(Build { seed: self, at })?;
        Ok(Placed { at, tree })
    }
}

/// A key and where it starts.
struct KeySeed<'a>(&'a Starts<'a>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = (usize, String);
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        let at = self.0.take();
        serde::Deserialize::deserialize(reader).map(|key| (at, key))
    }
}

struct Build<'a> {
    seed: Seed<'a>,
    at: usize,
}

impl<'a> Build<'a> {
    fn deeper<E: Error>(&self) -> Result<Seed<'a>, E> {
        let Seed { starts, depth } = self.seed;
        let depth = depth.checked_sub(1).ok_or_else(|| starts.fail(self.at, too_deep()))?;
        Ok(Seed { starts, depth })
    }
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH}")
}

impl<'de> Visitor<'de> for Build<'_> {
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
        let seed = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let seed = self.deeper()?;
        let mut table = Table::new();
        while let Some((at, key)) = map.next_key_seed(KeySeed(seed.starts))? {
            if table.contains_key(&key) {
                return Err(seed.starts.fail(at, format!("the key `{}` is there twice", clip(&key))));
            }
            table.insert(key, (at, map.next_value_seed(seed)?));
        }
        Ok(Tree::Table(table))
    }
}

/// The tree of a TOML text of at most `max` bytes.
pub(super) fn toml(text: &str, max: usize) -> Result<Placed, DocumentError> {
    within(text.len(), max)?;
    let document = DeTable::parse(text).map_err(|e| {
        let error = DocumentError::new("", e.message());
        e.span().map_or(error.clone(), |span| error.at(text.as_bytes(), span.start))
    })?;
    let (at, table) = (document.span().start, document.into_inner());
    let tree = toml_table(table, MAX_DEPTH, at).map_err(|at| {
        let error = DocumentError::new("", too_deep());
        error.at(text.as_bytes(), at)
    })?;
    Ok(Placed { at, tree })
}

/// An error is the byte at which it is nested too deeply.
fn toml_table(table: DeTable<'_>, depth: u32, at: usize) -> Result<Tree, usize> {
    let depth = depth.checked_sub(1).ok_or(at)?;
    let entry = |(key, value): (toml::Spanned<_>, _)| {
        let at = key.span().start;
        let name: std::borrow::Cow<'_, str> = key.into_inner();
        Ok((name.into_owned(), (at, toml_value(value, depth)?)))
    };
    table.into_iter().map(entry).collect::<Result<_, _>>().map(Tree::Table)
}

fn toml_value(value: toml::Spanned<DeValue<'_>>, depth: u32) -> Result<Placed, usize> {
    let at = value.span().start;
    let tree = match value.into_inner() {
        DeValue::String(text) => Tree::Text(text.into_owned()),
        DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).map_or(Tree::Float, Tree::Integer),
        DeValue::Float(_) => Tree::Float,
        DeValue::Boolean(v) => Tree::Bool(v),
        DeValue::Datetime(_) => Tree::Date,
        DeValue::Array(list) => {
            let depth = depth.checked_sub(1).ok_or(at)?;
            Tree::List(list.into_iter().map(|v| toml_value(v, depth)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => toml_table(table, depth, at)?,
    };
    Ok(Placed { at, tree })
}
