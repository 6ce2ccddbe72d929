//! Copies text and puts masks where a rule matches. One pass; time is linear in the text.

use crate::rules::{Kind, Rules};
use crate::scan::Scanner;

/// How many matches of each kind were masked. Sums stop at the largest u64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Masked([u64; Kind::ALL.len()]);

impl Masked {
    /// Adds matches of a kind.
    pub fn add(&mut self, kind: Kind, count: u64) {
        if let Some(sum) = self.0.get_mut(kind as usize) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Kinds and counts, in the order of [`Kind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.0)
    }

    /// Matches of every kind together.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Appends `input` to `output` with every match masked. Bytes that are not UTF-8 are copied as they are.
pub fn redact(input: &[u8], rules: &Rules, output: &mut Vec<u8>) -> Masked {
    let mut masked = Masked::default();
    let masks = Kind::ALL.map(|kind| (kind, rules.mask(kind)));
    output.reserve(input.len());
    for chunk in input.utf8_chunks() {
        let mut copied = 0;
        for found in Scanner::new(chunk.valid(), rules) {
            let before = chunk.valid().as_bytes().get(copied..found.start).unwrap_or_default();
            output.extend_from_slice(before);
            let mask = masks.iter().find(|(kind, _)| *kind == found.kind).map_or("", |(_, mask)| mask);
            output.extend_from_slice(mask.as_bytes());
            masked.add(found.kind, 1);
            copied = found.end;
        }
        output.extend_from_slice(chunk.valid().as_bytes().get(copied..).unwrap_or_default());
        output.extend_from_slice(chunk.invalid());
    }
    masked
}
