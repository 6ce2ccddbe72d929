//! The descriptors of one instance: names, positions and rights. No file of the host stays open behind one.

use super::errno::Errno;
use super::layout::{self, flags, rights};
use crate::syscall::{LogLevel, Surroundings};
use std::collections::BTreeMap;

/// Bytes of a line kept until its end is written: as much as a log line holds.
const LINE_BYTES: usize = 4096;

/// What a descriptor stands for.
#[derive(Debug)]
pub(super) enum Kind {
    /// Standard input: at its end from the start.
    Input,
    /// Standard output or error: lines of the plugin's log.
    Lines {
        level: LogLevel,
        /// What was written since the last end of a line.
        begun: Vec<u8>,
    },
    /// A file and the position in it.
    File { path: String, position: u64 },
    /// A directory; a preopened one is told by its path.
    Directory { path: String, preopened: bool },
}

/// One open descriptor.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: Kind,
    pub(super) rights: u64,
    /// What descriptors opened beneath it may have.
    pub(super) inheriting: u64,
    /// `fdflags`.
    pub(super) flags: u16,
}

impl Open {
    /// Whether it has these rights.
    pub(super) const fn may(&self, wanted: u64) -> Result<(), Errno> {
        if self.rights & wanted == wanted { Ok(()) } else { Err(Errno::NotCapable) }
    }
    /// The file's path.
    pub(super) fn file(&self) -> Result<&str, Errno> {
        match &self.kind {
            Kind::File { path, .. } => Ok(path),
            Kind::Directory { .. } => Err(Errno::IsDirectory),
            Kind::Input | Kind::Lines { .. } => Err(Errno::BadDescriptor),
        }
    }
    /// The directory's path.
    pub(super) fn directory(&self) -> Result<&str, Errno> {
        match &self.kind {
            Kind::Directory { path, .. } => Ok(path),
            _ => Err(Errno::NotDirectory),
        }
    }
    /// Where the next read or write of a file begins.
    pub(super) fn position(&mut self) -> Result<&mut u64, Errno> {
        match &mut self.kind {
            Kind::File { position, .. } => Ok(position),
            Kind::Directory { .. } => Err(Errno::IsDirectory),
            Kind::Input | Kind::Lines { .. } => Err(Errno::NoSeek),
        }
    }
    /// Whether every write goes to the end.
    pub(super) const fn appends(&self) -> bool {
        self.flags & flags::APPEND != 0
    }
    /// Its `filetype`.
    pub(super) const fn filetype(&self) -> u8 {
        match self.kind {
            Kind::Input | Kind::Lines { .. } => layout::CHARACTER_DEVICE,
            Kind::File { .. } => layout::REGULAR_FILE,
            Kind::Directory { .. } => layout::DIRECTORY,
        }
    }
}

/// What was written to standard output or error, as lines of at most [`LINE_BYTES`]; a longer one becomes several.
pub(super) fn lines(begun: &mut Vec<u8>, bytes: &[u8], mut line: impl FnMut(&[u8])) {
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = piece.strip_suffix(b"\n");
        for part in text.unwrap_or(piece).chunks(LINE_BYTES) {
            let room = LINE_BYTES.saturating_sub(begun.len());
            let (fits, rest) = part.split_at_checked(room).unwrap_or((part, &[]));
            begun.extend_from_slice(fits);
            if !rest.is_empty() {
                line(begun);
                begun.clear();
                begun.extend_from_slice(rest);
            }
        }
        if text.is_some() {
            line(begun);
            begun.clear();
        }
    }
}

/// Every open descriptor, by number.
#[derive(Debug)]
pub(super) struct Descriptors {
    open: BTreeMap<u32, Open>,
    most: usize,
}

impl Descriptors {
    /// Standard input, output and error, and after them the mounts in order. `most` counts what is opened beyond.
    pub(super) fn new(surroundings: &Surroundings, most: u32) -> Self {
        let lines = |level| Open {
            kind: Kind::Lines { level, begun: Vec::new() },
            rights: rights::FD_WRITE | rights::POLL,
            inheriting: 0,
            flags: flags::APPEND,
        };
        let input =
            Open { kind: Kind::Input, rights: rights::FD_READ | rights::POLL, inheriting: 0, flags: 0 };
        let mounts = surroundings.mounts.iter().map(|path| Open {
            kind: Kind::Directory { path: path.clone(), preopened: true },
            rights: rights::DIRECTORY,
            inheriting: rights::ALL,
            flags: 0,
        });
        let first = [input, lines(LogLevel::Info), lines(LogLevel::Warn)];
        let open: BTreeMap<u32, Open> = (0..).zip(first.into_iter().chain(mounts)).collect();
        let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(open.len());
        Self { open, most }
    }

    /// The descriptor of this number.
    pub(super) fn get(&self, fd: u32) -> Result<&Open, Errno> {
        self.open.get(&fd).ok_or(Errno::BadDescriptor)
    }

    /// The descriptor of this number, to be changed.
    pub(super) fn get_mut(&mut self, fd: u32) -> Result<&mut Open, Errno> {
        self.open.get_mut(&fd).ok_or(Errno::BadDescriptor)
    }

    /// Whether there may be one more.
    pub(super) fn room(&self) -> Result<(), Errno> {
        if self.open.len() < self.most { Ok(()) } else { Err(Errno::TooManyOpen) }
    }

    /// Opens one more under the lowest number that is free.
    pub(super) fn add(&mut self, open: Open) -> Result<u32, Errno> {
        self.room()?;
        let free =
            (0..).zip(self.open.keys()).find(|(number, taken)| number != *taken).map(|(number, _)| number);
        let fd = match free {
            Some(fd) => fd,
            None => u32::try_from(self.open.len()).map_err(|_| Errno::TooManyOpen)?,
        };
        self.open.insert(fd, open);
        Ok(fd)
    }

    /// Closes one.
    pub(super) fn close(&mut self, fd: u32) -> Result<Open, Errno> {
        self.open.remove(&fd).ok_or(Errno::BadDescriptor)
    }

    /// Puts one in the place of another, which is closed; both have to be open.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Open>, Errno> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.close(from)?;
        Ok(self.open.insert(to, moved))
    }

    /// Lines begun and not ended, with their level.
    pub(super) fn begun(&mut self) -> impl Iterator<Item = (LogLevel, &mut Vec<u8>)> {
        self.open.values_mut().filter_map(|open| match &mut open.kind {
            Kind::Lines { level, begun } if !begun.is_empty() => Some((*level, begun)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Open {
        let kind = Kind::File { path: "/data/a".to_owned(), position: 0 };
        Open { kind, rights: rights::ALL, inheriting: 0, flags: 0 }
    }

    fn three(most: u32) -> Descriptors {
        Descriptors::new(&Surroundings { variables: Vec::new(), mounts: vec!["/data".to_owned()] }, most)
    }

    #[test]
    fn the_lowest_free_number_is_given_up_to_the_limit() {
        let mut all = three(3);
        assert_eq!([all.add(file()), all.add(file()), all.add(file())], [Ok(4), Ok(5), Ok(6)]);
        assert_eq!(all.add(file()), Err(Errno::TooManyOpen));
        all.close(5).unwrap();
        assert_eq!(all.add(file()), Ok(5));
        assert_eq!(all.close(9).unwrap_err(), Errno::BadDescriptor);
    }

    #[test]
    fn renumbering_closes_what_was_there() {
        let mut all = three(2);
        let fd = all.add(file()).unwrap();
        assert!(all.renumber(fd, 0).unwrap().is_some_and(|open| matches!(open.kind, Kind::Input)));
        assert!(all.get(fd).is_err() && all.get(0).unwrap().file().is_ok());
        assert!(all.renumber(0, 0).unwrap().is_none());
        assert!(all.renumber(0, 9).is_err() && all.renumber(9, 0).is_err());
    }

    #[test]
    fn lines_end_at_their_end_or_at_their_bound() {
        let (mut begun, mut seen) = (Vec::new(), Vec::new());
        let mut take = |line: &[u8]| seen.push(line.len());
        lines(&mut begun, b"ab", &mut take);
        lines(&mut begun, b"c\n\nlast", &mut take);
        lines(&mut begun, &[b'x'; 2 * LINE_BYTES], &mut take);
        assert_eq!(seen, [3, 0, LINE_BYTES, LINE_BYTES]);
        assert_eq!(begun.len(), 4);
    }
}
