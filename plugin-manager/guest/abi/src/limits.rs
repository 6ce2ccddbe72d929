//! Bounds the contract itself states. Everything else is configured by the host.

/// Longest key of `kv_*`, in bytes.
pub const MAX_KEY: usize = 1024;
/// Longest value of `kv_*`, in bytes.
pub const MAX_VALUE: usize = 16 * 1024 * 1024;
/// Longest output of a call unless limited otherwise, in bytes.
pub const MAX_OUTPUT: usize = 16 * 1024 * 1024;
/// Most bytes one `random` answers.
pub const MAX_RANDOM: usize = 64 * 1024;
/// Longest one `time_sleep` waits, in nanoseconds: so soon an instance that is to end ends.
pub const MAX_SLEEP: u64 = 100_000_000;
