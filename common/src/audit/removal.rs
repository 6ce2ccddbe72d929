//! Retention: which segments may go, and what is left to say so.

use super::base::Base;
use super::files::open_regular;
use super::line;
use super::options::Retention;
use super::segment;
use super::tail::last_lines;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    actor: Actor<'a>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    last_segment: Option<Cow<'a, str>>,
}

/// Whether this line is the log's own record that segments up to `segment` are removed.
pub(super) fn tells_of(line: &[u8], segment: u64) -> bool {
    let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return false };
    let told = line.details.and_then(|details| details.last_segment?.parse::<u64>().ok());
    line.action == super::base::ACTION
        && line.actor.host.as_deref() == Some("audit")
        && told.is_some_and(|last| last >= segment)
}

/// The end of the last segment before segment `open` that need not be kept. `None` when all must be.
pub(super) fn removable(
    dir: &Path,
    open: u64,
    retention: &Retention,
    now_ns: u64,
) -> io::Result<Option<Base>> {
    let numbers = segment::list(dir)?;
    let mut kept_bytes = 0_u64;
    for number in numbers.into_iter().rev() {
        let path = dir.join(segment::file_name(number));
        if number < open && may_go(&path, kept_bytes, retention, now_ns)? {
            // A segment that was closed by a failing disk has no end of its own: the one before it has, or will go
            // with one after it.
            if let Some(end) = Base::end_of(dir, number).map_err(io::Error::other)? {
                return Ok(Some(end));
            }
        }
        kept_bytes = kept_bytes.saturating_add(path.metadata()?.len());
    }
    Ok(None)
}

/// Whether a segment may go when so many bytes of later ones are kept.
fn may_go(path: &Path, kept_bytes: u64, retention: &Retention, now_ns: u64) -> io::Result<bool> {
    if retention.bytes.is_some_and(|bytes| kept_bytes < bytes) {
        return Ok(false);
    }
    let Some(age) = retention.age else { return Ok(true) };
    let age_ns = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    let cutoff = line::time_text(now_ns.saturating_sub(age_ns));
    // Times of one form sort as their texts do.
    Ok(last_time(path)?.is_none_or(|last| last < cutoff))
}

/// The time of the last record of a file; `None` when it holds none.
fn last_time(path: &Path) -> io::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Timed {
        t: String,
    }
    let (offset, found) = last_lines(path, 1)?;
    let mut file = open_regular(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut text = Vec::new();
    file.take(line::MAX_LINE as u64).read_to_end(&mut text)?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    Ok(serde_json::from_slice::<Timed>(text).ok().filter(|_| found == 1).map(|timed| timed.t))
}
