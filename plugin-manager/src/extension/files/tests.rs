//! The filesystem family as a plugin meets it: paths, kinds, quotas, and what somebody else planted.

use super::super::testing::{Host, args, n};
use super::FileLimits;
use microkernel::syscall_bridge::{Status, take};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

fn write(host: &Host, path: &str, bytes: impl AsRef<[u8]>) -> Result<(), Status> {
    host.call("file_write", args().arg(path).arg(bytes)).map(drop)
}

fn append(host: &Host, path: &str, bytes: impl AsRef<[u8]>) -> Result<(), Status> {
    host.call("file_append", args().arg(path).arg(bytes)).map(drop)
}

fn read(host: &Host, path: &str) -> Result<Vec<u8>, Status> {
    host.call("file_read", args().arg(path))
}

fn delete(host: &Host, path: &str) -> Result<(), Status> {
    host.call("file_delete", args().arg(path)).map(drop)
}

fn items(encoded: Vec<u8>) -> Vec<Vec<u8>> {
    let mut rest = encoded.as_slice();
    std::iter::from_fn(|| take(&mut rest).unwrap().map(<[u8]>::to_vec)).collect()
}

fn listed(host: &Host, path: &str) -> Result<Vec<String>, Status> {
    let names = items(host.call("file_list", args().arg(path))?);
    Ok(names.into_iter().map(|n| String::from_utf8(n).unwrap()).collect())
}

fn stat(host: &Host, path: &str) -> Result<[u64; 3], Status> {
    let values = items(host.call("file_stat", args().arg(path))?);
    Ok(std::array::from_fn(|i| u64::from_le_bytes(values[i].as_slice().try_into().unwrap())))
}

fn area(host: &Host) -> PathBuf {
    host.dir().join("data/acme/log-redactor")
}

fn small() -> FileLimits {
    FileLimits { bytes: 100, entries: 5, ..FileLimits::default() }
}

#[test]
fn files_are_written_read_in_parts_appended_listed_and_deleted() {
    let host = Host::new();
    assert_eq!(listed(&host, "/data"), Ok(vec![]));
    write(&host, "/data/a/b/file", "0123456789").unwrap();
    assert_eq!(read(&host, "/data/a/b/file"), Ok(b"0123456789".to_vec()));
    let part = |offset, length| {
        host.call("file_read", args().arg("/data/a/b/file").arg(n(offset)).arg(n(length))).unwrap()
    };
    assert_eq!(part(3, 4), b"3456");
    assert_eq!(part(8, u64::MAX), b"89");
    assert_eq!(part(u64::MAX, 1), b"");
    assert_eq!(host.call("file_read", args().arg("/data/a/b/file").arg(n(9))), Ok(b"9".to_vec()));
    append(&host, "/data/a/b/file", "ab").unwrap();
    append(&host, "/data/a/new", "x").unwrap();
    assert_eq!(read(&host, "/data/a/b/file"), Ok(b"0123456789ab".to_vec()));
    write(&host, "/data/a/b/file", "short").unwrap();
    assert_eq!(read(&host, "/data/a/b/file"), Ok(b"short".to_vec()));
    assert_eq!(listed(&host, "/data/a"), Ok(vec!["b/".into(), "new".into()]));
    assert_eq!(delete(&host, "/data/a/b"), Err(Status::Conflict));
    delete(&host, "/data/a/b/file").unwrap();
    delete(&host, "/data/a/b").unwrap();
    assert_eq!(listed(&host, "/data/a"), Ok(vec!["new".into()]));
    assert_eq!(std::fs::read_dir(host.dir().join("staging")).unwrap().count(), 0);
}

#[test]
fn stat_tells_size_time_and_kind() {
    let host = Host::new();
    write(&host, "/data/d/f", "12345").unwrap();
    let real = area(&host).join("d/f").metadata().unwrap();
    let mtime = real.mtime() as u64 * 1_000_000_000 + real.mtime_nsec() as u64;
    assert_eq!(stat(&host, "/data/d/f"), Ok([5, mtime, 0]));
    assert_eq!(stat(&host, "/data/d").map(|s| (s[0], s[2])), Ok((0, 1)));
    assert_eq!(stat(&host, "/data").map(|s| (s[0], s[2])), Ok((0, 1)));
    assert_eq!(host.call("file_stat", args().arg("/data/d/f")).unwrap().len(), 36);
}

#[test]
fn what_is_made_is_for_the_owner_alone() {
    let host = Host::new();
    write(&host, "/data/d/f", "x").unwrap();
    append(&host, "/data/d/g", "x").unwrap();
    let mode = |path: PathBuf| path.metadata().unwrap().mode() & 0o7777;
    for dir in ["", "d"] {
        assert_eq!(mode(area(&host).join(dir)), 0o700);
    }
    assert_eq!(mode(area(&host).parent().unwrap().to_owned()), 0o700);
    for file in ["d/f", "d/g"] {
        assert_eq!(mode(area(&host).join(file)), 0o600);
    }
}

#[test]
fn what_is_not_there_is_not_found_and_wrong_kinds_are_invalid() {
    let host = Host::new();
    write(&host, "/data/d/f", "x").unwrap();
    for absent in ["/data/x", "/data/d/x", "/data/x/y/z"] {
        assert_eq!(read(&host, absent), Err(Status::NotFound), "{absent}");
        assert_eq!(stat(&host, absent), Err(Status::NotFound), "{absent}");
        assert_eq!(listed(&host, absent), Err(Status::NotFound), "{absent}");
        assert_eq!(delete(&host, absent), Err(Status::NotFound), "{absent}");
    }
    for directory in ["/data", "/data/d"] {
        assert_eq!(read(&host, directory), Err(Status::Invalid), "{directory}");
        assert_eq!(write(&host, directory, "x"), Err(Status::Invalid), "{directory}");
        assert_eq!(append(&host, directory, "x"), Err(Status::Invalid), "{directory}");
    }
    assert_eq!(listed(&host, "/data/d/f"), Err(Status::Invalid));
    assert_eq!(write(&host, "/data/d/f/g", "x"), Err(Status::Invalid));
    assert_eq!(delete(&host, "/data"), Err(Status::Invalid));
}

#[test]
fn malformed_paths_and_arguments_are_invalid_and_other_mounts_are_not_there() {
    let host = Host::new();
    for service in ["file_read", "file_stat", "file_list", "file_delete"] {
        for bad in ["", "x", "/data/../x", "/data//x", "/data/", "/data/a\0", "/data/a\\b"] {
            assert_eq!(host.call(service, args().arg(bad)), Err(Status::Invalid), "{service} {bad:?}");
        }
        for elsewhere in ["/", "/etc/passwd", "/database/x"] {
            let target = host.target(service, args().arg(elsewhere));
            assert_eq!(target, Ok((elsewhere.into(), false)), "{service}");
            // Should a policy ever admit it.
            assert_eq!(host.call(service, args().arg(elsewhere)), Err(Status::NotFound), "{service}");
        }
        assert_eq!(host.call(service, args()), Err(Status::Invalid));
    }
    assert_eq!(host.target("file_read", args().arg("/data/x")), Ok(("/data/x".into(), true)));
    assert_eq!(host.call("file_read", args().arg("/data/x").arg("4")), Err(Status::Invalid));
    assert_eq!(host.call("file_stat", args().arg("/data/x").arg("")), Err(Status::Invalid));
    assert_eq!(host.call("file_write", args().arg("/data/x")), Err(Status::Invalid));
    assert_eq!(host.call("file_write", args().arg("/data/x").arg("").arg("")), Err(Status::Invalid));
}

#[test]
fn quotas_of_bytes_hold_at_the_limit_and_are_given_back() {
    let host = Host::with_files(small());
    write(&host, "/data/a", [0; 60]).unwrap();
    assert_eq!(write(&host, "/data/b", [0; 41]), Err(Status::Limit));
    assert_eq!(append(&host, "/data/a", [0; 41]), Err(Status::Limit));
    append(&host, "/data/a", [0; 40]).unwrap();
    assert_eq!(append(&host, "/data/a", [0]), Err(Status::Limit));
    assert_eq!(append(&host, "/data/b", [0]), Err(Status::Limit));
    assert_eq!(listed(&host, "/data"), Ok(vec!["a".into()]));
    write(&host, "/data/a", [0; 99]).unwrap();
    append(&host, "/data/b", [0]).unwrap();
    delete(&host, "/data/a").unwrap();
    write(&host, "/data/c", [0; 99]).unwrap();
    // An area opened anew counts what is there.
    host.files.forget(host.plugin().id);
    assert_eq!(append(&host, "/data/c", [0]), Err(Status::Limit));
    delete(&host, "/data/b").unwrap();
    append(&host, "/data/c", [0]).unwrap();
}

#[test]
fn files_and_directories_together_are_bounded() {
    let host = Host::with_files(small());
    write(&host, "/data/a/b/c/f", "").unwrap();
    write(&host, "/data/g", "").unwrap();
    assert_eq!(write(&host, "/data/h", ""), Err(Status::Limit));
    assert_eq!(append(&host, "/data/h", ""), Err(Status::Limit));
    assert_eq!(write(&host, "/data/d/h", ""), Err(Status::Limit));
    write(&host, "/data/g", "again").unwrap();
    delete(&host, "/data/a/b/c/f").unwrap();
    delete(&host, "/data/a/b/c").unwrap();
    assert_eq!(write(&host, "/data/x/y/z", ""), Err(Status::Limit));
    assert_eq!(listed(&host, "/data/x"), Ok(vec!["y/".into()]));
}

#[test]
fn one_answer_is_bounded() {
    let host = Host::with_files(FileLimits { read_bytes: 10, ..FileLimits::default() });
    write(&host, "/data/f", "0123456789a").unwrap();
    assert_eq!(read(&host, "/data/f"), Err(Status::Limit));
    let most = args().arg("/data/f").arg(n(1)).arg(n(10));
    assert_eq!(host.call("file_read", most), Ok(b"123456789a".to_vec()));
    write(&host, "/data/another", "").unwrap();
    assert_eq!(listed(&host, "/data"), Err(Status::Limit));
}

#[test]
fn planted_links_lead_nowhere() {
    let host = Host::new();
    let outside = host.dir().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    write(&host, "/data/d/f", "mine").unwrap();
    let plant = |to: &std::path::Path, name: &str| symlink(to, area(&host).join(name)).unwrap();
    plant(&outside, "dir");
    plant(&outside.join("secret"), "file");
    plant(std::path::Path::new("../../../outside/secret"), "relative");
    plant(&outside.join("new"), "dangling");
    plant(std::path::Path::new("d"), "inside");
    for path in ["/data/file", "/data/relative", "/data/dangling", "/data/dir/secret", "/data/inside/f"] {
        assert_eq!(read(&host, path), Err(Status::Denied), "{path}");
        assert_eq!(stat(&host, path), Err(Status::Denied), "{path}");
        assert_eq!(write(&host, path, "x"), Err(Status::Denied), "{path}");
        assert_eq!(append(&host, path, "x"), Err(Status::Denied), "{path}");
        assert_eq!(delete(&host, path), Err(Status::Denied), "{path}");
    }
    for dir in ["/data/dir", "/data/inside"] {
        assert_eq!(listed(&host, dir), Err(Status::Denied), "{dir}");
        assert_eq!(write(&host, &format!("{dir}/a/b"), "x"), Err(Status::Denied), "{dir}");
    }
    assert_eq!(listed(&host, "/data"), Ok(vec!["d/".into()]));
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn planted_pipes_and_hard_links_are_refused_without_waiting() {
    let host = Host::new();
    write(&host, "/data/f", "mine").unwrap();
    let outside = host.dir().join("secret");
    std::fs::write(&outside, "secret").unwrap();
    std::fs::hard_link(&outside, area(&host).join("hard")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let pipe = area(&host).join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for path in ["/data/pipe", "/data/hard"] {
        assert_eq!(read(&host, path), Err(Status::Denied), "{path}");
        assert_eq!(append(&host, path, "x"), Err(Status::Denied), "{path}");
        assert_eq!(write(&host, path, "x"), Err(Status::Denied), "{path}");
    }
    assert_eq!(std::fs::read(&outside).unwrap(), b"secret");
}

#[test]
fn an_area_planted_as_a_link_is_not_opened() {
    let host = Host::new();
    let outside = host.dir().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::create_dir(host.dir().join("data/acme")).unwrap();
    symlink(&outside, area(&host)).unwrap();
    assert_eq!(write(&host, "/data/f", "x"), Err(Status::Denied));
    assert_eq!(listed(&host, "/data"), Err(Status::Denied));
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn plugins_do_not_see_one_another_and_open_areas_are_bounded() {
    let mut host = Host::with_files(FileLimits { open_areas: 2, ..small() });
    let mine = host.plugin().clone();
    write(&host, "/data/f", [0; 90]).unwrap();
    for i in 0..10 {
        let mut other = mine.clone();
        other.name = common::identity::Name::new(&format!("p{i}")).unwrap();
        other.id = common::identity::PluginId::new(&other.publisher, &other.name);
        host.become_plugin(other);
        assert_eq!(read(&host, "/data/f"), Err(Status::NotFound));
        write(&host, "/data/f", [1; 90]).unwrap();
    }
    host.become_plugin(mine);
    assert_eq!(read(&host, "/data/f"), Ok(vec![0; 90]));
    assert_eq!(append(&host, "/data/f", [0; 11]), Err(Status::Limit));
}

#[test]
fn appends_of_many_threads_all_count() {
    let host = Host::with_files(FileLimits { bytes: 1000, ..FileLimits::default() });
    let done: usize = std::thread::scope(|threads| {
        let each =
            |_| threads.spawn(|| (0..100).filter(|_| append(&host, "/data/f", [7; 4]).is_ok()).count());
        (0..4).map(each).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(done, 250);
    assert_eq!(stat(&host, "/data/f").map(|s| s[0]), Ok(1000));
}

#[test]
fn two_plugins_of_one_publisher_may_make_its_directory_at_once() {
    let host = Host::new();
    let open = || cap_std::fs::Dir::open_ambient_dir(host.dir(), cap_std::ambient_authority()).unwrap();
    let together = std::sync::Barrier::new(2);
    let make_all = || {
        let dir = open();
        let make = |i| {
            together.wait();
            super::walk::down_or_make(&dir, &format!("publisher-{i}")).map(|(_, made)| made)
        };
        (0..200).map(make).collect::<Vec<_>>()
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(make_all);
        (make_all(), other.join().unwrap())
    });
    // Each is made once, whoever was first.
    let once = |(one, other): (Result<bool, _>, Result<bool, _>)| one.unwrap() ^ other.unwrap();
    assert!(one.into_iter().zip(other).all(once));
}
