//! Retention and room: whole segments go after a record says so, proofs and verification go on, and what is
//! privileged is refused before the disk is full.

use super::*;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

fn keeping(bytes: u64) -> AuditOptions {
    let retention = Retention { bytes: Some(bytes), age: None };
    AuditOptions { segment_bytes: 20_000, retention, ..options() }
}

fn fill(log: &AuditLog, from: usize, n: usize) {
    let me = actor();
    (from..from + n).for_each(|i| drop(log.append(&record(&me, &format!("r{i}"))).unwrap()));
    log.flush().unwrap();
}

/// A log whose first segments were removed, open, and a checkpoint of before.
fn shortened() -> (Bed, Arc<ManualClock>, AuditLog, String) {
    let (bed, clock) = Bed::standing();
    let log = bed.try_open(keeping(30_000)).unwrap();
    fill(&log, 0, 20);
    let kept = std::fs::read_to_string(bed.dir().join("checkpoint")).unwrap();
    fill(&log, 20, 280);
    clock.advance(Duration::from_secs(61));
    eventually("removal", || log.metrics().segments_removed > 0);
    log.flush().unwrap();
    (bed, clock, log, kept)
}

#[test]
fn what_is_left_verifies_and_says_what_was_removed() {
    let (bed, _, log, kept) = shortened();
    let report = verify_against(bed.dir(), &bed.public(), std::slice::from_ref(&kept)).unwrap();
    assert!(report.removed > 100 && report.kept == 1, "{report:?}");
    assert_eq!(report.removed + report.records, 301);
    let records = bed.records();
    assert_eq!(records[0]["seq"], report.removed);
    let told = records.last().unwrap();
    assert_eq!(
        (&told["action"], &told["details"]["records"]),
        (&"segments_removed".into(), &report.removed.to_string().into())
    );
    for seq in [report.removed, 250, 300] {
        prove(bed.dir(), seq).unwrap().verify(&bed.public()).unwrap();
    }
    assert!(matches!(prove(bed.dir(), 5), Err(AuditError::NoSuchRecord { seq: 5, .. })));
    assert_eq!(records_from(bed.dir(), 0).unwrap().next().unwrap().unwrap().0, report.removed);
    continues(bed.dir(), &bed.public(), &kept).unwrap();
    drop(log);
    let log = bed.try_open(keeping(u64::MAX)).unwrap();
    fill(&log, 300, 10);
    assert_eq!(bed.verify().unwrap().removed, report.removed);
    drop(log);
    // Without the edge and the hashes, opening reads what is there and goes on; proofs of it need the hashes.
    std::fs::remove_file(bed.dir().join("edge")).unwrap();
    drop(bed.try_open(keeping(u64::MAX)).unwrap());
    prove(bed.dir(), 300).unwrap().verify(&bed.public()).unwrap();
    std::fs::remove_dir_all(bed.dir().join("tiles")).unwrap();
    drop(bed.try_open(keeping(u64::MAX)).unwrap());
    bed.verify().unwrap();
    for seq in report.removed..310 {
        match prove(bed.dir(), seq) {
            Ok(proof) => drop(proof.verify(&bed.public()).unwrap()),
            Err(AuditError::Damaged(f)) => assert!(seq < 256 && f.detail.contains("tiles/"), "{seq}: {f}"),
            Err(other) => panic!("{seq}: {other}"),
        }
    }
}

#[test]
fn a_killed_removal_is_finished_and_one_that_nobody_recorded_is_a_deletion() {
    let (bed, _, log, _) = shortened();
    drop(log);
    let again = bed.dir().join(segment::file_name(1));
    std::fs::write(&again, "left by a killed process\n").unwrap();
    bed.verify().unwrap();
    drop(bed.try_open(keeping(30_000)).unwrap());
    assert!(!again.exists());
    // The end of a segment is signed, so it can be put in place of the record: that is found.
    let (bed, _) = Bed::standing();
    let log = bed.try_open(AuditOptions { retention: Retention::default(), ..keeping(0) }).unwrap();
    fill(&log, 0, 200);
    drop(log);
    std::fs::rename(bed.dir().join(base::end_name(1)), bed.dir().join("removed")).unwrap();
    std::fs::remove_file(bed.dir().join(segment::file_name(1))).unwrap();
    let finding = bed.verify().unwrap_err();
    assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::Deleted, "removed"));
}

#[test]
fn age_keeps_what_size_would_remove() {
    let (bed, clock) = Bed::standing();
    let age = Some(Duration::from_secs(3_600));
    let retention = Retention { bytes: Some(1), age };
    let log = bed.try_open(AuditOptions { retention, ..keeping(0) }).unwrap();
    fill(&log, 0, 200);
    clock.advance(Duration::from_secs(3_500));
    fill(&log, 200, 1);
    assert_eq!(log.metrics().segments_removed, 0);
    clock.advance(Duration::from_secs(200));
    eventually("removal", || log.metrics().segments_removed > 0);
    log.flush().unwrap();
    bed.verify().unwrap();
}

/// Files on a disk with as much room as the test says.
#[derive(Debug)]
struct Room(Arc<AtomicU64>);

impl Files for Room {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        SystemFiles.append_to(path)
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        SystemFiles.replace(path, bytes)
    }
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(SeqCst))
    }
}

#[test]
fn fault_102_the_log_warns_and_then_refuses_what_is_privileged_before_the_disk_is_full() {
    let (bed, clock) = Bed::standing();
    let free = Arc::new(AtomicU64::new(1_000));
    let options = AuditOptions { warn_free: 500, refuse_free: 100, ..options() };
    let log =
        AuditLog::open_on(Arc::new(Room(free.clone())), bed.dir(), bed.key(), options, bed.clock.clone());
    let (log, me) = (log.unwrap(), actor());
    let now_free = |bytes: u64, want: Health| {
        free.store(bytes, SeqCst);
        clock.advance(Duration::from_secs(2));
        eventually("a look at the disk", || log.health() == want);
    };
    now_free(400, Health::Scarce(Space::Low(400)));
    log.commit(&record(&me, "a")).unwrap();
    now_free(99, Health::Scarce(Space::Exhausted(99)));
    let Err(AuditError::Refused(why)) = log.commit(&record(&me, "refused")) else { panic!("committed") };
    assert_eq!(why, "99 bytes are free on its disk, 100 are kept for what protects");
    log.append(&record(&me, "b")).unwrap().durable().unwrap();
    log.protect(&record(&me, "stop"));
    assert_eq!(prove(bed.dir(), 0).unwrap().seq, 0);
    now_free(1_000, Health::Recording);
    log.commit(&record(&me, "again")).unwrap();
    log.flush().unwrap();
    let records = bed.records();
    assert_eq!(names(&records), ["a", "b", "stop", "again"]);
    let disk: Vec<_> =
        records.iter().filter(|r| r["resource"]["kind"] == "disk").map(|r| &r["action"]).collect();
    assert_eq!(disk, ["disk_low", "disk_exhausted", "disk_ample"]);
}
