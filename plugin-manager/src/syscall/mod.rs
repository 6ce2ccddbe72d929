//! The bounded host-call bus between an instance and the bridge.

mod port;

pub use microkernel::syscall_bridge::Status;
pub use port::{LogLevel, SyscallPort};
