//! A text and how far back in it a rule may look.

/// ASCII letters, digits and the underscore: what makes a number part of a longer name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A text of which nothing before `floor` is seen: a mask stands there.
#[derive(Debug)]
pub(super) struct View<'t> {
    text: &'t str,
    floor: usize,
}

impl<'t> View<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, floor: 0 }
    }

    pub(super) fn forget_before(&mut self, floor: usize) {
        self.floor = floor;
    }

    pub(super) fn at(&self, index: usize) -> Option<u8> {
        self.text.as_bytes().get(index).copied()
    }

    /// The text from `index` on; nothing when `index` is inside a character.
    pub(super) fn rest(&self, index: usize) -> &'t str {
        self.text.get(index..).unwrap_or_default()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The byte before `index`, unless a mask or nothing stands there.
    pub(super) fn before(&self, index: usize) -> Option<u8> {
        index.checked_sub(1).filter(|before| *before >= self.floor).and_then(|before| self.at(before))
    }

    /// Whether nothing at all, not even a mask, stands before `index`.
    pub(super) fn begins(&self, index: usize) -> bool {
        index == 0
    }

    pub(super) fn digit(&self, index: usize) -> bool {
        self.at(index).is_some_and(|byte| byte.is_ascii_digit())
    }

    pub(super) fn word_before(&self, index: usize) -> bool {
        self.before(index).is_some_and(is_word)
    }

    /// Whether `index` goes on a word, or a dotted sequence of words.
    pub(super) fn joined_before(&self, index: usize) -> bool {
        self.word_before(index) || (self.before(index) == Some(b'.') && self.word_before(index - 1))
    }

    /// Whether a number that ends before `index` goes on there: as a word or after a decimal point.
    pub(super) fn joined_after(&self, index: usize) -> bool {
        self.at(index).is_some_and(is_word) || (self.at(index) == Some(b'.') && self.digit(index + 1))
    }
}
