//! Guest memory and host-call decoding of ABI 1 and of WASI preview 1. Trusts no pointer; names no engine.

mod context;
mod direct;
mod memory;
mod needs;
pub mod vm;
#[cfg(feature = "wasi")]
mod wasi;
#[cfg(not(feature = "wasi"))]
#[path = "wasi_off.rs"]
mod wasi;

pub use context::{HostContext, Phase, STATE_VERSION};
pub use forgeone_abi::names::{MODULE, WASI_MODULE};
pub use forgeone_abi::{IMPORTS, Import};
pub use memory::{OutOfBounds, Span};
pub use needs::{Needs, Words};
pub use wasi::{Exited, FUNCTIONS as WASI_FUNCTIONS, Function as WasiFunction};
