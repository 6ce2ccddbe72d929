//! Buckets as a plugin meets them: in folders of this machine, and at servers that speak S3.

mod folders;
mod servers;

use super::super::testing::{Host, args, n};
use super::{ObjectOptions, ObjectPlace};
use microkernel::syscall_bridge::{CallError, Status, take};
use std::collections::BTreeMap;

/// Options with this one bucket, `b`.
fn bucket(place: ObjectPlace) -> ObjectOptions {
    ObjectOptions { buckets: BTreeMap::from([("b".to_owned(), place)]), ..ObjectOptions::default() }
}

fn put(host: &Host, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), Status> {
    host.call("object_put", args().arg(name).arg(bytes)).map(drop)
}

fn get(host: &Host, name: &str) -> Result<Vec<u8>, Status> {
    host.call("object_get", args().arg(name))
}

fn part(host: &Host, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, Status> {
    host.call("object_get", args().arg(name).arg(n(offset)).arg(n(length)))
}

fn delete(host: &Host, name: &str) -> Result<(), Status> {
    host.call("object_delete", args().arg(name)).map(drop)
}

fn page(host: &Host, name: &str, after: &str, most: u64) -> Result<Vec<String>, Status> {
    let answer = host.call("object_list", args().arg(name).arg(after).arg(n(most)))?;
    let mut rest = answer.as_slice();
    let items = std::iter::from_fn(|| take(&mut rest).unwrap());
    Ok(items.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect())
}

fn listed(host: &Host, name: &str) -> Result<Vec<String>, Status> {
    page(host, name, "", u64::MAX)
}

fn cause(host: &Host, service: &str, name: &str) -> (Status, String) {
    let CallError { status, cause } = host.cause(service, args().arg(name)).unwrap_err();
    (status, cause.into_owned())
}

#[test]
fn a_call_names_what_it_touches_and_nothing_else() {
    let host = Host::new();
    for service in ["object_get", "object_list", "object_delete"] {
        assert_eq!(host.target(service, args().arg("b/a/c")), Ok(("b/a/c".into(), false)));
        assert_eq!(host.call(service, args().arg("b/a/c")), Err(Status::NotFound), "no such bucket");
        for bad in ["", "b/", "b/../c", "b//c", "B/c", "b/a\\c"] {
            assert_eq!(host.call(service, args().arg(bad)), Err(Status::Invalid), "{service} {bad:?}");
        }
        assert_eq!(host.call(service, args()), Err(Status::Invalid));
    }
    assert_eq!(host.target("object_list", args().arg("b")), Ok(("b".into(), false)));
    assert_eq!(get(&host, "b"), Err(Status::Invalid));
    assert_eq!(host.call("object_put", args().arg("b/a")), Err(Status::Invalid));
    assert_eq!(host.call("object_get", args().arg("b/a").arg("4")), Err(Status::Invalid));
    assert_eq!(host.call("object_delete", args().arg("b/a").arg("")), Err(Status::Invalid));
    assert_eq!(host.call("object_list", args().arg("b").arg(b"\xff")), Err(Status::Invalid));
}
