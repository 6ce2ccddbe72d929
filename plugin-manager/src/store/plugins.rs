//! Installed plugins: rows that appear after their package is durable, and go before it does.

use super::db::{
    ERASE, KV, OrDb, PLUGINS, QUARANTINE, REVIEWS, SAVED, SCORES, SETTINGS, VERSIONS, just_above,
};
use super::records::namespace;
use super::{Desired, Home, InstalledPlugin, NewPlugin, PrivateData, StoreError, plans};
use common::identity::{Name, Publisher};
use redb::{ReadableTable, WriteTransaction};

/// Most bytes kept of a failure's text.
pub(super) const FAILURE_TEXT: usize = 4096;

impl Home {
    /// Every installed plugin, by name.
    ///
    /// # Errors
    /// E0003 or E0106 when a row cannot be understood, E0002 when the database fails.
    pub fn plugins(&self) -> Result<Vec<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(PLUGINS).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (name, bytes) = row.or_db("read")?;
            InstalledPlugin::from_row(name.value(), bytes.value())
        })
        .collect()
    }

    /// The installed plugin of this name.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn plugin(&self, name: &Name) -> Result<Option<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(PLUGINS).or_db("open a table")?;
        let row = table.get(name.as_str()).or_db("read")?;
        row.map(|bytes| InstalledPlugin::from_row(name.as_str(), bytes.value())).transpose()
    }

    /// Installs a plugin: its package durable first, then its row. `package` must have the digest it names.
    ///
    /// # Errors
    /// E5004 when the name is taken; otherwise nothing is changed either.
    pub fn install(&self, plugin: NewPlugin, package: &[u8]) -> Result<InstalledPlugin, StoreError> {
        let _one = self.changing.lock();
        if self.plugin(&plugin.name)?.is_some() {
            return Err(StoreError::Exists(plugin.name));
        }
        self.finish_erasures()?;
        self.put_package(&plugin.package, package).or_else(|e| self.tidy_after(Err(e)))?;
        let record = InstalledPlugin { plugin, installed_at_ns: self.clock.wall_ns(), failure: None };
        let committed = self.db.write("install", |txn| {
            plans::done(txn, &record.plugin.name)?;
            let replaced = put(txn, &record)?;
            if replaced { Err(StoreError::Exists(record.plugin.name.clone())) } else { Ok(()) }
        });
        committed.or_else(|e| self.tidy_after(Err(e)))?;
        Ok(record)
    }

    /// Drops packages nobody names, after a replacement or a failure. The outcome is decided by then: a package
    /// that cannot be dropped now is dropped by the next opening.
    pub(super) fn tidy_after(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        let _ = self.drop_unreferenced_packages();
        outcome
    }

    /// Removes a plugin with its earlier versions, their packages, its settings and its logs; its private data too when asked. What a crash
    /// interrupts is finished by the next opening. Returns what was removed.
    ///
    /// The service that keeps stored values in memory must have forgotten the plugin before. Its values are in
    /// no journal any more when their rows go, so nothing can bring them back.
    ///
    /// # Errors
    /// E5001 when none is installed. E0002 when its files could not be removed: the plugin is gone then, and the
    /// next opening tries again.
    pub fn remove(&self, name: &Name, data: PrivateData) -> Result<InstalledPlugin, StoreError> {
        let _one = self.changing.lock();
        let old = self.plugin(name)?.ok_or_else(|| StoreError::NoPlugin(name.clone()))?;
        self.drop_rows(&old.plugin.publisher, name, data)?;
        self.drop_unreferenced_packages()?;
        Ok(old)
    }

    /// Removes the settings of a plugin that has no package, and its private data when asked.
    ///
    /// # Errors
    /// As [`Home::remove`]; E5004, and nothing is changed, when a package of this name is installed.
    pub fn clear_plugin(
        &self,
        publisher: &Publisher,
        name: &Name,
        data: PrivateData,
    ) -> Result<(), StoreError> {
        let _one = self.changing.lock();
        match self.plugin(name)? {
            Some(_) => Err(StoreError::Exists(name.clone())),
            None => self.drop_rows(publisher, name, data),
        }
    }

    /// Drops the row of a plugin if it has one, its settings, and its private data when asked.
    fn drop_rows(&self, publisher: &Publisher, name: &Name, data: PrivateData) -> Result<(), StoreError> {
        let owner = namespace(publisher, name);
        let resting = match data {
            PrivateData::Erase => Some(self.values.settle_of(&self.db, &owner)?),
            PrivateData::Keep => None,
        };
        self.db.write("remove", |txn| {
            plans::done(txn, name)?;
            txn.open_table(PLUGINS).or_db("open a table")?.remove(name.as_str()).or_db("write")?;
            drop_versions(txn, name.as_str())?;
            super::pending::drop_all(txn, name)?;
            drop_settings(txn, name.as_str())?;
            due(txn, name.as_str())?;
            forget_conduct(txn, &owner, data)?;
            txn.open_table(REVIEWS).or_db("open a table")?.remove(owner.as_str()).or_db("write")?;
            if data == PrivateData::Erase { erase_rows(txn, &owner) } else { Ok(()) }
        })?;
        drop(resting);
        self.finish_erasures()
    }

    /// Sets the state a plugin should be in.
    ///
    /// # Errors
    /// E5001 when none of this name is installed.
    pub fn set_desired(&self, name: &Name, desired: Desired) -> Result<(), StoreError> {
        self.db.write("record a change", |txn| {
            plans::done(txn, name)?;
            change(txn, name, |record| record.plugin.desired = desired)
        })
    }

    /// Records why a plugin failed (at most 4 KiB are kept), or with `None` that it no longer does.
    ///
    /// # Errors
    /// E5001 when none of this name is installed.
    pub fn set_failure(&self, name: &Name, failure: Option<&str>) -> Result<(), StoreError> {
        let failure = failure.map(|text| clip(text, FAILURE_TEXT).to_owned());
        self.db.write("record a change", |txn| change(txn, name, |record| record.failure = failure))
    }
}

/// Changes an installed plugin's row.
fn change(
    txn: &WriteTransaction,
    name: &Name,
    change: impl FnOnce(&mut InstalledPlugin),
) -> Result<(), StoreError> {
    let mut table = txn.open_table(PLUGINS).or_db("open a table")?;
    let row = table.get(name.as_str()).or_db("read")?.map(|bytes| bytes.value().to_vec());
    let row = row.ok_or_else(|| StoreError::NoPlugin(name.clone()))?;
    let mut record = InstalledPlugin::from_row(name.as_str(), &row)?;
    change(&mut record);
    table.insert(name.as_str(), record.to_row()?.as_slice()).or_db("write")?;
    Ok(())
}

/// Puts a row; tells whether there was one of that name.
pub(super) fn put(txn: &WriteTransaction, record: &InstalledPlugin) -> Result<bool, StoreError> {
    let mut table = txn.open_table(PLUGINS).or_db("open a table")?;
    let row = record.to_row()?;
    let replaced = table.insert(record.plugin.name.as_str(), row.as_slice()).or_db("write")?;
    Ok(replaced.is_some())
}

fn drop_versions(txn: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    let mut table = txn.open_table(VERSIONS).or_db("open a table")?;
    let next = just_above(name);
    table.retain_in((name, "")..(next.as_str(), ""), |_, _| false).or_db("write")
}

fn drop_settings(txn: &WriteTransaction, name: &str) -> Result<(), StoreError> {
    let mut table = txn.open_table(SETTINGS).or_db("open a table")?;
    let next = just_above(name);
    table.retain_in((name, "", "")..(next.as_str(), "", ""), |_, _| false).or_db("write")
}

/// Drops the rows of a namespace and notes that its files must go too.
fn erase_rows(txn: &WriteTransaction, owner: &str) -> Result<(), StoreError> {
    let mut kv = txn.open_table(KV).or_db("open a table")?;
    let next = just_above(owner);
    kv.retain_in((owner, "")..(next.as_str(), ""), |_, _| false).or_db("write")?;
    txn.open_table(SAVED).or_db("open a table")?.remove(owner).or_db("write")?;
    due(txn, owner)
}

/// Notes that the files of a namespace, or the logs of a name, must go.
fn due(txn: &WriteTransaction, owner: &str) -> Result<(), StoreError> {
    txn.open_table(ERASE).or_db("open a table")?.insert(owner, ()).or_db("write")?;
    Ok(())
}

pub(super) fn clip(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// A quarantine ends with a release alone: removing a plugin and installing it again is none. What a plugin did is known
/// for as long as its data is kept or its quarantine lasts.
fn forget_conduct(txn: &WriteTransaction, owner: &str, data: PrivateData) -> Result<(), StoreError> {
    let quarantined = txn.open_table(QUARANTINE).or_db("open a table")?.get(owner).or_db("read")?.is_some();
    if data == PrivateData::Erase && !quarantined {
        txn.open_table(SCORES).or_db("open a table")?.remove(owner).or_db("write")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::{NOW, open};
    use super::super::records::tests::plugin;
    use super::*;
    use common::error::{Coded, codes};

    #[test]
    fn an_installed_plugin_is_listed_with_its_time_and_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let new = plugin("b", "1.0.0", b"package b");
        let installed = home.install(new.clone(), b"package b").unwrap();
        assert_eq!((installed.installed_at_ns, &installed.plugin), (NOW, &new));
        home.install(plugin("a", "2.0.0", b"package a"), b"package a").unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        let names: Vec<_> = home.plugins().unwrap().into_iter().map(|p| p.plugin.name).collect();
        assert_eq!(names, [Name::new("a").unwrap(), Name::new("b").unwrap()]);
        assert_eq!(home.plugin(&new.name).unwrap(), Some(installed));
        assert_eq!(home.read_package(&new.package).unwrap(), b"package b");
    }

    #[test]
    fn a_taken_name_a_wrong_digest_and_a_missing_plugin_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let one = plugin("a", "1.0.0", b"one");
        home.install(one.clone(), b"one").unwrap();
        let e = home.install(plugin("a", "1.0.1", b"two"), b"two").unwrap_err();
        assert_eq!(e.code(), &codes::E5004);
        assert!(matches!(home.install(plugin("b", "1.0.0", b"x"), b"y"), Err(StoreError::Mismatch(_))));
        let gone = plugin("b", "1.0.0", b"x");
        assert_eq!(home.remove(&gone.name, PrivateData::Keep).unwrap_err().code(), &codes::E5001);
        assert_eq!(home.set_desired(&gone.name, Desired::Paused).unwrap_err().code(), &codes::E5001);
        let all = home.plugins().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].plugin, one);
    }

    #[test]
    fn fault_095_fifty_installations_at_once_and_as_many_removals() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let same: usize = std::thread::scope(|threads| {
            let each = |i: usize| {
                let home = &home;
                threads.spawn(move || {
                    let other = format!("p{i}");
                    home.install(plugin(&other, "1.0.0", other.as_bytes()), other.as_bytes()).unwrap();
                    home.read_package(&plugin(&other, "1.0.0", other.as_bytes()).package).unwrap();
                    if i.is_multiple_of(2) {
                        home.remove(&Name::new(&other).unwrap(), PrivateData::Erase).unwrap();
                    }
                    usize::from(home.install(plugin("same", "1.0.0", b"same"), b"same").is_ok())
                })
            };
            (0..50).map(each).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(same, 1);
        let all = home.plugins().unwrap();
        assert_eq!(all.len(), 26);
        for p in all {
            home.read_package(&p.plugin.package).unwrap();
        }
    }

    #[test]
    fn a_changed_package_file_is_refused_on_reading() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let one = plugin("a", "1.0.0", b"one");
        home.install(one.clone(), b"one").unwrap();
        std::fs::write(home.package_path(&one.package), b"onE").unwrap();
        assert_eq!(home.read_package(&one.package).unwrap_err().code(), &codes::E1503);
    }

    #[test]
    fn desired_state_and_failure_last() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let one = plugin("a", "1.0.0", b"one");
        home.install(one.clone(), b"one").unwrap();
        home.set_desired(&one.name, Desired::Paused).unwrap();
        home.set_failure(&one.name, Some(&"é".repeat(4000))).unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        let found = home.plugin(&one.name).unwrap().unwrap();
        assert_eq!(found.plugin.desired, Desired::Paused);
        assert_eq!(found.failure.map(|f| f.len()), Some(FAILURE_TEXT));
        home.set_failure(&one.name, None).unwrap();
        assert_eq!(home.plugin(&one.name).unwrap().unwrap().failure, None);
    }
}
