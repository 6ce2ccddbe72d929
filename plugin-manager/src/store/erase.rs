//! Private files and logs of removed plugins go, whatever crash comes between: a row says so until they are gone.

use super::db::{ERASE, OrDb};
use super::disk::gone;
use super::{Home, StoreError};
use redb::ReadableTable;

impl Home {
    /// Erases the private files of every namespace that is due and the logs of every name, then forgets that it was.
    pub(super) fn finish_erasures(&self) -> Result<(), StoreError> {
        for owner in self.due()? {
            self.erase_files(&owner)?;
            self.db.write("finish an erasure", |txn| {
                txn.open_table(ERASE).or_db("open a table")?.remove(owner.as_str()).or_db("write")?;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn due(&self) -> Result<Vec<String>, StoreError> {
        let table = self.db.read()?.open_table(ERASE).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| Ok(row.or_db("read")?.0.value().to_owned())).collect()
    }

    /// Moved away first, so that the area is never half there under its own name; and for good before the row goes
    /// that would move it away again.
    fn erase_files(&self, owner: &str) -> Result<(), StoreError> {
        // An owner of private data is `publisher/name`; a name alone is of a plugin's logs.
        let of_data = owner.contains('/');
        let area = if of_data { self.data_dir().join(owner) } else { self.logs_dir().join(owner) };
        let aside = self.staging_path();
        gone(self.disk.rename(&area, &aside)).map_err(StoreError::io("move", &area))?;
        if let Some(dir) = area.parent() {
            gone(self.disk.sync_dir(dir)).map_err(StoreError::io("sync", dir))?;
        }
        gone(self.disk.remove_tree(&aside)).map_err(StoreError::io("remove", aside))
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::super::{KvRow, LogLimits, PrivateData, Section, namespace};

    #[test]
    fn erasing_takes_files_values_state_and_settings_and_keeping_takes_settings_only() {
        for data in [PrivateData::Keep, PrivateData::Erase] {
            let dir = tempfile::tempdir().unwrap();
            let home = open(dir.path()).unwrap();
            let p = plugin("a", "1.0.0", b"one");
            let owner = namespace(&p.publisher, &p.name);
            home.install(p.clone(), b"one").unwrap();
            let area = home.data_dir().join(&owner);
            std::fs::create_dir_all(area.join("deep")).unwrap();
            std::fs::write(area.join("deep/file"), "x").unwrap();
            let row = |namespace, key| KvRow { namespace, key, value: Some(b"v") };
            // Neighbours in the order of the keys: other namespaces must not be touched.
            let top = "\u{10ffff}".repeat(256);
            home.kv_commit([
                row("acme/a", "k"),
                row("acme/a", &top),
                row("acme/a-b", "k"),
                row("acme/Z", "k"),
            ])
            .unwrap();
            home.save_state(&owner, "1.0.0", b"state").unwrap();
            home.set_setting(&p.name, Section::Config, "k", Some("v")).unwrap();

            home.logs(LogLimits::default()).append(&p.name, b"line\n").unwrap();

            home.remove(&p.name, data).unwrap();

            assert!(!home.logs_dir().join("a").exists());

            let count = |namespace: &str| {
                let mut n = 0;
                home.kv_load(namespace, &mut |_, _| n += 1).unwrap();
                n
            };
            let kept = data == PrivateData::Keep;
            assert_eq!(area.join("deep/file").exists(), kept);
            assert_eq!(count("acme/a"), if kept { 2 } else { 0 });
            assert_eq!((count("acme/a-b"), count("acme/Z")), (1, 1));
            assert_eq!(home.saved_state(&owner).unwrap().is_some(), kept);
            assert_eq!(home.settings(&p.name).unwrap(), []);
            assert!(home.read_package(&p.package).is_err());
            assert_eq!(std::fs::read_dir(home.staging_dir()).unwrap().count(), 0);
        }
    }
}
