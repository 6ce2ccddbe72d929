//! Where a log begins whose first segments were removed: their last checkpoint, and what their last line leaves to
//! check the next one against.

use super::error::{Finding, FindingKind};
use super::marks::{history_line, read_small};
use super::note::{Checkpoint, MAX_NOTE};
use super::segment;
use super::tree::{Edge, Hash};
use super::walk::Tip;
use crate::crypto::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::io;
use std::path::Path;

/// The file that tells which segments were removed.
pub(super) const REMOVED: &str = "removed";
/// The action of the record that comes before a removal.
pub(super) const ACTION: &str = "segments_removed";

/// The name of the file that tells how a segment ends.
pub(super) fn end_name(segment: u64) -> String {
    format!("{segment:010}.end")
}

/// The end of a segment: a checkpoint that covers exactly the lines up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub checkpoint: Checkpoint,
    /// The checkpoint as a signed note.
    pub note: String,
    /// The last segment of those lines.
    pub segment: u64,
    /// The tree before the last line, and that line's leaf: both together have the checkpoint's root.
    before: Edge,
    last: Hash,
}

impl Base {
    /// The text of the end of `segment`, which `tip` and `note` are at.
    pub(super) fn text(note: &str, tip: &Tip, segment: u64) -> Vec<u8> {
        let mut text = history_line(note);
        text.extend_from_slice(format!("{segment} {}\n", BASE64.encode(tip.prev)).as_bytes());
        for hash in tip.before.hashes() {
            text.extend_from_slice(format!("{}\n", BASE64.encode(hash)).as_bytes());
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let note: String = serde_json::from_str(lines.next()?).ok()?;
        let checkpoint = Checkpoint::read(&note)?;
        let (segment, last) = lines.next()?.split_once(' ')?;
        let last: Hash = BASE64.decode(last).ok()?.try_into().ok()?;
        let hashes: Option<Vec<Hash>> =
            lines.map(|line| BASE64.decode(line).ok().and_then(|h| h.try_into().ok())).collect();
        let before = Edge::from_parts(checkpoint.size.checked_sub(1)?, hashes?)?;
        let base = Self { checkpoint, note, segment: segment.parse().ok()?, before, last };
        (base.tip().edge.root() == base.checkpoint.root).then_some(base)
    }

    fn read_file(dir: &Path, name: &str) -> Result<Option<Self>, Finding> {
        let Some(text) = read_small(&dir.join(name), MAX_NOTE * 4)? else { return Ok(None) };
        let malformed =
            || Finding::of_file(FindingKind::BadCheckpoint, name, "it is not the end of a segment");
        Self::parse(&text).map(Some).ok_or_else(malformed)
    }

    /// Where the log in `dir` begins; `None` when nothing of it was removed. The signature is not checked.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Finding> {
        Self::read_file(dir, REMOVED)
    }

    /// The end of this segment, if it is known.
    pub(super) fn end_of(dir: &Path, segment: u64) -> Result<Option<Self>, Finding> {
        let end = Self::read_file(dir, &end_name(segment))?;
        Ok(end.filter(|end| end.segment == segment))
    }

    /// Checks that `key` signed the checkpoint.
    pub(super) fn signed_by(self, key: &PublicKey) -> Result<Self, Finding> {
        let place = |finding| Finding { file: REMOVED.to_owned(), ..finding };
        super::marks::open_checkpoint(&self.note, key).map_err(place)?;
        Ok(self)
    }

    /// The tip of the removed lines.
    pub(super) fn tip(&self) -> Tip {
        let mut tip = Tip { prev: self.last, edge: self.before.clone(), before: self.before.clone() };
        tip.push(self.last);
        tip
    }
}

/// The segments of the log in `dir` and where it begins. Segments that were removed and are there again, or still,
/// are not listed.
pub(super) fn segments(dir: &Path) -> Result<(Option<Base>, Vec<u64>), Finding> {
    let base = Base::read(dir)?;
    let numbers = segment::list_after(dir, base.as_ref().map_or(0, |base| base.segment))?;
    Ok((base, numbers))
}

/// The files of segments up to `last`, oldest first.
pub(super) fn files_up_to(dir: &Path, last: u64) -> io::Result<Vec<String>> {
    let numbers = segment::list(dir)?.into_iter().filter(|number| *number <= last);
    Ok(numbers.flat_map(|number| [segment::file_name(number), end_name(number)]).collect())
}
