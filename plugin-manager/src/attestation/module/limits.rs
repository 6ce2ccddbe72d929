//! Caps on a module, checked while it is read, before an engine sees it.

/// Caps on a module. The defaults admit what real toolchains write and stop what compiles slowly.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleLimits {
    /// Bytes of the module.
    pub module: u64,
    /// Bytes of one function body.
    pub body: u64,
    /// Functions defined.
    pub functions: u64,
    /// Types.
    pub types: u64,
    /// Parameters or results of one function type.
    pub signature: u64,
    /// Locals of one function, parameters included.
    pub locals: u64,
    /// Depth of nested blocks.
    pub nesting: u64,
    /// Targets of one `br_table`.
    pub branch_table: u64,
    /// Targets of all `br_table` of one function together.
    pub branch_targets: u64,
    /// The squares of the numbers of `br`, `br_if` and `if` in each function, added up over the module: what
    /// compilers take grows with them. 32,000 in one function take about 2 s.
    pub branch_work: u64,
    /// Imports.
    pub imports: u64,
    /// Exports.
    pub exports: u64,
    /// Bytes of the name of an import or export.
    pub name: u64,
    /// Globals.
    pub globals: u64,
    /// Tables.
    pub tables: u64,
    /// Elements a table starts with.
    pub table_elements: u64,
    /// Data and element segments, each.
    pub segments: u64,
    /// Elements of all element segments together.
    pub segment_elements: u64,
    /// Custom sections.
    pub custom_sections: u64,
    /// Pages of 64 KiB the memory starts with.
    pub memory_pages: u64,
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            module: 8 << 20,
            body: 256 << 10,
            functions: 50_000,
            types: 10_000,
            signature: 64,
            locals: 10_000,
            nesting: 300,
            branch_table: 10_000,
            branch_targets: 50_000,
            branch_work: 1_000_000_000,
            imports: 256,
            exports: 4_096,
            name: 256,
            globals: 10_000,
            tables: 8,
            table_elements: 100_000,
            segments: 10_000,
            segment_elements: 200_000,
            custom_sections: 64,
            memory_pages: 8_192,
        }
    }
}
