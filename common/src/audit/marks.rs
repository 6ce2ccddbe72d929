//! The files that vouch for a log beside its segments: the latest checkpoint, the history of checkpoints, and
//! the tree's edge, from which opening goes on without reading every line again.

use super::error::{AuditError, Finding, FindingKind};
use super::files::open_regular;
use super::line::escape;
use super::note::{Checkpoint, MAX_NOTE, NoteError};
use super::tree::Edge;
use super::walk::Tip;
use crate::crypto::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The latest signed checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Earlier checkpoints, each as a JSON string on its line.
pub(super) const HISTORY: &str = "checkpoints";
/// A checkpoint with the edge of its tree and the place of its last line.
pub(super) const EDGE: &str = "edge";

/// The text of the checkpoint in `dir`, when there is one.
pub(super) fn read_checkpoint(dir: &Path) -> Result<Option<String>, Finding> {
    read_small(&dir.join(CHECKPOINT), MAX_NOTE)
}

pub(super) fn read_small(path: &Path, limit: usize) -> Result<Option<String>, Finding> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Finding::unreadable(path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|e| Finding::unreadable(path, &e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let malformed = || Finding::of_file(FindingKind::BadCheckpoint, &name, "it is too long or not text");
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    if text.len() > limit { Err(malformed()) } else { Ok(Some(text)) }
}

/// The checkpoint in this text, if `key` signed it.
pub(super) fn open_checkpoint(text: &str, key: &PublicKey) -> Result<Checkpoint, Finding> {
    Checkpoint::open(text, key).map_err(|error| bad_note(error, CHECKPOINT))
}

fn bad_note(error: NoteError, file: &str) -> Finding {
    let kind = if error == NoteError::Key { FindingKind::WrongKey } else { FindingKind::BadCheckpoint };
    Finding::of_file(kind, file, error.to_string())
}

/// The line of a note in the history.
pub(super) fn history_line(note: &str) -> Vec<u8> {
    let mut line = Vec::new();
    escape(&mut line, note);
    line.push(b'\n');
    line
}

/// The history as it was when opened, read one checkpoint at a time.
#[derive(Debug)]
pub(super) struct History {
    file: Option<std::io::Take<BufReader<File>>>,
    line: u64,
    offset: u64,
}

impl History {
    pub(super) fn open(dir: &Path) -> Result<Self, Finding> {
        let path = dir.join(HISTORY);
        let file = match open_regular(&path) {
            Ok(file) => {
                let length = file.metadata().map_err(|e| Finding::unreadable(&path, &e))?.len();
                Some(BufReader::new(file).take(length))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Finding::unreadable(&path, &error)),
        };
        Ok(Self { file, line: 0, offset: 0 })
    }

    /// The next checkpoint. An unfinished last line is the end when it is the start of `current`'s line: what
    /// a writer killed in between leaves.
    pub(super) fn next(&mut self, key: &PublicKey, current: &str) -> Result<Option<Checkpoint>, Finding> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut line = Vec::new();
        let limit = MAX_NOTE as u64 * 2;
        let read = file.take(limit).read_until(b'\n', &mut line);
        read.map_err(|e| Finding::of_file(FindingKind::Unreadable, HISTORY, e.to_string()))?;
        self.line += 1;
        let offset = self.offset;
        self.offset += line.len() as u64;
        if line.is_empty() || !line.ends_with(b"\n") && history_line(current).starts_with(&line) {
            return Ok(None);
        }
        if line.contains(&0) && file.fill_buf().is_ok_and(<[u8]>::is_empty) {
            return Ok(None);
        }
        let note: Option<String> = serde_json::from_slice(&line).ok();
        let exact = note.filter(|note| history_line(note) == line);
        let opened = exact.ok_or(NoteError::Form).and_then(|note| Checkpoint::open(&note, key));
        let place = |f: Finding| Finding { line: self.line, offset, ..f };
        opened.map(Some).map_err(|error| place(bad_note(error, HISTORY)))
    }
}

/// What a checkpoint is that covers less than this one, found in `file`.
pub(super) fn outdated(file: &str, other: &Checkpoint) -> Finding {
    let detail = format!("an earlier one, in `{file}`, covers {} records", other.size);
    Finding::of_file(FindingKind::RolledBack, CHECKPOINT, detail)
}

/// The last whole line of the history. What follows it is the line of one checkpoint that was not finished.
pub(super) fn last_of_history(dir: &Path, key: &PublicKey) -> Result<Option<Checkpoint>, AuditError> {
    const LINE: u64 = MAX_NOTE as u64 * 2;
    let path = dir.join(HISTORY);
    let whole = whole_history(dir)?;
    let failed = |e| AuditError::io("read", &path)(e);
    let length = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let malformed = |offset| Finding { offset, ..bad_note(NoteError::Form, HISTORY) };
    if length - whole > LINE {
        return Err(malformed(whole).into());
    }
    let from = whole.saturating_sub(LINE);
    let mut bytes = Vec::new();
    let mut file = open_regular(&path).map_err(failed)?;
    let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(whole - from).read_to_end(&mut bytes));
    read.map_err(failed)?;
    let Some(lines) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or(lines);
    let offset = whole - line.len() as u64 - 1;
    let note: Option<String> = serde_json::from_slice(line).ok();
    let opened = note.ok_or(NoteError::Form).and_then(|note| Checkpoint::open(&note, key));
    opened.map(Some).map_err(|error| Finding { offset, ..bad_note(error, HISTORY) }.into())
}

/// The lines of the history whose checkpoints cover at least `size` records.
pub(super) fn history_from(dir: &Path, size: u64) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut lines = BufReader::new(open_regular(&dir.join(HISTORY))?);
    loop {
        let mut line = Vec::new();
        if (&mut lines).take(MAX_NOTE as u64 * 2).read_until(b'\n', &mut line)? == 0 {
            return Ok(kept);
        }
        let note: Option<String> = serde_json::from_slice(&line).ok();
        // A line that is no checkpoint is damage, and not to be hidden by removing it.
        if note.and_then(|note| Checkpoint::read(&note)).is_none_or(|checkpoint| checkpoint.size >= size) {
            kept.extend_from_slice(&line);
        }
    }
}

/// How many bytes of the history are whole lines. A last line with a zero byte is none: what was not synced may come
/// back from a loss of power as zeros.
pub(super) fn whole_history(dir: &Path) -> Result<u64, AuditError> {
    let path = dir.join(HISTORY);
    let failed = |e| AuditError::io("read", &path)(e);
    let mut reader = match open_regular(&path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let (mut at, mut whole, mut zeros) = (0, 0, false);
    loop {
        let block = reader.fill_buf().map_err(failed)?;
        if block.is_empty() {
            return Ok(whole);
        }
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            at += line.len() as u64;
            zeros |= line.contains(&0);
            if line.ends_with(b"\n") {
                whole = if zeros { whole } else { at };
                zeros = false;
            }
        }
        let length = block.len();
        reader.consume(length);
    }
}

/// Where the last line of a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastLine {
    pub segment: u64,
    pub offset: u64,
}

/// A checkpoint, the tree before its last line, and where that line is: the root of both together must be the
/// checkpoint's, so this file need not be believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EdgeFile {
    pub checkpoint: Checkpoint,
    pub before: Edge,
    pub last: LastLine,
}

pub(super) fn edge_text(note: &str, tip: &Tip, last: LastLine) -> Vec<u8> {
    let mut text = history_line(note);
    text.extend_from_slice(format!("{} {}\n", last.segment, last.offset).as_bytes());
    for hash in tip.before.hashes() {
        text.extend_from_slice(BASE64.encode(hash).as_bytes());
        text.push(b'\n');
    }
    text
}

impl EdgeFile {
    /// The edge in `dir`; `None` when there is none that can be used, which costs a longer opening.
    pub(super) fn read(dir: &Path, key: &PublicKey) -> Option<Self> {
        let text = read_small(&dir.join(EDGE), MAX_NOTE * 4).ok().flatten()?;
        let mut lines = text.lines();
        let note: String = serde_json::from_str(lines.next()?).ok()?;
        let checkpoint = Checkpoint::open(&note, key).ok()?;
        let (segment, offset) = lines.next()?.split_once(' ')?;
        let last = LastLine { segment: segment.parse().ok()?, offset: offset.parse().ok()? };
        let hashes: Option<Vec<_>> =
            lines.map(|line| BASE64.decode(line).ok().and_then(|h| h.try_into().ok())).collect();
        let before = Edge::from_parts(checkpoint.size.checked_sub(1)?, hashes?)?;
        Some(Self { checkpoint, before, last })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::leaf;
    use super::*;
    use crate::crypto::{Algorithm, SigningKey};

    fn note(key: &SigningKey, size: u64) -> String {
        Checkpoint { origin: "n".into(), size, root: [1; 32] }.sign(key).unwrap()
    }

    #[test]
    fn the_history_reads_back_and_only_its_own_torn_end_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let (a, b) = (note(&key, 1), note(&key, 2));
        let path = dir.path().join(HISTORY);
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut history = History::open(dir.path()).unwrap();
            let mut sizes = Vec::new();
            while let Some(checkpoint) = history.next(&key.public(), &b)? {
                sizes.push(checkpoint.size);
            }
            Ok::<_, Finding>(sizes)
        };
        let full = [history_line(&a), history_line(&b)].concat();
        assert_eq!(read(&full).unwrap(), [1, 2]);
        let first = history_line(&a).len();
        for cut in first..full.len() {
            assert_eq!(read(&full[..cut]).unwrap(), [1]);
            assert_eq!(whole_history(dir.path()).unwrap(), first as u64);
        }
        for at in 0..full.len() {
            let mut bad = full.clone();
            bad[at] ^= 4;
            assert!(read(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_edge_reads_back_and_a_changed_one_is_not_used_or_differs() {
        let dir = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let mut tip = Tip::start();
        (0..7_u8).for_each(|i| tip.push(leaf(&[i])));
        let checkpoint = Checkpoint { origin: "n".into(), size: 7, root: tip.edge.root() };
        let last = LastLine { segment: 2, offset: 900 };
        let text = edge_text(&checkpoint.sign(&key).unwrap(), &tip, last);
        let want = EdgeFile { checkpoint, before: tip.before, last };
        let path = dir.path().join(EDGE);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(EdgeFile::read(dir.path(), &key.public()).as_ref(), Some(&want));
        for at in 0..text.len() - 1 {
            let mut bad = text.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_ne!(EdgeFile::read(dir.path(), &key.public()).as_ref(), Some(&want), "byte {at}");
        }
    }
}
