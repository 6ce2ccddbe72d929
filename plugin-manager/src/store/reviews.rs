//! Who reviewed what, and when: the last review of each subject, and since when each state of the policies is known.
//! What a row says is its writer's business; here it is bytes.

use super::db::{OrDb, REVIEWS};
use super::{Home, StoreError};
use redb::ReadableTable;
use std::collections::BTreeMap;

/// Most bytes of one review.
pub const REVIEW_BYTES: usize = 32 << 10;

impl Home {
    /// Every row, by subject.
    ///
    /// # Errors
    /// When the database fails.
    pub fn reviews(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let table = self.db.read()?.open_table(REVIEWS).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (subject, review) = row.or_db("read")?;
            Ok((subject.value().to_owned(), review.value().to_vec()))
        })
        .collect()
    }

    /// Keeps the row of this subject in place of the one before. A plugin's subject is its namespace: its row goes with
    /// the plugin.
    ///
    /// # Errors
    /// When it has more than 32 KiB, or the database fails.
    pub fn keep_review(&self, subject: &str, review: &[u8]) -> Result<(), StoreError> {
        if review.len() > REVIEW_BYTES {
            return Err(StoreError::TooLarge { what: "the review", limit: REVIEW_BYTES });
        }
        self.db.write("keep a review", |txn| {
            txn.open_table(REVIEWS).or_db("open a table")?.insert(subject, review).or_db("write")?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::PrivateData;
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::*;

    #[test]
    fn a_review_lasts_until_the_plugin_is_removed_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let a = plugin("a", "1.0.0", b"a");
        home.install(a.clone(), b"a").unwrap();
        home.keep_review("acme/a", b"one").unwrap();
        home.keep_review("policy", &[b'x'; REVIEW_BYTES]).unwrap();
        assert!(home.keep_review("policy", &[b'x'; REVIEW_BYTES + 1]).is_err());
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.reviews().unwrap().get("acme/a").unwrap(), b"one");
        home.remove(&a.name, PrivateData::Keep).unwrap();
        assert_eq!(home.reviews().unwrap().into_keys().collect::<Vec<_>>(), ["policy"]);
    }
}
