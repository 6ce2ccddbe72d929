//! The journal's file: a header, then the slots. What a killed process left in it is read once.

use super::error::{AuditError, Finding, FindingKind};
use super::mapped::MappedWords;
use super::options::{AuditOptions, JournalKind};
use super::ring::{Ring, SLOT_WORDS, Storage};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// "FORGEJ01" in the first word.
const MAGIC: u64 = u64::from_le_bytes(*b"FORGEJ01");
const MAX_SLOTS: u64 = 1 << 16;
const MIN_SLOTS: u64 = 16;

/// The number of slots these options ask for, as a power of two within bounds.
fn slots_of(options: &AuditOptions) -> u64 {
    (options.journal_slots as u64).clamp(MIN_SLOTS, MAX_SLOTS).next_power_of_two()
}

/// The journal of a log.
#[derive(Debug)]
pub(super) struct Journal {
    pub ring: Ring,
    /// Kept to mark the header; `None` in memory.
    header: Option<MappedWords>,
}

impl Journal {
    /// The journal that was left in `dir`, and the numbers in it; `None` when there is none.
    pub(super) fn left_in(dir: &Path) -> Result<Option<(Self, Vec<u64>)>, AuditError> {
        let path = path_in(dir);
        if !path.exists() {
            return Ok(None);
        }
        let file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(AuditError::io("open", &path))?;
        let (journal, clean) = Self::map(&file, &path)?;
        let left = if clean { Vec::new() } else { journal.ring.survivors() };
        Ok(Some((journal, left)))
    }

    fn map(file: &File, path: &Path) -> Result<(Self, bool), AuditError> {
        let malformed =
            || Finding::of_file(FindingKind::Edited, "journal", "its header is not one of a journal");
        let header = MappedWords::map(file, SLOT_WORDS).map_err(AuditError::io("map", path))?;
        let word = |at: usize| header.words().get(at).map_or(0, |w| w.load(Ordering::Acquire));
        let (slots, clean) = (word(2), word(3) == 1);
        let sound = word(0) == MAGIC && word(1) == SLOT_WORDS as u64 && slots.is_power_of_two();
        if !sound || !(MIN_SLOTS..=MAX_SLOTS).contains(&slots) {
            return Err(malformed().into());
        }
        let words = (slots as usize + 1) * SLOT_WORDS;
        let storage = Storage::Mapped(MappedWords::map(file, words).map_err(AuditError::io("map", path))?);
        Ok((Self { ring: Ring::new(storage, slots, 0), header: Some(header) }, clean))
    }

    /// A journal as the options say, empty, whose next number is `first`. What `left` held must be durable.
    pub(super) fn begin(
        left: Option<Self>,
        dir: &Path,
        options: &AuditOptions,
        first: u64,
    ) -> Result<Self, AuditError> {
        let slots = slots_of(options);
        let mapped = options.journal == JournalKind::Mapped;
        let path = path_in(dir);
        let journal = match left {
            Some(left) if mapped && left.ring.slots() == slots => left,
            _ if mapped => Self::create(&path, slots)?,
            left => {
                if left.is_some() {
                    std::fs::remove_file(&path).map_err(AuditError::io("remove", &path))?;
                }
                Self { ring: Ring::new(Storage::memory(slots as usize), slots, first), header: None }
            }
        };
        journal.ring.restart(first);
        journal.mark(false);
        Ok(journal)
    }

    /// Makes the file whole under another name first, every block written: no later store can find the disk
    /// full, and no reader can find half a header.
    fn create(path: &Path, slots: u64) -> Result<Self, AuditError> {
        let temporary = path.with_extension("new");
        let failed = |error| AuditError::io("create", path)(error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(failed)?;
        let mut first = Vec::new();
        [MAGIC, SLOT_WORDS as u64, slots].iter().for_each(|w| first.extend_from_slice(&w.to_le_bytes()));
        first.resize(SLOT_WORDS * 8, 0);
        let zeros = vec![0; SLOT_WORDS * 8 * slots as usize];
        file.write_all(&first).and_then(|()| file.write_all(&zeros)).map_err(failed)?;
        file.sync_all().and_then(|()| std::fs::rename(&temporary, path)).map_err(failed)?;
        Ok(Self::map(&file, path)?.0)
    }

    /// Says in the header whether everything in it is durable in the segments.
    pub(super) fn mark(&self, clean: bool) {
        if let Some(word) = self.header.as_ref().and_then(|h| h.words().get(3)) {
            word.store(u64::from(clean), Ordering::Release);
        }
    }
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join("journal")
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::plain;
    use super::*;

    fn options(slots: usize, journal: JournalKind) -> AuditOptions {
        AuditOptions { journal_slots: slots, journal, ..AuditOptions::default() }
    }

    #[test]
    fn what_was_left_is_found_again_until_the_journal_is_marked_clean() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Journal::left_in(dir.path()).unwrap().is_none());
        let options = options(20, JournalKind::Mapped);
        let journal = Journal::begin(None, dir.path(), &options, 40).unwrap();
        assert_eq!(journal.ring.slots(), 32);
        for _ in 0..3 {
            let seq = journal.ring.claim().unwrap();
            journal.ring.fill(seq, &plain("x"));
        }
        drop(journal);
        let (left, numbers) = Journal::left_in(dir.path()).unwrap().unwrap();
        assert_eq!(numbers, [40, 41, 42]);
        left.mark(true);
        drop(left);
        assert_eq!(Journal::left_in(dir.path()).unwrap().unwrap().1, [0; 0]);
    }

    #[test]
    fn another_size_or_kind_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::begin(None, dir.path(), &options(16, JournalKind::Mapped), 0).unwrap());
        let left = Journal::left_in(dir.path()).unwrap().map(|(left, _)| left);
        let larger = Journal::begin(left, dir.path(), &options(64, JournalKind::Mapped), 7).unwrap();
        assert_eq!((larger.ring.slots(), larger.ring.claim()), (64, Some(7)));
        let memory = Journal::begin(Some(larger), dir.path(), &options(16, JournalKind::Memory), 9).unwrap();
        assert_eq!((memory.ring.slots(), memory.ring.claim()), (16, Some(9)));
        assert!(!path_in(dir.path()).exists());
    }

    #[test]
    fn a_file_that_is_no_journal_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(path_in(dir.path()), vec![1; 4096]).unwrap();
        assert!(matches!(Journal::left_in(dir.path()), Err(AuditError::Damaged(_))));
    }
}
