//! What a native plugin is given in each call: its input, its output, its log, and the door.

use super::NativeCallError;
use crate::abi::HostContext;
#[cfg(doc)]
use crate::syscall::Status;
use crate::syscall::{LogLevel, SyscallArgs};

/// The host, as a native plugin sees it during one call.
#[derive(Debug)]
pub struct NativeHost<'a> {
    input: &'a [u8],
    context: &'a mut HostContext,
}

impl<'a> NativeHost<'a> {
    pub(super) const fn new(input: &'a [u8], context: &'a mut HostContext) -> Self {
        Self { input, context }
    }

    /// The input of the operation, or the saved state in `state_load`; empty elsewhere. It can be kept beside
    /// host calls.
    pub const fn input(&self) -> &'a [u8] {
        self.input
    }

    /// Appends to the result of the operation, or to the state in `state_save`.
    ///
    /// # Errors
    /// [`Status::Invalid`] elsewhere; [`Status::Limit`] beyond 16 MiB, and nothing is appended then.
    pub fn output(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), NativeCallError> {
        self.context.write_output(bytes.as_ref()).map_err(NativeCallError::of("output"))
    }

    /// One line in the plugin's log, which the host bounds and rotates.
    pub fn log(&mut self, level: LogLevel, line: impl AsRef<[u8]>) {
        self.context.write_log(level, line.as_ref());
    }

    /// One host call: decided by grant and policy, recorded, and only then done. The response holds until the
    /// next call.
    ///
    /// # Errors
    /// The status a guest would be given, with the name of the call.
    pub fn syscall(&mut self, name: &str, args: &SyscallArgs) -> Result<&[u8], NativeCallError> {
        self.context.ask(name.as_bytes(), args.as_bytes()).map_err(NativeCallError::of(name))
    }

    /// A variable of the plugin's `env` section.
    ///
    /// # Errors
    /// As [`NativeHost::syscall`].
    pub fn env(&mut self, key: &str) -> Result<&[u8], NativeCallError> {
        self.context.variable(key.as_bytes()).map_err(NativeCallError::of("env"))
    }

    /// Whether this call is to end: its deadline has passed, or its caller gave it up. Nothing interrupts native code:
    /// work that takes long asks this now and then and gives up.
    pub fn expired(&self) -> bool {
        self.context.expired()
    }
}
