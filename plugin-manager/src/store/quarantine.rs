//! Which plugins are quarantined and why: by publisher and name together, over versions and openings of the home,
//! until a plugin is released; its removal changes nothing.

use super::db::{OrDb, QUARANTINE};
use super::plugins::{FAILURE_TEXT, clip};
use super::{Home, StoreError};
use redb::ReadableTable;
use std::collections::BTreeMap;

impl Home {
    /// Every quarantined plugin's namespace, and why it is quarantined.
    ///
    /// # Errors
    /// When the database fails.
    pub fn quarantined(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let table = self.db.read()?.open_table(QUARANTINE).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (owner, why) = row.or_db("read")?;
            Ok((owner.value().to_owned(), why.value().to_owned()))
        })
        .collect()
    }

    /// Quarantines the plugin of this namespace for this reason, of which at most 4 KiB are kept; with `None` it no
    /// longer is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_quarantine(&self, owner: &str, why: Option<&str>) -> Result<(), StoreError> {
        self.db.write("record a quarantine", |txn| {
            let mut table = txn.open_table(QUARANTINE).or_db("open a table")?;
            match why {
                Some(why) => table.insert(owner, clip(why, FAILURE_TEXT)).or_db("write")?,
                None => table.remove(owner).or_db("write")?,
            };
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
    fn a_quarantine_lasts_until_it_is_lifted_whoever_removes_the_plugin() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let a = plugin("a", "1.0.0", b"a");
        home.install(a.clone(), b"a").unwrap();
        home.set_quarantine("acme/a", Some(&"x".repeat(5000))).unwrap();
        home.set_quarantine("acme/b", Some("why")).unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        let all = home.quarantined().unwrap();
        assert_eq!(all.get("acme/b").map(String::as_str), Some("why"));
        assert_eq!(all.get("acme/a").map(String::len), Some(FAILURE_TEXT));
        home.set_quarantine("acme/b", None).unwrap();
        home.keep_score("acme/a", b"score").unwrap();
        home.remove(&a.name, PrivateData::Erase).unwrap();
        assert_eq!((home.quarantined().unwrap().len(), home.scores().unwrap().len()), (1, 1));
        home.set_quarantine("acme/a", None).unwrap();
        for (data, left) in [(PrivateData::Keep, 1), (PrivateData::Erase, 0)] {
            home.install(a.clone(), b"a").unwrap();
            home.remove(&a.name, data).unwrap();
            assert_eq!(home.scores().unwrap().len(), left);
        }
        assert_eq!(home.quarantined().unwrap(), BTreeMap::new());
    }
}
