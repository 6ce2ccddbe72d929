//! One call of a function: its arguments, the guest's memory, the state kept between calls, and the way to the bridge.

use super::descriptors::{self, Descriptors, Kind, Open};
use super::errno::Errno;
use super::layout::{self, Stat};
use super::path::{self, Resolved};
use crate::abi::memory::{Span, read};
use crate::syscall::{Status, Surroundings, SyscallPort};
use common::cancel::CancelToken;
use common::identity::Digest;
use forgeone_abi::layout::{FileKind, FileStat};
use forgeone_abi::names::syscall;
use forgeone_abi::wire;

/// Most bytes one read or write moves; a guest asks again for the rest.
pub(super) const CHUNK: u32 = 1 << 20;
/// Most buffers one read or write names.
const VECTORS: u32 = 1024;

/// A guest ended itself with `proc_exit`; what it said is with the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest ended itself")]
pub struct Exited;

/// What one instance has of preview 1 between its calls.
#[derive(Debug)]
pub struct State {
    pub(super) descriptors: Descriptors,
    pub(super) variables: Vec<String>,
    /// `name=value` and NUL of each variable it may read, once it asked for them.
    pub(super) environment: Option<Vec<u8>>,
    /// The directory read last, and what it held when reading began.
    pub(super) listing: Option<(u32, Vec<u8>)>,
    /// The code of `proc_exit`.
    pub(super) exit: Option<u32>,
    args: Vec<u8>,
    answer: Vec<u8>,
}

impl State {
    /// A new instance's: standard descriptors and mounts, and room for so many more.
    pub(in crate::abi) fn new(surroundings: Surroundings, descriptors: u32) -> Self {
        Self {
            descriptors: Descriptors::new(&surroundings, descriptors),
            variables: surroundings.variables,
            environment: None,
            listing: None,
            exit: None,
            args: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// Writes lines that were begun and not ended.
    pub(in crate::abi) fn flush(&mut self, port: &mut dyn SyscallPort) {
        for (level, begun) in self.descriptors.begun() {
            port.log(level, begun);
            begun.clear();
        }
    }
}

/// One call.
pub(super) struct Guest<'a> {
    pub(super) port: &'a mut dyn SyscallPort,
    pub(super) state: &'a mut State,
    pub(super) memory: &'a mut [u8],
    pub(super) words: &'a [u64],
    /// Whether the instance is to end.
    pub(super) over: &'a CancelToken,
}

impl Guest<'_> {
    /// The argument at this place as an i64 or u64.
    pub(super) fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// The argument at this place as an unsigned i32.
    pub(super) fn half(&self, at: usize) -> u32 {
        u32::try_from(self.word(at) & 0xffff_ffff).unwrap_or(u32::MAX)
    }

    /// The argument at this place as a number of 16 bits.
    pub(super) fn flags(&self, at: usize, known: u16) -> Result<u16, Errno> {
        let flags = u16::try_from(self.half(at)).map_err(|_| Errno::Invalid)?;
        if flags & !known == 0 { Ok(flags) } else { Err(Errno::Invalid) }
    }

    /// Checks that so many bytes can be written there, before anything is done.
    pub(super) fn writable(&self, ptr: u32, len: usize) -> Result<(), Errno> {
        let len = u32::try_from(len).map_err(|_| Errno::Fault)?;
        Span::new(ptr, len)?.of(self.memory)?;
        Ok(())
    }

    /// Writes bytes into memory.
    pub(super) fn put(&mut self, ptr: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        Span::new(ptr, len)?.of_mut(self.memory)?.copy_from_slice(bytes);
        Ok(())
    }

    /// The bytes at a pointer.
    pub(super) fn bytes(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        Ok(read(self.memory, ptr, len)?)
    }

    /// The buffers a list of pointers and lengths names, cut at [`CHUNK`] bytes together. All lie in memory.
    pub(super) fn vectors(&self, list: u32, count: u32) -> Result<Vec<(u32, u32)>, Errno> {
        if count > VECTORS {
            return Err(Errno::Invalid);
        }
        let mut left = CHUNK;
        let mut vectors = Vec::new();
        for pair in self.bytes(list, count.saturating_mul(8))?.as_chunks::<8>().0 {
            let (ptr, len) = pair.split_at(4);
            let number = |half: &[u8]| half.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let (ptr, len) = (number(ptr), number(len));
            self.bytes(ptr, len)?;
            let taken = len.min(left);
            left -= taken;
            if taken > 0 {
                vectors.push((ptr, taken));
            }
        }
        Ok(vectors)
    }

    /// Bytes of these buffers together; at most [`CHUNK`].
    pub(super) fn total(vectors: &[(u32, u32)]) -> u32 {
        vectors.iter().map(|(_, len)| len).sum()
    }

    /// What the buffers hold, one after the other.
    pub(super) fn gather(&self, vectors: &[(u32, u32)]) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::with_capacity(usize::try_from(Self::total(vectors)).unwrap_or(0));
        for (ptr, len) in vectors {
            bytes.extend_from_slice(self.bytes(*ptr, *len)?);
        }
        Ok(bytes)
    }

    /// Spreads the last answer over the buffers; bytes spread.
    pub(super) fn scatter(&mut self, vectors: &[(u32, u32)]) -> Result<u32, Errno> {
        let mut rest = self.state.answer.as_slice();
        let mut done = 0;
        for (ptr, len) in vectors {
            let buffer = Span::new(*ptr, *len)?.of_mut(self.memory)?;
            let (head, tail) = rest.split_at_checked(buffer.len()).unwrap_or((rest, &[]));
            buffer.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
            done += u32::try_from(head.len()).unwrap_or(0);
            rest = tail;
        }
        Ok(done)
    }

    /// One host call; its answer is [`Guest::answer`].
    pub(super) fn ask(&mut self, name: &str, items: &[&[u8]]) -> Result<(), Status> {
        let State { args, answer, .. } = self.state;
        args.clear();
        for item in items {
            wire::append(args, item).map_err(|_| Status::Limit)?;
        }
        self.port.syscall(name.as_bytes(), args, answer)
    }

    /// What the last host call answered.
    pub(super) fn answer(&self) -> &[u8] {
        &self.state.answer
    }

    /// A variable, as [`Guest::answer`].
    pub(super) fn variable(&mut self, name: &str) -> Result<(), Status> {
        self.port.env_get(name.as_bytes(), &mut self.state.answer)
    }

    /// What the bridge tells of a path.
    pub(super) fn stat(&mut self, path: &str) -> Result<Stat, Status> {
        self.ask(syscall::FILE_STAT, &[path.as_bytes()])?;
        let found = FileStat::decode(self.answer()).map_err(|_| Status::Internal)?;
        let filetype = match found.kind {
            FileKind::File => layout::REGULAR_FILE,
            FileKind::Directory => layout::DIRECTORY,
        };
        Ok(Stat { inode: inode(path), filetype, size: found.size, mtime: found.mtime })
    }

    /// The descriptor an argument names.
    pub(super) fn fd(&self, at: usize) -> Result<&Open, Errno> {
        self.state.descriptors.get(self.half(at))
    }

    /// The path of the arguments from `at` on: a directory that has these rights, a pointer and a length further on.
    pub(super) fn path(&self, fd: usize, wanted: u64, text: usize) -> Result<Resolved, Errno> {
        let open = self.fd(fd)?;
        let base = open.directory()?;
        open.may(wanted)?;
        path::resolve(base, self.bytes(self.half(text), self.half(text + 1))?)
    }

    /// Writes to the log what was written to a descriptor of lines.
    pub(super) fn log(&mut self, fd: u32, bytes: &[u8]) -> Result<(), Errno> {
        let Kind::Lines { level, begun } = &mut self.state.descriptors.get_mut(fd)?.kind else {
            return Err(Errno::BadDescriptor);
        };
        descriptors::lines(begun, bytes, |line| self.port.log(*level, line));
        Ok(())
    }
}

/// A number for a path: two paths have different ones, but for chance. A file that is renamed gets another.
pub(super) fn inode(path: &str) -> u64 {
    let digest = Digest::of(path.as_bytes());
    digest.as_bytes().first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes))
}
