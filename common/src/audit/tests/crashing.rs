//! A log on a disk that dies or fails at each of its operations: what was acknowledged is there, once and in order, and
//! the log goes on.

use super::*;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// What the disk does when its count is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Half of the operation is done, and no operation after it: the process or the machine is gone.
    Dies,
    /// That operation alone fails, with this error of the system.
    Fails(i32),
}

#[derive(Debug)]
struct Disk {
    count: AtomicU64,
    at: u64,
    fate: Fate,
    /// How much of each file is on disk whatever happens.
    synced: Mutex<BTreeMap<PathBuf, u64>>,
}

impl Disk {
    fn new(at: u64, fate: Fate) -> Arc<Self> {
        Arc::new(Self { count: AtomicU64::new(0), at, fate, synced: Mutex::default() })
    }

    /// Whether this operation is the one, or an error when the disk is gone.
    fn step(&self) -> io::Result<bool> {
        let n = self.count.fetch_add(1, SeqCst);
        match self.fate {
            Fate::Dies if n > self.at => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(n == self.at),
        }
    }

    fn failure(&self) -> io::Error {
        let Fate::Fails(code) = self.fate else { return io::Error::from_raw_os_error(5) };
        io::Error::from_raw_os_error(code)
    }
}

#[derive(Debug)]
struct CrashFiles(Arc<Disk>);

#[derive(Debug)]
struct CrashFile {
    inner: Box<dyn SegmentFile>,
    path: PathBuf,
    disk: Arc<Disk>,
}

impl Files for CrashFiles {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.step()? {
            return Err(self.0.failure());
        }
        let inner = SystemFiles.append_to(path)?;
        let length = path.metadata()?.len();
        self.0.synced.lock().entry(path.to_owned()).or_insert(length);
        Ok(Box::new(CrashFile { inner, path: path.to_owned(), disk: self.0.clone() }))
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.step()? {
            // The new bytes are on their way under another name.
            std::fs::write(path.with_extension("new"), &bytes[..bytes.len() / 2])?;
            return Err(self.0.failure());
        }
        SystemFiles.replace(path, bytes)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.0.step()? { Err(self.0.failure()) } else { SystemFiles.remove(path) }
    }
}

impl SegmentFile for CrashFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.disk.step()? {
            self.inner.append(&bytes[..bytes.len() / 2])?;
            return Err(self.disk.failure());
        }
        self.inner.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.disk.step()? {
            return Err(self.disk.failure());
        }
        self.inner.sync()?;
        let length = self.path.metadata()?.len();
        self.disk.synced.lock().insert(self.path.clone(), length);
        Ok(())
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.disk.step()? {
            return Err(self.disk.failure());
        }
        self.inner.truncate(length)?;
        self.disk.synced.lock().insert(self.path.clone(), length);
        Ok(())
    }
}

/// What a loss of power leaves of what was not synced.
#[derive(Debug, Clone, Copy)]
enum Image {
    /// All of it: the process alone was killed.
    Kept,
    /// Nothing.
    Lost,
    /// Some of its sectors; the others are zeros.
    Some(u64),
    /// Its beginning, torn at a sector.
    Torn(u64),
}

fn apply(disk: &Disk, image: Image) {
    for (path, synced) in &*disk.synced.lock() {
        let Ok(mut bytes) = std::fs::read(path) else { continue };
        let tail = (bytes.len() as u64).saturating_sub(*synced);
        match image {
            Image::Kept => continue,
            Image::Lost => bytes.truncate(*synced as usize),
            Image::Torn(seed) => bytes.truncate((*synced + (seed % 8 * 512).min(tail)) as usize),
            Image::Some(seed) => {
                let sectors = bytes.chunks_mut(512).enumerate();
                for (number, sector) in sectors.filter(|(n, _)| (n + 1) * 512 > *synced as usize) {
                    let from = (*synced as usize).saturating_sub(number * 512);
                    let lost = (number as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1;
                    sector[from..].iter_mut().for_each(|byte| *byte = if lost { 0 } else { *byte });
                }
            }
        }
        std::fs::write(path, bytes).unwrap();
    }
}

/// In memory where the system has such a place: what is tried here is order, not the disk.
fn quick_bed() -> (Bed, Arc<ManualClock>) {
    let (mut bed, clock) = Bed::standing();
    if let Ok(dir) = tempfile::tempdir_in("/dev/shm") {
        bed.dir = dir;
    }
    (bed, clock)
}

fn small() -> AuditOptions {
    AuditOptions { journal: JournalKind::Memory, segment_bytes: 3_000, ..options() }
}

/// Writes until the disk is gone; returns what was acknowledged.
fn work(bed: &Bed, disk: &Arc<Disk>) -> Vec<String> {
    let (me, mut acknowledged) = (actor(), Vec::new());
    let files = Arc::new(CrashFiles(disk.clone()));
    let Ok(log) = AuditLog::open_on(files, bed.dir(), bed.key(), small(), bed.clock.clone()) else {
        return acknowledged;
    };
    for round in 0..3 {
        let tickets: Vec<_> = (0..4)
            .filter_map(|i| {
                let name = format!("{round}.{i}");
                log.append(&record(&me, &name)).ok().map(|ticket| (name, ticket))
            })
            .collect();
        for (name, ticket) in tickets {
            if ticket.durable().is_ok() {
                acknowledged.push(name);
            }
        }
        let _ = log.flush();
    }
    acknowledged
}

/// The log opens, holds what was acknowledged in order, verifies and goes on.
fn recovers(bed: &Bed, acknowledged: &[String], what: &str) {
    let begun = bed.dir().join("checkpoint").exists();
    let found = verify(bed.dir(), &bed.public());
    assert!(!begun || found.is_ok(), "{what}: {found:?}");
    let log = bed.try_open(small()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    log.commit(&record(&actor(), "after")).unwrap();
    drop(log);
    let records = bed.records();
    let names = names(&records);
    let mut rest = names.iter();
    for name in acknowledged {
        assert!(rest.any(|there| there == name), "{what}: {name} of {acknowledged:?} is not among {names:?}");
    }
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "{what}: {names:?}");
    bed.verify().unwrap_or_else(|e| panic!("{what}: {e}"));
    let last = records.len() as u64 - 1;
    prove(bed.dir(), last).unwrap().verify(&bed.public()).unwrap();
}

fn operations() -> u64 {
    let (bed, _) = quick_bed();
    let disk = Disk::new(u64::MAX, Fate::Fails(5));
    assert_eq!(work(&bed, &disk).len(), 12);
    disk.count.load(SeqCst)
}

#[test]
fn fault_089_090_a_log_whose_disk_dies_at_any_operation_keeps_what_it_acknowledged() {
    let total = operations();
    assert!(total > 20, "{total}");
    for at in 0..total {
        for image in [Image::Kept, Image::Lost, Image::Some(at), Image::Torn(at)] {
            let (bed, _) = quick_bed();
            let disk = Disk::new(at, Fate::Dies);
            let acknowledged = work(&bed, &disk);
            apply(&disk, image);
            recovers(&bed, &acknowledged, &format!("operation {at} of {total}, {image:?}"));
        }
    }
}

#[test]
fn fault_091_093_a_log_whose_disk_fails_once_at_any_operation_goes_on_by_itself() {
    const NO_SPACE: i32 = 28;
    const IO: i32 = 5;
    const TOO_MANY_FILES: i32 = 24;
    let total = operations();
    for at in 0..total {
        for code in [NO_SPACE, IO, TOO_MANY_FILES] {
            let (bed, clock) = quick_bed();
            let disk = Disk::new(at, Fate::Fails(code));
            let me = actor();
            let files = Arc::new(CrashFiles(disk.clone()));
            let what = format!("operation {at} of {total}, error {code}");
            let opened = AuditLog::open_on(files, bed.dir(), bed.key(), small(), bed.clock.clone());
            let mut acknowledged = Vec::new();
            if let Ok(log) = opened {
                for i in 0..10 {
                    let name = format!("r{i}");
                    match log.commit(&record(&me, &name)) {
                        Ok(_) => acknowledged.push(name),
                        Err(AuditError::Refused(_)) => {
                            clock.advance(Duration::from_secs(2));
                            eventually(&what, || log.health() == Health::Recording);
                        }
                        Err(other) => panic!("{what}: {other}"),
                    }
                    let _ = log.flush();
                }
                clock.advance(Duration::from_secs(2));
                eventually(&what, || log.health() == Health::Recording);
                assert!(acknowledged.len() >= 9, "{what}: {acknowledged:?}");
            }
            recovers(&bed, &acknowledged, &what);
        }
    }
}

#[test]
fn fault_092_a_read_only_disk_is_an_error_that_names_the_file() {
    const READ_ONLY: i32 = 30;
    #[derive(Debug)]
    struct ReadOnly;
    impl Files for ReadOnly {
        fn append_to(&self, _: &Path) -> io::Result<Box<dyn SegmentFile>> {
            Err(io::Error::from_raw_os_error(READ_ONLY))
        }
        fn replace(&self, _: &Path, _: &[u8]) -> io::Result<()> {
            Err(io::Error::from_raw_os_error(READ_ONLY))
        }
    }
    let (bed, _) = Bed::standing();
    drop(bed.open());
    let before = bed.records().len();
    let options = AuditOptions { journal: JournalKind::Memory, ..options() };
    let opened = AuditLog::open_on(Arc::new(ReadOnly), bed.dir(), bed.key(), options, bed.clock.clone());
    let Err(error @ AuditError::Io { .. }) = opened else { panic!("{opened:?}") };
    assert_eq!(crate::error::Coded::code(&error).id, "E3004");
    assert!(error.to_string().contains(bed.dir().to_str().unwrap()), "{error}");
    assert_eq!(bed.verify().unwrap().records, before as u64);
}
