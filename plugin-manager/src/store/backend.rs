//! What the database reads and writes, on a [`Disk`]: a sync that failed is remembered, and a file beside it keeps room
//! for the changes that a full disk must not prevent, as stopping a plugin.

use super::disk::{Disk, gone};
use redb::StorageBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Bytes kept for small changes on a full disk.
const RESERVE: u64 = 1 << 20;
/// The most of a growth of the database whose blocks are reserved at once.
const GROWTH: u64 = 16 << 20;

/// The file of the database. It takes no lock of its own: the home's is held.
#[derive(Debug)]
pub(super) struct DiskBackend {
    disk: Arc<dyn Disk>,
    file: File,
    /// A sync failed: what is on the disk is not known, and the next sync would not tell.
    unsure: Arc<AtomicBool>,
    /// The file that keeps room.
    reserve: PathBuf,
}

/// Lets the file that keeps room have as much as it should, or as much of that as there is. Without it a full disk
/// prevents more than it must, and that is all.
pub(super) fn keep_room(disk: &dyn Disk, reserve: &Path) {
    let Ok(file) = disk.open_in_place(reserve) else { return };
    let Ok(kept) = file.metadata().map(|meta| meta.len()) else { return };
    let sizes = [RESERVE, RESERVE / 2, RESERVE / 4, RESERVE / 8];
    let _ =
        sizes.into_iter().take_while(|size| *size > kept).any(|size| disk.grow(&file, kept, size).is_ok());
}

impl DiskBackend {
    /// This file; a sync that fails sets `unsure`, and nothing is written or synced any more.
    pub(super) const fn new(
        disk: Arc<dyn Disk>,
        file: File,
        unsure: Arc<AtomicBool>,
        reserve: PathBuf,
    ) -> Self {
        Self { disk, file, unsure, reserve }
    }

    /// Does this, on a full disk once more with the room that was kept.
    fn with_room(&self, doing: impl Fn(bool) -> io::Result<()>) -> io::Result<()> {
        match doing(false) {
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                gone(self.disk.remove(&self.reserve))?;
                doing(true)
            }
            other => other,
        }
    }

    fn sure(&self) -> io::Result<()> {
        if self.unsure.load(SeqCst) { Err(io::Error::other("a sync failed before")) } else { Ok(()) }
    }
}

impl StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.sure()?;
        let now = self.len()?;
        // The room that was kept is for what is written, which may be little of a large growth.
        self.with_room(|full| {
            if length > now && length - now <= GROWTH && !full {
                self.disk.grow(&self.file, now, length)
            } else {
                self.disk.truncate(&self.file, length)
            }
        })
    }
    fn sync_data(&self) -> io::Result<()> {
        self.sure()?;
        self.disk.sync_data(&self.file).inspect_err(|_| self.unsure.store(true, SeqCst))
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.sure()?;
        self.with_room(|_| self.disk.write_at(&self.file, bytes, offset))
    }
}
