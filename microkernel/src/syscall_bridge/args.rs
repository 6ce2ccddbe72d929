//! Argument lists: byte strings, each preceded by its length as u32 little-endian. Read without copying.

/// A malformed argument list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the argument list is malformed")]
pub struct ArgsError;

/// An encoded argument list, owned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyscallArgs(Vec<u8>);

impl SyscallArgs {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }
    /// Appends one byte string.
    #[must_use]
    pub fn arg(mut self, bytes: impl AsRef<[u8]>) -> Self {
        push(&mut self.0, bytes.as_ref());
        self
    }
    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends one byte string to an encoded list. Byte strings beyond 4 GiB cannot be encoded and are cut: no
/// caller holds one.
pub fn push(list: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let kept = usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes);
    list.extend_from_slice(&length.to_le_bytes());
    list.extend_from_slice(kept);
}

/// Splits the first byte string off an encoded list.
///
/// # Errors
/// [`ArgsError`] when the list ends inside a length or a byte string.
pub fn take<'a>(list: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ArgsError> {
    if list.is_empty() {
        return Ok(None);
    }
    let (length, rest) = list.split_first_chunk::<4>().ok_or(ArgsError)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| ArgsError)?;
    let (item, rest) = rest.split_at_checked(length).ok_or(ArgsError)?;
    *list = rest;
    Ok(Some(item))
}

/// Reads a list of `min` to `MAX` byte strings; those beyond the list's end are `None`.
///
/// # Errors
/// [`ArgsError`] when the list is malformed, shorter than `min` or longer than `MAX`.
pub fn list<const MAX: usize>(mut encoded: &[u8], min: usize) -> Result<[Option<&[u8]>; MAX], ArgsError> {
    let mut items = [None; MAX];
    let mut count = 0;
    for slot in &mut items {
        *slot = take(&mut encoded)?;
        count += usize::from(slot.is_some());
    }
    if count < min || !encoded.is_empty() { Err(ArgsError) } else { Ok(items) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_have_their_least_and_their_most() {
        let args = SyscallArgs::new().arg("a").arg("");
        assert_eq!(list::<3>(args.as_bytes(), 1), Ok([Some(&b"a"[..]), Some(&b""[..]), None]));
        assert_eq!(list::<2>(args.as_bytes(), 2), Ok([Some(&b"a"[..]), Some(&b""[..])]));
        assert_eq!(list::<1>(args.as_bytes(), 1), Err(ArgsError), "one too many");
        assert_eq!(list::<3>(args.as_bytes(), 3), Err(ArgsError), "one too few");
        assert_eq!(list::<2>(&[], 0), Ok([None, None]));
        assert_eq!(list::<1>(&[255, 255, 255, 255, 1], 0), Err(ArgsError));
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_taken(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let mut encoded = Vec::new();
            items.iter().for_each(|item| push(&mut encoded, item));
            let mut rest = encoded.as_slice();
            for item in &items {
                prop_assert_eq!(take(&mut rest), Ok(Some(item.as_slice())));
            }
            prop_assert_eq!(take(&mut rest), Ok(None));
            if !items.is_empty() {
                let cut = &encoded[..encoded.len() - 1];
                prop_assert_eq!(list::<6>(cut, items.len()), Err(ArgsError));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            let mut read = 0;
            while let Ok(Some(item)) = take(&mut rest) {
                read += item.len() + 4;
            }
            prop_assert_eq!(read + rest.len(), bytes.len());
        }
    }
}
