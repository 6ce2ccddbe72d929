//! The corpus and the regressions on disk: files named by the digest of what they hold.

use std::io;
use std::path::{Path, PathBuf};

/// Inputs that are read to an answer of their own.
pub const CORPUS: &str = "corpus";
/// Inputs that once were findings.
pub const REGRESSIONS: &str = "regressions";

/// The directory of `fuzz/`.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The inputs of a target in `corpus` and `regressions`, in the order of their names.
///
/// # Errors
/// When a directory that is there cannot be read.
pub fn inputs(root: &Path, target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for kind in [CORPUS, REGRESSIONS] {
        match std::fs::read_dir(root.join(kind).join(target)) {
            Ok(entries) => {
                for entry in entries {
                    paths.push(entry?.path());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    paths.sort();
    paths.iter().map(std::fs::read).collect()
}

/// Keeps an input; one that is there already is not written again.
///
/// # Errors
/// When it cannot be written.
pub fn keep(root: &Path, kind: &str, target: &str, input: &[u8]) -> io::Result<PathBuf> {
    let directory = root.join(kind).join(target);
    std::fs::create_dir_all(&directory)?;
    let name = common::identity::Digest::of(input).hex();
    let path = directory.join(&name[..16]);
    if !path.exists() {
        std::fs::write(&path, input)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_once() {
        let dir = tempfile::tempdir().unwrap();
        for input in [b"a", b"b", b"a"] {
            keep(dir.path(), CORPUS, "t", input).unwrap();
        }
        keep(dir.path(), REGRESSIONS, "t", b"c").unwrap();
        let mut found = inputs(dir.path(), "t").unwrap();
        found.sort();
        assert_eq!(found, [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
        assert!(inputs(dir.path(), "other").unwrap().is_empty());
    }
}
