//! A build without WASI: there are no functions, so there is nothing an instance could keep.

use super::{HostContext, Needs};
use crate::syscall::SyscallPort;
use forgeone_abi::layout::ValType;

/// A function of `wasi_snapshot_preview1`, of which there are none.
#[derive(Debug)]
pub enum Function {}

/// A guest ended itself, which none can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest ended itself")]
pub struct Exited;

/// What an instance has of preview 1: nothing.
#[derive(Debug)]
pub enum State {}

impl State {
    pub(super) fn flush(&mut self, _: &mut dyn SyscallPort) {
        match *self {}
    }
}

impl Function {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match *self {}
    }
    /// Its parameters.
    pub fn params(&self) -> &'static [ValType] {
        match *self {}
    }
    /// Its results.
    pub fn results(&self) -> &'static [ValType] {
        match *self {}
    }
    /// The permissions without which it could never do anything.
    pub fn needs(&self) -> Needs {
        match *self {}
    }
    /// Calls it.
    ///
    /// # Errors
    /// None: it cannot be called.
    pub fn call(&self, _: &mut HostContext, _: &mut [u8], _: &[u64]) -> Result<i32, Exited> {
        match *self {}
    }
}

/// Every function: none.
pub const FUNCTIONS: &[Function] = &[];
