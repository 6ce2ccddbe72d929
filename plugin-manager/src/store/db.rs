//! `state.redb`: its tables, its schema check, and the one way to write to it: immediate, in two phases.
//!
//! After a write that failed the database is opened anew, as after a crash, and goes on. After a sync that failed
//! nobody knows what is on the disk: it refuses until the home is opened anew.

use super::backend::{DiskBackend, keep_room};
use super::disk::{Disk, gone};
use super::{StoreError, layout};
use parking_lot::RwLock;
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition, TableHandle,
    WriteTransaction,
};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, Ordering::SeqCst};

/// The schema this build writes and reads.
const SCHEMA: u64 = 1;
/// Bytes of pages kept in memory. Values of plugins have their own cache in front.
const PAGE_CACHE: usize = 32 << 20;

/// The file beside it that keeps room on the disk.
pub(super) const RESERVE: &str = "reserve";

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Plugin name → row.
pub(super) const PLUGINS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("plugins");
/// Plugin name, version → when it was replaced among the others, row.
pub(super) const VERSIONS: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("versions");
/// Plugin name, version → when it was offered among the others, row of a version that waits for consent.
pub(super) const PENDING: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("pending");
/// Plugin name, section, key → value.
pub(super) const SETTINGS: TableDefinition<'_, (&str, &str, &str), &str> = TableDefinition::new("settings");
/// Namespace → version that saved it, when, bytes.
pub(super) const SAVED: TableDefinition<'_, &str, (&str, u64, &[u8])> = TableDefinition::new("saved");
/// Namespace, key → value.
pub(super) const KV: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("kv");
/// Namespace → why the plugin is quarantined.
pub(super) const QUARANTINE: TableDefinition<'_, &str, &str> = TableDefinition::new("quarantine");
/// Name of a secret → its bytes, sealed.
pub(super) const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
/// Namespace → how far the plugin is trusted.
pub(super) const SCORES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("scores");
/// Namespace, or what the policies are called → its last review.
pub(super) const REVIEWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("reviews");
/// Namespaces whose files, and names whose logs, are still to be erased.
pub(super) const ERASE: TableDefinition<'_, &str, ()> = TableDefinition::new("erase");
/// Plugin name → what was about to be done to it.
pub(super) const PLANS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("plans");

/// What an earlier opening saw of the audit log; made when first written.
pub(super) const WITNESSED: TableDefinition<'_, &str, &str> = TableDefinition::new("witnessed");

/// The least text above `name`: with it, a half-open range of composite keys holds exactly those of `name`.
pub(super) fn just_above(name: &str) -> String {
    format!("{name}\0")
}

/// The open database.
#[derive(Debug)]
pub(super) struct Db {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `None` between a failure and the next use. Held for reading as long as a change lasts.
    open: RwLock<Option<Database>>,
    /// A sync failed.
    unsure: Arc<AtomicBool>,
    /// How many changes there were since the opening.
    writes: AtomicU64,
}

/// Turns every kind of redb error into ours.
pub(super) trait OrDb<T> {
    /// Names what was tried.
    fn or_db(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T, E: Into<redb::Error>> OrDb<T> for Result<T, E> {
    fn or_db(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|e| StoreError::Database { doing, source: Box::new(e.into()) })
    }
}

impl Db {
    /// Opens the database at `path`, made first when there is none, and checks its schema.
    pub(super) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, StoreError> {
        layout::check_file(path)?;
        if Self::is_missing(path)? {
            Self::make(disk.clone(), path)?;
        }
        keep_room(&*disk, &path.with_file_name(RESERVE));
        Self::open_file(disk, path)
    }

    /// Whether there is no database at `path`: no file, or one without a byte in it.
    pub(super) fn is_missing(path: &Path) -> Result<bool, StoreError> {
        match path.metadata() {
            Ok(meta) => Ok(meta.len() == 0),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(true),
            Err(e) => Err(StoreError::io("look at", path)(e)),
        }
    }

    /// Makes it under another name and moves it into place whole: dying in between leaves no half of one.
    fn make(disk: Arc<dyn Disk>, path: &Path) -> Result<(), StoreError> {
        let fresh = path.with_extension("redb.new");
        gone(disk.remove(&fresh)).map_err(StoreError::io("remove", &fresh))?;
        drop(Self::open_file(disk.clone(), &fresh)?);
        disk.rename(&fresh, path).map_err(StoreError::io("rename", &fresh))?;
        path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir).map_err(StoreError::io("sync", dir)))
    }

    fn open_file(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, StoreError> {
        let (open, unsure, writes) = (RwLock::new(None), Arc::default(), AtomicU64::new(0));
        let db = Self { disk, path: path.to_owned(), open, unsure, writes };
        db.reopen()?;
        db.check_schema()?;
        Ok(db)
    }

    /// Opens it, unless somebody else has meanwhile.
    fn reopen(&self) -> Result<(), StoreError> {
        let mut open = self.open.write();
        if self.unsure.load(SeqCst) {
            return Err(StoreError::Unsure(self.path.clone()));
        }
        if open.is_none() {
            let file = self.disk.open_in_place(&self.path).map_err(StoreError::io("open", &self.path))?;
            let reserve = self.path.with_file_name(RESERVE);
            let backend = DiskBackend::new(self.disk.clone(), file, self.unsure.clone(), reserve);
            let made = Builder::new().set_cache_size(PAGE_CACHE).create_with_backend(backend);
            *open = Some(made.or_db("open")?);
        }
        Ok(())
    }

    /// Does this with the open database, and lets go of one that failed.
    fn with<T>(&self, job: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.open.read_recursive().is_none() {
            self.reopen()?;
        }
        let done = match &*self.open.read_recursive() {
            Some(database) => job(database),
            None => Err(StoreError::Unsure(self.path.clone())),
        };
        if done.as_ref().is_err_and(StoreError::is_of_the_database_file)
            && let Some(mut open) = self.open.try_write()
        {
            // While others still use it they fail as well, and the last of them lets go of it.
            *open = None;
        }
        done
    }

    /// A database without a schema is new: it gets this build's, and every table.
    fn check_schema(&self) -> Result<(), StoreError> {
        if self.schema()? == Some(SCHEMA) {
            return self.add_tables();
        }
        self.write("set its schema", |txn| {
            txn.open_table(META).or_db("open a table")?.insert("schema", SCHEMA).or_db("write")?;
            txn.open_table(PLUGINS).or_db("open a table")?;
            txn.open_table(SETTINGS).or_db("open a table")?;
            txn.open_table(SAVED).or_db("open a table")?;
            txn.open_table(KV).or_db("open a table")?;
            txn.open_table(ERASE).or_db("open a table")?;
            txn.open_table(VERSIONS).or_db("open a table")?;
            txn.open_table(PLANS).or_db("open a table")?;
            txn.open_table(PENDING).or_db("open a table")?;
            txn.open_table(QUARANTINE).or_db("open a table")?;
            txn.open_table(SECRETS).or_db("open a table")?;
            txn.open_table(SCORES).or_db("open a table")?;
            txn.open_table(REVIEWS).or_db("open a table")?;
            Ok(())
        })
    }

    /// Homes of the same schema that were made before earlier versions, plans, versions that wait for
    /// consent, quarantines, secrets, scores and reviews were kept have no tables of them.
    fn add_tables(&self) -> Result<(), StoreError> {
        let txn = self.read()?;
        let there: Vec<String> =
            txn.list_tables().or_db("list its tables")?.map(|table| table.name().to_owned()).collect();
        let has = |name: &str| there.iter().any(|table| table == name);
        let later = [
            VERSIONS.name(),
            PLANS.name(),
            PENDING.name(),
            QUARANTINE.name(),
            SECRETS.name(),
            SCORES.name(),
            REVIEWS.name(),
        ];
        if later.into_iter().all(has) {
            return Ok(());
        }
        self.write("add a table", |txn| {
            txn.open_table(VERSIONS).or_db("open a table")?;
            txn.open_table(PLANS).or_db("open a table")?;
            txn.open_table(PENDING).or_db("open a table")?;
            txn.open_table(QUARANTINE).or_db("open a table")?;
            txn.open_table(SECRETS).or_db("open a table")?;
            txn.open_table(SCORES).or_db("open a table")?;
            txn.open_table(REVIEWS).or_db("open a table").map(drop)
        })
    }

    /// The schema found, none when the database is new.
    fn schema(&self) -> Result<Option<u64>, StoreError> {
        let txn = self.read()?;
        if txn.list_tables().or_db("list its tables")?.next().is_none() {
            return Ok(None);
        }
        let found = match txn.open_table(META) {
            Ok(meta) => meta.get("schema").or_db("read")?.map_or(0, |v| v.value()),
            Err(redb::TableError::TableDoesNotExist(_)) => 0,
            Err(e) => return Err(e).or_db("open a table"),
        };
        if found == SCHEMA {
            return Ok(Some(found));
        }
        Err(StoreError::Schema { what: "the state database".into(), found, supported: SCHEMA })
    }

    /// A consistent view.
    pub(super) fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.with(|database| database.begin_read().or_db("begin a read"))
    }

    /// How many changes there were since the opening.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// One atomic, durable change: all of it or, on an error, nothing.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(|database| {
            let mut txn = database.begin_write().or_db("begin a write")?;
            txn.set_two_phase_commit(true);
            txn.set_durability(Durability::Immediate).or_db("begin a write")?;
            let out = change(&txn)?;
            // Counted on a failure too: what is on disk is then to be read.
            let done = txn.commit().or_db(doing);
            self.writes.fetch_add(1, Ordering::AcqRel);
            done.map(|()| out)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;
    use common::error::{Coded, codes};

    fn open(path: &Path) -> Result<Db, StoreError> {
        Db::open(Arc::new(RealDisk), path)
    }

    #[test]
    fn fault_105_a_database_of_another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        for other in [0, SCHEMA + 1] {
            let db = open(&path).unwrap();
            db.write("test", |txn| {
                txn.open_table(META).or_db("t")?.insert("schema", other).or_db("t")?;
                Ok(())
            })
            .unwrap();
            drop(db);
            let e = open(&path).unwrap_err();
            assert_eq!(e.code(), &codes::E0106);
            assert!(e.to_string().contains(&format!("schema {other}")), "{e}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_and_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        std::fs::write(&path, vec![7; 8192]).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), &codes::E0003);
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 8192]);
    }

    #[test]
    fn half_a_database_that_a_crash_left_while_making_it_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        for half in [0, 100, 4096] {
            std::fs::write(dir.path().join("state.redb.new"), vec![0; half]).unwrap();
            drop(open(&path).unwrap());
            assert!(!dir.path().join("state.redb.new").exists());
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir.path().join("state.redb")).unwrap();
        let failed: Result<(), StoreError> = db.write("test", |txn| {
            txn.open_table(ERASE).or_db("t")?.insert("x/y", ()).or_db("t")?;
            Err(StoreError::TooLarge { what: "it", limit: 0 })
        });
        assert!(failed.is_err());
        let txn = db.read().unwrap();
        assert!(txn.open_table(ERASE).unwrap().get("x/y").unwrap().is_none());
    }
}
