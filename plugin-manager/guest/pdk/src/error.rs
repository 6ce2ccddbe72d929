//! What a plugin fails with, and what the host refused with.

use std::fmt;

use forgeone_abi::{Full, Malformed, Status};

/// Why an operation or a lifecycle step failed: a nonzero status and a text for people.
///
/// The text goes to the host through `fail`; the status is what the function returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: i32,
    message: String,
}

impl Error {
    /// The status of an error made from a text alone.
    pub const GENERAL: i32 = 1;
    /// The status of an input that is not what the operation takes: that of [`Status::Invalid`].
    pub const INVALID_INPUT: i32 = Status::Invalid.code();

    /// An error with a status of the plugin's own. Zero means success to the host, so it becomes
    /// [`Error::GENERAL`].
    pub fn new(code: i32, message: impl fmt::Display) -> Self {
        let code = if code == 0 { Self::GENERAL } else { code };
        Self { code, message: message.to_string() }
    }

    /// The status the function returns; never zero.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(Self::GENERAL, message)
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self { code: Self::GENERAL, message }
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::new(Self::GENERAL, error)
    }
}

impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        Self::new(Self::GENERAL, error)
    }
}

/// The status of the host is passed on as the plugin's own.
impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        Self::new(error.status.code(), &error)
    }
}

/// A host call that was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    call: String,
    status: Status,
}

impl HostError {
    pub(crate) fn new(call: &str, status: Status) -> Self {
        Self { call: call.to_owned(), status }
    }

    /// From a negative number of the host; one the ABI does not know counts as internal.
    pub(crate) fn from_code(call: &str, code: i32) -> Self {
        Self::new(call, Status::from_code(code).unwrap_or(Status::Internal))
    }

    /// The response is not what the contract says.
    pub(crate) fn malformed(call: &str) -> impl Fn(Malformed) -> Self {
        move |_| Self::new(call, Status::Internal)
    }

    /// An argument is longer than a list can hold.
    pub(crate) fn too_long(call: &str) -> impl Fn(Full) -> Self {
        move |_| Self::new(call, Status::Limit)
    }

    /// The name of the call, for example `kv_get`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Why, as the contract numbers it.
    pub fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Status::UnknownSyscall => write!(f, "{}: this host has no such call", self.call),
            status => write!(f, "{}: {status}", self.call),
        }
    }
}

impl std::error::Error for HostError {}

/// An absent thing is an answer, not a failure.
pub(crate) fn found<T>(result: Result<T, HostError>) -> Result<Option<T>, HostError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.status == Status::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_has_the_status_of_success() {
        assert_eq!(Error::new(0, "x").code(), Error::GENERAL);
        assert_eq!(Error::new(-7, "x").code(), -7);
    }

    #[test]
    fn a_refusal_names_the_call_and_keeps_its_status() {
        let error = Error::from(HostError::from_code("random", -1));
        assert_eq!((error.code(), error.message()), (-1, "random: denied"));
        assert_eq!(HostError::from_code("x", -77).status(), Status::Internal);
        let lacking = HostError::from_code("http_request", -8);
        assert_eq!(lacking.status(), Status::UnknownSyscall);
        assert_eq!(lacking.to_string(), "http_request: this host has no such call");
    }
}
