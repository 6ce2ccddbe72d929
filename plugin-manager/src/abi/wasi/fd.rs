//! Functions on a descriptor: reading, writing, positions, what is known of it, entries of a directory.

use super::descriptors::{Kind, Open};
use super::errno::Errno;
use super::guest::{CHUNK, Guest, inode};
use super::layout::{self, Stat, dirent, filestat, flags, rights};
use crate::syscall::Status;
use forgeone_abi::names::syscall;
use forgeone_abi::wire::Args;

/// Largest position and size: what the file system of the host counts in.
const LARGEST: u64 = i64::MAX as u64;

fn close_lines(g: &mut Guest<'_>, closed: Open) {
    if let Kind::Lines { level, begun } = closed.kind
        && !begun.is_empty()
    {
        g.port.log(level, &begun);
    }
}

/// `fd_close(fd)`.
pub(super) fn close(g: &mut Guest<'_>) -> Result<(), Errno> {
    let fd = g.half(0);
    let closed = g.state.descriptors.close(fd)?;
    g.state.listing.take_if(|(of, _)| *of == fd);
    close_lines(g, closed);
    Ok(())
}

/// `fd_renumber(from, to)`.
pub(super) fn renumber(g: &mut Guest<'_>) -> Result<(), Errno> {
    let closed = g.state.descriptors.renumber(g.half(0), g.half(1))?;
    g.state.listing = None;
    if let Some(closed) = closed {
        close_lines(g, closed);
    }
    Ok(())
}

/// `fd_advise(fd, offset, len, advice)`: there is no cache to advise.
pub(super) fn advise(g: &mut Guest<'_>) -> Result<(), Errno> {
    let open = g.fd(0)?;
    open.file()?;
    open.may(rights::FD_ADVISE)?;
    let (offset, length) = (g.word(1), g.word(2));
    let known = g.half(3) <= 5 && offset.checked_add(length).is_some_and(|end| end <= LARGEST);
    if known { Ok(()) } else { Err(Errno::Invalid) }
}

/// `fd_sync(fd)` and `fd_datasync(fd)`.
pub(super) fn sync(g: &mut Guest<'_>) -> Result<(), Errno> {
    let open = g.fd(0)?;
    open.may(rights::FD_SYNC)?;
    // The entries of directories are on the disk with the journal of the host's file system.
    let Kind::File { path, .. } = &open.kind else { return Ok(()) };
    let path = path.clone();
    Ok(g.ask(syscall::FILE_SYNC, &[path.as_bytes()])?)
}

/// `fd_fdstat_get(fd, stat)`.
pub(super) fn fdstat_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let open = g.fd(0)?;
    let stat = layout::fdstat(open.filetype(), open.flags, open.rights, open.inheriting);
    g.put(g.half(1), &stat)
}

/// `fd_fdstat_set_flags(fd, flags)`.
pub(super) fn fdstat_set_flags(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, set) = (g.half(0), g.flags(1, flags::KNOWN)?);
    let open = g.state.descriptors.get_mut(fd)?;
    if set & flags::SYNCS != 0 {
        return Err(Errno::NotSupported);
    }
    open.flags = set & (flags::APPEND | flags::NONBLOCK);
    Ok(())
}

/// `fd_fdstat_set_rights(fd, rights, inheriting)`: fewer, never more.
pub(super) fn fdstat_set_rights(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, rights, inheriting) = (g.half(0), g.word(1), g.word(2));
    let open = g.state.descriptors.get_mut(fd)?;
    if rights & !open.rights != 0 || inheriting & !open.inheriting != 0 {
        return Err(Errno::NotCapable);
    }
    (open.rights, open.inheriting) = (rights, inheriting);
    Ok(())
}

/// `fd_filestat_get(fd, stat)`.
pub(super) fn filestat_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let out = g.half(1);
    g.writable(out, layout::FILESTAT)?;
    let open = g.fd(0)?;
    let filetype = open.filetype();
    let stat = match &open.kind {
        Kind::File { path, .. } | Kind::Directory { path, .. } => {
            open.may(rights::FD_STAT)?;
            let path = path.clone();
            g.stat(&path)?
        }
        Kind::Input | Kind::Lines { .. } => Stat { inode: 0, filetype, size: 0, mtime: 0 },
    };
    g.put(out, &filestat(stat))
}

/// `fd_filestat_set_size(fd, size)`.
pub(super) fn filestat_set_size(g: &mut Guest<'_>) -> Result<(), Errno> {
    let size = g.word(1);
    let open = g.fd(0)?;
    let path = open.file()?.to_owned();
    open.may(rights::FD_SIZE)?;
    if size > LARGEST {
        return Err(Errno::TooLarge);
    }
    Ok(g.ask(syscall::FILE_RESIZE, &[path.as_bytes(), &size.to_le_bytes()])?)
}

/// `fd_read(fd, vectors, count, read)`.
pub(super) fn read(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, out) = (g.half(0), g.half(3));
    let vectors = g.vectors(g.half(1), g.half(2))?;
    g.writable(out, 4)?;
    let done = if let Kind::Input = g.fd(0)?.kind {
        g.fd(0)?.may(rights::FD_READ)?;
        0
    } else {
        g.fd(0)?.file()?;
        let at = *g.state.descriptors.get_mut(fd)?.position()?;
        let done = read_at(g, &vectors, at)?;
        *g.state.descriptors.get_mut(fd)?.position()? = at.saturating_add(done.into());
        done
    };
    g.put(out, &done.to_le_bytes())
}

/// `fd_pread(fd, vectors, count, offset, read)`.
pub(super) fn pread(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, at, out) = (g.half(0), g.word(3), g.half(4));
    let vectors = g.vectors(g.half(1), g.half(2))?;
    g.writable(out, 4)?;
    g.state.descriptors.get_mut(fd)?.position()?;
    let done = read_at(g, &vectors, at)?;
    g.put(out, &done.to_le_bytes())
}

fn read_at(g: &mut Guest<'_>, vectors: &[(u32, u32)], at: u64) -> Result<u32, Errno> {
    let open = g.fd(0)?;
    let path = open.file()?.to_owned();
    open.may(rights::FD_READ)?;
    if at > LARGEST {
        return Err(Errno::Invalid);
    }
    let length = u64::from(Guest::total(vectors));
    g.ask(syscall::FILE_READ, &[path.as_bytes(), &at.to_le_bytes(), &length.to_le_bytes()])?;
    g.scatter(vectors)
}

/// `fd_write(fd, vectors, count, written)`.
pub(super) fn write(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, out) = (g.half(0), g.half(3));
    let vectors = g.vectors(g.half(1), g.half(2))?;
    g.writable(out, 4)?;
    let open = g.fd(0)?;
    if let Kind::Lines { .. } = open.kind {
        open.may(rights::FD_WRITE)?;
        let bytes = g.gather(&vectors)?;
        g.log(fd, &bytes)?;
        return g.put(out, &Guest::total(&vectors).to_le_bytes());
    }
    open.file()?;
    let appends = open.appends();
    let at = *g.state.descriptors.get_mut(fd)?.position()?;
    let (done, end) = if appends { append(g, &vectors)? } else { write_at(g, &vectors, at)? };
    *g.state.descriptors.get_mut(fd)?.position()? = end;
    g.put(out, &done.to_le_bytes())
}

/// `fd_pwrite(fd, vectors, count, offset, written)`.
pub(super) fn pwrite(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, at, out) = (g.half(0), g.word(3), g.half(4));
    let vectors = g.vectors(g.half(1), g.half(2))?;
    g.writable(out, 4)?;
    g.state.descriptors.get_mut(fd)?.position()?;
    let (done, _) = write_at(g, &vectors, at)?;
    g.put(out, &done.to_le_bytes())
}

/// Bytes written and the position after them.
fn write_at(g: &mut Guest<'_>, vectors: &[(u32, u32)], at: u64) -> Result<(u32, u64), Errno> {
    let open = g.fd(0)?;
    let path = open.file()?.to_owned();
    open.may(rights::FD_WRITE)?;
    let done = Guest::total(vectors);
    let end = at.checked_add(done.into()).filter(|end| *end <= LARGEST).ok_or(Errno::TooLarge)?;
    let bytes = g.gather(vectors)?;
    g.ask(syscall::FILE_WRITE_AT, &[path.as_bytes(), &at.to_le_bytes(), &bytes])?;
    Ok((done, end))
}

fn append(g: &mut Guest<'_>, vectors: &[(u32, u32)]) -> Result<(u32, u64), Errno> {
    let open = g.fd(0)?;
    let path = open.file()?.to_owned();
    open.may(rights::FD_WRITE)?;
    let bytes = g.gather(vectors)?;
    // The place after the last byte, which `file_write_at` takes for what it is.
    g.ask(syscall::FILE_WRITE_AT, &[path.as_bytes(), &u64::MAX.to_le_bytes(), &bytes])?;
    let end = g.answer().first_chunk().map_or(0, |end| u64::from_le_bytes(*end));
    Ok((Guest::total(vectors), end))
}

/// `fd_seek(fd, delta, whence, position)`.
pub(super) fn seek(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, delta, whence, out) = (g.half(0), g.word(1).cast_signed(), g.half(2), g.half(3));
    g.writable(out, 8)?;
    let open = g.state.descriptors.get_mut(fd)?;
    let now = *open.position()?;
    let telling = delta == 0 && whence == 1;
    open.may(if telling { rights::FD_TELL } else { rights::FD_SEEK })?;
    let from = match whence {
        0 => 0,
        1 => now,
        2 => {
            let path = open.file()?.to_owned();
            g.stat(&path)?.size
        }
        _ => return Err(Errno::Invalid),
    };
    let to = from.checked_add_signed(delta).filter(|to| *to <= LARGEST).ok_or(Errno::Invalid)?;
    *g.state.descriptors.get_mut(fd)?.position()? = to;
    g.put(out, &to.to_le_bytes())
}

/// `fd_tell(fd, position)`.
pub(super) fn tell(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, out) = (g.half(0), g.half(1));
    let open = g.state.descriptors.get_mut(fd)?;
    let now = *open.position()?;
    open.may(rights::FD_TELL)?;
    g.put(out, &now.to_le_bytes())
}

/// `fd_prestat_get(fd, prestat)`.
pub(super) fn prestat_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let length = u32::try_from(preopened(g)?.len()).map_err(|_| Errno::Overflow)?;
    let mut bytes = [0; 8];
    if let Some(half) = bytes.last_chunk_mut() {
        *half = length.to_le_bytes();
    }
    g.put(g.half(1), &bytes)
}

/// `fd_prestat_dir_name(fd, path, len)`.
pub(super) fn prestat_dir_name(g: &mut Guest<'_>) -> Result<(), Errno> {
    let name = preopened(g)?.to_owned();
    if usize::try_from(g.half(2)).is_ok_and(|room| room < name.len()) {
        return Err(Errno::NameTooLong);
    }
    g.put(g.half(1), name.as_bytes())
}

fn preopened<'g>(g: &'g Guest<'_>) -> Result<&'g str, Errno> {
    match &g.fd(0)?.kind {
        Kind::Directory { path, preopened: true } => Ok(path),
        Kind::Directory { preopened: false, .. } => Err(Errno::Invalid),
        _ => Err(Errno::BadDescriptor),
    }
}

/// `fd_readdir(fd, buffer, len, cookie, used)`: entries as they were when reading began with cookie 0. The last one
/// is cut where the buffer ends.
pub(super) fn readdir(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (fd, buffer, length, cookie, out) = (g.half(0), g.half(1), g.half(2), g.word(3), g.half(4));
    g.bytes(buffer, length)?;
    g.writable(out, 4)?;
    let open = g.fd(0)?;
    let path = open.directory()?.to_owned();
    open.may(rights::READDIR)?;
    if cookie == 0 || g.state.listing.as_ref().is_none_or(|(of, _)| *of != fd) {
        g.ask(syscall::FILE_LIST, &[path.as_bytes()])?;
        let names = g.answer().to_vec();
        g.state.listing = Some((fd, names));
    }
    let names = g.state.listing.as_ref().map_or(&[][..], |(_, names)| names);
    let room = usize::try_from(length.min(CHUNK)).unwrap_or(0);
    let entries = entries(names, &path, cookie, room)?;
    let used = u32::try_from(entries.len()).map_err(|_| Errno::Overflow)?;
    g.put(buffer, &entries)?;
    g.put(out, &used.to_le_bytes())
}

/// The entries from `cookie` on as they lie in memory, at most so many bytes.
fn entries(names: &[u8], path: &str, cookie: u64, room: usize) -> Result<Vec<u8>, Errno> {
    let list = Args::parse(names).map_err(|_| Errno::Io)?;
    let own = [b"./".as_slice(), b"../"];
    let all = own.into_iter().chain(list.iter()).zip(1u64..);
    let mut bytes = Vec::new();
    for (name, next) in all.skip(usize::try_from(cookie).unwrap_or(usize::MAX)) {
        if bytes.len() >= room {
            break;
        }
        let (name, filetype) = match name.strip_suffix(b"/") {
            Some(name) => (name, layout::DIRECTORY),
            None => (name, layout::REGULAR_FILE),
        };
        let inode = match name {
            b"." | b".." => inode(path),
            name => inode(&format!("{path}/{}", String::from_utf8_lossy(name))),
        };
        let length = u32::try_from(name.len()).map_err(|_| Errno::Overflow)?;
        bytes.extend_from_slice(&dirent(next, inode, length, filetype));
        bytes.extend_from_slice(name);
    }
    bytes.truncate(room);
    Ok(bytes)
}

/// `fd_allocate`, `fd_filestat_set_times` and what else is not offered.
pub(super) fn not_offered(_: &mut Guest<'_>) -> Result<(), Errno> {
    Err(Errno::NotSupported)
}

/// What a status of the bridge is, where a file is asked for.
pub(super) fn of_file(status: Status) -> Errno {
    match status {
        Status::Invalid => Errno::IsDirectory,
        other => other.into(),
    }
}
