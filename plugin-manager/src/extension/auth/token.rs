//! A token in its compact form, cut into what is signed and what is claimed. Nothing in it is believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Longest token, in bytes.
const MAX_TOKEN: usize = 16 << 10;
/// Longest name of an issuer, an audience or a key, in bytes.
const MAX_NAME: usize = 512;

/// Why a token is not good. What a plugin is told is "invalid"; the record names this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadToken {
    #[error("a token is three parts of base64url, at most 16 KiB")]
    Form,
    #[error("the token's header cannot be read, or demands what is not known here")]
    Header,
    #[error("the token's claims cannot be read, or lack an issuer or a time of expiry")]
    Claims,
    #[error("the token's issuer is not configured")]
    Issuer,
    #[error("no key of the issuer verifies the token")]
    Signature,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
}

/// The part of the header that is looked at. `alg` chooses among the keys, and no key is ever tried with another
/// algorithm than its own.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// The registered claims that are looked at; one given twice is refused, so that nobody reads another than this.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Option<Audience>,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

/// A token.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// What the signature is over.
    pub signed: &'a [u8],
    pub signature: Vec<u8>,
    /// The algorithm it says it is signed with.
    pub algorithm: String,
    /// The key it says it is signed with.
    pub key: Option<String>,
    /// Its claims, as JSON text.
    pub payload: String,
    claims: Claims,
}

/// What a token must hold to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub audiences: &'a [String],
    /// Seconds by which clocks may differ.
    pub leeway: f64,
    /// Seconds since 1970.
    pub now: f64,
}

impl<'a> Token<'a> {
    /// Cuts and reads a token.
    pub fn parse(text: &'a str) -> Result<Self, BadToken> {
        if text.len() > MAX_TOKEN {
            return Err(BadToken::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(BadToken::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(BadToken::Form)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::Form);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header = object(&header).ok_or(BadToken::Header)?;
        let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
        let known = matches!(typ.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt"));
        if !known || header.crit.is_some() || header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_NAME) {
            return Err(BadToken::Header);
        }
        let payload = String::from_utf8(payload).map_err(|_| BadToken::Claims)?;
        let claims = read_claims(&payload)?;
        let (algorithm, key) = (header.alg, header.kid);
        Ok(Self { signed: signed.as_bytes(), signature, algorithm, key, payload, claims })
    }

    /// Who says to have issued it.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Whether its claims hold here and now.
    pub fn holds(&self, to: &Expected<'_>) -> Result<(), BadToken> {
        let among = |one: &String| to.audiences.contains(one);
        let meant = match &self.claims.aud {
            Some(Audience::One(one)) => among(one),
            Some(Audience::Some(some)) => some.iter().any(among),
            None => false,
        };
        if !meant {
            return Err(BadToken::Audience);
        }
        if to.now >= self.claims.exp + to.leeway {
            return Err(BadToken::Expired);
        }
        let begins = [self.claims.nbf, self.claims.iat].into_iter().flatten();
        if begins.into_iter().any(|begin| to.now < begin - to.leeway) {
            return Err(BadToken::Early);
        }
        Ok(())
    }
}

/// A JSON object. The parser would take a list for one as well, field by field.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

fn read_claims(payload: &str) -> Result<Claims, BadToken> {
    let claims: Claims = object(payload.as_bytes()).ok_or(BadToken::Claims)?;
    let named =
        !claims.iss.is_empty() && claims.iss.len() <= MAX_NAME && !claims.iss.contains(char::is_control);
    let times = [Some(claims.exp), claims.nbf, claims.iat].into_iter().flatten();
    let finite = times.into_iter().all(|time| time.is_finite() && time.abs() < 1e15);
    if named && finite { Ok(claims) } else { Err(BadToken::Claims) }
}
