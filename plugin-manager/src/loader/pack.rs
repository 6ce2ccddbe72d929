//! From an author's files to the bytes of a package: the same inputs give the same bytes.

use super::document::clip;
use super::error::LoadError;
use super::forgepkg::{BUNDLE, MANIFEST, MODULE, PLUGIN_TOML, Package, PackageLimits};
use super::gzip;
use super::manifest::Manifest;
use super::names::{self, Role};
use super::plugin_toml::PluginToml;
use common::identity::{Digest, Publisher};
use std::collections::BTreeMap;
use std::io;

/// A supporting file: `assets/…` or `sbom.cdx.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name in the package.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a package is made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The text of `plugin.toml`, which is packed too.
    pub plugin_toml: &'a str,
    /// The publisher, when the text names none.
    pub publisher: Option<&'a Publisher>,
    /// The module.
    pub module: &'a [u8],
    /// Supporting files.
    pub assets: &'a [Asset],
}

/// Packs an unsigned package and reads it back, so that what is returned is what a host accepts as well-formed.
///
/// # Errors
/// When the source is not valid, a name is not allowed, or the result exceeds `limits`.
pub fn pack(source: &Source<'_>, limits: &PackageLimits) -> Result<Vec<u8>, LoadError> {
    let author = PluginToml::parse(source.plugin_toml)?;
    let mut entries: BTreeMap<&str, &[u8]> = BTreeMap::new();
    entries.insert(MODULE, source.module);
    entries.insert(PLUGIN_TOML, source.plugin_toml.as_bytes());
    for asset in source.assets {
        add_asset(&mut entries, asset)?;
    }
    let files = entries.iter().map(|(name, bytes)| ((*name).to_owned(), Digest::of(bytes))).collect();
    let manifest = Manifest::from_author(&author, source.publisher, files).map_err(LoadError::plugin_toml)?;
    let manifest = manifest.to_json();
    entries.insert(MANIFEST, &manifest);
    let bytes = write(&entries).map_err(LoadError::Write)?;
    Package::load(&bytes, limits)?;
    Ok(bytes)
}

fn add_asset<'a>(entries: &mut BTreeMap<&'a str, &'a [u8]>, asset: &'a Asset) -> Result<(), LoadError> {
    let plain = names::plain(&asset.name)?;
    if plain != asset.name || names::role(plain) != Some(Role::Content) {
        return Err(LoadError::Unexpected { name: clip(&asset.name) });
    }
    match entries.insert(plain, &asset.bytes) {
        Some(_) => Err(LoadError::Duplicate { first: asset.name.clone(), second: asset.name.clone() }),
        None => Ok(()),
    }
}

/// The package with this signature bundle, in place of the one it may have had.
///
/// # Errors
/// When the package is not well-formed, or the result exceeds `limits`.
pub fn with_attestation(package: &[u8], bundle: &[u8], limits: &PackageLimits) -> Result<Vec<u8>, LoadError> {
    attach(package, BUNDLE, bundle, limits)
}

/// The same package with these bytes as the attestation of this name, in place of the one it may have had.
///
/// # Errors
/// When the package is not one, or would not be one with it.
pub fn attach(
    package: &[u8],
    attestation: &str,
    bundle: &[u8],
    limits: &PackageLimits,
) -> Result<Vec<u8>, LoadError> {
    let package = Package::load(package, limits)?;
    let mut entries: BTreeMap<&str, &[u8]> =
        package.contents().map(|(name, file)| (name, file.bytes())).collect();
    entries.extend(package.attestations());
    entries.insert(attestation, bundle);
    let bytes = write(&entries).map_err(LoadError::Write)?;
    Package::load(&bytes, limits)?;
    Ok(bytes)
}

/// The manifest first, the rest sorted; no times, no owners.
fn write(entries: &BTreeMap<&str, &[u8]>) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let manifest = entries.get_key_value(MANIFEST);
    let rest = entries.iter().filter(|(name, _)| **name != MANIFEST);
    for (name, bytes) in manifest.into_iter().chain(rest) {
        tar.append(&header(name, bytes)?, *bytes)?;
    }
    gzip::deflate(&tar.into_inner()?)
}

fn header(name: &str, bytes: &[u8]) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(u64::try_from(bytes.len()).map_err(io::Error::other)?);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}
