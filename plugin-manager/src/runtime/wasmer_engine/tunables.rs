//! Makes memories and tables that cannot outgrow an instance's limits.

use crate::runtime::STACK_BYTES;
use crate::sandbox::Limits;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use wasmer::sys::vm::{
    MemoryError, MemoryStyle, TableStyle, VMConfig, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition,
};
use wasmer::sys::{BaseTunables, Target, Tunables};
use wasmer::{MemoryType, Pages, TableType};

const PAGE: u64 = 65_536;
/// wasmer refuses a larger maximum of a table.
const MAX_TABLE: u32 = 10_000_000;

/// wasmer's own tunables with one instance's limits; made anew for each instance.
pub(super) struct Limited {
    base: BaseTunables,
    config: VMConfig,
    pages: Pages,
    /// Elements by which the instance's tables together may still be allowed to grow.
    growth: AtomicU32,
}

impl Limited {
    /// Tunables for one instance whose tables begin with `elements` together.
    pub(super) fn new(target: &Target, limits: &Limits, elements: u32) -> Self {
        Self {
            base: BaseTunables::for_target(target),
            config: VMConfig { wasm_stack_size: Some(STACK_BYTES) },
            pages: max_pages(limits),
            growth: AtomicU32::new(limits.table_elements.saturating_sub(elements)),
        }
    }
    fn memory(&self, ty: &MemoryType) -> MemoryType {
        let maximum = ty.maximum.map_or(self.pages, |maximum| maximum.min(self.pages));
        MemoryType { maximum: Some(maximum), ..*ty }
    }
    /// wasmer asks nobody when a table grows, so the room to grow is given out when tables are made: the first to
    /// ask has it.
    fn table(&self, ty: &TableType) -> TableType {
        let wanted = ty.maximum.unwrap_or(MAX_TABLE).saturating_sub(ty.minimum);
        let left = self.growth.load(Ordering::Relaxed);
        let given = wanted.min(left);
        self.growth.store(left.saturating_sub(given), Ordering::Relaxed);
        TableType { maximum: Some(ty.minimum.saturating_add(given)), ..*ty }
    }
}

/// The limit on memory in pages.
pub(super) fn max_pages(limits: &Limits) -> Pages {
    Pages(u32::try_from(limits.memory_bytes / PAGE).unwrap_or(u32::MAX)).min(Pages::max_value())
}

impl Tunables for Limited {
    fn memory_style(&self, memory: &MemoryType) -> MemoryStyle {
        self.base.memory_style(memory)
    }
    fn table_style(&self, table: &TableType) -> TableStyle {
        self.base.table_style(table)
    }
    fn create_host_memory(&self, ty: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        self.base.create_host_memory(&self.memory(ty), style)
    }
    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
        vm_definition_location: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        // SAFETY: the caller's promise is passed on; a smaller maximum does not change the layout, which `style` fixes.
        unsafe { self.base.create_vm_memory(&self.memory(ty), style, vm_definition_location) }
    }
    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        self.base.create_host_table(&self.table(ty), style)
    }
    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        vm_definition_location: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.base.create_vm_table(&self.table(ty), style, vm_definition_location) }
    }
    fn vmconfig(&self) -> &VMConfig {
        &self.config
    }
}
