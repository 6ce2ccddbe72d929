//! Secrets the operator keeps for the plugin. Needs the permission `secrets` reveal, or `use` for references.

use std::fmt;

use forgeone_abi::names::syscall::SECRET_REVEAL;

use crate::call::simple;
use crate::error::HostError;

/// The bytes of a secret. `Debug` does not show them, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn as_text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret of this name.
///
/// # Errors
/// The host's status: not found when there is no such secret, unknown on a host without secrets.
pub fn reveal(name: &str) -> Result<Secret, HostError> {
    simple(SECRET_REVEAL, &[name.as_bytes()], |response| Ok(Secret(response.to_vec())))
}

/// The text that stands for a secret in the value of an HTTP header: the host puts the secret in its place, and
/// the plugin never sees it.
///
/// ```
/// use forgeone_pdk::{http::Request, secret};
/// let request = Request::get("https://api.example.com")
///     .header("authorization", format!("Bearer {}", secret::reference("api-token")));
/// assert_eq!(request.header_value("authorization"), Some(&b"Bearer {{secret:api-token}}"[..]));
/// ```
pub fn reference(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Request, Response};
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn a_secret_is_revealed_and_not_shown() {
        let host = Host::install();
        assert_eq!(reveal("key").unwrap_err().status(), Status::UnknownSyscall);
        host.set_secret("key", b"hunter2");
        let secret = reveal("key").unwrap();
        assert_eq!((secret.as_bytes(), secret.as_text().unwrap()), (&b"hunter2"[..], "hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(reveal("other").unwrap_err().status(), Status::NotFound);
        host.deny("secret_reveal");
        assert_eq!(reveal("key").unwrap_err().status(), Status::Denied);
    }

    #[test]
    fn the_host_fills_a_reference_in_and_the_plugin_sends_the_reference() {
        let host = Host::install();
        host.set_secret("key", b"hunter2");
        host.http(|request| Ok(Response::new(200, request.header_value("x-key").unwrap())));
        let sent =
            |name: &str| Request::get("https://a").header("x-key", format!("<{}>", reference(name))).send();
        assert_eq!(sent("key").unwrap().body(), b"<hunter2>");
        assert_eq!(host.requests()[0].header_value("x-key"), Some(&b"<{{secret:key}}>"[..]));
        assert_eq!(sent("none").unwrap_err().status(), Status::NotFound);
    }
}
