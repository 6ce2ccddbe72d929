//! Where a home's audit log is, and the key that signs it. Reads the home, takes no lock.

use crate::registry::sources;
use crate::store::{Person, anchor_of, people_of};
use common::audit::{Witness, sign_statement};
use common::crypto::{PublicKey, SigningKey};
use common::error::{ForgeError, codes};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The audit log of a home, for those who read and verify it.
#[derive(Debug, Clone)]
pub struct AuditSource {
    /// The directory of its segments.
    pub dir: PathBuf,
    /// The public half of the key that signs its checkpoints.
    pub key: PublicKey,
    /// The checkpoint the state database kept last; `None` when there is none, or while another process has the home.
    pub anchor: Option<String>,
    signing: Arc<SigningKey>,
    home: PathBuf,
}

impl AuditSource {
    /// The log of this home.
    ///
    /// # Errors
    /// E5008 when the home has no log; E3004 when its key cannot be read.
    pub fn of(home: &Path) -> Result<Self, ForgeError> {
        let path = home.join("keys/audit.pkcs8");
        let unreadable = |reason: String| {
            ForgeError::new(&codes::E3004, format!("cannot read the audit key {}", path.display()))
                .reason(reason)
        };
        let pkcs8 = std::fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                ForgeError::new(&codes::E5008, format!("{} has no audit log", home.display()))
                    .with_help("name the home with --home; a home has a log once it was used")
            }
            _ => unreadable(e.to_string()),
        })?;
        let key = SigningKey::from_pkcs8(&pkcs8).map_err(|e| unreadable(e.to_string()))?;
        Ok(Self {
            dir: home.join("audit"),
            key: key.public(),
            anchor: anchor_of(home),
            signing: Arc::new(key),
            home: home.to_owned(),
        })
    }

    /// Whom its records name, by pseudonym; without those who were erased.
    ///
    /// # Errors
    /// E0002 and E0003 for files of `people/`.
    pub fn people(&self) -> Result<Vec<Person>, ForgeError> {
        Ok(people_of(&self.home)?)
    }

    /// A signed note of this log's key, of the name `origin`, that is no checkpoint.
    ///
    /// # Errors
    /// E3004 when the text or the name cannot be signed.
    pub fn sign(&self, origin: &str, subject: &str, lines: &str) -> Result<String, ForgeError> {
        Ok(sign_statement(&self.signing, origin, subject, lines)?)
    }
}

/// The witnesses that the configuration of this home, or this file, names.
///
/// # Errors
/// E0102 and E0103 for the configuration.
pub fn witnesses(home: &Path, config: Option<&Path>) -> Result<Vec<Witness>, ForgeError> {
    let config = sources::config(home, config)?;
    config.audit.witnesses.iter().map(|key| Witness::parse(key).map_err(ForgeError::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_without_a_log_says_so() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(AuditSource::of(home.path()).unwrap_err().code().id, "E5008");
    }
}
