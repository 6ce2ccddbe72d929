//! Tar bytes to entries. Whatever two tar readers could understand differently is refused.
//!
//! The formats read are POSIX ustar and GNU with names that fit their header. Extended headers are accepted
//! when all they carry is times and owners, which are ignored.

use super::error::{ArchiveFault, EntryFault, LoadError};
use super::forgepkg::PackageLimits;
use super::names;
use std::collections::BTreeMap;

const BLOCK: usize = 512;
/// Largest extended header: times and owners need far less.
const MAX_EXTENSION: usize = 4096;

/// What the header says an entry is.
enum Kind {
    File,
    Directory,
    Extension,
}

struct Header {
    name: String,
    size: usize,
    kind: Kind,
}

/// Reads every regular file of the archive, by plain name. Directories are checked and dropped.
pub(super) fn read<'a>(
    tar: &'a [u8],
    limits: &PackageLimits,
) -> Result<BTreeMap<String, &'a [u8]>, LoadError> {
    let mut seen = Seen::default();
    let mut rest = Cursor { tar, at: 0 };
    let mut extended = false;
    for count in 0_u64.. {
        if count > limits.entries {
            return Err(LoadError::too_large("the number of entries", limits.entries, "entries"));
        }
        let at = rest.at;
        let block = rest.block()?;
        if block.iter().all(|b| *b == 0) {
            if extended {
                return Err(LoadError::archive(at, ArchiveFault::Dangling));
            }
            rest.end()?;
            break;
        }
        let header = header(block, at)?;
        let data = rest.data(header.size)?;
        match header.kind {
            Kind::Extension if extended => return Err(LoadError::archive(at, ArchiveFault::Dangling)),
            Kind::Extension => extension(data, at, &header.name)?,
            Kind::File => seen.file(&header.name, data)?,
            Kind::Directory if !data.is_empty() => {
                return Err(LoadError::entry(&header.name, EntryFault::Directory));
            }
            Kind::Directory => seen.directory(&header.name)?,
        }
        extended = matches!(header.kind, Kind::Extension);
    }
    seen.finish()
}

/// The archive and how far it has been read.
struct Cursor<'a> {
    tar: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.tar.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }
    fn block(&mut self) -> Result<&'a [u8; BLOCK], LoadError> {
        let at = self.at;
        let block = self.take(BLOCK).and_then(|b| b.first_chunk());
        block.ok_or(LoadError::archive(at, ArchiveFault::Truncated))
    }
    fn data(&mut self, size: usize) -> Result<&'a [u8], LoadError> {
        let at = self.at;
        let data = self.take(size).ok_or(LoadError::archive(at, ArchiveFault::Size))?;
        let padding = size.next_multiple_of(BLOCK) - size;
        let padding = self.take(padding).ok_or(LoadError::archive(at, ArchiveFault::Truncated))?;
        if padding.iter().any(|b| *b != 0) {
            return Err(LoadError::archive(at, ArchiveFault::Padding));
        }
        Ok(data)
    }
    /// After the first closing block: a second, then nothing but zeros to the end of the record.
    fn end(&mut self) -> Result<(), LoadError> {
        let second = self.block()?;
        let rest = self.tar.get(self.at..).unwrap_or_default();
        match second.iter().chain(rest).position(|b| *b != 0) {
            Some(_) => Err(LoadError::archive(self.at, ArchiveFault::Trailing)),
            None => Ok(()),
        }
    }
}

/// The bytes `range` of a header. The ranges are constants within a block.
fn field(block: &[u8; BLOCK], range: std::ops::Range<usize>) -> &[u8] {
    block.get(range).unwrap_or_default()
}

fn header(block: &[u8; BLOCK], at: usize) -> Result<Header, LoadError> {
    let fail = |fault| LoadError::archive(at, fault);
    checksum(block).map_err(fail)?;
    let gnu = match field(block, 257..265) {
        b"ustar\x0000" => false,
        b"ustar  \0" => true,
        _ => return Err(fail(ArchiveFault::Magic)),
    };
    let prefix = field(block, 345..500);
    // GNU keeps times and sparse maps where ustar keeps the front of the name.
    if gnu && prefix.iter().any(|b| *b != 0) {
        return Err(fail(ArchiveFault::Field));
    }
    let name = joined(text(prefix).map_err(fail)?, text(field(block, 0..100)).map_err(fail)?);
    let name = String::from_utf8_lossy(&name).into_owned();
    let size = octal(field(block, 124..136)).map_err(fail)?;
    let kind = kind(block.get(156).copied().unwrap_or(b'?'), &name)?;
    if !text(field(block, 157..257)).map_err(fail)?.is_empty() {
        return Err(LoadError::entry(&name, EntryFault::Link));
    }
    Ok(Header { name, size, kind })
}

fn joined(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn kind(flag: u8, name: &str) -> Result<Kind, LoadError> {
    let fault = match flag {
        b'0' | 0 => return Ok(Kind::File),
        b'5' => return Ok(Kind::Directory),
        b'x' => return Ok(Kind::Extension),
        b'1' | b'2' => EntryFault::Link,
        b'3' | b'4' | b'6' => EntryFault::Special,
        b'L' | b'K' => EntryFault::LongName,
        b'S' => EntryFault::Sparse,
        b'g' => EntryFault::Global,
        _ => EntryFault::Kind,
    };
    Err(LoadError::entry(name, fault))
}

/// The sum of all bytes of the header, its own field counted as spaces.
fn checksum(block: &[u8; BLOCK]) -> Result<(), ArchiveFault> {
    let own = 148..156;
    let sum = |(i, b): (usize, &u8)| if own.contains(&i) { u32::from(b' ') } else { u32::from(*b) };
    let actual: u32 = block.iter().enumerate().map(sum).sum();
    let stated = octal(field(block, own.clone()))?;
    if usize::try_from(actual) == Ok(stated) { Ok(()) } else { Err(ArchiveFault::Checksum) }
}

/// Text up to the first NUL; after it only NULs.
fn text(field: &[u8]) -> Result<&[u8], ArchiveFault> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let (text, rest) = field.split_at_checked(end).unwrap_or((field, &[]));
    if rest.iter().any(|b| *b != 0) { Err(ArchiveFault::Field) } else { Ok(text) }
}

/// Octal digits, then only NULs and spaces. Base-256 and negative numbers are refused.
fn octal(field: &[u8]) -> Result<usize, ArchiveFault> {
    let digits = field.iter().take_while(|b| (b'0'..=b'7').contains(b)).count();
    let (digits, rest) = field.split_at_checked(digits).unwrap_or((&[], field));
    if digits.is_empty() || rest.iter().any(|b| !matches!(b, 0 | b' ')) {
        return Err(ArchiveFault::Number);
    }
    let value = digits.iter().try_fold(0_usize, |n, d| n.checked_mul(8)?.checked_add(usize::from(d - b'0')));
    value.ok_or(ArchiveFault::Number)
}

/// Keys of an extended header that say nothing about what is read.
fn harmless(key: &str) -> bool {
    const KEYS: &[&str] = &["mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"];
    KEYS.contains(&key)
        || matches!(key, "LIBARCHIVE.creationtime" | "SCHILY.dev" | "SCHILY.ino" | "SCHILY.nlink")
}

/// Checks the `length key=value\n` records of an extended header.
fn extension(data: &[u8], at: usize, name: &str) -> Result<(), LoadError> {
    if data.len() > MAX_EXTENSION {
        return Err(LoadError::entry(name, EntryFault::Override));
    }
    let mut rest = data;
    while !rest.is_empty() {
        let (key, after) = record(rest).ok_or(LoadError::archive(at, ArchiveFault::Extension))?;
        if !harmless(key) {
            return Err(LoadError::entry(name, EntryFault::Override));
        }
        rest = after;
    }
    Ok(())
}

/// The key of the first record, and the records after it.
fn record(data: &[u8]) -> Option<(&str, &[u8])> {
    let space = data.iter().take(8).position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(data.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|b| *b == b'=')?;
    Some((std::str::from_utf8(body.get(..equals)?).ok()?, rest))
}

/// The names met so far, folded to lower case, so that no two are one on any file system.
#[derive(Default)]
struct Seen<'a> {
    files: BTreeMap<String, &'a [u8]>,
    folded: BTreeMap<String, String>,
    directories: BTreeMap<String, String>,
}

impl<'a> Seen<'a> {
    fn file(&mut self, name: &str, data: &'a [u8]) -> Result<(), LoadError> {
        let name = names::plain(name)?;
        for (at, _) in name.match_indices('/') {
            let parent = name.get(..at).unwrap_or_default();
            self.directories.insert(parent.to_ascii_lowercase(), parent.to_owned());
        }
        if let Some(first) = self.folded.insert(name.to_ascii_lowercase(), name.to_owned()) {
            return Err(LoadError::Duplicate { first, second: name.to_owned() });
        }
        self.files.insert(name.to_owned(), data);
        Ok(())
    }

    fn directory(&mut self, name: &str) -> Result<(), LoadError> {
        let Some(bare) = name.strip_suffix('/') else {
            return Err(LoadError::entry(name, EntryFault::Directory));
        };
        if bare == "." {
            return Ok(());
        }
        let bare = names::plain(bare)?;
        if !names::directory_allowed(bare) {
            return Err(LoadError::Unexpected { name: name.to_owned() });
        }
        self.directories.insert(bare.to_ascii_lowercase(), bare.to_owned());
        Ok(())
    }

    fn finish(self) -> Result<BTreeMap<String, &'a [u8]>, LoadError> {
        let clash = self.folded.iter().find_map(|(fold, name)| Some((name, self.directories.get(fold)?)));
        match clash {
            Some((file, directory)) => {
                Err(LoadError::Duplicate { first: file.clone(), second: format!("{directory}/") })
            }
            None => Ok(self.files),
        }
    }
}
