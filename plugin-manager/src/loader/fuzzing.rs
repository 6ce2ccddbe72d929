//! The loader's inner parsers on bytes from a fuzzer, without the compression and the digests around them.

use super::document::{self, DocumentError};
use super::error::LoadError;
use super::forgepkg::PackageLimits;
use super::{archive, gzip, names};
use std::collections::BTreeMap;

/// The files of a tar archive, by name.
///
/// # Errors
/// As [`super::Package::load`] on its archive.
pub fn archive<'a>(tar: &'a [u8], limits: &PackageLimits) -> Result<BTreeMap<String, &'a [u8]>, LoadError> {
    archive::read(tar, limits)
}

/// Bytes as one gzip member.
///
/// # Errors
/// When memory cannot be had.
pub fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    gzip::deflate(bytes)
}

/// Reads a JSON document as manifests and bundles are read.
///
/// # Errors
/// On bytes that are not JSON, a key that is there twice, or nesting beyond 24.
pub fn json(bytes: &[u8], max: usize) -> Result<(), DocumentError> {
    document::json(bytes, max).map(drop)
}

/// Whether a package may have an entry of this name, spelled so.
pub fn is_entry_name(name: &str) -> bool {
    names::plain(name).is_ok_and(|plain| plain == name) && names::role(name).is_some()
}
