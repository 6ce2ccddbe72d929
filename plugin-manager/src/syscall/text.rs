//! Guest bytes to text that cannot forge a line, move a cursor or reorder what stands beside it.
//!
//! Invalid UTF-8 becomes U+FFFD. Control characters, line and paragraph separators, the byte order mark and the
//! directional overrides are written as escapes. A backslash stays a backslash: the aim is that nothing is
//! forged, not that the original can be had back.

/// Appends `bytes` as safe text to `out`, at most `cap` bytes of it, cut between characters.
/// Returns whether everything fitted.
pub fn escape_into(out: &mut Vec<u8>, bytes: &[u8], cap: usize) -> bool {
    if bytes.len() <= cap && is_plain(bytes) {
        out.extend_from_slice(bytes);
        return true;
    }
    escape_slowly(out, bytes, cap)
}

/// `bytes` as safe text of at most `cap` bytes, cut between characters.
pub fn escaped(bytes: &[u8], cap: usize) -> String {
    let mut out = Vec::with_capacity(bytes.len().min(cap));
    escape_into(&mut out, bytes, cap);
    String::from_utf8(out).unwrap_or_default()
}

/// Printable ASCII only: nothing to look at. No early exit, so that the compiler can use wide registers.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, b| plain & (b.wrapping_sub(0x20) < 0x5f))
}

fn escape_slowly(out: &mut Vec<u8>, bytes: &[u8], cap: usize) -> bool {
    // Each source byte gives at least one byte, so what lies beyond the cap cannot fit.
    let whole = bytes.len() <= cap;
    let head = bytes.get(..cap).unwrap_or(bytes);
    let end = out.len().saturating_add(cap);
    for chunk in head.utf8_chunks() {
        let valid = chunk.valid().chars().all(|c| push_char(out, c, end));
        // A character cut by the cap is no invalid byte of the guest's.
        let cut = !whole && chunk.invalid().as_ptr_range().end == head.as_ptr_range().end;
        let invalid = chunk.invalid().is_empty() || cut || push_str(out, "\u{fffd}", end);
        if !(valid && invalid) {
            return false;
        }
    }
    whole
}

fn push_char(out: &mut Vec<u8>, c: char, end: usize) -> bool {
    if !must_escape(c) {
        return push_str(out, c.encode_utf8(&mut [0; 4]), end);
    }
    match c {
        '\n' => push_str(out, "\\n", end),
        '\r' => push_str(out, "\\r", end),
        '\t' => push_str(out, "\\t", end),
        other => push_escape(out, other, end),
    }
}

fn push_escape(out: &mut Vec<u8>, c: char, end: usize) -> bool {
    let mut text = [0; 10];
    let mut used = 0;
    for (slot, unit) in text.iter_mut().zip(c.escape_unicode()) {
        // The escape of a character is ASCII.
        *slot = u8::try_from(unit).unwrap_or(b'?');
        used += 1;
    }
    let text = text.get(..used).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or("?");
    push_str(out, text, end)
}

fn push_str(out: &mut Vec<u8>, text: &str, end: usize) -> bool {
    let fits = out.len().saturating_add(text.len()) <= end;
    if fits {
        out.extend_from_slice(text.as_bytes());
    }
    fits
}

fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_passes_and_control_characters_do_not() {
        assert_eq!(escaped(b"plain ~ text", 64), "plain ~ text");
        assert_eq!(escaped("grüße, 世界 \\n".as_bytes(), 64), "grüße, 世界 \\n");
        assert_eq!(escaped(b"a\nb\r\tc", 64), "a\\nb\\r\\tc");
        assert_eq!(escaped(b"\x1b[31mred\0\x7f", 64), "\\u{1b}[31mred\\u{0}\\u{7f}");
        assert_eq!(escaped("\u{9b}\u{202e}\u{2028}".as_bytes(), 64), "\\u{9b}\\u{202e}\\u{2028}");
        assert_eq!(escaped(b"\xff\xc3", 64), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_cap_cuts_between_characters() {
        assert_eq!(escaped(b"abcdef", 4), "abcd");
        assert_eq!(escaped("aü€".as_bytes(), 3), "aü");
        assert_eq!(escaped("aü€".as_bytes(), 2), "a");
        assert_eq!(escaped(b"ab\n", 3), "ab");
        assert_eq!(escaped(b"abc", 0), "");
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_text_on_one_line(bytes: Vec<u8>, cap in 0usize..64) {
            let mut out = b"kept".to_vec();
            let whole = escape_into(&mut out, &bytes, cap);
            let text = std::str::from_utf8(&out).unwrap();
            prop_assert!(text.starts_with("kept") && text.len() <= 4 + cap);
            prop_assert!(!text.chars().any(must_escape));
            if whole {
                prop_assert_eq!(&text[4..], escaped(&bytes, usize::MAX >> 1));
            }
        }
    }
}
