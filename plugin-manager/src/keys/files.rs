//! Files of keys and of trust: 0600, written whole or not at all, and durable when writing returns.

use super::KeyError;
use crate::attestation::{Issued, Passphrase, key_text};
use common::error::ForgeError;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The two files of one key.
pub(super) struct Files {
    pub key: PathBuf,
    pub certificate: PathBuf,
}

impl Files {
    pub fn new(dir: &Path, name: &str) -> Self {
        Self { key: dir.join(format!("{name}.key.pem")), certificate: dir.join(format!("{name}.cert.pem")) }
    }
    pub fn free(&self, what: &str) -> Result<(), KeyError> {
        let taken = self.key.exists() || self.certificate.exists();
        if taken { Err(KeyError::Taken(what.to_owned())) } else { Ok(()) }
    }
    /// Writes both: the key under the passphrase, when there is one.
    pub fn write(
        &self,
        issued: &Issued,
        passphrase: Option<&Passphrase>,
        existing: Existing,
    ) -> Result<(), ForgeError> {
        let key = key_text(&issued.key, passphrase)?;
        write(&self.key, key.as_bytes(), existing)?;
        Ok(write(&self.certificate, issued.certificate.as_bytes(), existing)?)
    }
}

pub(super) fn make_dir(dir: &Path) -> Result<(), KeyError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| KeyError::File { doing: "make", path: dir.to_owned(), source })
}

/// The text of a file, or `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::File { doing: "read", path: path.to_owned(), source }),
    }
}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Replace,
}

/// Writes a file with mode 0600, whole or not at all, and durable when it returns.
pub(super) fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), KeyError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    make_dir(dir)?;
    let fresh = path.with_extension("new");
    let put = || {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match existing {
            // A link fails where a rename would replace.
            Existing::Refuse => fs::hard_link(&fresh, path).and_then(|()| fs::remove_file(&fresh))?,
            Existing::Replace => fs::rename(&fresh, path)?,
        }
        File::open(dir)?.sync_all()
    };
    put().map_err(|source| KeyError::File { doing: "write", path: path.to_owned(), source })
}
