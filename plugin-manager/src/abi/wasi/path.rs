//! A path relative to a directory, as the canonical path of the virtual root that the bridge decides on.

use super::errno::Errno;

/// Most bytes of a path as a guest writes it.
const PATH_BYTES: usize = 4096;

/// A path a guest named, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The canonical path: absolute, without `.`, `..` or empty segments.
    pub(super) path: String,
    /// Whether it was written so that it can only be a directory: it ends in `/`, `.` or `..`.
    pub(super) directory: bool,
}

/// Resolves `relative` beneath `base`, a canonical directory. No link is ever followed, so `..` can be taken back
/// as text; what would lead above `base` is [`Errno::NotCapable`].
///
/// # Errors
/// As above; [`Errno::NotFound`] when it is empty, [`Errno::Invalid`] when it is not text.
pub(super) fn resolve(base: &str, relative: &[u8]) -> Result<Resolved, Errno> {
    if relative.len() > PATH_BYTES {
        return Err(Errno::NameTooLong);
    }
    let relative = std::str::from_utf8(relative).map_err(|_| Errno::Invalid)?;
    if relative.is_empty() {
        return Err(Errno::NotFound);
    }
    if relative.starts_with('/') {
        return Err(Errno::NotCapable);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in relative.split('/') {
        match segment {
            "" | "." => {}
            ".." => segments.pop().map(drop).ok_or(Errno::NotCapable)?,
            name => segments.push(name),
        }
    }
    let last = relative.rsplit('/').next().unwrap_or_default();
    let directory = matches!(last, "" | "." | "..") || segments.is_empty();
    let path = segments.iter().fold(base.to_owned(), |path, name| format!("{path}/{name}"));
    Ok(Resolved { path, directory })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_resolve_beneath_their_directory() {
        let found = |path: &str| resolve("/data", path.as_bytes()).map(|r| (r.path, r.directory));
        let file = |path: &str| Ok((path.to_owned(), false));
        let directory = |path: &str| Ok((path.to_owned(), true));
        assert_eq!(found("a"), file("/data/a"));
        assert_eq!(found("a//b/./c"), file("/data/a/b/c"));
        assert_eq!(found("a/../b"), file("/data/b"));
        assert_eq!(found("a/"), directory("/data/a"));
        assert_eq!(found("a/.."), directory("/data"));
        assert_eq!(found("."), directory("/data"));
        for outside in ["..", "../x", "a/../../data/x", "/data/x", "/"] {
            assert_eq!(found(outside), Err(Errno::NotCapable), "{outside}");
        }
        assert_eq!(found(""), Err(Errno::NotFound));
        assert_eq!(resolve("/data", b"\xff"), Err(Errno::Invalid));
        assert_eq!(resolve("/data", &[b'a'; PATH_BYTES + 1]), Err(Errno::NameTooLong));
    }

    proptest! {
        #[test]
        fn nothing_leads_outside(text in "[/.a]{0,24}") {
            if let Ok(found) = resolve("/data", text.as_bytes()) {
                prop_assert!(found.path == "/data" || found.path.starts_with("/data/"));
                prop_assert!(!found.path.split('/').skip(1).any(|s| matches!(s, "" | "." | "..")));
            }
        }
    }
}
