//! `forgeone.lock` as a file: written whole, and known to be doubtful from before a change of what is installed until
//! it was written after it, whatever stops the process in between.

use super::disk::gone;
use super::{Home, StoreError};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// Most bytes of a lock file that are read: some hundred for each of as many plugins as there may be.
pub const LOCK_BYTES: u64 = 128 << 20;

impl Home {
    /// Where `forgeone.lock` is; it need not exist.
    pub fn lock_file(&self) -> PathBuf {
        self.path().join("forgeone.lock")
    }

    /// Is there while `forgeone.lock` may not say what is installed.
    fn doubt(&self) -> PathBuf {
        self.path().join("tmp/lock.doubtful")
    }

    /// Durable before it returns: until [`Home::write_lock`] is done the file may not say what is installed.
    ///
    /// # Errors
    /// E0002.
    pub fn doubt_lock(&self) -> Result<(), StoreError> {
        let path = self.doubt();
        match self.disk.create(&path) {
            Ok(_) => {
                let dir = path.parent().unwrap_or(&path);
                self.disk.sync_dir(dir).map_err(StoreError::io("sync", dir))
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(StoreError::io("write", path)(e)),
        }
    }

    /// Whether the file may not say what is installed: it is not there, or a change was stopped before it was written.
    pub fn lock_is_doubtful(&self) -> bool {
        self.doubt().exists() || !self.lock_file().exists()
    }

    /// Writes the file whole; it is doubtful no more.
    ///
    /// # Errors
    /// E0002, and the file is as it was then.
    pub fn write_lock(&self, text: &str) -> Result<(), StoreError> {
        self.write_file(&self.lock_file(), text.as_bytes())?;
        gone(self.disk.remove(&self.doubt())).map_err(StoreError::io("remove", self.doubt()))
    }

    /// The text of the file; `None` when there is none.
    ///
    /// # Errors
    /// E0002; E0101 for a file of more than [`LOCK_BYTES`].
    pub fn read_lock(&self) -> Result<Option<String>, StoreError> {
        let path = self.lock_file();
        super::layout::check_file(&path)?;
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(LOCK_BYTES + 1).read_to_string(&mut text));
        match read {
            Ok(_) if text.len() as u64 > LOCK_BYTES => {
                Err(StoreError::TooLarge { what: "forgeone.lock", limit: 128 << 20 })
            }
            Ok(_) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io("read", path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;

    #[test]
    fn a_file_is_doubtful_until_it_is_written_after_the_change() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        assert!(home.lock_is_doubtful() && home.read_lock().unwrap().is_none());
        home.write_lock("one").unwrap();
        assert!(!home.lock_is_doubtful());
        home.doubt_lock().unwrap();
        home.doubt_lock().unwrap();
        drop(home);
        let home = open(dir.path()).unwrap();
        assert!(home.lock_is_doubtful());
        home.write_lock("two").unwrap();
        assert!(!home.lock_is_doubtful());
        assert_eq!(home.read_lock().unwrap().as_deref(), Some("two"));
    }
}
