//! Compiled code at rest: bound to module, engine and machine by a tag of this host's key. The only file that
//! makes a [`TrustedCode`].

use super::RuntimeError;
use common::crypto::MacKey;
use common::identity::Digest;

/// What compiled code was made from and for. Two keys are equal only if the code can be exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeKey {
    /// The module's digest.
    pub module: Digest,
    /// The engine's fingerprint: kind, version, configuration, CPU features.
    pub fingerprint: String,
}

impl CodeKey {
    /// The digest that names the code in a cache.
    pub fn digest(&self) -> Digest {
        let mut text = self.module.to_string();
        text.push('\n');
        text.push_str(&self.fingerprint);
        Digest::of(text.as_bytes())
    }
    /// Seals compiled code for storage: a 32-byte tag, then the code.
    pub fn seal(&self, key: &MacKey, code: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(code.len() + 32);
        sealed.extend_from_slice(&key.tag(&[self.digest().as_bytes(), code]));
        sealed.extend_from_slice(code);
        sealed
    }
    /// Opens sealed code.
    ///
    /// # Errors
    /// [`RuntimeError::Seal`] when it was not sealed by this host for this key.
    pub fn open(&self, key: &MacKey, sealed: Vec<u8>) -> Result<TrustedCode, RuntimeError> {
        let (tag, code) = sealed.split_first_chunk::<32>().ok_or(RuntimeError::Seal)?;
        key.verify(&[self.digest().as_bytes(), code], tag).map_err(|_| RuntimeError::Seal)?;
        Ok(TrustedCode { sealed })
    }
}

/// Compiled code that this host sealed itself; only this may be loaded as native code.
#[derive(Debug)]
pub struct TrustedCode {
    sealed: Vec<u8>,
}

impl TrustedCode {
    /// The engine's own serialised form.
    pub fn bytes(&self) -> &[u8] {
        self.sealed.get(32..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_code_opens_only_unchanged_for_its_key_and_host() {
        let key = CodeKey { module: Digest::of(b"m"), fingerprint: "wasmtime 48 x86_64".into() };
        let host = MacKey::new(&[1; 32]);
        let sealed = key.seal(&host, b"native");
        assert_eq!(key.open(&host, sealed.clone()).unwrap().bytes(), b"native");
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert!(key.open(&host, bad).is_err(), "byte {i}");
        }
        let other = CodeKey { fingerprint: "wasmtime 49 x86_64".into(), ..key.clone() };
        assert!(other.open(&host, sealed.clone()).is_err());
        assert!(key.open(&MacKey::new(&[2; 32]), sealed).is_err());
        assert!(key.open(&host, vec![0; 31]).is_err());
    }
}
