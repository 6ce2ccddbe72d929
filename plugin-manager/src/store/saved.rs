//! What `state_save` wrote, by owner, with the version that wrote it.

use super::db::{OrDb, SAVED};
use super::{Home, SavedState, StoreError};

/// Most bytes of a saved state; a call's output is bounded by the same number.
pub(super) const SAVED_BYTES: usize = 16 << 20;

impl Home {
    /// Keeps a plugin's saved state in place of the one before. `owner` is a [`super::namespace`].
    ///
    /// # Errors
    /// When it is larger than 16 MiB, or the database fails.
    pub fn save_state(&self, owner: &str, version: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > SAVED_BYTES {
            return Err(StoreError::TooLarge { what: "the saved state", limit: SAVED_BYTES });
        }
        let now = self.clock.wall_ns();
        self.db.write("save a state", |txn| {
            let mut table = txn.open_table(SAVED).or_db("open a table")?;
            table.insert(owner, (version, now, bytes)).or_db("write")?;
            Ok(())
        })
    }

    /// The state saved last, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub fn saved_state(&self, owner: &str) -> Result<Option<SavedState>, StoreError> {
        let table = self.db.read()?.open_table(SAVED).or_db("open a table")?;
        let row = table.get(owner).or_db("read")?;
        Ok(row.map(|row| {
            let (version, saved_at_ns, bytes) = row.value();
            SavedState { version: version.to_owned(), saved_at_ns, bytes: bytes.to_vec() }
        }))
    }

    /// Forgets the saved state, as after one that the plugin refused to load.
    ///
    /// # Errors
    /// When the database fails.
    pub fn drop_state(&self, owner: &str) -> Result<(), StoreError> {
        self.db.write("drop a state", |txn| {
            txn.open_table(SAVED).or_db("open a table")?.remove(owner).or_db("write")?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::{NOW, open};
    use super::*;

    #[test]
    fn the_last_state_is_kept_with_its_version_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        assert_eq!(home.saved_state("acme/a").unwrap(), None);
        home.save_state("acme/a", "1.0.0", b"one").unwrap();
        home.save_state("acme/a", "1.1.0", b"two").unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        let two = SavedState { version: "1.1.0".into(), saved_at_ns: NOW, bytes: b"two".to_vec() };
        assert_eq!(home.saved_state("acme/a").unwrap(), Some(two));
        assert_eq!(home.saved_state("other/a").unwrap(), None);
        home.drop_state("acme/a").unwrap();
        assert_eq!(home.saved_state("acme/a").unwrap(), None);
    }

    #[test]
    fn a_state_at_the_limit_is_kept_and_one_byte_more_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let mut bytes = vec![0; SAVED_BYTES];
        home.save_state("acme/a", "1.0.0", &bytes).unwrap();
        bytes.push(0);
        assert!(matches!(home.save_state("acme/a", "1.0.0", &bytes), Err(StoreError::TooLarge { .. })));
    }
}
