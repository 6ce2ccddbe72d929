//! Hashing, authentication, signatures and randomness: the one place of this crate that names `ring`.

mod jws;
mod seal;

pub use jws::TokenKey;
pub use seal::SealKey;

use crate::identity::Digest;
use ring::rand::SecureRandom;
use ring::signature::{self, KeyPair};

/// The SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(data);
    hasher.finish()
}

/// SHA-256 over bytes that arrive in pieces.
#[derive(Clone)]
pub struct Sha256(ring::digest::Context);

impl Sha256 {
    /// Over nothing yet.
    pub fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }
    /// Adds bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
    /// The digest of all bytes added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Digest::from_bytes(bytes)
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256")
    }
}

/// What can go wrong here. No variant says more than a caller may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Random,
    /// The bytes are no key of a kind accepted here.
    #[error("not a PKCS#8 key of an accepted algorithm")]
    Key,
    /// The signature or the tag does not match.
    #[error("the signature does not match")]
    Mismatch,
    /// Signing failed.
    #[error("signing failed")]
    Sign,
}

/// Fills `out` with random bytes of the operating system.
///
/// # Errors
/// [`CryptoError::Random`] when there are none.
pub fn random(out: &mut [u8]) -> Result<(), CryptoError> {
    ring::rand::SystemRandom::new().fill(out).map_err(|_| CryptoError::Random)
}

/// Signature algorithms accepted anywhere in ForgeOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256; signatures in ASN.1 DER.
    EcdsaP256Sha256,
    /// Ed25519.
    Ed25519,
}

impl Algorithm {
    /// The name used in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
        }
    }
    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EcdsaP256Sha256, Self::Ed25519].into_iter().find(|a| a.name() == name)
    }
}

/// A private key that signs.
pub struct SigningKey(Key);

enum Key {
    Ed25519(signature::Ed25519KeyPair),
    P256(signature::EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a new key and returns it with its PKCS#8 encoding, which the caller must keep secret.
    ///
    /// # Errors
    /// [`CryptoError::Random`] when there is no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Vec<u8>), CryptoError> {
        let rng = ring::rand::SystemRandom::new();
        let document = match algorithm {
            Algorithm::Ed25519 => signature::Ed25519KeyPair::generate_pkcs8(&rng),
            Algorithm::EcdsaP256Sha256 => {
                signature::EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &rng)
            }
        }
        .map_err(|_| CryptoError::Random)?;
        let pkcs8 = document.as_ref().to_vec();
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// Reads a PKCS#8 key of either algorithm, with or without the public half.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when it is neither.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        // OpenSSL writes Ed25519 keys as PKCS#8 version 1, without the public half: hence "maybe unchecked".
        if let Ok(key) = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
            return Ok(Self(Key::Ed25519(key)));
        }
        let rng = ring::rand::SystemRandom::new();
        signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &rng)
            .map(|key| Self(Key::P256(key)))
            .map_err(|_| CryptoError::Key)
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Key::Ed25519(_) => Algorithm::Ed25519,
            Key::P256(_) => Algorithm::EcdsaP256Sha256,
        }
    }

    /// The public half: 32 bytes for Ed25519, the uncompressed point for P-256.
    pub fn public(&self) -> PublicKey {
        let bytes = match &self.0 {
            Key::Ed25519(key) => key.public_key().as_ref().to_vec(),
            Key::P256(key) => key.public_key().as_ref().to_vec(),
        };
        PublicKey { algorithm: self.algorithm(), bytes }
    }

    /// Signs a message.
    ///
    /// # Errors
    /// [`CryptoError::Sign`] when ECDSA finds no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.0 {
            Key::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Key::P256(key) => key
                .sign(&ring::rand::SystemRandom::new(), message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| CryptoError::Sign),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm().name())
    }
}

/// A public key that verifies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// The key with these raw bytes: 32 for Ed25519, the uncompressed point for P-256.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when the length does not fit the algorithm.
    pub fn from_raw(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, CryptoError> {
        let length = match algorithm {
            Algorithm::Ed25519 => 32,
            Algorithm::EcdsaP256Sha256 => 65,
        };
        if bytes.len() != length {
            return Err(CryptoError::Key);
        }
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }
    /// Its algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// Its raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Checks a signature over a message.
    ///
    /// # Errors
    /// [`CryptoError::Mismatch`] when it is not this key's signature of this message.
    pub fn verify(&self, message: &[u8], signature_bytes: &[u8]) -> Result<(), CryptoError> {
        let scheme: &dyn signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::Ed25519 => &signature::ED25519,
            Algorithm::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        };
        signature::UnparsedPublicKey::new(scheme, &self.bytes)
            .verify(message, signature_bytes)
            .map_err(|_| CryptoError::Mismatch)
    }
}

/// A secret key of this host that authenticates its own files (HMAC-SHA-256).
pub struct MacKey(ring::hmac::Key);

impl MacKey {
    /// The key with these 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }
    /// The tag of the concatenation of `parts`. The caller makes their boundaries unambiguous.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = ring::hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut tag = [0; 32];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        tag
    }
    /// Checks a tag in constant time.
    ///
    /// # Errors
    /// [`CryptoError::Mismatch`] when it is another.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        // The tag is compared as a MAC of itself, which takes the same time wherever it differs.
        let blind = |bytes: &[u8]| ring::hmac::sign(&self.0, bytes);
        let (ours, theirs) = (blind(&self.tag(parts)), blind(tag));
        if ours.as_ref() == theirs.as_ref() { Ok(()) } else { Err(CryptoError::Mismatch) }
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_algorithms_sign_and_verify_and_notice_changes() {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(&pkcs8).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            let signature = again.sign(b"message").unwrap();
            key.public().verify(b"message", &signature).unwrap();
            assert_eq!(key.public().verify(b"massage", &signature), Err(CryptoError::Mismatch));
            let mut broken = signature.clone();
            *broken.last_mut().unwrap() ^= 1;
            assert_eq!(key.public().verify(b"message", &broken), Err(CryptoError::Mismatch));
        }
    }

    #[test]
    fn a_mac_notices_any_change() {
        let key = MacKey::new(&[7; 32]);
        let tag = key.tag(&[b"a", b"bc"]);
        key.verify(&[b"ab", b"c"], &tag).unwrap();
        assert!(key.verify(&[b"abd"], &tag).is_err());
        assert!(key.verify(&[b"abc"], &tag[..31]).is_err());
        assert!(MacKey::new(&[8; 32]).verify(&[b"abc"], &tag).is_err());
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        assert!(matches!(SigningKey::from_pkcs8(b"nonsense"), Err(CryptoError::Key)));
        assert!(PublicKey::from_raw(Algorithm::Ed25519, &[0; 31]).is_err());
    }
}
