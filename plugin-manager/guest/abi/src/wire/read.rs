//! Reading argument lists without copying. A list is checked to its end before its first item is handed out.

use super::{Malformed, PREFIX};

/// A well-formed argument list, borrowed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Args<'a> {
    /// The list of no items.
    pub const EMPTY: Args<'static> = Args { bytes: &[], len: 0 };

    /// Checks that `bytes` are a sequence of whole items and nothing else. Time is linear in the items.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] at the first item that goes past the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (mut rest, mut len) = (bytes, 0);
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            (_, rest) = split(rest).ok_or(Malformed::Truncated { offset })?;
            len += 1;
        }
        Ok(Self { bytes, len })
    }

    /// How many items there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The encoded list.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The items in order.
    pub const fn iter(&self) -> Iter<'a> {
        Iter { rest: self.bytes, left: self.len }
    }

    /// The item at `index`.
    ///
    /// # Errors
    /// [`Malformed::Missing`] when the list is shorter.
    pub fn nth(&self, index: usize) -> Result<&'a [u8], Malformed> {
        self.iter().nth(index).ok_or(Malformed::Missing { index })
    }

    /// All items of a list that has to have exactly `N`.
    ///
    /// # Errors
    /// [`Malformed::Missing`] or [`Malformed::Surplus`] when it has another number.
    pub fn exactly<const N: usize>(&self) -> Result<[&'a [u8]; N], Malformed> {
        if self.len < N {
            return Err(Malformed::Missing { index: self.len });
        }
        if self.len > N {
            return Err(Malformed::Surplus { expected: N });
        }
        let mut items: [&'a [u8]; N] = [&[]; N];
        items.iter_mut().zip(self.iter()).for_each(|(slot, item)| *slot = item);
        Ok(items)
    }

    /// The item at `index` as UTF-8.
    ///
    /// # Errors
    /// When it is missing or is not UTF-8.
    pub fn text(&self, index: usize) -> Result<&'a str, Malformed> {
        read_text(self.nth(index)?)
    }

    /// The item at `index` as a u64.
    ///
    /// # Errors
    /// When it is missing or not eight bytes long.
    pub fn u64(&self, index: usize) -> Result<u64, Malformed> {
        read_u64(self.nth(index)?)
    }

    /// The item at `index` as an f64. Any bit pattern is one.
    ///
    /// # Errors
    /// When it is missing or not eight bytes long.
    pub fn f64(&self, index: usize) -> Result<f64, Malformed> {
        read_f64(self.nth(index)?)
    }

    /// The item at `index` as a list of its own.
    ///
    /// # Errors
    /// When it is missing or not a list.
    pub fn list(&self, index: usize) -> Result<Args<'a>, Malformed> {
        Args::parse(self.nth(index)?)
    }

    /// The item at `index` as name and value pairs: a list of its own, flat, names and values in turn.
    /// Metric labels and HTTP headers have this form.
    ///
    /// # Errors
    /// When it is missing, not a list, or has a name without a value.
    pub fn pairs(&self, index: usize) -> Result<Pairs<'a>, Malformed> {
        let list = self.list(index)?;
        match list.len % 2 {
            0 => Ok(Pairs(list.iter())),
            _ => Err(Malformed::Missing { index: list.len }),
        }
    }
}

/// Name and value pairs of [`Args::pairs`].
#[derive(Debug, Clone)]
pub struct Pairs<'a>(Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().zip(self.0.next())
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The items of an [`Args`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (item, rest) = split(self.rest)?;
        self.rest = rest;
        self.left = self.left.saturating_sub(1);
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// The first item and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*prefix)).ok()?)
}

/// Eight little-endian bytes as a u64.
///
/// # Errors
/// [`Malformed::Number`] when there are not eight.
pub fn read_u64(bytes: &[u8]) -> Result<u64, Malformed> {
    eight(bytes).map(u64::from_le_bytes)
}

/// Eight little-endian bytes as an f64. Any bit pattern is one.
///
/// # Errors
/// [`Malformed::Number`] when there are not eight.
pub fn read_f64(bytes: &[u8]) -> Result<f64, Malformed> {
    eight(bytes).map(f64::from_le_bytes)
}

/// Bytes as UTF-8.
///
/// # Errors
/// [`Malformed::Text`] when they are not.
pub fn read_text(bytes: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(bytes).map_err(|_| Malformed::Text)
}

fn eight(bytes: &[u8]) -> Result<[u8; 8], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Number { len: bytes.len() })
}
