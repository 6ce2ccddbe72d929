//! A bucket in a folder: what is there, what somebody else planted there, and how much fits.

use super::*;
use proptest::prelude::*;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

struct World {
    host: Host,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::holding(1_000_000, 1000)
    }
    fn holding(bytes: u64, entries: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("bucket");
        std::fs::create_dir(&folder).unwrap();
        let options = bucket(ObjectPlace::Folder { path: folder, bytes, entries });
        let host = Host::new().with_objects(&ObjectOptions { requests_per_second: u32::MAX, ..options });
        Self { host, dir }
    }
    fn folder(&self) -> PathBuf {
        self.dir.path().join("bucket")
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn objects_are_put_got_in_parts_listed_and_deleted() {
    let World { host, dir } = &World::new();
    assert_eq!(get(host, "b/2026/a"), Err(Status::NotFound));
    assert_eq!(listed(host, "b"), Ok(vec![]));
    put(host, "b/2026/a", "0123456789").unwrap();
    put(host, "b/2026/b c~%", "x").unwrap();
    assert_eq!(get(host, "b/2026/a"), Ok(b"0123456789".to_vec()));
    assert_eq!(part(host, "b/2026/a", 3, 4), Ok(b"3456".to_vec()));
    assert_eq!(part(host, "b/2026/a", 8, u64::MAX), Ok(b"89".to_vec()));
    assert_eq!(part(host, "b/2026/a", 10, 1), Ok(vec![]));
    put(host, "b/2026/a", "short").unwrap();
    assert_eq!(get(host, "b/2026/a"), Ok(b"short".to_vec()));
    assert_eq!(listed(host, "b"), Ok(vec!["b/2026/a".into(), "b/2026/b c~%".into()]));
    assert_eq!(listed(host, "b/2025"), Ok(vec![]));
    delete(host, "b/2026/a").unwrap();
    delete(host, "b/2026/a").unwrap();
    assert_eq!(names(&dir.path().join("bucket")), [".forgeone-staging", "2026"]);
    delete(host, "b/2026/b c~%").unwrap();
    assert_eq!(names(&dir.path().join("bucket")), [".forgeone-staging"], "empty folders go");
    let mode = dir.path().join("bucket/.forgeone-staging").metadata().unwrap().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn an_object_and_a_folder_do_not_share_a_name() {
    let World { host, .. } = &World::new();
    put(host, "b/a/b", "x").unwrap();
    assert_eq!(put(host, "b/a", "x"), Err(Status::Conflict));
    assert_eq!(put(host, "b/a/b/c", "x"), Err(Status::Conflict));
    assert_eq!(get(host, "b/a"), Err(Status::NotFound));
    assert_eq!(get(host, "b/a/b/c"), Err(Status::NotFound));
    assert_eq!((delete(host, "b/a"), delete(host, "b/a/b/c")), (Ok(()), Ok(())));
    assert_eq!(listed(host, "b/a/b"), Ok(vec![]), "an object is no folder");
    assert_eq!(get(host, "b/a/b"), Ok(b"x".to_vec()));
}

#[test]
fn links_lead_nowhere() {
    let world = World::new();
    let (host, folder) = (&world.host, world.folder());
    let outside = world.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, folder.join("dir")).unwrap();
    symlink(outside.join("secret"), folder.join("file")).unwrap();
    symlink("../outside/secret", folder.join("relative")).unwrap();
    std::fs::hard_link(outside.join("secret"), folder.join("hard")).unwrap();
    for name in ["b/dir/secret", "b/file", "b/relative", "b/hard"] {
        assert_eq!(get(host, name), Err(Status::Denied), "{name}");
        assert_eq!(put(host, name, "x"), Err(Status::Denied), "{name}");
        assert_eq!(delete(host, name), Err(Status::Denied), "{name}");
    }
    assert_eq!(listed(host, "b/dir"), Err(Status::Denied));
    assert_eq!(listed(host, "b"), Ok(vec![]));
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(names(&outside), ["secret"]);
}

#[test]
fn what_a_host_that_is_gone_left_unfinished_is_cleared_and_never_shown() {
    let world = World::new();
    let staging = world.folder().join(".forgeone-staging");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("0"), "half").unwrap();
    assert_eq!(listed(&world.host, "b"), Ok(vec![]));
    assert_eq!(names(&staging), [""; 0]);
    assert_eq!(get(&world.host, "b/.forgeone-staging/0"), Err(Status::Invalid));
}

#[test]
fn a_folder_that_is_not_there_is_unavailable_until_it_is() {
    let world = World::new();
    std::fs::remove_dir(world.folder()).unwrap();
    let (status, cause) = cause(&world.host, "object_get", "b/a");
    assert_eq!(status, Status::Unavailable);
    assert!(!cause.contains('/'), "no path of the host: {cause}");
    std::fs::create_dir(world.folder()).unwrap();
    put(&world.host, "b/a", "x").unwrap();
}

#[test]
fn bytes_and_entries_of_a_bucket_are_bounded_and_given_back() {
    // The folder of unfinished objects is an entry.
    let World { host, .. } = &World::holding(100, 4);
    put(host, "b/a", [0; 60]).unwrap();
    assert_eq!(put(host, "b/b", [0; 41]), Err(Status::Limit));
    put(host, "b/b", [0; 40]).unwrap();
    assert_eq!(put(host, "b/x/c", ""), Err(Status::Limit));
    delete(host, "b/b").unwrap();
    delete(host, "b/x/c").unwrap();
    put(host, "b/a", [0; 100]).unwrap();
    assert_eq!(listed(host, "b"), Ok(vec!["b/a".into()]));
}

#[test]
fn a_page_has_at_most_a_thousand_names() {
    let world = World::new();
    for i in 0..1001 {
        std::fs::write(world.folder().join(format!("{i:04}")), "").unwrap();
    }
    let first = listed(&world.host, "b").unwrap();
    assert_eq!((first.len(), first.last().unwrap().as_str()), (1000, "b/0999"));
    assert_eq!(page(&world.host, "b", "b/0999", u64::MAX), Ok(vec!["b/1000".into()]));
}

#[test]
fn objects_calls_and_bytes_of_a_plugin_are_bounded() {
    let world = World::new();
    let place = ObjectPlace::Folder { path: world.folder(), bytes: 1000, entries: 10 };
    let small = ObjectOptions { object_limit: 10, requests_per_second: 1, ..bucket(place) };
    let host = Host::new().with_objects(&small);
    std::fs::write(world.folder().join("large"), [7; 11]).unwrap();
    assert_eq!(put(&host, "b/a", [0; 11]), Err(Status::Limit));
    assert_eq!(put(&host, "b/a", [0; 10]), Ok(()));
    assert_eq!(get(&host, "b/large"), Err(Status::Limit));
    assert_eq!(part(&host, "b/large", 1, 100), Ok(vec![7; 10]));
    for _ in 0..7 {
        assert_eq!(get(&host, "b/a"), Ok(vec![0; 10]));
    }
    assert_eq!(get(&host, "b/a"), Err(Status::Limit));
    let host = Host::new().with_objects(&ObjectOptions { bytes_per_second: 1, ..small });
    assert_eq!(part(&host, "b/large", 1, 100), Ok(vec![7; 10]));
    assert_eq!(part(&host, "b/large", 1, 100), Err(Status::Limit));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_are_the_sorted_names_below_a_folder(
        keys in prop::collection::btree_set("[ab.]{1,2}(/[ab.~]{1,2}){0,2}", 0..12), after in "[ab./]{0,4}", most in 1u64..4,
    ) {
        let World { host, .. } = &World::new();
        let kept: Vec<String> = keys.iter().map(|key| format!("b/{key}")).filter(|name| put(host, name, "").is_ok()).collect();
        let below = |folder: &str| -> Vec<String> {
            kept.iter().filter(|name| name.starts_with(&format!("{folder}/"))).cloned().collect()
        };
        for folder in ["b", "b/a", "b/a/b"] {
            let mut all = Vec::new();
            while let Some(more) = Some(page(host, folder, all.last().map_or("", String::as_str), most).unwrap()).filter(|p| !p.is_empty()) {
                prop_assert!(more.len() as u64 <= most);
                all.extend(more);
            }
            prop_assert_eq!(&all, &below(folder));
            let from = format!("b/{after}");
            let rest: Vec<String> = below(folder).into_iter().filter(|name| *name > from).collect();
            prop_assert_eq!(page(host, folder, &from, 1000).unwrap(), rest);
        }
    }
}
