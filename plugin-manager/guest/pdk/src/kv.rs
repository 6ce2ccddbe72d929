//! The plugin's own key-value storage. A value set here is visible to the next call at once.
//!
//! Needs the permissions `storage` get, set, delete and list, each for what its name says.

use forgeone_abi::Status;
use forgeone_abi::names::syscall as name;

use crate::call::{bytes, call, nothing, simple, texts};
use crate::error::{HostError, found};

/// The value of a key, or `None` when there is no such key.
///
/// # Errors
/// The host's status.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, HostError> {
    found(simple(name::KV_GET, &[key.as_bytes()], bytes))
}

/// Sets a key. Keys are at most 1 KiB, values 16 MiB.
///
/// # Errors
/// The host's status; [`Status::Limit`] when the plugin's quota is used up.
pub fn set(key: &str, value: &[u8]) -> Result<(), HostError> {
    simple(name::KV_SET, &[key.as_bytes(), value], nothing)
}

/// Deletes a key.
///
/// # Errors
/// The host's status.
pub fn delete(key: &str) -> Result<(), HostError> {
    simple(name::KV_DELETE, &[key.as_bytes()], nothing)
}

/// Keys that begin with `prefix`, sorted: those after `after`, at most `limit`.
///
/// # Errors
/// The host's status.
pub fn list(prefix: &str, after: Option<&str>, limit: Option<u64>) -> Result<Vec<String>, HostError> {
    let limit = limit.map(u64::to_le_bytes);
    call(
        name::KV_LIST,
        |args| {
            args.put(prefix.as_bytes())?;
            if after.is_some() || limit.is_some() {
                args.put(after.unwrap_or_default().as_bytes())?;
            }
            limit.map_or(Ok(()), |limit| args.put(&limit))
        },
        texts(name::KV_LIST),
    )
}

/// Sets a key only if its value is still `expected` (`None`: absent). Answers whether it was set.
///
/// # Errors
/// The host's status, except the conflict, which is the answer `false`.
pub fn cas(key: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<bool, HostError> {
    let result = call(
        name::KV_CAS,
        |args| {
            args.put(key.as_bytes())?;
            args.put_list(expected.as_slice())?;
            args.put(value)
        },
        nothing,
    );
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.status() == Status::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn values_are_set_read_and_deleted() {
        let _host = Host::install();
        assert_eq!(get("k").unwrap(), None);
        set("k", b"v").unwrap();
        assert_eq!(get("k").unwrap().unwrap(), b"v");
        delete("k").unwrap();
        assert_eq!(get("k").unwrap(), None);
    }

    #[test]
    fn lists_are_sorted_and_paged() {
        let _host = Host::install();
        for key in ["b/2", "a", "b/1", "b/3"] {
            set(key, b"").unwrap();
        }
        assert_eq!(list("b/", None, None).unwrap(), ["b/1", "b/2", "b/3"]);
        assert_eq!(list("b/", Some("b/1"), None).unwrap(), ["b/2", "b/3"]);
        assert_eq!(list("", None, Some(2)).unwrap(), ["a", "b/1"]);
    }

    #[test]
    fn compare_and_set_needs_the_expected_value() {
        let _host = Host::install();
        assert!(cas("k", None, b"1").unwrap());
        assert!(!cas("k", None, b"2").unwrap());
        assert!(!cas("k", Some(b"x"), b"2").unwrap());
        assert!(cas("k", Some(b"1"), b"2").unwrap());
        assert_eq!(get("k").unwrap().unwrap(), b"2");
    }
}
