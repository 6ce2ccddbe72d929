//! Sealing: what was sealed under one label opens under that label only, and unchanged only (AES-256-GCM).

use super::{CryptoError, random};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// A secret key of this host that seals what is kept at rest.
pub struct SealKey(LessSafeKey);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// The key with these 32 secret bytes.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when the cipher does not take them.
    pub fn new(secret: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| CryptoError::Key)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals `plain` under this label: a random nonce, then the ciphertext with its tag. A key seals up to 2^32 times
    /// before two nonces are likely to meet.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when there is no randomness, [`CryptoError::Sign`] for more than 64 GiB.
    pub fn seal(&self, label: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        // Room for the tag at once, so that the plain text is not left behind in a buffer that was too small.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        let at = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(at, Aad::from(label), &mut body).map_err(|_| CryptoError::Sign)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// Opens what was sealed under this label. The answer is the caller's to overwrite.
    ///
    /// # Errors
    /// [`CryptoError::Mismatch`] when it was sealed otherwise, or is not what was sealed.
    pub fn open(&self, label: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::Mismatch)?;
        let mut plain = body.to_vec();
        let at = Nonce::assume_unique_for_key(*nonce);
        let length =
            self.0.open_in_place(at, Aad::from(label), &mut plain).map_err(|_| CryptoError::Mismatch)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_with_its_key_and_label_unchanged(
            plain: Vec<u8>, label: Vec<u8>, at: prop::sample::Index, bit in 0u8..8,
        ) {
            let key = SealKey::new(&[7; 32]).unwrap();
            let sealed = key.seal(&label, &plain).unwrap();
            prop_assert_eq!(key.open(&label, &sealed).unwrap(), plain.clone());
            prop_assert_ne!(key.seal(&label, &plain).unwrap(), sealed.clone());
            prop_assert_eq!(SealKey::new(&[8; 32]).unwrap().open(&label, &sealed), Err(CryptoError::Mismatch));
            prop_assert_eq!(key.open(&[label.as_slice(), b"x"].concat(), &sealed), Err(CryptoError::Mismatch));
            let mut other = sealed.clone();
            let at = at.index(other.len());
            other[at] ^= 1 << bit;
            prop_assert_eq!(key.open(&label, &other), Err(CryptoError::Mismatch));
            prop_assert_eq!(key.open(&label, &sealed[..at]), Err(CryptoError::Mismatch));
        }
    }
}
