//! Guest memory behind bounds checks: every pointer and length is the guest's claim until looked up here.

/// A pointer or length outside the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds;

/// Where a guest says bytes are: pointer and length, both unsigned.
///
/// A span of length zero is valid only when its pointer is at most the size of the memory: a pointer outside
/// memory is wrong whatever is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// The span of this pointer and length, if it does not run over the end of the address space.
    ///
    /// # Errors
    /// [`OutOfBounds`] when pointer and length together exceed 4 GiB.
    pub fn new(ptr: u32, len: u32) -> Result<Self, OutOfBounds> {
        const LAST: u64 = 1 << 32;
        let end = u64::from(ptr) + u64::from(len);
        if end > LAST {
            return Err(OutOfBounds);
        }
        let start = usize::try_from(ptr).map_err(|_| OutOfBounds)?;
        let end = usize::try_from(end).map_err(|_| OutOfBounds)?;
        Ok(Self { start, end })
    }
    /// Its bytes.
    ///
    /// # Errors
    /// [`OutOfBounds`] when it does not lie within `memory`.
    #[inline]
    pub fn of(self, memory: &[u8]) -> Result<&[u8], OutOfBounds> {
        memory.get(self.start..self.end).ok_or(OutOfBounds)
    }
    /// Its bytes, to be written.
    ///
    /// # Errors
    /// [`OutOfBounds`] when it does not lie within `memory`.
    #[inline]
    pub fn of_mut(self, memory: &mut [u8]) -> Result<&mut [u8], OutOfBounds> {
        memory.get_mut(self.start..self.end).ok_or(OutOfBounds)
    }
}

/// The bytes at `ptr`, `len` of them.
///
/// # Errors
/// [`OutOfBounds`].
#[inline]
pub fn read(memory: &[u8], ptr: u32, len: u32) -> Result<&[u8], OutOfBounds> {
    Span::new(ptr, len)?.of(memory)
}

/// Copies what lies at `offset` of `from` to the span at `ptr`, as much as both hold. Past the end is nothing.
/// The whole span has to lie within memory, also where less is copied. Returns the bytes copied.
///
/// # Errors
/// [`OutOfBounds`].
#[inline]
pub fn copy_out(
    memory: &mut [u8],
    ptr: u32,
    cap: u32,
    from: &[u8],
    offset: u32,
) -> Result<usize, OutOfBounds> {
    let to = Span::new(ptr, cap)?.of_mut(memory)?;
    let rest = usize::try_from(offset).ok().and_then(|o| from.get(o..)).unwrap_or_default();
    let count = rest.len().min(to.len());
    if let (Some(to), Some(rest)) = (to.get_mut(..count), rest.get(..count)) {
        to.copy_from_slice(rest);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_at_the_edge_of_memory() {
        let memory = [7u8; 16];
        assert_eq!(read(&memory, 0, 16).unwrap().len(), 16);
        assert_eq!(read(&memory, 16, 0), Ok(&[][..]));
        assert_eq!(read(&memory, 17, 0), Err(OutOfBounds));
        assert_eq!(read(&memory, u32::MAX, 0), Err(OutOfBounds));
        assert_eq!(read(&memory, 15, 2), Err(OutOfBounds));
        assert_eq!(read(&memory, 0, -1i32 as u32), Err(OutOfBounds));
        assert_eq!(read(&memory, u32::MAX, u32::MAX), Err(OutOfBounds));
    }

    #[test]
    fn a_copy_is_as_long_as_source_and_span_allow() {
        let mut memory = [0u8; 8];
        assert_eq!(copy_out(&mut memory, 6, 2, b"abc", 0), Ok(2));
        assert_eq!(&memory[6..], b"ab");
        assert_eq!(copy_out(&mut memory, 0, 8, b"abc", 2), Ok(1));
        assert_eq!(copy_out(&mut memory, 0, 8, b"abc", 3), Ok(0));
        assert_eq!(copy_out(&mut memory, 0, 8, b"abc", u32::MAX), Ok(0));
        assert_eq!(copy_out(&mut memory, 1, 8, b"abc", 3), Err(OutOfBounds));
        assert_eq!(&memory, b"c\0\0\0\0\0ab");
    }

    proptest! {
        #[test]
        fn a_span_is_found_exactly_when_it_lies_inside(size in 0usize..300, ptr: u32, len: u32, near: bool) {
            let (ptr, len) = if near { (ptr % 400, len % 400) } else { (ptr, len) };
            let memory = vec![0u8; size];
            let inside = u64::from(ptr) + u64::from(len) <= size as u64;
            prop_assert_eq!(read(&memory, ptr, len).map(<[u8]>::len), if inside { Ok(len as usize) } else { Err(OutOfBounds) });
        }
    }
}
