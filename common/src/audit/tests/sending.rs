//! Checkpoints leave the host: receivers get the latest one through failures, and witnesses are believed by their keys.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Takes checkpoints while it is up.
#[derive(Debug, Clone, Default)]
struct Flaky {
    up: Arc<AtomicBool>,
    got: Arc<Mutex<Vec<String>>>,
}

impl CheckpointSink for Flaky {
    fn name(&self) -> &str {
        "flaky"
    }
    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError> {
        if !self.up.load(SeqCst) {
            return Err(SinkError::Refused("it is down".into()));
        }
        self.got.lock().push(made.note.to_owned());
        Ok(())
    }
}

#[test]
fn a_file_elsewhere_gets_every_kept_checkpoint_and_verifies_the_log() {
    let (bed, _) = Bed::standing();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("kept");
    let log = bed.open();
    log.send_checkpoints_to(vec![Box::new(FileSink::new(&path))]).unwrap();
    for i in 0..3 {
        log.commit(&record(&actor(), &format!("r{i}"))).unwrap();
        log.flush().unwrap();
        let arrived =
            || log.sink_metrics().first().is_some_and(|sink| sink.lag_records == 0 && sink.queued == 0);
        eventually("the checkpoint in the file", arrived);
    }
    let metrics = log.sink_metrics().remove(0);
    assert_eq!((metrics.failed, metrics.skipped, metrics.error), (0, 0, None));
    drop(log);
    let kept = read_kept(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(verify_against(bed.dir(), &bed.public(), &kept).unwrap().kept, kept.len() as u64);
    let sizes: Vec<&str> = kept.iter().map(|note| note.lines().nth(1).unwrap()).collect();
    assert_eq!(sizes, ["0", "1", "2", "3"]);
}

#[test]
fn a_receiver_that_is_down_does_not_hold_the_log_and_gets_the_latest_when_the_log_closes() {
    let (bed, _) = Bed::standing();
    let flaky = Flaky::default();
    let log = bed.open();
    log.send_checkpoints_to(vec![Box::new(flaky.clone())]).unwrap();
    for i in 0..100 {
        log.commit(&record(&actor(), &format!("r{i}"))).unwrap();
        log.flush().unwrap();
    }
    eventually("a failure", || log.sink_metrics().iter().any(|sink| sink.failed > 0));
    let metrics = log.sink_metrics().remove(0);
    assert_eq!(metrics.error.as_deref(), Some("the receiver refused it: it is down"));
    assert!(metrics.queued <= 64 && metrics.skipped >= 36 && metrics.lag_records >= 100, "{metrics:?}");
    flaky.up.store(true, SeqCst);
    drop(log);
    let latest = flaky.got.lock().last().cloned().unwrap();
    assert_eq!(latest, std::fs::read_to_string(bed.dir().join("checkpoint")).unwrap());
    assert!(
        bed.records().iter().any(|r| r["action"] == "checkpoint_unsent" && r["resource"]["name"] == "flaky")
    );
}

/// A witness and how it signs.
struct Signer {
    key: SigningKey,
    vkey: String,
    id: [u8; 4],
}

fn signer(name: &str) -> Signer {
    let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let public = key.public();
    let digest = crate::identity::Digest::of(&[name.as_bytes(), b"\n\x04", public.as_bytes()].concat());
    let id: [u8; 4] = digest.as_bytes()[..4].try_into().unwrap();
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    let vkey = format!("{name}+{hex}+{}", BASE64.encode([&[4], public.as_bytes()].concat()));
    Signer { key, vkey, id }
}

impl Signer {
    fn line(&self, name: &str, note: &str, time: u64) -> String {
        let (body, _) = note.split_once("\n\n").unwrap();
        let signature = self.key.sign(format!("cosignature/v1\ntime {time}\n{body}\n").as_bytes()).unwrap();
        let bytes = [&self.id[..], &time.to_be_bytes(), &signature].concat();
        format!("\u{2014} {name} {}\n", BASE64.encode(bytes))
    }
}

#[test]
fn a_witness_is_believed_by_its_key_and_its_checkpoint_finds_a_rollback() {
    let (bed, _) = Bed::standing();
    let log = bed.open();
    log.commit(&record(&actor(), "r0")).unwrap();
    drop(log);
    let old = tempfile::tempdir().unwrap();
    copy_log(bed.dir(), old.path());
    let log = bed.open();
    log.commit(&record(&actor(), "r1")).unwrap();
    log.flush().unwrap();
    let note = std::fs::read_to_string(bed.dir().join("checkpoint")).unwrap();
    let (a, b) = (signer("w.example/a"), signer("w.example/b"));
    let witnesses: Vec<Witness> = [&a, &b].iter().map(|s| Witness::parse(&s.vkey).unwrap()).collect();
    let cosigned_note = format!("{note}{}{}", a.line("w.example/a", &note, 77), b.line("stranger", &note, 5));
    let accept = |note: &str| accept_cosigned(bed.dir(), &bed.public(), &witnesses, note);
    let found = accept(&cosigned_note).unwrap();
    assert_eq!(found, [Cosignature { witness: "w.example/a".into(), time: 77 }]);
    assert_eq!(cosigned(bed.dir()).unwrap().as_deref(), Some(cosigned_note.as_str()));
    assert_eq!(bed.verify().unwrap().kept, 1);
    assert!(matches!(accept(&note), Err(WitnessError::None)));
    let retimed = {
        let line = a.line("w.example/a", &note, 77);
        let mut bytes = BASE64.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
        bytes[11] = 78;
        format!("{note}\u{2014} w.example/a {}\n", BASE64.encode(bytes))
    };
    assert!(matches!(accept(&retimed), Err(WitnessError::Signature(name)) if name == "w.example/a"));
    std::fs::copy(bed.dir().join("cosigned"), old.path().join("cosigned")).unwrap();
    assert_eq!(verify(old.path(), &bed.public()).unwrap_err().kind, FindingKind::RolledBack);
    for bad in ["", "a+b", &a.vkey.replace("w.example", "x.example"), &verifier_key("n", &bed.public())] {
        assert!(matches!(Witness::parse(bad), Err(WitnessError::Key(_))), "{bad}");
    }
}
