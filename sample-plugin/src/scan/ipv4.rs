//! IPv4 addresses: four numbers of at most 255, and not a fifth, and not the version of a product.

use super::view::View;

/// Longest product name looked for before a version.
const MAX_PRODUCT: usize = 32;

/// The address that begins at `index`.
pub(super) fn find(view: &View<'_>, index: usize) -> Option<(usize, usize)> {
    match is_product_version(view, index) {
        true => None,
        false => quad(view, index).map(|end| (index, end)),
    }
}

/// Where four dotted octets that begin at `index` end, if nothing goes on there.
pub(super) fn quad(view: &View<'_>, index: usize) -> Option<usize> {
    let mut end = octet(view, index)?;
    for _ in 0..3 {
        if view.at(end) != Some(b'.') {
            return None;
        }
        end = octet(view, end + 1)?;
    }
    (!view.joined_after(end)).then_some(end)
}

fn octet(view: &View<'_>, index: usize) -> Option<usize> {
    let digits = (index..index + 3).take_while(|i| view.digit(*i)).count();
    let end = index + digits;
    view.slice(index, end).parse::<u8>().ok().map(|_| end)
}

/// `Chrome/120.0.0.0`: a product of a User-Agent, RFC 9110. Its name has a capital letter and stands alone, so a
/// path segment before an address is not taken for one.
fn is_product_version(view: &View<'_>, index: usize) -> bool {
    if view.before(index) != Some(b'/') {
        return false;
    }
    let letters = (1..=MAX_PRODUCT)
        .take_while(|back| {
            index
                .checked_sub(*back)
                .and_then(|i| view.before(i))
                .is_some_and(|byte| byte.is_ascii_alphabetic())
        })
        .count();
    let Some(start) = index.checked_sub(letters + 1) else { return false };
    let alone = match view.before(start) {
        Some(byte) => matches!(byte, b' ' | b'\t' | b'"' | b'(' | b'\n'),
        None => view.begins(start),
    };
    letters > 0 && alone && view.at(start).is_some_and(|byte| byte.is_ascii_uppercase())
}
