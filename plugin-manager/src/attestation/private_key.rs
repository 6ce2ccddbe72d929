//! Private keys as PEM text: PKCS#8, plain or under a passphrase (PBES2). A text whose key derivation would cost more
//! than 64 MiB of memory or some seconds is refused before any of it is done.
//!
//! Written: scrypt (N 2^14, r 8, p 5: 16 MiB) and AES-256-CBC. Read: scrypt, and PBKDF2 with HMAC-SHA-224 to -512, with
//! AES in CBC mode, as `openssl pkcs8 -topk8` writes them.

use common::crypto::{CryptoError, random};
use common::error::{Code, Coded, codes};
use der::{Decode, Encode};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters, ScryptParams};
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use std::fmt;
use zeroize::Zeroizing;

const PLAIN: &str = "PRIVATE KEY";
const PROTECTED: &str = "ENCRYPTED PRIVATE KEY";
/// Longest text of a key that is read.
const MAX_TEXT: usize = 64 << 10;
/// Longest passphrase, in bytes.
const MAX_PASSPHRASE: usize = 1024;
/// Most memory scrypt may take.
const MAX_MEMORY: u64 = 64 << 20;
/// Most rounds of PBKDF2.
const MAX_ROUNDS: u32 = 10_000_000;
/// Most times scrypt may go through its memory.
const MAX_PASSES: u64 = 16;
/// OpenSSL takes no more than 32 MiB unless told otherwise: cost is added by passes, not by memory.
const COST: ScryptParams<'static> =
    ScryptParams { salt: &[], cost_parameter: 1 << 14, block_size: 8, parallelization: 5, key_length: None };

/// A passphrase: 1 to 1024 bytes without control characters, overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// This text.
    ///
    /// # Errors
    /// [`KeyTextError::Passphrase`] when it is empty, too long, or has a control character.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Result<Self, KeyTextError> {
        let text = text.into();
        let good = !text.is_empty() && text.len() <= MAX_PASSPHRASE && !text.contains(char::is_control);
        if good { Ok(Self(text)) } else { Err(KeyTextError::Passphrase) }
    }
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Why a private key cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It is no PKCS#8 private key in PEM.
    #[error("the key is not a PKCS#8 private key in PEM: {0}")]
    NotAKey(String),
    /// It is protected in a way that is not read here.
    #[error("the key is protected in a way that cannot be read: {0}")]
    Protection(&'static str),
    /// Deriving its key would take more than is given to it.
    #[error("the key's passphrase would cost {0} to check, more than is spent on it")]
    TooCostly(String),
    /// It is protected, and no passphrase was given.
    #[error("the key is protected by a passphrase, and none was given")]
    Locked,
    /// The passphrase is not the key's.
    #[error("the passphrase does not open the key")]
    Wrong,
    /// The text cannot be a passphrase.
    #[error("a passphrase has 1 to 1024 bytes and no control characters")]
    Passphrase,
    /// There is no randomness for a salt.
    #[error("the key cannot be protected")]
    Random(#[source] CryptoError),
    /// The key cannot be encrypted or encoded.
    #[error("the key cannot be protected: {0}")]
    Write(&'static str),
}

impl Coded for KeyTextError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotAKey(_) | Self::Protection(_) | Self::TooCostly(_) | Self::Passphrase => &codes::E0101,
            Self::Locked => &codes::E0141,
            Self::Wrong => &codes::E0142,
            Self::Random(_) | Self::Write(_) => &codes::E0001,
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::NotAKey(_) => Some("convert it with `openssl pkcs8 -topk8`".to_owned()),
            Self::Protection(_) | Self::TooCostly(_) => {
                Some("protect it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt`".to_owned())
            }
            _ => None,
        }
    }
}

/// Whether this text is of a key that has a passphrase.
pub fn is_protected(text: &str) -> bool {
    one_block(text).is_ok_and(|block| block.tag() == PROTECTED)
}

/// The PKCS#8 DER of the one private key in a PEM text.
///
/// # Errors
/// [`KeyTextError::Locked`] for a protected key without a passphrase, [`KeyTextError::Wrong`] for another's; what the
/// text is not.
pub fn open_key(text: &str, passphrase: Option<&Passphrase>) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
    let block = one_block(text)?;
    match (block.tag(), passphrase) {
        (PLAIN, _) => Ok(Zeroizing::new(block.into_contents())),
        (PROTECTED, None) => Err(KeyTextError::Locked),
        (PROTECTED, Some(passphrase)) => decrypted(block.contents(), passphrase),
        (tag, _) => Err(KeyTextError::NotAKey(format!("its block is \"{}\"", tag.escape_debug()))),
    }
}

/// A key as PEM text: under the passphrase when one is given.
///
/// # Errors
/// When there is no randomness for a salt.
pub fn key_text(pkcs8: &[u8], passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, KeyTextError> {
    let pkcs8 = version_one(pkcs8)?;
    let block = match passphrase {
        None => pem::Pem::new(PLAIN, pkcs8.as_slice()),
        Some(passphrase) => pem::Pem::new(PROTECTED, encrypted(&pkcs8, passphrase)?),
    };
    let text = Zeroizing::new(pem::encode(&block));
    drop(Zeroizing::new(block.into_contents()));
    Ok(text)
}

/// The same key without its public half beside it, which OpenSSL 3.0 does not read.
fn version_one(pkcs8: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
    let write = |_| KeyTextError::Write("it is no PKCS#8 key");
    let info = PrivateKeyInfo::from_der(pkcs8).map_err(write)?;
    let alone = PrivateKeyInfo { public_key: None, ..info };
    alone.to_der().map(Zeroizing::new).map_err(write)
}

fn one_block(text: &str) -> Result<pem::Pem, KeyTextError> {
    let bad = |why: &str| Err(KeyTextError::NotAKey(why.to_owned()));
    if text.len() > MAX_TEXT {
        return bad("it is longer than 64 KiB");
    }
    match pem::parse_many(text) {
        Ok(blocks) => match <[pem::Pem; 1]>::try_from(blocks) {
            Ok([one]) => Ok(one),
            Err(_) => bad("it does not have exactly one block"),
        },
        Err(error) => bad(&error.to_string()),
    }
}

fn decrypted(der: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
    let info = EncryptedPrivateKeyInfo::from_der(der)
        .map_err(|_| KeyTextError::Protection("it is not PBES2 with AES in CBC mode"))?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(KeyTextError::Protection("it is PBES1"));
    };
    affordable(&parameters.kdf)?;
    let plain = parameters.decrypt(passphrase.reveal(), info.encrypted_data);
    let plain = Zeroizing::new(plain.map_err(|_| KeyTextError::Wrong)?);
    // A wrong passphrase now and then leaves padding that looks right; what it leaves is then no key.
    match PrivateKeyInfo::from_der(&plain) {
        Ok(_) => Ok(plain),
        Err(_) => Err(KeyTextError::Wrong),
    }
}

/// Whether deriving a key this way stays within what is spent on it.
fn affordable(kdf: &Kdf<'_>) -> Result<(), KeyTextError> {
    match kdf {
        Kdf::Pbkdf2(params) => {
            if params.prf == pbes2::Pbkdf2Prf::HmacWithSha1 {
                return Err(KeyTextError::Protection("its PBKDF2 uses SHA-1"));
            }
            match params.iteration_count {
                0 => Err(KeyTextError::Protection("its PBKDF2 has no rounds")),
                1..=MAX_ROUNDS => Ok(()),
                rounds => Err(KeyTextError::TooCostly(format!("{rounds} rounds"))),
            }
        }
        Kdf::Scrypt(params) => affordable_scrypt(params),
        _ => Err(KeyTextError::Protection("its key derivation is unknown")),
    }
}

fn affordable_scrypt(params: &ScryptParams<'_>) -> Result<(), KeyTextError> {
    let (n, passes) = (params.cost_parameter, u64::from(params.parallelization));
    // The library takes the logarithm of N before it looks at it.
    if n < 2 || !n.is_power_of_two() || params.block_size == 0 || passes == 0 {
        return Err(KeyTextError::Protection("its scrypt has numbers that scrypt does not take"));
    }
    let memory = n.saturating_add(passes).saturating_mul(u64::from(params.block_size)).saturating_mul(128);
    if memory > MAX_MEMORY {
        return Err(KeyTextError::TooCostly(format!("{} MiB", memory >> 20)));
    }
    if passes > MAX_PASSES {
        return Err(KeyTextError::TooCostly(format!("{passes} passes over {} MiB", memory >> 20)));
    }
    Ok(())
}

fn encrypted(pkcs8: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, KeyTextError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    random(&mut salt).and_then(|()| random(&mut iv)).map_err(KeyTextError::Random)?;
    let parameters = Parameters {
        kdf: Kdf::Scrypt(ScryptParams { salt: &salt, ..COST }),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: &iv },
    };
    let data = parameters.encrypt(passphrase.reveal(), pkcs8);
    let data = data.map_err(|_| KeyTextError::Write("encrypting it failed"))?;
    let scheme = EncryptionScheme::Pbes2(parameters);
    let info = EncryptedPrivateKeyInfo { encryption_algorithm: scheme, encrypted_data: &data };
    info.to_der().map_err(|_| KeyTextError::Write("encoding it failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::crypto::{Algorithm, SigningKey};
    use proptest::prelude::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned()).unwrap()
    }

    /// The DER of a protected key with another derivation.
    fn derived_by(kdf: Kdf<'_>) -> String {
        let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: &[3; 16] };
        let scheme = EncryptionScheme::Pbes2(Parameters { kdf, encryption });
        let info = EncryptedPrivateKeyInfo { encryption_algorithm: scheme, encrypted_data: &[7; 48] };
        pem::encode(&pem::Pem::new(PROTECTED, info.to_der().unwrap()))
    }

    #[test]
    fn a_protected_key_opens_with_its_passphrase_alone() {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
            let public = |der: &[u8]| SigningKey::from_pkcs8(der).unwrap().public();
            let own = passphrase("correct horse");
            let text = key_text(&pkcs8, Some(&own)).unwrap();
            assert!(is_protected(&text) && text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
            let opened = open_key(&text, Some(&own)).unwrap();
            assert_eq!(public(&opened), key.public());
            let wrong = open_key(&text, Some(&passphrase("correct horsf"))).unwrap_err();
            assert_eq!((wrong.code().id, wrong.to_string().contains("horse")), ("E0142", false));
            assert_eq!(open_key(&text, None).unwrap_err().code().id, "E0141");
            assert_ne!(text, key_text(&pkcs8, Some(&own)).unwrap(), "the salt is new each time");
            let plain = key_text(&pkcs8, None).unwrap();
            assert!(!is_protected(&plain));
            assert_eq!(open_key(&plain, Some(&own)).unwrap(), opened, "a passphrase too many harms nobody");
        }
    }

    #[test]
    fn fault_088_a_key_whose_passphrase_costs_too_much_to_check_is_refused_at_once() {
        let own = passphrase("x");
        let scrypt = |n: u64, r: u16, p: u16| {
            let params =
                ScryptParams { cost_parameter: n, block_size: r, parallelization: p, salt: &[1; 16], ..COST };
            open_key(&derived_by(Kdf::Scrypt(params)), Some(&own)).unwrap_err()
        };
        let rounds = |rounds| {
            let mut params = pbes2::Pbkdf2Params::hmac_with_sha256(1, &[1; 16]).unwrap();
            params.iteration_count = rounds;
            open_key(&derived_by(Kdf::Pbkdf2(params)), Some(&own)).unwrap_err()
        };
        let began = std::time::Instant::now();
        for error in [scrypt(1 << 20, 8, 1), scrypt(1 << 62, 8, 1), scrypt(1 << 14, u16::MAX, 1)] {
            assert!(matches!(error, KeyTextError::TooCostly(_)), "{error}");
        }
        assert!(matches!(scrypt(1 << 14, 8, 17), KeyTextError::TooCostly(_)));
        assert!(matches!(rounds(MAX_ROUNDS + 1), KeyTextError::TooCostly(_)));
        assert!(matches!(rounds(u32::MAX), KeyTextError::TooCostly(_)));
        assert!(matches!(rounds(0), KeyTextError::Protection(_)));
        assert!(began.elapsed() < std::time::Duration::from_secs(1), "nothing of it was done");
        assert!(matches!(scrypt(2, u16::MAX, 16), KeyTextError::TooCostly(_)), "p blocks are memory too");
        for error in
            [scrypt(0, 8, 1), scrypt(1, 8, 1), scrypt(3, 8, 1), scrypt(1 << 10, 0, 1), scrypt(1 << 10, 8, 0)]
        {
            assert!(matches!(error, KeyTextError::Protection(_)), "{error}");
        }
    }

    #[test]
    fn texts_that_are_no_one_key_are_told_as_such() {
        let (_, pkcs8) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let text = key_text(&pkcs8, None).unwrap();
        for bad in [String::new(), "x".repeat(MAX_TEXT + 1), format!("{}{}", *text, *text)] {
            assert!(matches!(open_key(&bad, None), Err(KeyTextError::NotAKey(_))));
        }
        let old = pem::encode(&pem::Pem::new("EC PRIVATE KEY", pkcs8));
        assert_eq!(open_key(&old, None).unwrap_err().code().id, "E0101");
        let junk = pem::encode(&pem::Pem::new(PROTECTED, vec![0x30, 0x80, 1, 2]));
        assert!(matches!(open_key(&junk, Some(&passphrase("x"))), Err(KeyTextError::Protection(_))));
    }

    #[test]
    fn a_passphrase_is_bounded_and_not_shown() {
        assert_eq!(format!("{:?}", passphrase("open sesame")), "Passphrase");
        for bad in [String::new(), "a\nb".to_owned(), "x".repeat(MAX_PASSPHRASE + 1)] {
            assert!(matches!(Passphrase::new(bad), Err(KeyTextError::Passphrase)));
        }
        passphrase(&"x".repeat(MAX_PASSPHRASE));
    }

    proptest! {
        #[test]
        fn no_bytes_in_a_protected_block_do_more_than_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = pem::encode(&pem::Pem::new(PROTECTED, bytes));
            prop_assert!(open_key(&text, Some(&passphrase("x"))).is_err());
        }
    }
}
