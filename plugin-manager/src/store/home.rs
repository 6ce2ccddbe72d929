//! One home, opened and locked: where everything is, and the clearing of what a crash left.

use super::db::{Db, RESERVE};
use super::disk::{Disk, RealDisk, StagingNames, gone, write_atomic};
use super::journal::Values;
use super::lock::HomeLock;
use super::roster::Roster;
use super::secrets::AUDIT_KEY;
use super::{LogFiles, LogLimits, StoreError, layout};
use common::clock::Clock;
use common::identity::Digest;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The home on disk, held by this process until it is dropped. Dropping it moves stored values out of their
/// journals.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    // INVARIANT: dropped before the lock is let go.
    pub(super) db: Db,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) values: Values,
    pub(super) roster: Roster,
    staging: StagingNames,
    /// Held while packages and rows change together, so that clearing never takes a package whose row is on its
    /// way.
    pub(super) changing: Mutex<()>,
    /// Packages that are durable and whose row is on its way.
    pub(super) expected: Mutex<Vec<Digest>>,
    _lock: HomeLock,
}

impl Home {
    /// Opens the home at `path`, making what is missing (directories 0700, files 0600), and clears what a crash
    /// left. Waits up to `wait` for another process to let go of it. `clock` stamps what is recorded.
    ///
    /// # Errors
    /// E0104 when the home belongs to another user or others can write to it, E5006 naming the holder when it
    /// stays in use, E0106 when another version wrote it, E0003 when it is damaged, E0002 on input and output.
    pub fn open(path: &Path, wait: Duration, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(RealDisk), path, wait, clock)
    }

    /// Opens the home on this disk.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        wait: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let root = layout::root(path)?;
        let lock = HomeLock::take(&root, wait)?;
        layout::tree(&root)?;
        let db = open_db(disk.clone(), &root)?;
        let values = Values::open(disk.clone(), &root, &db)?;
        let home = Self {
            root,
            db,
            disk,
            clock,
            values,
            roster: Roster::default(),
            staging: StagingNames::default(),
            changing: Mutex::new(()),
            expected: Mutex::default(),
            _lock: lock,
        };
        home.clear()?;
        Ok(home)
    }

    /// Finishes erasures, empties the staging areas and drops packages no row names.
    fn clear(&self) -> Result<(), StoreError> {
        self.empty(&self.staging_dir())?;
        self.empty(&self.file_staging_dir())?;
        self.finish_erasures()?;
        self.drop_unreferenced_packages()
    }

    fn empty(&self, dir: &Path) -> Result<(), StoreError> {
        layout::entries(dir)?.into_iter().try_for_each(|path| {
            let is_dir = path.symlink_metadata().is_ok_and(|m| m.is_dir());
            let removed = if is_dir { self.disk.remove_tree(&path) } else { self.disk.remove(&path) };
            removed.map_err(StoreError::io("remove", path))
        })
    }

    /// Its path, free of links.
    pub fn path(&self) -> &Path {
        &self.root
    }
    /// `plugin-manager.yaml`; it need not exist.
    pub fn config_file(&self) -> PathBuf {
        self.root.join("plugin-manager.yaml")
    }
    /// Gives up the room that is kept on the disk, for what must be possible on a full one. The next opening keeps
    /// what is left of it again.
    ///
    /// # Errors
    /// When the file that keeps it cannot be removed.
    pub fn lend_room(&self) -> Result<(), StoreError> {
        let reserve = self.root.join(RESERVE);
        gone(self.disk.remove(&reserve)).map_err(StoreError::io("remove", reserve))
    }
    /// The directory of the audit log.
    pub fn audit_dir(&self) -> PathBuf {
        self.root.join("audit")
    }
    /// The directory of `trust.toml`, roots and CRLs.
    pub fn trust_dir(&self) -> PathBuf {
        self.root.join("trust")
    }
    /// The directory of the policies.
    pub fn policy_dir(&self) -> PathBuf {
        self.root.join("trust/policy")
    }
    /// The directory of the keys.
    pub fn keys_dir(&self) -> PathBuf {
        self.root.join("keys")
    }
    /// The directory of the private areas, `<publisher>/<name>/` below it.
    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }
    /// The drop directory, unless the configuration names another.
    pub fn plugins_dir(&self) -> PathBuf {
        self.root.join("plugins")
    }
    /// The directory of sockets.
    pub fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }
    /// Where the home of a staging run is, while there is one; emptied by opening.
    pub fn stage_dir(&self) -> PathBuf {
        self.staging_dir().join("stage")
    }
    /// Where files of private areas are written before they are renamed into place; emptied by opening.
    pub fn file_staging_dir(&self) -> PathBuf {
        self.root.join("tmp/files")
    }
    /// What the plugins logged.
    pub fn logs(&self, limits: LogLimits) -> LogFiles {
        LogFiles::new(self.logs_dir(), limits)
    }

    pub(super) fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }
    pub(super) fn staging_dir(&self) -> PathBuf {
        self.root.join("tmp/staging")
    }
    pub(super) fn packages_dir(&self) -> PathBuf {
        self.root.join("store/sha256")
    }
    pub(super) fn summaries_dir(&self) -> PathBuf {
        self.root.join("store/summaries")
    }
    pub(super) fn cache_dir(&self) -> PathBuf {
        self.root.join("cache")
    }
    /// A path in the staging area that nothing has.
    pub(super) fn staging_path(&self) -> PathBuf {
        self.staging_dir().join(self.staging.next())
    }
    /// Writes a file whole or not at all.
    pub(super) fn write_file(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let written = write_atomic(&*self.disk, &self.staging_path(), target, bytes);
        written.map_err(StoreError::io("write", target))
    }
}

/// The key of the audit log is made after the database: where it is, a missing database was lost. Making another
/// would drop every stored package as one that no row names.
fn open_db(disk: Arc<dyn Disk>, root: &Path) -> Result<Db, StoreError> {
    let path = root.join("state.redb");
    if root.join(AUDIT_KEY).exists() && Db::is_missing(&path)? {
        return Err(StoreError::Lost(path));
    }
    Db::open(disk, &path)
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays in the journals is moved by the next opening.
        let _ = self.values.settle_all(&self.db);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use common::clock::ManualClock;
    use common::error::{Coded, codes};
    use std::os::unix::fs::PermissionsExt;

    pub(in crate::store) const NOW: u64 = 1_700_000_000_000_000_000;

    /// A process another test starts has this one's files between its fork and its exec, a lock that was let go
    /// of among them.
    pub(in crate::store) const SHORTLY: Duration = Duration::from_secs(10);

    pub(in crate::store) fn open(path: &Path) -> Result<Home, StoreError> {
        Home::open(path, SHORTLY, ManualClock::at(NOW))
    }

    #[test]
    fn fault_096_a_second_opening_is_refused_naming_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let e = Home::open(dir.path(), Duration::ZERO, ManualClock::at(NOW)).unwrap_err();
        assert_eq!(e.code(), &codes::E5006);
        assert!(e.to_string().contains(&std::process::id().to_string()), "{e}");
        drop(home);
        open(dir.path()).unwrap();
    }

    #[test]
    fn fault_103_files_are_for_their_owner_alone_and_an_open_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        for file in ["state.redb", "kv.0.journal", "kv.1.journal", "lock"] {
            let mode = home.path().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{file}");
        }
        let state = home.path().join("state.redb");
        drop(home);
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(open(dir.path()).unwrap_err().code(), &codes::E0104);
    }

    #[test]
    fn a_used_home_whose_database_is_gone_is_refused_and_its_packages_stay() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.audit_key().unwrap();
        let package = home.packages_dir().join("one");
        let state = home.path().join("state.redb");
        drop(home);
        std::fs::write(&package, "bytes").unwrap();
        for empty in [true, false] {
            std::fs::remove_file(&state).unwrap();
            if empty {
                std::fs::write(&state, "").unwrap();
                std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
            assert_eq!(open(dir.path()).unwrap_err().code(), &codes::E0003);
            assert!(package.exists());
        }
    }

    #[test]
    fn opening_empties_the_staging_areas() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (a, b) = (home.staging_dir().join("half"), home.file_staging_dir().join("tree"));
        std::fs::write(&a, "x").unwrap();
        std::fs::create_dir(&b).unwrap();
        std::fs::write(b.join("y"), "y").unwrap();
        drop(home);
        open(dir.path()).unwrap();
        assert!(!a.exists() && !b.exists());
    }
}
