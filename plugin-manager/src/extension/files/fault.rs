//! What the system says, as what a plugin is told. Causes carry no path of the host.

use microkernel::syscall_bridge::{CallError, Status};
use rustix::io::Errno;
use std::io::Error;

/// The status of an error of the file system.
pub(in crate::extension) fn fault(error: &Error) -> CallError {
    let (status, cause) = match Errno::from_io_error(error) {
        Some(Errno::NOENT) => (Status::NotFound, "no such file or directory"),
        Some(Errno::NOTDIR) => (Status::Invalid, "not a directory"),
        Some(Errno::ISDIR) => (Status::Invalid, "a directory"),
        Some(Errno::LOOP) => (Status::Denied, LINK),
        Some(Errno::NOTEMPTY | Errno::EXIST) => (Status::Conflict, "the directory is not empty"),
        Some(Errno::NOSPC | Errno::DQUOT) => (Status::Unavailable, "no space on the host's disk"),
        Some(Errno::MFILE | Errno::NFILE) => (Status::Unavailable, "the host has too many open files"),
        Some(Errno::ROFS) => (Status::Unavailable, "the host's disk is read-only"),
        Some(Errno::ACCESS | Errno::PERM) => (Status::Denied, "the host may not"),
        // cap-std refuses what leads outside without an error number of the system.
        None if error.kind() == std::io::ErrorKind::PermissionDenied => {
            (Status::Denied, "the path leads outside of the private area")
        }
        _ => (Status::Internal, "the file system failed"),
    };
    CallError::new(status, cause)
}

const LINK: &str = "a symbolic link is on the path";

/// A symbolic link is on the path.
pub(super) fn link() -> CallError {
    CallError::new(Status::Denied, LINK)
}

/// Neither a plain file nor a directory, or a file with a second name.
pub(super) fn special() -> CallError {
    CallError::new(Status::Denied, "not a plain file")
}
