//! Bytes to [`Package`]. Trusts nothing, proves nothing.
//!
//! A `.forgepkg` is read in memory, never unpacked: gzip and tar with hard caps ([`forgepkg`]), an exact set
//! of entry names, a strict manifest ([`manifest`]) whose file digests match. Who made it is not asked here.

mod archive;
pub(crate) mod document;
mod error;
pub mod forgepkg;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gzip;
pub mod manifest;
mod names;
pub mod pack;
mod plugin_toml;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use document::DocumentError;
pub use error::{ArchiveFault, EntryFault, LoadError};
pub use forgepkg::{BUNDLE, MANIFEST, MODULE, PLUGIN_TOML, Package, PackageLimits};
pub use manifest::{
    EnginePreference, EntryPoint, ExportName, InstanceMode, Instances, Lifecycle, LimitsAsked, Manifest,
    Operation,
};
pub use pack::{Asset, Source, attach, pack, with_attestation};
pub use plugin_toml::PluginToml;
