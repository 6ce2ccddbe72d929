//! Damage: every flipped byte is found and placed, every truncation recovers or is reported.

use super::*;
use crate::error::Coded;
use std::path::PathBuf;

/// A closed log of `n` records in one segment, all under the checkpoint.
fn small(n: usize) -> (Bed, PathBuf, Vec<u8>) {
    let (bed, _) = Bed::standing();
    let me = actor();
    let log = bed.open();
    for i in 0..n {
        log.commit(&record(&me, &format!("r{i}"))).unwrap();
        if i == 1 {
            log.flush().unwrap();
        }
    }
    drop(log);
    let path = bed.dir().join(segment::file_name(1));
    let bytes = std::fs::read(&path).unwrap();
    (bed, path, bytes)
}

fn line_at(bytes: &[u8], offset: usize) -> u64 {
    bytes[..offset].iter().filter(|b| **b == b'\n').count() as u64 + 1
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|b| *b == b'\n').collect()
}

#[test]
fn fault_101_every_flipped_byte_of_a_segment_is_found_at_its_line() {
    let (bed, path, good) = small(5);
    bed.verify().unwrap();
    for at in 0..good.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= mask;
            std::fs::write(&path, &bad).unwrap();
            let finding = bed.verify().unwrap_err();
            let line = line_at(&good, at);
            assert_eq!(finding.line, line, "byte {at} mask {mask}: {finding}");
            assert_eq!(
                (finding.file.as_str(), finding.seq),
                ("0000000001.jsonl", Some(line - 1)),
                "{finding}"
            );
            let start: usize = lines(&good)[..line as usize - 1].iter().map(|l| l.len()).sum();
            assert_eq!(finding.offset, start as u64);
            let last_newline = at == good.len() - 1;
            let kind = if last_newline { FindingKind::Truncated } else { FindingKind::Edited };
            assert_eq!(finding.kind, kind, "byte {at} mask {mask}: {finding}");
        }
    }
}

#[test]
fn every_flipped_byte_of_the_checkpoints_is_found() {
    let (bed, _, _) = small(4);
    for file in ["checkpoint", "checkpoints"] {
        let path = bed.dir().join(file);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            std::fs::write(&path, &bad).unwrap();
            let finding = bed.verify().unwrap_err();
            assert!(["E3002", "E3003"].contains(&finding.code().id), "{file} byte {at}: {finding}");
        }
        std::fs::write(&path, &good).unwrap();
    }
    assert_eq!(bed.verify().unwrap().checkpoints, 3);
}

#[test]
fn a_flipped_byte_anywhere_covered_is_not_repaired_by_opening() {
    let (bed, path, good) = small(3);
    std::fs::remove_file(bed.dir().join("edge")).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        std::fs::write(&path, &bad).unwrap();
        assert!(matches!(bed.try_open(options()), Err(AuditError::Damaged(_))), "byte {at}");
        assert_eq!(std::fs::read(&path).unwrap(), bad);
    }
}

#[test]
fn fault_101_deleted_swapped_and_repeated_lines_are_named() {
    let (bed, path, good) = small(6);
    let all = lines(&good);
    let find = |picked: &[usize]| {
        let bytes: Vec<u8> = picked.iter().flat_map(|i| all[*i].iter().copied()).collect();
        std::fs::write(&path, bytes).unwrap();
        let finding = bed.verify().unwrap_err();
        (finding.kind, finding.line)
    };
    assert_eq!(find(&[0, 1, 3, 4, 5]), (FindingKind::Deleted, 3));
    assert_eq!(find(&[1, 2, 3, 4, 5]), (FindingKind::Deleted, 1));
    assert_eq!(find(&[0, 2, 1, 3, 4, 5]), (FindingKind::Reordered, 2));
    assert_eq!(find(&[0, 1, 1, 2, 3, 4, 5]), (FindingKind::Reordered, 3));
    assert_eq!(find(&[0, 1, 2, 3, 4]), (FindingKind::Truncated, 6));
    assert_eq!(find(&[]), (FindingKind::Truncated, 1));
}

#[test]
fn fault_101_a_chain_written_anew_without_the_key_has_another_root() {
    let (bed, path, good) = small(4);
    let mut tip = walk::Tip::start();
    let mut forged = Vec::new();
    for line in lines(&good) {
        let value: Value = serde_json::from_slice(line).unwrap();
        let mut prev = Vec::new();
        line::hex(&mut prev, &tip.prev);
        let text = std::str::from_utf8(line).unwrap().trim_end();
        let text = text.replace(value["prev"].as_str().unwrap(), std::str::from_utf8(&prev).unwrap());
        let text = text.replace("\"r2\"", "\"zz\"");
        tip.push(tree::leaf(text.as_bytes()));
        forged.extend_from_slice(format!("{text}\n").as_bytes());
    }
    std::fs::write(&path, forged).unwrap();
    let finding = bed.verify().unwrap_err();
    assert_eq!((finding.kind, finding.seq), (FindingKind::RootMismatch, Some(3)));
    assert!(finding.detail.contains("the first 2 do"), "{finding}");
    assert!(bed.try_open(options()).is_err());
}

#[test]
fn fault_101_a_missing_segment_checkpoint_or_log_and_a_rolled_back_checkpoint_are_found() {
    let (bed, path, good) = small(4);
    let checkpoint = bed.dir().join("checkpoint");
    let note = std::fs::read(&checkpoint).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bed.verify().unwrap_err().kind, FindingKind::Truncated);
    assert!(bed.try_open(options()).is_err());
    std::fs::write(&path, &good).unwrap();
    std::fs::remove_file(&checkpoint).unwrap();
    assert_eq!(bed.verify().unwrap_err().kind, FindingKind::BadCheckpoint);
    assert!(matches!(bed.try_open(options()), Err(AuditError::Damaged(f)) if f.code().id == "E3002"));
    std::fs::write(&checkpoint, first_kept(&bed)).unwrap();
    assert_eq!(bed.verify().unwrap_err().kind, FindingKind::RolledBack);
    std::fs::write(&checkpoint, note).unwrap();
    bed.verify().unwrap();
    assert_eq!(verify(bed.dir(), &Bed::new().public()).unwrap_err().kind, FindingKind::WrongKey);
}

#[test]
fn a_pipe_in_place_of_a_file_is_a_finding_and_is_not_waited_for() {
    for name in [segment::file_name(1), "checkpoint".into(), "checkpoints".into()] {
        let (bed, ..) = small(3);
        let path = bed.dir().join(&name);
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let found = bed.verify().unwrap_err();
        assert!(found.to_string().contains("not a regular file"), "{name}: {found}");
        assert!(tail(bed.dir(), 2).is_ok() || name == segment::file_name(1), "{name}");
    }
}

/// The first checkpoint of the history.
fn first_kept(bed: &Bed) -> String {
    let history = std::fs::read_to_string(bed.dir().join("checkpoints")).unwrap();
    serde_json::from_str(history.lines().next().unwrap()).unwrap()
}

/// Opening must refuse what verifying finds, and leave it as it is.
fn refused_by_both(bed: &Bed, what: &str) {
    let found = bed.verify().expect_err(what);
    let Err(AuditError::Damaged(finding)) = bed.try_open(options()) else { panic!("opened: {what}") };
    let kinds = [FindingKind::BadCheckpoint, FindingKind::RolledBack];
    assert!(kinds.contains(&finding.kind), "{what}: {finding}");
    assert_eq!(bed.verify().unwrap_err(), found, "{what}");
}

#[test]
fn fault_101_opening_does_not_sign_anew_what_an_older_checkpoint_took_the_place_of() {
    for (kept, what) in [("checkpoints", "history"), ("edge", "edge")] {
        let (bed, _, _) = small(4);
        let first = first_kept(&bed);
        std::fs::write(bed.dir().join("checkpoint"), &first).unwrap();
        for other in ["checkpoints", "edge"].into_iter().filter(|other| *other != kept) {
            std::fs::remove_file(bed.dir().join(other)).unwrap();
        }
        refused_by_both(&bed, what);
        // The records it does not cover cut off too: the whole log as it once was, but for one file.
        let path = bed.dir().join(segment::file_name(1));
        let covered: usize = first.lines().nth(1).unwrap().parse().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, lines(&bytes)[..covered].concat()).unwrap();
        refused_by_both(&bed, what);
    }
}

#[test]
fn fault_101_a_history_that_was_overwritten_is_not_cut_by_opening() {
    for garbage in [b"x".repeat(1 << 16), [b"x".repeat(1 << 16), b"\n".to_vec()].concat()] {
        let (bed, _, _) = small(4);
        let history = bed.dir().join("checkpoints");
        std::fs::write(&history, &garbage).unwrap();
        refused_by_both(&bed, "garbage");
        assert_eq!(std::fs::read(&history).unwrap(), garbage);
    }
}

#[test]
fn fault_101_a_log_without_segments_that_began_is_not_begun_again() {
    let (bed, path, _) = small(4);
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(bed.dir().join("checkpoint")).unwrap();
    refused_by_both(&bed, "neither segment nor checkpoint");
    let nothing = note::Checkpoint { origin: "node1".into(), size: 0, root: tree::Edge::default().root() };
    std::fs::write(bed.dir().join("checkpoint"), nothing.sign(&bed.key()).unwrap()).unwrap();
    refused_by_both(&bed, "a checkpoint of nothing");
    std::fs::remove_file(bed.dir().join("edge")).unwrap();
    refused_by_both(&bed, "a checkpoint of nothing, no edge");
}

#[test]
fn an_emptied_segment_is_named_by_its_own_name() {
    let (bed, path, _) = small(4);
    std::fs::write(&path, "").unwrap();
    assert_eq!(bed.verify().unwrap_err().file, "0000000001.jsonl");
}

#[test]
fn fault_101_a_checkpoint_of_another_log_of_the_same_key_does_not_fit() {
    let (bed, _, _) = small(4);
    let other = Bed { dir: tempfile::tempdir().unwrap(), pkcs8: bed.pkcs8.clone(), clock: bed.clock.clone() };
    let log = other.try_open(AuditOptions { node: "node2".into(), ..options() }).unwrap();
    (0..4).for_each(|_| {
        log.commit(&record(&actor(), "x")).unwrap();
    });
    drop(log);
    for file in ["checkpoint", "checkpoints"] {
        std::fs::copy(other.dir().join(file), bed.dir().join(file)).unwrap();
    }
    assert_eq!(bed.verify().unwrap_err().kind, FindingKind::WrongLog);
    assert!(matches!(bed.try_open(options()), Err(AuditError::OtherNode { .. })));
}

/// Two records under a checkpoint and two after it, as a killed process leaves them.
fn partly_covered() -> (Bed, PathBuf, Vec<u8>, usize) {
    let (bed, _) = Bed::standing();
    let me = actor();
    let log = bed.open();
    log.commit(&record(&me, "r0")).unwrap();
    log.commit(&record(&me, "r1")).unwrap();
    log.flush().unwrap();
    log.commit(&record(&me, "r2")).unwrap();
    log.commit(&record(&me, "r3")).unwrap();
    let kept = |file: &str| std::fs::read(bed.dir().join(file)).unwrap();
    let files: Vec<_> = ["checkpoint", "checkpoints", "edge"].map(|f| (f, kept(f))).into();
    let path = bed.dir().join(segment::file_name(1));
    let bytes = std::fs::read(&path).unwrap();
    drop(log);
    files.iter().for_each(|(file, bytes)| std::fs::write(bed.dir().join(file), bytes).unwrap());
    std::fs::remove_file(bed.dir().join("journal")).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let covered = lines(&bytes)[..2].iter().map(|l| l.len()).sum();
    (bed, path, bytes, covered)
}

#[test]
fn fault_101_truncation_at_each_byte_recovers_what_is_whole_or_is_reported() {
    let (bed, path, good, covered) = partly_covered();
    assert_eq!(bed.verify().unwrap().uncovered, 2);
    let saved: Vec<_> =
        ["checkpoint", "checkpoints", "edge"].map(|f| (f, std::fs::read(bed.dir().join(f)).unwrap())).into();
    for length in 0..=good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        let whole = lines(&good[..length]).iter().filter(|l| l.ends_with(b"\n")).count() as u64;
        if length < covered {
            assert_eq!(bed.verify().unwrap_err().kind, FindingKind::Truncated);
            let Err(AuditError::Damaged(finding)) = bed.try_open(options()) else {
                panic!("length {length}")
            };
            assert_eq!(finding.code().id, "E3005", "{finding}");
            assert_eq!(std::fs::read(&path).unwrap(), good[..length]);
            continue;
        }
        let torn = length - lines(&good[..length])[..whole as usize].iter().map(|l| l.len()).sum::<usize>();
        assert_eq!(bed.verify().unwrap().torn_bytes, torn as u64);
        drop(bed.try_open(AuditOptions { journal: JournalKind::Memory, ..options() }).unwrap());
        let records = bed.records();
        assert_eq!(names(&records).len() as u64, whole);
        let cut: Vec<_> = records.iter().filter(|r| r["action"] == "torn_tail_cut").collect();
        assert_eq!(cut.len(), usize::from(torn > 0), "length {length}");
        if let Some(cut) = cut.first() {
            assert_eq!(cut["details"]["bytes"], torn.to_string());
            assert_eq!(cut["details"]["offset"], (length - torn).to_string());
        }
        assert_eq!(bed.verify().unwrap().uncovered, 0);
        saved.iter().for_each(|(file, bytes)| std::fs::write(bed.dir().join(file), bytes).unwrap());
    }
}

#[test]
fn a_foreign_last_line_is_cut_and_one_before_the_last_is_not() {
    let (bed, path, good, _) = partly_covered();
    let starts: Vec<usize> =
        lines(&good).iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
    let mut bad = good.clone();
    bad[starts[2]] = b'x';
    std::fs::write(&path, &bad).unwrap();
    let Err(AuditError::Damaged(finding)) = bed.try_open(options()) else { panic!("opened") };
    assert_eq!((finding.kind, finding.line), (FindingKind::Edited, 3));
    let mut bad = good.clone();
    bad[starts[3]] = b'x';
    std::fs::write(&path, &bad).unwrap();
    assert_eq!(bed.verify().unwrap_err().line, 4);
    drop(bed.open());
    let records = bed.records();
    assert_eq!(names(&records), ["r0", "r1", "r2"]);
    assert_eq!(records[3]["action"], "torn_tail_cut");
    bed.verify().unwrap();
}
