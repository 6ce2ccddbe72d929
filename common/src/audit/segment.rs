//! Reading segments line by line, in order, in bounded memory, with the place of each line.

use super::error::{Finding, FindingKind};
use super::files::open_regular;
use super::line::MAX_LINE;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The file name of a segment.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:010}.jsonl")
}

/// The numbers of the segments in `dir`, in order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".jsonl")).and_then(|n| n.parse::<u64>().ok());
        numbers.extend(number.filter(|n| name.to_str() == Some(&file_name(*n))));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The segments in `dir` after number `base`, which must follow it without a gap.
pub(super) fn list_after(dir: &Path, base: u64) -> Result<Vec<u64>, Finding> {
    let mut numbers = list(dir).map_err(|e| Finding::unreadable(dir, &e))?;
    numbers.retain(|number| *number > base);
    let gap = (base.saturating_add(1)..).zip(&numbers).find(|(want, have)| want != *have);
    gap.map_or(Ok(()), |(want, _)| {
        Err(Finding::of_file(FindingKind::Deleted, &file_name(want), "the segment is missing"))
    })?;
    Ok(numbers)
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub segment: u64,
    /// From 1; 0 when reading began inside the segment.
    pub line: u64,
    pub offset: u64,
}

impl Place {
    pub(super) fn finding(self, kind: FindingKind, seq: u64, detail: impl Into<String>) -> Finding {
        let (file, line, offset) = (file_name(self.segment), self.line, self.offset);
        Finding { kind, file, line, seq: Some(seq), offset, detail: detail.into() }
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With its newline.
    Whole,
    /// With the file.
    Torn,
    /// It is longer than any line that is written.
    TooLong,
}

/// Reads the lines of consecutive segments.
#[derive(Debug)]
pub(super) struct Reader {
    dir: PathBuf,
    last: u64,
    file: Option<BufReader<File>>,
    place: Place,
}

impl Reader {
    /// From the first line of segment `first` to the end of segment `last`.
    pub(super) fn new(dir: &Path, first: u64, last: u64) -> Self {
        let place = Place { segment: first.saturating_sub(1), line: 0, offset: 0 };
        Self { dir: dir.to_owned(), last, file: None, place }
    }

    /// From this offset of segment `segment` to the end of segment `last`.
    pub(super) fn starting_at(dir: &Path, segment: u64, offset: u64, last: u64) -> Result<Self, Finding> {
        let mut reader = Self::leaping_to(dir, segment, offset, last)?;
        let path = reader.path();
        reader.place.line = newlines_before(&path, offset).map_err(|e| Finding::unreadable(&path, &e))?;
        Ok(reader)
    }

    /// As [`Reader::starting_at`], without counting the lines before: places have no line number.
    pub(super) fn leaping_to(dir: &Path, segment: u64, offset: u64, last: u64) -> Result<Self, Finding> {
        let mut reader = Self::new(dir, segment, last);
        reader.advance()?;
        let path = reader.path();
        if let Some(file) = &mut reader.file {
            file.seek(SeekFrom::Start(offset)).map_err(|e| Finding::unreadable(&path, &e))?;
        }
        reader.place.offset = offset;
        Ok(reader)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(file_name(self.place.segment))
    }

    /// Where the next line of this segment would be; before anything was read, of the first one.
    pub(super) fn here(&self) -> Place {
        let segment = self.place.segment + u64::from(self.file.is_none());
        Place { segment, line: self.place.line + 1, ..self.place }
    }

    /// Whether the segment being read is the last one.
    pub(super) fn in_last(&self) -> bool {
        self.place.segment >= self.last
    }

    /// The next line into `line`, without its newline; `None` after the last.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<(Place, End)>, Finding> {
        loop {
            if let Some(found) = self.next_in_segment(line)? {
                return Ok(Some(found));
            }
            if self.in_last() {
                return Ok(None);
            }
            self.advance()?;
        }
    }

    fn next_in_segment(&mut self, line: &mut Vec<u8>) -> Result<Option<(Place, End)>, Finding> {
        line.clear();
        let Some(file) = &mut self.file else { return Ok(None) };
        let read = file.take(MAX_LINE as u64 + 1).read_until(b'\n', line);
        let read = read.map_err(|e| Finding::unreadable(&self.path(), &e))? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.place.line += 1;
        let place = self.place;
        self.place.offset += read;
        let whole = line.pop_if(|byte| *byte == b'\n').is_some();
        let end = match whole {
            true => End::Whole,
            false if read > MAX_LINE as u64 => End::TooLong,
            false => End::Torn,
        };
        Ok(Some((place, end)))
    }

    fn advance(&mut self) -> Result<(), Finding> {
        self.place = Place { segment: self.place.segment + 1, line: 0, offset: 0 };
        let path = self.path();
        let file = open_regular(&path).map_err(|e| Finding::unreadable(&path, &e))?;
        self.file = Some(BufReader::with_capacity(256 << 10, file));
        Ok(())
    }
}

/// The numbers of newlines in the first `offset` bytes: the line number before the next line.
fn newlines_before(path: &Path, offset: u64) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(256 << 10, open_regular(path)?.take(offset));
    let mut count = 0;
    loop {
        let block = file.fill_buf()?;
        if block.is_empty() {
            return Ok(count);
        }
        count += block.iter().filter(|b| **b == b'\n').count() as u64;
        let length = block.len();
        file.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, line: u64, offset: u64) -> Place {
        Place { segment, line, offset }
    }

    #[test]
    fn lines_are_read_across_segments_with_their_places() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file_name(1)), "a\nbb\n").unwrap();
        std::fs::write(dir.path().join(file_name(2)), "").unwrap();
        std::fs::write(dir.path().join(file_name(3)), "\nccc").unwrap();
        std::fs::write(dir.path().join("4.jsonl"), "not a segment").unwrap();
        assert_eq!(list_after(dir.path(), 0).unwrap(), [1, 2, 3]);
        let mut reader = Reader::new(dir.path(), 1, 3);
        let mut line = Vec::new();
        let mut seen = Vec::new();
        while let Some((place, end)) = reader.next(&mut line).unwrap() {
            seen.push((String::from_utf8(line.clone()).unwrap(), place, end));
        }
        let want = [
            ("a", at(1, 1, 0), End::Whole),
            ("bb", at(1, 2, 2), End::Whole),
            ("", at(3, 1, 0), End::Whole),
            ("ccc", at(3, 2, 1), End::Torn),
        ];
        assert_eq!(seen, want.map(|(text, place, end)| (text.to_owned(), place, end)));
        let mut later = Reader::starting_at(dir.path(), 1, 2, 3).unwrap();
        assert_eq!(later.next(&mut line).unwrap(), Some((at(1, 2, 2), End::Whole)));
    }

    #[test]
    fn a_missing_segment_is_a_deletion() {
        let dir = tempfile::tempdir().unwrap();
        for number in [1, 3] {
            std::fs::write(dir.path().join(file_name(number)), "").unwrap();
        }
        let finding = list_after(dir.path(), 0).unwrap_err();
        assert_eq!((finding.kind, finding.file), (FindingKind::Deleted, file_name(2)));
    }

    #[test]
    fn an_endless_line_is_not_read_into_memory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file_name(1)), vec![b'x'; MAX_LINE * 2]).unwrap();
        let mut line = Vec::new();
        let (_, end) = Reader::new(dir.path(), 1, 1).next(&mut line).unwrap().unwrap();
        assert_eq!((end, line.len()), (End::TooLong, MAX_LINE + 1));
    }
}
