//! One pass over a module: limits first, then validation, section by section and instruction by instruction.

use super::error::ModuleError;
use super::limits::ModuleLimits;
use wasmparser::{
    BinaryReader, BinaryReaderError, CompositeInnerType, ElementItems, Encoding, Export, FuncToValidate,
    FuncType, FuncValidatorAllocations, FunctionBody, Import, Operator, Parser, Payload, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};

/// What both engines are configured for, and nothing more. References to host values (`externref`) are off with
/// the types that need a collector: wasmtime is built without one, wasmer takes them, and no import has any.
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .difference(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD);

/// A module that was read to its end and is valid.
pub(super) struct Scanned<'a> {
    pub(super) imports: Vec<Import<'a>>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) types: wasmparser::types::Types,
    pub(super) functions: u32,
    pub(super) largest_body: usize,
}

impl Scanned<'_> {
    /// The export of that name.
    pub(super) fn export(&self, name: &str) -> Option<&Export<'_>> {
        self.exports.iter().find(|e| e.name == name)
    }
}

fn read<'a>(wasm: &'a [u8], limits: &ModuleLimits) -> Result<Scanned<'a>, ModuleError> {
    let mut pass = Pass {
        wasm,
        limits,
        validator: Validator::new_with_features(FEATURES),
        allocations: FuncValidatorAllocations::default(),
        imports: Vec::new(),
        exports: Vec::new(),
        functions: 0,
        largest_body: 0,
        custom_sections: 0,
        branch_work: 0,
    };
    let mut types = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(invalid)?;
        pass.measure(&payload)?;
        match pass.validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Ok => {}
            ValidPayload::Parser(_) => return Err(ModuleError::Component),
            ValidPayload::Func(function, body) => pass.body(function, &body)?,
            ValidPayload::End(found) => types = Some(found),
        }
    }
    // A parser that ends without its end payload has already returned an error.
    let types = types.ok_or(ModuleError::Component)?;
    let Pass { imports, exports, functions, largest_body, .. } = pass;
    Ok(Scanned { imports, exports, types, functions, largest_body })
}

/// Reads a module to its end.
pub(super) fn scan<'a>(wasm: &'a [u8], limits: &ModuleLimits) -> Result<Scanned<'a>, ModuleError> {
    at_most("bytes", wasm.len(), limits.module)?;
    read(wasm, limits).map_err(|error| match error {
        ModuleError::Invalid(source) if valid_elsewhere(wasm) => ModuleError::Feature(source),
        other => other,
    })
}

/// Whether the module is valid once every feature is on: then a feature was the matter.
fn valid_elsewhere(wasm: &[u8]) -> bool {
    Validator::new_with_features(WasmFeatures::all()).validate_all(wasm).is_ok()
}

const fn invalid(error: BinaryReaderError) -> ModuleError {
    ModuleError::Invalid(error)
}

fn at_most(what: &'static str, found: impl TryInto<u64>, limit: u64) -> Result<(), ModuleError> {
    let found = found.try_into().unwrap_or(u64::MAX);
    if found > limit { Err(ModuleError::Limit { what, found, limit }) } else { Ok(()) }
}

struct Pass<'a, 'l> {
    wasm: &'a [u8],
    limits: &'l ModuleLimits,
    validator: Validator,
    allocations: FuncValidatorAllocations,
    imports: Vec<Import<'a>>,
    exports: Vec<Export<'a>>,
    functions: u32,
    largest_body: usize,
    custom_sections: u64,
    branch_work: u64,
}

impl<'a> Pass<'a, '_> {
    /// Checks the counts of a section before it is validated.
    fn measure(&mut self, payload: &Payload<'a>) -> Result<(), ModuleError> {
        let l = self.limits;
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => Err(ModuleError::Component),
            Payload::TypeSection(s) => {
                at_most("types", s.count(), l.types)?;
                signatures(self.wasm, s, l)
            }
            Payload::ImportSection(s) => {
                at_most("imports", s.count(), l.imports)?;
                self.imports(s)
            }
            Payload::FunctionSection(s) => {
                self.functions = s.count();
                at_most("functions", s.count(), l.functions)
            }
            Payload::TableSection(s) => at_most("tables", s.count(), l.tables).and_then(|()| tables(s, l)),
            Payload::MemorySection(s) => memories(s, l),
            Payload::GlobalSection(s) => at_most("globals", s.count(), l.globals),
            Payload::ExportSection(s) => {
                at_most("exports", s.count(), l.exports)?;
                self.exports(s)
            }
            Payload::ElementSection(s) => {
                at_most("element segments", s.count(), l.segments).and_then(|()| elements(s, l))
            }
            Payload::DataCountSection { count, .. } => at_most("data segments", *count, l.segments),
            Payload::DataSection(s) => at_most("data segments", s.count(), l.segments),
            Payload::CustomSection(_) => {
                self.custom_sections += 1;
                at_most("custom sections", self.custom_sections, l.custom_sections)
            }
            _ => Ok(()),
        }
    }

    fn imports(&mut self, section: &wasmparser::ImportSectionReader<'a>) -> Result<(), ModuleError> {
        for import in section.clone().into_imports() {
            let import = import.map_err(invalid)?;
            at_most(
                "bytes in the name of an import",
                import.module.len() + import.name.len(),
                self.limits.name,
            )?;
            self.imports.push(import);
        }
        Ok(())
    }

    fn exports(&mut self, section: &wasmparser::ExportSectionReader<'a>) -> Result<(), ModuleError> {
        for export in section.clone() {
            let export = export.map_err(invalid)?;
            at_most("bytes in the name of an export", export.name.len(), self.limits.name)?;
            self.exports.push(export);
        }
        Ok(())
    }

    /// Validates one function and counts what makes functions slow to compile.
    fn body(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'a>,
    ) -> Result<(), ModuleError> {
        let size = body.range().len();
        at_most("bytes in a function", size, self.limits.body)?;
        self.largest_body = self.largest_body.max(size);
        let mut checked = function.into_validator(std::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        count_locals(body, self.limits)?;
        checked.read_locals(&mut reader).map_err(invalid)?;
        let (mut targets, mut branches) = (0_u64, 0_u64);
        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
            targets += branch_targets(&operator, self.limits)?;
            at_most("branch targets in a function", targets, self.limits.branch_targets)?;
            branches += u64::from(matches!(
                operator,
                Operator::Br { .. } | Operator::BrIf { .. } | Operator::If { .. }
            ));
            checked.op(offset, &operator).map_err(invalid)?;
            at_most("nested blocks", checked.control_stack_height(), self.limits.nesting)?;
        }
        operators.finish().map_err(invalid)?;
        self.branch_work = self.branch_work.saturating_add(branches.saturating_mul(branches));
        at_most("squared branches of functions", self.branch_work, self.limits.branch_work)?;
        self.allocations = checked.into_allocations();
        Ok(())
    }
}

fn branch_targets(operator: &Operator<'_>, limits: &ModuleLimits) -> Result<u64, ModuleError> {
    let Operator::BrTable { targets } = operator else { return Ok(0) };
    at_most("targets in a br_table", targets.len(), limits.branch_table)?;
    Ok(u64::from(targets.len()))
}

fn count_locals(body: &FunctionBody<'_>, limits: &ModuleLimits) -> Result<(), ModuleError> {
    let mut total = 0_u64;
    for group in body.get_locals_reader().map_err(invalid)? {
        let (count, _) = group.map_err(invalid)?;
        total += u64::from(count);
        at_most("locals in a function", total, limits.locals)?;
    }
    Ok(())
}

/// How many types the group that begins at `at` states. Memory is taken by that before the types are read.
fn group_size(wasm: &[u8], at: usize) -> Result<u32, ModuleError> {
    const GROUP: u8 = 0x4e;
    match wasm.get(at..).and_then(<[u8]>::split_first) {
        Some((&GROUP, rest)) => BinaryReader::new(rest, at + 1).read_var_u32().map_err(invalid),
        _ => Ok(1),
    }
}

fn signatures(
    wasm: &[u8],
    section: &wasmparser::TypeSectionReader<'_>,
    limits: &ModuleLimits,
) -> Result<(), ModuleError> {
    let mut groups = section.clone().into_iter();
    let mut types = 0_u64;
    loop {
        if groups.len() > 0 {
            types += u64::from(group_size(wasm, groups.original_position())?);
            at_most("types", types, limits.types)?;
        }
        let Some(group) = groups.next() else { return Ok(()) };
        for ty in group.map_err(invalid)?.types() {
            if let CompositeInnerType::Func(function) = &ty.composite_type.inner {
                let most = FuncType::params(function).len().max(function.results().len());
                at_most("parameters or results of a function", most, limits.signature)?;
            }
        }
    }
}

fn tables(section: &wasmparser::TableSectionReader<'_>, limits: &ModuleLimits) -> Result<(), ModuleError> {
    for table in section.clone() {
        at_most("elements in a table", table.map_err(invalid)?.ty.initial, limits.table_elements)?;
    }
    Ok(())
}

fn memories(section: &wasmparser::MemorySectionReader<'_>, limits: &ModuleLimits) -> Result<(), ModuleError> {
    for memory in section.clone() {
        at_most("pages of memory to start with", memory.map_err(invalid)?.initial, limits.memory_pages)?;
    }
    Ok(())
}

fn elements(
    section: &wasmparser::ElementSectionReader<'_>,
    limits: &ModuleLimits,
) -> Result<(), ModuleError> {
    let mut total = 0_u64;
    for segment in section.clone() {
        total += u64::from(match segment.map_err(invalid)?.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        });
        at_most("elements in segments", total, limits.segment_elements)?;
    }
    Ok(())
}
