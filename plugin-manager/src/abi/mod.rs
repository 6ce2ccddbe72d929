//! Guest memory and host-call decoding of ABI 1. Trusts no pointer; names no engine.

mod context;
mod direct;
mod memory;
pub mod vm;

pub use context::{HostContext, Phase, STATE_VERSION};
pub use forgeone_abi::names::MODULE;
pub use forgeone_abi::{IMPORTS, Import};
pub use memory::{OutOfBounds, Span};
