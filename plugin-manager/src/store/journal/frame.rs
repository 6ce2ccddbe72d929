//! Bytes of a journal: a header of 64 bytes, then frames. A frame that verifies was written whole, by this home,
//! at this place of this generation.

use common::crypto::Sha256;
use common::identity::Digest;

/// Bytes of the header.
pub(super) const HEADER: usize = 64;
/// Bytes of a frame before its body.
pub(super) const HEAD: usize = MARK + 4 * 8 + DIGEST;
const MAGIC: &[u8; 8] = b"F1KVJ\0\0\x01";
const MARK: usize = 16;
const DIGEST: usize = 32;

/// A place in the journals of one home; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub generation: u64,
    pub offset: u64,
}

impl Position {
    /// Before everything.
    pub(super) const START: Self = Self { generation: 0, offset: 0 };
}

/// What a journal starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// One more than that of the journal before it.
    pub generation: u64,
    /// Random, and at the start of every frame. No plugin knows it, so no value can hold a frame that verifies.
    pub mark: [u8; MARK],
}

impl Header {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.mark);
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// The header these bytes start with, when it verifies.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let signed = bytes.get(..HEADER - DIGEST)?;
        let digest = bytes.get(HEADER - DIGEST..HEADER)?;
        let (magic, mut rest) = signed.split_first_chunk::<8>()?;
        let header = Self { generation: number(&mut rest)?, mark: *rest.first_chunk()? };
        (magic == MAGIC && Digest::of(signed).as_bytes() == digest).then_some(header)
    }
}

/// What is said of a batch beside its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Where it is.
    pub at: Position,
    /// Up to where the journals were durable when it was written.
    pub synced: Position,
    /// Bytes of the journal of the generation before.
    pub before: u64,
}

/// One batch found in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub standing: Standing,
    pub body: &'a [u8],
    /// Where the next frame starts.
    pub end: usize,
}

/// The bytes of a frame; `fill` appends its body.
pub(super) fn encode(header: &Header, standing: &Standing, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    fill(&mut bytes);
    let body = bytes.get(HEAD..).unwrap_or_default();
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&header.mark);
    let Standing { synced, before, .. } = standing;
    for number in [body.len() as u64, synced.generation, synced.offset, *before] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    let digest = digest(standing.at, &head, body);
    head.extend_from_slice(digest.as_bytes());
    bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    bytes
}

/// The frame at `offset` of a journal, when one verifies there.
pub(super) fn decode<'a>(header: &Header, journal: &'a [u8], offset: usize) -> Option<Frame<'a>> {
    let (head, rest) = journal.get(offset..)?.split_at_checked(HEAD)?;
    let (signed, found) = head.split_at_checked(HEAD - DIGEST)?;
    let mut numbers = signed.strip_prefix(&header.mark)?;
    let length = usize::try_from(number(&mut numbers)?).ok()?;
    let synced = Position { generation: number(&mut numbers)?, offset: number(&mut numbers)? };
    let at = Position { generation: header.generation, offset: offset as u64 };
    let standing = Standing { at, synced, before: number(&mut numbers)? };
    let body = rest.get(..length)?;
    let verifies = digest(at, signed, body).as_bytes() == found;
    verifies.then_some(Frame { standing, body, end: offset + HEAD + length })
}

/// Where `mark` is next at or after `from`.
pub(super) fn next_mark(header: &Header, journal: &[u8], from: usize) -> Option<usize> {
    let rest = journal.get(from..)?;
    rest.windows(MARK).position(|window| window == header.mark).map(|at| from + at)
}

fn digest(at: Position, head: &[u8], body: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(&at.generation.to_le_bytes());
    hasher.update(&at.offset.to_le_bytes());
    hasher.update(head);
    hasher.update(body);
    hasher.finish()
}

/// Takes the next number off `bytes`.
pub(super) fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JOURNAL: Header = Header { generation: 3, mark: [7; MARK] };

    fn standing(offset: usize) -> Standing {
        let at = Position { generation: 3, offset: offset as u64 };
        Standing { at, synced: Position { generation: 2, offset: 90 }, before: 100 }
    }

    fn frame(offset: usize, body: &[u8]) -> Vec<u8> {
        encode(&JOURNAL, &standing(offset), |out| out.extend_from_slice(body))
    }

    #[test]
    fn a_header_comes_back_and_no_changed_one_does() {
        let bytes = JOURNAL.encode();
        assert_eq!((bytes.len(), Header::decode(&bytes)), (HEADER, Some(JOURNAL)));
        for at in 0..HEADER {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Header::decode(&changed), None, "byte {at}");
            assert_eq!(Header::decode(&bytes[..at]), None, "byte {at}");
        }
    }

    #[test]
    fn a_frame_verifies_at_its_place_and_in_its_generation_alone() {
        let bytes = [vec![0; 64], frame(64, b"body"), vec![0; 9]].concat();
        let found = decode(&JOURNAL, &bytes, 64).unwrap();
        assert_eq!(
            (found.standing, found.body, found.end),
            (standing(64), b"body".as_slice(), 64 + HEAD + 4)
        );
        assert_eq!(decode(&Header { generation: 4, ..JOURNAL }, &bytes, 64), None);
        assert_eq!(decode(&Header { mark: [8; MARK], ..JOURNAL }, &bytes, 64), None);
        assert_eq!(decode(&JOURNAL, &bytes[1..], 63), None);
        assert_eq!(next_mark(&JOURNAL, &bytes, 0), Some(64));
        assert_eq!(next_mark(&JOURNAL, &bytes, 65), None);
    }

    proptest! {
        #[test]
        fn no_changed_frame_verifies(
            body in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let mut bytes = frame(0, &body);
            prop_assert!(decode(&JOURNAL, &bytes, 0).is_some());
            let at = at.index(bytes.len());
            prop_assert_eq!(decode(&JOURNAL, &bytes[..at], 0), None);
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(decode(&JOURNAL, &bytes, 0), None);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..300usize) {
            let marked = [&JOURNAL.mark, bytes.as_slice()].concat();
            prop_assert_eq!(decode(&JOURNAL, &marked, 0), None);
            decode(&JOURNAL, &bytes, at);
            prop_assert_eq!(Header::decode(&bytes), None);
        }
    }
}
