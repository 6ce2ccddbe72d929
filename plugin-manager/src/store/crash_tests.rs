//! The process dies at every step of install, replace and remove: the next opening finds the old state or the
//! new one, whole, and no garbage.

use super::disk::{Disk, RealDisk};
use super::home::tests::{NOW, open};
use super::records::tests::plugin;
use super::{Home, KvRow, NewPlugin, PrivateData, StoreError};
use common::clock::ManualClock;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Fails at its k-th step: that step is not done (a write is half done). When it stands for the process's death,
/// no later step is done either; when it stands for a full disk, later ones are.
#[derive(Debug)]
struct DyingDisk {
    left: AtomicUsize,
    recovers: bool,
}

impl DyingDisk {
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
    fn sync(&self, file: &File) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.sync(file))
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

fn dying(path: &Path, steps: usize, recovers: bool) -> Home {
    let disk = Arc::new(DyingDisk { left: AtomicUsize::new(steps), recovers });
    Home::open_on(disk, path, Duration::ZERO, ManualClock::at(NOW)).unwrap()
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
        drop(home);
        let home = open(dir.path()).unwrap();
        check(&home, done);
        let plugins = home.plugins().unwrap();
        assert_eq!(files(&home.packages_dir()), plugins.len(), "garbage after {steps} steps");
        assert_eq!(files(&home.staging_dir()), 0, "garbage after {steps} steps");
        for p in plugins {
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
        |home| home.replace(two.clone(), b"two, a longer one").map(drop),
        |home, done| {
            let found = home.plugin(&one.name).unwrap().unwrap().plugin;
            assert!(found == two || (!done && found == one));
        },
    );
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
            home.kv_commit([KvRow { namespace: "acme/a", key: "k", value: Some(b"v") }]).unwrap();
        },
        |home| home.remove(&one.name, PrivateData::Erase).map(drop),
        |home, done| {
            let there = home.plugin(&one.name).unwrap().is_some();
            assert!(!(done && there));
            assert_eq!(area(home).join("f").exists(), there);
            let mut values = 0;
            home.kv_load("acme/a", &mut |_, _| values += 1).unwrap();
            assert_eq!(values, usize::from(there));
        },
    );
}

#[test]
fn fault_091_a_full_disk_refuses_an_installation_and_a_retry_works() {
    let (one, two) = versions();
    for steps in 0..100 {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap().install(one.clone(), b"one").unwrap();
        let home = dying(dir.path(), steps, true);
        let replaced = home.replace(two.clone(), b"two, a longer one");
        let found = home.plugin(&one.name).unwrap().unwrap().plugin;
        home.read_package(&found.package).unwrap();
        assert_eq!(found, if replaced.is_ok() { two.clone() } else { one.clone() });
        if home.replace(two.clone(), b"two, a longer one").is_ok() {
            assert_eq!((files(&home.packages_dir()), files(&home.staging_dir())), (1, 0), "{steps}");
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
