//! People whom records name, kept so that they can be forgotten. Records say a pseudonym and a commitment, both made
//! with a key of that person alone; the key and the sealed name are here, and without the key nothing here or in the
//! records tells who it was.

use super::disk::gone;
use super::secrets::secret;
use super::{Home, StoreError, layout};
use common::crypto::{CryptoError, MacKey, SealKey, random};
use common::identity::Digest;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What an erased key is overwritten with.
const ERASED: [u8; 32] = [0; 32];
/// Most people of a home.
const PEOPLE_KEPT: usize = 10_000;
/// Hexadecimal digits of a pseudonym: 80 bits, so that no two of a home are the same.
const PSEUDONYM_DIGITS: usize = 20;
/// Hexadecimal digits of the name of a person's files.
const INDEX_DIGITS: usize = 32;
const KEYS: &str = "people/keys";
const NAMES: &str = "people/names";
/// The key that files are named with, below the home.
const INDEX_KEY: &str = "keys/people.key";

/// A person as records name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// What records say in its place.
    pub pseudonym: String,
    /// SHA-256 of `salt` and then the name, which records say too.
    pub commitment: Digest,
    /// What opens the commitment. It is in no record.
    pub salt: [u8; 32],
}

impl Person {
    fn of(key: &MacKey, name: &str) -> Self {
        let salt = key.tag(&[b"salt"]);
        let tag = Digest::from_bytes(key.tag(&[b"pseudonym\n", name.as_bytes()])).hex();
        Self {
            name: name.to_owned(),
            pseudonym: format!("person-{}", tag.get(..PSEUDONYM_DIGITS).unwrap_or_default()),
            commitment: Digest::of(&[&salt[..], name.as_bytes()].concat()),
            salt,
        }
    }
}

impl Home {
    /// The person of this name, with a pseudonym that stays the same until [`Home::erase_person`].
    ///
    /// # Errors
    /// E0104 and E0003 for files of `people/` and `keys/`, E0101 for more than 10 000 people, E0002 on input and output.
    pub fn person(&self, name: &str) -> Result<Person, StoreError> {
        let index = self.person_index(name)?;
        let (key_file, name_file) =
            (self.path().join(KEYS).join(&index), self.path().join(NAMES).join(&index));
        if !key_file.exists() && layout::entries(&self.path().join(KEYS))?.len() >= PEOPLE_KEPT {
            return Err(StoreError::TooManyPeople(PEOPLE_KEPT));
        }
        if read_key(&key_file)?.is_none() {
            gone(self.disk.remove(&key_file)).map_err(StoreError::io("remove", &key_file))?;
        }
        let key = Zeroizing::new(self.load_or_make(&key_file, new_key)?);
        // One that opens with another key is left from an erasure that a crash ended.
        match read_name(&key, &key_file, &name_file) {
            Ok(Some(kept)) if kept == name => {}
            Ok(_) | Err(StoreError::Secret { source: CryptoError::Mismatch, .. }) => {
                let sealed = seal_key(&key, &key_file)?.seal(index.as_bytes(), name.as_bytes());
                self.write_file(&name_file, &sealed.map_err(secret(&key_file))?)?;
            }
            Err(other) => return Err(other),
        }
        Ok(Person::of(&mac_key(&key, &key_file)?, name))
    }

    /// Destroys the key of the person of this name, and the sealed name. `None` when no person of this name is kept.
    ///
    /// # Errors
    /// As [`Home::person`]; an erasure that failed is done when it is asked for again.
    pub fn erase_person(&self, name: &str) -> Result<Option<Person>, StoreError> {
        let index = self.person_index(name)?;
        let (keys, names) = (self.path().join(KEYS), self.path().join(NAMES));
        let (key_file, name_file) = (keys.join(&index), names.join(&index));
        let person = match read_key(&key_file)? {
            Some(key) => Some(Person::of(&mac_key(&key, &key_file)?, name)),
            None => None,
        };
        if person.is_some() {
            // In place, so that on file systems that write in place the bytes are gone and not only their name.
            let overwrite = || {
                let file = self.disk.open_in_place(&key_file)?;
                self.disk.write_at(&file, &ERASED, 0)?;
                self.disk.sync(&file)?;
                self.disk.remove(&key_file)?;
                self.disk.sync_dir(&keys)
            };
            overwrite().map_err(StoreError::io("erase", &key_file))?;
        }
        let forget = gone(self.disk.remove(&name_file)).and_then(|()| self.disk.sync_dir(&names));
        forget.map_err(StoreError::io("erase", &name_file))?;
        Ok(person)
    }

    /// The person of this name, if one is kept.
    ///
    /// # Errors
    /// As [`Home::person`].
    pub fn known_person(&self, name: &str) -> Result<Option<Person>, StoreError> {
        let key_file = self.path().join(KEYS).join(self.person_index(name)?);
        let key = read_key(&key_file)?;
        key.map(|key| Ok(Person::of(&mac_key(&key, &key_file)?, name))).transpose()
    }

    /// What the files of this person are called: nobody without the key of this home can tell whose they are.
    fn person_index(&self, name: &str) -> Result<String, StoreError> {
        let path = self.path().join(INDEX_KEY);
        let key = Zeroizing::new(self.load_or_make(&path, new_key)?);
        let tag = Digest::from_bytes(mac_key(&key, &path)?.tag(&[name.as_bytes()])).hex();
        Ok(tag.get(..INDEX_DIGITS).unwrap_or_default().to_owned())
    }
}

/// The people whom records of the home at this path name, by pseudonym, without its lock.
///
/// # Errors
/// E0002 and E0003 for files of `people/`.
pub fn people_of(home: &Path) -> Result<Vec<Person>, StoreError> {
    let keys = home.join(KEYS);
    if !keys.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for key_file in layout::entries(&keys)?.into_iter().take(PEOPLE_KEPT) {
        let index = key_file.file_name().unwrap_or_default();
        // Between two looks at it an erasure may have taken it.
        let Some(key) = read_key(&key_file)? else { continue };
        if let Some(name) = read_name(&key, &key_file, &home.join(NAMES).join(index))? {
            found.push(Person::of(&mac_key(&key, &key_file)?, &name));
        }
    }
    found.sort_by(|a, b| a.pseudonym.cmp(&b.pseudonym));
    Ok(found)
}

fn new_key() -> Result<Vec<u8>, CryptoError> {
    let mut key = [0; 32];
    random(&mut key).map(|()| key.to_vec())
}

fn mac_key(bytes: &[u8], path: &Path) -> Result<MacKey, StoreError> {
    let key = bytes.try_into().map_err(|_| secret(path)(CryptoError::Key))?;
    Ok(MacKey::new(key))
}

fn seal_key(bytes: &[u8], path: &Path) -> Result<SealKey, StoreError> {
    SealKey::new(&mac_key(bytes, path)?.tag(&[b"seal"])).map_err(secret(path))
}

/// The key of a person; `None` where there is none, or one that an erasure overwrote before a crash ended it.
fn read_key(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    Ok(read(path)?.map(Zeroizing::new).filter(|key| ***key != ERASED))
}

/// The name sealed in a file of its index; `None` without one.
fn read_name(key: &[u8], key_file: &Path, path: &Path) -> Result<Option<String>, StoreError> {
    let Some(sealed) = read(path)? else { return Ok(None) };
    let label = path.file_name().unwrap_or_default();
    let plain = seal_key(key, key_file)?.open(label.as_encoded_bytes(), &sealed).map_err(secret(path))?;
    String::from_utf8(plain).map(Some).map_err(|_| secret(path)(CryptoError::Mismatch))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(StoreError::io("read", PathBuf::from(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use super::*;
    use common::error::{Coded, codes};

    const NAME: &str = "zebulon.canary@example.com";

    fn holds(dir: &Path, needle: &[u8]) -> bool {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
            true => holds(&path, needle),
            false => std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle)),
        })
    }

    #[test]
    fn a_person_has_one_pseudonym_until_erased_and_then_another() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let first = home.person(NAME).unwrap();
        let other = home.person("ann").unwrap();
        assert_ne!(first.pseudonym, other.pseudonym);
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.person(NAME).unwrap(), first);
        let mut both = [first.clone(), other.clone()];
        both.sort_by(|a, b| a.pseudonym.cmp(&b.pseudonym));
        assert_eq!(people_of(home.path()).unwrap(), both);
        assert_eq!(home.erase_person(NAME).unwrap(), Some(first.clone()));
        assert_eq!(home.known_person(NAME).unwrap(), None);
        assert_eq!(home.erase_person(NAME).unwrap(), None);
        assert_eq!(people_of(home.path()).unwrap(), [other]);
        let again = home.person(NAME).unwrap();
        assert!(again.pseudonym != first.pseudonym && again.commitment != first.commitment);
    }

    #[test]
    fn the_name_is_in_no_file_and_the_salt_opens_the_commitment() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let person = home.person(NAME).unwrap();
        assert!(!holds(dir.path(), NAME.as_bytes()) && !holds(dir.path(), &person.salt));
        assert_eq!(Digest::of(&[&person.salt[..], NAME.as_bytes()].concat()), person.commitment);
        let file = layout::entries(&dir.path().join(KEYS)).unwrap().remove(0);
        let key = std::fs::read(&file).unwrap();
        home.erase_person(NAME).unwrap();
        assert!(!holds(dir.path(), &key));
    }

    #[test]
    fn what_an_erasure_left_in_a_crash_is_replaced_and_a_damaged_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let mut seen = home.person(NAME).unwrap().pseudonym;
        let key_file = layout::entries(&dir.path().join(KEYS)).unwrap().remove(0);
        // Ended after the key was overwritten, and after it was removed.
        let crashes: [&dyn Fn(); 2] =
            [&|| std::fs::write(&key_file, ERASED).unwrap(), &|| std::fs::remove_file(&key_file).unwrap()];
        for crash in crashes {
            crash();
            assert_eq!(people_of(dir.path()).unwrap(), []);
            assert_eq!(home.known_person(NAME).unwrap(), None);
            let next = home.person(NAME).unwrap();
            assert_ne!(next.pseudonym, seen);
            assert_eq!(people_of(dir.path()).unwrap(), std::slice::from_ref(&next));
            seen = next.pseudonym;
        }
        std::fs::write(&key_file, "short").unwrap();
        assert_eq!(home.person(NAME).unwrap_err().code(), &codes::E0003);
        assert_eq!(home.erase_person(NAME).unwrap_err().code(), &codes::E0003);
    }

    #[test]
    fn people_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.person(NAME).unwrap();
        for n in 1..PEOPLE_KEPT {
            std::fs::write(dir.path().join(KEYS).join(n.to_string()), "").unwrap();
        }
        assert!(matches!(home.person("one more"), Err(StoreError::TooManyPeople(_))));
        home.person(NAME).unwrap();
    }
}
