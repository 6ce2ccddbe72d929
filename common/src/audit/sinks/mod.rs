//! Where checkpoints go beyond the machine's reach: each receiver is tried until it has the latest one, and how far
//! it lags is told.

mod channel;
mod error;
mod file;
mod hub;
mod syslog;

pub use error::SinkError;
pub use file::FileSink;
pub(super) use hub::Hub;
pub use hub::SinkMetrics;
pub use syslog::{SyslogSink, SyslogTarget};

use std::path::Path;
use std::time::Duration;

/// A checkpoint to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The signed note.
    pub note: &'a str,
    /// The origin of the log.
    pub origin: &'a str,
    /// How many records it covers.
    pub size: u64,
    /// When it is sent, in nanoseconds since 1970.
    pub wall_ns: u64,
    /// The directory of the log, for receivers that want proofs.
    pub dir: &'a Path,
}

/// A receiver of checkpoints. Each has a thread of its own, on which alone it is called.
pub trait CheckpointSink: Send + std::fmt::Debug {
    /// What it is called in metrics and records, without secrets.
    fn name(&self) -> &str;
    /// The least time between two that are sent; those made meanwhile are covered by the later one.
    fn interval(&self) -> Duration {
        Duration::ZERO
    }
    /// Sends a checkpoint, in bounded time. It is sent again after an error, so receivers may see one twice.
    ///
    /// # Errors
    /// When it is not known to have arrived, as far as the receiver can tell.
    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError>;
}
