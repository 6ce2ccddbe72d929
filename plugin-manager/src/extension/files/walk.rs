//! One step at a time beneath a directory handle; a symbolic link, a device or a pipe ends the walk.

use super::fault::{fault, link, special};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use microkernel::syscall_bridge::{CallError, Status};
use rustix::fs::OFlags;

/// What a name in a directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extension) enum Entry {
    /// Nothing.
    Absent,
    /// A plain file of this many bytes.
    File(u64),
    /// A directory.
    Directory,
}

/// Looks at a name without opening it.
pub(in crate::extension) fn entry(dir: &Dir, name: &str) -> Result<Entry, CallError> {
    match dir.symlink_metadata(name) {
        Ok(meta) => kind(&meta),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Entry::Absent),
        Err(e) => Err(fault(&e)),
    }
}

/// What this is; links and special files are refused, and so are files that have a second name somewhere.
pub(super) fn kind(meta: &Metadata) -> Result<Entry, CallError> {
    if meta.is_symlink() {
        Err(link())
    } else if meta.is_dir() {
        Ok(Entry::Directory)
    } else if meta.is_file() && meta.nlink() == 1 {
        Ok(Entry::File(meta.len()))
    } else {
        Err(special())
    }
}

/// The directory of this name; a link in its place is refused.
pub(in crate::extension) fn down(dir: &Dir, name: &str) -> Result<Dir, CallError> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed());
    match dir.open_with(name, &options) {
        Ok(file) => Ok(Dir::from_std_file(file.into_std())),
        // The system says of a link in place of a directory only that it is not one.
        Err(e) => Err(entry(dir, name).err().unwrap_or_else(|| fault(&e))),
    }
}

/// The directory of this name, made (0700) when it is not there; tells whether it was made. Another plugin of the
/// same publisher may make it at the same moment.
pub(super) fn down_or_make(dir: &Dir, name: &str) -> Result<(Dir, bool), CallError> {
    match down(dir, name) {
        Err(e) if e.status == Status::NotFound => {}
        other => return other.map(|dir| (dir, false)),
    }
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let made = match dir.create_dir_with(name, &builder) {
        Ok(()) => true,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(e) => return Err(fault(&e)),
    };
    down(dir, name).map(|dir| (dir, made))
}

/// The file of this name. Opening never blocks, and what is no plain file is refused.
pub(super) fn open(dir: &Dir, name: &str, options: &mut OpenOptions) -> Result<(File, u64), CallError> {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()).mode(0o600);
    let file = dir.open_with(name, options).map_err(|e| fault(&e))?;
    match kind(&file.metadata().map_err(|e| fault(&e))?)? {
        Entry::File(length) => Ok((file, length)),
        Entry::Directory | Entry::Absent => Err(CallError::new(Status::Invalid, "a directory")),
    }
}
