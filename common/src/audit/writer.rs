//! Batches of lines onto the disk: what was synced is the tip, and nothing else is.

use super::base::{self, Base};
use super::codec::Entry;
use super::files::{Files, SegmentFile};
use super::line::{self, Origin};
use super::marks::{self, LastLine};
use super::note::Checkpoint;
use super::segment;
use super::tiles::{Fresh, Tiles};
use super::tree::leaf;
use super::walk::Tip;
use crate::crypto::SigningKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lines that go to the disk together.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    tip: Tip,
    /// Where the last line starts within the batch.
    last_start: usize,
    lines: u64,
    /// The hashes of the subtrees its lines complete.
    fresh: Fresh,
}

/// Bytes after which a batch is written, whatever else waits.
const BATCH_BYTES: u64 = 1 << 20;

impl Batch {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), tip: Tip::start(), last_start: 0, lines: 0, fresh: Fresh::default() }
    }
    /// Empties the batch: its next line follows the tip of `writer`.
    pub(super) fn restart(&mut self, writer: &Writer) {
        self.bytes.clear();
        self.tip.clone_from(&writer.tip);
        (self.last_start, self.lines) = (0, 0);
        self.fresh.clear();
    }
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }
    /// The number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.tip.next()
    }
    pub(super) fn push(&mut self, origin: &Origin, entry: &Entry<'_>) {
        self.last_start = self.bytes.len();
        line::write(&mut self.bytes, origin, self.tip.next(), &self.tip.prev, entry);
        let leaf = leaf(self.bytes.get(self.last_start..).unwrap_or(&[]));
        self.tip.push_seen(leaf, |height, hash| self.fresh.note(height, hash));
        self.bytes.push(b'\n');
        self.lines += 1;
    }
}

/// What a writer needs to know of its log.
#[derive(Debug)]
pub(super) struct Setting {
    pub files: Arc<dyn Files>,
    pub dir: PathBuf,
    pub key: SigningKey,
    pub node: String,
    pub segment_bytes: u64,
}

/// Where a log stands on disk.
#[derive(Debug)]
pub(super) struct Standing {
    pub tip: Tip,
    pub last: Option<LastLine>,
    /// The number of the last segment, and its length.
    pub segment: u64,
    pub length: u64,
    /// The size of the latest checkpoint.
    pub covered: u64,
    /// The stored hashes of the tip; `None` before the first segment.
    pub tiles: Option<Tiles>,
}

/// Writes one log.
#[derive(Debug)]
pub(super) struct Writer {
    setting: Setting,
    tip: Tip,
    last: Option<LastLine>,
    number: u64,
    length: u64,
    covered: u64,
    segment: Box<dyn SegmentFile>,
    history: Box<dyn SegmentFile>,
    tiles: Tiles,
    /// The latest checkpoint that was made here.
    note: Option<String>,
}

impl Writer {
    /// Goes on where the log stands. What follows its end in the history was never whole and is cut.
    pub(super) fn new(setting: Setting, standing: Standing, whole_history: u64) -> io::Result<Self> {
        let Standing { tip, last, segment: number, length, covered, tiles } = standing;
        let mut tiles = match tiles {
            Some(tiles) => tiles,
            None => Tiles::cut_to(setting.files.clone(), &setting.dir, tip.next())?,
        };
        tiles.write(true)?;
        let segment = setting.files.append_to(&path(&setting.dir, number))?;
        let history_path = setting.dir.join(marks::HISTORY);
        let torn = history_path.metadata().is_ok_and(|m| m.len() > whole_history);
        let mut history = setting.files.append_to(&history_path)?;
        if torn {
            history.truncate(whole_history)?;
        }
        Ok(Self { setting, tip, last, number, length, covered, segment, history, tiles, note: None })
    }

    pub(super) fn next(&self) -> u64 {
        self.tip.next()
    }
    /// How many lines no checkpoint covers.
    pub(super) fn uncovered(&self) -> u64 {
        self.tip.next().saturating_sub(self.covered)
    }
    /// Whether another line should go into the batch.
    pub(super) fn has_room(&self, batch: &Batch) -> bool {
        let limit = self.setting.segment_bytes;
        let left = if self.length < limit { limit - self.length } else { limit };
        (batch.bytes.len() as u64) < left.min(BATCH_BYTES)
    }

    /// Appends a batch and syncs it. After an error nothing of it counts, and [`Writer::begin_again`] comes
    /// before the next write.
    pub(super) fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let bytes = batch.bytes.len() as u64;
        self.tiles.spill()?;
        if self.length > 0 && self.length.saturating_add(bytes) > self.setting.segment_bytes {
            self.rotate()?;
        }
        self.segment.append(&batch.bytes)?;
        self.segment.sync()?;
        self.last = Some(LastLine { segment: self.number, offset: self.length + batch.last_start as u64 });
        self.length += bytes;
        self.tip.clone_from(&batch.tip);
        self.tiles.take(&mut batch.fresh);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.checkpoint(true)?;
        self.segment.truncate(self.length)?;
        if let Some(note) = &self.note {
            let end = self.setting.dir.join(base::end_name(self.number));
            self.setting.files.replace(&end, &Base::text(note, &self.tip, self.number))?;
        }
        self.open_next()
    }

    fn open_next(&mut self) -> io::Result<()> {
        self.segment = self.setting.files.append_to(&path(&self.setting.dir, self.number + 1))?;
        self.number += 1;
        self.length = 0;
        Ok(())
    }

    /// After an error: cuts what is not believed from the segment that failed, closes it for good, and goes on
    /// in a new one; in the same one when nothing in it is believed.
    pub(super) fn begin_again(&mut self) -> io::Result<()> {
        self.segment = self.setting.files.append_to(&path(&self.setting.dir, self.number))?;
        self.segment.truncate(self.length)?;
        if self.length > 0 {
            self.open_next()?;
        }
        let history = self.setting.dir.join(marks::HISTORY);
        let whole = marks::whole_history(&self.setting.dir).map_err(io::Error::other)?;
        self.history = self.setting.files.append_to(&history)?;
        self.history.truncate(whole)?;
        self.tiles.begin_again()
    }

    /// Signs the tip and puts it in the place of the latest checkpoint; with `kept`, also into the history and
    /// with its edge.
    pub(super) fn checkpoint(&mut self, kept: bool) -> io::Result<()> {
        let size = self.tip.next();
        let checkpoint = Checkpoint { origin: self.setting.node.clone(), size, root: self.tip.edge.root() };
        let note = checkpoint.sign(&self.setting.key).map_err(io::Error::other)?;
        // The edge is kept after the hashes are on disk: opening goes on from both.
        self.tiles.write(kept)?;
        let Setting { files, dir, .. } = &self.setting;
        files.replace(&dir.join(marks::CHECKPOINT), note.as_bytes())?;
        self.covered = size;
        let note = self.note.insert(note);
        if kept {
            self.history.append(&marks::history_line(note))?;
            self.history.sync()?;
            if let Some(last) = self.last {
                files.replace(&dir.join(marks::EDGE), &marks::edge_text(note, &self.tip, last))?;
            }
        }
        Ok(())
    }

    /// The latest checkpoint that was made here, a signed note.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    pub(super) fn dir(&self) -> &Path {
        &self.setting.dir
    }
    /// The number of the segment that is written.
    pub(super) fn segment(&self) -> u64 {
        self.number
    }
    /// Bytes free on the disk of the log.
    pub(super) fn free(&self) -> io::Result<u64> {
        self.setting.files.free(&self.setting.dir)
    }

    /// Removes the segments up to the end of this one; returns how many. What says where the log begins comes first.
    pub(super) fn remove_up_to(&mut self, base: &Base) -> io::Result<u64> {
        let Setting { files, dir, .. } = &self.setting;
        files.replace(&dir.join(base::REMOVED), &Base::text(&base.note, &base.tip(), base.segment))?;
        let names = base::files_up_to(dir, base.segment)?;
        names.iter().try_for_each(|name| files.remove(&dir.join(name)))?;
        let history = marks::history_from(dir, base.checkpoint.size)?;
        files.replace(&dir.join(marks::HISTORY), &history)?;
        self.history = files.append_to(&dir.join(marks::HISTORY))?;
        Ok(names.len() as u64 / 2)
    }

    /// Gives back the blocks that were reserved and not used.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.segment.truncate(self.length)
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(segment::file_name(number))
}
