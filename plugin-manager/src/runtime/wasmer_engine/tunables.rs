//! Makes memories and tables that cannot outgrow an instance's limits.

use crate::runtime::STACK_BYTES;
use crate::sandbox::Limits;
use std::ptr::NonNull;
use wasmer::sys::vm::{
    MemoryError, MemoryStyle, TableStyle, VMConfig, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition,
};
use wasmer::sys::{BaseTunables, Target, Tunables};
use wasmer::{MemoryType, Pages, TableType};

const PAGE: u64 = 65_536;

/// wasmer's own tunables with one instance's limits; made anew for each instance.
pub(super) struct Limited {
    base: BaseTunables,
    config: VMConfig,
    pages: Pages,
    elements: u32,
}

impl Limited {
    /// Tunables for one instance.
    pub(super) fn new(target: &Target, limits: &Limits) -> Self {
        Self {
            base: BaseTunables::for_target(target),
            config: VMConfig { wasm_stack_size: Some(STACK_BYTES) },
            pages: max_pages(limits),
            elements: limits.table_elements,
        }
    }
    fn memory(&self, ty: &MemoryType) -> MemoryType {
        let maximum = ty.maximum.map_or(self.pages, |maximum| maximum.min(self.pages));
        MemoryType { maximum: Some(maximum), ..*ty }
    }
    /// No table can have more than all may have together; that sum is kept by the code added to `table.grow`.
    fn table(&self, ty: &TableType) -> TableType {
        let maximum = ty.maximum.unwrap_or(u32::MAX).min(self.elements).max(ty.minimum);
        TableType { maximum: Some(maximum), ..*ty }
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
    #[allow(unsafe_code, reason = "as the trait has it")]
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
    #[allow(unsafe_code, reason = "as the trait has it")]
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
