//! DER before it is decoded: every length stated lies within what is there.
//!
//! The decoder takes memory for an owned value by its stated length before it looks whether the bytes are there,
//! so a certificate of a few hundred bytes could ask for 256 MiB.

use super::certificate::bad;
use super::error::AttestationError;

/// Deepest nesting of constructed elements; certificates need about ten.
const MAX_DEPTH: u32 = 32;
/// Bit of a tag: its content is elements.
const CONSTRUCTED: u8 = 0x20;

/// Checks the elements in `der`, those inside constructed ones included. Time is linear in its length.
///
/// Whether it is the DER of anything in particular is the decoder's to say.
pub(super) fn whole_lengths(der: &[u8]) -> Result<(), AttestationError> {
    elements(der, MAX_DEPTH).ok_or_else(|| bad("not DER: an element is longer than what is there"))
}

fn elements(mut rest: &[u8], depth: u32) -> Option<()> {
    while let Some((tag, after)) = rest.split_first() {
        let (length, after) = length(after)?;
        let (content, after) = after.split_at_checked(length)?;
        if tag & CONSTRUCTED != 0 {
            elements(content, depth.checked_sub(1)?)?;
        }
        rest = after;
    }
    Some(())
}

/// A definite length of at most four bytes, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7f);
    let (digits, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
    let length = digits.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    Some((usize::try_from(length).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_within_what_is_there_pass() {
        for good in [
            &b""[..],
            b"\x30\x00",
            b"\x30\x03\x02\x01\x05",
            b"\x04\x81\x01\xff",
            b"\x30\x05\x30\x03\x02\x01\x05\x05\x00",
            b"\x04\x02\x30\x7f",
        ] {
            assert!(whole_lengths(good).is_ok(), "{good:02x?}");
        }
    }

    #[test]
    fn fault_088_a_length_beyond_what_is_there_is_refused_before_memory_is_taken_for_it() {
        for bad in [
            &b"\x30"[..],
            b"\x30\x01",
            b"\x92\x83\x81\x63\x6d\x65",
            b"\x30\x05\x04\x84\x0f\xff\xff\xff",
            b"\x30\x04\x30\x03\x02\x01",
            b"\x30\x80\x00\x00",
            b"\x04\x85\x00\x00\x00\x00\x00",
        ] {
            assert!(whole_lengths(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| {
            (0..depth).fold(Vec::new(), |inner: Vec<u8>, _| {
                let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
                [&[0x30, 0x82], length.as_slice(), &inner].concat()
            })
        };
        assert!(whole_lengths(&nested(32)).is_ok());
        assert!(whole_lengths(&nested(33)).is_err());
        assert!(whole_lengths(&nested(4_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = whole_lengths(&bytes);
        }
    }
}
