//! The bounded host-call bus between an instance and the bridge.

mod allowance;
mod channel;
mod host;
mod lines;
mod names;
mod port;
mod shadow;
#[cfg(test)]
pub mod testing;
pub mod text;

pub use allowance::{CallAllowance, CallRates};
pub use channel::{LogBus, LogSink, LogStats};
pub use host::{Around, HostPort};
pub use lines::LogAllowance;
pub(crate) use lines::utc;
pub use microkernel::syscall_bridge::{Status, SyscallArgs};
pub use microkernel::trust::Chain;
pub use port::{LogLevel, Surroundings, SyscallPort};
pub use shadow::{SHADOW_CALLS, ShadowPort};
