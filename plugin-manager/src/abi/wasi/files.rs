//! Functions on a path beneath a directory: opening, making, removing, renaming, what is known of it.

use super::descriptors::{Kind, Open};
use super::errno::Errno;
use super::fd::of_file;
use super::guest::Guest;
use super::layout::{self, filestat, flags, oflags, rights};
use crate::syscall::Status;
use forgeone_abi::names::syscall;

/// What `path_open` is asked for.
struct Wish {
    path: String,
    /// `oflags`.
    how: u16,
    directory: bool,
    rights: u64,
    inheriting: u64,
    flags: u16,
}

impl Wish {
    fn writes(&self) -> bool {
        self.how & (oflags::CREATE | oflags::TRUNCATE) != 0 || self.rights & rights::WRITES != 0
    }
    fn open(self, kind: Kind) -> Open {
        let fits = match kind {
            Kind::Directory { .. } => rights::DIRECTORY,
            _ => rights::FILE,
        };
        Open { kind, rights: self.rights & fits, inheriting: self.inheriting, flags: self.flags }
    }
}

/// `path_open(fd, dirflags, path, len, oflags, rights, inheriting, fdflags, opened)`.
pub(super) fn open(g: &mut Guest<'_>) -> Result<(), Errno> {
    let out = g.half(8);
    g.writable(out, 4)?;
    g.state.descriptors.room()?;
    let wish = wish(g)?;
    let opened = if wish.directory { open_directory(g, wish)? } else { open_any(g, wish)? };
    let fd = g.state.descriptors.add(opened)?;
    g.put(out, &fd.to_le_bytes())
}

fn wish(g: &Guest<'_>) -> Result<Wish, Errno> {
    let resolved = g.path(0, rights::OPEN, 2)?;
    let how = g.flags(4, oflags::KNOWN)?;
    let directory = how & oflags::DIRECTORY != 0 || resolved.directory;
    let wish = Wish {
        path: resolved.path,
        how,
        directory,
        // What a directory passes on bounds what is opened beneath it, asked for or not.
        rights: g.word(5) & g.fd(0)?.inheriting,
        inheriting: g.word(6) & g.fd(0)?.inheriting,
        flags: g.flags(7, flags::KNOWN)?,
    };
    if how & oflags::CREATE != 0 {
        g.fd(0)?.may(rights::CREATE_FILE)?;
    }
    if how & oflags::TRUNCATE != 0 {
        g.fd(0)?.may(rights::PATH_SIZE)?;
    }
    if wish.flags & flags::SYNCS != 0 {
        return Err(Errno::NotSupported);
    }
    Ok(wish)
}

/// A directory is opened to be read, or to name what is in it: whoever may list it may do that.
fn open_directory(g: &mut Guest<'_>, wish: Wish) -> Result<Open, Errno> {
    if wish.how & oflags::CREATE != 0 {
        return Err(if wish.how & oflags::DIRECTORY != 0 { Errno::Invalid } else { Errno::IsDirectory });
    }
    g.ask(syscall::FILE_LIST, &[wish.path.as_bytes()]).map_err(of_directory)?;
    let kind = Kind::Directory { path: wish.path.clone(), preopened: false };
    Ok(wish.open(kind))
}

/// What is to be read is looked at, what is to be written is opened for it: each a decision of its own.
fn open_any(g: &mut Guest<'_>, wish: Wish) -> Result<Open, Errno> {
    let reads = wish.rights & rights::FD_READ != 0;
    let mut filetype = layout::REGULAR_FILE;
    if reads || !wish.writes() {
        match g.stat(&wish.path) {
            Ok(found) => filetype = found.filetype,
            Err(Status::NotFound) if wish.how & oflags::CREATE != 0 => {}
            Err(status) => return Err(status.into()),
        }
    }
    // Programs that name no rights of their own ask for all of them: a directory is then opened all the same.
    let directory = filetype == layout::DIRECTORY;
    if directory && wish.how & (oflags::CREATE | oflags::TRUNCATE) != 0 {
        return Err(if wish.how & oflags::EXCLUSIVE != 0 { Errno::Exists } else { Errno::IsDirectory });
    }
    if wish.writes() && !directory {
        let how = u64::from(wish.how & oflags::CREATE)
            | (u64::from(wish.how & oflags::EXCLUSIVE) / 2)
            | (u64::from(wish.how & oflags::TRUNCATE) / 2);
        g.ask(syscall::FILE_OPEN, &[wish.path.as_bytes(), &how.to_le_bytes()]).map_err(of_file)?;
    }
    let path = wish.path.clone();
    let kind = match directory {
        true => Kind::Directory { path, preopened: false },
        false => Kind::File { path, position: 0 },
    };
    Ok(wish.open(kind))
}

fn of_directory(status: Status) -> Errno {
    match status {
        Status::Invalid => Errno::NotDirectory,
        other => other.into(),
    }
}

/// `path_create_directory(fd, path, len)`.
pub(super) fn create_directory(g: &mut Guest<'_>) -> Result<(), Errno> {
    let path = g.path(0, rights::CREATE_DIRECTORY, 1)?.path;
    Ok(g.ask(syscall::DIR_CREATE, &[path.as_bytes()])?)
}

/// `path_remove_directory(fd, path, len)`.
pub(super) fn remove_directory(g: &mut Guest<'_>) -> Result<(), Errno> {
    let path = g.path(0, rights::REMOVE_DIRECTORY, 1)?.path;
    g.ask(syscall::FILE_DELETE, &[path.as_bytes(), &1u64.to_le_bytes()]).map_err(|status| match status {
        Status::Conflict => Errno::NotEmpty,
        other => of_directory(other),
    })
}

/// `path_unlink_file(fd, path, len)`.
pub(super) fn unlink_file(g: &mut Guest<'_>) -> Result<(), Errno> {
    let resolved = g.path(0, rights::UNLINK, 1)?;
    if resolved.directory {
        return Err(Errno::NotDirectory);
    }
    g.ask(syscall::FILE_DELETE, &[resolved.path.as_bytes(), &0u64.to_le_bytes()]).map_err(of_file)
}

/// `path_filestat_get(fd, flags, path, len, stat)`.
pub(super) fn path_filestat_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let out = g.half(4);
    g.writable(out, layout::FILESTAT)?;
    let resolved = g.path(0, rights::PATH_STAT, 2)?;
    let stat = g.stat(&resolved.path)?;
    if resolved.directory && stat.filetype != layout::DIRECTORY {
        return Err(Errno::NotDirectory);
    }
    g.put(out, &filestat(stat))
}

/// `path_readlink(fd, path, len, buffer, size, used)`: nothing is a link.
pub(super) fn readlink(g: &mut Guest<'_>) -> Result<(), Errno> {
    let path = g.path(0, rights::READLINK, 1)?.path;
    g.stat(&path)?;
    Err(Errno::Invalid)
}

/// `path_rename(fd, old, len, new_fd, new, len)`: taking it away there and putting it here are decided apart.
pub(super) fn rename(g: &mut Guest<'_>) -> Result<(), Errno> {
    let from = g.path(0, rights::RENAME_SOURCE, 1)?;
    let to = g.path(3, rights::RENAME_TARGET, 4)?;
    g.ask(syscall::FILE_RENAME_FROM, &[from.path.as_bytes()])?;
    g.ask(syscall::FILE_RENAME_TO, &[to.path.as_bytes()]).map_err(|status| match status {
        Status::Conflict => Errno::NotEmpty,
        other => of_file(other),
    })
}
