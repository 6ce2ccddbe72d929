//! Package files by the digest of their bytes; hashed again on every read.

use super::disk::gone;
use super::{Home, StoreError, StoredPackage, layout};
use common::identity::Digest;
use std::collections::BTreeSet;
use std::path::PathBuf;

impl Home {
    /// The bytes of a stored package, hashed again.
    ///
    /// # Errors
    /// [`StoreError::Package`] when it is not there or has other bytes; E0002 when it cannot be read.
    pub fn read_package(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.package_path(digest);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::Package(*digest)),
            other => other.map_err(StoreError::io("read", path))?,
        };
        if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(StoreError::Package(*digest)) }
    }

    /// Stores a package under the digest of its bytes. A file of that name is replaced: it may be damaged.
    pub(super) fn put_package(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if Digest::of(bytes) != *digest {
            return Err(StoreError::Mismatch(*digest));
        }
        self.write_file(&self.package_path(digest), bytes)
    }

    /// What this host said of a stored package when it verified it, as it was written; `None` when there is nothing.
    ///
    /// # Errors
    /// E0002 when it is there and cannot be read.
    pub fn summary(&self, package: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.summary_path(package);
        match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(StoreError::io("read", path)),
        }
    }

    /// Keeps what this host says of a package, whole or not at all, in place of what it said before. The
    /// package may be on its way: the summary is kept as long as what this returns lives, and goes with its package.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_summary(&self, package: &Digest, summary: &[u8]) -> Result<StoredPackage<'_>, StoreError> {
        let expected = self.stored_package(*package);
        self.write_file(&self.summary_path(package), summary)?;
        Ok(expected)
    }

    /// Removes every package file with its summary that no row, no kept version and no version that waits for consent names, and that none expects.
    pub(super) fn drop_unreferenced_packages(&self) -> Result<(), StoreError> {
        let rows = self.roster()?;
        let earlier = self.all_versions()?;
        let waiting = self.all_pending()?;
        let expected = self.expected.lock().clone();
        let rows = rows.iter().map(|row| &**row);
        let named = rows.chain(&earlier).chain(&waiting).map(|p| p.plugin.package).chain(expected);
        let files = |digest| [self.package_path(&digest), self.summary_path(&digest)];
        let kept: BTreeSet<PathBuf> = named.flat_map(files).collect();
        let mut files = layout::entries(&self.packages_dir())?;
        files.extend(layout::entries(&self.summaries_dir())?);
        files
            .into_iter()
            .filter(|path| !kept.contains(path))
            .try_for_each(|path| gone(self.disk.remove(&path)).map_err(StoreError::io("remove", path)))
    }

    fn summary_path(&self, package: &Digest) -> PathBuf {
        self.summaries_dir().join(format!("{}.json", package.hex()))
    }

    pub(super) fn package_path(&self, digest: &Digest) -> PathBuf {
        self.packages_dir().join(digest.hex())
    }
}
