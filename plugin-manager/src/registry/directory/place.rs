//! The directory itself, held open: every file is reached through it, by its name alone, and no link is followed.

use super::{DirectoryError, MAX_ENTRIES, MAX_FILES, SUFFIX};
use crate::store::Stamp;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Only its owner.
pub(super) const OWN_DIRECTORY: Mode = Mode::RWXU;

/// An open directory that nobody but its owner writes to, who is who runs this.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    pub fd: OwnedFd,
    inode: u64,
}

/// What is in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The package files.
    pub files: BTreeMap<String, Stamp>,
    /// Entries that end as package files do and are none: links, directories, names that are not text.
    pub passed_over: usize,
}

impl Place {
    /// Opens and checks the directory.
    ///
    /// # Errors
    /// When it is not there, is a link, or others own it or may write to it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(DirectoryError::io("open", path))?;
        let inode = checked(path, &fd)?;
        Ok(Self { path: path.to_owned(), fd, inode })
    }

    /// The directory below, made when it is not there, under the same conditions.
    pub fn below(&self, name: &str) -> Result<Self, DirectoryError> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.fd, name, OWN_DIRECTORY) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(DirectoryError::io("create", path)(errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let fd = opened.map_err(DirectoryError::io("open", &path))?;
        let inode = checked(&path, &fd)?;
        Ok(Self { path, fd, inode })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// This directory and no other that was or will be at its path: what is missing from an unmounted one was not
    /// deleted.
    pub fn id(&self) -> String {
        format!("{}:{}", self.inode, self.path.display())
    }

    /// The package files that are there: regular, not hidden, not named as editors and copying programs name what is
    /// not finished.
    ///
    /// # Errors
    /// When there are more than are looked at: a listing in part would make the others look deleted.
    pub fn list(&self) -> Result<Listing, DirectoryError> {
        let failed = || DirectoryError::io("list", &self.path);
        let mut listing = Listing::default();
        let entries = Dir::read_from(&self.fd).map_err(failed())?;
        let too_many = || Err(DirectoryError::TooMany(self.path.clone()));
        for (count, entry) in entries.enumerate() {
            if count >= MAX_ENTRIES {
                return too_many();
            }
            let entry = entry.map_err(failed())?;
            if !entry.file_name().to_bytes().ends_with(SUFFIX.as_bytes()) {
                continue;
            }
            let name = entry.file_name().to_str().ok();
            match name.filter(|name| !unfinished(name)).map(|name| (name, self.stamp(name))) {
                Some((name, Ok(Some(stamp)))) => {
                    listing.files.insert(name.to_owned(), stamp);
                }
                Some((_, Err(error))) => return Err(error),
                Some((_, Ok(None))) => listing.passed_over += 1,
                None if name.is_none() => listing.passed_over += 1,
                None => {}
            }
        }
        if listing.files.len() > MAX_FILES { too_many() } else { Ok(listing) }
    }

    /// What this file looks like; `None` when it is not there or is not a regular file.
    pub fn stamp(&self, file: &str) -> Result<Option<Stamp>, DirectoryError> {
        match rustix::fs::statat(&self.fd, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stamp(&stat)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(DirectoryError::io("look at", self.path.join(file))(errno)),
        }
    }

    /// The bytes of this file, which looks like this, before they are read and after.
    ///
    /// # Errors
    /// [`DirectoryError::TooLarge`], and nothing is read; [`DirectoryError::Changing`].
    pub fn read(&self, file: &str, looks: &Stamp, limit: u64) -> Result<Vec<u8>, DirectoryError> {
        if looks.bytes > limit {
            return Err(DirectoryError::TooLarge { file: file.to_owned(), bytes: looks.bytes, limit });
        }
        let path = || self.path.join(file);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, file, flags, Mode::empty());
        let opened = File::from(opened.map_err(DirectoryError::io("open", path()))?);
        let same = |file: &File| {
            let stat = rustix::fs::fstat(file).map_err(DirectoryError::io("look at", path()))?;
            Ok(stamp(&stat).is_some_and(|now| now == *looks))
        };
        let changing = || DirectoryError::Changing(file.to_owned());
        if !same(&opened)? {
            return Err(changing());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(looks.bytes).unwrap_or_default());
        let read = (&opened).take(looks.bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|source| DirectoryError::Io { doing: "read", path: path(), source })?;
        if same(&opened)? && bytes.len() as u64 == looks.bytes { Ok(bytes) } else { Err(changing()) }
    }
}

/// The number of a directory that is ours alone to write to.
fn checked(path: &Path, fd: &OwnedFd) -> Result<u64, DirectoryError> {
    let stat = rustix::fs::fstat(fd).map_err(DirectoryError::io("look at", path))?;
    let refuse = |problem| Err(DirectoryError::Unusable { path: path.to_owned(), problem });
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
        return refuse("is writable by its group or by everyone");
    }
    Ok(stat.st_ino)
}

/// What a regular file looks like.
fn stamp(stat: &Stat) -> Option<Stamp> {
    let ns = |seconds: i64, ns: u64| {
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::try_from(ns).unwrap_or_default())
    };
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| Stamp {
        inode: stat.st_ino,
        bytes: u64::try_from(stat.st_size).unwrap_or_default(),
        modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
    })
}

/// Names of hidden files, and of what editors and copying programs keep beside what they write.
fn unfinished(name: &str) -> bool {
    name.starts_with(['.', '~', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::{Coded, codes};
    use std::ffi::OsStr;
    use std::fs::Permissions;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    fn own() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        dir
    }

    #[test]
    fn package_files_are_listed_and_nothing_else() {
        let dir = own();
        for name in
            ["b.forgepkg", "a b\u{202e}.forgepkg", ".h.forgepkg", "~t.forgepkg", "x.forgepkg.part", "x"]
        {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::write(dir.path().join(OsStr::from_bytes(b"\xff.forgepkg")), "").unwrap();
        std::os::unix::fs::symlink("b.forgepkg", dir.path().join("link.forgepkg")).unwrap();
        std::fs::create_dir(dir.path().join("dir.forgepkg")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe.forgepkg"), Mode::RUSR).unwrap();
        let place = Place::open(dir.path()).unwrap();
        let listing = place.list().unwrap();
        let names: Vec<&str> = listing.files.keys().map(String::as_str).collect();
        assert_eq!(
            (names.as_slice(), listing.passed_over),
            (["a b\u{202e}.forgepkg", "b.forgepkg"].as_slice(), 4)
        );
        let looks = listing.files["b.forgepkg"];
        assert_eq!(place.read("b.forgepkg", &looks, 10).unwrap(), b"b.forgepkg");
        assert_eq!(place.read("b.forgepkg", &looks, 9).unwrap_err().code(), &codes::E1001);
        std::fs::remove_file(dir.path().join("b.forgepkg")).unwrap();
        std::fs::write(dir.path().join("b.forgepkg"), "other text").unwrap();
        assert!(matches!(place.read("b.forgepkg", &looks, 10), Err(DirectoryError::Changing(_))));
        assert!(place.read("link.forgepkg", &looks, 10).is_err(), "no link is followed");
    }

    #[test]
    fn more_files_than_are_looked_at_are_no_listing() {
        let dir = own();
        for i in 0..=MAX_FILES {
            std::fs::File::create(dir.path().join(format!("{i}.forgepkg"))).unwrap();
        }
        let place = Place::open(dir.path()).unwrap();
        let refused = place.list().map(|listing| listing.files.len()).unwrap_err();
        assert_eq!(refused.code(), &codes::E0108);
        std::fs::remove_file(dir.path().join("0.forgepkg")).unwrap();
        assert_eq!(place.list().unwrap().files.len(), MAX_FILES);
    }

    #[test]
    fn a_directory_others_write_to_or_a_link_to_one_is_refused() {
        let dir = own();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(Place::open(&link).is_err());
        let place = Place::open(dir.path()).unwrap();
        assert!(place.below("link").is_err());
        assert!(place.below("sub").is_ok() && place.below("sub").is_ok());
        for bad in [0o720, 0o702, 0o777] {
            std::fs::set_permissions(dir.path(), Permissions::from_mode(bad)).unwrap();
            assert_eq!(Place::open(dir.path()).unwrap_err().code(), &codes::E0108, "{bad:o}");
        }
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Place::open(dir.path()).unwrap().id(), place.id());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
            assert_eq!(Place::open(dir.path()).unwrap_err().code(), &codes::E0108);
        }
    }
}
