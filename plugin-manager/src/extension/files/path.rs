//! Text to a canonical path of the virtual root: refused unless it is the only spelling of what it names.

use crate::extension::service::{invalid, text};
use microkernel::syscall_bridge::CallError;

/// Most bytes of a path.
const PATH_BYTES: usize = 1024;
/// Most bytes of a segment.
const SEGMENT_BYTES: usize = 255;
/// Most segments below `/data`.
pub(super) const DEPTH: usize = 32;

/// The mount of the private area.
const PRIVATE: &str = "data";

/// Checks a path: absolute, no `.`, `..` or empty segment, no NUL, backslash or other control character.
pub(super) fn canonical(bytes: &[u8]) -> Result<&str, CallError> {
    if bytes.len() > PATH_BYTES {
        return Err(invalid("a path is longer than 1024 bytes"));
    }
    let path = text(bytes)?;
    let Some(rest) = path.strip_prefix('/') else { return Err(invalid("a path is not absolute")) };
    if path.contains(|c: char| c.is_control() || c == '\\') {
        return Err(invalid("a path has a backslash or a control character"));
    }
    let wrong = |s: &str| s.is_empty() || s == "." || s == ".." || s.len() > SEGMENT_BYTES;
    if !rest.is_empty() && rest.split('/').any(wrong) {
        return Err(invalid("a path has an empty, `.`, `..` or too long segment"));
    }
    if rest.split('/').count() > DEPTH + 1 {
        return Err(invalid("a path is deeper than 32 segments"));
    }
    Ok(path)
}

/// The segments below `/data` of a canonical path; `None` when it lies elsewhere.
pub(super) fn private(path: &str) -> Option<Vec<&str>> {
    let mut segments = path.strip_prefix('/')?.split('/');
    (segments.next() == Some(PRIVATE)).then(|| segments.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use microkernel::syscall_bridge::Status;
    use proptest::prelude::*;

    #[test]
    fn paths_with_a_second_spelling_are_refused() {
        let deep = format!("/data{}", "/d".repeat(DEPTH + 1));
        let wide = format!("/data/{}", "w".repeat(SEGMENT_BYTES + 1));
        let long = format!("/data/{}", ["w"; 520].join("/"));
        for bad in [
            "",
            "data",
            "data/x",
            "//",
            "/data/",
            "/data//x",
            "/data/.",
            "/data/..",
            "/data/../x",
            "/./data",
            "/data/a\0b",
            "/data/a\\b",
            "/data/a\nb",
            "/data/\u{7f}",
            "/data/\u{85}",
            &deep,
            &wide,
            &long,
        ] {
            let e = canonical(bad.as_bytes()).unwrap_err();
            assert_eq!(e.status, Status::Invalid, "{bad:?}");
        }
        assert!(canonical(b"/data/\xff").is_err());
        assert!(canonical(&deep.as_bytes()[..deep.len() - 2]).is_ok());
        assert!(canonical(&wide.as_bytes()[..wide.len() - 1]).is_ok());
    }

    #[test]
    fn only_what_lies_below_data_is_private() {
        assert_eq!(private("/data"), Some(vec![]));
        assert_eq!(private("/data/a/...b"), Some(vec!["a", "...b"]));
        for other in ["/", "/database", "/data2/x", "/etc/passwd", "/x/data"] {
            assert_eq!(private(canonical(other.as_bytes()).unwrap()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_names_one_place(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[/.a\\\\]{0,12}") {
            for candidate in [bytes.as_slice(), text.as_bytes()] {
                let Ok(path) = canonical(candidate) else { continue };
                prop_assert_eq!(path.as_bytes(), candidate);
                let components: Vec<_> = std::path::Path::new(path).components().collect();
                let normal = components.iter().skip(1).all(|c| matches!(c, std::path::Component::Normal(_)));
                prop_assert!(normal && components.first() == Some(&std::path::Component::RootDir));
                let again: std::path::PathBuf = components.iter().collect();
                prop_assert_eq!(again.to_str(), Some(path));
            }
        }
    }
}
