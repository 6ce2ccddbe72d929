//! Records and numbers of preview 1 as they lie in guest memory, little-endian.

/// `filetype` of standard input, output and error.
pub(super) const CHARACTER_DEVICE: u8 = 2;
/// `filetype` of a directory.
pub(super) const DIRECTORY: u8 = 3;
/// `filetype` of a file.
pub(super) const REGULAR_FILE: u8 = 4;

/// `rights` that mean something here.
pub(super) mod rights {
    pub const FD_DATASYNC: u64 = 1;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const CREATE_DIRECTORY: u64 = 1 << 9;
    pub const CREATE_FILE: u64 = 1 << 10;
    pub const OPEN: u64 = 1 << 13;
    pub const READDIR: u64 = 1 << 14;
    pub const READLINK: u64 = 1 << 15;
    pub const RENAME_SOURCE: u64 = 1 << 16;
    pub const RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_STAT: u64 = 1 << 18;
    pub const PATH_SIZE: u64 = 1 << 19;
    pub const FD_STAT: u64 = 1 << 21;
    pub const FD_SIZE: u64 = 1 << 22;
    pub const REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const UNLINK: u64 = 1 << 26;
    pub const POLL: u64 = 1 << 27;

    /// What a directory can be used for.
    pub const DIRECTORY: u64 = CREATE_DIRECTORY
        | CREATE_FILE
        | OPEN
        | READDIR
        | READLINK
        | RENAME_SOURCE
        | RENAME_TARGET
        | PATH_STAT
        | PATH_SIZE
        | FD_STAT
        | FD_SYNC
        | FD_DATASYNC
        | REMOVE_DIRECTORY
        | UNLINK
        | POLL;
    /// What a file can be used for.
    pub const FILE: u64 = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_STAT
        | FD_SIZE
        | POLL;
    /// Both.
    pub const ALL: u64 = DIRECTORY | FILE;
    /// Those that change a file.
    pub const WRITES: u64 = FD_WRITE | FD_ALLOCATE | FD_SIZE;
}

/// `fdflags`.
pub(super) mod flags {
    pub const APPEND: u16 = 1;
    pub const NONBLOCK: u16 = 4;
    /// `dsync`, `rsync` and `sync`, none of which is offered: a program can sync by itself.
    pub const SYNCS: u16 = 2 | 8 | 16;
    pub const KNOWN: u16 = 31;
}

/// `oflags`.
pub(super) mod oflags {
    pub const CREATE: u16 = 1;
    pub const DIRECTORY: u16 = 2;
    pub const EXCLUSIVE: u16 = 4;
    pub const TRUNCATE: u16 = 8;
    pub const KNOWN: u16 = 15;
}

/// Bytes of a `filestat`.
pub(super) const FILESTAT: usize = 64;
/// Bytes of an `fdstat`.
pub(super) const FDSTAT: usize = 24;
/// Bytes of a `dirent` before its name.
pub(super) const DIRENT: usize = 24;
/// Bytes of a `subscription`.
pub(super) const SUBSCRIPTION: u32 = 48;
/// Bytes of an `event`.
pub(super) const EVENT: u32 = 32;

/// Writes little-endian fields at their offsets; what lies between stays zero.
struct Fields<const N: usize>([u8; N]);

impl<const N: usize> Fields<N> {
    fn put(mut self, offset: usize, bytes: &[u8]) -> Self {
        let place = self.0.get_mut(offset..).unwrap_or_default();
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self
    }
}

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) inode: u64,
    pub(super) filetype: u8,
    pub(super) size: u64,
    /// Nanoseconds since 1970 of the last change.
    pub(super) mtime: u64,
}

/// A `filestat`: one device, one link, one time for all three.
pub(super) fn filestat(stat: Stat) -> [u8; FILESTAT] {
    let time = stat.mtime.to_le_bytes();
    Fields([0; FILESTAT])
        .put(0, &1u64.to_le_bytes())
        .put(8, &stat.inode.to_le_bytes())
        .put(16, &[stat.filetype])
        .put(24, &1u64.to_le_bytes())
        .put(32, &stat.size.to_le_bytes())
        .put(40, &time)
        .put(48, &time)
        .put(56, &time)
        .0
}

/// An `fdstat`.
pub(super) fn fdstat(filetype: u8, flags: u16, rights: u64, inheriting: u64) -> [u8; FDSTAT] {
    Fields([0; FDSTAT])
        .put(0, &[filetype])
        .put(2, &flags.to_le_bytes())
        .put(8, &rights.to_le_bytes())
        .put(16, &inheriting.to_le_bytes())
        .0
}

/// A `dirent` without its name.
pub(super) fn dirent(next: u64, inode: u64, name: u32, filetype: u8) -> [u8; DIRENT] {
    Fields([0; DIRENT])
        .put(0, &next.to_le_bytes())
        .put(8, &inode.to_le_bytes())
        .put(16, &name.to_le_bytes())
        .put(20, &[filetype])
        .0
}

/// An `event`.
pub(super) fn event(userdata: u64, error: u16, kind: u8, bytes: u64) -> [u8; EVENT as usize] {
    Fields([0; EVENT as usize])
        .put(0, &userdata.to_le_bytes())
        .put(8, &error.to_le_bytes())
        .put(10, &[kind])
        .put(16, &bytes.to_le_bytes())
        .0
}

/// What a `subscription` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A clock, a time in nanoseconds, and whether it is a time of that clock and not a span.
    Clock { id: u32, timeout: u64, absolute: bool },
    /// A descriptor that can be read or written; the tag tells which.
    Descriptor { fd: u32 },
}

/// A `subscription`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) userdata: u64,
    /// `eventtype`: 0 clock, 1 readable, 2 writable.
    pub(super) kind: u8,
    pub(super) wanted: Wanted,
}

impl Subscription {
    /// Reads one; `None` when it is too short or of no known kind.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let half = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let kind = *bytes.get(8)?;
        let wanted = match kind {
            0 => Wanted::Clock { id: half(16)?, timeout: word(24)?, absolute: half(40)? & 1 != 0 },
            1 | 2 => Wanted::Descriptor { fd: half(16)? },
            _ => return None,
        };
        Some(Self { userdata: word(0)?, kind, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_their_fields_where_the_standard_has_them() {
        let stat = filestat(Stat { inode: 7, filetype: 4, size: 9, mtime: 3 });
        assert_eq!((stat[0], stat[8], stat[16], stat[24], stat[32]), (1, 7, 4, 1, 9));
        assert_eq!((stat[40], stat[48], stat[56]), (3, 3, 3));
        let stat = fdstat(3, 4, 5, 6);
        assert_eq!((stat[0], stat[2], stat[8], stat[16]), (3, 4, 5, 6));
        let entry = dirent(1, 2, 3, 4);
        assert_eq!((entry[0], entry[8], entry[16], entry[20]), (1, 2, 3, 4));
        let event = event(1, 2, 3, 4);
        assert_eq!((event[0], event[8], event[10], event[16]), (1, 2, 3, 4));
    }

    #[test]
    fn subscriptions_are_read_or_refused() {
        let mut bytes = [0u8; 48];
        (bytes[0], bytes[16], bytes[24], bytes[40]) = (9, 1, 5, 1);
        let clock = Wanted::Clock { id: 1, timeout: 5, absolute: true };
        assert_eq!(Subscription::read(&bytes), Some(Subscription { userdata: 9, kind: 0, wanted: clock }));
        bytes[8] = 2;
        let fd = Wanted::Descriptor { fd: 1 };
        assert_eq!(Subscription::read(&bytes), Some(Subscription { userdata: 9, kind: 2, wanted: fd }));
        bytes[8] = 3;
        assert_eq!(Subscription::read(&bytes), None);
        assert_eq!(Subscription::read(&bytes[..20]), None);
    }
}
