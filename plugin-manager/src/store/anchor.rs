//! The last checkpoint of the audit log that this home saw, outside the log: an `audit/` put back to an earlier state
//! does not have the records it covers.

use super::db::{OrDb, WITNESSED};
use super::{Home, StoreError};
use redb::{ReadOnlyDatabase, ReadTransaction, ReadableDatabase};
use std::path::Path;

const CHECKPOINT: &str = "checkpoint";

impl Home {
    /// The checkpoint that was kept last; `None` when none was.
    ///
    /// # Errors
    /// When the database fails.
    pub fn audit_anchor(&self) -> Result<Option<String>, StoreError> {
        read(&self.db.read()?)
    }

    /// Keeps this checkpoint in place of the one before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_audit_anchor(&self, note: &str) -> Result<(), StoreError> {
        self.db.write("keep a checkpoint", |txn| {
            txn.open_table(WITNESSED).or_db("open a table")?.insert(CHECKPOINT, note).or_db("write")?;
            Ok(())
        })
    }
}

/// The checkpoint that the home at this path kept last, without its lock. `None` when there is none, or when it
/// cannot be read: another process has the home, as a rule.
pub fn anchor_of(home: &Path) -> Option<String> {
    let database = ReadOnlyDatabase::open(home.join("state.redb")).ok()?;
    read(&database.begin_read().ok()?).ok().flatten()
}

fn read(txn: &ReadTransaction) -> Result<Option<String>, StoreError> {
    let table = match txn.open_table(WITNESSED) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e).or_db("open a table"),
    };
    Ok(table.get(CHECKPOINT).or_db("read")?.map(|note| note.value().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;

    #[test]
    fn the_last_checkpoint_is_kept_and_read_with_and_without_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(anchor_of(dir.path()), None);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.audit_anchor().unwrap(), None);
        home.set_audit_anchor("one").unwrap();
        home.set_audit_anchor("two").unwrap();
        assert_eq!(home.audit_anchor().unwrap().as_deref(), Some("two"));
        drop(home);
        assert_eq!(anchor_of(dir.path()).as_deref(), Some("two"));
    }
}
