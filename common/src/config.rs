//! Machinery for configuration: strict YAML with places and hints, sizes and durations with units.
//!
//! It knows no product's keys: each crate brings its own schema as a `serde` type with
//! `#[serde(deny_unknown_fields)]`.

use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use std::fmt;
use std::time::Duration;

use crate::error::{Code, Coded, codes};

/// Where and why a configuration text is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}{place}: {problem}", place = place(*.line, *.column))]
pub struct ConfigError {
    /// What was read: a file's name, say.
    pub source_name: String,
    /// Line, from 1; 0 when unknown.
    pub line: u64,
    /// Column, from 1; 0 when unknown.
    pub column: u64,
    /// What is wrong, with the nearest known key where one is close.
    pub problem: String,
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!(":{line}:{column}") }
}

impl Coded for ConfigError {
    fn code(&self) -> &'static Code {
        &codes::E0102
    }
}

/// Largest configuration text read, in bytes.
pub const MAX_CONFIG: usize = 1 << 20;

/// Reads one YAML document (JSON is YAML). Unknown and duplicate keys are errors.
///
/// ```
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Conf { workers: u32 }
/// let e = common::config::from_yaml::<Conf>("conf.yaml", "wokers: 3").err().unwrap();
/// assert!(e.to_string().contains("did you mean `workers`"));
/// ```
///
/// # Errors
/// When the text is too long, is not YAML or does not fit `T`, with line and column.
pub fn from_yaml<T: DeserializeOwned>(source_name: &str, text: &str) -> Result<T, ConfigError> {
    let fail =
        |line, column, problem| ConfigError { source_name: source_name.to_owned(), line, column, problem };
    if text.len() > MAX_CONFIG {
        return Err(fail(0, 0, format!("longer than {MAX_CONFIG} bytes")));
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |l| (l.line(), l.column()));
        let mut error = &error;
        while let serde_saphyr::Error::WithSnippet { error: inner, .. } = error {
            error = inner;
        }
        let problem = match key_before(text, line, column) {
            Some(key) => format!("{key}: {}", problem(error)),
            None => problem(error),
        };
        fail(line, column, problem)
    })
}

/// The key whose value starts at this place, when it stands before it on the line.
fn key_before(text: &str, line: u64, column: u64) -> Option<&str> {
    let line = text.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?;
    let column = usize::try_from(column.checked_sub(1)?).ok()?;
    let end = line.char_indices().nth(column).map_or(line.len(), |(i, _)| i);
    let key = line.get(..end)?.trim_end().strip_suffix(':')?.trim_end().trim_end_matches('"');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    key.rsplit(|c| !plain(c)).next().filter(|key| !key.is_empty())
}

/// What the parser found, in words that do not name Rust's types.
fn problem(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error::{InvalidScalar, SerdeUnknownField, SerdeUnknownVariant};
    match error {
        SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
        SerdeUnknownVariant { variant, expected, .. } => {
            let known = expected.join(", ");
            let hint = nearest(variant, expected.iter().copied());
            let hint = hint.map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            format!("`{}` must be one of {known}{hint}", variant.chars().take(80).collect::<String>())
        }
        InvalidScalar { ty, .. } if ty.starts_with(['u', 'i']) => {
            "expected a whole number in range".to_owned()
        }
        other => {
            let text = other.to_string();
            let line = text.lines().next().unwrap_or_default();
            match line.rsplit_once(" at line ").map_or(line, |(problem, _)| problem) {
                "invalid boolean" => "expected true or false".to_owned(),
                "expected mapping start" => "expected keys and values".to_owned(),
                problem => match problem.strip_prefix("duplicate mapping key: ") {
                    Some(rest) => {
                        format!("the key `{}` is there twice", rest.split(", set ").next().unwrap_or(rest))
                    }
                    None => problem.to_owned(),
                },
            }
        }
    }
}

/// Where the last key of this path stands, or the map under it, as line and column from 1; `None` where there is none.
///
/// ```
/// let text = "limits:\n  memory: 5";
/// assert_eq!(common::config::locate(text, &["limits", "memory"]), Some((2, 3)));
/// assert_eq!(common::config::locate(text, &["limits", "time"]), None);
/// ```
pub fn locate(text: &str, path: &[&str]) -> Option<(u64, u64)> {
    let stop = serde_saphyr::with_deserializer_from_str(text, |d| Locate(path).deserialize(d)).err()?;
    // Any other error means that the text is not valid before it is reached.
    if !stop.to_string().contains(FOUND) {
        return None;
    }
    stop.location().map(|at| (at.line(), at.column()))
}

/// The error by which a search says that it is there.
const FOUND: &str = "the value that is looked for";

/// Reads up to the value under a path, and fails there: errors are what the parser knows the places of.
struct Locate<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { FOUND } else { "a map" })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.0.split_first() else { return Err(de::Error::custom(FOUND)) };
        while let Some(key) = map.next_key::<String>()? {
            if key == *first {
                return map.next_value_seed(Locate(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The message for a key that is not known: the nearest known key, or all of them.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    let key: String = key.chars().take(80).flat_map(char::escape_debug).collect();
    match nearest(&key, known.iter().copied()) {
        Some(k) => format!("unknown key `{key}`; did you mean `{k}`?"),
        None => format!("unknown key `{key}`; known keys are {}", known.join(", ")),
    }
}

/// The known word nearest to `word`, when one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(80).collect();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.chars().count().min(word.chars().count()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// A number of bytes, written with a unit: `512MB` is 512,000,000, `512MiB` 536,870,912.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const TIMES: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Text that is not a whole number and a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuantity(String);

fn with_unit(text: &str, units: &[(&str, u64)]) -> Result<u64, BadQuantity> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let names = || units.iter().map(|u| u.0).collect::<Vec<_>>().join(", ");
    let unit = unit.trim_start();
    let Some((_, scale)) = units.iter().find(|u| u.0 == unit) else {
        return Err(BadQuantity(if unit.is_empty() {
            format!("`{text}` lacks a unit, one of {}", names())
        } else {
            format!("`{text}` is not a whole number and a unit, one of {}", names())
        }));
    };
    let no_number = |_| BadQuantity(format!("`{text}` does not start with a whole number"));
    let number: u64 = number.parse().map_err(no_number)?;
    number.checked_mul(*scale).ok_or_else(|| BadQuantity(format!("`{text}` is too large")))
}

impl std::str::FromStr for ByteSize {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        with_unit(text, SIZES).map(Self)
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides it, so that what is printed reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, scale): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*scale);
        let (unit, scale) = SIZES.iter().filter(fits).max_by_key(|u| u.1).copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A length of time, written with a unit: `30s`, `500ms`, `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        with_unit(text, TIMES).map(|ns| Self(Duration::from_nanos(ns)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let fits = |(_, scale): &&(&str, u64)| ns != 0 && ns.is_multiple_of(u128::from(*scale));
        let (unit, scale) =
            TIMES.iter().filter(fits).max_by_key(|u| u.1).copied().unwrap_or(("s", 1_000_000_000));
        write!(f, "{}{unit}", ns / u128::from(scale))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Text, also where YAML would read a bare number: so that a missing unit gets its own message.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number with a unit")
        }
        fn visit_str<E: de::Error>(self, v: &str) -> Result<String, E> {
            Ok(v.to_owned())
        }
        fn visit_u64<E: de::Error>(self, v: u64) -> Result<String, E> {
            Ok(v.to_string())
        }
    }
    deserializer.deserialize_str(Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Conf {
        memory_limit: ByteSize,
        #[serde(default)]
        timeout: Option<Span>,
    }

    fn read(text: &str) -> Result<Conf, ConfigError> {
        from_yaml("test.yaml", text)
    }

    #[test]
    fn sizes_and_durations_carry_units() {
        let c = read("memory_limit: 512MB\ntimeout: 30s").unwrap();
        assert_eq!(c.memory_limit, ByteSize(512_000_000));
        assert_eq!(c.timeout, Some(Span(Duration::from_secs(30))));
        assert_eq!("512MiB".parse(), Ok(ByteSize(536_870_912)));
        assert!(read("memory_limit: 512").unwrap_err().problem.contains("lacks a unit"));
        assert!(read("memory_limit: 512mb").is_err());
        assert!(read("memory_limit: -1MB").is_err());
        assert!("99999999999TB".parse::<ByteSize>().is_err());
    }

    #[test]
    fn the_place_of_a_value_is_found_whatever_it_is() {
        let text = "a:\n  b: {c: 1, d: [x]}\n  e: ~\nf: text\n";
        let at = |path: &[&str]| locate(text, path);
        assert_eq!(at(&["a", "b", "c"]), Some((2, 7)));
        assert_eq!(at(&["a", "b", "d"]), Some((2, 13)));
        assert_eq!(at(&["a", "e"]), Some((3, 3)));
        assert_eq!(at(&["f"]), Some((4, 1)));
        assert_eq!(at(&["a", "b"]), Some((2, 6)));
        for none in [["a", "x"].as_slice(), &["x"], &["f", "g"]] {
            assert_eq!(at(none), None, "{none:?}");
        }
        assert_eq!(locate("{", &["a"]), None);
    }

    #[test]
    fn json_is_accepted_as_yaml() {
        assert_eq!(read(r#"{"memory_limit": "1KiB"}"#).unwrap().memory_limit, ByteSize(1024));
    }

    #[test]
    fn unknown_and_duplicate_keys_are_errors_with_a_place() {
        let e = read("memory_limit: 1MB\ntimeuot: 3s").unwrap_err();
        assert_eq!((e.line, e.column), (2, 1));
        assert_eq!(e.problem, "unknown key `timeuot`; did you mean `timeout`?");
        let e = read("memory_limit: 1MB\nmemory_limit: 2MB").unwrap_err();
        assert_eq!(e.line, 2, "{e}");
        assert!(
            read("memory_limit: 1MB\nzzz: 3s")
                .unwrap_err()
                .problem
                .contains("known keys are memory_limit, timeout")
        );
    }

    #[test]
    fn nothing_is_near_a_word_of_another_kind() {
        assert_eq!(nearest("zzzz", ["timeout", "memory"]), None);
        assert_eq!(nearest("memroy", ["timeout", "memory"]), Some("memory"));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bytes: u64, ns: u64) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse::<ByteSize>(), Ok(ByteSize(bytes)));
            let span = Span(Duration::from_nanos(ns));
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = read(&text);
            let _ = text.parse::<ByteSize>();
        }
    }
}
