//! The process dies at every step of install, replace and remove: the next opening finds the old state or the
//! new one, whole, and no garbage.

use super::disk::{Disk, RealDisk};
use super::home::tests::{NOW, SHORTLY};
use super::records::tests::plugin;
use super::testing::{Fault, Hasty, Loss, RecordedDisk};
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
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if let Err(died) = self.step() {
            RealDisk.write_at(file, &bytes[..bytes.len() / 2], at)?;
            return Err(died);
        }
        RealDisk.write_at(file, bytes, at)
    }
    fn grow(&self, file: &File, from: u64, to: u64) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.grow(file, from, to))
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
        self.step().and_then(|()| Hasty.sync(file))
    }
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.step().and_then(|()| Hasty.sync_data(file))
    }
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.truncate(file, length))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.rename(from, to))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| Hasty.sync_dir(path))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.remove(path))
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| RealDisk.remove_tree(path))
    }
}

fn open(path: &Path) -> Result<Home, StoreError> {
    Home::open_on(Arc::new(Hasty), path, SHORTLY, ManualClock::at(NOW))
}

/// A home that is open and whose disk dies after this many further steps.
pub(super) fn dying(path: &Path, steps: usize, recovers: bool) -> Home {
    let disk = Arc::new(DyingDisk { left: AtomicUsize::new(usize::MAX), recovers });
    let home = Home::open_on(disk.clone(), path, SHORTLY, ManualClock::at(NOW)).unwrap();
    disk.left.store(steps, SeqCst);
    home
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
    for steps in 0..400 {
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
            let there = !home.plugins().unwrap().is_empty();
            assert!(there || !done);
            if !there {
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

/// A home with one version installed, values, a private file; and what is changed in it.
struct Story {
    name: &'static str,
    act: fn(&Home) -> Result<(), StoreError>,
}

const OLD: &[u8] = b"one";
const NEW: &[u8] = b"two, a longer one";

const STORIES: [Story; 4] = [
    Story { name: "install", act: |home| home.install(plugin("b", "1.0.0", NEW), NEW).map(drop) },
    Story {
        name: "replace",
        act: |home| {
            let state = super::Carried { owner: "acme/a", version: "1.0.0", bytes: b"state" };
            home.replace(plugin("a", "2.0.0", NEW), home.store_package(NEW)?, Some(state)).map(drop)
        },
    },
    Story { name: "go back", act: |home| replace(home, &versions().0, OLD).map(drop) },
    Story { name: "remove", act: |home| home.remove(&versions().0.name, PrivateData::Erase).map(drop) },
];

impl Story {
    fn of(&self) -> &'static str {
        if self.name == "install" { "b" } else { "a" }
    }

    /// Brings a home to where this begins.
    fn before(&self, home: &Home) {
        home.install(versions().0, OLD).unwrap();
        if self.name == "go back" {
            replace(home, &versions().1, NEW).unwrap();
        }
        std::fs::create_dir_all(home.data_dir().join("acme/a/deep")).unwrap();
        std::fs::write(home.data_dir().join("acme/a/deep/f"), "x").unwrap();
        home.kv_commit([value("acme/a", "k"), value("acme/b", "k")]).unwrap();
    }

    /// What is installed, its kept versions, its state and its private files, in words.
    fn standing(&self, home: &Home) -> String {
        let name = self.of().parse().unwrap();
        let row = home.plugin(&name).unwrap().map(|row| (row.plugin.version, row.plugin.package));
        let kept: Vec<String> = home.versions(&name).unwrap().into_iter().map(|v| v.plugin.version).collect();
        let state = home.saved_state("acme/a").unwrap().map(|s| s.bytes);
        let file = home.data_dir().join("acme/a/deep/f").exists();
        format!("{row:?} {kept:?} {state:?} {file} {:?}", values(home, "acme/a"))
    }
}

/// What must hold of every home that opened.
fn is_sound(home: &Home, what: &str) {
    let rows: Vec<_> = home.plugins().unwrap().into_iter().chain(home.all_versions().unwrap()).collect();
    let packages: std::collections::BTreeSet<_> = rows.iter().map(|row| row.plugin.package).collect();
    packages.iter().for_each(|package| drop(home.read_package(package).unwrap()));
    assert_eq!(files(&home.packages_dir()), packages.len(), "{what}");
    assert_eq!((files(&home.staging_dir()), files(&home.file_staging_dir())), (0, 0), "{what}");
    assert_eq!(values(home, "acme/b"), ["k"], "{what}");
}

fn recorded(path: &Path) -> (Arc<RecordedDisk>, Home) {
    let disk = RecordedDisk::of(path);
    let home = Home::open_on(disk.clone(), path, SHORTLY, ManualClock::at(NOW)).unwrap();
    (disk, home)
}

/// Every crash of one story; how many there were.
fn crash_everywhere(story: &Story) -> usize {
    let dir = tempfile::tempdir().unwrap();
    story.before(&open(dir.path()).unwrap());
    let (disk, home) = recorded(dir.path());
    let (old, begin) = (story.standing(&home), disk.changes());
    (story.act)(&home).unwrap();
    let (new, end) = (story.standing(&home), disk.changes());
    assert_ne!(old, new);
    let (mut crashes, mut seen) = (0, std::collections::BTreeSet::new());
    for after in begin..=end {
        for loss in Loss::each(after as u64) {
            let left = disk.crashed(after, loss);
            let what = format!("{} after {} changes, {loss:?}", story.name, after - begin);
            let home = open(left.path()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
            is_sound(&home, &what);
            let found = story.standing(&home);
            assert!(found == new || (found == old && after < end), "{what}: {found}");
            seen.insert(found == new);
            crashes += 1;
        }
    }
    assert_eq!(seen.len(), 2, "{}: only one of the states was seen", story.name);
    crashes
}

#[test]
fn fault_090_every_crash_of_every_change_leaves_the_old_or_the_new() {
    let crashes: usize = std::thread::scope(|scope| {
        let each = STORIES.each_ref().map(|story| scope.spawn(move || crash_everywhere(story)));
        each.into_iter().map(|story| story.join().unwrap()).sum()
    });
    println!("crash images: {crashes}");
    assert!(crashes > 300, "{crashes}");
}

/// Every fault of one story, at each change: refused and unchanged, or done; and done by a retry where one can help.
fn fail_everywhere(story: &Story, fault: fn(usize) -> Fault, heals: bool) -> usize {
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        story.before(&open(dir.path()).unwrap());
        let (disk, home) = recorded(dir.path());
        let (old, begin) = (story.standing(&home), disk.changes());
        disk.fail(Some(fault(begin + at)));
        let done = (story.act)(&home);
        let over = disk.fail(None).is_some();
        let what = format!("{} failing at change {at}", story.name);
        if heals {
            let found = story.standing(&home);
            // A removal whose files cannot be erased yet is told so, and is one.
            let gone = story.name == "remove" && found.starts_with("None");
            assert!(found == old || done.is_ok() || gone, "{what}: {found}");
            let again = done.or_else(|e| if gone { Ok(()) } else { (story.act)(&home).map_err(|_| e) });
            again.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        }
        drop(home);
        let home = open(dir.path()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        is_sound(&home, &what);
        if over {
            return at;
        }
    }
    unreachable!("numbers end later than changes")
}

#[test]
fn fault_091_a_full_disk_at_every_change_refuses_and_the_same_process_goes_on() {
    let points: usize = STORIES.iter().map(|story| fail_everywhere(story, Fault::FullOnce, true)).sum();
    assert!(points > 40, "{points}");
}

#[test]
fn fault_091_a_sync_that_fails_is_not_tried_again_and_believed() {
    let points: usize = STORIES.iter().map(|story| fail_everywhere(story, Fault::Sync, false)).sum();
    assert!(points > 20, "{points}");
    let dir = tempfile::tempdir().unwrap();
    let (disk, home) = recorded(dir.path());
    let (one, two) = versions();
    home.install(one.clone(), OLD).unwrap();
    disk.fail(Some(Fault::Sync(disk.changes())));
    let refused = home.set_desired(&one.name, super::Desired::Paused);
    assert!(matches!(refused, Err(StoreError::Database { .. })), "{refused:?}");
    // The disk is well again, and nobody knows what it holds.
    let refused = replace(&home, &two, NEW).unwrap_err();
    assert!(matches!(refused, StoreError::Unsure(_)), "{refused:?}");
    assert!(matches!(home.plugins(), Err(StoreError::Unsure(_))));
    drop(home);
    let home = open(dir.path()).unwrap();
    assert_eq!(home.plugins().unwrap().len(), 1);
    replace(&home, &two, NEW).unwrap();
}
