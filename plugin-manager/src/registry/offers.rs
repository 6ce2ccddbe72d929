//! Packages that are offered for an installation: read with bounds, each proven before it may be chosen. What cannot
//! be proven is left out and told; what is named itself must be proven.

use super::manager::PluginManager;
use super::sources;
use super::survey::offered_candidate;
use crate::loader::Package;
use crate::resolver::Candidate;
use common::error::{Code, ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Most packages that are looked at for one installation.
pub(super) const MAX_OFFERS: usize = 10_000;

/// A package that is offered.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub path: PathBuf,
    /// What its manifest says, as far as dependencies matter.
    pub candidate: Candidate,
    /// The digest of the package.
    pub package: Digest,
    /// It is named, and not merely found in a folder.
    pub named: bool,
}

/// A package that is not chosen from, and why.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// The package, or the version that is kept.
    pub source: String,
    /// The plugin, when the package says one.
    pub name: Option<String>,
    /// The code of the reason.
    pub code: &'static Code,
    /// The reason.
    pub why: String,
}

/// What is offered, and what of it is not.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub offers: Vec<Offer>,
    pub left_out: Vec<LeftOut>,
}

impl Offers {
    pub fn leave_out(&mut self, offer: &Offer, code: &'static Code, why: impl Into<String>) {
        let source = offer.path.display().to_string();
        let name = Some(offer.candidate.name.to_string());
        self.left_out.push(LeftOut { source, name, code, why: why.into() });
    }

    /// Keeps the offers this is true of; of the others says why they are left out.
    pub fn only(&mut self, mut judge: impl FnMut(&Offer) -> Result<(), (&'static Code, String)>) {
        let offers = std::mem::take(&mut self.offers);
        for offer in offers {
            match judge(&offer) {
                Ok(()) => self.offers.push(offer),
                Err((code, why)) => self.leave_out(&offer, code, why),
            }
        }
    }
}

impl PluginManager {
    /// The packages that are named, and those in the folders.
    pub(super) fn offered(&self, named: &[PathBuf], folders: &[PathBuf]) -> Result<Offers, ForgeError> {
        let mut found = Offers::default();
        for path in named {
            found.offers.push(self.offered_at(path, true)?);
        }
        let files = files(folders, MAX_OFFERS.saturating_sub(named.len()))?;
        for path in files.iter().filter(|path| !named.contains(path)) {
            match self.offered_at(path, false) {
                Ok(offer) => found.offers.push(offer),
                Err(error) => {
                    let (source, why) = (path.display().to_string(), error.message().to_owned());
                    found.left_out.push(LeftOut { source, name: None, code: error.code(), why });
                }
            }
        }
        Ok(found)
    }

    fn offered_at(&self, path: &Path, named: bool) -> Result<Offer, ForgeError> {
        let limits = &self.host().parts().package_limits;
        let bytes = sources::package(path, limits.compressed)?;
        let candidate = offered_candidate(Package::load(&bytes, limits)?.manifest());
        Ok(Offer { path: path.to_owned(), candidate, package: Digest::of(&bytes), named })
    }

    /// The bytes of an offer, as they were when it was looked at.
    pub(super) fn bytes_of(&self, path: &Path, package: &Digest) -> Result<Vec<u8>, ForgeError> {
        let bytes = sources::package(path, self.host().parts().package_limits.compressed)?;
        if Digest::of(&bytes) == *package {
            return Ok(bytes);
        }
        let what = format!("{} was changed while it was looked at", path.display());
        Err(ForgeError::new(&codes::E1503, what))
    }

    /// Leaves out what no wanted plugin can come to need, then proves the rest as an installation would.
    ///
    /// # Errors
    /// Whatever refuses a package that is named.
    pub(super) fn prove_offers(&self, found: &mut Offers, installed: &[Candidate]) -> Result<(), ForgeError> {
        let reached = reached(&found.offers, installed);
        found.offers.retain(|offer| reached.contains(&offer.candidate.name));
        let mut refused = Ok(());
        found.only(|offer| {
            let proven = self.bytes_of(&offer.path, &offer.package).and_then(|b| self.host().prove(&b));
            proven.map(drop).map_err(|error| {
                let left_out = (error.code(), error.message().to_owned());
                if offer.named && refused.is_ok() {
                    refused = Err(error);
                }
                left_out
            })
        });
        refused
    }
}

/// The names an installation of those that are named may touch: what any version of them needs, and the installed
/// plugins that need what may be replaced, each with what it needs in turn.
fn reached(offers: &[Offer], installed: &[Candidate]) -> BTreeSet<Name> {
    let mut beside: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
    for candidate in offers.iter().map(|offer| &offer.candidate).chain(installed) {
        beside.entry(&candidate.name).or_default().extend(candidate.dependencies.keys());
    }
    for candidate in installed {
        for needed in candidate.dependencies.keys() {
            beside.entry(needed).or_default().insert(&candidate.name);
        }
    }
    let mut open: Vec<&Name> = offers.iter().filter(|o| o.named).map(|o| &o.candidate.name).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(beside.get(name).into_iter().flatten());
        }
    }
    reached
}

/// The packages in these folders, by path: regular files and links to such whose names end in `.forgepkg`.
fn files(folders: &[PathBuf], most: usize) -> Result<Vec<PathBuf>, ForgeError> {
    let mut found = BTreeSet::new();
    for folder in folders {
        let failed = |source: std::io::Error| {
            let code =
                if source.kind() == std::io::ErrorKind::NotFound { &codes::E5008 } else { &codes::E0002 };
            ForgeError::new(code, format!("cannot list {}", folder.display())).reason(source.to_string())
        };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == "forgepkg") && path.is_file() {
                found.insert(path);
            }
            if found.len() > most {
                let what = format!("there are more than {MAX_OFFERS} packages to choose from");
                return Err(
                    ForgeError::new(&codes::E0101, what).with_help("offer a folder with fewer packages")
                );
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// The publishers of each name that nobody has pinned to one.
pub(super) fn publishers(offers: &[Offer]) -> BTreeMap<Name, BTreeSet<Publisher>> {
    let mut all: BTreeMap<Name, BTreeSet<Publisher>> = BTreeMap::new();
    for offer in offers {
        all.entry(offer.candidate.name.clone()).or_default().insert(offer.candidate.publisher.clone());
    }
    all
}
