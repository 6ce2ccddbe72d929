//! Secrets: handed to a plugin that may reveal them, filled into requests for one that may only use them.

use super::service::{Service, invalid, required, target, text};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Most bytes of a secret's name.
const NAME_BYTES: usize = 128;

/// The bytes of a secret; overwritten when they are dropped.
pub type SecretValue = Zeroizing<Vec<u8>>;

/// A secret cannot be read, for a reason that is not the caller's.
#[derive(Debug, thiserror::Error)]
#[error("a secret cannot be read")]
pub struct SecretFailure(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where secrets are kept.
pub trait SecretSource: Send + Sync + std::fmt::Debug {
    /// The secret of this name; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn secret(&self, name: &str) -> Result<Option<SecretValue>, SecretFailure>;
}

/// Whether a secret may have this name: 1 to 128 of a-z, 0-9, `.`, `_`, `-` and `/`.
pub fn is_secret_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// The secret of this name, or why not.
pub(super) fn read_secret(source: &dyn SecretSource, name: &str) -> Result<SecretValue, CallError> {
    match source.secret(name) {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => Err(CallError::new(Status::NotFound, "there is no such secret")),
        Err(error) => {
            tracing::error!(secret = name, %error, "a secret cannot be read");
            Err(CallError::new(Status::Unavailable, "the secret cannot be read"))
        }
    }
}

/// Answers a secret.
pub(super) struct SecretReveal(pub(super) Arc<dyn SecretSource>);

impl Service for SecretReveal {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [name] = list::<1>(args, 1)?;
        let name = text(required(name)?)?;
        if is_secret_name(name) {
            Ok(target(name, false))
        } else {
            Err(invalid("the name of a secret is 1 to 128 of a-z, 0-9, `.`, `_`, `-` and `/`"))
        }
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(&read_secret(&*self.0, call.target)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;

    #[test]
    fn a_secret_is_answered_by_its_name_and_no_other_spelling() {
        let host = Host::new();
        host.keep_secret("api/token", b"s3cret");
        assert_eq!(host.call("secret_reveal", args().arg("api/token")), Ok(b"s3cret".to_vec()));
        assert_eq!(host.call("secret_reveal", args().arg("api/other")), Err(Status::NotFound));
        let long = "a".repeat(NAME_BYTES + 1);
        for bad in ["", "Token", "a b", "a\0", "é", &long] {
            assert_eq!(host.call("secret_reveal", args().arg(bad)), Err(Status::Invalid), "{bad:?}");
        }
        assert_eq!(host.target("secret_reveal", args().arg("a")), Ok(("a".into(), false)));
    }
}
