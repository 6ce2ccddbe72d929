//! How far each plugin is trusted, and the evidence of quarantines: what is kept between openings of the home. What a
//! score says is its writer's business; here it is bytes.

use super::db::{OrDb, SCORES};
use super::disk::gone;
use super::layout;
use super::{Home, StoreError};
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most bytes of one score.
pub const SCORE_BYTES: usize = 64 << 10;
/// Most bundles of evidence kept; of more, the oldest go.
pub const BUNDLES: usize = 32;
/// Most bytes of one bundle.
pub const BUNDLE_BYTES: usize = 8 << 20;

impl Home {
    /// Every plugin's score, by namespace.
    ///
    /// # Errors
    /// When the database fails.
    pub fn scores(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let table = self.db.read()?.open_table(SCORES).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (owner, score) = row.or_db("read")?;
            Ok((owner.value().to_owned(), score.value().to_vec()))
        })
        .collect()
    }

    /// Keeps the score of the plugin of this namespace in place of the one before.
    ///
    /// # Errors
    /// When it has more than 64 KiB, or the database fails.
    pub fn keep_score(&self, owner: &str, score: &[u8]) -> Result<(), StoreError> {
        if score.len() > SCORE_BYTES {
            return Err(StoreError::TooLarge { what: "the score", limit: SCORE_BYTES });
        }
        self.db.write("keep a score", |txn| {
            txn.open_table(SCORES).or_db("open a table")?.insert(owner, score).or_db("write")?;
            Ok(())
        })
    }

    /// Where the bundles of evidence are.
    pub fn quarantine_dir(&self) -> PathBuf {
        self.path().join("quarantine")
    }

    /// Writes a bundle under this name, whole or not at all, and drops the oldest beyond [`BUNDLES`]. Names sort by
    /// time from their last `-` on.
    ///
    /// # Errors
    /// When it has more than 8 MiB, or cannot be written.
    pub fn keep_bundle(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        if bytes.len() > BUNDLE_BYTES {
            return Err(StoreError::TooLarge { what: "the bundle of evidence", limit: BUNDLE_BYTES });
        }
        let path = self.quarantine_dir().join(name);
        self.write_file(&path, bytes)?;
        let all = self.bundles()?;
        for old in all.iter().take(all.len().saturating_sub(BUNDLES)) {
            gone(self.disk.remove(old)).map_err(StoreError::io("remove", old))?;
        }
        Ok(path)
    }

    /// Every bundle of evidence, the oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn bundles(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut all = layout::entries(&self.quarantine_dir())?;
        let when = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (name.rsplit_once('-').map(|(_, time)| time.to_owned()).unwrap_or_default(), name)
        };
        all.sort_by_key(when);
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PrivateData;
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::*;

    #[test]
    fn a_score_lasts_as_long_as_the_data_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let a = plugin("a", "1.0.0", b"a");
        home.install(a.clone(), b"a").unwrap();
        home.keep_score("acme/a", b"one").unwrap();
        home.keep_score("acme/b", &[b'x'; SCORE_BYTES]).unwrap();
        assert!(home.keep_score("acme/b", &[b'x'; SCORE_BYTES + 1]).is_err());
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.scores().unwrap().get("acme/a").unwrap(), b"one");
        home.remove(&a.name, PrivateData::Keep).unwrap();
        assert_eq!(home.scores().unwrap().into_keys().collect::<Vec<_>>(), ["acme/a", "acme/b"]);
        home.install(a.clone(), b"a").unwrap();
        home.remove(&a.name, PrivateData::Erase).unwrap();
        assert_eq!(home.scores().unwrap().into_keys().collect::<Vec<_>>(), ["acme/b"]);
    }

    #[test]
    fn bundles_are_bounded_in_number_and_size_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        for time in 0..BUNDLES + 3 {
            // Names of other plugins do not change the order.
            let plugin = if time % 2 == 0 { "z" } else { "a" };
            home.keep_bundle(&format!("{plugin}-{time:020}.json"), b"{}").unwrap();
        }
        let all = home.bundles().unwrap();
        assert_eq!(all.len(), BUNDLES);
        assert!(all.first().unwrap().ends_with("a-00000000000000000003.json"), "{all:?}");
        assert!(home.keep_bundle("a-1.json", &vec![0; BUNDLE_BYTES + 1]).is_err());
    }
}
