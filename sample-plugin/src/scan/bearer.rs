//! Bearer tokens: what follows the word `Bearer`, if it looks like a token or stands in an Authorization header.

use super::view::View;

const SCHEME: &str = "bearer";
const HEADER: &str = "authorization";

/// Shortest token outside a header, when it has a digit.
const SHORT: usize = 8;
/// Shortest token outside a header, when it has none.
const LONG: usize = 16;
/// How much may stand between the header's name and the scheme: colon, quotes, spaces.
const BETWEEN: usize = 6;

/// The token of the scheme that begins at `index`.
pub(super) fn find(view: &View<'_>, index: usize) -> Option<(usize, usize)> {
    let scheme = view.slice(index, index + SCHEME.len());
    if !scheme.eq_ignore_ascii_case(SCHEME) || view.word_before(index) {
        return None;
    }
    let after = index + SCHEME.len();
    let rest = view.rest(after);
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let start = after + spaces;
    let token = token(view.rest(start));
    let plausible = token.len() >= LONG
        || (token.len() >= SHORT && token.bytes().any(|byte| byte.is_ascii_digit()))
        || (!token.is_empty() && in_header(view, index));
    (spaces > 0 && plausible).then_some((start, start + token.len()))
}

/// A token68 of RFC 9110, without the full stop that ends a sentence.
fn token(text: &str) -> &str {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
    let body = text.find(|c| !inner(c)).unwrap_or(text.len());
    let padding = text.get(body..).unwrap_or_default();
    let end = body + padding.len() - padding.trim_start_matches('=').len();
    text.get(..end).unwrap_or_default().trim_end_matches('.')
}

fn in_header(view: &View<'_>, scheme: usize) -> bool {
    let between = (0..BETWEEN)
        .take_while(|back| {
            scheme
                .checked_sub(*back)
                .and_then(|index| view.before(index))
                .is_some_and(|byte| matches!(byte, b':' | b'=' | b' ' | b'\t' | b'"' | b'\''))
        })
        .count();
    let Some(end) = scheme.checked_sub(between) else { return false };
    let Some(start) = end.checked_sub(HEADER.len()) else { return false };
    view.before(start + 1).is_some() && view.slice(start, end).eq_ignore_ascii_case(HEADER)
}
