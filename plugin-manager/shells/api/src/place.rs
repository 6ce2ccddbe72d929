//! Where a daemon's socket is: `run/forgeone.sock` of its home, also where that path is longer than an address holds.

use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Most bytes of a path in the address of a unix socket; the kernel takes 108 with the zero at the end.
const MAX_ADDRESS: usize = 107;

/// The socket of a home.
pub(crate) fn socket(home: &Path) -> PathBuf {
    home.join("run/forgeone.sock")
}

/// A path to a socket that fits into an address, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Address {
    path: PathBuf,
    _directory: Option<OwnedFd>,
}

impl Address {
    /// The address of this socket: its path, or one by way of its directory, opened, where the path is too long.
    ///
    /// # Errors
    /// When the directory of a long path cannot be opened.
    pub fn of(socket: &Path) -> std::io::Result<Self> {
        if socket.as_os_str().len() <= MAX_ADDRESS {
            return Ok(Self { path: socket.to_owned(), _directory: None });
        }
        let (directory, name) = (socket.parent(), socket.file_name());
        let (Some(directory), Some(name)) = (directory, name) else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(directory, flags, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }
    /// The path to bind or to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_is_reached_however_long_its_path_is() {
        let dir = tempfile::tempdir().unwrap();
        for depth in [0, 12] {
            let home = (0..depth).fold(dir.path().to_owned(), |path, _| path.join("a".repeat(40)));
            std::fs::create_dir_all(home.join("run")).unwrap();
            let socket = socket(&home);
            let _listener = UnixListener::bind(Address::of(&socket).unwrap().path()).unwrap();
            UnixStream::connect(Address::of(&socket).unwrap().path()).unwrap();
            assert!(socket.exists());
        }
    }

    #[test]
    fn a_long_path_without_its_directory_is_an_error() {
        let long = Path::new("/nowhere").join("a".repeat(200)).join("forgeone.sock");
        assert_eq!(Address::of(&long).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
