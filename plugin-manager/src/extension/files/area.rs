//! Private areas: one directory handle and one account of bytes and entries for each plugin that uses one.

use super::path::DEPTH;
use super::walk::{Entry, down, down_or_make, entry};
use crate::extension::service::limit;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use common::error::{Code, Coded, codes};
use common::identity::{PluginId, PluginIdentity};
use microkernel::syscall_bridge::CallError;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Quotas of each plugin, and bounds of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes of all files of one plugin together.
    pub bytes: u64,
    /// Files and directories of one plugin.
    pub entries: u64,
    /// Bytes one `file_read` answers.
    pub read_bytes: u64,
    /// Areas kept open; the one used least lately is closed for the next.
    pub open_areas: usize,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, entries: 10_000, read_bytes: 16 << 20, open_areas: 256 }
    }
}

/// Where private areas are, and where files are written before they are renamed into them: on one file system.
#[derive(Debug, Clone)]
pub struct FileDirs {
    /// `<publisher>/<name>/` is below it.
    pub data: PathBuf,
    /// Emptied whenever the home is opened.
    pub staging: PathBuf,
}

/// A directory of the service cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {}", path.display())]
pub struct FileError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Coded for FileError {
    fn code(&self) -> &'static Code {
        &codes::E0002
    }
}

/// The private areas of all plugins.
#[derive(Debug)]
pub struct Files {
    data: Dir,
    staging: Dir,
    pub(super) limits: FileLimits,
    areas: Mutex<HashMap<PluginId, Arc<Area>>>,
    names: AtomicU64,
    uses: AtomicU64,
}

impl Files {
    /// Opens the directories; neither is made.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(dirs: &FileDirs, limits: FileLimits) -> Result<Self, FileError> {
        let open = |path: &PathBuf| {
            Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|source| FileError { path: path.clone(), source })
        };
        Ok(Self {
            data: open(&dirs.data)?,
            staging: open(&dirs.staging)?,
            limits,
            areas: Mutex::default(),
            names: AtomicU64::new(0),
            uses: AtomicU64::new(0),
        })
    }

    /// Closes a plugin's area, as before it is erased. The plugin must not be running.
    pub fn forget(&self, plugin: PluginId) {
        self.areas.lock().remove(&plugin);
    }

    /// The directory where files are written first, and a name that is free there.
    pub(super) fn staging(&self) -> (&Dir, String) {
        (&self.staging, format!("{:x}", self.names.fetch_add(1, Ordering::Relaxed)))
    }

    /// The area of a plugin. Its account is drawn up when it is first used.
    pub(super) fn area(&self, plugin: &PluginIdentity) -> Result<Arc<Area>, CallError> {
        let area = self.slot(plugin.id);
        area.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        area.ready(|| {
            let (publisher, _) = down_or_make(&self.data, plugin.publisher.as_str())?;
            down_or_make(&publisher, plugin.name.as_str()).map(|(root, _)| root)
        })?;
        Ok(area)
    }

    /// The whole of the data directory as one area, for what no plugin has to itself.
    pub(in crate::extension) fn whole(&self) -> Result<Area, CallError> {
        let area = Area::default();
        area.ready(|| self.data.try_clone().map_err(|e| super::fault::fault(&e)))?;
        Ok(area)
    }

    fn slot(&self, plugin: PluginId) -> Arc<Area> {
        let mut areas = self.areas.lock();
        if let Some(area) = areas.get(&plugin) {
            return area.clone();
        }
        if areas.len() >= self.limits.open_areas {
            // One that a call is using must stay: a second account beside it would count wrong.
            let idle = areas.iter().filter(|(_, area)| Arc::strong_count(area) == 1);
            let oldest = idle.min_by_key(|(_, area)| area.used.load(Ordering::Relaxed)).map(|(id, _)| *id);
            oldest.and_then(|id| areas.remove(&id));
        }
        areas.entry(plugin).or_default().clone()
    }
}

/// One plugin's area.
#[derive(Debug, Default)]
pub(in crate::extension) struct Area {
    root: OnceLock<Dir>,
    /// Held while files change, so that the account is exact.
    account: Mutex<Account>,
    /// What is to be renamed, and which instance may do it. One place: a plugin that fills it again gives it up.
    moving: Mutex<Option<(u64, String)>>,
    used: AtomicU64,
}

impl Area {
    fn ready(&self, open: impl FnOnce() -> Result<Dir, CallError>) -> Result<(), CallError> {
        if self.root.get().is_some() {
            return Ok(());
        }
        let mut account = self.account.lock();
        if self.root.get().is_none() {
            let root = open()?;
            *account = Account::default();
            account.draw_up(&root, 0)?;
            // Only set here, under the lock.
            let _ = self.root.set(root);
        }
        Ok(())
    }

    /// Its directory. [`Files::area`] hands out only areas that have one.
    pub(in crate::extension) fn root(&self) -> Result<&Dir, CallError> {
        self.root.get().ok_or_else(super::fault::special)
    }

    /// What is to be renamed.
    pub(super) fn moving(&self) -> parking_lot::MutexGuard<'_, Option<(u64, String)>> {
        self.moving.lock()
    }

    /// Its account, held until the caller is done changing files.
    pub(in crate::extension) fn account(&self) -> parking_lot::MutexGuard<'_, Account> {
        self.account.lock()
    }
}

/// What a plugin has in its area.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::extension) struct Account {
    pub(super) bytes: u64,
    pub(in crate::extension) entries: u64,
}

impl Account {
    /// Counts what is there. What no call can reach (links, special files, too deep) counts as an entry.
    fn draw_up(&mut self, dir: &Dir, depth: usize) -> Result<(), CallError> {
        for item in dir.entries().map_err(|e| super::fault::fault(&e))? {
            let item = item.map_err(|e| super::fault::fault(&e))?;
            self.entries += 1;
            let name = item.file_name();
            let Some(name) = name.to_str() else { continue };
            match entry(dir, name) {
                Ok(Entry::File(bytes)) => self.bytes += bytes,
                Ok(Entry::Directory) if depth < DEPTH => self.draw_up(&down(dir, name)?, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a file may go from `old` to `new` bytes. What makes the area smaller is let through even when a
    /// lowered quota leaves it too large.
    pub(super) fn may_hold(&self, old: u64, new: u64, limits: &FileLimits) -> Result<(), CallError> {
        let bytes = self.bytes.saturating_sub(old).saturating_add(new);
        if bytes > limits.bytes && new > old { Err(limit("the file quota is used up")) } else { Ok(()) }
    }

    /// Whether there may be one more file or directory.
    pub(super) fn may_add(&self, limits: &FileLimits) -> Result<(), CallError> {
        if self.entries >= limits.entries {
            return Err(limit("the plugin has as many files as it may have"));
        }
        Ok(())
    }

    /// A file went from `old` to `new` bytes.
    pub(super) fn resize(&mut self, old: u64, new: u64) {
        self.bytes = self.bytes.saturating_sub(old).saturating_add(new);
    }
}
