//! Tokens of callers, checked by the host. Needs the permission `auth` verify.

use forgeone_abi::names::syscall::AUTH_VERIFY;

use crate::call::{simple, text};
use crate::error::HostError;

/// Checks a token and answers its claims as a JSON text. With the feature `json`,
/// [`json::claims`](crate::json::claims) answers them as a type.
///
/// # Errors
/// The host's status: [`Status::Invalid`](crate::Status::Invalid) for a token that is not good in the fake host,
/// unknown on a host that checks none.
pub fn verify(token: &str) -> Result<String, HostError> {
    simple(AUTH_VERIFY, &[token.as_bytes()], text(AUTH_VERIFY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn claims_come_for_good_tokens_only() {
        let host = Host::install();
        assert_eq!(verify("t").unwrap_err().status(), Status::UnknownSyscall);
        host.set_token("t", r#"{"sub":"ada"}"#);
        assert_eq!(verify("t").unwrap(), r#"{"sub":"ada"}"#);
        assert_eq!(verify("u").unwrap_err().status(), Status::Invalid);
        host.deny("auth_verify");
        assert_eq!(verify("t").unwrap_err().status(), Status::Denied);
    }
}
