//! Verifying a log from its files alone: every line against the one before, every checkpoint against the tree.
//! Needs no lock; a log that is being written verifies as far as it was read.

use super::base::{self, Base};
use super::cosignature;
use super::error::{Finding, FindingKind};
use super::kept::Kept;
use super::marks::{self, CHECKPOINT, EDGE, EdgeFile, HISTORY, History};
use super::note::Checkpoint;
use super::recover::{never_written, root_mismatch, truncated};
use super::removal;
use super::segment::{self, Place, Reader};
use super::tree::Hash;
use super::walk::{Step, Tip, Walk};
use crate::crypto::PublicKey;
use crate::identity::Digest;
use std::path::Path;

/// What a verification has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The origin of the checkpoints.
    pub origin: String,
    /// Segments read.
    pub segments: u64,
    /// Records read; each fits the one before it.
    pub records: u64,
    /// Records under the latest checkpoint, whose root they have.
    pub covered: u64,
    /// Records after it: chained, not yet signed for.
    pub uncovered: u64,
    /// Checkpoints checked, the latest and earlier ones.
    pub checkpoints: u64,
    /// The signed root of the covered records.
    pub root: Digest,
    /// Bytes of an unfinished last line that no checkpoint covers; opening the log cuts them.
    pub torn_bytes: u64,
    /// Records before the first one that is there: retention removed them, by a record of this log. The root covers
    /// them too.
    pub removed: u64,
    /// Checkpoints kept elsewhere that the log fits.
    pub kept: u64,
    /// The latest checkpoint, a signed note.
    pub checkpoint: String,
}

/// Verifies the log in `dir` against the public key of its checkpoints. Memory is bounded by one line.
///
/// # Errors
/// The first damage found, with its place.
pub fn verify(dir: &Path, key: &PublicKey) -> Result<VerifyReport, Finding> {
    verify_against(dir, key, &[])
}

/// As [`verify`]; the log must also continue each of these checkpoints, signed notes that were kept elsewhere. They
/// may carry signatures of others beside the log's.
///
/// # Errors
/// As [`verify`]. [`FindingKind::RolledBack`] when a kept checkpoint covers more than the log holds,
/// [`FindingKind::Rewritten`] when the log is whole and signed and has another root at that size,
/// [`FindingKind::WrongLog`] when it is of another origin.
pub fn verify_against(dir: &Path, key: &PublicKey, kept: &[String]) -> Result<VerifyReport, Finding> {
    // The edge and the history are read as they were before the checkpoint, and all as they were before the
    // segments: what a writer adds meanwhile makes nothing disagree.
    let edge = EdgeFile::read(dir, key).map(|edge| edge.checkpoint);
    let mut history = History::open(dir)?;
    let missing = || Finding::of_file(FindingKind::BadCheckpoint, CHECKPOINT, "there is no checkpoint");
    let text = marks::read_checkpoint(dir)?.ok_or_else(missing)?;
    let checkpoint = marks::open_checkpoint(&text, key)?;
    if let Some(newer) = edge.filter(|edge| edge.size > checkpoint.size) {
        return Err(marks::outdated(EDGE, &newer));
    }
    // What witnesses signed is one more checkpoint the log must continue.
    let cosigned = marks::read_small(&dir.join(cosignature::COSIGNED), cosignature::MAX_COSIGNED)?;
    let kept: Vec<String> = kept.iter().cloned().chain(cosigned).collect();
    let kept = Kept::open(&kept, key, &checkpoint.origin)?;
    let (base, numbers) = base::segments(dir)?;
    let base = base.map(|base| base.signed_by(key)).transpose()?;
    let segments = numbers.len() as u64;
    if segments == 0 && base.is_none() {
        if let Some(newer) = history.next(key, &text)?.filter(|kept| kept.size > checkpoint.size) {
            return Err(marks::outdated(HISTORY, &newer));
        }
        return without_segments(checkpoint, text, &kept);
    }
    let (tip, first) = base.as_ref().map_or((Tip::start(), 1), |base| (base.tip(), base.segment + 1));
    let last = numbers.last().copied().unwrap_or(first);
    let walk = Walk::new(Reader::new(dir, first, last), tip, &checkpoint);
    let verification = Verification {
        dir,
        key,
        text: &text,
        checkpoint: &checkpoint,
        history,
        due: None,
        good: 0,
        checked: 0,
        kept,
        base: base.as_ref(),
        removal_told: base.is_none(),
    };
    verification.run(walk, segments)
}

fn without_segments(checkpoint: Checkpoint, text: String, kept: &Kept) -> Result<VerifyReport, Finding> {
    if checkpoint.size > 0 || checkpoint.root != Tip::start().edge.root() {
        return Err(Finding::of_file(FindingKind::Truncated, &segment::file_name(1), "there is no segment"));
    }
    let kept = kept.end(0)?;
    let root = Digest::from_bytes(checkpoint.root);
    let origin = checkpoint.origin;
    Ok(VerifyReport {
        origin,
        segments: 0,
        records: 0,
        covered: 0,
        uncovered: 0,
        checkpoints: 1,
        root,
        torn_bytes: 0,
        removed: 0,
        kept,
        checkpoint: text,
    })
}

struct Verification<'a> {
    dir: &'a Path,
    key: &'a PublicKey,
    text: &'a str,
    checkpoint: &'a Checkpoint,
    history: History,
    /// The next checkpoint of the history.
    due: Option<Checkpoint>,
    /// The largest size whose root was right.
    good: u64,
    checked: u64,
    kept: Kept,
    /// Where the log begins, when its first segments were removed.
    base: Option<&'a Base>,
    /// Whether a covered record told of the removal.
    removal_told: bool,
}

impl Verification<'_> {
    fn run(mut self, mut walk: Walk<'_>, segments: u64) -> Result<VerifyReport, Finding> {
        self.pass_removed()?;
        self.check(&mut walk)?;
        let torn_bytes = loop {
            let (next, here) = (walk.tip().next(), walk.here());
            match walk.step()? {
                Step::Line => {
                    self.note_removal(&walk);
                    self.check(&mut walk)?;
                }
                Step::Foreign(place) if next >= self.checkpoint.size && never_written(walk.line()) => {
                    break self.rest_of(place)?;
                }
                Step::Foreign(place) => {
                    return Err(place.finding(FindingKind::Edited, next, "the line is not a record"));
                }
                Step::Torn(place) if next < self.checkpoint.size => {
                    return Err(truncated(place, next, self.checkpoint));
                }
                Step::Torn(_) => break walk.line().len() as u64,
                Step::End if next < self.checkpoint.size => {
                    return Err(truncated(here, next, self.checkpoint));
                }
                Step::End => break 0,
            }
        };
        let end = walk.tip().next();
        let kept = self.kept.end(end)?;
        let removed = self.base.map_or(0, |base| base.checkpoint.size);
        if !self.removal_told {
            let detail =
                format!("the first {removed} records are gone and no signed record tells of their removal");
            return Err(Finding::of_file(FindingKind::Deleted, base::REMOVED, detail));
        }
        let covered = self.checkpoint.size;
        Ok(VerifyReport {
            origin: self.checkpoint.origin.clone(),
            segments,
            records: end - removed,
            covered: covered - removed.min(covered),
            uncovered: end - covered,
            checkpoints: self.checked,
            root: Digest::from_bytes(self.checkpoint.root),
            torn_bytes,
            removed,
            kept,
            checkpoint: self.text.to_owned(),
        })
    }

    /// The bytes from this place to the end of its segment.
    fn rest_of(&self, place: Place) -> Result<u64, Finding> {
        let path = self.dir.join(segment::file_name(place.segment));
        let length = path.metadata().map_err(|e| Finding::unreadable(&path, &e))?.len();
        Ok(length.saturating_sub(place.offset))
    }

    /// Checkpoints of removed records have nothing to be compared with but where the log begins: the stored hashes
    /// must lead from the kept ones to it.
    fn pass_removed(&mut self) -> Result<(), Finding> {
        let from = self.base.map_or(0, |base| base.checkpoint.size);
        self.advance()?;
        while self.due.as_ref().is_some_and(|due| due.size < from) {
            self.advance()?;
        }
        match self.base {
            Some(base) => self.kept.pass_removed(self.dir, &base.checkpoint),
            None => Ok(()),
        }
    }

    /// Looks for the record that tells which segments retention removed.
    fn note_removal(&mut self, walk: &Walk<'_>) {
        if self.removal_told || walk.tip().next() > self.checkpoint.size {
            return;
        }
        self.removal_told = self.base.is_some_and(|base| removal::tells_of(walk.line(), base.segment));
    }

    /// Reads the next checkpoint of the history.
    fn advance(&mut self) -> Result<(), Finding> {
        let before = self.due.take().map_or(0, |c| c.size);
        self.due = self.history.next(self.key, self.text)?;
        let Some(due) = &self.due else { return Ok(()) };
        let problem = if due.origin != self.checkpoint.origin {
            (FindingKind::WrongLog, HISTORY, format!("a checkpoint is of `{}`", due.origin))
        } else if due.size < before {
            (FindingKind::Reordered, HISTORY, format!("size {} comes after size {before}", due.size))
        } else if due.size > self.checkpoint.size {
            return Err(marks::outdated(HISTORY, due));
        } else {
            return Ok(());
        };
        Err(Finding::of_file(problem.0, problem.1, problem.2))
    }

    /// Compares the root with every checkpoint of this size.
    fn check(&mut self, walk: &mut Walk<'_>) -> Result<(), Finding> {
        let size = walk.tip().next();
        if self.kept.is_due(size) {
            self.kept.check(size, &walk.tip().edge.root());
        }
        if self.checkpoint.size != size && self.due.as_ref().is_none_or(|due| due.size != size) {
            return Ok(());
        }
        let root = walk.tip().edge.root();
        while let Some(due) = self.due.take_if(|due| due.size == size) {
            self.compare(walk, &due, root)?;
            self.due = Some(due);
            self.advance()?;
        }
        if self.checkpoint.size == size {
            self.compare(walk, self.checkpoint, root)?;
        }
        Ok(())
    }

    fn compare(&mut self, walk: &mut Walk<'_>, checkpoint: &Checkpoint, root: Hash) -> Result<(), Finding> {
        if checkpoint.root == root {
            self.checked += 1;
            self.good = checkpoint.size;
            return Ok(());
        }
        let mut finding = root_mismatch(walk, checkpoint);
        finding.detail = format!("{}; the first {} do", finding.detail, self.good);
        if self.only_last_differs(walk, checkpoint) || walk.next_disagrees()? {
            finding.kind = FindingKind::Edited;
        }
        Err(finding)
    }

    /// Whether the tree before the last line is one that was signed or kept: then it is that line that was
    /// changed.
    fn only_last_differs(&self, walk: &Walk<'_>, checkpoint: &Checkpoint) -> bool {
        let edge = EdgeFile::read(self.dir, self.key);
        let kept = edge.is_some_and(|e| e.checkpoint == *checkpoint && e.before == walk.tip().before);
        kept || self.good + 1 == checkpoint.size
    }
}
