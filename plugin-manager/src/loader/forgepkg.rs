//! The container: capped gzip and tar, the exact set of entries, every file hashed once, digests as the manifest says.

use super::error::LoadError;
use super::manifest::Manifest;
use super::names::{self, Role};
use super::{archive, gzip, plugin_toml::PluginToml};
use crate::metrics::{NoProgress, Phase, Progress, Stage};
use common::crypto::Sha256;
use common::identity::Digest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The signed truth of a package.
pub const MANIFEST: &str = "manifest.json";
/// The plugin's code.
pub const MODULE: &str = "plugin.wasm";
/// The author's source of the manifest.
pub const PLUGIN_TOML: &str = "plugin.toml";
/// The package's signature.
pub const BUNDLE: &str = "attestations/package.sigstore.json";
/// The software bill of materials.
pub(crate) const SBOM: &str = "sbom.cdx.json";

/// Bytes hashed between two words on how far it is.
const HASHED_AT_ONCE: usize = 1 << 20;

/// Caps on what is read. All are checked before memory is taken for what they count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageLimits {
    /// Bytes of the package as it arrives.
    pub compressed: u64,
    /// Bytes of the archive inside.
    pub unpacked: u64,
    /// Largest ratio of the two, above a floor of 1 MiB.
    pub ratio: u64,
    /// Headers in the archive, directories included.
    pub entries: u64,
    /// Bytes of `manifest.json`, and of `plugin.toml`.
    pub manifest: u64,
    /// Bytes of one file under `attestations/`.
    pub attestation: u64,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self {
            compressed: 64 << 20,
            unpacked: 128 << 20,
            ratio: 200,
            entries: 4096,
            manifest: 1 << 20,
            attestation: 2 << 20,
        }
    }
}

/// One file of a package, with its digest.
#[derive(Debug, Clone)]
pub struct File {
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl File {
    fn new(bytes: &[u8], step: &Stage<'_>) -> Self {
        let mut hash = Sha256::new();
        for part in bytes.chunks(HASHED_AT_ONCE) {
            hash.update(part);
            step.advance(part.len());
        }
        Self { bytes: bytes.into(), digest: hash.finish() }
    }
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The SHA-256 of its bytes, taken once when they were read.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
    /// Its bytes, shared rather than copied.
    pub fn shared(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }
}

/// A well-formed package: every file is the one its manifest names. Nothing says yet who made it.
///
/// The manifest is parsed here, before any signature is checked, so that a refusal can name the plugin;
/// nothing is done on its word. `attestation` compares it with what was signed.
#[derive(Debug, Clone)]
pub struct Package {
    digest: Digest,
    manifest: Manifest,
    contents: BTreeMap<String, File>,
    attestations: BTreeMap<String, Arc<[u8]>>,
}

impl Package {
    /// Reads a package from the bytes of a `.forgepkg` file.
    ///
    /// # Errors
    /// A [`LoadError`] naming the first fault: size, gzip, tar, entry names, the manifest, then digests.
    pub fn load(bytes: &[u8], limits: &PackageLimits) -> Result<Self, LoadError> {
        Self::load_telling(bytes, limits, &NoProgress)
    }

    /// [`Package::load`], telling how many bytes are read.
    ///
    /// # Errors
    /// As [`Package::load`].
    pub fn load_telling(
        bytes: &[u8],
        limits: &PackageLimits,
        progress: &dyn Progress,
    ) -> Result<Self, LoadError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limits.compressed {
            return Err(LoadError::too_large("the package", limits.compressed, "bytes"));
        }
        let tar = gzip::inflate(bytes, limits.unpacked, limits.ratio)?;
        let entries = archive::read(&tar, limits)?;
        let total = entries.values().map(|bytes| bytes.len() as u64).sum();
        let step = Stage::new(progress, Phase::Read, "package", Some(total));
        let (contents, attestations) = sort(&entries, limits, &step)?;
        drop(step);
        let manifest = manifest_of(&contents)?;
        let package = Self { digest: Digest::of(bytes), manifest, contents, attestations };
        package.check_files()?;
        package.check_plugin_toml()?;
        Ok(package)
    }

    /// The manifest lists exactly the content there is, with its digests.
    fn check_files(&self) -> Result<(), LoadError> {
        for (name, digest) in &self.manifest.files {
            let file = self.contents.get(name).ok_or_else(|| LoadError::Missing { name: name.clone() })?;
            if file.digest != *digest {
                return Err(LoadError::Digest { name: name.clone() });
            }
        }
        let listed = |name: &&String| name.as_str() == MANIFEST || self.manifest.files.contains_key(*name);
        match self.contents.keys().find(|name| !listed(name)) {
            Some(name) => Err(LoadError::Unexpected { name: name.clone() }),
            None => Ok(()),
        }
    }

    fn check_plugin_toml(&self) -> Result<(), LoadError> {
        let Some(file) = self.contents.get(PLUGIN_TOML) else { return Ok(()) };
        PluginToml::from_bytes(file.bytes())?.agrees_with(&self.manifest)
    }

    /// The SHA-256 of the whole `.forgepkg` file.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
    /// What the manifest says.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }
    /// The digest of `manifest.json`. It names every file, so it stands for the package whatever its compression.
    pub fn manifest_digest(&self) -> Digest {
        self.contents.get(MANIFEST).map_or_else(|| Digest::of(b""), File::digest)
    }
    /// The plugin's code.
    pub fn module(&self) -> &[u8] {
        self.contents.get(MODULE).map_or(&[], File::bytes)
    }
    /// The SHA-256 of the module.
    pub fn module_digest(&self) -> Digest {
        self.contents.get(MODULE).map_or_else(|| Digest::of(&[]), File::digest)
    }
    /// Every file outside `attestations/`, `manifest.json` included, by name.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &File)> {
        self.contents.iter().map(|(name, file)| (name.as_str(), file))
    }
    /// One file outside `attestations/`.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.contents.get(name)
    }
    /// The files under `attestations/`, by name.
    pub fn attestations(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.attestations.iter().map(|(name, bytes)| (name.as_str(), &**bytes))
    }
    /// The package's signature bundle, when it has one.
    pub fn bundle(&self) -> Option<&[u8]> {
        self.attestations.get(BUNDLE).map(|b| &**b)
    }
}

type Sorted = (BTreeMap<String, File>, BTreeMap<String, Arc<[u8]>>);

/// Divides the entries by what they are for; hashes the content.
fn sort(
    entries: &BTreeMap<String, &[u8]>,
    limits: &PackageLimits,
    step: &Stage<'_>,
) -> Result<Sorted, LoadError> {
    let (mut contents, mut attestations) = (BTreeMap::new(), BTreeMap::new());
    let cap = |name: &str, bytes: &[u8], cap: u64| match u64::try_from(bytes.len()) {
        Ok(length) if length <= cap => Ok(()),
        _ => Err(LoadError::too_large(name, cap, "bytes")),
    };
    for (name, bytes) in entries {
        match names::role(name) {
            None => return Err(LoadError::Unexpected { name: name.clone() }),
            Some(Role::Attestation) => {
                cap(name, bytes, limits.attestation)?;
                step.advance(bytes.len());
                attestations.insert(name.clone(), Arc::from(*bytes));
            }
            Some(Role::Manifest | Role::Content) => {
                if matches!(name.as_str(), MANIFEST | PLUGIN_TOML) {
                    cap(name, bytes, limits.manifest)?;
                }
                contents.insert(name.clone(), File::new(bytes, step));
            }
        }
    }
    Ok((contents, attestations))
}

fn manifest_of(contents: &BTreeMap<String, File>) -> Result<Manifest, LoadError> {
    let missing = |name: &str| LoadError::Missing { name: name.to_owned() };
    let file = contents.get(MANIFEST).ok_or_else(|| missing(MANIFEST))?;
    if !contents.contains_key(MODULE) {
        return Err(missing(MODULE));
    }
    Manifest::from_json(file.bytes()).map_err(LoadError::manifest)
}
