//! `state.redb`: its tables, its schema check, and the one way to write to it: immediate, in two phases.

use super::disk::{Disk, RealDisk, gone};
use super::{StoreError, layout};
use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction,
};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The schema this build writes and reads.
const SCHEMA: u64 = 1;
/// Bytes of pages kept in memory. Values of plugins have their own cache in front.
const PAGE_CACHE: usize = 32 << 20;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Plugin name → row.
pub(super) const PLUGINS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("plugins");
/// Plugin name, version → when it was replaced among the others, row.
pub(super) const VERSIONS: TableDefinition<'_, (&str, &str), (u64, &[u8])> = TableDefinition::new("versions");
/// Plugin name, section, key → value.
pub(super) const SETTINGS: TableDefinition<'_, (&str, &str, &str), &str> = TableDefinition::new("settings");
/// Namespace → version that saved it, when, bytes.
pub(super) const SAVED: TableDefinition<'_, &str, (&str, u64, &[u8])> = TableDefinition::new("saved");
/// Namespace, key → value.
pub(super) const KV: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("kv");
/// Namespace → why the plugin is quarantined.
pub(super) const QUARANTINE: TableDefinition<'_, &str, &str> = TableDefinition::new("quarantine");
/// Namespaces whose files are still to be erased.
pub(super) const ERASE: TableDefinition<'_, &str, ()> = TableDefinition::new("erase");

/// The least text above `name`: with it, a half-open range of composite keys holds exactly those of `name`.
pub(super) fn just_above(name: &str) -> String {
    format!("{name}\0")
}

/// The open database.
#[derive(Debug)]
pub(super) struct Db(Database);

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
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        layout::check_file(path)?;
        if Self::is_missing(path)? {
            Self::make(path)?;
        }
        Self::open_file(path)
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
    fn make(path: &Path) -> Result<(), StoreError> {
        let fresh = path.with_extension("redb.new");
        gone(RealDisk.remove(&fresh)).map_err(StoreError::io("remove", &fresh))?;
        drop(Self::open_file(&fresh)?);
        RealDisk.rename(&fresh, path).map_err(StoreError::io("rename", &fresh))?;
        path.parent().map_or(Ok(()), |dir| RealDisk.sync_dir(dir).map_err(StoreError::io("sync", dir)))
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(StoreError::io("open", path))?;
        let database = Builder::new().set_cache_size(PAGE_CACHE).create_file(file).or_db("open")?;
        let db = Self(database);
        db.check_schema()?;
        Ok(db)
    }

    /// A database without a schema is new: it gets this build's, and every table.
    fn check_schema(&self) -> Result<(), StoreError> {
        if self.schema()? == Some(SCHEMA) {
            self.add_versions()?;
            return self.add_quarantine();
        }
        self.write("set its schema", |txn| {
            txn.open_table(META).or_db("open a table")?.insert("schema", SCHEMA).or_db("write")?;
            txn.open_table(PLUGINS).or_db("open a table")?;
            txn.open_table(SETTINGS).or_db("open a table")?;
            txn.open_table(SAVED).or_db("open a table")?;
            txn.open_table(KV).or_db("open a table")?;
            txn.open_table(ERASE).or_db("open a table")?;
            txn.open_table(VERSIONS).or_db("open a table")?;
            txn.open_table(QUARANTINE).or_db("open a table")?;
            Ok(())
        })
    }

    /// Homes of the same schema that were made before earlier versions were kept have no table of them.
    fn add_versions(&self) -> Result<(), StoreError> {
        match self.read()?.open_table(VERSIONS) {
            Ok(_) => Ok(()),
            Err(redb::TableError::TableDoesNotExist(_)) => {
                self.write("add a table", |txn| txn.open_table(VERSIONS).or_db("open a table").map(drop))
            }
            Err(e) => Err(e).or_db("open a table"),
        }
    }

    /// Nor have those made before there was a quarantine a table of it.
    fn add_quarantine(&self) -> Result<(), StoreError> {
        match self.read()?.open_table(QUARANTINE) {
            Ok(_) => Ok(()),
            Err(redb::TableError::TableDoesNotExist(_)) => {
                self.write("add a table", |txn| txn.open_table(QUARANTINE).or_db("open a table").map(drop))
            }
            Err(e) => Err(e).or_db("open a table"),
        }
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
        self.0.begin_read().or_db("begin a read")
    }

    /// One atomic, durable change: all of it or, on an error, nothing.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut txn = self.0.begin_write().or_db("begin a write")?;
        txn.set_two_phase_commit(true);
        txn.set_durability(Durability::Immediate).or_db("begin a write")?;
        let out = change(&txn)?;
        txn.commit().or_db(doing)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::{Coded, codes};

    #[test]
    fn fault_105_a_database_of_another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        for other in [0, SCHEMA + 1] {
            let db = Db::open(&path).unwrap();
            db.write("test", |txn| {
                txn.open_table(META).or_db("t")?.insert("schema", other).or_db("t")?;
                Ok(())
            })
            .unwrap();
            drop(db);
            let e = Db::open(&path).unwrap_err();
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
        assert_eq!(Db::open(&path).unwrap_err().code(), &codes::E0003);
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 8192]);
    }

    #[test]
    fn half_a_database_that_a_crash_left_while_making_it_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        for half in [0, 100, 4096] {
            std::fs::write(dir.path().join("state.redb.new"), vec![0; half]).unwrap();
            drop(Db::open(&path).unwrap());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("state.redb")).unwrap();
        let failed: Result<(), StoreError> = db.write("test", |txn| {
            txn.open_table(ERASE).or_db("t")?.insert("x/y", ()).or_db("t")?;
            Err(StoreError::TooLarge { what: "it", limit: 0 })
        });
        assert!(failed.is_err());
        let txn = db.read().unwrap();
        assert!(txn.open_table(ERASE).unwrap().get("x/y").unwrap().is_none());
    }
}
