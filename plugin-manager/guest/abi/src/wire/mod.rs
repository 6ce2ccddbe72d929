//! Argument lists: byte strings one after another, each preceded by its length as u32 little-endian.
//!
//! A list may hold another list as one of its byte strings. Integers are u64, floats f64, little-endian.

mod read;
mod write;

pub use read::{Args, Iter, Pairs, read_f64, read_text, read_u64};
pub use write::{ArgsWriter, append, encode, encoded_len};

/// Bytes of the length before each byte string.
pub const PREFIX: usize = 4;

/// Bytes of one encoded u64 or f64, its length included.
pub const U64_ITEM: usize = PREFIX + 8;

/// Why bytes are not the list, or the value, that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// A length, or the byte string it announces, goes past the end.
    Truncated {
        /// Where the item begins, in bytes from the start of the list.
        offset: usize,
    },
    /// The list has fewer items than asked for.
    Missing {
        /// Index of the first absent item.
        index: usize,
    },
    /// The list has more items than asked for.
    Surplus {
        /// How many were expected.
        expected: usize,
    },
    /// A number is not eight bytes long.
    Number {
        /// How long it is.
        len: usize,
    },
    /// Text is not UTF-8.
    Text,
    /// A value is outside its range.
    Value,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated { offset } => write!(f, "the item at byte {offset} goes past the end"),
            Self::Missing { index } => write!(f, "item {index} is missing"),
            Self::Surplus { expected } => write!(f, "there are more than {expected} items"),
            Self::Number { len } => write!(f, "a number is 8 bytes, not {len}"),
            Self::Text => f.write_str("text is not UTF-8"),
            Self::Value => f.write_str("a value is out of range"),
        }
    }
}

impl core::error::Error for Malformed {}

/// The buffer is too short for what was to be written, or an item is longer than a u32 can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the buffer is too short")
    }
}

impl core::error::Error for Full {}

#[cfg(test)]
mod tests;
