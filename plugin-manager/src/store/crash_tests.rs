//! The process dies at every step of install, replace and remove: the next opening finds the old state or the
//! new one, whole, and no garbage.

use super::disk::{Disk, RealDisk};
use super::home::tests::{NOW, SHORTLY, open};
use super::records::tests::plugin;
use super::versions::tests::replace;
use super::{Home, KvRow, NewPlugin, PrivateData, StoreError};
use common::clock::ManualClock;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Fails at its k-th step: that step is not done (a write is half done). When it stands for the process's death,
/// no later step is done either; when it stands for a full disk, later ones are.
#[derive(Debug)]
pub(super) struct DyingDisk {
    left: AtomicUsize,
    recovers: bool,
}

impl DyingDisk {
    /// One that dies after this many steps.
    pub(super) fn after(steps: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(steps), recovers: false })
    }
    fn step(&self) -> io::Result<()> {
        match self.left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => {
                if self.recovers {
                    self.left.store(usize::MAX, SeqCst);
                }
                Err(io::Error::from_raw_os_error(28))
            }
        }
    }
}

impl Disk for DyingDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.step().and_then(|()| RealDisk.create(path))
    }
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        if let Err(died) = self.step() {
            RealDisk.write(file, &bytes[..bytes.len() / 2])?;
            return Err(died);
        }
        RealDisk.write(file, bytes)
    }
    fn append_to(&self, path: &Path) -> io::Result<File> {
        RealDisk.append_to(path)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.sync(file))
    }
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.sync_data(file))
    }
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.truncate(file, length))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.rename(from, to))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.sync_dir(path))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.remove(path))
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.remove_tree(path))
    }
}

pub(super) fn dying(path: &Path, steps: usize, recovers: bool) -> Home {
    let disk = Arc::new(DyingDisk { left: AtomicUsize::new(steps), recovers });
    Home::open_on(disk, path, SHORTLY, ManualClock::at(NOW)).unwrap()
}

/// A copy of a home as a kill would leave it now: nothing in it was closed in order.
pub(super) fn image(of: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(of, copy.path());
    copy
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// What `act` leaves after dying at each step until it is done without dying, in a home prepared by `before`.
fn at_every_step(
    before: impl Fn(&Home),
    act: impl Fn(&Home) -> Result<(), StoreError>,
    check: impl Fn(&Home, bool),
) {
    for steps in 0..100 {
        let dir = tempfile::tempdir().unwrap();
        before(&open(dir.path()).unwrap());
        let home = dying(dir.path(), steps, false);
        let done = act(&home).is_ok();
        let left = image(dir.path());
        let home = open(left.path()).unwrap();
        check(&home, done);
        let plugins = home.plugins().unwrap();
        let all = plugins.len() + home.all_versions().unwrap().len();
        assert_eq!(files(&home.packages_dir()), all, "garbage after {steps} steps");
        assert_eq!(files(&home.staging_dir()), 0, "garbage after {steps} steps");
        for p in plugins.into_iter().chain(home.all_versions().unwrap()) {
            home.read_package(&p.plugin.package).unwrap();
        }
        if done {
            assert!(steps > 1, "the disk was not asked");
            return;
        }
    }
    panic!("never done");
}

fn versions() -> (NewPlugin, NewPlugin) {
    (plugin("a", "1.0.0", b"one"), plugin("a", "2.0.0", b"two, a longer one"))
}

#[test]
fn fault_089_install_leaves_nothing_or_all() {
    let (one, _) = versions();
    at_every_step(
        |_| {},
        |home| home.install(one.clone(), b"one").map(drop),
        |home, done| {
            assert_eq!(home.plugins().unwrap().len(), usize::from(done));
            if !done {
                home.install(one.clone(), b"one").unwrap();
            }
        },
    );
}

#[test]
fn fault_089_replace_leaves_the_old_or_the_new() {
    let (one, two) = versions();
    at_every_step(
        |home| drop(home.install(one.clone(), b"one").unwrap()),
        |home| replace(home, &two, b"two, a longer one").map(drop),
        |home, done| {
            let found = home.plugin(&one.name).unwrap().unwrap().plugin;
            assert!(found == two || (!done && found == one));
            assert_eq!(kept(home, &found), usize::from(found == two));
        },
    );
}

fn kept(home: &Home, plugin: &NewPlugin) -> usize {
    home.versions(&plugin.name).unwrap().len()
}

#[test]
fn fault_089_going_back_leaves_the_new_or_the_old() {
    let (one, two) = versions();
    at_every_step(
        |home| {
            home.install(one.clone(), b"one").unwrap();
            replace(home, &two, b"two, a longer one").unwrap();
        },
        |home| replace(home, &one, b"one").map(drop),
        |home, done| {
            let found = home.plugin(&one.name).unwrap().unwrap().plugin;
            assert!(found == one || (!done && found == two));
            assert_eq!(kept(home, &found), 1);
        },
    );
}

fn value(namespace: &'static str, key: &'static str) -> KvRow<'static> {
    KvRow { namespace, key, value: Some(b"v") }
}

fn values(home: &Home, namespace: &str) -> Vec<String> {
    let mut keys = Vec::new();
    home.kv_load(namespace, &mut |key, _| keys.push(key.to_owned())).unwrap();
    keys
}

#[test]
fn fault_089_remove_leaves_all_or_nothing() {
    let (one, _) = versions();
    let area = |home: &Home| home.data_dir().join("acme/a");
    at_every_step(
        |home| {
            home.install(one.clone(), b"one").unwrap();
            std::fs::create_dir_all(area(home)).unwrap();
            std::fs::write(area(home).join("f"), "x").unwrap();
            // These are rows when the home is opened again.
            home.kv_commit([value("acme/a", "settled"), value("acme/b", "settled")]).unwrap();
        },
        |home| {
            // These wait in a journal.
            home.kv_commit([value("acme/a", "waiting"), value("acme/b", "waiting")])?;
            home.remove(&one.name, PrivateData::Erase).map(drop)
        },
        |home, done| {
            let there = home.plugin(&one.name).unwrap().is_some();
            assert!(!(done && there));
            assert_eq!(area(home).join("f").exists(), there);
            let of_it = values(home, "acme/a");
            assert!(if there { of_it.contains(&"settled".into()) } else { of_it.is_empty() }, "{of_it:?}");
            assert_eq!(values(home, "acme/b").first().map(String::as_str), Some("settled"));
            assert!(!done || values(home, "acme/b").len() == 2);
        },
    );
}

#[test]
fn a_removed_plugin_that_is_installed_again_finds_no_value_of_before() {
    let (one, _) = versions();
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    home.install(one.clone(), b"one").unwrap();
    home.kv_append([value("acme/a", "old"), value("acme/b", "other")]).unwrap();
    home.remove(&one.name, PrivateData::Erase).unwrap();
    home.install(one.clone(), b"one").unwrap();
    home.kv_append([value("acme/a", "new")]).unwrap();
    assert_eq!(values(&home, "acme/a"), ["new"]);
    let left = image(dir.path());
    let home = open(left.path()).unwrap();
    assert_eq!(values(&home, "acme/a"), ["new"]);
    assert_eq!(values(&home, "acme/b"), ["other"]);
}

#[test]
fn fault_091_a_full_disk_refuses_an_installation_and_a_retry_works() {
    let (one, two) = versions();
    for steps in 0..100 {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap().install(one.clone(), b"one").unwrap();
        let home = dying(dir.path(), steps, true);
        let replaced = replace(&home, &two, b"two, a longer one");
        let found = home.plugin(&one.name).unwrap().unwrap().plugin;
        home.read_package(&found.package).unwrap();
        assert_eq!(found, if replaced.is_ok() { two.clone() } else { one.clone() });
        if replace(&home, &two, b"two, a longer one").is_ok() {
            assert_eq!((files(&home.packages_dir()), files(&home.staging_dir())), (2, 0), "{steps}");
        }
        let new = plugin("b", "1.0.0", b"another");
        // The step that fails may be one of this installation; then the next attempt is done.
        home.install(new.clone(), b"another").or_else(|_| home.install(new.clone(), b"another")).unwrap();
        assert_eq!(home.read_package(&new.package).unwrap(), b"another");
        if replaced.is_ok() && steps > 10 {
            return;
        }
    }
    panic!("never done");
}

#[test]
fn a_package_torn_by_a_loss_of_power_is_found_on_reading() {
    let (one, _) = versions();
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    home.install(one.clone(), b"one").unwrap();
    std::fs::write(home.package_path(&one.package), b"").unwrap();
    assert!(matches!(home.read_package(&one.package), Err(StoreError::Package(_))));
    home.remove(&one.name, PrivateData::Keep).unwrap();
    home.install(one.clone(), b"one").unwrap();
    assert_eq!(home.read_package(&one.package).unwrap(), b"one");
}
