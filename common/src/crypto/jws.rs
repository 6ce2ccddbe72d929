//! Signatures as tokens carry them: the key names its one algorithm, never the token.

use super::CryptoError;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// A public key that verifies signatures of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKey {
    /// RSA with SHA-256 and PKCS #1 padding, 2048 to 8192 bits: modulus and exponent, big-endian.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// ECDSA over P-256 with SHA-256: the uncompressed point.
    P256([u8; 65]),
    /// Ed25519.
    Ed25519([u8; 32]),
}

impl TokenKey {
    /// Checks a signature over a message; ECDSA's is the two numbers one after the other.
    ///
    /// # Errors
    /// [`CryptoError::Mismatch`] when it is not this key's signature of this message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let verified = match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.map_err(|_| CryptoError::Mismatch)
    }
}
