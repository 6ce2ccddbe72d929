//! Versions that wait for an operator's consent: a bounded number of each plugin, kept with their packages until they
//! are put in place or dropped.

use super::db::{OrDb, PENDING, just_above};
use super::versions::of;
use super::{Home, InstalledPlugin, NewPlugin, StoreError};
use common::identity::Name;
use redb::{ReadableTable, WriteTransaction};

/// Versions of one plugin that may wait for consent. Beyond that the one offered first goes, with its package.
pub const PENDING_VERSIONS: usize = 3;

impl Home {
    /// The versions of a plugin that wait for consent, the one offered first first.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn pending(&self, name: &Name) -> Result<Vec<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(PENDING).or_db("open a table")?;
        let mut found = of(&table, name)?;
        found.sort_by_key(|(order, ..)| *order);
        found.iter().map(|(_, _, row)| InstalledPlugin::from_row(name.as_str(), row)).collect()
    }

    /// The versions of every plugin that wait for consent.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn all_pending(&self) -> Result<Vec<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(PENDING).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (key, value) = row.or_db("read")?;
            InstalledPlugin::from_row(key.value().0, value.value().1)
        })
        .collect()
    }

    /// Keeps a version until somebody consents to it: its package durable first, then its row, which takes the place
    /// of one of the same version.
    ///
    /// # Errors
    /// E5001 when no plugin of its name is installed; otherwise nothing is changed either.
    pub fn keep_pending(&self, plugin: NewPlugin, package: &[u8]) -> Result<(), StoreError> {
        let _one = self.changing.lock();
        if self.plugin(&plugin.name)?.is_none() {
            return Err(StoreError::NoPlugin(plugin.name));
        }
        self.put_package(&plugin.package, package).or_else(|e| self.tidy_after(Err(e)))?;
        let record = InstalledPlugin { plugin, installed_at_ns: self.clock.wall_ns(), failure: None };
        let committed = self.db.write("keep a version that waits for consent", |txn| {
            let name = &record.plugin.name;
            drop_one(txn, name, &record.plugin.version)?;
            let mut table = txn.open_table(PENDING).or_db("open a table")?;
            let mut there: Vec<(u64, String)> =
                of(&table, name)?.into_iter().map(|(order, version, _)| (order, version)).collect();
            there.sort_unstable();
            let order = there.last().map_or(0, |(order, _)| order.saturating_add(1));
            let surplus = (there.len() + 1).saturating_sub(PENDING_VERSIONS);
            for (_, version) in there.into_iter().take(surplus) {
                table.remove((name.as_str(), version.as_str())).or_db("write")?;
            }
            let row = record.to_row()?;
            let key = (name.as_str(), record.plugin.version.as_str());
            table.insert(key, (order, row.as_slice())).or_db("write")?;
            Ok(())
        });
        self.tidy_after(committed)
    }

    /// Drops a version that waits for consent, with its package. Whether there was one.
    ///
    /// # Errors
    /// When the database fails; nothing is changed then.
    pub fn drop_pending(&self, name: &Name, version: &str) -> Result<bool, StoreError> {
        let _one = self.changing.lock();
        let dropped =
            self.db.write("drop a version that waited for consent", |txn| drop_one(txn, name, version))?;
        self.tidy_after(Ok(()))?;
        Ok(dropped)
    }
}

/// Drops one version. Whether there was one.
pub(super) fn drop_one(txn: &WriteTransaction, name: &Name, version: &str) -> Result<bool, StoreError> {
    let mut table = txn.open_table(PENDING).or_db("open a table")?;
    let dropped = table.remove((name.as_str(), version)).or_db("write")?.is_some();
    Ok(dropped)
}

/// Drops every version of a plugin.
pub(super) fn drop_all(txn: &WriteTransaction, name: &Name) -> Result<(), StoreError> {
    let mut table = txn.open_table(PENDING).or_db("open a table")?;
    let (name, next) = (name.as_str(), just_above(name.as_str()));
    table.retain_in((name, "")..(next.as_str(), ""), |_, _| false).or_db("write")
}

#[cfg(test)]
mod tests {
    use super::super::PrivateData;
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::super::versions::tests::replace;
    use super::*;
    use common::error::{Coded, codes};

    fn waiting(home: &Home) -> Vec<String> {
        let name = Name::new("a").unwrap();
        home.pending(&name).unwrap().into_iter().map(|p| p.plugin.version).collect()
    }

    fn packages(home: &Home) -> usize {
        std::fs::read_dir(home.packages_dir()).unwrap().count()
    }

    #[test]
    fn what_waits_outlives_the_process_and_goes_when_it_is_put_in_place_dropped_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (two, three) = (plugin("a", "2.0.0", b"two"), plugin("a", "3.0.0", b"three"));
        let error = home.keep_pending(two.clone(), b"two").unwrap_err();
        assert_eq!((error.code(), packages(&home)), (&codes::E5001, 0));
        home.install(plugin("a", "1.0.0", b"one"), b"one").unwrap();
        home.install(plugin("a-b", "1.0.0", b"other"), b"other").unwrap();
        home.keep_pending(two.clone(), b"two").unwrap();
        home.keep_pending(three, b"three").unwrap();
        home.keep_pending(plugin("a-b", "1.1.0", b"beside"), b"beside").unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!((waiting(&home), packages(&home)), (vec!["2.0.0".into(), "3.0.0".into()], 5));
        replace(&home, &two, b"two").unwrap();
        assert_eq!(waiting(&home), ["3.0.0"]);
        assert!(home.drop_pending(&two.name, "3.0.0").unwrap());
        assert!(!home.drop_pending(&two.name, "3.0.0").unwrap());
        assert_eq!((waiting(&home), packages(&home)), (vec![], 4));
        home.keep_pending(plugin("a", "4.0.0", b"four"), b"four").unwrap();
        home.remove(&two.name, PrivateData::Keep).unwrap();
        assert_eq!((waiting(&home), home.all_pending().unwrap().len(), packages(&home)), (vec![], 1, 2));
    }

    #[test]
    fn no_more_than_the_bound_wait_and_the_first_offered_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.install(plugin("a", "1.0.0", b"one"), b"one").unwrap();
        let offer = |i: usize| {
            let bytes = format!("{i}");
            home.keep_pending(plugin("a", &format!("{}.0.0", 20 - i), bytes.as_bytes()), bytes.as_bytes())
                .unwrap();
        };
        for i in 0..PENDING_VERSIONS + 2 {
            offer(i);
            assert_eq!(packages(&home), (i + 1).min(PENDING_VERSIONS) + 1);
        }
        assert_eq!(waiting(&home), ["18.0.0", "17.0.0", "16.0.0"]);
        offer(2);
        assert_eq!(waiting(&home), ["17.0.0", "16.0.0", "18.0.0"], "offered again, it is the last");
    }

    #[test]
    fn a_home_from_before_versions_waited_opens() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.install(plugin("a", "1.0.0", b"one"), b"one").unwrap();
        assert!(home.db.write("test", |txn| txn.delete_table(PENDING).or_db("delete a table")).unwrap());
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(waiting(&home), [] as [&str; 0]);
        home.keep_pending(plugin("a", "2.0.0", b"two"), b"two").unwrap();
        assert_eq!(waiting(&home), ["2.0.0"]);
    }
}
