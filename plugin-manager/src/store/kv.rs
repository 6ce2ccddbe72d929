//! Stored values of plugins as rows: loaded by namespace, changed in batches that are atomic and durable.

use super::db::{KV, OrDb, just_above};
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
        let table = self.db.read()?.open_table(KV).or_db("open a table")?;
        let next = just_above(namespace);
        for row in table.range((namespace, "")..(next.as_str(), "")).or_db("read")? {
            let (key, value) = row.or_db("read")?;
            each(key.value().1, value.value());
        }
        Ok(())
    }

    /// Makes all these changes, in their order, or none; durable when it returns.
    ///
    /// # Errors
    /// When the database fails.
    pub fn kv_commit<'a>(&self, rows: impl IntoIterator<Item = KvRow<'a>>) -> Result<(), StoreError> {
        self.db.write("store values", |txn| {
            let mut table = txn.open_table(KV).or_db("open a table")?;
            for row in rows {
                let at = (row.namespace, row.key);
                match row.value {
                    Some(value) => table.insert(at, value).or_db("write")?,
                    None => table.remove(at).or_db("write")?,
                };
            }
            Ok(())
        })
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
