//! Card numbers: 13 to 19 digits that pass Luhn, in one piece or grouped as cards are printed.
//!
//! No network issues numbers that begin with 0 or 1, and clocks count in numbers that do, so those are left alone.

use super::view::View;

const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;
const MAX_GROUPS: usize = 5;

/// The number that begins at `index`; of several the longest.
pub(super) fn find(view: &View<'_>, index: usize) -> Option<(usize, usize)> {
    if !view.at(index).is_some_and(|first| (b'2'..=b'9').contains(&first)) {
        return None;
    }
    let mut number = Number::default();
    let (mut best, mut at) = (None, index);
    while let Some(end) = number.read_group(view, at) {
        if number.is_card() && !view.joined_after(end) {
            best = Some((index, end));
        }
        if !matches!(view.at(end), Some(b' ' | b'-')) || !view.digit(end + 1) {
            break;
        }
        at = end + 1;
    }
    best
}

/// Digits read so far and how they are grouped.
#[derive(Default)]
struct Number {
    digits: [u8; MAX_DIGITS],
    len: usize,
    groups: [usize; MAX_GROUPS],
    group: usize,
}

impl Number {
    /// Reads the digits from `at` on; where they end, or nothing when they are too many for a card.
    fn read_group(&mut self, view: &View<'_>, at: usize) -> Option<usize> {
        let before = self.len;
        let mut end = at;
        while let Some(digit) = view.at(end).filter(u8::is_ascii_digit) {
            *self.digits.get_mut(self.len)? = digit - b'0';
            self.len += 1;
            end += 1;
        }
        *self.groups.get_mut(self.group)? = self.len - before;
        self.group += 1;
        Some(end)
    }

    fn is_card(&self) -> bool {
        self.len >= MIN_DIGITS && self.is_grouped_as_printed() && self.passes_luhn()
    }

    fn is_grouped_as_printed(&self) -> bool {
        let groups = self.groups.get(..self.group).unwrap_or_default();
        matches!(groups, [_] | [4, 6, 4 | 5] | [4, 4, 4, 1..=4] | [4, 4, 4, 4, 1..=3])
    }

    /// Every second digit from the right is doubled, and the sum of all digits is a multiple of ten.
    fn passes_luhn(&self) -> bool {
        let digits = self.digits.iter().take(self.len).rev();
        let sum: u32 = digits
            .zip([false, true].into_iter().cycle())
            .map(|(digit, double)| match (double, u32::from(*digit)) {
                (false, digit) => digit,
                (true, digit) if digit > 4 => digit * 2 - 9,
                (true, digit) => digit * 2,
            })
            .sum();
        sum.is_multiple_of(10)
    }
}
