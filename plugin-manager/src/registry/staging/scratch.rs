//! The home of one staging run: empty but for the trust and the configuration of the home it is made in, and gone when
//! the run is over.
//!
//! What the plugin does there is decided by the same policies and recorded in a log of its own, which goes with it.

use super::super::manager::PluginManager;
use super::super::operator::Desk;
use super::error::StagingError;
use crate::config::{Checkpoints, Config};
use crate::extension::Added;
use common::error::ForgeError;
use common::identity::IdentityContext;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Files of trust configuration that are copied at most: as many policies as a host reads, and as many others.
const MAX_FILES: usize = 2 * crate::config::MAX_POLICIES;
/// Directories below one another at most.
const MAX_DEPTH: usize = 8;

/// What the home of a run takes over from the one it is made in.
pub(in crate::registry) struct Inherited {
    pub config: Config,
    /// Who acts: policies decide about the same operator.
    pub identity: IdentityContext,
    /// Host calls that the host program added.
    pub added: Vec<Added>,
}

impl std::fmt::Debug for Inherited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inherited").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Does a job in the home of a run, which is made for it and gone when it is done. One at a time is there: whoever does
/// another has seen the last one's end.
pub(super) fn in_scratch<T>(
    desk: Desk<'_>,
    job: impl FnOnce(&PluginManager) -> Result<T, ForgeError>,
) -> Result<T, ForgeError> {
    let place = Place(desk.home.stage_dir());
    place.clear()?;
    DirBuilder::new().mode(0o700).create(&place.0).map_err(failed(&place.0))?;
    copy(&desk.home.trust_dir(), &place.0.join("trust"), &mut MAX_FILES.clone(), MAX_DEPTH)?;
    let inherited = Inherited {
        config: config(&desk.config),
        identity: desk.identity().clone(),
        added: desk.added.clone(),
    };
    // INVARIANT: gone before its place is.
    let manager = PluginManager::builder().home(&place.0).inheriting(inherited).open()?;
    let done = job(&manager);
    if let Err(error) = manager.shutdown() {
        tracing::warn!(%error, "the home of a staging run did not end in order");
    }
    done
}

/// The directory of it, which goes when this is dropped.
struct Place(PathBuf);

impl Place {
    fn clear(&self) -> Result<(), StagingError> {
        match fs::remove_dir_all(&self.0) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(&self.0)(e)),
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            tracing::warn!(%error, "the home of a staging run is still there");
        }
    }
}

/// The same, but for what would reach out of the home of a run.
fn config(own: &Config) -> Config {
    let mut config = own.clone();
    config.plugin_directory = None;
    config.audit.checkpoints = Checkpoints::default();
    config
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StagingError {
    let path = path.to_owned();
    move |source| StagingError::Scratch { path, source }
}

/// Copies regular files and directories, following no link but that to a file, with their modes.
fn copy(from: &Path, to: &Path, left: &mut usize, depth: usize) -> Result<(), StagingError> {
    DirBuilder::new().mode(0o700).create(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        *left = left.checked_sub(1).ok_or_else(|| StagingError::Trust(from.to_owned()))?;
        let kind = entry.file_type().map_err(failed(&source))?;
        if kind.is_dir() {
            let deeper = depth.checked_sub(1).ok_or_else(|| StagingError::Trust(source.clone()))?;
            copy(&source, &target, left, deeper)?;
        } else if fs::metadata(&source).is_ok_and(|meta| meta.is_file()) {
            fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    Ok(())
}
