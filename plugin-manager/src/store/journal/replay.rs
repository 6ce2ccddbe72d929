//! Two journals as a crash left them: every batch that was durable, in order, or an error.
//!
//! A crash tears what was not synced, in whatever order its pages reached the disk. Each frame says up to where
//! the journals were durable when it was written: damage beyond the last such word is a torn end and is cut;
//! damage before it is nothing a crash can do.

use super::super::StoreError;
use super::frame::{self, Frame, HEADER, Header, Position};
use super::pending::Pending;
use std::path::{Path, PathBuf};

/// A journal file as found.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    /// `None` when there is no file.
    pub bytes: Option<Vec<u8>>,
    /// `None` when it was being emptied or made: nothing is in it then.
    pub header: Option<Header>,
}

impl Found {
    /// Judges a file by its header.
    ///
    /// # Errors
    /// E0003 when it holds more than a header and the header does not verify: frames come after it is durable.
    pub(super) fn new(path: PathBuf, bytes: Option<Vec<u8>>) -> Result<Self, StoreError> {
        let found = bytes.as_deref().unwrap_or_default();
        let header = Header::decode(found);
        if header.is_none() && found.len() > HEADER {
            return Err(damage(&path, 0, "does not start as one of this version"));
        }
        Ok(Self { path, bytes, header })
    }
    /// Whether it holds a header and nothing else.
    pub(super) fn is_clean(&self) -> bool {
        self.header.is_some() && !self.holds_more()
    }
    /// Its generation; zero when it has none.
    pub(super) fn generation(&self) -> u64 {
        self.header.map_or(0, |h| h.generation)
    }
    fn holds_more(&self) -> bool {
        self.bytes.as_ref().is_some_and(|bytes| bytes.len() > HEADER)
    }
    /// One that is being emptied gets a generation above the other's.
    fn order(&self) -> u64 {
        self.header.map_or(u64::MAX, |h| h.generation)
    }
}

/// The changes in both journals, `earlier` being the one of the lower generation.
///
/// # Errors
/// E0003 when something that was durable is not there any more.
pub(super) fn replay(earlier: &Found, later: &Found) -> Result<Pending, StoreError> {
    check_order(earlier, later)?;
    let mut journal = Whole { path: &earlier.path, end: Position::START, frames: Vec::new() };
    let scans = [Scan::of(earlier), Scan::of(later)];
    for scan in scans.iter().flatten() {
        journal.follow(scan);
    }
    let durable = scans.iter().flatten().filter_map(|scan| scan.durable).max();
    if durable > Some(journal.end) {
        return Err(damage(journal.path, journal.end.offset, "lacks what was durable"));
    }
    let mut rows = Pending::default();
    for frame in journal.frames {
        let read = rows.put_batch(frame.body);
        read.ok_or_else(|| {
            damage(journal.path, frame.standing.at.offset, "holds a batch that does not parse")
        })?;
    }
    Ok(rows)
}

/// The two in the order of their generations.
pub(super) fn in_order([a, b]: [Found; 2]) -> [Found; 2] {
    if a.order() <= b.order() { [a, b] } else { [b, a] }
}

/// A journal that holds something has another beside it, made before it was written to, next to it in number.
fn check_order(earlier: &Found, later: &Found) -> Result<(), StoreError> {
    let holding = if later.holds_more() { (later, earlier) } else { (earlier, later) };
    let (holder, other) = holding;
    if holder.holds_more() && other.bytes.is_none() {
        return Err(damage(&other.path, 0, "is missing"));
    }
    match (earlier.header, later.header) {
        (Some(e), Some(l)) if e.generation.checked_add(1) != Some(l.generation) => {
            Err(damage(&later.path, 0, "does not follow the other"))
        }
        _ => Ok(()),
    }
}

pub(super) fn damage(path: &Path, at: u64, problem: &'static str) -> StoreError {
    StoreError::Journal { path: path.to_owned(), at, problem }
}

/// The frames that follow one another through both journals.
struct Whole<'a> {
    path: &'a Path,
    end: Position,
    frames: Vec<Frame<'a>>,
}

impl<'a> Whole<'a> {
    /// Goes on with a journal, if it goes on where this ends.
    fn follow(&mut self, scan: &Scan<'a>) {
        let Some(first) = scan.frames.first() else {
            if self.end == Position::START {
                (self.path, self.end) = (scan.path, scan.end);
            }
            return;
        };
        let gap = self.end != Position::START && first.standing.before != self.end.offset;
        if !gap {
            (self.path, self.end) = (scan.path, scan.end);
            self.frames.extend_from_slice(&scan.frames);
        }
    }
}

/// One journal: its frames up to the first that does not verify, and the word of all that do.
struct Scan<'a> {
    path: &'a Path,
    frames: Vec<Frame<'a>>,
    end: Position,
    /// The highest place some frame says was durable.
    durable: Option<Position>,
}

impl<'a> Scan<'a> {
    fn of(found: &'a Found) -> Option<Self> {
        let (header, bytes) = (found.header?, found.bytes.as_deref()?);
        let mut frames = Vec::new();
        let mut end = HEADER;
        while let Some(frame) = frame::decode(&header, bytes, end) {
            end = frame.end;
            frames.push(frame);
        }
        let beyond = Beyond { header, bytes, from: end };
        let durable = frames.iter().copied().chain(beyond).map(|frame| frame.standing.synced).max();
        let end = Position { generation: header.generation, offset: end as u64 };
        Some(Self { path: &found.path, frames, end, durable })
    }
}

/// The frames that verify beyond one that does not.
struct Beyond<'a> {
    header: Header,
    bytes: &'a [u8],
    from: usize,
}

impl<'a> Iterator for Beyond<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        loop {
            let at = frame::next_mark(&self.header, self.bytes, self.from)?;
            let found = frame::decode(&self.header, self.bytes, at);
            self.from = found.map_or(at + 1, |frame| frame.end);
            if found.is_some() {
                return found;
            }
        }
    }
}
