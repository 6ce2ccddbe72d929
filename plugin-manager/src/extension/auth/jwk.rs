//! Key sets (RFC 7517): those keys of a set that verify signatures of the algorithms known here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::crypto::TokenKey;
use serde::Deserialize;

/// Largest key set, in bytes.
pub(super) const MAX_SET: usize = 256 << 10;
/// Most keys of a set.
const MAX_KEYS: usize = 64;

/// An algorithm of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// RSA, PKCS #1, SHA-256.
    Rs256,
    /// ECDSA, P-256, SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl TokenAlgorithm {
    /// The name tokens use. `none` and the symmetric ones have none here.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub id: Option<String>,
    pub algorithm: TokenAlgorithm,
    pub key: TokenKey,
}

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSet {
    #[error("the key set is larger than 256 KiB or has more than 64 keys")]
    Size,
    #[error("the key set is not JSON with a list of keys")]
    Form,
    #[error("the key set has no key that verifies signatures of a known algorithm")]
    Empty,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can be used here; others are passed over, as the standard asks.
pub(super) fn key_set(bytes: &[u8]) -> Result<Vec<Key>, BadSet> {
    if bytes.len() > MAX_SET {
        return Err(BadSet::Size);
    }
    let set: RawSet = serde_json::from_slice(bytes).map_err(|_| BadSet::Form)?;
    if set.keys.len() > MAX_KEYS {
        return Err(BadSet::Size);
    }
    let raw = set.keys.into_iter().filter_map(|value| serde_json::from_value::<RawKey>(value).ok());
    let keys: Vec<Key> = raw.filter_map(RawKey::usable).collect();
    if keys.is_empty() { Err(BadSet::Empty) } else { Ok(keys) }
}

impl RawKey {
    fn usable(self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (TokenAlgorithm::Rs256, rsa(decode(self.n?)?, decode(self.e?)?)?),
            ("EC", Some("P-256")) => (TokenAlgorithm::Es256, p256(&decode(self.x?)?, &decode(self.y?)?)?),
            ("OKP", Some("Ed25519")) => {
                (TokenAlgorithm::EdDsa, TokenKey::Ed25519(decode(self.x?)?.try_into().ok()?))
            }
            _ => return None,
        };
        let same = self.alg.as_deref().is_none_or(|alg| alg == algorithm.name());
        same.then_some(Key { id: self.kid, algorithm, key })
    }
}

fn decode(text: String) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<TokenKey> {
    // The library verifies 2048 to 8192 bits and wants no leading zeros, which some issuers write.
    let trimmed = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (trimmed(n), trimmed(e));
    (256..=1024).contains(&n.len()).then_some(TokenKey::Rsa { n, e })
}

fn p256(x: &[u8], y: &[u8]) -> Option<TokenKey> {
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    let point = [&[4], x, y].concat();
    Some(TokenKey::P256(point.try_into().ok()?))
}
