//! What a native plugin fails with: a nonzero status and a text for people.

use crate::abi::vm::status_code;
use crate::syscall::Status;
use std::fmt;

/// Why an operation or a lifecycle step failed. What a guest says with `fail` and its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeError {
    code: i32,
    message: String,
}

impl NativeError {
    /// The status of an error made from a text alone.
    pub const GENERAL: i32 = 1;

    /// An error with a status of the plugin's own. Zero means success, so it becomes [`NativeError::GENERAL`].
    pub fn new(code: i32, message: impl fmt::Display) -> Self {
        let code = if code == 0 { Self::GENERAL } else { code };
        Self { code, message: message.to_string() }
    }
    /// The status; never zero.
    pub const fn code(&self) -> i32 {
        self.code
    }
    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NativeError {}

impl From<&str> for NativeError {
    fn from(message: &str) -> Self {
        Self::new(Self::GENERAL, message)
    }
}

impl From<String> for NativeError {
    fn from(message: String) -> Self {
        Self { code: Self::GENERAL, message }
    }
}

impl From<std::str::Utf8Error> for NativeError {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::new(Self::GENERAL, error)
    }
}

/// The status of the host is passed on as the plugin's own.
impl From<NativeCallError> for NativeError {
    fn from(error: NativeCallError) -> Self {
        Self::new(status_code(error.status), &error)
    }
}

/// A status without the call it came from, where a plugin keeps only that.
impl From<Status> for NativeError {
    fn from(status: Status) -> Self {
        Self::new(status_code(status), format_args!("a host call ended with: {status}"))
    }
}

/// A call of a [`NativeHost`](super::NativeHost) that was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeCallError {
    call: String,
    status: Status,
}

impl NativeCallError {
    pub(super) fn of(call: &str) -> impl FnOnce(Status) -> Self {
        move |status| Self { call: call.to_owned(), status }
    }
    /// The name of the call: `kv_set`, or `output` and `env` for those of the host itself.
    pub fn call(&self) -> &str {
        &self.call
    }
    /// The status a guest would be given.
    pub const fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for NativeCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Status::Unknown => write!(f, "{}: this host has no such call", self.call),
            status => write!(f, "{}: {status}", self.call),
        }
    }
}

impl std::error::Error for NativeCallError {}
