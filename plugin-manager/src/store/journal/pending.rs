//! Changes that are not in the database yet: the last of each key, by namespace.

use super::super::kv::KvRow;
use super::frame::number;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a key holds: a value, or since its removal nothing.
pub(in crate::store) type Change = Option<Arc<[u8]>>;

/// The length that stands for the removal of a key.
const REMOVED: u64 = u64::MAX;

/// The last change of each key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Pending(BTreeMap<String, BTreeMap<String, Change>>);

impl Pending {
    /// Adds a change over those before it.
    pub(super) fn put(&mut self, namespace: &str, key: &str, value: Option<&[u8]>) {
        let value = value.map(Arc::from);
        match self.0.get_mut(namespace) {
            Some(keys) => drop(keys.insert(key.to_owned(), value)),
            None => drop(self.0.insert(namespace.to_owned(), BTreeMap::from([(key.to_owned(), value)]))),
        }
    }
    /// Adds the changes of a batch; `None` when these bytes are no batch, some of it may be added then.
    pub(super) fn put_batch(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            let (namespace, key) = (text(&mut bytes)?, text(&mut bytes)?);
            let value = match number(&mut bytes)? {
                REMOVED => None,
                length => Some(take(&mut bytes, length)?),
            };
            self.put(namespace, key, value);
        }
        Some(())
    }
    /// The changes of a namespace, sorted by key.
    pub(in crate::store) fn of(&self, namespace: &str) -> Option<&BTreeMap<String, Change>> {
        self.0.get(namespace)
    }
    /// All of them, sorted.
    pub(in crate::store) fn iter(&self) -> impl Iterator<Item = (&str, &str, Option<&[u8]>)> {
        let keys =
            self.0.iter().flat_map(|(ns, keys)| keys.iter().map(move |(key, change)| (ns, key, change)));
        keys.map(|(ns, key, change)| (ns.as_str(), key.as_str(), change.as_deref()))
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends one change to a batch.
pub(super) fn encode(row: &KvRow<'_>, out: &mut Vec<u8>) {
    for text in [row.namespace, row.key] {
        out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    let length = row.value.map_or(REMOVED, |value| value.len() as u64);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(row.value.unwrap_or_default());
}

/// Bytes of one change in a batch.
pub(super) fn encoded_len(row: &KvRow<'_>) -> usize {
    3 * 8 + row.namespace.len() + row.key.len() + row.value.map_or(0, <[u8]>::len)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = number(bytes)?;
    std::str::from_utf8(take(bytes, length)?).ok()
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_batch_comes_back_with_the_last_change_of_each_key(
            rows in prop::collection::vec(("[ab]/[ab]", "[a-c]{1,2}", prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..20),
        ) {
            let (mut bytes, mut model) = (Vec::new(), BTreeMap::new());
            for (namespace, key, value) in &rows {
                let row = KvRow { namespace, key, value: value.as_deref() };
                let before = bytes.len();
                encode(&row, &mut bytes);
                prop_assert_eq!(bytes.len() - before, encoded_len(&row));
                model.insert((namespace.as_str(), key.as_str()), value.as_deref());
            }
            let mut found = Pending::default();
            prop_assert_eq!(found.put_batch(&bytes), Some(()));
            let found: Vec<_> = found.iter().map(|(ns, key, value)| ((ns, key), value)).collect();
            prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut pending = Pending::default();
            let read = pending.put_batch(&bytes);
            prop_assert!(read.is_none() || bytes.is_empty() || !pending.is_empty());
        }
    }
}
