//! `kv_*`: values of each plugin in memory, visible at once, durable within 5 ms by group commit.
//!
//! A plugin's namespace is loaded when it is first touched and let go when memory is short and nobody used it
//! lately. Writes go to memory and to a queue; one thread commits the queue. When a commit fails, what is in
//! memory can still be read, and every further write is refused.

mod area;
mod backlog;
mod engine;
mod flush;
mod persist;
mod service;
mod shard;
#[cfg(test)]
pub(super) mod tests;

pub use engine::{Kv, KvLimits};
pub use persist::{KvError, KvPersist, KvWrite, PersistError};
pub(super) use service::services;
