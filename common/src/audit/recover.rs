//! Opening a log: the tail is checked, a torn end is cut, what a killed process left is written. Other damage
//! is an error.

use super::base::{self, Base};
use super::codec::{Entry, Extra};
use super::error::{AuditError, Finding, FindingKind};
use super::files::open_regular;
use super::journal::Journal;
use super::line::{self, Origin};
use super::marks::{self, EdgeFile, LastLine};
use super::note::Checkpoint;
use super::record::Outcome;
use super::ring::Slot;
use super::segment::{self, End, Place, Reader};
use super::tiles::{self, Tiles};
use super::tree::leaf;
use super::walk::{Step, Tip, Walk};
use super::writer::{Batch, Setting, Standing, Writer};
use crate::clock::Clock;
use crate::identity::Digest;
use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What was cut from the end of the last segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub segment: u64,
    pub offset: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// A log ready to be written.
#[derive(Debug)]
pub(super) struct Opened {
    pub writer: Writer,
    pub left: Option<Journal>,
    pub cut: Option<Cut>,
    /// Records that were in the journal, and those of them that had not been filled.
    pub replayed: u64,
    pub holes: u64,
}

/// Opens the log of this setting, whose lock is held.
pub(super) fn open(setting: Setting, origin: &Origin, clock: &dyn Clock) -> Result<Opened, AuditError> {
    let (standing, cut) = stand(&setting)?;
    finish_removal(&setting)?;
    let dir = setting.dir.clone();
    let whole = marks::whole_history(&dir)?;
    let failed = |error| AuditError::io("write", &dir)(error);
    let fresh = standing.segment == 0;
    // The checkpoint of nothing comes before the first segment: a log without a checkpoint has lost it.
    let standing = if fresh { begin(&setting, standing).map_err(failed)? } else { standing };
    let mut writer = Writer::new(setting, standing, whole).map_err(failed)?;
    let left = Journal::left_in(&dir)?;
    let (mut replayed, mut holes) = (0, 0);
    if let Some((journal, numbers)) = &left {
        (replayed, holes) = replay(journal, numbers, &mut writer, origin, clock, &dir)?;
    }
    Ok(Opened { writer, left: left.map(|(journal, _)| journal), cut, replayed, holes })
}

/// Removes the segments a killed process was about to remove.
fn finish_removal(setting: &Setting) -> Result<(), AuditError> {
    let Some(base) = Base::read(&setting.dir)? else { return Ok(()) };
    let remove = |name: String| setting.files.remove(&setting.dir.join(name));
    let names = base::files_up_to(&setting.dir, base.segment);
    let removed = names.and_then(|names| names.into_iter().try_for_each(remove));
    removed.map_err(AuditError::io("remove segments from", &setting.dir))
}

fn begin(setting: &Setting, standing: Standing) -> std::io::Result<Standing> {
    let checkpoint = Checkpoint { origin: setting.node.clone(), size: 0, root: standing.tip.edge.root() };
    let note = checkpoint.sign(&setting.key).map_err(std::io::Error::other)?;
    setting.files.replace(&setting.dir.join(marks::CHECKPOINT), note.as_bytes())?;
    Ok(Standing { segment: 1, ..standing })
}

/// Where the log stands; segment 0 when it has not begun.
fn stand(setting: &Setting) -> Result<(Standing, Option<Cut>), AuditError> {
    let dir = &setting.dir;
    let (base, numbers) = base::segments(dir)?;
    let base = base.map(|base| base.signed_by(&setting.key.public())).transpose()?;
    let Some(last) = numbers.last().copied() else { return stand_without_segments(setting) };
    let text = marks::read_checkpoint(dir)?.ok_or_else(|| {
        Finding::of_file(FindingKind::BadCheckpoint, marks::CHECKPOINT, "there are records and no checkpoint")
    })?;
    let checkpoint = our_checkpoint(setting, &text)?;
    is_the_latest(setting, &checkpoint)?;
    let failed = |error| AuditError::io("write", dir)(error);
    let resumed = resume(setting, &checkpoint, last);
    let tiles = resumed.as_ref().map(|walk| Tiles::at(setting.files.clone(), dir, walk.tip().next()));
    let (mut walk, mut tiles) = match (resumed, tiles.transpose().map_err(failed)?.flatten()) {
        (Some(walk), Some(tiles)) => (walk, tiles),
        _ => from_the_start(setting, &checkpoint, base.as_ref(), last).map_err(failed)?,
    };
    let torn = walk_to_end(&mut walk, &checkpoint, &mut tiles)?;
    let cut = torn.map(|place| cut_at(setting, place)).transpose()?;
    let last_line = walk.last().map(|p| LastLine { segment: p.segment, offset: p.offset });
    let path = dir.join(segment::file_name(last));
    let length = path.metadata().map_err(AuditError::io("read", &path))?.len();
    let standing = Standing {
        tip: walk.into_tip(),
        last: last_line,
        segment: last,
        length,
        covered: checkpoint.size,
        tiles: Some(tiles),
    };
    Ok((standing, cut))
}

fn stand_without_segments(setting: &Setting) -> Result<(Standing, Option<Cut>), AuditError> {
    let Some(text) = marks::read_checkpoint(&setting.dir)? else {
        return match vouching(setting)? {
            None => Ok((nothing(), None)),
            Some(_) => Err(Finding::of_file(
                FindingKind::BadCheckpoint,
                marks::CHECKPOINT,
                "there are earlier checkpoints and not the latest",
            )
            .into()),
        };
    };
    let checkpoint = our_checkpoint(setting, &text)?;
    is_the_latest(setting, &checkpoint)?;
    if checkpoint.size > 0 {
        let detail = format!("the checkpoint covers {} records and there is no segment", checkpoint.size);
        return Err(Finding::of_file(FindingKind::Truncated, &segment::file_name(1), detail).into());
    }
    Ok((nothing(), None))
}

/// Where a log stands that has not begun.
fn nothing() -> Standing {
    Standing { tip: Tip::start(), last: None, segment: 0, length: 0, covered: 0, tiles: None }
}

fn our_checkpoint(setting: &Setting, text: &str) -> Result<Checkpoint, AuditError> {
    let checkpoint = marks::open_checkpoint(text, &setting.key.public())?;
    if checkpoint.origin == setting.node {
        return Ok(checkpoint);
    }
    Err(AuditError::OtherNode { found: checkpoint.origin, expected: setting.node.clone() })
}

/// A checkpoint takes its place before it goes into the history and with its edge: when either vouches for more
/// records, an older one was put in its place. Signing the records anew would hide that.
fn is_the_latest(setting: &Setting, checkpoint: &Checkpoint) -> Result<(), AuditError> {
    match vouching(setting)? {
        Some((file, other)) if other.size > checkpoint.size => Err(marks::outdated(file, &other).into()),
        _ => Ok(()),
    }
}

/// The largest checkpoint beside the latest one, and the file it is in.
fn vouching(setting: &Setting) -> Result<Option<(&'static str, Checkpoint)>, AuditError> {
    let key = setting.key.public();
    let edge = EdgeFile::read(&setting.dir, &key).map(|edge| (marks::EDGE, edge.checkpoint));
    let kept = marks::last_of_history(&setting.dir, &key)?.map(|last| (marks::HISTORY, last));
    Ok(edge.into_iter().chain(kept).max_by_key(|(_, checkpoint)| checkpoint.size))
}

/// A walk that begins after the last line of a kept edge. `None` when there is no edge or it does not fit:
/// then every line is read.
fn resume<'a>(setting: &Setting, checkpoint: &'a Checkpoint, last: u64) -> Option<Walk<'a>> {
    let edge = EdgeFile::read(&setting.dir, &setting.key.public())?;
    let size = edge.checkpoint.size;
    if edge.checkpoint.origin != setting.node || size > checkpoint.size || edge.last.segment > last {
        return None;
    }
    let mut reader = Reader::starting_at(&setting.dir, edge.last.segment, edge.last.offset, last).ok()?;
    let mut text = Vec::new();
    let (place, End::Whole) = reader.next(&mut text).ok()?? else { return None };
    let parsed = line::parse(&text)?;
    let mut tip = Tip { prev: parsed.prev, edge: edge.before.clone(), before: edge.before };
    tip.push(leaf(&text));
    let fits = parsed.seq + 1 == size && tip.edge.root() == edge.checkpoint.root;
    fits.then(|| Walk::new(reader, tip, checkpoint).resumed(place).collecting())
}

/// A walk over every line there is, which stores the hashes of the tree anew.
fn from_the_start<'a>(
    setting: &Setting,
    checkpoint: &'a Checkpoint,
    base: Option<&Base>,
    last: u64,
) -> std::io::Result<(Walk<'a>, Tiles)> {
    let (tip, first) = base.map_or((Tip::start(), 1), |base| (base.tip(), base.segment + 1));
    let tiles = Tiles::cut_to(setting.files.clone(), &setting.dir, tip.next())?;
    let walk = Walk::new(Reader::new(&setting.dir, first, last), tip, checkpoint);
    Ok((walk.collecting(), tiles))
}

/// Walks to the end; returns the place of a torn last line that no checkpoint covers.
fn walk_to_end(
    walk: &mut Walk<'_>,
    checkpoint: &Checkpoint,
    tiles: &mut Tiles,
) -> Result<Option<Place>, Finding> {
    check_root(walk, checkpoint)?;
    loop {
        let covered = walk.tip().next() < checkpoint.size;
        let next = walk.tip().next();
        match walk.step()? {
            Step::Line => {
                check_root(walk, checkpoint)?;
                if let Some(fresh) = walk.fresh() {
                    tiles.take(fresh);
                    tiles.spill().map_err(|e| Finding::unreadable(Path::new(tiles::DIR), &e))?;
                }
            }
            Step::Torn(place) if !covered => return Ok(Some(place)),
            Step::Torn(place) => return Err(truncated(place, next, checkpoint)),
            Step::Foreign(place) => {
                if covered || !(never_written(walk.line()) || walk.is_at_end()?) {
                    return Err(place.finding(FindingKind::Edited, next, "the line is not a record"));
                }
                return Ok(Some(place));
            }
            Step::End if covered => return Err(truncated(walk.here(), next, checkpoint)),
            Step::End => return Ok(None),
        }
    }
}

/// Whether a line has bytes that were never written: no record holds a zero byte, and what was not synced may come
/// back from a loss of power as zeros. Nothing after it was synced either.
pub(super) fn never_written(line: &[u8]) -> bool {
    line.contains(&0)
}

fn check_root(walk: &Walk<'_>, checkpoint: &Checkpoint) -> Result<(), Finding> {
    if walk.tip().next() != checkpoint.size || walk.tip().edge.root() == checkpoint.root {
        return Ok(());
    }
    Err(root_mismatch(walk, checkpoint))
}

pub(super) fn root_mismatch(walk: &Walk<'_>, checkpoint: &Checkpoint) -> Finding {
    let detail = format!("the first {} records do not have the root that was signed", checkpoint.size);
    match walk.last() {
        Some(place) => place.finding(FindingKind::RootMismatch, checkpoint.size.saturating_sub(1), detail),
        None => Finding::of_file(FindingKind::RootMismatch, marks::CHECKPOINT, detail),
    }
}

pub(super) fn truncated(place: Place, next: u64, checkpoint: &Checkpoint) -> Finding {
    let detail = format!("the log ends after {next} records, a checkpoint covers {}", checkpoint.size);
    place.finding(FindingKind::Truncated, next, detail)
}

fn cut_at(setting: &Setting, place: Place) -> Result<Cut, AuditError> {
    let path = setting.dir.join(segment::file_name(place.segment));
    let mut file = open_regular(&path).map_err(AuditError::io("open", &path))?;
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(place.offset))
        .and_then(|_| file.read_to_end(&mut torn))
        .map_err(AuditError::io("read", &path))?;
    setting
        .files
        .append_to(&path)
        .and_then(|mut file| file.truncate(place.offset))
        .map_err(AuditError::io("cut", &path))?;
    let (bytes, sha256) = (torn.len() as u64, Digest::of(&torn).hex());
    Ok(Cut { segment: place.segment, offset: place.offset, bytes, sha256 })
}

/// Writes what is in the journal and not in the segments, each under its own number. A number that was
/// claimed and never filled (its call never went on) gets a line that says so.
fn replay(
    journal: &Journal,
    numbers: &[u64],
    writer: &mut Writer,
    origin: &Origin,
    clock: &dyn Clock,
    dir: &Path,
) -> Result<(u64, u64), AuditError> {
    let first = writer.next();
    let pending: Vec<u64> = numbers.iter().copied().filter(|seq| *seq >= first).collect();
    let Some(end) = pending.last().map(|last| last + 1) else { return Ok((0, 0)) };
    if end - first > journal.ring.slots() {
        let detail = format!("the journal holds record {} and the log ends before record {first}", end - 1);
        return Err(Finding::of_file(FindingKind::Truncated, "journal", detail).into());
    }
    let mut batch = Batch::new();
    let (mut holes, mut bytes) = (0, Vec::new());
    batch.restart(writer);
    while batch.next() < end {
        let seq = batch.next();
        let found = pending.binary_search(&seq).is_ok() && journal.ring.read(seq, &mut bytes) == Slot::Record;
        match Entry::decode(&bytes).filter(|entry| found && is_json(entry.actor)) {
            Some(entry) => batch.push(origin, &entry),
            None => {
                holes += 1;
                batch.push(origin, &hole(clock, &seq.to_string()));
            }
        }
        if batch.next() == end || !writer.has_room(&batch) {
            writer.write(&mut batch).map_err(AuditError::io("write", dir))?;
            batch.restart(writer);
        }
    }
    Ok((end - first, holes))
}

/// The actor of a replayed record goes into its line as it is.
fn is_json(fragment: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(fragment).is_ok()
}

fn hole<'a>(clock: &dyn Clock, seq: &'a str) -> Entry<'a> {
    own_entry(clock, Outcome::Failed, "unfinished", ("seq", seq), &[])
}

/// A record of the log about itself.
pub(super) fn own_entry<'a>(
    clock: &dyn Clock,
    outcome: Outcome,
    action: &'a str,
    resource: (&'a str, &'a str),
    details: &'a [(&'a str, &'a str)],
) -> Entry<'a> {
    Entry {
        wall_ns: clock.wall_ns(),
        mono_ns: clock.mono_ns(),
        event: "audit",
        outcome,
        code: None,
        actor: r#"{"host":"audit"}"#,
        action,
        resource,
        decision: None,
        details: Cow::Borrowed(details),
        extra: Extra::None,
    }
}
