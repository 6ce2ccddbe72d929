//! Imports are functions of the host's ABI, with the ABI's types, that the manifest's permissions cover; anything else
//! is named and refused.

use super::error::ModuleError;
use super::scan::Scanned;
use super::{ImportNeeds, ImportRule, ModuleRules, ValueType};
use crate::loader::document::clip;
use crate::loader::manifest::Manifest;
use common::config::nearest;
use common::permission::Capability;
use wasmparser::{FuncType, Import, TypeRef, ValType};

/// Modules of WASI: what a build without it is asked for is told apart from what no build has.
const WASI: &[&str] = &["wasi_snapshot_preview1", "wasi_unstable"];

/// Checks every import; gives the names, sorted, each once.
pub(super) fn check(
    module: &Scanned<'_>,
    manifest: &Manifest,
    rules: &ModuleRules,
) -> Result<Vec<String>, ModuleError> {
    let mut names = Vec::with_capacity(module.imports.len());
    for import in &module.imports {
        names.push(check_one(module, import, manifest, rules)?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn check_one(
    module: &Scanned<'_>,
    import: &Import<'_>,
    manifest: &Manifest,
    rules: &ModuleRules,
) -> Result<String, ModuleError> {
    let name = format!("{}.{}", clip(import.module), clip(import.name));
    if WASI.contains(&import.module) && !rules.imports.iter().any(|rule| rule.module == import.module) {
        return Err(ModuleError::Wasi { import: name });
    }
    let kind = match import.ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => None,
        TypeRef::Table(_) => Some("table"),
        TypeRef::Memory(_) => Some("memory"),
        TypeRef::Global(_) => Some("global"),
        TypeRef::Tag(_) => Some("tag"),
    };
    if let Some(kind) = kind {
        return Err(ModuleError::ImportKind { import: name, kind });
    }
    let Some(rule) = rules.imports.iter().find(|r| r.module == import.module && r.name == import.name) else {
        return Err(unknown(import, name, rules));
    };
    let found = function_type(module, import);
    let fits = found.is_some_and(|f| same(f.params(), &rule.params) && same(f.results(), &rule.results));
    if !fits {
        return Err(ModuleError::ImportType {
            import: name,
            found: found.map_or_else(|| "another kind".to_owned(), show),
            wanted: show_rule(rule),
        });
    }
    let lacking = rule.needs.lacking(manifest);
    if lacking.is_empty() { Ok(name) } else { Err(ungranted(name, &rule.needs, &lacking)) }
}

fn ungranted(import: String, needs: &ImportNeeds, lacking: &[Capability]) -> ModuleError {
    let join = if matches!(needs, ImportNeeds::OneOf(_)) { " or " } else { " and " };
    let lacks = lacking.iter().map(ToString::to_string).collect::<Vec<_>>().join(join);
    let lines = lacking.iter().map(|need| format!("{} = [\"{}\"]", need.family(), need.verb()));
    ModuleError::NotAsked { import, lacks, permissions: lines.collect() }
}

fn unknown(import: &Import<'_>, name: String, rules: &ModuleRules) -> ModuleError {
    let near = nearest(import.name, rules.imports.iter().map(|r| r.name.as_str()));
    let rule = near.and_then(|n| rules.imports.iter().find(|r| r.name == n));
    let hint = rule.map_or_else(String::new, |r| format!("; did you mean {}.{}?", r.module, r.name));
    ModuleError::UnknownImport { import: name, hint }
}

fn function_type<'m>(module: &'m Scanned<'_>, import: &Import<'_>) -> Option<&'m FuncType> {
    let types = module.types.as_ref();
    match types.entity_type_from_import(import)? {
        wasmparser::types::EntityType::Func(id) => super::exports::as_function(&module.types, id),
        _ => None,
    }
}

const fn value(ty: ValType) -> Option<ValueType> {
    match ty {
        ValType::I32 => Some(ValueType::I32),
        ValType::I64 => Some(ValueType::I64),
        ValType::F32 => Some(ValueType::F32),
        ValType::F64 => Some(ValueType::F64),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

pub(super) fn same(found: &[ValType], wanted: &[ValueType]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| value(*f) == Some(*w))
}

/// `(i32, i32) -> i32`, as messages write types.
pub(super) fn show(ty: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(ty.params()), list(ty.results()))
}

fn show_rule(rule: &ImportRule) -> String {
    let list = |types: &[ValueType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(&rule.params), list(&rule.results))
}
