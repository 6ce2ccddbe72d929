//! Processes that are killed: a child writes and aborts, and the log tells what it may and no more.

use super::*;
use std::process::Command;

const DIR: &str = "FORGEONE_AUDIT_KILL_DIR";
const WRITTEN: u64 = 300;

/// What the child does before it aborts: appends, waits for some, and says how far it came.
fn child(dir: &Path, pkcs8: &[u8], journal: JournalKind) -> ! {
    let me = actor();
    let key = SigningKey::from_pkcs8(pkcs8).unwrap();
    let clock = SystemClock::start().unwrap();
    let log = AuditLog::open(dir, key, AuditOptions { journal, ..options() }, clock).unwrap();
    let from = log.metrics().appended;
    for i in 0..WRITTEN {
        let ticket = log.append(&record(&me, &format!("{from}+{i}"))).unwrap();
        if i == WRITTEN / 2 {
            ticket.durable().unwrap();
        }
    }
    std::process::abort();
}

/// Runs this very test in a child process that aborts, and returns the bed it wrote to.
fn killed(test: &str, times: usize) -> Bed {
    let bed = Bed::new();
    std::fs::write(bed.dir().join("key"), &bed.pkcs8).unwrap();
    for _ in 0..times {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(DIR, bed.dir())
            .output()
            .unwrap()
            .status;
        assert!(!status.success());
    }
    bed
}

fn as_child(journal: JournalKind) {
    if let Some(dir) = std::env::var_os(DIR) {
        let dir = Path::new(&dir);
        child(&dir.join("audit"), &std::fs::read(dir.join("key")).unwrap(), journal);
    }
}

#[test]
fn with_a_mapped_journal_everything_appended_is_there_exactly_once() {
    as_child(JournalKind::Mapped);
    let times = 3;
    let test = "audit::tests::kill::with_a_mapped_journal_everything_appended_is_there_exactly_once";
    let bed = killed(test, times);
    let dir = bed.dir().join("audit");
    drop(AuditLog::open(&dir, bed.key(), options(), bed.clock.clone()).unwrap());
    let records = records_in(&dir);
    let mut want = Vec::new();
    let names = names(&records);
    let mut starts: Vec<u64> = names.iter().filter_map(|n| n.strip_suffix("+0")?.parse().ok()).collect();
    starts.dedup();
    assert_eq!(starts.len(), times);
    starts.iter().for_each(|from| want.extend((0..WRITTEN).map(|i| format!("{from}+{i}"))));
    assert_eq!(names, want);
    assert!(records.iter().any(|r| r["action"] == "journal_replayed"));
    let report = verify(&dir, &bed.public()).unwrap();
    assert_eq!((report.records, report.uncovered), (records.len() as u64, 0));
}

#[test]
fn with_a_journal_in_memory_everything_awaited_is_there() {
    as_child(JournalKind::Memory);
    let test = "audit::tests::kill::with_a_journal_in_memory_everything_awaited_is_there";
    let bed = killed(test, 1);
    let dir = bed.dir().join("audit");
    let memory = AuditOptions { journal: JournalKind::Memory, ..options() };
    drop(AuditLog::open(&dir, bed.key(), memory, bed.clock.clone()).unwrap());
    let records = records_in(&dir);
    let names = names(&records);
    assert!(names.len() as u64 > WRITTEN / 2, "{}", names.len());
    assert!(names.iter().eq((0..names.len()).map(|i| format!("0+{i}")).collect::<Vec<_>>().iter()));
    verify(&dir, &bed.public()).unwrap();
}

/// A copy of a log's directory as it stood while its process lived is what a kill at that moment leaves.
#[test]
fn a_slot_claimed_and_never_filled_gets_a_line_and_later_ones_are_not_lost() {
    let (bed, _) = Bed::standing();
    let me = actor();
    let log = bed.open();
    log.commit(&record(&me, "r0")).unwrap();
    log.flush().unwrap();
    let ring = &log.shared().journal.ring;
    let hole = ring.claim().unwrap();
    log.append(&record(&me, "after the hole")).unwrap();
    let copy = Bed { dir: tempfile::tempdir().unwrap(), pkcs8: bed.pkcs8.clone(), clock: bed.clock.clone() };
    copy_log(bed.dir(), copy.dir());
    ring.fill(hole, &codec::tests::plain("filled late"));
    drop(copy.open());
    let records = copy.records();
    let actions: Vec<_> = records.iter().map(|r| r["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["kv_set", "unfinished", "kv_set", "journal_replayed"]);
    assert_eq!((&records[1]["resource"]["name"], &records[2]["seq"]), (&"1".into(), &2.into()));
    assert_eq!(records[3]["details"]["unfinished"], "1");
    copy.verify().unwrap();
}
