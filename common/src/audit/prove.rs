//! Proving that one record is under the checkpoint, in the C2SP tlog-proof form other clients can check.

use super::base;
use super::error::{AuditError, Finding, FindingKind};
use super::marks::{self, CHECKPOINT};
use super::note::Checkpoint;
use super::seek;
use super::segment::{End, Reader};
use super::tiles::TileReader;
use super::tree::{Edge, Hash, leaf, path_ranges, root_of_path};
use crate::crypto::PublicKey;
use crate::identity::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::path::Path;

const FORM: &str = "c2sp.org/tlog-proof@v1";

/// That a record is in the log a checkpoint describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record's number: its index in the tree.
    pub seq: u64,
    /// The record's line, without its newline.
    pub line: String,
    /// The hashes beside the way from the record's leaf to the root, from the leaf up.
    pub path: Vec<Digest>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// What a proof that holds has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The origin of the log.
    pub origin: String,
    /// How many records the checkpoint covers.
    pub size: u64,
    /// Their root.
    pub root: Digest,
}

/// Makes the proof of record `seq` of the log in `dir` from its stored hashes: a few reads, however long the log is.
/// Where they are missing or wrong, every covered line is read instead. Memory is bounded.
///
/// # Errors
/// [`AuditError::NoSuchRecord`] when no checkpoint covers it or retention removed it, [`AuditError::Damaged`] when
/// the log has not the root of its checkpoint. The checkpoint's signature is not checked here: [`Proof::verify`]
/// does.
pub fn prove(dir: &Path, seq: u64) -> Result<Proof, AuditError> {
    let (text, checkpoint) = latest(dir)?;
    let size = checkpoint.size;
    let missing = || AuditError::NoSuchRecord { seq, covered: size };
    if seq >= size {
        return Err(missing());
    }
    let reader = TileReader::open(dir);
    let line = seek::line_of(dir, seq).ok().flatten();
    let path: Option<Vec<Hash>> = path_ranges(seq, size).iter().map(|range| reader.root_of(range)).collect();
    let leads = |(line, path): &Found| root_of_path(seq, size, &leaf(line), path) == Some(checkpoint.root);
    let (line, path) = match line.zip(path).filter(leads) {
        Some(found) => found,
        None => by_reading(dir, seq, &checkpoint)?.ok_or_else(missing)?,
    };
    let line = String::from_utf8(line).map_err(|_| AuditError::Proof("the record is not text"))?;
    Ok(Proof { seq, line, path: path.into_iter().map(Digest::from_bytes).collect(), checkpoint: text })
}

/// The latest checkpoint of the log in `dir`, whose signature is not checked.
pub(super) fn latest(dir: &Path) -> Result<(String, Checkpoint), AuditError> {
    let missing = || Finding::of_file(FindingKind::BadCheckpoint, CHECKPOINT, "it is missing or malformed");
    let text = marks::read_checkpoint(dir)?.ok_or_else(missing)?;
    let checkpoint = Checkpoint::read(&text).ok_or_else(missing)?;
    Ok((text, checkpoint))
}

/// A record's line and its path.
type Found = (Vec<u8>, Vec<Hash>);

/// The record and its path from the lines alone. `None` when retention removed the record.
fn by_reading(dir: &Path, seq: u64, to: &Checkpoint) -> Result<Option<Found>, AuditError> {
    let (base, numbers) = base::segments(dir)?;
    let mismatch = |detail: &str| Finding::of_file(FindingKind::RootMismatch, CHECKPOINT, detail);
    if let Some(base) = base {
        let detail =
            "the stored hashes under tiles/ do not lead to the signed root, and lines before it were removed";
        return if seq < base.checkpoint.size { Ok(None) } else { Err(mismatch(detail).into()) };
    }
    let mut reader = Reader::new(dir, 1, numbers.len() as u64);
    let (line, path) = collect(&mut reader, seq, to.size)?;
    if root_of_path(seq, to.size, &leaf(&line), &path) != Some(to.root) {
        return Err(mismatch("the records do not have the root that was signed: verify the log").into());
    }
    Ok(Some((line, path)))
}

/// Reads `size` lines, keeps line `seq` and folds the others into the hashes of its path.
fn collect(reader: &mut Reader, seq: u64, size: u64) -> Result<Found, AuditError> {
    let (mut edges, mut wanted) = (vec![Edge::default(); path_ranges(seq, size).len()], Vec::new());
    let ranges = path_ranges(seq, size);
    fold(reader, size, |index, line| {
        if index == seq {
            wanted.clone_from(line);
        } else if let Some((_, edge)) = ranges.iter().zip(&mut edges).find(|(r, _)| r.contains(&index)) {
            edge.push(leaf(line));
        }
    })?;
    Ok((wanted, edges.iter().map(Edge::root).collect()))
}

/// Gives each of the first `size` lines to `each`.
pub(super) fn fold(
    reader: &mut Reader,
    size: u64,
    mut each: impl FnMut(u64, &Vec<u8>),
) -> Result<(), AuditError> {
    let mut line = Vec::new();
    for index in 0..size {
        let Some((_, End::Whole)) = reader.next(&mut line)? else {
            let detail = format!("it ends after {index} records, the checkpoint covers {size}");
            return Err(Finding::of_file(FindingKind::Truncated, "the log", detail).into());
        };
        each(index, &line);
    }
    Ok(())
}

impl Proof {
    /// Checks the checkpoint's signature and that the record's line leads to its root.
    ///
    /// # Errors
    /// [`AuditError::Damaged`] for the checkpoint, [`AuditError::Proof`] for the rest.
    pub fn verify(&self, key: &PublicKey) -> Result<Proven, AuditError> {
        let checkpoint = marks::open_checkpoint(&self.checkpoint, key)?;
        let path: Vec<Hash> = self.path.iter().map(|d| *d.as_bytes()).collect();
        let root = root_of_path(self.seq, checkpoint.size, &leaf(self.line.as_bytes()), &path)
            .ok_or(AuditError::Proof("its path does not fit the number and the size"))?;
        if root != checkpoint.root {
            return Err(AuditError::Proof("the record does not lead to the signed root"));
        }
        Ok(Proven { origin: checkpoint.origin, size: checkpoint.size, root: Digest::from_bytes(root) })
    }

    /// The proof in the C2SP tlog-proof form. The record's line is not part of it.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FORM}\nindex {}\n", self.seq);
        for hash in &self.path {
            text.push_str(&BASE64.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads the form written by [`Proof::to_text`], for this line.
    ///
    /// # Errors
    /// [`AuditError::Proof`] when the text is not of that form.
    pub fn from_text(text: &str, line: &str) -> Result<Self, AuditError> {
        let malformed = || AuditError::Proof("it is not a tlog-proof");
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        let form = lines.next().filter(|form| *form == FORM);
        let index = form.and_then(|_| lines.next()?.strip_prefix("index ")?.parse().ok());
        let path: Option<Vec<Digest>> = lines.map(hash_of).collect();
        let (seq, path) = index.zip(path).ok_or_else(malformed)?;
        Ok(Self { seq, line: line.to_owned(), path, checkpoint: checkpoint.to_owned() })
    }
}

pub(super) fn hash_of(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = BASE64.decode(text).ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}
