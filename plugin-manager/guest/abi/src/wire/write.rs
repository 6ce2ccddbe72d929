//! Writing argument lists into a buffer of the caller. What does not fit leaves the list as it was.

use super::{Full, PREFIX, U64_ITEM};

/// Bytes a list of these items takes, or `None` when that is more than a `usize` can say.
pub fn encoded_len(items: &[&[u8]]) -> Option<usize> {
    items.iter().try_fold(0usize, |sum, item| sum.checked_add(PREFIX)?.checked_add(item.len()))
}

/// Writes a list of these items at the start of `buffer`; answers the written part.
///
/// # Errors
/// [`Full`] when the buffer is shorter than [`encoded_len`] or an item longer than a u32 can say.
pub fn encode<'b>(items: &[&[u8]], buffer: &'b mut [u8]) -> Result<&'b [u8], Full> {
    let mut writer = ArgsWriter::new(buffer);
    items.iter().try_for_each(|item| writer.put(item))?;
    Ok(writer.finish())
}

/// Appends one item to a growing collection such as `Vec<u8>`, which bounds itself.
///
/// # Errors
/// [`Full`] when the item is longer than a u32 can say; nothing is appended then.
pub fn append<E>(out: &mut E, item: &[u8]) -> Result<(), Full>
where
    E: for<'i> Extend<&'i u8>,
{
    out.extend(&prefix(item.len())?);
    out.extend(item);
    Ok(())
}

fn prefix(len: usize) -> Result<[u8; PREFIX], Full> {
    u32::try_from(len).map(u32::to_le_bytes).map_err(|_| Full)
}

/// Writes items one after another into a borrowed buffer.
#[derive(Debug)]
pub struct ArgsWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> ArgsWriter<'b> {
    /// A writer at the start of `buffer`.
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a byte string.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; the list is unchanged then.
    pub fn put(&mut self, item: &[u8]) -> Result<(), Full> {
        let free = self.buffer.get_mut(self.len..).ok_or(Full)?;
        let (head, rest) = free.split_first_chunk_mut::<PREFIX>().ok_or(Full)?;
        let body = rest.get_mut(..item.len()).ok_or(Full)?;
        *head = prefix(item.len())?;
        body.copy_from_slice(item);
        self.len += PREFIX + item.len();
        Ok(())
    }

    /// Adds a u64.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; the list is unchanged then.
    pub fn put_u64(&mut self, value: u64) -> Result<(), Full> {
        self.put(&value.to_le_bytes())
    }

    /// Adds an f64.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; the list is unchanged then.
    pub fn put_f64(&mut self, value: f64) -> Result<(), Full> {
        self.put(&value.to_le_bytes())
    }

    /// Adds a list as one item: whatever `fill` writes.
    ///
    /// # Errors
    /// [`Full`] when it does not fit, or `fill` says so; the list is unchanged then.
    pub fn put_list(
        &mut self,
        fill: impl FnOnce(&mut ArgsWriter<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let free = self.buffer.get_mut(self.len..).ok_or(Full)?;
        let (head, rest) = free.split_first_chunk_mut::<PREFIX>().ok_or(Full)?;
        let mut inner = ArgsWriter::new(rest);
        fill(&mut inner)?;
        let len = inner.len;
        *head = prefix(len)?;
        self.len += PREFIX + len;
        Ok(())
    }

    /// The list written so far.
    pub fn finish(self) -> &'b [u8] {
        let Self { buffer, len } = self;
        // INVARIANT: `len` never passes the buffer's end, so the fallback is never taken.
        buffer.get(..len).unwrap_or_default()
    }
}

const _: () = assert!(U64_ITEM == PREFIX + size_of::<f64>());
