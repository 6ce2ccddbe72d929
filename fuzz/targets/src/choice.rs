//! Bytes as a sequence of decisions: every input is a script, and a short one ends in zeros.

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a>(&'a [u8]);

impl<'a> Choice<'a> {
    /// The decisions in these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }
    /// The next four bytes, little-endian.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
    /// A number below `end`, which is at most 65,536.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % end.max(1)
    }
    /// The next `length` bytes, or what is left.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
    /// A byte string with its length in two bytes before it.
    pub fn string(&mut self) -> &'a [u8] {
        let length = self.below(1 << 16);
        self.take(length)
    }
    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Appends a byte string as [`Choice::string`] reads it.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_order_and_ends_in_zeros() {
        let mut script = vec![7, 1, 0, 0, 0];
        put_string(&mut script, b"abc");
        script.push(9);
        let mut choice = Choice::new(&script);
        assert_eq!((choice.byte(), choice.word(), choice.string()), (7, 1, b"abc".as_slice()));
        assert_eq!((choice.rest(), choice.byte(), choice.string()), ([9].as_slice(), 0, b"".as_slice()));
    }
}
