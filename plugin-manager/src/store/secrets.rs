//! Keys of this host: made once, 0600, never replaced; a damaged one is an error, not a reason to make another.

use super::{Home, StoreError, layout};
use common::crypto::{Algorithm, CryptoError, MacKey, SigningKey, random};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The key of the audit log, below the home.
pub(super) const AUDIT_KEY: &str = "keys/audit.pkcs8";

/// The key of what the host says of packages, below the home.
pub(crate) const ATTESTATION_KEY: &str = "keys/host-attestation.pkcs8";

impl Home {
    /// The key that authenticates compiled code; made on first use.
    ///
    /// # Errors
    /// E0104 when others can write its file, E0003 when it has another length, E0002 on input and output.
    pub fn mac_key(&self) -> Result<MacKey, StoreError> {
        self.mac_key_in("host-mac.key")
    }

    /// The key of the digests that stand in records in place of names; made on first use. Without it nobody can tell
    /// which name a digest is of.
    ///
    /// # Errors
    /// As [`Home::mac_key`].
    pub fn redaction_key(&self) -> Result<MacKey, StoreError> {
        self.mac_key_in("redaction.key")
    }

    fn mac_key_in(&self, file: &str) -> Result<MacKey, StoreError> {
        let path = self.keys_dir().join(file);
        let bytes = self.load_or_make(&path, || {
            let mut secret = [0; 32];
            random(&mut secret).map(|()| secret.to_vec())
        })?;
        let secret = bytes.as_slice().try_into().map_err(|_| secret(&path)(CryptoError::Key))?;
        Ok(MacKey::new(secret))
    }

    /// The Ed25519 key that signs the audit log's checkpoints; made on first use.
    ///
    /// # Errors
    /// E0104 when others can write its file, E0003 when it is no such key, E0002 on input and output.
    pub fn audit_key(&self) -> Result<SigningKey, StoreError> {
        let path = self.path().join(AUDIT_KEY);
        let make = || SigningKey::generate(Algorithm::Ed25519).map(|(_, pkcs8)| pkcs8);
        let bytes = self.load_or_make(&path, make)?;
        SigningKey::from_pkcs8(&bytes).map_err(secret(&path))
    }

    /// The Ed25519 key that signs what this host says of packages; made on first use.
    ///
    /// # Errors
    /// As [`Home::audit_key`].
    pub fn attestation_key(&self) -> Result<SigningKey, StoreError> {
        let path = self.path().join(ATTESTATION_KEY);
        let make = || SigningKey::generate(Algorithm::Ed25519).map(|(_, pkcs8)| pkcs8);
        let bytes = self.load_or_make(&path, make)?;
        SigningKey::from_pkcs8(&bytes).map_err(secret(&path))
    }

    pub(super) fn load_or_make(
        &self,
        path: &Path,
        make: impl FnOnce() -> Result<Vec<u8>, CryptoError>,
    ) -> Result<Vec<u8>, StoreError> {
        layout::check_file(path)?;
        match std::fs::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let bytes = make().map_err(secret(path))?;
                self.write_file(path, &bytes)?;
                Ok(bytes)
            }
            other => other.map_err(StoreError::io("read", path)),
        }
    }
}

pub(super) fn secret(path: &Path) -> impl FnOnce(CryptoError) -> StoreError {
    let path = PathBuf::from(path);
    move |source| StoreError::Secret { path, source }
}

#[cfg(test)]
mod tests {
    use super::super::home::tests::open;
    use common::error::{Coded, codes};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        let (tag, public) = (home.mac_key().unwrap().tag(&[b"x"]), home.audit_key().unwrap().public());
        drop(home);
        let home = open(dir.path()).unwrap();
        assert_eq!(home.mac_key().unwrap().tag(&[b"x"]), tag);
        assert_eq!(home.audit_key().unwrap().public().as_bytes(), public.as_bytes());
        for file in ["host-mac.key", "audit.pkcs8"] {
            let mode = home.keys_dir().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{file}");
        }
        let other = tempfile::tempdir().unwrap();
        assert_ne!(open(other.path()).unwrap().mac_key().unwrap().tag(&[b"x"]), tag);
    }

    #[test]
    fn a_damaged_or_open_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = open(dir.path()).unwrap();
        home.mac_key().unwrap();
        let path = home.keys_dir().join("host-mac.key");
        std::fs::write(&path, [1; 31]).unwrap();
        assert_eq!(home.mac_key().unwrap_err().code(), &codes::E0003);
        assert_eq!(std::fs::read(&path).unwrap(), [1; 31]);
        std::fs::write(home.keys_dir().join("audit.pkcs8"), "nonsense").unwrap();
        assert!(matches!(home.audit_key(), Err(e) if e.code() == &codes::E0104 || e.code() == &codes::E0003));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(home.mac_key().unwrap_err().code(), &codes::E0104);
    }
}
