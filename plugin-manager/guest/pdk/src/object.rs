//! Objects of the buckets the operator names: `bucket/key`. Needs `objects` get, put, list and delete, each for what its
//! name says, with a scope or a policy that names the objects.

use forgeone_abi::names::syscall as name;

use crate::call::{bytes, call, nothing, simple, texts};
use crate::error::{HostError, found};

/// Most names of one page of [`list`].
pub const PAGE: u64 = 1000;

/// An object, or `None` when there is no such object or bucket.
///
/// # Errors
/// The host's status; limit when it is larger than the host's `objects.object_limit`: then [`get_at`] reads it in parts.
pub fn get(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    found(simple(name::OBJECT_GET, &[name.as_bytes()], bytes))
}

/// At most `length` bytes of an object from `offset` on: none behind its end. `None` as for [`get`].
///
/// # Errors
/// The host's status.
pub fn get_at(name: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>, HostError> {
    let (offset, length) = (offset.to_le_bytes(), length.to_le_bytes());
    found(simple(name::OBJECT_GET, &[name.as_bytes(), &offset, &length], bytes))
}

/// Makes or replaces an object.
///
/// # Errors
/// The host's status; not found when there is no such bucket.
pub fn put(name: &str, content: &[u8]) -> Result<(), HostError> {
    simple(name::OBJECT_PUT, &[name.as_bytes(), content], nothing)
}

/// Deletes an object. One that is not there is no error.
///
/// # Errors
/// The host's status; not found when there is no such bucket.
pub fn delete(name: &str) -> Result<(), HostError> {
    simple(name::OBJECT_DELETE, &[name.as_bytes()], nothing)
}

/// A page of the names, sorted, of all objects below `bucket` or `bucket/folder`: those after `after`, at most `limit`
/// and never more than [`PAGE`]. When it is empty there are no more.
///
/// # Errors
/// The host's status; not found when there is no such bucket.
pub fn list(folder: &str, after: Option<&str>, limit: Option<u64>) -> Result<Vec<String>, HostError> {
    let limit = limit.unwrap_or(PAGE).to_le_bytes();
    call(
        name::OBJECT_LIST,
        |args| {
            args.put(folder.as_bytes())?;
            args.put(after.unwrap_or_default().as_bytes())?;
            args.put(&limit)
        },
        texts(name::OBJECT_LIST),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn objects_are_put_got_in_parts_listed_and_deleted() {
        let host = Host::install();
        host.add_bucket("b");
        assert_eq!(get("b/2026/a").unwrap(), None);
        put("b/2026/a", b"0123456789").unwrap();
        put("b/c", b"").unwrap();
        assert_eq!(host.object("b/2026/a").unwrap(), b"0123456789");
        assert_eq!(get("b/2026/a").unwrap().unwrap(), b"0123456789");
        assert_eq!(get_at("b/2026/a", 8, 5).unwrap().unwrap(), b"89");
        assert_eq!(get_at("b/2026/a", 10, 5).unwrap().unwrap(), b"");
        assert_eq!(list("b", None, None).unwrap(), ["b/2026/a", "b/c"]);
        assert_eq!(list("b", Some("b/2026/a"), Some(9)).unwrap(), ["b/c"]);
        assert_eq!(list("b/2026", None, Some(1)).unwrap(), ["b/2026/a"]);
        delete("b/c").unwrap();
        delete("b/c").unwrap();
        assert_eq!(list("b", None, None).unwrap(), ["b/2026/a"]);
    }

    #[test]
    fn a_bucket_nobody_named_is_not_there_and_a_bad_name_is_invalid() {
        let host = Host::install();
        assert_eq!(put("b/a", b"").unwrap_err().status(), Status::NotFound);
        assert_eq!(list("b", None, None).unwrap_err().status(), Status::NotFound);
        assert_eq!(get("b/a").unwrap(), None);
        host.add_bucket("b");
        for bad in ["", "b", "b/", "b//a", "b/../a", "b/a\\c"] {
            assert_eq!(put(bad, b"").unwrap_err().status(), Status::Invalid, "{bad}");
        }
        host.set_object("b/a", b"x");
        assert_eq!(get("b/a").unwrap().unwrap(), b"x");
    }
}
