//! Reading what a user names, up to a cap, and writing files that are whole or not there.

use crate::failure;
use common::error::{ForgeError, codes};
use plugin_manager::{NoProgress, Phase, Progress};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest package, module or asset read, in bytes. The library has tighter caps of its own.
pub const MAX_FILE: u64 = 256 << 20;

/// Bytes read between two words on how far it is.
const READ_AT_ONCE: u64 = 1 << 20;

/// The bytes of a file of at most `cap` bytes.
///
/// # Errors
/// E5008 when it is not there, E0002 when it cannot be read or is larger.
pub fn read(path: &Path, cap: u64) -> Result<Vec<u8>, ForgeError> {
    read_telling(path, cap, &NoProgress)
}

/// [`read`], telling how many bytes are read.
///
/// # Errors
/// As [`read`].
pub fn read_telling(path: &Path, cap: u64, progress: &dyn Progress) -> Result<Vec<u8>, ForgeError> {
    let fail = |e| failure::file("read", path, &e);
    let file = File::open(path).map_err(fail)?;
    let total = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
    progress.begin(Phase::Read, &path.display().to_string(), total);
    let bytes = read_parts(file.take(cap.saturating_add(1)), progress);
    progress.end(Phase::Read);
    let bytes = bytes.map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > cap {
        let message = format!("{} is larger than {cap} bytes", path.display());
        return Err(ForgeError::new(&codes::E0002, message).with_help("name a smaller file"));
    }
    Ok(bytes)
}

fn read_parts(mut from: impl Read, progress: &dyn Progress) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match from.by_ref().take(READ_AT_ONCE).read_to_end(&mut bytes)? {
            0 => return Ok(bytes),
            read => progress.advance(u64::try_from(read).unwrap_or(u64::MAX)),
        }
    }
}

/// A text file, UTF-8.
///
/// # Errors
/// As [`read`], or E0002 when it is not UTF-8.
pub fn read_text(path: &Path, cap: u64) -> Result<String, ForgeError> {
    String::from_utf8(read(path, cap)?).map_err(|_| {
        ForgeError::new(&codes::E0002, format!("{} is not UTF-8 text", path.display()))
            .with_help("save the file as UTF-8")
    })
}

/// Writes a file beside its final name and renames it, so that readers see the old or the new one.
///
/// # Errors
/// E0002, or E5008 when its directory is not there.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ForgeError> {
    let beside = beside(path)?;
    let written = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        // Half a file is of no use to anyone; if it cannot be removed the error below still says what happened.
        let _ = fs::remove_file(&beside);
        failure::file("write", path, &e)
    })
}

fn beside(path: &Path) -> Result<PathBuf, ForgeError> {
    let name = path
        .file_name()
        .ok_or_else(|| ForgeError::new(&codes::E0101, format!("{} does not name a file", path.display())))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}
