//! Stored hashes of the tree: what a proof needs is read, not computed from the records again.
//!
//! `tiles/L` holds the hashes of the perfect subtrees of 256^L leaves, in order, 32 bytes each. Bytes `8192·N` to
//! `8192·(N+1)` of it are the C2SP tlog tile `tile/L/N`. The files are derived from the records and never
//! believed: a proof made from them is checked against the signed root.

use super::files::{Files, SegmentFile, open_regular};
use super::tree::{Edge, Hash};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of the files.
pub(super) const DIR: &str = "tiles";
/// A hash at one level stands for this many, as a power of two, at the level below.
const HEIGHT: u32 = 8;
/// 256^7 leaves is the largest subtree of a tree whose size is a `u64` that is stored.
const LEVELS: usize = 8;
const HASH: u64 = 32;
/// Bytes of hashes that may wait for the next checkpoint.
const MAX_FRESH: usize = 1 << 20;

fn path(dir: &Path, level: usize) -> PathBuf {
    dir.join(DIR).join(level.to_string())
}

/// How many hashes of `level` a tree of `size` leaves has.
fn count(size: u64, level: usize) -> u64 {
    size.checked_shr(HEIGHT * level as u32).unwrap_or(0)
}

/// Hashes that belong into the files and are not there.
#[derive(Debug, Default)]
pub(super) struct Fresh([Vec<u8>; LEVELS]);

impl Fresh {
    /// Notes the hash of a subtree of this height, if it is one that is stored.
    pub(super) fn note(&mut self, height: u32, hash: &Hash) {
        if height.is_multiple_of(HEIGHT)
            && let Some(level) = self.0.get_mut((height / HEIGHT) as usize)
        {
            level.extend_from_slice(hash);
        }
    }
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

/// One file, whose first `length` bytes are right.
#[derive(Debug, Default)]
struct Level {
    file: Option<Box<dyn SegmentFile>>,
    length: u64,
}

/// The files as the writer of a log keeps them.
#[derive(Debug)]
pub(super) struct Tiles {
    files: Arc<dyn Files>,
    dir: PathBuf,
    levels: [Level; LEVELS],
    fresh: Fresh,
}

impl Tiles {
    /// The files of the log in `dir`, cut to what belongs to its first `size` leaves. `None` when they hold less.
    pub(super) fn at(files: Arc<dyn Files>, dir: &Path, size: u64) -> io::Result<Option<Self>> {
        let whole = (0..LEVELS).all(|level| {
            let length = path(dir, level).metadata().map_or(0, |meta| meta.len());
            length >= count(size, level) * HASH
        });
        if whole { Self::cut_to(files, dir, size).map(Some) } else { Ok(None) }
    }

    /// As [`Tiles::at`]; what is not there is filled with zeros, of which no proof comes.
    pub(super) fn cut_to(files: Arc<dyn Files>, dir: &Path, size: u64) -> io::Result<Self> {
        files.make_dir(&dir.join(DIR))?;
        let mut tiles =
            Self { files, dir: dir.to_owned(), levels: Default::default(), fresh: Fresh::default() };
        for (number, level) in tiles.levels.iter_mut().enumerate() {
            level.length = count(size, number) * HASH;
            let path = path(dir, number);
            let length = path.metadata().ok().map(|meta| meta.len());
            if length.unwrap_or(0) != level.length {
                let mut file = tiles.files.append_to(&path)?;
                file.truncate(level.length)?;
                level.file = Some(file);
            }
        }
        Ok(tiles)
    }

    /// Takes what `fresh` holds; written with the next checkpoint.
    pub(super) fn take(&mut self, fresh: &mut Fresh) {
        for (mine, theirs) in self.fresh.0.iter_mut().zip(&mut fresh.0) {
            mine.append(theirs);
        }
    }

    /// Writes what waits, when it is much.
    pub(super) fn spill(&mut self) -> io::Result<()> {
        let waiting = self.fresh.0.first().map_or(0, Vec::len);
        if waiting > MAX_FRESH { self.write(false) } else { Ok(()) }
    }

    /// Writes what waits; with `sync`, onto the disk.
    pub(super) fn write(&mut self, sync: bool) -> io::Result<()> {
        for (number, (level, fresh)) in self.levels.iter_mut().zip(&mut self.fresh.0).enumerate() {
            if !fresh.is_empty() {
                let file = match &mut level.file {
                    Some(file) => file,
                    none => none.insert(self.files.append_to(&path(&self.dir, number))?),
                };
                file.append(fresh)?;
                level.length += fresh.len() as u64;
                fresh.clear();
            }
            if sync && let Some(file) = &mut level.file {
                file.sync()?;
            }
        }
        Ok(())
    }

    /// After an error: cuts what was half written, so that the next write goes on where the last good one ended.
    pub(super) fn begin_again(&mut self) -> io::Result<()> {
        for (number, level) in self.levels.iter_mut().enumerate() {
            if level.length == 0 && level.file.is_none() {
                continue;
            }
            let mut file = self.files.append_to(&path(&self.dir, number))?;
            file.truncate(level.length)?;
            level.file = Some(file);
        }
        Ok(())
    }
}

/// The files as a reader finds them. Nothing read is believed before it has led to a signed root.
#[derive(Debug)]
pub(super) struct TileReader {
    levels: Vec<File>,
}

impl TileReader {
    pub(super) fn open(dir: &Path) -> Self {
        Self { levels: (0..LEVELS).map_while(|level| open_regular(&path(dir, level)).ok()).collect() }
    }

    /// The hash of the perfect subtree of 2^height leaves that starts at leaf `start`.
    fn subtree(&self, start: u64, height: u32) -> Option<Hash> {
        let level = (height / HEIGHT) as usize;
        let below = 1_u64 << (height % HEIGHT);
        let mut bytes = vec![0; (below * HASH) as usize];
        let first = count(start, level);
        self.levels.get(level)?.read_exact_at(&mut bytes, first * HASH).ok()?;
        let mut edge = Edge::default();
        bytes.as_chunks::<32>().0.iter().for_each(|hash| edge.push(*hash));
        Some(edge.root())
    }

    /// The edge of the leaves in `range`, whose start is a multiple of the smallest power of two that holds it.
    fn edge_of(&self, range: &Range<u64>) -> Option<Edge> {
        let size = range.end.checked_sub(range.start)?;
        let (mut at, mut hashes) = (range.start, Vec::new());
        while at < range.end {
            let height = (range.end - at).ilog2();
            hashes.push(self.subtree(at, height)?);
            at += 1 << height;
        }
        Edge::from_parts(size, hashes)
    }

    /// The root of the leaves in `range`; the start as in [`path_ranges`](super::tree::path_ranges).
    pub(super) fn root_of(&self, range: &Range<u64>) -> Option<Hash> {
        self.edge_of(range).map(|edge| edge.root())
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::SystemFiles;
    use super::super::tree::{consistency_ranges, is_consistent, leaf, path_ranges, root_of_path};
    use super::*;

    fn grow(tiles: &mut Tiles, edge: &mut Edge, to: u64) {
        let mut fresh = Fresh::default();
        while edge.size() < to {
            let next = leaf(&edge.size().to_le_bytes());
            edge.push_seen(next, |height, hash| fresh.note(height, hash));
        }
        tiles.take(&mut fresh);
        tiles.write(true).unwrap();
    }

    #[test]
    fn proofs_from_stored_hashes_lead_to_the_root_across_levels() {
        let dir = tempfile::tempdir().unwrap();
        let files: Arc<dyn Files> = Arc::new(SystemFiles);
        let mut tiles = Tiles::at(files, dir.path(), 0).unwrap().unwrap();
        let mut edge = Edge::default();
        let mut roots = vec![(0, edge.root())];
        for size in [1, 255, 256, 257, 1_000, 65_535, 65_537, 66_000] {
            grow(&mut tiles, &mut edge, size);
            roots.push((size, edge.root()));
            let reader = TileReader::open(dir.path());
            assert_eq!(reader.root_of(&(0..size)), Some(edge.root()));
            for index in [0, size / 3, size - 1] {
                let path: Vec<_> =
                    path_ranges(index, size).iter().map(|r| reader.root_of(r).unwrap()).collect();
                let leaf = leaf(&index.to_le_bytes());
                assert_eq!(root_of_path(index, size, &leaf, &path), Some(edge.root()), "{index} of {size}");
            }
            for (old, root) in &roots {
                let path: Vec<_> =
                    consistency_ranges(*old, size).iter().map(|r| reader.root_of(r).unwrap()).collect();
                assert!(is_consistent(*old, root, size, &edge.root(), &path), "{old} of {size}");
            }
        }
        assert_eq!(std::fs::metadata(dir.path().join("tiles/2")).unwrap().len(), 32);
        assert_eq!(TileReader::open(dir.path()).root_of(&(0..66_001)), None);
    }

    #[test]
    fn files_are_cut_to_a_size_and_too_short_ones_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let files: Arc<dyn Files> = Arc::new(SystemFiles);
        let mut tiles = Tiles::at(files.clone(), dir.path(), 0).unwrap().unwrap();
        let (mut edge, mut half) = (Edge::default(), Edge::default());
        grow(&mut tiles, &mut edge, 700);
        assert!(Tiles::at(files.clone(), dir.path(), 701).unwrap().is_none());
        let mut again = Tiles::at(files.clone(), dir.path(), 300).unwrap().unwrap();
        (0..300_u64).for_each(|i| half.push(leaf(&i.to_le_bytes())));
        grow(&mut again, &mut half, 700);
        again.begin_again().unwrap();
        assert_eq!(TileReader::open(dir.path()).root_of(&(0..700)), Some(edge.root()));
    }
}
