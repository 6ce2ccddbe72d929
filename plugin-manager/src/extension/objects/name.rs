//! Text to a bucket and a key: refused unless it is the only spelling of what it names.

use crate::extension::service::{invalid, text};
use common::identity::Name;
use microkernel::syscall_bridge::CallError;

/// Most bytes of a key, and of the folder in front of a list.
pub(super) const KEY_BYTES: usize = 768;
/// Most bytes of a segment.
const SEGMENT_BYTES: usize = 255;
/// Most segments of a key.
pub(super) const DEPTH: usize = 32;
/// How the names begin that this host keeps to itself in a bucket.
pub(super) const RESERVED: &str = ".forgeone-";

/// A bucket, and what is named within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectName<'a> {
    /// The operator's name of the bucket.
    pub bucket: &'a str,
    /// The key, or the folder in front of keys; empty for the whole bucket.
    pub key: &'a str,
}

impl<'a> ObjectName<'a> {
    /// Reads `bucket/key`.
    pub fn object(bytes: &'a [u8]) -> Result<Self, CallError> {
        let name = Self::folder(bytes)?;
        if name.key.is_empty() { Err(invalid("an object is named bucket/key")) } else { Ok(name) }
    }

    /// Reads `bucket`, or `bucket/folder`.
    pub fn folder(bytes: &'a [u8]) -> Result<Self, CallError> {
        let name = text(bytes)?;
        let (bucket, key) = match name.split_once('/') {
            Some((bucket, key)) => (bucket, Some(key)),
            None => (name, None),
        };
        Name::new(bucket).map_err(|_| invalid("a bucket is 1 to 63 of a-z, 0-9 and -"))?;
        if let Some(key) = key {
            check(key)?;
        }
        Ok(Self { bucket, key: key.unwrap_or_default() })
    }

    /// The segments of the key.
    pub fn segments(&self) -> Vec<&'a str> {
        self.key.split('/').filter(|segment| !segment.is_empty()).collect()
    }
}

/// Whether this is a key.
pub(super) fn is_key(key: &str) -> bool {
    check(key).is_ok()
}

fn check(key: &str) -> Result<(), CallError> {
    if key.len() > KEY_BYTES {
        return Err(invalid("a key is longer than 768 bytes"));
    }
    if key.contains(|c: char| c.is_control() || c == '\\') {
        return Err(invalid("a key has a backslash or a control character"));
    }
    let wrong = |s: &str| s.is_empty() || s == "." || s == ".." || s.len() > SEGMENT_BYTES;
    if key.split('/').any(wrong) {
        return Err(invalid("a key has an empty, `.`, `..` or too long segment"));
    }
    if key.split('/').any(|segment| segment.starts_with(RESERVED)) {
        return Err(invalid("a segment of a key does not begin with .forgeone-"));
    }
    if key.split('/').count() > DEPTH {
        return Err(invalid("a key has more than 32 segments"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_names_one_object() {
        let name = ObjectName::object(b"reports/2026/a b~%.csv").unwrap();
        assert_eq!((name.bucket, name.segments()), ("reports", vec!["2026", "a b~%.csv"]));
        assert_eq!(ObjectName::folder(b"reports").unwrap(), ObjectName { bucket: "reports", key: "" });
        assert!(ObjectName::object(b"reports").is_err());
        let long = format!("b/{}", "a".repeat(SEGMENT_BYTES + 1));
        let deep = format!("b/{}", vec!["a"; DEPTH + 1].join("/"));
        let wide = format!("b/{}", vec!["a".repeat(200); 4].join("/"));
        for bad in [
            "",
            "/",
            "/a",
            "B/a",
            "b_/a",
            "b/",
            "b//a",
            "b/a/",
            "b/.",
            "b/../a",
            "b/a/..",
            "b/a\\b",
            "b/a\0",
            "b/\u{85}",
            "b/.forgeone-x",
            "b/a/.forgeone-x",
            "b/a\n",
            &long,
            &deep,
            &wide,
        ] {
            assert!(ObjectName::object(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(ObjectName::object(b"b/\xff").is_err());
        assert!(ObjectName::object(format!("b/{}", vec!["a"; DEPTH].join("/")).as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_spelled_as_it_was(text in "[a-z]{1,3}(/[a-c./\\\\ -]{0,4}){0,4}") {
            if let Ok(name) = ObjectName::object(text.as_bytes()) {
                let again = [&[name.bucket][..], &name.segments()].concat().join("/");
                prop_assert_eq!(&again, &text);
                prop_assert!(!name.segments().iter().any(|s| ["", ".", ".."].contains(s)));
            }
        }
    }
}
