//! What an instance may use, and what of a request was cut to fit the host.

use std::time::Duration;

/// Bytes of a WebAssembly page; memory limits are multiples of it.
pub const PAGE: u64 = 65_536;

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
    /// Files and directories one instance may have open at once.
    pub file_descriptors: u32,
}

impl Default for Limits {
    /// The host's own defaults: what `plugin-manager.yaml` says when it says nothing.
    fn default() -> Self {
        Self {
            memory_bytes: 512_000_000 / PAGE * PAGE,
            table_elements: 100_000,
            stack_bytes: 512 << 10,
            fuel: None,
            timeout: Duration::from_secs(30),
            payload_bytes: 16 << 20,
            file_descriptors: 1024,
        }
    }
}

/// A limit a manifest asked for that exceeds the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamp {
    /// `memory` or `timeout`.
    pub what: &'static str,
    /// What was asked for.
    pub asked: String,
    /// What it was cut to.
    pub given: String,
}

impl std::fmt::Display for Clamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: asked for {}, clamped to {}", self.what, self.asked, self.given)
    }
}
