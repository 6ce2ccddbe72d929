//! Verifying a log from its files alone: every line against the one before, every checkpoint against the tree.
//! Needs no lock; a log that is being written verifies as far as it was read.

use super::error::{Finding, FindingKind};
use super::marks::{self, CHECKPOINT, EDGE, EdgeFile, HISTORY, History};
use super::note::Checkpoint;
use super::recover::{root_mismatch, truncated};
use super::segment::{self, Reader};
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
}

/// Verifies the log in `dir` against the public key of its checkpoints. Memory is bounded by one line.
///
/// # Errors
/// The first damage found, with its place.
pub fn verify(dir: &Path, key: &PublicKey) -> Result<VerifyReport, Finding> {
    // The edge and the history are read as they were before the checkpoint, and all as they were before the segments: what a
    // writer adds meanwhile makes nothing disagree.
    let edge = EdgeFile::read(dir, key).map(|edge| edge.checkpoint);
    let mut history = History::open(dir)?;
    let missing = || Finding::of_file(FindingKind::BadCheckpoint, CHECKPOINT, "there is no checkpoint");
    let text = marks::read_checkpoint(dir)?.ok_or_else(missing)?;
    let checkpoint = marks::open_checkpoint(&text, key)?;
    if let Some(newer) = edge.filter(|edge| edge.size > checkpoint.size) {
        return Err(marks::outdated(EDGE, &newer));
    }
    let numbers = segment::list_whole(dir)?;
    let segments = numbers.len() as u64;
    if segments == 0 {
        if let Some(newer) = history.next(key, &text)?.filter(|kept| kept.size > checkpoint.size) {
            return Err(marks::outdated(HISTORY, &newer));
        }
        return without_segments(checkpoint);
    }
    let walk = Walk::new(Reader::new(dir, 1, segments), Tip::start(), &checkpoint);
    let verification = Verification {
        dir,
        key,
        text: &text,
        checkpoint: &checkpoint,
        history,
        due: None,
        good: 0,
        checked: 0,
    };
    verification.run(walk, segments)
}

fn without_segments(checkpoint: Checkpoint) -> Result<VerifyReport, Finding> {
    if checkpoint.size > 0 || checkpoint.root != Tip::start().edge.root() {
        return Err(Finding::of_file(FindingKind::Truncated, &segment::file_name(1), "there is no segment"));
    }
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
}

impl Verification<'_> {
    fn run(mut self, mut walk: Walk<'_>, segments: u64) -> Result<VerifyReport, Finding> {
        self.advance()?;
        self.check(&mut walk)?;
        let torn_bytes = loop {
            let (next, here) = (walk.tip().next(), walk.here());
            match walk.step()? {
                Step::Line => self.check(&mut walk)?,
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
        Ok(self.report(walk.tip().next(), segments, torn_bytes))
    }

    fn report(self, records: u64, segments: u64, torn_bytes: u64) -> VerifyReport {
        let covered = self.checkpoint.size;
        VerifyReport {
            origin: self.checkpoint.origin.clone(),
            segments,
            records,
            covered,
            uncovered: records - covered,
            checkpoints: self.checked,
            root: Digest::from_bytes(self.checkpoint.root),
            torn_bytes,
        }
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
