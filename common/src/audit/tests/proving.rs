//! Proofs and kept checkpoints: what a log proves about itself, and what another log cannot.

use super::*;
use crate::error::Coded;

/// A closed log of `n` records, and its checkpoint.
fn grown(bed: &Bed, log: &AuditLog, n: usize) -> String {
    let me = actor();
    (0..n).for_each(|i| drop(log.append(&record(&me, &format!("r{i}"))).unwrap()));
    log.flush().unwrap();
    std::fs::read_to_string(bed.dir().join("checkpoint")).unwrap()
}

#[test]
fn proofs_hold_for_every_record_with_stored_hashes_and_without() {
    let (bed, _) = Bed::standing();
    let log = bed.try_open(AuditOptions { segment_bytes: 40_000, ..options() }).unwrap();
    grown(&bed, &log, 700);
    let check = || {
        for seq in [0, 1, 255, 256, 257, 511, 512, 698, 699] {
            let proof = prove(bed.dir(), seq).unwrap();
            assert_eq!(proof.verify(&bed.public()).unwrap().size, 700);
            assert!(proof.line.contains(&format!("\"r{seq}\"")), "{}", proof.line);
            let mut other = proof.clone();
            other.line = other.line.replace("\"r", "\"q");
            assert_eq!(other.verify(&bed.public()).unwrap_err().code().id, "E3013");
        }
    };
    check();
    // Hashes that are wrong or missing cost reading every line, nothing else.
    std::fs::write(bed.dir().join("tiles/0"), vec![7; 700 * 32]).unwrap();
    check();
    std::fs::remove_dir_all(bed.dir().join("tiles")).unwrap();
    check();
    assert!(matches!(prove(bed.dir(), 700), Err(AuditError::NoSuchRecord { seq: 700, covered: 700 })));
    drop(log);
    drop(bed.open());
    let stored = tiles::TileReader::open(bed.dir()).root_of(&(0..700));
    let signed = bed.verify().unwrap().root;
    assert_eq!(stored, Some(*signed.as_bytes()), "opening stores missing hashes anew");
}

#[test]
fn records_are_found_by_number_across_segments() {
    let (bed, _) = Bed::standing();
    let log = bed.try_open(AuditOptions { segment_bytes: 90_000, ..options() }).unwrap();
    grown(&bed, &log, 900);
    for seq in [0, 1, 200, 201, 450, 899] {
        let mut records = records_from(bed.dir(), seq).unwrap();
        let (first, line) = records.next().unwrap().unwrap();
        assert_eq!(first, seq);
        assert!(line.contains(&format!("\"r{seq}\"")));
        assert_eq!(records.by_ref().count() as u64, 899 - seq);
        assert_eq!(records.position(), 900);
    }
    assert_eq!(records_from(bed.dir(), 900).unwrap().count(), 0);
    grown(&bed, &log, 1);
    assert_eq!(records_from(bed.dir(), 900).unwrap().count(), 1);
}

#[test]
fn a_log_continues_its_own_earlier_checkpoints() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    let kept: Vec<String> = [1, 2, 254, 1, 300].iter().map(|n| grown(&bed, &log, *n)).collect();
    for earlier in &kept {
        continues(bed.dir(), &bed.public(), earlier).unwrap();
        let size = earlier.lines().nth(1).unwrap().parse().unwrap();
        let proof = prove_consistency(bed.dir(), size).unwrap();
        let text = proof.to_text();
        assert!(text.starts_with(&format!("old {size}\n")));
        assert_eq!(Consistency::from_text(&text).unwrap(), proof);
        assert_eq!(proof.verify(earlier, &bed.public()).unwrap().size, 558);
        for other in kept.iter().filter(|other| *other != earlier) {
            assert_eq!(proof.verify(other, &bed.public()).unwrap_err().code().id, "E3013");
        }
    }
    std::fs::remove_dir_all(bed.dir().join("tiles")).unwrap();
    kept.iter().for_each(|earlier| continues(bed.dir(), &bed.public(), earlier).unwrap());
    let report = verify_against(bed.dir(), &bed.public(), &kept).unwrap();
    assert_eq!(report.kept, 5);
    let lines: String =
        kept.iter().map(|note| format!("{}\n", serde_json::to_string(note).unwrap())).collect();
    assert_eq!(read_kept(&lines).unwrap(), kept);
    assert_eq!(read_kept(&kept[0]).unwrap(), kept[..1]);
    assert!(read_kept("\"a\nb").is_err());
}

#[test]
fn fault_101_a_whole_directory_rolled_back_is_found_by_a_kept_checkpoint() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    grown(&bed, &log, 3);
    let old = tempfile::tempdir().unwrap();
    drop(log);
    copy_log(bed.dir(), old.path());
    let log = bed.open();
    let kept = grown(&bed, &log, 4);
    drop(log);
    verify(old.path(), &bed.public()).unwrap();
    let finding = verify_against(old.path(), &bed.public(), std::slice::from_ref(&kept)).unwrap_err();
    assert_eq!((finding.kind, finding.code().id, finding.seq), (FindingKind::RolledBack, "E3009", Some(3)));
    let error = continues(old.path(), &bed.public(), &kept).unwrap_err();
    assert_eq!(error.code().id, "E3009");
    verify_against(bed.dir(), &bed.public(), &[kept]).unwrap();
}

#[test]
fn fault_101_a_log_made_again_with_the_key_is_found_by_a_kept_checkpoint() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    let kept = grown(&bed, &log, 3);
    drop(log);
    let again = Bed { dir: tempfile::tempdir().unwrap(), pkcs8: bed.pkcs8.clone(), clock: bed.clock.clone() };
    let log = again.open();
    log.commit(&record(&actor(), "another past")).unwrap();
    grown(&again, &log, 9);
    drop(log);
    again.verify().unwrap();
    let finding = verify_against(again.dir(), &bed.public(), std::slice::from_ref(&kept)).unwrap_err();
    assert_eq!((finding.kind, finding.code().id), (FindingKind::Rewritten, "E3012"));
    assert_eq!(continues(again.dir(), &bed.public(), &kept).unwrap_err().code().id, "E3012");
    let other = Bed::new();
    let log = other.try_open(AuditOptions { node: "node2".into(), ..options() }).unwrap();
    let foreign = grown(&other, &log, 2);
    let finding = verify_against(bed.dir(), &bed.public(), std::slice::from_ref(&foreign)).unwrap_err();
    assert_eq!(finding.kind, FindingKind::WrongKey);
    let edited = kept.replace("\n3\n", "\n2\n");
    let finding = verify_against(bed.dir(), &bed.public(), &[edited]).unwrap_err();
    assert_eq!(finding.kind, FindingKind::BadCheckpoint);
}

#[test]
fn an_edited_log_is_told_as_edited_even_when_a_kept_checkpoint_differs_too() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    let kept = grown(&bed, &log, 5);
    drop(log);
    let path = bed.dir().join(segment::file_name(1));
    let text = std::fs::read_to_string(&path).unwrap().replace("\"r2\"", "\"rX\"");
    std::fs::write(&path, text).unwrap();
    let finding = verify_against(bed.dir(), &bed.public(), &[kept]).unwrap_err();
    assert_eq!((finding.kind, finding.line), (FindingKind::Edited, 3));
}
