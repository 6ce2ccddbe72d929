//! The socket in the home: made by who holds the home's lock, 0600, and gone when the daemon stops taking requests.

use crate::error::DaemonError;
use crate::place::{Address, socket};
use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// A bound socket. Its name goes with it.
#[derive(Debug)]
pub struct Name {
    path: PathBuf,
    there: bool,
}

impl Name {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Takes the name away: nobody finds the daemon from then on.
    pub fn remove(&mut self) {
        if std::mem::take(&mut self.there)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Binds the socket of a home whose lock this process holds: a socket that is there is what a killed daemon left.
///
/// # Errors
/// When something that is no socket has its name, or it cannot be made.
pub fn bind(home: &Path) -> Result<(UnixListener, Name), DaemonError> {
    let path = socket(home);
    let failed = |doing| {
        let socket = path.clone();
        move |source: io::Error| DaemonError::Socket { doing, socket, source }
    };
    clear(&path)?;
    let address = Address::of(&path).map_err(failed("reach"))?;
    let listener = UnixListener::bind(address.path()).map_err(failed("bind"))?;
    let name = Name { path: path.clone(), there: true };
    // Its directory lets nobody else in meanwhile.
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed("close to others"))?;
    Ok((listener, name))
}

fn clear(path: &Path) -> Result<(), DaemonError> {
    let failed = |source| DaemonError::Socket { doing: "remove", socket: path.to_owned(), source };
    match path.symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed(e)),
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path).map_err(failed),
        Ok(_) => Err(DaemonError::NotASocket(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within_a_runtime(job: impl FnOnce(&Path)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        job(home.path());
    }

    #[test]
    fn the_socket_is_for_its_owner_alone_and_goes_with_its_name() {
        within_a_runtime(|home| {
            let (_listener, name) = bind(home).unwrap();
            let path = name.path().to_owned();
            assert_eq!(path.symlink_metadata().unwrap().permissions().mode() & 0o777, 0o600);
            drop(name);
            assert!(!path.exists());
        });
    }

    #[test]
    fn what_a_killed_daemon_left_is_replaced() {
        within_a_runtime(|home| {
            let (listener, mut name) = bind(home).unwrap();
            drop(listener);
            name.there = false;
            drop(name);
            bind(home).unwrap();
        });
    }

    #[test]
    fn what_is_no_socket_stays_and_is_named() {
        within_a_runtime(|home| {
            std::fs::write(socket(home), "precious").unwrap();
            let refused = bind(home).unwrap_err();
            assert!(matches!(refused, DaemonError::NotASocket(_)), "{refused}");
            assert_eq!(std::fs::read(socket(home)).unwrap(), b"precious");
        });
    }
}
