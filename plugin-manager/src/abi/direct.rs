//! The host functions for code that is no guest: slices in place of pointers, the same phases, bounds and records.

use super::HostContext;
use super::vm::FAILURE_BYTES;
use crate::syscall::{LogLevel, Status, text};
use forgeone_abi::names::import;

impl HostContext {
    /// The running call's input, taken out so that it can be read while host calls are made; see
    /// [`HostContext::put_input`].
    pub fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }
    /// Puts back what [`HostContext::take_input`] took.
    pub fn put_input(&mut self, input: Vec<u8>) {
        self.input = input;
    }
    /// One log line.
    pub fn write_log(&mut self, level: LogLevel, line: &[u8]) {
        self.port.log(level, line);
    }
    /// Appends to the output of the running call.
    ///
    /// # Errors
    /// [`Status::Invalid`] in a call that has none, [`Status::Limit`] beyond the limit, which appends nothing.
    pub fn write_output(&mut self, bytes: &[u8]) -> Result<(), Status> {
        if !self.phase.has_output() {
            self.port.invalid(import::OUTPUT, "no output in this call");
            return Err(Status::Invalid);
        }
        self.append(bytes)
    }
    /// Appends to the output within its limit.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Status> {
        if self.output.len().saturating_add(bytes.len()) > self.payload_bytes() {
            self.port.limited(import::OUTPUT, "the output is larger than its limit");
            return Err(Status::Limit);
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }
    /// Why the call is about to fail: the last text given is kept, made safe and cut.
    pub fn set_failure(&mut self, why: &[u8]) {
        self.failure = Some(text::escaped(why, FAILURE_BYTES));
    }
    /// One host call. The response stays readable until the next one.
    ///
    /// # Errors
    /// The status a guest would be given.
    pub fn ask(&mut self, name: &[u8], args: &[u8]) -> Result<&[u8], Status> {
        let answer = self.port.syscall(name, args, &mut self.response);
        self.answered(answer)
    }
    /// A variable of the plugin's environment.
    ///
    /// # Errors
    /// As [`HostContext::ask`].
    pub fn variable(&mut self, key: &[u8]) -> Result<&[u8], Status> {
        let own = self.own_variable(key);
        let answer = if own { Ok(()) } else { self.port.env_get(key, &mut self.response) };
        self.answered(answer)
    }

    fn answered(&mut self, answer: Result<(), Status>) -> Result<&[u8], Status> {
        if answer.is_err() {
            self.response.clear();
        }
        answer.map(|()| self.response.as_slice())
    }
}
