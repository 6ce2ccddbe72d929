//! Plugins that are Rust code of the host program, run as instances beside those of the other engines.
//!
//! What holds for them as for guests: permissions, policies, records, the deadline of each host call, the bounds on
//! input and output, the restart budget. What nothing can hold them to: memory, stack, and time between host calls.

mod engine;
mod error;
mod host;
mod linked;
mod plugin;
#[cfg(test)]
mod tests;

pub use engine::NativeCode;
pub(super) use engine::engine;
pub use error::{NativeCallError, NativeError};
pub use host::NativeHost;
#[doc(hidden)]
pub use inventory;
pub use linked::{LinkedPlugin, linked};
pub use plugin::ForgePlugin;
