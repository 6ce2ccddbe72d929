//! A package and a key to the bundle that verifies.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::error::AttestationError;
use super::staging::{self, StagingFacts};
use super::statement::Statement;
use super::time::rfc3339;
use crate::loader::Package;
use common::crypto::{CryptoError, SigningKey};
use common::error::{Code, Coded, codes};

/// Why a package could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The certificate cannot be used.
    #[error("the certificate cannot be used")]
    Certificate(#[source] AttestationError),
    /// The key is not the certificate's.
    #[error("the key does not belong to the certificate of {subject}")]
    OtherKey {
        /// Whose certificate it is.
        subject: String,
    },
    /// Signing failed.
    #[error("signing failed")]
    Crypto(#[source] CryptoError),
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Write(#[source] serde_json::Error),
}

impl Coded for SignError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Certificate(error) => error.code(),
            Self::OtherKey { .. } => &codes::E1204,
            Self::Crypto(_) | Self::Write(_) => &codes::E0001,
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::OtherKey { .. } => Some("use the key that was issued with this certificate".to_owned()),
            _ => None,
        }
    }
}

/// Signs a package with a leaf certificate's key, and gives `attestations/package.sigstore.json`.
///
/// `now` is the signing time in nanoseconds since 1970: a claim, which no check rests on. Whether a host
/// trusts the certificate is not asked; whether it is fit to sign packages and fits the key is.
///
/// # Errors
/// When the certificate is not a code-signing leaf, or the key is not its own.
pub fn sign(package: &Package, key: &SigningKey, leaf: &[u8], now: u64) -> Result<Vec<u8>, SignError> {
    fit(key, leaf)?;
    bundle(package, key, leaf, now)
}

/// The bundle of a staging attestation about a package, by this key and the leaf certificate (DER) of who staged it.
///
/// # Errors
/// As [`sign`].
pub fn sign_staging(
    package: &Package,
    facts: &StagingFacts,
    key: &SigningKey,
    leaf: &[u8],
    now: u64,
) -> Result<Vec<u8>, SignError> {
    let stager = fit(key, leaf)?.uri().map_err(SignError::Certificate)?;
    let payload =
        staging::statement(package, facts, &stager, now / 1_000_000_000).map_err(SignError::Write)?;
    sealed(payload, key, leaf)
}

/// The certificate, when it is fit to sign packages and the key is its own.
fn fit(key: &SigningKey, leaf: &[u8]) -> Result<Cert, SignError> {
    let cert = Cert::parse(leaf).map_err(SignError::Certificate)?;
    cert.check_leaf().map_err(SignError::Certificate)?;
    match cert.public_key().map_err(SignError::Certificate)? == key.public() {
        true => Ok(cert),
        false => Err(SignError::OtherKey { subject: cert.subject() }),
    }
}

fn bundle(package: &Package, key: &SigningKey, leaf: &[u8], now: u64) -> Result<Vec<u8>, SignError> {
    let payload = Statement::of(package, rfc3339(now / 1_000_000_000)).to_json().map_err(SignError::Write)?;
    sealed(payload, key, leaf)
}

/// A bundle over any payload.
fn sealed(payload: Vec<u8>, key: &SigningKey, leaf: &[u8]) -> Result<Vec<u8>, SignError> {
    let mut bundle = Bundle {
        certificate: leaf.to_vec(),
        signature: Vec::new(),
        payload,
        timestamps: Vec::new(),
        entries: Vec::new(),
    };
    bundle.signature = key.sign(&bundle.signed_bytes()).map_err(SignError::Crypto)?;
    bundle.to_json().map_err(SignError::Write)
}

/// What an attacker with a key could make: bundles that `sign` would refuse to.
#[cfg(test)]
pub(super) mod hostile {
    use super::*;

    pub(in super::super) fn unchecked(package: &Package, key: &SigningKey, leaf: &[u8]) -> Vec<u8> {
        bundle(package, key, leaf, 0).unwrap()
    }
    pub(in super::super) fn payload(
        bend: impl FnOnce(String) -> String,
        package: &Package,
        key: &SigningKey,
        leaf: &[u8],
    ) -> Vec<u8> {
        let text = Statement::of(package, rfc3339(0)).to_json().unwrap();
        sealed(bend(String::from_utf8(text).unwrap()).into_bytes(), key, leaf).unwrap()
    }
}
