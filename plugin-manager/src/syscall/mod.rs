//! The bounded host-call bus between an instance and the bridge.

mod port;
#[cfg(test)]
pub mod testing;
pub mod text;

pub use microkernel::syscall_bridge::Status;
pub use port::{LogLevel, SyscallPort};
mod shim; pub use shim::*;
