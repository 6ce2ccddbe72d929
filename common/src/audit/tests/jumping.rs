//! Clocks that jump and formats of other versions: order is by number, and what is not understood is said.

use super::*;
use std::time::Duration;

const YEAR: u64 = 365 * 86_400 * 1_000_000_000;

#[test]
fn fault_094_a_clock_that_jumps_changes_times_and_nothing_else() {
    let (bed, clock) = Bed::standing();
    let me = actor();
    let log = bed.open();
    let start = clock.wall_ns();
    for (i, wall) in [start, start + YEAR, start - YEAR, start].into_iter().enumerate() {
        clock.jump_to(wall);
        log.commit(&record(&me, &format!("r{i}"))).unwrap();
        clock.advance(Duration::from_millis(1_500));
        // A second by the monotonic clock is a second, wherever the wall clock went.
        eventually("a checkpoint", || log.metrics().covered == i as u64 + 1);
    }
    drop(log);
    let records = bed.records();
    let years: Vec<&str> = records.iter().map(|r| &r["t"].as_str().unwrap()[..4]).collect();
    assert_eq!(
        (years, names(&records)),
        (vec!["2026", "2027", "2025", "2026"], vec!["r0", "r1", "r2", "r3"])
    );
    let mono: Vec<u64> = records.iter().map(|r| r["mono_ns"].as_u64().unwrap()).collect();
    assert!(mono.is_sorted(), "{mono:?}");
    assert_eq!(bed.verify().unwrap().covered, 4);
}

#[test]
fn fault_105_a_record_of_another_version_is_not_taken_for_one_of_this() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    log.commit(&record(&actor(), "r0")).unwrap();
    drop(log);
    let path = bed.dir().join(segment::file_name(1));
    let text = std::fs::read_to_string(&path).unwrap().replacen("{\"v\":1,", "{\"v\":2,", 1);
    std::fs::write(&path, &text).unwrap();
    let finding = bed.verify().unwrap_err();
    assert_eq!((finding.kind, finding.line), (FindingKind::Edited, 1));
    assert!(bed.try_open(options()).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn fault_105_a_log_from_before_stored_hashes_is_given_them_by_opening() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    (0..300).for_each(|i| drop(log.append(&record(&actor(), &format!("r{i}"))).unwrap()));
    drop(log);
    std::fs::remove_dir_all(bed.dir().join("tiles")).unwrap();
    bed.verify().unwrap();
    drop(bed.open());
    assert_eq!(bed.dir().join("tiles/0").metadata().unwrap().len(), 300 * 32);
    assert_eq!(bed.dir().join("tiles/1").metadata().unwrap().len(), 32);
    prove(bed.dir(), 299).unwrap().verify(&bed.public()).unwrap();
}
