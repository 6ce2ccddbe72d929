//! The tree of a home: each directory there, ours, 0700, and no link; or the home is refused.

use super::StoreError;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Every directory of a home, parents first.
const TREE: &[&str] = &[
    "store",
    "store/sha256",
    "store/summaries",
    "cache",
    "audit",
    "trust",
    "trust/policy",
    "keys",
    "data",
    "logs",
    "people",
    "people/keys",
    "people/names",
    "plugins",
    "quarantine",
    "run",
    "tmp",
    "tmp/staging",
    "tmp/files",
];

/// Makes the home itself if need be, checks it, and returns its real path.
pub(super) fn root(path: &Path) -> Result<PathBuf, StoreError> {
    let make = DirBuilder::new().mode(0o700).recursive(true).create(path);
    make.map_err(StoreError::io("create", path))?;
    let real = path.canonicalize().map_err(StoreError::io("resolve", path))?;
    check(&real)?;
    Ok(real)
}

/// Makes and checks every directory below the home.
pub(super) fn tree(home: &Path) -> Result<(), StoreError> {
    TREE.iter().try_for_each(|dir| {
        let path = home.join(dir);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                Err(StoreError::Io { doing: "create", path, source: e })
            }
            _ => check(&path),
        }
    })
}

/// A directory must be one, be ours, and be closed to others' writing; wider reading is narrowed to 0700.
fn check(path: &Path) -> Result<(), StoreError> {
    let meta = path.symlink_metadata().map_err(StoreError::io("look at", path))?;
    if !meta.is_dir() {
        return Err(refuse(path, "is not a directory"));
    }
    ours(path, &meta)?;
    if meta.mode() & 0o7777 != 0o700 {
        let narrow = std::fs::set_permissions(path, Permissions::from_mode(0o700));
        narrow.map_err(StoreError::io("set the mode of", path))?;
    }
    Ok(())
}

/// An existing file of the home must be a regular one, ours, and closed to others' writing.
pub(super) fn check_file(path: &Path) -> Result<(), StoreError> {
    match path.symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::Io { doing: "look at", path: path.to_owned(), source: e }),
        Ok(meta) if !meta.is_file() => Err(refuse(path, "is not a regular file")),
        Ok(meta) => ours(path, &meta),
    }
}

fn ours(path: &Path, meta: &Metadata) -> Result<(), StoreError> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse(path, "belongs to another user"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refuse(path, "is writable by its group or by everyone"));
    }
    Ok(())
}

fn refuse(path: &Path, problem: &'static str) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), problem }
}

/// The entries of a directory, as names.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = std::fs::read_dir(dir).and_then(|d| d.map(|e| e.map(|e| e.path())).collect());
    listed.map_err(StoreError::io("list", dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::{Coded, codes};

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn every_directory_is_made_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = root(&dir.path().join("a/b/home")).unwrap();
        tree(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        for sub in TREE {
            assert_eq!(mode(&home.join(sub)), 0o700, "{sub}");
        }
        tree(&home).unwrap();
    }

    #[test]
    fn wider_reading_is_narrowed_and_wider_writing_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        root(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        for bad in [0o770, 0o707, 0o777, 0o702] {
            std::fs::set_permissions(&home, Permissions::from_mode(bad)).unwrap();
            let e = root(&home).unwrap_err();
            assert_eq!(e.code(), &codes::E0104, "{bad:o}");
        }
    }

    #[test]
    fn a_link_or_a_file_in_place_of_a_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = root(&dir.path().join("home")).unwrap();
        std::os::unix::fs::symlink("/tmp", home.join("keys")).unwrap();
        assert!(matches!(tree(&home), Err(StoreError::Unusable { path, .. }) if path.ends_with("keys")));
        std::fs::remove_file(home.join("keys")).unwrap();
        std::fs::write(home.join("keys"), "").unwrap();
        assert!(matches!(tree(&home), Err(StoreError::Unusable { path, .. }) if path.ends_with("keys")));
    }

    #[test]
    fn a_home_of_another_user_is_refused() {
        if rustix::process::geteuid().is_root() {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join("home");
            std::fs::create_dir(&home).unwrap();
            std::os::unix::fs::chown(&home, Some(12_345), None).unwrap();
            let e = root(&home).unwrap_err();
            assert!(e.to_string().ends_with("belongs to another user"), "{e}");
        } else {
            let e = root(Path::new("/")).unwrap_err();
            assert!(matches!(e, StoreError::Unusable { .. }), "{e}");
        }
    }
}
