//! Bounds memory and tables of one instance, at its start and as it grows.

use crate::sandbox::Limits;
use common::error::{Code, codes};
use wasmtime::ResourceLimiter;

/// Tables one instance may have; their elements are bounded together.
pub(super) const TABLES: u32 = 64;

/// What an instance may have, and what it asked for beyond that.
pub(super) struct Limiter {
    memory_bytes: u64,
    table_elements: u64,
    elements: u64,
    last_growth: u64,
    refused: Option<(String, &'static Code)>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            table_elements: u64::from(limits.table_elements),
            elements: 0,
            last_growth: 0,
            refused: None,
        }
    }
    /// The last thing that was refused, and its code; forgotten once asked for.
    pub(super) fn take_refused(&mut self) -> Option<(String, &'static Code)> {
        self.refused.take()
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = wide(desired) <= self.memory_bytes;
        if !allowed {
            self.refused = Some((format!("{desired} bytes of memory"), &codes::E4011));
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let growth = wide(desired).saturating_sub(wide(current));
        let total = self.elements.saturating_add(growth);
        let allowed = total <= self.table_elements;
        if allowed {
            (self.elements, self.last_growth) = (total, growth);
        } else {
            self.refused = Some((format!("{total} table elements"), &codes::E4014));
        }
        Ok(allowed)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.elements = self.elements.saturating_sub(std::mem::take(&mut self.last_growth));
        Ok(())
    }

    fn instances(&self) -> usize {
        1
    }
    fn tables(&self) -> usize {
        TABLES as usize
    }
    fn memories(&self) -> usize {
        1
    }
}
