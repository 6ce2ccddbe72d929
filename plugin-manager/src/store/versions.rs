//! Earlier versions of installed plugins: a bounded number of each, kept with their packages; one transaction
//! puts another version in the place of the installed one.

use super::db::{OrDb, PLUGINS, SAVED, VERSIONS, just_above};
use super::plugins::put;
use super::saved::SAVED_BYTES;
use super::{Home, InstalledPlugin, NewPlugin, StoreError, plans};
use common::identity::{Digest, Name};
use redb::{ReadableTable, WriteTransaction};
use std::collections::BTreeMap;

/// Earlier versions kept of one plugin. Beyond that the one that was replaced first goes, with its package.
pub const KEPT_VERSIONS: usize = 5;

/// A package that is durable before any row names it. Dropped without one that does, it goes with the next change
/// of the home, or its next opening.
#[derive(Debug)]
pub struct StoredPackage<'a> {
    home: &'a Home,
    digest: Digest,
}

/// A saved state that changes hands together with the version.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// The owner, a [`super::namespace`].
    pub owner: &'a str,
    /// The version that saved it.
    pub version: &'a str,
    /// What it saved.
    pub bytes: &'a [u8],
}

impl Drop for StoredPackage<'_> {
    fn drop(&mut self) {
        let mut expected = self.home.expected.lock();
        if let Some(at) = expected.iter().position(|digest| *digest == self.digest) {
            expected.swap_remove(at);
        }
    }
}

impl Home {
    /// The earlier versions of a plugin that are kept, the one replaced last first.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn versions(&self, name: &Name) -> Result<Vec<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(VERSIONS).or_db("open a table")?;
        let mut found = Vec::new();
        for row in of(&table, name)? {
            found.push((row.0, InstalledPlugin::from_row(name.as_str(), &row.2)?));
        }
        found.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// The earlier versions of every plugin that has some, those replaced last first.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn versions_by_name(&self) -> Result<BTreeMap<Name, Vec<String>>, StoreError> {
        let table = self.db.read()?.open_table(VERSIONS).or_db("open a table")?;
        let mut found: BTreeMap<Name, Vec<(u64, String)>> = BTreeMap::new();
        for row in table.iter().or_db("read")? {
            let (key, value) = row.or_db("read")?;
            let record = InstalledPlugin::from_row(key.value().0, value.value().1)?;
            found.entry(record.plugin.name).or_default().push((value.value().0, record.plugin.version));
        }
        let latest_first = |mut versions: Vec<(u64, String)>| {
            versions.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
            versions.into_iter().map(|(_, version)| version).collect()
        };
        Ok(found.into_iter().map(|(name, versions)| (name, latest_first(versions))).collect())
    }

    /// The earlier versions of every plugin.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn all_versions(&self) -> Result<Vec<InstalledPlugin>, StoreError> {
        let table = self.db.read()?.open_table(VERSIONS).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| {
            let (key, value) = row.or_db("read")?;
            InstalledPlugin::from_row(key.value().0, value.value().1)
        })
        .collect()
    }

    /// Makes a package durable for the version that [`Home::replace`] will put in place.
    ///
    /// # Errors
    /// When it cannot be written; nothing is changed then.
    pub fn store_package(&self, package: &[u8]) -> Result<StoredPackage<'_>, StoreError> {
        let _one = self.changing.lock();
        let digest = Digest::of(package);
        self.put_package(&digest, package).or_else(|e| self.tidy_after(Err(e)))?;
        Ok(self.stored_package(digest))
    }

    /// A package that is durable already, for the version that [`Home::replace`] will put in place.
    pub fn stored_package(&self, digest: Digest) -> StoredPackage<'_> {
        self.expected.lock().push(digest);
        StoredPackage { home: self, digest }
    }

    /// Puts another version in the place of the installed one, which is kept. What is desired of the plugin stays.
    /// A state that is carried is the saved one from then on. Returns what was replaced.
    ///
    /// # Errors
    /// E5001 when none is installed; otherwise nothing is changed either.
    pub fn replace(
        &self,
        plugin: NewPlugin,
        package: StoredPackage<'_>,
        state: Option<Carried<'_>>,
    ) -> Result<InstalledPlugin, StoreError> {
        let replaced = self.replace_alone(plugin, package, state);
        self.drop_surplus();
        replaced
    }

    /// Drops packages that nothing names any more. What cannot be dropped now is dropped by the next opening.
    pub fn drop_surplus(&self) {
        let _one = self.changing.lock();
        let _ = self.drop_unreferenced_packages();
    }

    /// [`Home::replace`] without looking for packages that nothing names any more, which takes the longer the more plugins
    /// there are: [`Home::drop_surplus`] does that.
    ///
    /// # Errors
    /// As [`Home::replace`].
    pub fn replace_alone(
        &self,
        plugin: NewPlugin,
        package: StoredPackage<'_>,
        state: Option<Carried<'_>>,
    ) -> Result<InstalledPlugin, StoreError> {
        let _one = self.changing.lock();
        if plugin.package != package.digest {
            return Err(StoreError::Mismatch(plugin.package));
        }
        let mut record = InstalledPlugin { plugin, installed_at_ns: self.clock.wall_ns(), failure: None };
        let committed = self.db.write("replace", |txn| {
            let name = record.plugin.name.clone();
            let old = installed(txn, &name)?.ok_or(StoreError::NoPlugin(name))?;
            record.plugin.desired = old.plugin.desired;
            keep(txn, &old, &record.plugin.version)?;
            super::pending::drop_one(txn, &record.plugin.name, &record.plugin.version)?;
            put(txn, &record)?;
            plans::done(txn, &record.plugin.name)?;
            state.map_or(Ok(()), |state| carry(txn, state, record.installed_at_ns))?;
            Ok(old)
        });
        drop(package);
        committed
    }
}

/// The row of the installed version.
fn installed(txn: &WriteTransaction, name: &Name) -> Result<Option<InstalledPlugin>, StoreError> {
    let table = txn.open_table(PLUGINS).or_db("open a table")?;
    let row = table.get(name.as_str()).or_db("read")?;
    row.map(|bytes| InstalledPlugin::from_row(name.as_str(), bytes.value())).transpose()
}

/// Keeps what is being replaced; what takes its place is no earlier version any more, and the oldest go.
fn keep(txn: &WriteTransaction, old: &InstalledPlugin, by: &str) -> Result<(), StoreError> {
    let name = &old.plugin.name;
    let mut table = txn.open_table(VERSIONS).or_db("open a table")?;
    table.remove((name.as_str(), by)).or_db("write")?;
    let mut there: Vec<(u64, String)> = of(&table, name)?.into_iter().map(|row| (row.0, row.1)).collect();
    there.sort_unstable();
    let order = there.last().map_or(0, |(order, _)| order.saturating_add(1));
    if old.plugin.version == by {
        return Ok(());
    }
    let row = old.to_row()?;
    table.insert((name.as_str(), old.plugin.version.as_str()), (order, row.as_slice())).or_db("write")?;
    let surplus = (there.len() + 1).saturating_sub(KEPT_VERSIONS);
    for (_, version) in there.into_iter().take(surplus) {
        table.remove((name.as_str(), version.as_str())).or_db("write")?;
    }
    Ok(())
}

/// Order, version and row of what one plugin has in this table.
pub(super) fn of(
    table: &impl ReadableTable<(&'static str, &'static str), (u64, &'static [u8])>,
    name: &Name,
) -> Result<Vec<(u64, String, Vec<u8>)>, StoreError> {
    let next = just_above(name.as_str());
    let rows = table.range((name.as_str(), "")..(next.as_str(), "")).or_db("read")?;
    rows.map(|row| {
        let (key, value) = row.or_db("read")?;
        let (order, bytes) = value.value();
        Ok((order, key.value().1.to_owned(), bytes.to_vec()))
    })
    .collect()
}

fn carry(txn: &WriteTransaction, state: Carried<'_>, now: u64) -> Result<(), StoreError> {
    if state.bytes.len() > SAVED_BYTES {
        return Err(StoreError::TooLarge { what: "the saved state", limit: SAVED_BYTES });
    }
    let mut table = txn.open_table(SAVED).or_db("open a table")?;
    table.insert(state.owner, (state.version, now, state.bytes)).or_db("write")?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::super::{Desired, PrivateData};
    use super::*;
    use common::error::{Coded, codes};

    pub(in crate::store) fn replace(
        home: &Home,
        plugin: &NewPlugin,
        package: &[u8],
    ) -> Result<InstalledPlugin, StoreError> {
        home.replace(plugin.clone(), home.store_package(package)?, None)
    }

    fn versions(home: &Home, name: &Name) -> Vec<String> {
        home.versions(name).unwrap().into_iter().map(|v| v.plugin.version).collect()
    }

    fn packages(home: &Home) -> usize {
        std::fs::read_dir(home.packages_dir()).unwrap().count()
    }

    #[test]
    fn what_is_replaced_is_kept_with_its_package_and_may_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (one, two) = (plugin("a", "1.0.0", b"one"), plugin("a", "2.0.0", b"two"));
        // A neighbour in the order of the keys.
        home.install(plugin("a-b", "1.0.0", b"other"), b"other").unwrap();
        home.install(one.clone(), b"one").unwrap();
        home.set_desired(&one.name, Desired::Paused).unwrap();
        assert_eq!(replace(&home, &two, b"two").unwrap().plugin.version, "1.0.0");
        assert_eq!(home.plugin(&one.name).unwrap().unwrap().plugin.desired, Desired::Paused);
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(versions(&home, &one.name), ["1.0.0"]);
        assert_eq!(home.read_package(&one.package).unwrap(), b"one");
        replace(&home, &one, b"one").unwrap();
        assert_eq!(versions(&home, &one.name), ["2.0.0"]);
        assert_eq!(home.versions(&Name::new("a-b").unwrap()).unwrap(), []);
        home.remove(&one.name, PrivateData::Keep).unwrap();
        assert_eq!((home.all_versions().unwrap(), packages(&home)), (vec![], 1));
    }

    #[test]
    fn no_more_than_the_bound_are_kept_and_the_first_replaced_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        // Versions fall, so that their order as keys is not the order of their replacement.
        let named = |i: usize| plugin("a", &format!("{}.0.0", 20 - i), format!("{i}").as_bytes());
        home.install(named(0), b"0").unwrap();
        for i in 1..=KEPT_VERSIONS + 3 {
            replace(&home, &named(i), format!("{i}").as_bytes()).unwrap();
            assert_eq!(packages(&home), i.min(KEPT_VERSIONS) + 1);
        }
        let expected: Vec<String> = (3..KEPT_VERSIONS + 3).rev().map(|i| format!("{}.0.0", 20 - i)).collect();
        assert_eq!(versions(&home, &named(0).name), expected);
    }

    #[test]
    fn a_state_is_carried_with_the_version_or_neither_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (one, two) = (plugin("a", "1.0.0", b"one"), plugin("a", "2.0.0", b"two"));
        home.install(one.clone(), b"one").unwrap();
        let large = vec![0; SAVED_BYTES + 1];
        let state = |bytes| Some(Carried { owner: "acme/a", version: "1.0.0", bytes });
        let refused = home.replace(two.clone(), home.store_package(b"two").unwrap(), state(&large));
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
        assert_eq!(home.plugin(&one.name).unwrap().unwrap().plugin, one);
        assert_eq!((versions(&home, &one.name), packages(&home)), (vec![], 1));
        home.replace(two, home.store_package(b"two").unwrap(), state(b"state")).unwrap();
        let saved = home.saved_state("acme/a").unwrap().unwrap();
        assert_eq!((saved.version.as_str(), saved.bytes.as_slice()), ("1.0.0", b"state".as_slice()));
    }

    #[test]
    fn a_package_that_waits_for_its_row_outlives_other_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (one, two) = (plugin("a", "1.0.0", b"one"), plugin("a", "2.0.0", b"two"));
        home.install(one.clone(), b"one").unwrap();
        let waiting = home.store_package(b"two").unwrap();
        home.install(plugin("b", "1.0.0", b"b"), b"b").unwrap();
        home.remove(&Name::new("b").unwrap(), PrivateData::Keep).unwrap();
        home.replace(two.clone(), waiting, None).unwrap();
        assert_eq!(home.read_package(&two.package).unwrap(), b"two");
        drop(home.store_package(b"three").unwrap());
        home.install(plugin("b", "1.0.0", b"b"), b"b").unwrap();
        home.remove(&Name::new("b").unwrap(), PrivateData::Keep).unwrap();
        assert_eq!(packages(&home), 2);
        let gone = plugin("c", "1.0.0", b"x");
        assert_eq!(replace(&home, &gone, b"x").unwrap_err().code(), &codes::E5001);
        let wrong = home.replace(two, home.store_package(b"x").unwrap(), None);
        assert!(matches!(wrong, Err(StoreError::Mismatch(_))));
    }

    #[test]
    fn a_home_from_before_versions_were_kept_opens() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let one = plugin("a", "1.0.0", b"one");
        home.install(one.clone(), b"one").unwrap();
        let dropped = home.db.write("test", |txn| txn.delete_table(VERSIONS).or_db("delete a table"));
        assert!(dropped.unwrap());
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.versions(&one.name).unwrap(), []);
        assert_eq!(home.plugin(&one.name).unwrap().unwrap().plugin, one);
        assert_eq!(home.read_package(&one.package).unwrap(), b"one");
    }
}
