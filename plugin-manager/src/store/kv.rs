//! Stored values of plugins: loaded by namespace from rows and journals, changed in batches of all or nothing.

use super::db::{KV, OrDb, just_above};
use super::journal::Change;
use super::{Home, StoreError};

/// One change: a value, or with `None` its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvRow<'a> {
    /// The owner, as [`super::namespace`] writes it.
    pub namespace: &'a str,
    /// The key.
    pub key: &'a str,
    /// The new value.
    pub value: Option<&'a [u8]>,
}

impl Home {
    /// Hands every key and value of a namespace to `each`, sorted by key.
    ///
    /// # Errors
    /// When the database fails; `each` may have seen some of them.
    pub fn kv_load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let (view, changes) = self.values.over(namespace, || self.db.read())?;
        let table = view.open_table(KV).or_db("open a table")?;
        let next = just_above(namespace);
        let mut changes = changes.into_iter().peekable();
        for row in table.range((namespace, "")..(next.as_str(), "")).or_db("read")? {
            let (key, value) = row.or_db("read")?;
            let key = key.value().1;
            while let Some(change) = changes.next_if(|(changed, _)| changed.as_str() < key) {
                hand(&change, each);
            }
            match changes.next_if(|(changed, _)| changed == key) {
                Some(change) => hand(&change, each),
                None => each(key, value.value()),
            }
        }
        changes.for_each(|change| hand(&change, each));
        Ok(())
    }

    /// Makes all these changes, in their order, or none. They are seen by [`Home::kv_load`] and outlive this
    /// process when it returns; a loss of power only after [`Home::kv_sync`].
    ///
    /// # Errors
    /// E0101 above 128 MiB; E0002 when they cannot be written, or a sync failed before.
    pub fn kv_append<'a>(&self, rows: impl IntoIterator<Item = KvRow<'a>>) -> Result<(), StoreError> {
        let rows: Vec<KvRow<'a>> = rows.into_iter().collect();
        self.values.append(&self.db, &rows)
    }

    /// Makes durable what was appended before it was called; others may append meanwhile.
    ///
    /// # Errors
    /// E0002. Nothing is appended or synced any more then until the home is opened anew.
    pub fn kv_sync(&self) -> Result<(), StoreError> {
        self.values.sync()
    }

    /// [`Home::kv_append`], then [`Home::kv_sync`].
    ///
    /// # Errors
    /// Theirs.
    pub fn kv_commit<'a>(&self, rows: impl IntoIterator<Item = KvRow<'a>>) -> Result<(), StoreError> {
        self.kv_append(rows)?;
        self.kv_sync()
    }

    /// Whether [`Home::kv_settle`] has something to do.
    pub fn kv_settle_due(&self) -> bool {
        self.values.settle_due()
    }

    /// Whether there is no room but what is kept for changes that were accepted already: appending much more
    /// waits for [`Home::kv_settle`].
    pub fn kv_is_full(&self) -> bool {
        self.values.is_full()
    }

    /// Moves the values of a full journal to their rows and empties it; others may append and sync meanwhile.
    ///
    /// # Errors
    /// When the database fails, or E0002; the values stay in the journal then.
    pub fn kv_settle(&self) -> Result<(), StoreError> {
        self.values.settle(&self.db)
    }
}

fn hand((key, change): &(String, Change), each: &mut dyn FnMut(&str, &[u8])) {
    if let Some(value) = change {
        each(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;

    #[test]
    fn values_are_loaded_by_namespace_in_order_and_the_last_change_of_a_batch_holds() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let set = |namespace, key, value| KvRow { namespace, key, value: Some(value) };
        let batch = [
            set("acme/a", "2", b"two".as_slice()),
            set("acme/a", "1", b"one"),
            set("acme/ab", "3", b"other"),
            set("acme/a", "2", b"TWO"),
            set("acme/a", "4", b"four"),
            KvRow { namespace: "acme/a", key: "4", value: None },
        ];
        home.kv_commit(batch).unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        let mut found = Vec::new();
        home.kv_load("acme/a", &mut |k, v| found.push((k.to_owned(), v.to_vec()))).unwrap();
        assert_eq!(found, [("1".into(), b"one".to_vec()), ("2".into(), b"TWO".to_vec())]);
    }
}
