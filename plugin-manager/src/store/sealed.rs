//! Secrets at rest: each sealed under its name with a key of this host, so that the database without the key file
//! says how many there are, their names and their lengths, and nothing else.

use super::db::{OrDb, SECRETS};
use super::secrets::secret;
use super::{Home, StoreError};
use common::crypto::{CryptoError, SealKey, random};
use redb::{ReadableTable, ReadableTableMetadata};
use zeroize::Zeroizing;

/// Most bytes of a secret: it fits a header.
const SECRET_BYTES: usize = 16 << 10;
/// Most secrets of a home.
const SECRETS_KEPT: u64 = 1024;

impl Home {
    /// The key that seals secrets; made on first use.
    fn seal_key(&self) -> Result<SealKey, StoreError> {
        let path = self.keys_dir().join("secrets.key");
        let bytes = Zeroizing::new(self.load_or_make(&path, || {
            let mut key = [0; 32];
            random(&mut key).map(|()| key.to_vec())
        })?);
        let key = bytes.as_slice().try_into().map_err(|_| secret(&path)(CryptoError::Key))?;
        SealKey::new(key).map_err(secret(&path))
    }

    /// The secret of this name; `None` when there is none.
    ///
    /// # Errors
    /// E0104 and E0003 for the key file, E0003 when it was sealed with another key or changed, and when the
    /// database fails.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let table = self.db.read()?.open_table(SECRETS).or_db("open a table")?;
        let Some(sealed) = table.get(name).or_db("read")? else { return Ok(None) };
        let opened = self.seal_key()?.open(name.as_bytes(), sealed.value());
        opened.map(|plain| Some(Zeroizing::new(plain))).map_err(secret(&self.keys_dir().join("secrets.key")))
    }

    /// The names of all secrets, sorted.
    ///
    /// # Errors
    /// When the database fails.
    pub fn secret_names(&self) -> Result<Vec<String>, StoreError> {
        let table = self.db.read()?.open_table(SECRETS).or_db("open a table")?;
        let rows = table.iter().or_db("read")?;
        rows.map(|row| Ok(row.or_db("read")?.0.value().to_owned())).collect()
    }

    /// Keeps a secret under this name, or with `None` removes it. Tells whether there was one.
    ///
    /// # Errors
    /// For more than 16 KiB or more than 1024 secrets, for the key file, and when the database fails.
    pub fn set_secret(&self, name: &str, value: Option<&[u8]>) -> Result<bool, StoreError> {
        if value.is_some_and(|value| value.len() > SECRET_BYTES) {
            return Err(StoreError::TooLarge { what: "a secret", limit: SECRET_BYTES });
        }
        let key_file = self.keys_dir().join("secrets.key");
        let seal = |value: &[u8]| self.seal_key()?.seal(name.as_bytes(), value).map_err(secret(&key_file));
        let sealed = value.map(seal).transpose()?;
        self.db.write("keep a secret", |txn| {
            let mut table = txn.open_table(SECRETS).or_db("open a table")?;
            let was = table.get(name).or_db("read")?.is_some();
            match &sealed {
                Some(_) if !was && table.len().or_db("read")? >= SECRETS_KEPT => {
                    return Err(StoreError::TooManySecrets(SECRETS_KEPT));
                }
                Some(sealed) => drop(table.insert(name, sealed.as_slice()).or_db("write")?),
                None => drop(table.remove(name).or_db("write")?),
            }
            Ok(was)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;
    use common::error::{Coded, codes};

    #[test]
    fn secrets_are_sealed_on_the_disk_and_open_again_after_an_opening() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let value = b"correct horse battery staple";
        assert!(!home.set_secret("api/token", Some(value)).unwrap());
        home.set_secret("other", Some(b"x")).unwrap();
        drop(home);
        let file = std::fs::read(dir.path().join("state.redb")).unwrap();
        assert!(!file.windows(value.len()).any(|window| window == value));
        let home = open(dir.path()).unwrap();
        assert_eq!(home.secret("api/token").unwrap().unwrap().as_slice(), value);
        assert_eq!(home.secret_names().unwrap(), ["api/token", "other"]);
        assert!(home.set_secret("other", None).unwrap() && !home.set_secret("other", None).unwrap());
        assert_eq!(home.secret("other").unwrap(), None);
    }

    #[test]
    fn a_row_moved_to_another_name_or_another_key_opens_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.set_secret("a", Some(b"one")).unwrap();
        let moved = |txn: &redb::WriteTransaction| {
            let mut table = txn.open_table(SECRETS).or_db("open a table")?;
            let sealed = table.get("a").or_db("read")?.unwrap().value().to_vec();
            table.insert("b", sealed.as_slice()).or_db("write").map(drop)
        };
        home.db.write("move a secret", moved).unwrap();
        assert_eq!(home.secret("b").unwrap_err().code(), &codes::E0003);
        std::fs::write(home.keys_dir().join("secrets.key"), [1; 32]).unwrap();
        assert_eq!(home.secret("a").unwrap_err().code(), &codes::E0003);
    }

    #[test]
    fn secrets_and_their_number_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.set_secret("a", Some(&[7; SECRET_BYTES])).unwrap();
        assert!(matches!(
            home.set_secret("b", Some(&[7; SECRET_BYTES + 1])),
            Err(StoreError::TooLarge { .. })
        ));
        let many = |txn: &redb::WriteTransaction| {
            let mut table = txn.open_table(SECRETS).or_db("open a table")?;
            (1..SECRETS_KEPT).try_for_each(|i| {
                table.insert(format!("s{i}").as_str(), b"".as_slice()).or_db("write").map(drop)
            })
        };
        home.db.write("fill", many).unwrap();
        assert!(matches!(home.set_secret("more", Some(b"x")), Err(StoreError::TooManySecrets(_))));
        home.set_secret("a", Some(b"changed")).unwrap();
    }
}
