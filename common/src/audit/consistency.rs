//! Proving that a log continues an earlier checkpoint, in the form a C2SP tlog-witness is asked in.

use super::base;
use super::error::{AuditError, Finding, FindingKind};
use super::note::Checkpoint;
use super::prove::{fold, hash_of, latest};
use super::segment::Reader;
use super::tiles::TileReader;
use super::tree::{Edge, Hash, consistency_ranges, is_consistent, leaf};
use crate::crypto::PublicKey;
use crate::identity::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::path::Path;

/// That the log one checkpoint describes begins with the one another describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// How many records the earlier checkpoint covers.
    pub old: u64,
    /// The hashes that lead from the earlier root to the later one (RFC 6962, 2.1.2).
    pub path: Vec<Digest>,
    /// The later checkpoint, a signed note.
    pub checkpoint: String,
}

/// What a proof of consistency that holds has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistent {
    /// The origin of the log.
    pub origin: String,
    /// How many records both checkpoints cover.
    pub old: u64,
    /// How many the later one covers.
    pub size: u64,
    /// The root of the later one.
    pub root: Digest,
}

/// Makes the proof that the log in `dir` continues one that had `old` records, up to its latest checkpoint. Reads a
/// few stored hashes, or every covered line where those are missing or wrong.
///
/// # Errors
/// [`AuditError::NoSuchRecord`] when the log has fewer records, [`AuditError::Damaged`] when it has not the root of
/// its checkpoint. Whether it continues a given checkpoint is for [`Consistency::verify`] to say.
pub fn prove_consistency(dir: &Path, old: u64) -> Result<Consistency, AuditError> {
    let (text, checkpoint) = latest(dir)?;
    if old > checkpoint.size {
        return Err(AuditError::NoSuchRecord { seq: old.saturating_sub(1), covered: checkpoint.size });
    }
    let reader = TileReader::open(dir);
    let ranges = consistency_ranges(old, checkpoint.size);
    let path: Option<Vec<Hash>> = ranges.iter().map(|range| reader.root_of(range)).collect();
    let leads = |path: &Vec<Hash>| {
        let old_root = reader.root_of(&(0..old));
        old_root.is_some_and(|root| is_consistent(old, &root, checkpoint.size, &checkpoint.root, path))
    };
    let path = match path.filter(leads) {
        Some(path) => path,
        None => by_reading(dir, old, &checkpoint)?,
    };
    Ok(Consistency { old, path: path.into_iter().map(Digest::from_bytes).collect(), checkpoint: text })
}

/// Checks that the log in `dir` continues `earlier`, a signed note kept elsewhere, without reading its lines: that
/// the log still holds them is for [`verify_against`](super::verify_against) to say.
///
/// # Errors
/// [`FindingKind::RolledBack`] when it covers more than the log's own checkpoint, [`FindingKind::Rewritten`] when
/// the log does not continue it, and other findings for notes that are no checkpoints of `key`.
pub fn continues(dir: &Path, key: &PublicKey, earlier: &str) -> Result<(), AuditError> {
    const NAME: &str = "kept checkpoint";
    let bad =
        |error: super::note::NoteError| Finding::of_file(FindingKind::BadCheckpoint, NAME, error.to_string());
    let kept = Checkpoint::open_among(earlier, key).map_err(bad)?;
    let size = match super::marks::read_checkpoint(dir)? {
        Some(text) => super::marks::open_checkpoint(&text, key)?.size,
        None => 0,
    };
    if kept.size > size {
        let detail = format!("it covers {} records, the log's own checkpoint {size}", kept.size);
        return Err(Finding::of_file(FindingKind::RolledBack, NAME, detail).into());
    }
    match prove_consistency(dir, kept.size)?.verify(earlier, key) {
        Ok(_) => Ok(()),
        Err(AuditError::Proof(why)) => Err(Finding::of_file(FindingKind::Rewritten, NAME, why).into()),
        Err(other) => Err(other),
    }
}

fn by_reading(dir: &Path, old: u64, to: &Checkpoint) -> Result<Vec<Hash>, AuditError> {
    let (base, numbers) = base::segments(dir)?;
    let mismatch =
        |detail: &str| Finding::of_file(FindingKind::RootMismatch, super::marks::CHECKPOINT, detail);
    if base.is_some() {
        let detail = "the stored hashes under tiles/ do not lead to the signed root, and lines were removed";
        return Err(mismatch(detail).into());
    }
    let ranges = consistency_ranges(old, to.size);
    let mut edges = vec![Edge::default(); ranges.len()];
    let (mut whole, mut old_root) = (Edge::default(), Edge::default().root());
    fold(&mut Reader::new(dir, 1, numbers.len() as u64), to.size, |index, line| {
        let leaf = leaf(line);
        whole.push(leaf);
        if whole.size() == old {
            old_root = whole.root();
        }
        if let Some((_, edge)) = ranges.iter().zip(&mut edges).find(|(range, _)| range.contains(&index)) {
            edge.push(leaf);
        }
    })?;
    let path: Vec<Hash> = edges.iter().map(Edge::root).collect();
    if whole.root() != to.root || !is_consistent(old, &old_root, to.size, &to.root, &path) {
        return Err(mismatch("the records do not have the root that was signed: verify the log").into());
    }
    Ok(path)
}

impl Consistency {
    /// Checks both signatures and that the later log continues `earlier`, a signed note kept elsewhere.
    ///
    /// # Errors
    /// [`AuditError::Damaged`] for a checkpoint, [`AuditError::Proof`] for the rest.
    pub fn verify(&self, earlier: &str, key: &PublicKey) -> Result<Consistent, AuditError> {
        let open = |note: &str, name: &str| {
            let bad = |error: super::note::NoteError| {
                Finding::of_file(FindingKind::BadCheckpoint, name, error.to_string())
            };
            Checkpoint::open_among(note, key).map_err(bad)
        };
        let (before, now) =
            (open(earlier, "earlier checkpoint")?, open(&self.checkpoint, "later checkpoint")?);
        if before.origin != now.origin {
            return Err(AuditError::Proof("the checkpoints are of different logs"));
        }
        if before.size != self.old {
            return Err(AuditError::Proof("it is for another size than the earlier checkpoint's"));
        }
        let path: Vec<Hash> = self.path.iter().map(|digest| *digest.as_bytes()).collect();
        if !is_consistent(before.size, &before.root, now.size, &now.root, &path) {
            return Err(AuditError::Proof("the later log does not continue the earlier one"));
        }
        let root = Digest::from_bytes(now.root);
        Ok(Consistent { origin: now.origin, old: before.size, size: now.size, root })
    }

    /// The body of a C2SP tlog-witness `add-checkpoint` request.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.path {
            text.push_str(&BASE64.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads the form written by [`Consistency::to_text`].
    ///
    /// # Errors
    /// [`AuditError::Proof`] when the text is not of that form.
    pub fn from_text(text: &str) -> Result<Self, AuditError> {
        let malformed = || AuditError::Proof("it is not a proof of consistency");
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")?.parse().ok());
        let path: Option<Vec<Digest>> = lines.map(hash_of).collect();
        let (old, path) = old.zip(path).ok_or_else(malformed)?;
        Ok(Self { old, path, checkpoint: checkpoint.to_owned() })
    }
}
