//! The files a log writes, behind a trait: what a method returned `Ok` for is what the disk was told.

use super::error::AuditError;
use rustix::fs::{FallocateFlags, FlockOperation};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How a log reaches the disk. Tests give one that fails.
pub trait Files: Send + Sync + std::fmt::Debug {
    /// Opens a file for appending, creating it (mode 0600, its directory synced) when it is not there.
    ///
    /// # Errors
    /// As the operating system says.
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
    /// Puts `bytes` in the place of a file: after a crash it holds the old bytes or the new.
    ///
    /// # Errors
    /// As the operating system says.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a directory (mode 0700, its parent synced) when it is not there.
    ///
    /// # Errors
    /// As the operating system says.
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        SystemFiles::make(path)
    }
    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
    /// How many bytes this process may still write to the file system of `dir`.
    ///
    /// # Errors
    /// As the operating system says.
    fn free(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// A file that grows.
pub trait SegmentFile: Send + std::fmt::Debug {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// As the operating system says; part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Waits until everything appended is on disk.
    ///
    /// # Errors
    /// As the operating system says; nothing appended since the last sync is then believed.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `length` bytes and waits until that is on disk.
    ///
    /// # Errors
    /// As the operating system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// Opens a file of the log for reading. Anything but a regular file is an error, and never waited for: opening
/// a pipe would.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

/// Blocks are reserved ahead of the end of a segment in steps of this many bytes.
const RESERVE: u64 = 4 << 20;

#[derive(Debug)]
struct SystemSegment {
    file: File,
    length: u64,
    reserved: u64,
}

impl Files for SystemFiles {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let is_new = !path.exists();
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        if is_new {
            sync_parent(path)?;
        }
        let length = file.metadata()?.len();
        Ok(Box::new(SystemSegment { file, length, reserved: length }))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        sync_parent(path)
    }
}

impl SystemFiles {
    fn make(path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new().mode(0o700).create(path)?;
        sync_parent(path)
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

impl SystemSegment {
    /// Reserving is an optimisation: where it fails, the write that follows says why.
    fn reserve(&mut self, more: u64) {
        let end = self.length.saturating_add(more);
        if end > self.reserved {
            let flags = FallocateFlags::KEEP_SIZE;
            let _ = rustix::fs::fallocate(&self.file, flags, self.length, more.saturating_add(RESERVE));
            self.reserved = end.saturating_add(RESERVE);
        }
    }
}

impl SegmentFile for SystemSegment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reserve(bytes.len() as u64);
        self.file.write_all(bytes)?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        self.reserved = length;
        self.file.sync_all()
    }
}

/// The claim of one process to write a log: ends with the process.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Said, not left to closing the file: a child between fork and exec still has it open.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the lock of `dir`, creating the directory (mode 0700) when it is not there.
    pub(super) fn take(dir: &Path) -> Result<Self, AuditError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(AuditError::io("create", dir))?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(AuditError::io("open", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(locked(dir, &mut file)),
            Err(error) => return Err(AuditError::io("lock", &path)(error.into())),
        }
        let pid = format!("{}\n", std::process::id());
        // Over what was there: on a full disk there is no room for a new block.
        file.write_all(pid.as_bytes())
            .and_then(|()| file.set_len(pid.len() as u64))
            .map_err(AuditError::io("write", &path))?;
        Ok(Self { file })
    }
}

fn locked(dir: &Path, file: &mut File) -> AuditError {
    let mut text = String::new();
    let pid = file.take(32).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
    AuditError::Locked { dir: PathBuf::from(dir), pid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let pid = Some(std::process::id());
        assert!(matches!(Lock::take(dir.path()), Err(AuditError::Locked { pid: p, .. }) if p == pid));
        drop(lock);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn reserved_blocks_do_not_show_in_the_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = SystemFiles.append_to(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.append(b"two\n").unwrap();
        file.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        file.truncate(4).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n2\n");
    }

    #[test]
    fn a_replaced_file_holds_the_new_bytes_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        SystemFiles.replace(&path, b"longer").unwrap();
        SystemFiles.replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
