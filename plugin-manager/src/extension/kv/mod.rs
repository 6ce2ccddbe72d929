//! `kv_*`: values of each plugin in memory, visible at once, handed to the system within a round of 1 ms.
//!
//! A plugin's namespace is loaded when it is first touched and let go when memory is short and nobody used it
//! lately. Writes go to memory and to a queue. One thread appends the queue to what is behind it, a round a
//! millisecond: from then on a value outlives the process. Another syncs what was appended, at once and all that
//! came meanwhile together: from then on it outlives a loss of power. A third moves what was appended to where it
//! stays; when that falls behind, writers are held before their values are accepted. When one of them fails, what
//! is in memory can still be read, and every further write is refused.

mod area;
mod backlog;
mod engine;
mod flush;
#[cfg(test)]
mod kill_tests;
mod persist;
mod service;
mod shard;
#[cfg(test)]
pub(super) mod tests;

pub use engine::{Kv, KvLimits};
pub use persist::{KvError, KvPersist, KvRoom, KvWrite, PersistError};
pub(super) use service::services;
