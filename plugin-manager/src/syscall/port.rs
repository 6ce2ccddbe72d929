//! What an instance sees of the host: one object per instance, whatever stands behind it.

use super::Status;
use common::cancel::CancelToken;
use common::clock::Deadline;
use microkernel::trust::Chain;

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// Every level, in rising order.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
    /// The word used in log files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What an instance is told of its surroundings when it asks: names alone. What it does with one is decided each time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Names of variables it may ask for, sorted.
    pub variables: Vec<String>,
    /// Directories of the virtual root that its permissions name, such as `/data`, sorted.
    pub mounts: Vec<String>,
}

/// An instance's way to the bridge: the host's bus, a worker's remote end, or a test's fake.
pub trait SyscallPort: Send {
    /// A call into the instance begins: its deadline, and the plugins that called one another to get here.
    fn begin(&mut self, deadline: Deadline, chain: &Chain);
    /// What gives the next call up, for host calls that want to know; `None` again when that call has ended.
    fn cancelled_by(&mut self, cancel: Option<&CancelToken>) {
        let _ = cancel;
    }
    /// The call ended: what it wrote to the log leaves the instance.
    fn end(&mut self);
    /// A host call by name. `response` is cleared first.
    ///
    /// # Errors
    /// The status the guest is given.
    fn syscall(&mut self, name: &[u8], args: &[u8], response: &mut Vec<u8>) -> Result<(), Status>;
    /// A configured variable.
    ///
    /// # Errors
    /// The status the guest is given.
    fn env_get(&mut self, key: &[u8], response: &mut Vec<u8>) -> Result<(), Status>;
    /// One log line. Bounded: what exceeds the bounds is cut or dropped, and counted.
    fn log(&mut self, level: LogLevel, line: &[u8]);
    /// The guest passed something that cannot be understood; recorded as class B.
    fn invalid(&mut self, import: &'static str, what: &'static str);
    /// The guest hit a limit of the call itself, such as the size of its output; recorded as class B.
    fn limited(&mut self, import: &'static str, what: &'static str) {
        self.invalid(import, what);
    }
    /// What it may know of its surroundings; nothing unless the port was told.
    fn surroundings(&self) -> Surroundings {
        Surroundings::default()
    }
    /// Whether the deadline of the current call has passed.
    fn expired(&self) -> bool;
}
