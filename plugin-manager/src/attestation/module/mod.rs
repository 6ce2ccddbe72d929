//! Step 14: the module is valid, within limits, imports only what it is given, and exports what ABI 1 asks for.

mod error;
mod exports;
mod imports;
mod limits;
mod scan;
#[cfg(test)]
mod tests;

pub use error::ModuleError;
pub use limits::ModuleLimits;

use crate::loader::manifest::{Lifecycle, Manifest};
use common::identity::Digest;
use common::permission::Capability;
use std::collections::BTreeMap;
use std::fmt;

/// A value type of a function that crosses the ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are WebAssembly's own names")]
pub enum ValueType {
    I32,
    I64,
    F32,
    F64,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// A function a module may import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRule {
    /// The module it is imported from.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// Its parameters.
    pub params: Vec<ValueType>,
    /// Its results.
    pub results: Vec<ValueType>,
    /// What the manifest has to ask for before a module may import it.
    pub needs: ImportNeeds,
}

/// Permissions a manifest has to ask for before a module may import a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ImportNeeds {
    /// None.
    #[default]
    Nothing,
    /// One of these at least, with whatever scope.
    OneOf(Vec<Capability>),
    /// All of these, with whatever scopes.
    Each(Vec<Capability>),
}

impl ImportNeeds {
    /// What of it the manifest does not ask for.
    fn lacking(&self, manifest: &Manifest) -> Vec<Capability> {
        let asks = |need: &Capability| manifest.permissions.iter().any(|p| p.capability == *need);
        match self {
            Self::Nothing => Vec::new(),
            Self::OneOf(some) if some.iter().any(asks) => Vec::new(),
            Self::OneOf(some) => some.clone(),
            Self::Each(all) => all.iter().filter(|need| !asks(need)).copied().collect(),
        }
    }
}

impl ImportRule {
    /// A function of so many i32 parameters and results, as every import of ABI 1 is.
    pub fn integers(module: &str, name: &str, params: usize, results: usize) -> Self {
        Self {
            module: module.to_owned(),
            name: name.to_owned(),
            params: vec![ValueType::I32; params],
            results: vec![ValueType::I32; results],
            needs: ImportNeeds::Nothing,
        }
    }
}

/// The functions modules may import: the host's ABI, given by whoever links it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleRules {
    /// Every function there is.
    pub imports: Vec<ImportRule>,
}

/// What was found in a valid module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleFacts {
    /// The SHA-256 of the module.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
    /// The functions it imports, as `module.name`, sorted, each once.
    pub imports: Vec<String>,
    /// The export of each lifecycle function it has.
    pub lifecycle: BTreeMap<Lifecycle, String>,
    /// The operations of the manifest, all of which it exports.
    pub operations: Vec<String>,
    /// Whether it has `_initialize`.
    pub initialize: bool,
    /// Whether it has `state_save`.
    pub state_save: bool,
    /// Whether it has `state_load`.
    pub state_load: bool,
    /// Pages of memory (64 KiB) it starts with.
    pub memory_min: u64,
    /// Most pages it may grow to, when it says so.
    pub memory_max: Option<u64>,
    /// Functions it defines.
    pub functions: u32,
    /// Bytes of its largest function body.
    pub largest_body: usize,
}

/// Checks a module against its manifest, the host's limits and the functions the host offers.
///
/// # Errors
/// The first of: a limit, invalid WebAssembly or a feature that is off, a command, an import, an export.
pub fn inspect(
    wasm: &[u8],
    manifest: &Manifest,
    limits: &ModuleLimits,
    rules: &ModuleRules,
) -> Result<ModuleFacts, ModuleError> {
    let scanned = scan::scan(wasm, limits)?;
    exports::not_a_command(&scanned, manifest)?;
    let imports = imports::check(&scanned, manifest, rules)?;
    let exported = exports::check(&scanned, manifest)?;
    Ok(ModuleFacts {
        digest: Digest::of(wasm),
        size: wasm.len(),
        imports,
        lifecycle: exported.lifecycle,
        operations: manifest.operations.iter().map(|o| o.name.to_string()).collect(),
        initialize: exported.initialize,
        state_save: exported.state_save,
        state_load: exported.state_load,
        memory_min: exported.memory.initial,
        memory_max: exported.memory.maximum,
        functions: scanned.functions,
        largest_body: scanned.largest_body,
    })
}
