//! Every effect a plugin asks for passes here: decided by `trust`, recorded, and only then dispatched by
//! `syscall_bridge`. Knows nothing of engines, files on disk, networks or command lines.

#![forbid(unsafe_code)]

mod kernel;
pub mod plugins;
pub mod syscall_bridge;
pub mod trust;

pub use kernel::{Installed, Kernel, KernelError, install};

/// The version of this crate, which plugins may depend on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
