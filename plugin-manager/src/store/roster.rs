//! The rows of installed plugins as they were last read: a row is parsed again only when its bytes are others, and
//! nothing is read when nothing was written since.

use super::db::{OrDb, PLUGINS};
use super::{Home, InstalledPlugin, StoreError};
use parking_lot::Mutex;
use redb::ReadableTable;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// How many writes there had been; `None` before the first reading.
    writes: Option<u64>,
    /// By name, a hash of the row's bytes under a key of this process, and the row.
    rows: HashMap<String, (u64, Arc<InstalledPlugin>)>,
    keys: RandomState,
    all: Arc<[Arc<InstalledPlugin>]>,
}

impl Home {
    /// Every installed plugin, by name, shared with whoever asked before.
    ///
    /// # Errors
    /// As [`Home::plugins`].
    pub fn roster(&self) -> Result<Arc<[Arc<InstalledPlugin>]>, StoreError> {
        let mut seen = self.roster.0.lock();
        let writes = self.db.writes();
        if seen.writes == Some(writes) {
            return Ok(seen.all.clone());
        }
        let table = self.db.read()?.open_table(PLUGINS).or_db("open a table")?;
        let mut before = std::mem::take(&mut seen.rows);
        seen.writes = None;
        let mut all = Vec::with_capacity(before.len());
        for entry in table.iter().or_db("read")? {
            let (name, bytes) = entry.or_db("read")?;
            let hash = seen.keys.hash_one(bytes.value());
            let known = before.remove_entry(name.value()).filter(|(_, (old, _))| *old == hash);
            let (name, row) = match known {
                Some((name, (_, row))) => (name, row),
                None => {
                    let row = InstalledPlugin::from_row(name.value(), bytes.value())?;
                    (name.value().to_owned(), Arc::new(row))
                }
            };
            all.push(row.clone());
            seen.rows.insert(name, (hash, row));
        }
        (seen.writes, seen.all) = (Some(writes), all.into());
        Ok(seen.all.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::super::records::tests::plugin;
    use super::super::{Desired, PrivateData};
    use std::sync::Arc;

    #[test]
    fn rows_are_those_of_the_database_after_every_change_and_shared_where_they_did_not_change() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let same = |home: &super::Home| {
            let (shared, read) = (home.roster().unwrap(), home.plugins().unwrap());
            assert!(shared.iter().map(|row| &**row).eq(read.iter()));
            shared
        };
        assert!(same(&home).is_empty());
        for name in ["b", "a", "c"] {
            home.install(plugin(name, "1.0.0", name.as_bytes()), name.as_bytes()).unwrap();
            same(&home);
        }
        let before = same(&home);
        assert!(Arc::ptr_eq(&before, &home.roster().unwrap()));
        home.set_desired(&before[1].plugin.name, Desired::Paused).unwrap();
        let after = same(&home);
        assert!(Arc::ptr_eq(&before[0], &after[0]) && !Arc::ptr_eq(&before[1], &after[1]));
        home.remove(&before[0].plugin.name, PrivateData::Keep).unwrap();
        assert_eq!(same(&home).len(), 2);
    }
}
