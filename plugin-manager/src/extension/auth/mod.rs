//! `auth_verify`: signed tokens (JWT) of issuers the operator configured. The key decides the algorithm; what is not
//! said by a configured issuer to a configured audience within its time is no claim.

mod issuers;
mod jwk;
mod service;
#[cfg(test)]
mod tests;
mod token;

pub use issuers::{Issuer, Issuers, KeySource};
pub use jwk::TokenAlgorithm;

pub(super) use service::AuthVerify;

/// What parses text that came from elsewhere, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing {
    /// Reads a token and a key set, whatever they are: why either is none.
    pub fn read(token: &str, keys: &[u8]) -> (Result<(), String>, Result<(), String>) {
        let token = super::token::Token::parse(token).map(drop).map_err(|e| e.to_string());
        (token, super::jwk::key_set(keys).map(drop).map_err(|e| e.to_string()))
    }
}
