//! The journal: a bounded ring of fixed-size slots, one record each, filled without a lock, a system call or
//! an allocation. A slot's number is its record's sequence number.

use super::codec::{Entry, Sink, bytes_of};
use super::mapped::MappedWords;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Words of one slot: 1 KiB.
pub(super) const SLOT_WORDS: usize = 128;
/// Words of a slot before the record: stamp, checksum, length.
const HEAD_WORDS: usize = 3;
/// The largest record that fits a slot, in words. Larger ones take the side path.
pub(super) const FIT_WORDS: usize = SLOT_WORDS - HEAD_WORDS;
/// In the length word: the record itself waits beside the ring.
const BESIDE: u64 = 1 << 63;

/// Where the words of the slots are.
#[derive(Debug)]
pub(super) enum Storage {
    Memory(Box<[AtomicU64]>),
    /// The first slot's place holds the file's header.
    Mapped(MappedWords),
}

impl Storage {
    pub(super) fn memory(slots: usize) -> Self {
        Self::Memory((0..slots * SLOT_WORDS).map(|_| AtomicU64::new(0)).collect())
    }
    fn words(&self) -> &[AtomicU64] {
        match self {
            Self::Memory(words) => words,
            Self::Mapped(map) => map.words().get(SLOT_WORDS..).unwrap_or(&[]),
        }
    }
}

/// Its own cache line, so that producers and the committer do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Own(AtomicU64);

#[derive(Debug)]
pub(super) struct Ring {
    storage: Storage,
    slots: u64,
    /// The next number to claim.
    head: Own,
    /// The oldest number not yet released.
    tail: Own,
}

/// What a slot holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing complete.
    Empty,
    /// A record, now in the buffer.
    Record,
    /// A mark for a record that waits beside the ring.
    Beside,
}

impl Ring {
    /// A ring of `slots` slots, a power of two, whose next number is `first`.
    pub(super) fn new(storage: Storage, slots: u64, first: u64) -> Self {
        let at = || Own(AtomicU64::new(first));
        Self { storage, slots, head: at(), tail: at() }
    }
    pub(super) fn slots(&self) -> u64 {
        self.slots
    }
    /// The next number to be claimed. Ordered with everything else sequentially consistent.
    pub(super) fn head(&self) -> u64 {
        self.head.0.load(Ordering::SeqCst)
    }
    /// The oldest number not yet released.
    pub(super) fn tail(&self) -> u64 {
        self.tail.0.load(Ordering::SeqCst)
    }
    pub(super) fn is_full(&self) -> bool {
        self.head().saturating_sub(self.tail()) >= self.slots
    }

    /// Claims the next number, unless the ring is full. Whoever claims must fill.
    pub(super) fn claim(&self) -> Option<u64> {
        let mut head = self.head.0.load(Ordering::Relaxed);
        loop {
            let tail = self.tail.0.load(Ordering::Acquire);
            if head.saturating_sub(tail) >= self.slots {
                return None;
            }
            match self.head.0.compare_exchange_weak(head, head + 1, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(seq) => return Some(seq),
                Err(now) => head = now,
            }
        }
    }

    fn slot(&self, seq: u64) -> &[AtomicU64] {
        let start = (seq & (self.slots - 1)) as usize * SLOT_WORDS;
        self.storage.words().get(start..start + SLOT_WORDS).unwrap_or(&[])
    }

    /// Fills a claimed slot with an entry of at most [`FIT_WORDS`] words.
    pub(super) fn fill(&self, seq: u64, entry: &Entry<'_>) {
        let mut writer = Writer { words: self.slot(seq), at: HEAD_WORDS, sum: Checksum::new(seq) };
        entry.encode(&mut writer);
        writer.finish(seq, 0);
    }

    /// Fills a claimed slot with the words of an entry, at most [`FIT_WORDS`].
    pub(super) fn fill_words(&self, seq: u64, words: &[u64]) {
        let mut writer = Writer { words: self.slot(seq), at: HEAD_WORDS, sum: Checksum::new(seq) };
        words.iter().for_each(|word| writer.word(*word));
        writer.finish(seq, 0);
    }

    /// Marks a claimed slot: its record waits beside the ring.
    pub(super) fn fill_beside(&self, seq: u64) {
        Writer { words: self.slot(seq), at: HEAD_WORDS, sum: Checksum::new(seq) }.finish(seq, BESIDE);
    }

    /// Copies the record of `seq` into `to`, when its slot has been filled.
    pub(super) fn read(&self, seq: u64, to: &mut Vec<u8>) -> Slot {
        let slot = self.slot(seq);
        let Some((stamp, rest)) = slot.split_first() else { return Slot::Empty };
        if stamp.load(Ordering::Acquire) != seq.wrapping_add(1) {
            return Slot::Empty;
        }
        let Some((length, record)) = rest.split_at_checked(1).and_then(|(_, r)| r.split_first()) else {
            return Slot::Empty;
        };
        let length = length.load(Ordering::Relaxed);
        if length & BESIDE != 0 {
            return Slot::Beside;
        }
        let record = record.get(..length as usize).unwrap_or(&[]);
        bytes_of(record.iter().map(|w| w.load(Ordering::Relaxed)), to);
        Slot::Record
    }

    /// The numbers of the filled slots whose checksum holds, in order: what a killed process left.
    pub(super) fn survivors(&self) -> Vec<u64> {
        let mut found = Vec::new();
        for index in 0..self.slots {
            let slot = self.slot(index);
            let stamp = slot.first().map_or(0, |s| s.load(Ordering::Acquire));
            let Some(seq) = stamp.checked_sub(1) else { continue };
            if seq & (self.slots - 1) == index && is_whole(slot, seq) {
                found.push(seq);
            }
        }
        found.sort_unstable();
        found
    }

    /// Empties every slot and begins again at `first`. No producer may know the ring yet.
    pub(super) fn restart(&self, first: u64) {
        for index in 0..self.slots {
            if let Some(stamp) = self.slot(index).first() {
                stamp.store(0, Ordering::Relaxed);
            }
        }
        fence(Ordering::Release);
        self.head.0.store(first, Ordering::SeqCst);
        self.tail.0.store(first, Ordering::SeqCst);
    }

    /// The mono time at which the record of `seq` was taken, when its slot has been filled.
    pub(super) fn taken_at(&self, seq: u64) -> Option<u64> {
        let [stamp, _, length, _, _, mono, ..] = self.slot(seq) else { return None };
        let filled = stamp.load(Ordering::Acquire) == seq.wrapping_add(1);
        let inside = length.load(Ordering::Relaxed) & BESIDE == 0;
        (filled && inside).then(|| mono.load(Ordering::Relaxed))
    }

    /// Gives the slots before `seq` back to producers.
    pub(super) fn release_to(&self, seq: u64) {
        for done in self.tail()..seq {
            if let Some(stamp) = self.slot(done).first() {
                stamp.store(0, Ordering::Relaxed);
            }
        }
        // The stamps are gone before a producer may claim, so that no kill leaves an old record with a new
        // record's words.
        fence(Ordering::Release);
        self.tail.0.store(seq, Ordering::SeqCst);
    }
}

fn is_whole(slot: &[AtomicU64], seq: u64) -> bool {
    let load = |w: &AtomicU64| w.load(Ordering::Relaxed);
    let [_, sum, length, record @ ..] = slot else { return false };
    let length = load(length);
    let mut checksum = Checksum::new(seq);
    let words = usize::try_from(length & !BESIDE).ok().and_then(|n| record.get(..n));
    words.is_some_and(|words| {
        words.iter().for_each(|w| checksum.add(load(w)));
        checksum.finish(length) == load(sum)
    })
}

struct Writer<'a> {
    words: &'a [AtomicU64],
    at: usize,
    sum: Checksum,
}

impl Sink for Writer<'_> {
    #[inline]
    fn word(&mut self, word: u64) {
        if let Some(place) = self.words.get(self.at) {
            place.store(word, Ordering::Relaxed);
        }
        self.sum.add(word);
        self.at += 1;
    }
}

impl Writer<'_> {
    /// The stamp goes last: a slot without it holds nothing.
    fn finish(self, seq: u64, mark: u64) {
        let length = (self.at - HEAD_WORDS) as u64 | mark;
        if let [stamp, sum, len, ..] = self.words {
            sum.store(self.sum.finish(length), Ordering::Relaxed);
            len.store(length, Ordering::Relaxed);
            stamp.store(seq.wrapping_add(1), Ordering::Release);
        }
    }
}

/// Tells a whole slot from one torn by a loss of power. Not against an attacker: nothing here is signed.
struct Checksum {
    sum: u64,
    salt: u64,
}

impl Checksum {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    fn new(seq: u64) -> Self {
        Self { sum: seq, salt: Self::STEP }
    }
    #[inline]
    fn add(&mut self, word: u64) {
        let product = u128::from(word ^ 0xd6e8_feb8_6659_fd93) * u128::from(self.salt | 1);
        self.sum = self.sum.wrapping_add(product as u64 ^ (product >> 64) as u64);
        self.salt = self.salt.wrapping_add(Self::STEP);
    }
    fn finish(mut self, length: u64) -> u64 {
        self.add(length);
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::plain;
    use super::*;

    fn name_at(ring: &Ring, seq: u64) -> Option<String> {
        let mut bytes = Vec::new();
        match ring.read(seq, &mut bytes) {
            Slot::Record => Some(Entry::decode(&bytes).unwrap().resource.1.to_owned()),
            Slot::Empty | Slot::Beside => None,
        }
    }

    #[test]
    fn records_come_back_in_order_over_many_laps_and_a_full_ring_claims_nothing() {
        let ring = Ring::new(Storage::memory(16), 16, 100);
        for lap in 0..5 {
            let first = 100 + lap * 16;
            for seq in first..first + 16 {
                assert_eq!(ring.claim(), Some(seq));
                ring.fill(seq, &plain(&format!("r{seq}")));
            }
            assert_eq!(ring.claim(), None);
            assert!(ring.is_full());
            for seq in first..first + 16 {
                assert_eq!(name_at(&ring, seq).unwrap(), format!("r{seq}"));
            }
            assert_eq!(ring.survivors(), (first..first + 16).collect::<Vec<_>>());
            ring.release_to(first + 16);
            assert!(ring.survivors().is_empty());
        }
    }

    #[test]
    fn a_claimed_slot_that_was_never_filled_reads_empty_and_does_not_survive() {
        let ring = Ring::new(Storage::memory(16), 16, 0);
        let (a, b, c) = (ring.claim().unwrap(), ring.claim().unwrap(), ring.claim().unwrap());
        ring.fill(a, &plain("a"));
        ring.fill_beside(c);
        let mut bytes = Vec::new();
        assert_eq!(ring.read(b, &mut bytes), Slot::Empty);
        assert_eq!(ring.read(c, &mut bytes), Slot::Beside);
        assert_eq!(ring.survivors(), [a, c]);
    }

    #[test]
    fn any_changed_word_makes_a_slot_not_survive() {
        let ring = Ring::new(Storage::memory(16), 16, 0);
        let seq = ring.claim().unwrap();
        let entry = plain("some name");
        ring.fill(seq, &entry);
        for word in &ring.slot(seq)[..HEAD_WORDS + entry.words()] {
            for bit in 0..64 {
                let old = word.load(Ordering::Relaxed);
                word.store(old ^ 1 << bit, Ordering::Relaxed);
                assert!(ring.survivors().is_empty());
                word.store(old, Ordering::Relaxed);
            }
        }
        assert_eq!(ring.survivors(), [seq]);
    }

    #[test]
    fn threads_claim_each_number_once() {
        let ring = Ring::new(Storage::memory(1 << 12), 1 << 12, 0);
        std::thread::scope(|scope| {
            for t in 0..4 {
                let ring = &ring;
                scope.spawn(move || {
                    for i in 0..1024 {
                        let seq = ring.claim().unwrap();
                        ring.fill(seq, &plain(&format!("{t}/{i}")));
                    }
                });
            }
        });
        let mut names: Vec<_> = (0..4096).map(|seq| name_at(&ring, seq).unwrap()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4096);
    }
}
