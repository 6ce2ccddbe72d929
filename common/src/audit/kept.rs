//! Checkpoints kept elsewhere, against which a log is compared: they find what the log's own files cannot tell.

use super::error::{Finding, FindingKind};
use super::note::{Checkpoint, NoteError};
use super::tiles::TileReader;
use super::tree::{Hash, consistency_ranges, is_consistent};
use crate::crypto::PublicKey;
use std::path::Path;

/// How a finding names what was given.
const NAME: &str = "kept checkpoint";
/// Checkpoints one verification compares with.
const MAX_KEPT: usize = 1 << 20;

/// The checkpoints in the text of a file: one signed note, or one JSON string a line.
///
/// # Errors
/// When a line is neither, or there are too many.
pub fn read_kept(text: &str) -> Result<Vec<String>, Finding> {
    if !text.starts_with('"') {
        return Ok(vec![text.to_owned()]);
    }
    let malformed = |line: u64, detail: &str| {
        let finding = Finding::of_file(FindingKind::BadCheckpoint, NAME, detail);
        Err(Finding { line, ..finding })
    };
    let mut notes = Vec::new();
    for (line, text) in (1..).zip(text.lines().filter(|line| !line.trim().is_empty())) {
        match serde_json::from_str::<String>(text) {
            Ok(note) if notes.len() < MAX_KEPT => notes.push(note),
            Ok(_) => return malformed(line, "there are too many"),
            Err(_) => return malformed(line, "it is not a JSON string"),
        }
    }
    Ok(notes)
}

/// Kept checkpoints in the order of their sizes, compared as the log is walked.
#[derive(Debug)]
pub(super) struct Kept {
    due: Vec<Checkpoint>,
    next: usize,
    fitting: u64,
    /// The first that did not fit: told when nothing else is wrong with the log, for that says more.
    differs: Option<Finding>,
}

impl Kept {
    pub(super) fn open(notes: &[String], key: &PublicKey, origin: &str) -> Result<Self, Finding> {
        let mut due = Vec::new();
        for note in notes {
            let checkpoint = Checkpoint::open_among(note, key).map_err(|error| {
                let kind =
                    if error == NoteError::Key { FindingKind::WrongKey } else { FindingKind::BadCheckpoint };
                Finding::of_file(kind, NAME, error.to_string())
            })?;
            if checkpoint.origin != origin {
                let detail = format!("it is of `{}`, the log of `{origin}`", checkpoint.origin);
                return Err(Finding::of_file(FindingKind::WrongLog, NAME, detail));
            }
            due.push(checkpoint);
        }
        due.sort_by_key(|checkpoint| checkpoint.size);
        Ok(Self { due, next: 0, fitting: 0, differs: None })
    }

    pub(super) fn is_due(&self, size: u64) -> bool {
        self.due.get(self.next).is_some_and(|due| due.size == size)
    }

    /// Compares those of this size with the root the log has there.
    pub(super) fn check(&mut self, size: u64, root: &Hash) {
        while let Some(due) = self.due.get(self.next).filter(|due| due.size == size) {
            self.next += 1;
            if due.root == *root {
                self.fitting += 1;
                continue;
            }
            let detail = format!("the log has another root after {size} records");
            let finding = Finding {
                seq: size.checked_sub(1),
                ..Finding::of_file(FindingKind::Rewritten, NAME, detail)
            };
            self.differs.get_or_insert(finding);
        }
    }

    /// Those of records that retention removed: the stored hashes must prove that `base` continues each.
    pub(super) fn pass_removed(&mut self, dir: &Path, base: &Checkpoint) -> Result<(), Finding> {
        let reader = TileReader::open(dir);
        while let Some(due) = self.due.get(self.next).filter(|due| due.size < base.size) {
            self.next += 1;
            let ranges = consistency_ranges(due.size, base.size);
            let path: Option<Vec<Hash>> = ranges.iter().map(|range| reader.root_of(range)).collect();
            let holds = |path: Vec<Hash>| is_consistent(due.size, &due.root, base.size, &base.root, &path);
            if path.is_some_and(holds) {
                self.fitting += 1;
                continue;
            }
            let detail = format!(
                "the hashes under tiles/ do not prove that the log continues it; its {} records were removed",
                due.size
            );
            return Err(Finding::of_file(FindingKind::Rewritten, NAME, detail));
        }
        Ok(())
    }

    /// How many fitted a log of this size.
    pub(super) fn end(&self, size: u64) -> Result<u64, Finding> {
        if let Some(finding) = &self.differs {
            return Err(finding.clone());
        }
        match self.due.get(self.next) {
            None => Ok(self.fitting),
            Some(due) if due.size == 0 && size == 0 => Ok(self.fitting),
            Some(due) => {
                let detail = format!("it covers {} records, the log ends after {size}", due.size);
                let finding = Finding::of_file(FindingKind::RolledBack, NAME, detail);
                Err(Finding { seq: Some(size), ..finding })
            }
        }
    }
}
