//! What the database reads and writes, on a [`Disk`]: in place, blocks reserved before they are written, and a sync
//! that failed is remembered.

use super::disk::Disk;
use redb::StorageBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The file of the database. It takes no lock of its own: the home's is held.
#[derive(Debug)]
pub(super) struct DiskBackend {
    disk: Arc<dyn Disk>,
    file: File,
    /// A sync failed: what is on the disk is not known, and the next sync would not tell.
    unsure: Arc<AtomicBool>,
}

impl DiskBackend {
    /// This file; a sync that fails sets `unsure`, and nothing is written or synced any more.
    pub(super) const fn new(disk: Arc<dyn Disk>, file: File, unsure: Arc<AtomicBool>) -> Self {
        Self { disk, file, unsure }
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
        if length > now {
            self.disk.grow(&self.file, now, length)
        } else {
            self.disk.truncate(&self.file, length)
        }
    }
    fn sync_data(&self) -> io::Result<()> {
        self.sure()?;
        self.disk.sync_data(&self.file).inspect_err(|_| self.unsure.store(true, SeqCst))
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.sure()?;
        self.disk.write_at(&self.file, bytes, offset)
    }
}
