//! Many writers at once: every record once, in the order of its number, and waiters share syncs.

use super::*;

#[test]
fn sixty_four_threads_commit_and_each_finds_its_record_under_its_number() {
    let bed = Bed::new();
    let log = bed.open();
    let mut got: Vec<(u64, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|t| {
                let log = &log;
                scope.spawn(move || {
                    let me = actor();
                    let commit = |i| {
                        let name = format!("{t}/{i}");
                        (log.commit(&record(&me, &name)).unwrap(), name)
                    };
                    (0..20).map(commit).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    got.sort();
    assert!(got.iter().map(|(seq, _)| *seq).eq(0..1280));
    let records = bed.records();
    assert!(names(&records).iter().eq(got.iter().map(|(_, name)| name)));
    drop(log);
    assert_eq!(bed.verify().unwrap().covered, 1280);
}

#[test]
fn a_small_journal_passes_many_records_in_order() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.try_open(AuditOptions { journal_slots: 16, ..options() }).unwrap();
    for i in 0..2_000 {
        assert_eq!(log.append(&record(&me, &i.to_string())).unwrap().seq(), i);
    }
    drop(log);
    let records = bed.records();
    assert!(names(&records).iter().eq((0..2_000).map(|i| i.to_string()).collect::<Vec<_>>().iter()));
    bed.verify().unwrap();
}

#[test]
fn a_log_verifies_while_it_is_written() {
    let bed = Bed::new();
    let log = bed.try_open(AuditOptions { segment_bytes: 20_000, ..options() }).unwrap();
    let mut seen = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let me = actor();
            (0..3_000).for_each(|i| {
                log.append(&record(&me, &i.to_string())).unwrap();
                if i % 500 == 0 {
                    log.flush().unwrap();
                }
            });
        });
        // A writer that failed is told by the scope; nobody waits for what it did not write.
        while seen < 2_501 {
            let over = writer.is_finished();
            seen = bed.verify().unwrap().covered;
            if over {
                break;
            }
        }
    });
    assert!(seen >= 2_501);
}

#[test]
fn checkpoints_and_summaries_are_made_while_waiters_never_pause() {
    let bed = Bed::new();
    let log = bed.try_open(AuditOptions { detail_rate: 0, ..options() }).unwrap();
    let seen = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let me = actor();
                while !seen.load(std::sync::atomic::Ordering::SeqCst) {
                    log.commit(&record(&me, "x")).unwrap();
                }
            });
        }
        log.tally(&actor(), "ping", "none").hit(0, true, 0).unwrap();
        let made = || log.metrics().summaries > 0 && std::fs::metadata(bed.dir().join("edge")).is_ok();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eventually("both", made)));
        seen.store(true, std::sync::atomic::Ordering::SeqCst);
        ended.unwrap();
    });
    assert!(bed.verify().unwrap().covered > 0);
}
