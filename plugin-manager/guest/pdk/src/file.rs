//! Files of the virtual root. Paths are absolute; `/data` is the plugin's private area.
//!
//! Needs the permissions `filesystem` read, write, list and delete, each for what its name says.

pub use forgeone_abi::layout::{FileKind, FileStat};
use forgeone_abi::names::syscall as name;

use crate::call::{bytes, nothing, simple, texts};
use crate::error::HostError;

/// A whole file.
///
/// # Errors
/// The host's status.
pub fn read(path: &str) -> Result<Vec<u8>, HostError> {
    simple(name::FILE_READ, &[path.as_bytes()], bytes)
}

/// At most `length` bytes from `offset` on; fewer at the end of the file.
///
/// # Errors
/// The host's status.
pub fn read_at(path: &str, offset: u64, length: u64) -> Result<Vec<u8>, HostError> {
    simple(name::FILE_READ, &[path.as_bytes(), &offset.to_le_bytes(), &length.to_le_bytes()], bytes)
}

/// Makes the file hold exactly these bytes.
///
/// # Errors
/// The host's status.
pub fn write(path: &str, content: &[u8]) -> Result<(), HostError> {
    simple(name::FILE_WRITE, &[path.as_bytes(), content], nothing)
}

/// Adds bytes at the end of the file.
///
/// # Errors
/// The host's status.
pub fn append(path: &str, content: &[u8]) -> Result<(), HostError> {
    simple(name::FILE_APPEND, &[path.as_bytes(), content], nothing)
}

/// Size, time of the last change and kind.
///
/// # Errors
/// The host's status.
pub fn stat(path: &str) -> Result<FileStat, HostError> {
    simple(name::FILE_STAT, &[path.as_bytes()], |response| {
        FileStat::decode(response).map_err(HostError::malformed(name::FILE_STAT))
    })
}

/// Names in a directory, sorted; directories end in `/`.
///
/// # Errors
/// The host's status.
pub fn list(path: &str) -> Result<Vec<String>, HostError> {
    simple(name::FILE_LIST, &[path.as_bytes()], texts(name::FILE_LIST))
}

/// Deletes a file.
///
/// # Errors
/// The host's status.
pub fn delete(path: &str) -> Result<(), HostError> {
    simple(name::FILE_DELETE, &[path.as_bytes()], nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn files_are_written_read_and_deleted() {
        let _host = Host::install();
        write("/data/a.txt", b"hello").unwrap();
        append("/data/a.txt", b" world").unwrap();
        write("/data/sub/b.txt", b"").unwrap();
        assert_eq!(read("/data/a.txt").unwrap(), b"hello world");
        assert_eq!(read_at("/data/a.txt", 6, 3).unwrap(), b"wor");
        assert_eq!(read_at("/data/a.txt", 50, 3).unwrap(), b"");
        assert_eq!(list("/data").unwrap(), ["a.txt", "sub/"]);
        let stat_a = stat("/data/a.txt").unwrap();
        assert_eq!((stat_a.size, stat_a.kind), (11, FileKind::File));
        assert_eq!(stat("/data/sub").unwrap().kind, FileKind::Directory);
        delete("/data/a.txt").unwrap();
        assert_eq!(read("/data/a.txt").unwrap_err().status(), Status::NotFound);
    }
}
