//! Exports are what ABI 1 and the manifest ask for: memory, lifecycle functions, operations, state functions.

use super::ValueType::{self, I32};
use super::error::{EXPORTS_NAMED, ModuleError};
use super::imports::{same, show};
use super::scan::Scanned;
use crate::loader::document::clip;
use crate::loader::manifest::{Lifecycle, Manifest};
use std::collections::BTreeMap;
use wasmparser::types::{CoreTypeId, EntityType, Types};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, MemoryType};

/// A function's type as the ABI has it, with its text.
struct Signature {
    params: &'static [ValueType],
    results: &'static [ValueType],
    text: &'static str,
}

const NOTHING: Signature = Signature { params: &[], results: &[], text: "() -> ()" };
const STATUS: Signature = Signature { params: &[], results: &[I32], text: "() -> (i32)" };
const INPUT: Signature = Signature { params: &[I32], results: &[I32], text: "(i32) -> (i32)" };

/// What the exports of a module are for.
pub(super) struct Exported {
    pub(super) memory: MemoryType,
    pub(super) lifecycle: BTreeMap<Lifecycle, String>,
    pub(super) initialize: bool,
    pub(super) state_save: bool,
    pub(super) state_load: bool,
}

/// A module with `_start` that lacks a required entry point was built as a program.
pub(super) fn not_a_command(module: &Scanned<'_>, manifest: &Manifest) -> Result<(), ModuleError> {
    if module.export("_start").is_none() {
        return Ok(());
    }
    let required = Lifecycle::ALL.map(|l| manifest.entry_point(l)).into_iter().filter(|p| p.required);
    match required.map(|p| p.export).find(|e| module.export(e.as_str()).is_none()) {
        Some(lacks) => Err(ModuleError::Command { lacks: lacks.to_string() }),
        None => Ok(()),
    }
}

pub(super) fn check(module: &Scanned<'_>, manifest: &Manifest) -> Result<Exported, ModuleError> {
    let memory = memory(module)?;
    let mut lifecycle = BTreeMap::new();
    for function in Lifecycle::ALL {
        let point = manifest.entry_point(function);
        let role = format!("the entry point `{}`", function.name());
        if function_of(module, point.export.as_str(), &role, &STATUS, point.required)? {
            lifecycle.insert(function, point.export.to_string());
        }
    }
    for operation in &manifest.operations {
        function_of(module, operation.name.as_str(), "an operation", &INPUT, true)?;
    }
    Ok(Exported {
        memory,
        lifecycle,
        initialize: function_of(module, "_initialize", "the module's own setup", &NOTHING, false)?,
        state_save: function_of(module, "state_save", "the saving of state", &STATUS, false)?,
        state_load: function_of(module, "state_load", "the loading of state", &INPUT, false)?,
    })
}

fn memory(module: &Scanned<'_>) -> Result<MemoryType, ModuleError> {
    let export = module.export("memory").ok_or_else(|| missing(module, "memory", "its memory"))?;
    match module.types.as_ref().entity_type_from_export(export) {
        Some(EntityType::Memory(memory)) => Ok(memory),
        _ => Err(ModuleError::ExportType {
            export: "memory".to_owned(),
            role: "its memory".to_owned(),
            found: kind(export.kind).to_owned(),
            wanted: "a memory",
        }),
    }
}

fn missing(module: &Scanned<'_>, export: &str, role: &str) -> ModuleError {
    let functions = module.exports.iter().filter(|e| e.kind == ExternalKind::Func);
    let mut names: Vec<&str> = functions.map(|e| e.name).collect();
    names.sort_unstable();
    ModuleError::MissingExport {
        export: export.to_owned(),
        role: role.to_owned(),
        exported: names.iter().take(EXPORTS_NAMED).map(|name| clip(name)).collect(),
        more: names.len().saturating_sub(EXPORTS_NAMED),
    }
}

/// Whether the function is there. When it is, it has this type; when it is required, it is there.
fn function_of(
    module: &Scanned<'_>,
    name: &str,
    role: &str,
    wanted: &Signature,
    required: bool,
) -> Result<bool, ModuleError> {
    let Some(export) = module.export(name) else {
        return if required { Err(missing(module, name, role)) } else { Ok(false) };
    };
    let found = match module.types.as_ref().entity_type_from_export(export) {
        Some(EntityType::Func(id)) => as_function(&module.types, id),
        _ => None,
    };
    match found {
        Some(f) if same(f.params(), wanted.params) && same(f.results(), wanted.results) => Ok(true),
        _ => Err(ModuleError::ExportType {
            export: name.to_owned(),
            role: role.to_owned(),
            found: found.map_or_else(|| kind(export.kind).to_owned(), show),
            wanted: wanted.text,
        }),
    }
}

pub(super) fn as_function(types: &Types, id: CoreTypeId) -> Option<&FuncType> {
    match &types[id].composite_type.inner {
        CompositeInnerType::Func(function) => Some(function),
        _ => None,
    }
}

const fn kind(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "a function",
        ExternalKind::Table => "a table",
        ExternalKind::Memory => "a memory",
        ExternalKind::Global => "a global",
        ExternalKind::Tag => "a tag",
    }
}
