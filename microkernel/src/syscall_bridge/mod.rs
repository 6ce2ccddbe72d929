//! The one door: evaluate, record, dispatch, record a failure. A handler cannot be called without a permit.

mod args;
mod bridge;
mod caller;
mod classes;
mod further;
mod handler;
mod record;
mod redact;
mod spans;
mod table;

pub use crate::kernel::execute_syscall;
pub use args::{ArgsError, SyscallArgs, list, push, take};
pub use bridge::SyscallBridge;
pub use caller::{Caller, CallerStats, Tally};
pub use classes::{Area, ClassRow, classes, classes_of};
pub use handler::{Call, CallError, Further, Status, SyscallHandler, Target};
pub use redact::{REDACTED, Redaction};
pub use spans::{OPEN_SPANS, SpanError, Spans};
pub use table::{Action, ActionId, builtin_actions};

#[cfg(test)]
mod tests;
