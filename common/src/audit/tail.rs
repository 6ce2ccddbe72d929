//! The last records of a log, read when they are asked for. Nothing is verified here.

use super::base;
use super::error::{AuditError, Finding};
use super::files::open_regular;
use super::segment::{self, End, Reader};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const BLOCK: u64 = 64 << 10;

/// The last records of a log, oldest first, one line of JSON each.
#[derive(Debug)]
pub struct Tail {
    reader: Option<Reader>,
}

/// The last `n` records of the log in `dir`, or all when there are fewer. Needs no lock.
///
/// # Errors
/// When a segment is missing or cannot be read.
pub fn tail(dir: &Path, n: u64) -> Result<Tail, AuditError> {
    let (_, numbers) = base::segments(dir)?;
    let last = numbers.last().copied().unwrap_or(0);
    let (mut missing, mut start) = (n, None);
    for number in numbers.into_iter().rev() {
        if missing == 0 {
            break;
        }
        let path = dir.join(segment::file_name(number));
        let (offset, found) = last_lines(&path, missing).map_err(AuditError::io("read", &path))?;
        missing -= found;
        start = Some((number, offset));
    }
    let reader = start.map(|(number, offset)| Reader::starting_at(dir, number, offset, last)).transpose()?;
    Ok(Tail { reader })
}

/// Where the last `n` whole lines of a file begin, and how many of them there are.
pub(super) fn last_lines(path: &Path, n: u64) -> io::Result<(u64, u64)> {
    let file = open_regular(path)?;
    let mut end = file.metadata()?.len();
    let mut ends_seen = 0;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.resize((end - start) as usize, 0);
        file.read_exact_at(&mut block, start)?;
        for (at, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if ends_seen == n {
                return Ok((start + at as u64 + 1, n));
            }
            ends_seen += 1;
        }
        end = start;
    }
    Ok((0, ends_seen))
}

impl Iterator for Tail {
    type Item = Result<String, Finding>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.reader.as_mut()?.next(&mut line) {
            Ok(Some((_, End::Whole))) => Some(Ok(String::from_utf8_lossy(&line).into_owned())),
            Ok(_) => {
                self.reader = None;
                None
            }
            Err(finding) => {
                self.reader = None;
                Some(Err(finding))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_read_across_segments_without_a_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let write =
            |number, text: &str| std::fs::write(dir.path().join(segment::file_name(number)), text).unwrap();
        let long = "x".repeat(BLOCK as usize + 5);
        write(1, "a\nb\n");
        write(2, &format!("{long}\nc\n"));
        write(3, "");
        write(4, "d\ntorn");
        let all = ["a", "b", &long, "c", "d"];
        for n in 0..7 {
            let lines: Vec<String> = tail(dir.path(), n).unwrap().map(Result::unwrap).collect();
            assert_eq!(lines, all[all.len().saturating_sub(n as usize)..], "{n}");
        }
    }

    #[test]
    fn an_empty_directory_has_no_records() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(tail(dir.path(), 3).unwrap().count(), 0);
    }
}
