//! E-mail addresses: a run of local characters, `@` or `%40`, a domain whose last label begins with a letter.

use super::view::View;

/// The at sign as it stands in a URL.
const ENCODED_AT: &str = "%40";

/// Last labels that are no top-level domains but names of files: `logo@2x.png`.
const FILE_TYPES: [&str; 7] = ["avif", "gif", "ico", "jpeg", "jpg", "png", "webp"];

/// What is known about the run of local characters the scanner is in, so that none is looked at twice.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// No address begins before this byte.
    from: usize,
    /// Where the current run ends.
    end: usize,
    /// The run is followed by `@` but not by a domain.
    at_is_void: bool,
}

impl Runs {
    /// The address whose local part is in the run that begins at `index`.
    pub(super) fn find(&mut self, view: &View<'_>, index: usize) -> Option<(usize, usize)> {
        if index < self.from {
            return None;
        }
        if index >= self.end {
            let rest = view.rest(index);
            self.end = index + rest.find(|c| !is_local(c)).unwrap_or(rest.len());
            self.at_is_void = false;
        }
        if self.end == index {
            return None;
        }
        let range = self.plain(view, index).or_else(|| encoded(view, index, self.end));
        // After an address the rest of its run may hold another; after none it holds none.
        self.from = range.map_or(self.end, |(_, end)| end);
        range
    }

    fn plain(&mut self, view: &View<'_>, index: usize) -> Option<(usize, usize)> {
        if self.at_is_void || view.at(self.end) != Some(b'@') {
            return None;
        }
        let range = local(view, index, self.end).zip(domain(view, self.end + 1));
        self.at_is_void = range.is_none();
        range
    }
}

/// The first address in the run that is written with `%40`.
fn encoded(view: &View<'_>, start: usize, end: usize) -> Option<(usize, usize)> {
    let run = view.slice(start, end);
    run.match_indices(ENCODED_AT).find_map(|(offset, _)| {
        let sign = start + offset;
        local(view, start, sign).zip(domain(view, sign + ENCODED_AT.len()))
    })
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-')
}

/// Where the local part begins: at its first letter, digit or underscore.
fn local(view: &View<'_>, start: usize, end: usize) -> Option<usize> {
    let part = view.slice(start, end);
    part.find(|c: char| c.is_alphanumeric() || c == '_').map(|offset| start + offset)
}

/// Where the domain that begins at `start` ends: after the last label that may be a top-level domain.
fn domain(view: &View<'_>, start: usize) -> Option<usize> {
    let rest = view.rest(start);
    let len = rest.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '.').unwrap_or(rest.len());
    let mut end = None;
    let mut offset = 0;
    for (index, label) in view.slice(start, start + len).split('.').enumerate() {
        if label.is_empty() {
            break;
        }
        let name = label.trim_end_matches('-');
        if index > 0 && may_be_top_level(name) {
            end = Some(start + offset + name.len());
        }
        offset += label.len() + 1;
    }
    end
}

fn may_be_top_level(label: &str) -> bool {
    label.starts_with(char::is_alphabetic)
        && label.chars().nth(1).is_some()
        && !FILE_TYPES.iter().any(|file| label.eq_ignore_ascii_case(file))
}
