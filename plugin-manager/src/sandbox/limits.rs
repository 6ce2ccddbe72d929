//! What an instance may use.

use std::time::Duration;

/// Limits of one instance, enforced by every engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory; a multiple of the 64 KiB page.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u32,
    /// Bytes of native stack for guest code.
    pub stack_bytes: usize,
    /// Instruction budget of one call; `None` when not asked for.
    pub fuel: Option<u64>,
    /// Time of one call, host calls included.
    pub timeout: Duration,
    /// Bytes of one call's output and of one call's input.
    pub payload_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512_000_000 / 65_536 * 65_536,
            table_elements: 100_000,
            stack_bytes: 512 << 10,
            fuel: None,
            timeout: Duration::from_secs(30),
            payload_bytes: 16 << 20,
        }
    }
}
