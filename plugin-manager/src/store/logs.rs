//! What plugins logged, in files bounded in size and number. Control characters never reach a file.

use super::StoreError;
use super::disk::gone;
use common::identity::Name;
use parking_lot::Mutex;
use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much is kept of one plugin's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes at which the current file is rotated.
    pub file_bytes: u64,
    /// Files kept, the current one included.
    pub files: u32,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { file_bytes: 4 << 20, files: 4 }
    }
}

const LOCKS: usize = 16;
/// Bytes read at once from the end of a file.
const CHUNK: u64 = 64 << 10;

/// The logs of all plugins of a home: `logs/<plugin>/current.log`, then `1.log`, `2.log`, … going back.
#[derive(Debug)]
pub struct LogFiles {
    dir: PathBuf,
    limits: LogLimits,
    // A plugin's appends and rotations follow one another; plugins share a lock by chance, not all one.
    locks: [Mutex<()>; LOCKS],
}

impl LogFiles {
    pub(super) fn new(dir: PathBuf, limits: LogLimits) -> Self {
        Self { dir, limits, locks: [const { Mutex::new(()) }; LOCKS] }
    }

    /// Appends a block of whole lines, each ended by `\n`. Other control characters are written as `\xNN`, so
    /// that no line can drive a terminal; the writer of the block must have escaped line ends inside a line.
    /// A block longer than a file is cut at its end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, plugin: &Name, block: &[u8]) -> Result<(), StoreError> {
        let mut text = escaped(block);
        text.truncate(usize::try_from(self.limits.file_bytes).unwrap_or(usize::MAX));
        let _held = self.lock(plugin).map(Mutex::lock);
        let dir = self.dir.join(plugin.as_str());
        let current = dir.join("current.log");
        let written = self.room(&dir, &current, text.len()).and_then(|mut file| file.write_all(&text));
        written.map_err(StoreError::io("append to", current))
    }

    /// The last `lines` lines, oldest first. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    pub fn tail(&self, plugin: &Name, lines: usize) -> Result<Vec<String>, StoreError> {
        let _held = self.lock(plugin).map(Mutex::lock);
        let dir = self.dir.join(plugin.as_str());
        let mut newest_first = Vec::new();
        for number in 0..self.limits.files {
            let path = numbered(&dir, number);
            match File::open(&path).and_then(|file| last_lines(file, lines, &mut newest_first)) {
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                other => other.map_err(StoreError::io("read", path))?,
            }
            if newest_first.len() >= lines {
                break;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Removes a plugin's logs.
    ///
    /// # Errors
    /// When they are there and cannot be removed.
    pub fn remove(&self, plugin: &Name) -> Result<(), StoreError> {
        let _held = self.lock(plugin).map(Mutex::lock);
        let dir = self.dir.join(plugin.as_str());
        gone(std::fs::remove_dir_all(&dir)).map_err(StoreError::io("remove", dir))
    }

    fn lock(&self, plugin: &Name) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        plugin.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        self.locks.get(index)
    }

    /// The current file, rotated first when it lacks room for `more` bytes.
    fn room(&self, dir: &Path, current: &Path, more: usize) -> std::io::Result<File> {
        let file = open(dir, current)?;
        let length = file.metadata()?.len();
        if length == 0 || length.saturating_add(more as u64) <= self.limits.file_bytes {
            return Ok(file);
        }
        self.rotate(dir)?;
        open(dir, current)
    }

    fn rotate(&self, dir: &Path) -> std::io::Result<()> {
        let last = self.limits.files.saturating_sub(1);
        gone(std::fs::remove_file(numbered(dir, last)))?;
        (0..last).rev().try_for_each(|n| gone(std::fs::rename(numbered(dir, n), numbered(dir, n + 1))))
    }
}

fn open(dir: &Path, current: &Path) -> std::io::Result<File> {
    let options = OpenOptions::new().append(true).create(true).mode(0o600).clone();
    match options.open(current) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
            options.open(current)
        }
        other => other,
    }
}

fn numbered(dir: &Path, number: u32) -> PathBuf {
    if number == 0 { dir.join("current.log") } else { dir.join(format!("{number}.log")) }
}

/// C0 controls but the line end and the tab, DEL, and the C1 controls, which are two bytes in UTF-8.
fn escaped(block: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.len());
    let mut before = 0;
    for &byte in block {
        let c1 = before == 0xc2 && (0x80..0xa0).contains(&byte);
        if c1 {
            out.pop();
        }
        if c1 || (byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t')) {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            out.push(byte);
        }
        before = byte;
    }
    out
}

/// Reads a file backwards until `wanted` lines are there in all; appends its lines, newest first.
fn last_lines(mut file: File, wanted: usize, newest_first: &mut Vec<String>) -> std::io::Result<()> {
    let mut from = file.metadata()?.len();
    let mut bytes: Vec<u8> = Vec::new();
    while from > 0 && bytes.iter().filter(|b| **b == b'\n').count() <= wanted - newest_first.len() {
        let start = from.saturating_sub(CHUNK);
        let mut chunk = vec![0; usize::try_from(from - start).unwrap_or_default()];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk)?;
        chunk.extend_from_slice(&bytes);
        (bytes, from) = (chunk, start);
    }
    let text = String::from_utf8_lossy(&bytes);
    let missing = wanted.saturating_sub(newest_first.len());
    newest_first.extend(text.lines().rev().take(missing).map(str::to_owned));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(dir: &Path, file_bytes: u64, files: u32) -> (LogFiles, Name) {
        (LogFiles::new(dir.to_owned(), LogLimits { file_bytes, files }), Name::new("a").unwrap())
    }

    #[test]
    fn the_last_lines_come_back_oldest_first_across_files() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, a) = logs(dir.path(), 40, 4);
        assert_eq!(logs.tail(&a, 5).unwrap(), [""; 0]);
        for i in 0..10 {
            logs.append(&a, format!("line {i} of ten\n").as_bytes()).unwrap();
        }
        let tail = logs.tail(&a, 5).unwrap();
        assert_eq!(tail, (5..10).map(|i| format!("line {i} of ten")).collect::<Vec<_>>());
        assert_eq!(logs.tail(&a, 0).unwrap(), [""; 0]);
        assert_eq!(logs.tail(&Name::new("b").unwrap(), 5).unwrap(), [""; 0]);
        logs.remove(&a).unwrap();
        logs.remove(&a).unwrap();
        assert_eq!(logs.tail(&a, 5).unwrap(), [""; 0]);
    }

    #[test]
    fn size_and_number_of_files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, a) = logs(dir.path(), 100, 3);
        for i in 0..1000 {
            logs.append(&a, format!("{i}\n").as_bytes()).unwrap();
        }
        logs.append(&a, &[b'x'; 1000]).unwrap();
        let files: Vec<_> = std::fs::read_dir(dir.path().join("a")).unwrap().map(|f| f.unwrap()).collect();
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|f| f.metadata().unwrap().len() <= 100));
        let (logs, a) = (LogFiles::new(dir.path().join("one"), LogLimits { file_bytes: 10, files: 1 }), a);
        for _ in 0..9 {
            logs.append(&a, b"12345678\n").unwrap();
        }
        assert_eq!(logs.tail(&a, 9).unwrap(), ["12345678"]);
    }

    #[test]
    fn a_tail_longer_than_one_chunk_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, a) = logs(dir.path(), 1 << 20, 2);
        let lines: Vec<String> = (0..20_000).map(|i| format!("line number {i}")).collect();
        logs.append(&a, (lines.join("\n") + "\n").as_bytes()).unwrap();
        assert_eq!(logs.tail(&a, 15_000).unwrap(), lines[5_000..]);
        assert_eq!(logs.tail(&a, usize::MAX).unwrap(), lines);
    }

    #[test]
    fn fault_045_control_characters_never_reach_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, a) = logs(dir.path(), 1 << 20, 2);
        logs.append(&a, "\u{1b}[31mred\u{7}\r \u{9b}2J é\ttab\u{7f}\n".as_bytes()).unwrap();
        logs.append(&a, b"\xff bytes\n").unwrap();
        let tail = logs.tail(&a, 2).unwrap();
        assert_eq!(tail, ["\\x1b[31mred\\x07\\x0d \\x9b2J é\ttab\\x7f", "\u{fffd} bytes"]);
    }
}
