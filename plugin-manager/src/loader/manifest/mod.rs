//! What a manifest says, as values that cannot be invalid: names, versions, permissions and limits are parsed once.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::{
    FIELDS_TOML, Sections, abi as read_abi, engine as read_engine, name as read_name,
    plugin_name as read_plugin_name, prose as read_prose, version as read_version,
};

use super::document::{self, DocumentError};
use super::plugin_toml::PluginToml;
use common::identity::{Digest, Name, Publisher};
use common::permission::Permission;
use semver::{Version, VersionReq};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The only ABI there is.
pub const ABI: u32 = 1;
/// The only manifest schema there is.
pub const SCHEMA: u32 = 1;
/// Largest `manifest.json` and `plugin.toml`, in bytes.
pub const MAX_MANIFEST: usize = 1 << 20;

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The plugin's name.
    pub name: Name,
    /// Its version, strict semver.
    pub version: Version,
    /// Who says they made it. Proven only by `attestation`.
    pub publisher: Publisher,
    /// A sentence on what it does.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Its licence, as an SPDX expression if the author kept to that.
    pub license: Option<String>,
    /// The ABI it is built for; always [`ABI`].
    pub abi: u32,
    /// Lifecycle functions whose export is named; see [`Manifest::entry_point`].
    pub entry_points: BTreeMap<Lifecycle, ExportName>,
    /// What it can be called for, in the order of the manifest.
    pub operations: Vec<Operation>,
    /// Plugins it needs, and `common` and `microkernel` of the host.
    pub dependencies: BTreeMap<Name, VersionReq>,
    /// What it asks to be allowed, without repetitions.
    pub permissions: Vec<Permission>,
    /// The limits it asks for.
    pub limits: LimitsAsked,
    /// How many instances run, and for how long.
    pub instances: Instances,
    /// The engine it asks for.
    pub engine: EnginePreference,
    /// Every file outside `attestations/` but the manifest itself.
    pub files: BTreeMap<String, Digest>,
}

impl Manifest {
    /// The JSON Schema (draft 2020-12) of `manifest.json`, for editors and other tools.
    pub const JSON_SCHEMA: &'static str = include_str!("../../../schemas/manifest.schema.json");

    /// Parses `manifest.json`.
    ///
    /// # Errors
    /// On anything outside the schema: where, what, and the nearest known key.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        read::manifest(document::json(bytes, MAX_MANIFEST)?)
    }

    /// The manifest of an author's `plugin.toml` and the packed files. `publisher` is used when the source names none.
    ///
    /// # Errors
    /// When neither names a publisher, or both do and differ.
    pub fn from_author(
        author: &PluginToml,
        publisher: Option<&Publisher>,
        files: BTreeMap<String, Digest>,
    ) -> Result<Self, DocumentError> {
        author.to_manifest(publisher, files)
    }

    /// The bytes of `manifest.json`: equal manifests give equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        write::json(self)
    }

    /// Which export a lifecycle function is, and whether the module must have it.
    ///
    /// An entry point that is not named is looked for under its own name. `init`, `start` and `stop` must be
    /// there; the others must be only when the manifest names them.
    pub fn entry_point(&self, function: Lifecycle) -> EntryPoint {
        let named = self.entry_points.get(&function);
        EntryPoint {
            required: function.required() || named.is_some(),
            export: named.cloned().unwrap_or_else(|| ExportName(function.name().to_owned())),
        }
    }

    /// The operation of that name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|o| o.name.as_str() == name)
    }
}

/// Where a lifecycle function is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The export.
    pub export: ExportName,
    /// Whether a module without it is refused.
    pub required: bool,
}

/// A function of a plugin's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "CONTRACT.md, section 2, says what each is")]
pub enum Lifecycle {
    Init,
    Start,
    Stop,
    Pause,
    Resume,
    Unload,
}

impl Lifecycle {
    /// All six, in the order of a life.
    pub const ALL: [Self; 6] = [Self::Init, Self::Start, Self::Stop, Self::Pause, Self::Resume, Self::Unload];

    /// Its name in manifests, and the name of its export when none is given.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Unload => "unload",
        }
    }
    /// Whether every plugin has it.
    pub const fn required(self) -> bool {
        matches!(self, Self::Init | Self::Start | Self::Stop)
    }
}

/// The name of an exported function: `[A-Za-z_][A-Za-z0-9_]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportName(String);

/// Text that is not the name of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an export has 1 to 64 of A-Z, a-z, 0-9 and _, and does not start with a digit")]
pub struct BadExportName;

impl ExportName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExportName {
    type Err = BadExportName;
    fn from_str(text: &str) -> Result<Self, BadExportName> {
        let inside = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let first = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if inside && first && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(BadExportName) }
    }
}

impl fmt::Display for ExportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something a plugin can be called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The name it is called by, which is the export's.
    pub name: ExportName,
    /// What it does.
    pub description: Option<String>,
    /// The media type of its input.
    pub input: Option<String>,
    /// The media type of its output.
    pub output: Option<String>,
}

/// Limits a manifest asks for. The host's own are never exceeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsAsked {
    /// Bytes of linear memory.
    pub memory: Option<u64>,
    /// How long one call may take.
    pub timeout: Option<Duration>,
    /// Units of fuel for one call; without it fuel is not counted.
    pub fuel: Option<u64>,
}

/// How instances of a plugin come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instances {
    /// The mode.
    pub mode: InstanceMode,
    /// Most instances in the pooled mode; says nothing in the others.
    pub max: NonZeroU32,
    /// Instances made when a pooled plugin starts, at most `max`; says nothing in the other modes.
    pub warm: NonZeroU32,
}

/// The three ways of keeping instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum InstanceMode {
    /// One long-lived instance, calls one at a time, state kept.
    #[default]
    Shared,
    /// Up to `max` identical instances.
    Pooled,
    /// A new instance for each call.
    Fresh,
}

impl InstanceMode {
    /// The word in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Pooled => "pooled",
            Self::Fresh => "fresh",
        }
    }
}

impl Default for Instances {
    fn default() -> Self {
        Self { mode: InstanceMode::default(), max: read::DEFAULT_POOL, warm: NonZeroU32::MIN }
    }
}

/// The engine a manifest asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EnginePreference {
    /// Whichever the host uses.
    #[default]
    Any,
    /// wasmtime only.
    Wasmtime,
    /// wasmer only.
    Wasmer,
}

impl EnginePreference {
    /// The word in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Wasmtime => "wasmtime",
            Self::Wasmer => "wasmer",
        }
    }
}
