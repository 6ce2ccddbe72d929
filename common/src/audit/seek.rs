//! Finding a record by its number: a few lines are read, however long the log is.

use super::base;
use super::error::{AuditError, Finding, FindingKind};
use super::files::open_regular;
use super::line::{self, MAX_LINE};
use super::segment::{self, Reader};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// A segment this short is read from its start.
const SHORT: u64 = 64 << 10;

/// A reader whose next line is record `seq`, or the first after it that is there. `None` when the log ends before.
/// Nothing is verified: the caller compares what it reads.
pub(super) fn reader_at(dir: &Path, seq: u64) -> Result<Option<Reader>, AuditError> {
    let (_, numbers) = base::segments(dir)?;
    let Some(last) = numbers.last().copied() else { return Ok(None) };
    let in_later = |number: &u64| first_seq(dir, *number).map(|first| first.is_none_or(|first| first > seq));
    let (mut low, mut high) = (0, numbers.len());
    while let Some(middle) =
        numbers.get(low..high).filter(|rest| rest.len() > 1).map(|rest| low + rest.len() / 2)
    {
        let Some(number) = numbers.get(middle) else { break };
        (low, high) = if in_later(number)? { (low, middle) } else { (middle, high) };
    }
    let Some(number) = numbers.get(low).copied() else { return Ok(None) };
    let path = dir.join(segment::file_name(number));
    let offset = offset_of(&path, seq).map_err(AuditError::io("read", &path))?;
    Ok(Some(Reader::leaping_to(dir, number, offset, last)?))
}

/// The number of the first record of a segment; `None` when it has no whole line.
fn first_seq(dir: &Path, number: u64) -> Result<Option<u64>, AuditError> {
    let path = dir.join(segment::file_name(number));
    let read = || seq_at(&mut BufReader::new(open_regular(&path)?)).map(|found| found.map(|(seq, _)| seq));
    read().map_err(AuditError::io("read", &path))
}

/// The record at the reader's place, and the bytes of its line; `None` when there is no whole line.
fn seq_at(file: &mut impl BufRead) -> io::Result<Option<(u64, u64)>> {
    let mut text = Vec::new();
    file.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut text)?;
    let bytes = text.len() as u64;
    let whole = text.pop_if(|byte| *byte == b'\n').is_some();
    Ok(line::parse(&text).filter(|_| whole).map(|parsed| (parsed.seq, bytes)))
}

/// Where the line of record `seq`, or of the first after it, begins in a file whose numbers grow.
fn offset_of(path: &Path, seq: u64) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(SHORT as usize, open_regular(path)?);
    let (mut low, mut high) = (0, file.get_ref().metadata()?.len());
    // INVARIANT: a line begins at `low`, and no line before it is the one that is looked for.
    while high - low > SHORT {
        let middle = low + (high - low) / 2;
        let begin = next_line(&mut file, middle)?;
        match seq_at(&mut file)? {
            Some((found, _)) if found <= seq && begin < high => low = begin,
            _ => high = middle,
        }
    }
    file.seek(SeekFrom::Start(low))?;
    while let Some((found, bytes)) = seq_at(&mut file)?.filter(|(found, _)| *found < seq) {
        debug_assert!(found < seq);
        low += bytes;
    }
    Ok(low)
}

/// Goes to the first line that begins after `offset`; returns where that is.
fn next_line(file: &mut BufReader<File>, offset: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(offset))?;
    let mut rest = Vec::new();
    let skipped = file.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut rest)?;
    Ok(offset + skipped as u64)
}

/// The line of record `seq`, without its newline.
pub(super) fn line_of(dir: &Path, seq: u64) -> Result<Option<Vec<u8>>, AuditError> {
    let Some(mut reader) = reader_at(dir, seq)? else { return Ok(None) };
    let mut text = Vec::new();
    let Some((place, segment::End::Whole)) = reader.next(&mut text)? else { return Ok(None) };
    match line::parse(&text) {
        Some(parsed) if parsed.seq == seq => Ok(Some(text)),
        Some(parsed) if parsed.seq > seq => Ok(None),
        _ => Err(place.finding(FindingKind::Edited, seq, "the line is not the record's").into()),
    }
}

/// The records of a log from one number on, in order, one line of JSON each, as far as they are written. Nothing is
/// verified here. When it ends, [`Records::position`] is where a later reading goes on.
#[derive(Debug)]
pub struct Records {
    reader: Option<Reader>,
    next: u64,
}

/// The records of the log in `dir` from number `seq` on. Needs no lock. Where retention removed that record, from
/// the first one there is.
///
/// # Errors
/// When a segment is missing or cannot be read.
pub fn records_from(dir: &Path, seq: u64) -> Result<Records, AuditError> {
    Ok(Records { reader: reader_at(dir, seq)?, next: seq })
}

impl Records {
    /// The number after that of the last record returned.
    pub fn position(&self) -> u64 {
        self.next
    }

    fn read(&mut self) -> Result<Option<(u64, String)>, Finding> {
        let mut text = Vec::new();
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let Some((place, segment::End::Whole)) = reader.next(&mut text)? else { return Ok(None) };
        let edited = || place.finding(FindingKind::Edited, self.next, "the line is not a record");
        let seq = line::parse(&text).ok_or_else(edited)?.seq;
        let text = String::from_utf8(text).map_err(|_| edited())?;
        Ok(Some((seq, text)))
    }
}

impl Iterator for Records {
    /// A record's number and its line, without the newline.
    type Item = Result<(u64, String), Finding>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read() {
                Ok(Some((seq, _))) if seq < self.next => {}
                Ok(Some((seq, text))) => {
                    self.next = seq + 1;
                    return Some(Ok((seq, text)));
                }
                Ok(None) => {
                    self.reader = None;
                    return None;
                }
                Err(finding) => {
                    self.reader = None;
                    return Some(Err(finding));
                }
            }
        }
    }
}
