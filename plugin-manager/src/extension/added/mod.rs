//! Host calls that a host program adds: a name, arguments that are checked first, a permission, a class of record,
//! and a function behind the same door as every other service.

mod argument;
mod call;
mod check;
mod service;
#[cfg(test)]
mod tests;

pub use argument::{Argument, MAX_ARGUMENTS};
pub use call::{ExtensionCall, ExtensionHandler, SyscallExtension};
pub use check::{Added, ExtensionError, checked};
