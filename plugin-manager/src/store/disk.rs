//! Every change the store makes on the disk, one method each; and files that appear whole or not at all: written
//! beside their place, synced, renamed into it, the directory synced.

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every change of a file or directory the store makes, those of the database included, so that a test can stop it
/// at each.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates a file that is not there, mode 0600.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }
    /// Opens a file for appending; creates it, mode 0600, when it is not there. Follows no link.
    fn append_to(&self, path: &Path) -> io::Result<File> {
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(no_link).open(path)
    }
    /// Opens a file for reading and writing in place; creates it, mode 0600, when it is not there.
    fn open_in_place(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    }
    /// Writes all bytes at this place.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }
    /// Makes a file longer. Its blocks are reserved where the file system can do that, so that no later write in
    /// place finds the disk full.
    fn grow(&self, file: &File, from: u64, to: u64) -> io::Result<()> {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), from, to.saturating_sub(from)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(to),
            other => Ok(other?),
        }
    }
    /// Writes all bytes.
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
    /// Makes a file's bytes durable.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
    /// Makes a file's bytes and its length durable.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
    /// Cuts a file to this length.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }
    /// Moves a file or directory, replacing a file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
    /// Makes a directory's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
    /// Removes a directory and all in it, following no links.
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }
}

/// The machine's own file system.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// Names in the staging directory; unique within one opening of the home, which starts by emptying it.
#[derive(Debug, Default)]
pub(super) struct StagingNames(AtomicU64);

impl StagingNames {
    /// The next name.
    pub(super) fn next(&self) -> String {
        format!("{:x}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Writes `bytes` to `target` by way of `temporary`, which must be on the same file system.
pub(super) fn write_atomic(disk: &dyn Disk, temporary: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fill(disk, temporary, bytes).and_then(|()| disk.rename(temporary, target));
    if written.is_err() {
        // The error that matters is the first one; the next opening clears what stays.
        let _ = disk.remove(temporary);
    }
    written?;
    target.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

fn fill(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.create(path)?;
    disk.write(&file, bytes)?;
    disk.sync(&file)
}

/// Whether removing succeeded or there was nothing to remove.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
