//! Log lines of one instance between its calls and the bus: bounded in each line, in each block, and in time.

use super::allowance::Bucket;
use super::{LogLevel, text};
use common::identity::Name;

/// Longest line kept, in bytes, once made safe.
pub(super) const LINE_BYTES: usize = 4096;
/// Bytes of one block on its way to the bus.
pub(super) const BLOCK_BYTES: usize = 32 << 10;
/// Bytes a plugin may log at once, and bytes a second it may log for long.
const BURST: u64 = 4 << 20;
const RATE: u64 = 1 << 20;
const HEADER: usize = 7;

/// What the instances of one plugin together may still log: fills with time, empties with each block. A new
/// instance shares it, so that a plugin cannot log more by ending its instances. Blocks that are being filled at
/// one moment are not counted yet: by so many it may be exceeded.
#[derive(Debug)]
pub struct LogAllowance(Bucket);

impl LogAllowance {
    /// A full one, at this coarse time.
    pub fn new(now_ms: u64) -> Self {
        Self(Bucket::new(RATE, BURST, now_ms))
    }
    /// Bytes of a new block; `None` when not even one line is left.
    pub(super) fn room(&self, now_ms: u64) -> Option<usize> {
        let room = usize::try_from(self.0.level(now_ms)).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        (room >= LINE_BYTES + HEADER).then_some(room)
    }
    /// A block of this size was used.
    pub(super) fn spend(&self, bytes: usize) {
        self.0.spend(bytes as u64);
    }
}

/// Lines of one instance, in the order they were written: level, milliseconds since the first, length, text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    room: usize,
    /// Wall time of the first line, and the coarse time it was taken at.
    began: (u64, u64),
}

impl Lines {
    /// An empty block in this buffer for at most `room` bytes, begun at this wall and coarse time.
    pub fn begin(mut buffer: Vec<u8>, room: usize, wall_ns: u64, coarse_ms: u64) -> Self {
        buffer.clear();
        Self { bytes: buffer, room, began: (wall_ns, coarse_ms) }
    }
    /// Whether a line was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// Whether another line of any length fits.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.room.saturating_sub(self.bytes.len()) >= LINE_BYTES + HEADER
    }
    /// Appends a line; the caller has made sure of the room. A longer line is cut.
    #[inline]
    pub fn push(&mut self, level: LogLevel, coarse_ms: u64, line: &[u8]) {
        let after = u32::try_from(coarse_ms.saturating_sub(self.began.1)).unwrap_or(u32::MAX);
        let start = self.bytes.len();
        let [a, b, c, d] = after.to_le_bytes();
        self.bytes.extend_from_slice(&[level as u8, a, b, c, d, 0, 0]);
        text::escape_into(&mut self.bytes, line, LINE_BYTES);
        let length = self.bytes.len().saturating_sub(start + HEADER);
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
        if let Some(slot) = self.bytes.get_mut(start + 5..start + HEADER) {
            slot.copy_from_slice(&length);
        }
    }
    /// Bytes used.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
    /// How many lines it holds.
    pub fn count(&self) -> u64 {
        let mut count = 0;
        self.each(|_, _, _| count += 1);
        count
    }
    /// The buffer, for another block.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
    fn each(&self, mut line: impl FnMut(LogLevel, u64, &[u8])) {
        let mut rest = &self.bytes[..];
        while let Some(([level, a, b, c, d, l, h], tail)) = rest.split_first_chunk::<HEADER>() {
            let length = usize::from(u16::from_le_bytes([*l, *h]));
            let Some((text, tail)) = tail.split_at_checked(length) else { return };
            let after = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            let level = LogLevel::ALL.get(usize::from(*level)).copied().unwrap_or(LogLevel::Info);
            line(level, self.began.0 / 1_000_000 + after, text);
            rest = tail;
        }
    }
}

/// Lines of one instance on their way to a file.
#[derive(Debug)]
pub(super) struct Block {
    /// Whose they are.
    pub plugin: Name,
    /// The number of the instance.
    pub instance: u64,
    /// The lines.
    pub lines: Lines,
    /// Lines dropped before these.
    pub dropped: u64,
}

impl Block {
    /// Appends the lines as a file has them: time, level, instance, text.
    pub fn render(&self, out: &mut Vec<u8>) {
        if self.dropped > 0 {
            let note = format!("{} lines dropped: more than this plugin may log", self.dropped);
            self.line(out, (LogLevel::Warn, self.lines.began.0 / 1_000_000), note.as_bytes());
        }
        self.lines.each(|level, ms, text| self.line(out, (level, ms), text));
    }

    fn line(&self, out: &mut Vec<u8>, (level, ms): (LogLevel, u64), text: &[u8]) {
        let head = format!("{} {:<5} #{} ", utc(ms), level.name(), self.instance);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn utc(ms: u64) -> String {
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    let (hour, minute, second, milli) =
        (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60, in_day % 1000);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Days since 1970-01-01 as year, month and day: years are counted from March, so that a leap day ends one.
fn civil(days: u64) -> (u64, u64, u64) {
    let since = days + 719_468; // from 0000-03-01
    let (era, of_era) = (since / 146_097, since % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_795_228_004_250, "2026-11-21T02:26:44.250Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }

    #[test]
    fn lines_come_out_as_they_went_in_and_safe() {
        let mut lines = Lines::begin(vec![1, 2, 3], BLOCK_BYTES, 1_000_000_000_000_000_000, 500);
        assert!(lines.is_empty());
        lines.push(LogLevel::Info, 500, b"first");
        lines.push(LogLevel::Error, 1750, b"second\nforged \x1b[0m");
        lines.push(LogLevel::Trace, 400, &[b'x'; 100_000]);
        let block = Block { plugin: Name::new("p").unwrap(), instance: 7, lines, dropped: 3 };
        let mut out = Vec::new();
        block.render(&mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "2001-09-09T01:46:40.000Z warn  #7 3 lines dropped: more than this plugin may log"
        );
        assert_eq!(lines[1], "2001-09-09T01:46:40.000Z info  #7 first");
        assert_eq!(lines[2], "2001-09-09T01:46:41.250Z error #7 second\\nforged \\u{1b}[0m");
        assert_eq!(lines[3].len(), "2001-09-09T01:46:40.000Z trace #7 ".len() + LINE_BYTES);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn the_allowance_empties_and_fills_with_time() {
        let allowance = LogAllowance::new(1000);
        let mut blocks = 0;
        while let Some(room) = allowance.room(1000) {
            allowance.spend(room);
            blocks += 1;
        }
        assert_eq!(blocks, BURST / BLOCK_BYTES as u64);
        assert_eq!(allowance.room(1003), None);
        assert_eq!(allowance.room(1004), Some(4194));
        assert_eq!(allowance.room(900), Some(4194), "time does not go back");
        assert_eq!(allowance.room(1_000_000), Some(BLOCK_BYTES));
    }
}
