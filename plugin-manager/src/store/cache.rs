//! Compiled code by digest, as the sealed bytes it is given; whether a seal holds is not known here.

use super::disk::gone;
use super::{Home, StoreError, layout};
use common::identity::Digest;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The ending of code that was set aside.
const ASIDE: &str = "aside";

impl Home {
    /// The sealed code stored under this digest, if any.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn compiled_code(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.code_path(digest);
        match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(StoreError::io("read", path)),
        }
    }

    /// Stores sealed code whole or not at all, in place of what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_code(&self, digest: &Digest, sealed: &[u8]) -> Result<(), StoreError> {
        self.write_file(&self.code_path(digest), sealed)
    }

    /// Renames code whose seal does not hold to `<digest>.aside`, for an operator to look at: the newest only.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_code_aside(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.code_path(digest);
        gone(self.disk.rename(&path, &path.with_extension(ASIDE))).map_err(StoreError::io("rename", path))
    }

    /// Whether code of this digest was set aside, and none has taken its place.
    pub fn is_code_aside(&self, digest: &Digest) -> bool {
        let path = self.code_path(digest);
        !path.exists() && path.with_extension(ASIDE).exists()
    }

    /// Removes all compiled code but that of these digests; what was set aside stays.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn retain_code(&self, kept: &BTreeSet<Digest>) -> Result<(), StoreError> {
        let kept: BTreeSet<PathBuf> = kept.iter().map(|d| self.code_path(d)).collect();
        let files = layout::entries(&self.cache_dir())?.into_iter();
        let surplus = files.filter(|p| !kept.contains(p) && p.extension().is_none_or(|e| e != ASIDE));
        surplus
            .into_iter()
            .try_for_each(|path| gone(self.disk.remove(&path)).map_err(StoreError::io("remove", path)))
    }

    fn code_path(&self, digest: &Digest) -> PathBuf {
        self.cache_dir().join(digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;

    #[test]
    fn code_is_kept_replaced_set_aside_and_retained() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let [a, b, c] = [b"a", b"b", b"c"].map(|d| Digest::of(d));
        assert_eq!(home.compiled_code(&a).unwrap(), None);
        home.keep_code(&a, b"old").unwrap();
        home.keep_code(&a, b"code a").unwrap();
        home.keep_code(&b, b"code b").unwrap();
        home.keep_code(&c, b"code c").unwrap();
        assert_eq!(home.compiled_code(&a).unwrap().unwrap(), b"code a");
        assert!(!home.is_code_aside(&c));
        home.set_code_aside(&c).unwrap();
        home.set_code_aside(&c).unwrap();
        assert!(home.is_code_aside(&c) && !home.is_code_aside(&a));
        assert_eq!(home.compiled_code(&c).unwrap(), None);
        home.retain_code(&BTreeSet::from([a])).unwrap();
        assert_eq!(home.compiled_code(&a).unwrap().unwrap(), b"code a");
        assert_eq!(home.compiled_code(&b).unwrap(), None);
        let aside = home.code_path(&c).with_extension(ASIDE);
        assert_eq!(std::fs::read(aside).unwrap(), b"code c");
    }
}
