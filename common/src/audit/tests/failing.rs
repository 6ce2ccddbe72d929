//! Disks that fail: nothing is believed that was not synced, and nothing that was accepted is lost.

use super::*;
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// What the next operations of one kind do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Half of the bytes are written, then the disk is full.
    Full,
    Sync,
    /// A write waits until the gate opens.
    Hold,
}

#[derive(Debug)]
struct Faulty {
    fault: Mutex<Fault>,
    gate: AtomicBool,
}

impl Faulty {
    fn new() -> Arc<Self> {
        Arc::new(Self { fault: Mutex::new(Fault::None), gate: AtomicBool::new(false) })
    }
    fn set(&self, fault: Fault) {
        *self.fault.lock() = fault;
    }
    fn now(&self) -> Fault {
        *self.fault.lock()
    }
}

#[derive(Debug)]
struct FaultyFiles(Arc<Faulty>);

#[derive(Debug)]
struct FaultySegment(Box<dyn SegmentFile>, Arc<Faulty>);

impl Files for FaultyFiles {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.now() == Fault::Full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Box::new(FaultySegment(SystemFiles.append_to(path)?, self.0.clone())))
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.0.now() == Fault::Full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        SystemFiles.replace(path, bytes)
    }
}

impl SegmentFile for FaultySegment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.1.now() {
            Fault::Full => {
                self.0.append(&bytes[..bytes.len() / 2])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Fault::Hold => {
                eventually("the gate", || self.1.gate.load(SeqCst));
                self.0.append(bytes)
            }
            Fault::None | Fault::Sync => self.0.append(bytes),
        }
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.1.now() == Fault::Sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.sync()
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.1.now() == Fault::Sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.truncate(length)
    }
}

fn open(bed: &Bed, faulty: &Arc<Faulty>, options: AuditOptions) -> AuditLog {
    let files = Arc::new(FaultyFiles(faulty.clone()));
    AuditLog::open_on(files, bed.dir(), bed.key(), options, bed.clock.clone()).unwrap()
}

fn refused(result: Result<u64, AuditError>) -> String {
    match result {
        Err(AuditError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fault_102_after_a_failed_write_or_sync_a_b_and_in_production_c_are_refused() {
    for (fault, reason) in
        [(Fault::Full, "no storage space"), (Fault::Sync, "Input/output error (os error 5)")]
    {
        let (bed, _) = Bed::standing();
        let (me, faulty) = (actor(), Faulty::new());
        let log = open(&bed, &faulty, options());
        let mut tally = log.tally(&me, "kv_get", "key");
        log.commit(&record(&me, "good")).unwrap();
        tally.hit(0, true, 0).unwrap();
        log.flush().unwrap();
        faulty.set(fault);
        assert_eq!(refused(log.commit(&record(&me, "lost"))), reason);
        assert!(matches!(log.append(&record(&me, "b")), Err(AuditError::Refused(_))));
        assert!(matches!(tally.hit(0, true, 0), Err(AuditError::Refused(_))));
        assert!(log.append_limited(&record(&me, "denied")).is_none());
        assert!(log.flush().is_err());
        let Health::Refusing(refusal) = log.health() else { panic!("healthy") };
        assert_eq!((refusal.reason.as_str(), refusal.first), (reason, 2));
        drop(tally);
        drop(log);
        assert!(bed.verify().unwrap().records >= 2);
    }
}

#[test]
fn outside_production_c_is_counted_while_the_log_refuses_and_told_when_it_recovers() {
    let (bed, clock) = Bed::standing();
    let (me, faulty) = (actor(), Faulty::new());
    let log = open(&bed, &faulty, AuditOptions { production: false, ..options() });
    let mut tally = log.tally(&me, "kv_get", "key");
    faulty.set(Fault::Full);
    log.commit(&record(&me, "late")).unwrap_err();
    (0..10).for_each(|_| tally.hit(3, true, 1).unwrap());
    faulty.set(Fault::None);
    clock.advance(Duration::from_secs(2));
    eventually("recovery", || log.health() == Health::Recording);
    log.flush().unwrap();
    let summary = bed.records().into_iter().find(|r| r["action"] == "kv_get").unwrap();
    assert_eq!((&summary["n"], &summary["latency_ms"]), (&10.into(), &10.into()));
    assert_eq!(summary["decision"]["epoch"], 3);
}

#[test]
fn fault_091_a_log_that_recovers_keeps_what_was_accepted_in_a_new_segment() {
    for (fault, journal) in [(Fault::Full, JournalKind::Mapped), (Fault::Sync, JournalKind::Memory)] {
        let (bed, clock) = Bed::standing();
        let (me, faulty) = (actor(), Faulty::new());
        let log = open(&bed, &faulty, AuditOptions { journal, ..options() });
        log.commit(&record(&me, "r0")).unwrap();
        faulty.set(fault);
        log.append(&record(&me, "r1")).unwrap().durable().unwrap_err();
        (0..2_000).for_each(|i| log.protect(&record(&me, &format!("p{i}"))));
        assert!(log.metrics().backlog > 0 && log.metrics().protect_counted > 0);
        faulty.set(Fault::None);
        clock.advance(Duration::from_secs(2));
        eventually("recovery", || log.health() == Health::Recording);
        log.flush().unwrap();
        let records = bed.records();
        let mut want = vec!["r0".to_owned(), "r1".to_owned()];
        let kept = names(&records).len() - 2;
        want.extend((0..kept).map(|i| format!("p{i}")));
        assert_eq!(names(&records), want);
        let of = |action: &str| records.iter().find(|r| r["action"] == action).unwrap();
        assert_eq!(of("protect_counted")["details"]["n"], (2_000 - kept).to_string());
        assert_eq!(of("recovered")["details"]["late_from"], "1");
        let report = bed.verify().unwrap();
        assert_eq!((report.segments, report.uncovered), (2, 0));
    }
}

#[test]
fn a_mapped_journal_keeps_what_a_refusing_log_could_not_write() {
    let (bed, _) = Bed::standing();
    let (me, faulty) = (actor(), Faulty::new());
    let log = open(&bed, &faulty, AuditOptions { journal: JournalKind::Mapped, ..options() });
    faulty.set(Fault::Full);
    log.append(&record(&me, "b")).unwrap().durable().unwrap_err();
    log.protect(&record(&me, "stop"));
    drop(log);
    drop(bed.open());
    let records = bed.records();
    assert_eq!(names(&records), ["b", "stop"]);
    bed.verify().unwrap();
}

#[test]
fn a_full_journal_makes_callers_wait_and_then_refuses() {
    let (bed, clock) = Bed::standing();
    let (me, faulty) = (actor(), Faulty::new());
    let wait = Duration::from_millis(30);
    let log = open(&bed, &faulty, AuditOptions { full_wait: wait, journal_slots: 16, ..options() });
    faulty.set(Fault::Hold);
    (0..16).for_each(|i| {
        log.append(&record(&me, &format!("r{i}"))).unwrap();
    });
    assert!(matches!(log.append(&record(&me, "x")), Err(AuditError::Full { waited }) if waited == wait));
    let passed = crate::clock::Deadline::at_ms(clock.coarse_ms());
    assert!(matches!(log.append_until(&record(&me, "x"), passed), Err(AuditError::Full { .. })));
    assert_eq!(log.metrics().queued, 16);
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let deadline = crate::clock::Deadline::at_ms(60_000);
            log.append_until(&record(&me, "patient"), deadline).unwrap().durable().unwrap()
        });
        faulty.gate.store(true, SeqCst);
        assert_eq!(patient.join().unwrap(), 16);
    });
    faulty.set(Fault::None);
    log.flush().unwrap();
    assert_eq!(names(&bed.records()).len(), 17);
}

#[test]
fn a_failed_checkpoint_refuses_and_opening_finds_the_old_one() {
    let (bed, clock) = Bed::standing();
    let (me, faulty) = (actor(), Faulty::new());
    let log = open(&bed, &faulty, options());
    log.commit(&record(&me, "r0")).unwrap();
    faulty.set(Fault::Full);
    clock.advance(Duration::from_secs(1));
    eventually("refusal", || log.health() != Health::Recording);
    drop(log);
    let path: PathBuf = bed.dir().join("checkpoint");
    assert!(std::fs::read_to_string(path).unwrap().contains("\n0\n"));
    assert_eq!(bed.verify().unwrap().uncovered, 1);
    drop(bed.open());
    assert_eq!(bed.verify().unwrap().uncovered, 0);
}
