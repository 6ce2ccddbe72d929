//! Why a module is refused.

use common::error::{Code, Coded, codes};

/// How many exports an error names at most.
pub(super) const EXPORTS_NAMED: usize = 16;

/// Why a module is refused. The author can mend every one of these.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// It is not WebAssembly, or a component, or does not validate.
    #[error("plugin.wasm is not a valid core module")]
    Invalid(#[source] wasmparser::BinaryReaderError),
    /// It is a component.
    #[error("plugin.wasm is a component; this ABI takes core modules")]
    Component,
    /// It uses a feature that is turned off here.
    #[error("plugin.wasm uses a WebAssembly feature that is turned off")]
    Feature(#[source] wasmparser::BinaryReaderError),
    /// It exceeds one of [`super::ModuleLimits`].
    #[error("plugin.wasm has {found} {what}; this host takes at most {limit}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
    /// It imports what this ABI does not have.
    #[error("plugin.wasm imports {import}, which this ABI does not have{hint}")]
    UnknownImport {
        /// `module.name`, escaped.
        import: String,
        /// The nearest name there is, as a clause.
        hint: String,
    },
    /// It imports a function with a type of its own.
    #[error("plugin.wasm imports {import} as {found}; it is {wanted}")]
    ImportType {
        /// `module.name`.
        import: String,
        /// The module's type.
        found: String,
        /// The ABI's type.
        wanted: String,
    },
    /// It imports a memory, a table, a global or a tag.
    #[error("plugin.wasm imports {import} as a {kind}; only functions can be imported")]
    ImportKind {
        /// `module.name`, escaped.
        import: String,
        /// What it imports it as.
        kind: &'static str,
    },
    /// It imports a function that can do nothing without a permission the manifest does not ask for.
    #[error("plugin.wasm imports {import}, which needs {lacks}; the manifest does not ask for it")]
    NotAsked {
        /// `module.name`.
        import: String,
        /// The permissions it lacks, in words.
        lacks: String,
        /// The same as `plugin.toml` would have them, each a line of its own.
        permissions: Vec<String>,
    },
    /// It imports WASI, or a version of it, that this build does not have.
    #[error("plugin.wasm imports {import}: this build has no such WASI")]
    Wasi {
        /// `module.name`, escaped.
        import: String,
    },
    /// It has `_start` and not the functions of a plugin.
    #[error("plugin.wasm is a command: it has `_start` and no `{lacks}`")]
    Command {
        /// The first function it lacks.
        lacks: String,
    },
    /// It lacks an export.
    #[error("plugin.wasm does not export {export}, {role}")]
    MissingExport {
        /// The name.
        export: String,
        /// What it is for.
        role: String,
        /// The functions it does export, escaped: the first [`EXPORTS_NAMED`] by name.
        exported: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// An export has another type.
    #[error("plugin.wasm exports {export} as {found}; {role} is {wanted}")]
    ExportType {
        /// The name.
        export: String,
        /// What it is for.
        role: String,
        /// The module's type.
        found: String,
        /// The ABI's type.
        wanted: &'static str,
    },
}

impl Coded for ModuleError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Invalid(_) | Self::Component => &codes::E1010,
            Self::UnknownImport { .. } | Self::ImportType { .. } | Self::ImportKind { .. } => &codes::E1011,
            Self::MissingExport { .. } | Self::ExportType { .. } => &codes::E1012,
            Self::Command { .. } => &codes::E1013,
            Self::Feature(_) => &codes::E1015,
            Self::Limit { .. } => &codes::E1016,
            Self::NotAsked { .. } => &codes::E1014,
            Self::Wasi { .. } => &codes::E1017,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NotAsked { permissions, .. } => {
                Some(format!("add to [permissions] of plugin.toml: {}", permissions.join(", or ")))
            }
            Self::Wasi { .. } => Some(
                "build for wasm32-unknown-unknown; WASI preview 1 is there in a build with the feature `wasi`"
                    .to_owned(),
            ),
            Self::Component => Some("build for wasm32-unknown-unknown rather than wasm32-wasip2".to_owned()),
            _ => None,
        }
    }

    fn reasons(&self) -> Vec<String> {
        let Self::MissingExport { exported, more, .. } = self else { return Vec::new() };
        let mut names = if exported.is_empty() { "no function".to_owned() } else { exported.join(", ") };
        if *more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        vec![format!("it exports {names}")]
    }
}
