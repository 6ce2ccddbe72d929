//! `auth`: whose tokens `auth_verify` believes.

use common::config::Span;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Most issuers.
const ISSUERS: usize = 64;
/// Most audiences of an issuer.
const AUDIENCES: usize = 64;
/// Most bytes of a name.
const NAME_BYTES: usize = 512;

/// An algorithm of tokens, as tokens name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub enum TokenSignature {
    RS256,
    ES256,
    EdDSA,
}

/// An issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuer {
    /// Its name, as in the claim `iss`.
    #[serde(default)]
    pub issuer: String,
    /// Who its tokens must be for: one of these must be in the claim `aud`.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The algorithms its keys may be of.
    #[serde(default = "all")]
    pub algorithms: Vec<TokenSignature>,
    /// Its key set: a file, or a URL that begins with `https://`.
    #[serde(default)]
    pub keys: String,
    /// By how much clocks may differ.
    #[serde(default = "leeway")]
    pub leeway: Span,
    /// After how long its keys are read anew.
    #[serde(default = "refresh")]
    pub refresh: Span,
}

fn all() -> Vec<TokenSignature> {
    vec![TokenSignature::ES256, TokenSignature::EdDSA, TokenSignature::RS256]
}

const fn leeway() -> Span {
    Span(Duration::from_secs(30))
}

const fn refresh() -> Span {
    Span(Duration::from_secs(600))
}

/// `auth`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// The issuers.
    pub issuers: Vec<TokenIssuer>,
}

impl Auth {
    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.issuers.len() > ISSUERS {
            return Some("has more than 64 issuers");
        }
        let names: BTreeSet<&str> = self.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
        if names.len() < self.issuers.len() {
            return Some("an issuer is there twice");
        }
        self.issuers.iter().find_map(TokenIssuer::problem)
    }
}

impl TokenIssuer {
    fn problem(&self) -> Option<&'static str> {
        let name = |name: &String| (1..=NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control);
        match () {
            () if !name(&self.issuer) => {
                Some("`issuer` is missing, has more than 512 bytes or a control character")
            }
            () if !(1..=AUDIENCES).contains(&self.audiences.len()) || !self.audiences.iter().all(name) => {
                Some("`audiences` is missing: 1 to 64 names of 1 to 512 bytes, without control characters")
            }
            () if self.algorithms.is_empty() => Some("an issuer has at least one algorithm"),
            () if self.keys.is_empty() || self.keys.starts_with("http://") => {
                Some("`keys` is missing, or is a URL without TLS")
            }
            () if self.refresh.0.is_zero() => Some("refresh must be longer than nothing"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn an_issuer_is_whole_or_refused() {
        let with =
            |text: &str| Config::parse("c", &format!("plugin_manager: {{ auth: {{ issuers: [{text}] }} }}"));
        let good = "{ issuer: a, audiences: [b], keys: /k.json }";
        let read = with(good).unwrap().auth.issuers.remove(0);
        assert_eq!((read.algorithms.len(), read.leeway.0.as_secs(), read.refresh.0.as_secs()), (3, 30, 600));
        for bad in [
            "{ issuer: a, audiences: [b] }",
            "{ audiences: [b], keys: k }",
            "{ issuer: a, audiences: [], keys: k }",
            "{ issuer: '', audiences: [b], keys: k }",
            "{ issuer: a, audiences: [b], keys: 'http://x' }",
            "{ issuer: a, audiences: [b], keys: k, algorithms: [] }",
            "{ issuer: a, audiences: [b], keys: k, algorithms: [none] }",
            "{ issuer: a, audiences: [b], keys: k, refresh: 0s }",
            &format!("{good}, {good}"),
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
