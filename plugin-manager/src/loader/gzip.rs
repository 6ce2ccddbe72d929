//! One gzip member to bytes: checksum and length checked, nothing after it, output bounded before it grows.

use super::error::{ArchiveFault, LoadError};
use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::io::{Read, Write};

/// Unpacked sizes up to this are accepted at any ratio.
const RATIO_FLOOR: u64 = 1 << 20;

/// Inflates exactly one member that fills `bytes`, to at most `max_total` bytes and `max_ratio` times its size.
pub(super) fn inflate(bytes: &[u8], max_total: u64, max_ratio: u64) -> Result<Vec<u8>, LoadError> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let by_ratio = length.saturating_mul(max_ratio).max(RATIO_FLOOR);
    let limit = max_total.min(by_ratio);
    let mut decoder = GzDecoder::new(bytes);
    let mut out = Vec::new();
    decoder.by_ref().take(limit.saturating_add(1)).read_to_end(&mut out).map_err(LoadError::Gzip)?;
    if u64::try_from(out.len()).unwrap_or(u64::MAX) > limit {
        return Err(LoadError::too_large("the unpacked archive", limit, "bytes"));
    }
    if !decoder.get_ref().is_empty() {
        return Err(LoadError::archive(out.len(), ArchiveFault::Trailing));
    }
    Ok(out)
}

/// Compresses into one member whose bytes depend on `bytes` alone.
pub(super) fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    const OS_UNKNOWN: u8 = 255;
    let builder = GzBuilder::new().mtime(0).operating_system(OS_UNKNOWN);
    let mut encoder = builder.write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::Coded;

    const BIG: u64 = 1 << 30;

    fn code(r: Result<Vec<u8>, LoadError>) -> &'static str {
        r.unwrap_err().code().id
    }

    #[test]
    fn one_member_goes_round() {
        let packed = deflate(b"hello").unwrap();
        assert_eq!(inflate(&packed, BIG, 100).unwrap(), b"hello");
        assert_eq!(packed, deflate(b"hello").unwrap());
    }

    #[test]
    fn a_second_member_or_trailing_bytes_are_refused() {
        let one = deflate(b"hello").unwrap();
        let two = [one.clone(), one.clone()].concat();
        assert_eq!(code(inflate(&two, BIG, 100)), "E1002");
        assert_eq!(code(inflate(&[one.as_slice(), b"x"].concat(), BIG, 100)), "E1002");
    }

    #[test]
    fn a_wrong_checksum_or_length_is_refused() {
        let good = deflate(b"hello").unwrap();
        for at in good.len() - 8..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(code(inflate(&bad, BIG, 100)), "E1002", "byte {at}");
        }
        for n in 0..good.len() {
            assert_eq!(code(inflate(&good[..n], BIG, 100)), "E1002", "cut at {n}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_cap() {
        let bomb = deflate(&vec![0; 64 << 20]).unwrap();
        assert_eq!(code(inflate(&bomb, 1 << 20, u64::MAX)), "E1001");
        assert_eq!(code(inflate(&bomb, BIG, 100)), "E1001");
        assert_eq!(inflate(&bomb, BIG, 2_000).unwrap().len(), 64 << 20);
    }
}
