//! The memory of a mapped journal file as atomic words. The one file of this crate with unsafe code.

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::atomic::AtomicU64;

/// A file mapped shared and writable, seen as 64-bit words.
///
/// What is stored here is the kernel's: it outlives the process. Should someone truncate the file while it is
/// mapped, the process is killed by SIGBUS at the next access; the directory is 0700 and locked against that.
#[derive(Debug)]
pub(super) struct MappedWords {
    map: MmapRaw,
    words: usize,
}

impl MappedWords {
    /// Maps `words` words from the start of `file`.
    pub(super) fn map(file: &File, words: usize) -> io::Result<Self> {
        let bytes = words.checked_mul(8).ok_or(io::ErrorKind::InvalidInput)?;
        if file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Self { map, words })
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        let start = self.map.as_mut_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping is page-aligned, readable and writable, holds `words * 8` bytes (it was mapped
        // with that length), and lives as long as `self`, from which the slice borrows. `AtomicU64` has the
        // layout of `u64`, every bit pattern is a value of it, and shared access to it is by atomic
        // operations only, so concurrent changes by other threads or processes are no data race.
        unsafe { std::slice::from_raw_parts(start, self.words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering;

    #[test]
    fn words_stored_are_in_the_file_and_words_in_the_file_are_seen() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        file.write_all_at(&77_u64.to_le_bytes(), 8).unwrap();
        let mapped = MappedWords::map(&file, 512).unwrap();
        assert_eq!(mapped.words().len(), 512);
        assert_eq!(u64::from_le(mapped.words()[1].load(Ordering::Relaxed)), 77);
        mapped.words()[511].store(5_u64.to_le(), Ordering::Relaxed);
        let mut back = [0; 8];
        file.read_exact_at(&mut back, 511 * 8).unwrap();
        assert_eq!(u64::from_le_bytes(back), 5);
    }

    #[test]
    fn a_file_too_short_for_its_words_is_not_mapped() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4095).unwrap();
        assert_eq!(MappedWords::map(&file, 512).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
