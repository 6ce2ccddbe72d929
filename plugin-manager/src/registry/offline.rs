//! What is installed, by the files of a home alone: the lock file and the stored packages. Takes no lock of the home,
//! so what is read is of one moment for each file and not for all.

use super::lockfile::Lock;
use super::sources;
use crate::loader::{Package, PackageLimits};
use common::error::ForgeError;
use common::identity::{Digest, Name, PluginId, PluginIdentity, Publisher};
use common::permission::Permission;
use std::path::{Path, PathBuf};

/// An installed plugin, as files tell of it.
#[derive(Debug, Clone)]
pub(crate) struct OnFile {
    name: Name,
    publisher: Publisher,
    version: String,
    manifest: Digest,
    package: Digest,
    stored: PathBuf,
}

impl OnFile {
    /// Who it is to decisions.
    pub fn identity(&self) -> PluginIdentity {
        PluginIdentity {
            id: PluginId::new(&self.publisher, &self.name),
            name: self.name.clone(),
            publisher: self.publisher.clone(),
            version: self.version.clone(),
            digest: self.manifest,
            instance: 0,
        }
    }

    /// What its manifest asks for; `None` when its package cannot be read, or is not the one that was installed.
    pub fn permissions(&self) -> Option<Vec<Permission>> {
        let limits = PackageLimits::default();
        let bytes = sources::package(&self.stored, limits.compressed).ok()?;
        let same = Digest::of(&bytes) == self.package;
        let package = same.then(|| Package::load(&bytes, &limits))?.ok()?;
        Some(package.manifest().permissions.clone())
    }
}

/// The plugins that the lock file of a home lists, by name; none when there is no such file. Plugins that are code of a
/// host program are not in it.
///
/// # Errors
/// When the file cannot be read, or is no lock file.
pub(crate) fn installed(home: &Path) -> Result<Vec<OnFile>, ForgeError> {
    let Some(text) = sources::lock_text(home)? else { return Ok(Vec::new()) };
    let lock = Lock::parse("forgeone.lock", &text)?;
    let on_file = |(name, locked): (Name, super::lockfile::LockedPlugin)| OnFile {
        name,
        publisher: locked.publisher,
        version: locked.version.to_string(),
        manifest: locked.manifest,
        package: locked.package,
        stored: home.join("store/sha256").join(locked.package.hex()),
    };
    Ok(lock.plugins.into_iter().map(on_file).collect())
}
