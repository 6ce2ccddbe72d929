//! Writing: numbers, fields, classes, segments, checkpoints, proofs, the lock.

use super::*;
use std::time::Duration;

#[test]
fn committed_records_are_on_disk_chained_and_verify() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.open();
    for i in 0..5 {
        assert_eq!(log.commit(&record(&me, &format!("r{i}"))).unwrap(), i);
        assert_eq!(bed.records().len() as u64, i + 1);
    }
    log.flush().unwrap();
    let report = bed.verify().unwrap();
    assert_eq!((report.records, report.covered, report.uncovered), (5, 5, 0));
    assert_eq!((report.origin.as_str(), report.segments, report.torn_bytes), ("node1", 1, 0));
    let records = bed.records();
    assert_eq!(names(&records), ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(records[0]["prev"], "0".repeat(64));
    assert_eq!(records[3]["node"], "node1");
    assert_eq!(records[3]["actor"]["host"], "test");
    assert!(records[3]["t"].as_str().unwrap().ends_with('Z'));
    assert_eq!(log.health(), Health::Recording);
}

#[test]
fn an_appended_record_becomes_durable_without_being_waited_for() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.open();
    let ticket = log.append(&record(&me, "x")).unwrap();
    eventually("durable", || log.metrics().durable == 1);
    assert_eq!(ticket.durable().unwrap(), 0);
    // The committer has gone to its long sleep meanwhile; the next record wakes it.
    eventually("idle", || log.shared().idle.load(std::sync::atomic::Ordering::SeqCst));
    log.append(&record(&me, "y")).unwrap();
    eventually("durable", || log.metrics().durable == 2);
}

#[test]
fn strict_makes_an_append_durable_before_it_returns() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.try_open(AuditOptions { strict: true, ..options() }).unwrap();
    log.append(&record(&me, "x")).unwrap();
    assert_eq!(log.metrics().durable, 1);
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let bed = Bed::new();
    let me = actor();
    for i in 0..4 {
        let log = bed.open();
        assert_eq!(log.commit(&record(&me, &format!("r{i}"))).unwrap(), i);
        drop(log);
        assert_eq!(bed.verify().unwrap().covered, i + 1);
    }
    assert_eq!(names(&bed.records()), ["r0", "r1", "r2", "r3"]);
}

#[test]
fn without_an_edge_every_line_is_read_and_the_log_goes_on() {
    let bed = Bed::new();
    let me = actor();
    for i in 0..3 {
        let log = bed.open();
        assert_eq!(log.commit(&record(&me, "x")).unwrap(), i);
        drop(log);
        std::fs::write(bed.dir().join("edge"), "nonsense").unwrap();
    }
    assert_eq!(bed.verify().unwrap().covered, 3);
}

#[test]
fn long_records_take_the_side_path_in_order_and_the_longest_are_refused() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.open();
    let long: Vec<String> = [800, 900, 1_000, 5_000, 200_000].iter().map(|n| "\u{1}".repeat(*n)).collect();
    for name in &long {
        log.append(&record(&me, name)).unwrap();
        log.append(&record(&me, "short")).unwrap();
    }
    let huge = "x".repeat(1 << 20);
    assert!(matches!(log.append(&record(&me, &huge)), Err(AuditError::TooLarge { .. })));
    log.protect(&record(&me, &long[4]));
    log.flush().unwrap();
    let records = bed.records();
    let names = names(&records);
    for (i, name) in long.iter().enumerate() {
        assert_eq!((names[2 * i], names[2 * i + 1]), (name.as_str(), "short"));
    }
    assert_eq!(names[10], long[4]);
    bed.verify().unwrap();
}

#[test]
fn segments_rotate_by_size_and_the_chain_runs_across_them() {
    let bed = Bed::new();
    let me = actor();
    let small = AuditOptions { segment_bytes: 2_000, ..options() };
    let log = bed.try_open(small.clone()).unwrap();
    for i in 0..40 {
        log.append(&record(&me, &format!("r{i}"))).unwrap();
    }
    log.flush().unwrap();
    drop(log);
    let report = bed.verify().unwrap();
    assert!(report.segments >= 5, "{report:?}");
    for number in 1..=report.segments {
        let length = std::fs::metadata(bed.dir().join(segment::file_name(number))).unwrap().len();
        assert!(length <= 2_400, "{length}");
    }
    let log = bed.try_open(small).unwrap();
    assert_eq!(log.commit(&record(&me, "more")).unwrap(), 40);
    drop(log);
    assert_eq!(bed.verify().unwrap().covered, 41);
}

#[test]
fn checkpoints_are_made_as_time_passes() {
    let (bed, clock) = Bed::standing();
    let me = actor();
    let log = bed.open();
    log.commit(&record(&me, "x")).unwrap();
    assert_eq!(bed.verify().unwrap().uncovered, 1);
    clock.advance(Duration::from_secs(1));
    eventually("a checkpoint", || bed.verify().unwrap().covered == 1);
    (0..1_200).for_each(|_| {
        log.append(&record(&me, "y")).unwrap();
    });
    eventually("all durable", || log.metrics().durable == 1_201);
    clock.advance(Duration::from_millis(20));
    eventually("a checkpoint", || bed.verify().unwrap().covered == 1_201);
}

#[test]
fn every_record_has_a_proof_that_survives_its_text_and_no_other_record_does() {
    let bed = Bed::new();
    let me = actor();
    let log = bed.open();
    for i in 0..9 {
        log.append(&record(&me, &format!("r{i}"))).unwrap();
    }
    log.flush().unwrap();
    for seq in 0..9 {
        let proof = prove(bed.dir(), seq).unwrap();
        assert!(proof.line.contains(&format!("\"r{seq}\"")));
        assert_eq!(proof.verify(&bed.public()).unwrap().size, 9);
        let again = Proof::from_text(&proof.to_text(), &proof.line).unwrap();
        assert_eq!(again, proof);
        let other = Proof { line: proof.line.replace("\"r", "\"s"), ..proof.clone() };
        assert!(matches!(other.verify(&bed.public()), Err(AuditError::Proof(_))));
        let elsewhere = Proof { seq: (seq + 1) % 9, ..proof.clone() };
        assert!(elsewhere.verify(&bed.public()).is_err());
        assert!(
            matches!(proof.verify(&Bed::new().public()), Err(AuditError::Damaged(f)) if f.kind == FindingKind::WrongKey)
        );
    }
    assert!(matches!(prove(bed.dir(), 9), Err(AuditError::NoSuchRecord { seq: 9, covered: 9 })));
}

#[test]
fn a_second_writer_is_refused_and_reading_goes_on() {
    let bed = Bed::new();
    let log = bed.open();
    let pid = std::process::id();
    assert!(matches!(bed.try_open(options()), Err(AuditError::Locked { pid: Some(p), .. }) if p == pid));
    log.commit(&record(&actor(), "x")).unwrap();
    bed.verify().unwrap();
    drop(log);
    bed.open();
}

#[test]
fn another_node_another_key_and_unusable_names_are_refused() {
    let bed = Bed::new();
    bed.open().commit(&record(&actor(), "x")).unwrap();
    let other = AuditOptions { node: "node2".into(), ..options() };
    assert!(matches!(bed.try_open(other), Err(AuditError::OtherNode { .. })));
    let unusable = AuditOptions { node: "a b".into(), ..options() };
    assert!(matches!(bed.try_open(unusable), Err(AuditError::Node(_))));
    let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let opened = AuditLog::open(bed.dir(), key, options(), bed.clock.clone());
    assert!(matches!(opened, Err(AuditError::Damaged(f)) if f.kind == FindingKind::WrongKey));
    let (key, _) = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let opened = AuditLog::open(bed.dir(), key, options(), bed.clock.clone());
    assert!(matches!(opened, Err(AuditError::Key)));
}

#[test]
fn the_directory_and_its_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new();
    let dir = bed.dir().join("audit");
    let log = AuditLog::open(&dir, bed.key(), options(), bed.clock.clone()).unwrap();
    log.commit(&record(&actor(), "x")).unwrap();
    log.flush().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 7, "{files:?}");
    let (dirs, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.is_dir());
    dirs.iter().for_each(|path| assert_eq!(mode(path), 0o700, "{path:?}"));
    files.iter().for_each(|path| assert_eq!(mode(path), 0o600, "{path:?}"));
}
