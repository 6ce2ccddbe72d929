//! Moves a file aside, with the reason beside it. What is there is bounded in number and bytes: the oldest go.

use super::place::Place;
use super::{ASIDE, DirectoryError, SUFFIX};
use crate::store::Stamp;
use crate::syscall::text::escaped;
use crate::syscall::utc;
use common::error::ForgeError;
use common::identity::Digest;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;

/// Files moved aside at most.
const KEPT_FILES: usize = 100;
/// Bytes of them at most; the one that was moved aside last stays in any case.
const KEPT_BYTES: u64 = 256 << 20;
/// What is added to a file's name for its reason.
const REASON: &str = ".reason.txt";
/// Bytes of one line of a reason.
const LINE_BYTES: usize = 4096;
/// Bytes of a name; file systems take 255, and a number and the reason's ending are added.
const NAME_BYTES: usize = 200;

/// A file that is moved aside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused<'a> {
    pub file: &'a str,
    pub stamp: Stamp,
    /// The digest of its bytes, unless they were not read.
    pub package: Option<Digest>,
    pub error: &'a ForgeError,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// Moves a file that still looks as it did to the directory of refused files. Its name there.
///
/// # Errors
/// [`DirectoryError::Changing`] when it does not, and it stays; otherwise what the system said.
pub(super) fn set_aside(place: &Place, refused: &Refused<'_>) -> Result<String, DirectoryError> {
    let aside = place.below(ASIDE)?;
    if place.stamp(refused.file)? != Some(refused.stamp) {
        return Err(DirectoryError::Changing(refused.file.to_owned()));
    }
    make_room(&aside, refused.stamp.bytes)?;
    let mut number = 1;
    loop {
        let name = numbered(refused.file, number);
        let reason = format!("{name}{REASON}");
        match write_new(&aside, &reason, &text(refused))
            .and_then(|()| rename(place, refused.file, &aside, &name))
        {
            Ok(()) => return Ok(name),
            Err(Errno::EXIST) if number <= 2 * KEPT_FILES => number += 1,
            Err(errno) => {
                // The error that matters is the first one.
                let _ = rustix::fs::unlinkat(&aside.fd, &reason, AtFlags::empty());
                return Err(DirectoryError::io("move aside", place.path().join(refused.file))(errno));
            }
        }
    }
}

/// `x.forgepkg`, `x.2.forgepkg`, …
fn numbered(file: &str, number: usize) -> String {
    let stem = file.strip_suffix(SUFFIX).unwrap_or(file);
    let stem = stem.get(..stem.floor_char_boundary(NAME_BYTES)).unwrap_or(stem);
    match number {
        1 => format!("{stem}{SUFFIX}"),
        _ => format!("{stem}.{number}{SUFFIX}"),
    }
}

fn write_new(aside: &Place, name: &str, text: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&aside.fd, name, flags, Mode::RUSR | Mode::WUSR)?;
    let errno = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
    let mut file = File::from(fd);
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(errno)
}

/// Moves without replacing. Where the file system has no such move, nobody but its owner writes there.
fn rename(from: &Place, file: &str, to: &Place, name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(&from.fd, file, &to.fd, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match rustix::fs::statat(&to.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EXIST),
                Err(Errno::NOENT) => rustix::fs::renameat(&from.fd, file, &to.fd, name),
                Err(errno) => Err(errno),
            }
        }
        done => done,
    }
}

/// The reason, as a person reads it. Names and messages may be anybody's: nothing in them ends a line.
fn text(refused: &Refused<'_>) -> String {
    let line = |text: &str| escaped(text.as_bytes(), LINE_BYTES);
    let Refused { file, stamp, package, error, at_ms } = refused;
    let mut text = format!(
        "This package was not taken from the plugin directory.\n\nerror[{}]: {}\n",
        error.code().id,
        line(&error.to_string())
    );
    for reason in error.reasons() {
        text.push_str(&format!("reason: {}\n", line(reason)));
    }
    let package = package.map_or_else(|| "not read".to_owned(), |digest| digest.to_string());
    text.push_str(&format!(
        "help: {}\n\nfile: {}\nbytes: {}\npackage: {package}\ntime: {}\n",
        line(error.help()),
        line(file),
        stamp.bytes,
        utc(*at_ms)
    ));
    text
}

/// Removes the oldest until one more of this size fits. A reason goes with its file, and one without a file by itself.
fn make_room(aside: &Place, bytes: u64) -> Result<(), DirectoryError> {
    let mut files: Vec<(i64, String, u64)> = Vec::new();
    let mut reasons = Vec::new();
    let failed = || DirectoryError::io("list", aside.path());
    for entry in rustix::fs::Dir::read_from(&aside.fd).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        match aside.stamp(name)? {
            Some(_) if name.ends_with(REASON) => reasons.push(name.to_owned()),
            Some(stamp) if name.ends_with(SUFFIX) => {
                files.push((stamp.changed_ns, name.to_owned(), stamp.bytes))
            }
            _ => {}
        }
    }
    let gone = |name: &str| match rustix::fs::unlinkat(&aside.fd, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(DirectoryError::io("remove", aside.path().join(name))(errno)),
    };
    reasons.retain(|reason| !files.iter().any(|(_, name, _)| reason.strip_suffix(REASON) == Some(name)));
    reasons.iter().try_for_each(|reason| gone(reason))?;
    files.sort();
    let mut total = files.iter().fold(bytes, |sum, file| sum.saturating_add(file.2));
    let mut left = files.len();
    for (_, name, size) in files {
        if left < KEPT_FILES && total <= KEPT_BYTES {
            break;
        }
        gone(&name)?;
        gone(&format!("{name}{REASON}"))?;
        (left, total) = (left.saturating_sub(1), total.saturating_sub(size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::codes;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn own() -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        let place = Place::open(dir.path()).unwrap();
        (dir, place)
    }

    fn refuse(place: &Place, file: &str, bytes: u64) -> String {
        let error = ForgeError::new(&codes::E1201, "it is\nnot signed").reason("check\u{202e} 4");
        std::fs::File::create(place.path().join(file)).unwrap().set_len(bytes).unwrap();
        let stamp = place.stamp(file).unwrap().unwrap();
        let package = Some(Digest::of(b""));
        set_aside(place, &Refused { file, stamp, package, error: &error, at_ms: 951_782_400_000 }).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir.join(ASIDE))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_taken_name_gets_a_number_and_the_reason_stands_beside() {
        let (dir, place) = own();
        assert_eq!(refuse(&place, "x.forgepkg", 3), "x.forgepkg");
        assert_eq!(refuse(&place, "x.forgepkg", 3), "x.2.forgepkg");
        let all = ["x.2.forgepkg", "x.2.forgepkg.reason.txt", "x.forgepkg", "x.forgepkg.reason.txt"];
        assert_eq!(names(dir.path()), all);
        let text = std::fs::read_to_string(dir.path().join(ASIDE).join("x.forgepkg.reason.txt")).unwrap();
        assert_eq!(
            text,
            "This package was not taken from the plugin directory.\n\nerror[E1201]: it is\\nnot signed\n\
             reason: check\\u{202e} 4\nhelp: sign it with `forgeone sign`\n\nfile: x.forgepkg\nbytes: 3\n\
             package: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
             time: 2000-02-29T00:00:00.000Z\n"
        );
        let long = format!("{}é.forgepkg", "l".repeat(244));
        assert!(refuse(&place, &long, 0).len() < 255);
    }

    #[test]
    fn the_oldest_go_first_by_number_and_by_bytes_and_the_last_one_stays() {
        let (dir, place) = own();
        for i in 0..KEPT_FILES + 5 {
            refuse(&place, &format!("{i}.forgepkg"), 1);
        }
        let left = names(dir.path());
        assert_eq!(left.len(), 2 * KEPT_FILES);
        assert!(left.contains(&format!("{}.forgepkg", KEPT_FILES + 4)));
        std::fs::write(dir.path().join(ASIDE).join("lonely.forgepkg.reason.txt"), "").unwrap();
        refuse(&place, "large.forgepkg", KEPT_BYTES);
        refuse(&place, "larger.forgepkg", KEPT_BYTES + 1);
        assert_eq!(names(dir.path()), ["larger.forgepkg", "larger.forgepkg.reason.txt"]);
    }

    #[test]
    fn a_file_that_changed_since_stays() {
        let (dir, place) = own();
        std::fs::write(dir.path().join("x.forgepkg"), "one").unwrap();
        let stamp = Stamp { bytes: 4, ..place.stamp("x.forgepkg").unwrap().unwrap() };
        let error = ForgeError::new(&codes::E1201, "no");
        let refused = Refused { file: "x.forgepkg", stamp, package: None, error: &error, at_ms: 0 };
        assert!(matches!(set_aside(&place, &refused), Err(DirectoryError::Changing(_))));
        assert!(dir.path().join("x.forgepkg").exists());
    }
}
