//! Proving that one record is under the checkpoint, in the C2SP tlog-proof form other clients can check.

use super::error::{AuditError, Finding, FindingKind};
use super::marks::{self, CHECKPOINT};
use super::note::Checkpoint;
use super::segment::{self, End, Reader};
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

/// Makes the proof of record `seq` of the log in `dir`. Reads every covered line; memory is bounded.
///
/// # Errors
/// [`AuditError::NoSuchRecord`] when no checkpoint covers it, [`AuditError::Damaged`] when the log has not the
/// root of its checkpoint. The checkpoint's signature is not checked here: [`Proof::verify`] does.
pub fn prove(dir: &Path, seq: u64) -> Result<Proof, AuditError> {
    let missing = || Finding::of_file(FindingKind::BadCheckpoint, CHECKPOINT, "it is missing or malformed");
    let text = marks::read_checkpoint(dir)?.ok_or_else(missing)?;
    let checkpoint = Checkpoint::read(&text).ok_or_else(missing)?;
    if seq >= checkpoint.size {
        return Err(AuditError::NoSuchRecord { seq, covered: checkpoint.size });
    }
    let numbers = segment::list_whole(dir)?;
    let mut reader = Reader::new(dir, 1, numbers.len() as u64);
    let (line, path) = collect(&mut reader, seq, checkpoint.size)?;
    let root = root_of_path(seq, checkpoint.size, &leaf(&line), &path);
    if root != Some(checkpoint.root) {
        let detail = "the records do not have the root that was signed: verify the log";
        return Err(Finding::of_file(FindingKind::RootMismatch, CHECKPOINT, detail).into());
    }
    let line = String::from_utf8(line).map_err(|_| AuditError::Proof("the record is not text"))?;
    Ok(Proof { seq, line, path: path.into_iter().map(Digest::from_bytes).collect(), checkpoint: text })
}

/// Reads `size` lines, keeps line `seq` and folds the others into the hashes of its path.
fn collect(reader: &mut Reader, seq: u64, size: u64) -> Result<(Vec<u8>, Vec<Hash>), AuditError> {
    // Each range of the path is folded by itself; they come in the order of the leaves, so one is open at a time.
    let ranges = path_ranges(seq, size);
    let mut edges = vec![Edge::default(); ranges.len()];
    let (mut line, mut wanted) = (Vec::new(), Vec::new());
    for index in 0..size {
        let Some((_, End::Whole)) = reader.next(&mut line)? else {
            let detail = format!("it ends after {index} records, the checkpoint covers {size}");
            return Err(Finding::of_file(FindingKind::Truncated, "the log", detail).into());
        };
        if index == seq {
            wanted.clone_from(&line);
        } else if let Some((_, edge)) =
            ranges.iter().zip(&mut edges).find(|(range, _)| range.contains(&index))
        {
            edge.push(leaf(&line));
        }
    }
    Ok((wanted, edges.iter().map(Edge::root).collect()))
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

fn hash_of(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = BASE64.decode(text).ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}
