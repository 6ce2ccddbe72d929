//! IPv6 addresses: groups of up to four hexadecimal digits, read once, then judged whole and without their end.

use std::net::Ipv6Addr;

use super::ipv4::quad;
use super::view::{View, is_word};

/// Longest text of an address.
const MAX_TEXT: usize = 45;

/// The groups and colons from `index` on.
struct Run {
    /// Where its last group begins; the end when it ends in a colon.
    last_group: usize,
    /// The byte after it.
    end: usize,
    /// How far it was read: past a group that is too long to be one.
    scanned: usize,
}

/// The address in the run that begins at `index`, and the byte up to which the run was read.
pub(super) fn find(view: &View<'_>, index: usize) -> (Option<(usize, usize)>, usize) {
    let run = read(view, index);
    let start = begin(view, index, run.end);
    (
        candidates(view, start, &run)
            .into_iter()
            .flatten()
            .find(|end| accept(view.slice(start, *end)))
            .map(|end| (start, end)),
        run.scanned,
    )
}

fn read(view: &View<'_>, index: usize) -> Run {
    let (mut last_group, mut end) = (index, index);
    while let Some(byte) = view.at(end) {
        match byte {
            b':' => last_group = end + 1,
            byte if byte.is_ascii_hexdigit() => {}
            _ => break,
        }
        end += 1;
        if end - last_group > 4 {
            let long = (end..).take_while(|i| view.at(*i).is_some_and(|b| b.is_ascii_hexdigit())).count();
            return Run { last_group, end: last_group, scanned: end + long };
        }
    }
    // A group that goes on as a word is no group: `2001:db8::1:bob`.
    match view.at(end).is_some_and(is_word) {
        true => Run { last_group, end: last_group, scanned: end },
        false => Run { last_group, end, scanned: end },
    }
}

/// Where an address may begin: a group that goes on a word is no group, and a lone colon before one is none of it.
fn begin(view: &View<'_>, index: usize, end: usize) -> usize {
    let run = view.slice(index, end);
    if view.joined_before(index) {
        let group = run.find(':').unwrap_or(run.len());
        let colons = run.get(group..).unwrap_or_default();
        return index + group + (colons.len() - colons.trim_start_matches(':').len());
    }
    match run.starts_with(':') && !run.starts_with("::") {
        true => index + 1,
        false => index,
    }
}

/// Where the address may end, the longest first. The last group may turn out to be the beginning of something
/// else that is masked, so what stands before it is judged too.
fn candidates(view: &View<'_>, start: usize, run: &Run) -> [Option<usize>; 5] {
    let whole = (run.end > start).then_some(run.end);
    let tail = match run.last_group < run.end && view.at(run.end) == Some(b'.') {
        true => quad(view, run.last_group),
        false => None,
    };
    let shorter = (run.last_group < run.end && run.last_group > start).then_some(run.last_group);
    [tail, whole, without_colon(view, whole), shorter, without_colon(view, shorter)]
}

fn without_colon(view: &View<'_>, end: Option<usize>) -> Option<usize> {
    end?.checked_sub(1).filter(|last| view.at(*last) == Some(b':'))
}

/// An address, not a lone `::` or a network's first half, and not a path of words such as `dead::beef`.
fn accept(text: &str) -> bool {
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    text.len() <= MAX_TEXT
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && (groups >= 2 || text.starts_with("::"))
        && text.parse::<Ipv6Addr>().is_ok()
}
