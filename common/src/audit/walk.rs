//! Walking the lines of a log and checking each against the one before: damage ends the walk with its place.

use super::error::{Finding, FindingKind};
use super::line::{self, Parsed};
use super::note::Checkpoint;
use super::segment::{End, Place, Reader};
use super::tiles::Fresh;
use super::tree::{Edge, Hash, leaf};

/// The `prev` of the first line of a log.
pub(super) const NO_LINE: Hash = [0; 32];

/// The end of a chain of lines: what the next line has to fit.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    /// The leaf of the last line.
    pub prev: Hash,
    /// The tree of all lines.
    pub edge: Edge,
    /// The tree without the last line, so that the last line can be checked alone.
    pub before: Edge,
}

impl Tip {
    pub(super) fn start() -> Self {
        Self { prev: NO_LINE, edge: Edge::default(), before: Edge::default() }
    }
    /// The number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.edge.size()
    }
    pub(super) fn push(&mut self, leaf: Hash) {
        self.push_seen(leaf, |_, _| {});
    }
    /// As [`Tip::push`]; `seen` as in [`Edge::push_seen`].
    pub(super) fn push_seen(&mut self, leaf: Hash, seen: impl FnMut(u32, &Hash)) {
        self.before.copy_from(&self.edge);
        self.edge.push_seen(leaf, seen);
        self.prev = leaf;
    }
}

/// What the walk met.
#[derive(Debug)]
pub(super) enum Step {
    /// A line that fits the chain; it is in the tip now.
    Line,
    /// The last segment ends inside a line.
    Torn(Place),
    /// A whole line that is no record.
    Foreign(Place),
    /// The end of the last segment.
    End,
}

/// A walk over lines, from the start of a log or from a known tip.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    reader: Reader,
    tip: Tip,
    /// The last line, as it was read.
    line: Vec<u8>,
    last: Option<Place>,
    /// Helps to say which of two lines is the damaged one.
    checkpoint: &'a Checkpoint,
    /// The hashes the last lines completed, when they are wanted.
    fresh: Option<Fresh>,
    /// The number of the first line that is walked.
    start: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(reader: Reader, tip: Tip, checkpoint: &'a Checkpoint) -> Self {
        let start = tip.next();
        Self { reader, tip, line: Vec::new(), last: None, checkpoint, fresh: None, start }
    }
    /// A walk that also collects the hashes of the subtrees its lines complete.
    pub(super) fn collecting(self) -> Self {
        Self { fresh: Some(Fresh::default()), ..self }
    }
    /// What was collected, to be taken.
    pub(super) fn fresh(&mut self) -> Option<&mut Fresh> {
        self.fresh.as_mut()
    }
    /// A walk that goes on after this last line.
    pub(super) fn resumed(self, last: Place) -> Self {
        Self { last: Some(last), ..self }
    }
    /// Where the next line would be.
    pub(super) fn here(&self) -> Place {
        self.reader.here()
    }
    pub(super) fn tip(&self) -> &Tip {
        &self.tip
    }
    pub(super) fn into_tip(self) -> Tip {
        self.tip
    }
    /// The line of the last step.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }
    /// The place of the last line that fitted.
    pub(super) fn last(&self) -> Option<Place> {
        self.last
    }
    /// Whether nothing follows in the last segment.
    pub(super) fn is_at_end(&mut self) -> Result<bool, Finding> {
        let mut rest = Vec::new();
        Ok(self.reader.in_last() && self.reader.next(&mut rest)?.is_none())
    }

    pub(super) fn step(&mut self) -> Result<Step, Finding> {
        let mut line = std::mem::take(&mut self.line);
        let found = self.reader.next(&mut line);
        self.line = line;
        let Some((place, end)) = found? else { return Ok(Step::End) };
        match end {
            End::Whole => {}
            End::Torn if self.reader.in_last() => return Ok(Step::Torn(place)),
            End::Torn | End::TooLong => {
                return Err(place.finding(FindingKind::Edited, self.tip.next(), "the line has no end"));
            }
        }
        let Some(parsed) = line::parse(&self.line) else { return Ok(Step::Foreign(place)) };
        self.check(&parsed, place)?;
        match &mut self.fresh {
            Some(fresh) => self.tip.push_seen(leaf(&self.line), |height, hash| fresh.note(height, hash)),
            None => self.tip.push(leaf(&self.line)),
        }
        self.last = Some(place);
        Ok(Step::Line)
    }

    fn check(&mut self, parsed: &Parsed, place: Place) -> Result<(), Finding> {
        let want = self.tip.next();
        let fits = parsed.prev == self.tip.prev;
        if parsed.seq == want && fits {
            return self.check_node(parsed, place);
        }
        let next = self.peek()?;
        if parsed.seq != want && !fits {
            return Err(misplaced(parsed.seq, want, next.as_ref(), place));
        }
        let edited = |place: Place, seq| Err(place.finding(FindingKind::Edited, seq, "the line was changed"));
        match self.last {
            Some(before) if parsed.seq == want && self.previous_is_damaged(parsed, next.as_ref()) => {
                edited(before, want.saturating_sub(1))
            }
            _ => edited(place, want),
        }
    }

    /// Only the first line is compared: the chain ties the others to it.
    fn check_node(&mut self, parsed: &Parsed, place: Place) -> Result<(), Finding> {
        if self.tip.next() > self.start || parsed.node == self.checkpoint.origin {
            return Ok(());
        }
        let intact = self.peek()?.is_some_and(|next| next.prev == leaf(&self.line));
        let detail =
            format!("the record is of `{}`, the checkpoint of `{}`", parsed.node, self.checkpoint.origin);
        let kind = if intact { FindingKind::WrongLog } else { FindingKind::Edited };
        Err(place.finding(kind, parsed.seq, detail))
    }

    /// A line names another predecessor than the one there is. The line after it, or else the checkpoint,
    /// vouches for the line: then it is the predecessor that was changed.
    fn previous_is_damaged(&self, parsed: &Parsed, next: Option<&Parsed>) -> bool {
        let this = leaf(&self.line);
        if let Some(next) = next {
            return next.prev == this;
        }
        let mut edge = self.tip.before.clone();
        edge.push(parsed.prev);
        edge.push(this);
        edge.size() == self.checkpoint.size && edge.root() == self.checkpoint.root
    }

    /// Whether a line follows that names another predecessor than the last line. The walk ends after it.
    pub(super) fn next_disagrees(&mut self) -> Result<bool, Finding> {
        Ok(self.peek()?.is_some_and(|next| next.prev != self.tip.prev))
    }

    /// Reads one line ahead. The walk ends after it.
    fn peek(&mut self) -> Result<Option<Parsed>, Finding> {
        let mut line = Vec::new();
        let found = self.reader.next(&mut line)?;
        Ok(found.and_then(|_| line::parse(&line)))
    }
}

fn misplaced(seq: u64, want: u64, next: Option<&Parsed>, place: Place) -> Finding {
    if seq > want && next.is_none_or(|next| next.seq != want) {
        let detail = format!("records {want} to {} are missing", seq - 1);
        return place.finding(FindingKind::Deleted, want, detail);
    }
    place.finding(FindingKind::Reordered, want, format!("record {seq} is in the place of record {want}"))
}
