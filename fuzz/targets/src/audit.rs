//! The audit log: lines, checkpoints, records of the journal, and whole logs from their files.

use crate::choice::{Choice, put_string};
use crate::{Seen, Target, told};
use common::audit::{fuzzing as inner, verify};
use common::crypto::{Algorithm, PublicKey};
use std::cell::OnceCell;
use tempfile::TempDir;

/// A log of a few records with its files; `examples/fixtures.rs` makes them.
const SEGMENT_TEXT: &[u8] = include_bytes!("../fixtures/audit/0000000001.jsonl");
const CHECKPOINT_TEXT: &[u8] = include_bytes!("../fixtures/audit/checkpoint");
const HISTORY_TEXT: &[u8] = include_bytes!("../fixtures/audit/checkpoints");
const EDGE_TEXT: &[u8] = include_bytes!("../fixtures/audit/edge");
const KEY: &[u8; 32] = include_bytes!("../fixtures/audit/key.public");

fn key() -> PublicKey {
    PublicKey::from_raw(Algorithm::Ed25519, KEY).expect("the fixture's key")
}

pub const LINE: Target = Target {
    name: "audit_line",
    max_len: 2 << 10,
    tokens: &["{\"v\":1,", "\"seq\":", "\"node\":", "\"prev\":\"", "\\u0041", "18446744073709551615"],
    memory: 1 << 20,
    smoke: 4_000,
    body: |input| Seen::of(inner::line(input)),
    seeds: || SEGMENT_TEXT.split(|b| *b == b'\n').take(3).map(<[u8]>::to_vec).collect(),
};

pub const CHECKPOINT: Target = Target {
    name: "audit_checkpoint",
    max_len: 1 << 10,
    tokens: &["\n", "\u{2014} ", "==", "+", "00"],
    memory: 1 << 20,
    smoke: 3_000,
    body: checkpoint,
    seeds: || vec![CHECKPOINT_TEXT.to_vec()],
};

/// Only the checkpoints that were signed open.
fn checkpoint(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::refused(&"not UTF-8") };
    let seen = Seen::of(inner::checkpoint(text, &key()));
    let signed = input == CHECKPOINT_TEXT || history().iter().any(|note| note.as_bytes() == input);
    assert!(signed || seen != Seen::accepted(0), "a checkpoint opens that was never signed");
    seen
}

fn history() -> Vec<String> {
    let lines = HISTORY_TEXT.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("the fixture's history")).collect()
}

pub const RECORD: Target = Target {
    name: "audit_record",
    max_len: 1 << 10,
    tokens: &["\x01\0\0\0\0\0\0\0", "\x08\0\0\0\0\0\0\0", "E2002\0\0\0", "{\"host\":\"t\"}\0\0\0\0"],
    memory: 2 << 20,
    smoke: 4_000,
    body: |input| Seen::of(inner::record(input)),
    seeds: record_seeds,
};

/// Words as the codec writes them: tag, times, then texts with their lengths.
fn record_seeds() -> Vec<Vec<u8>> {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.bytes());
        out.resize(out.len().next_multiple_of(8), 0);
    };
    let record = |tag: u64, head: &[u64], texts: &[&str]| {
        let mut out: Vec<u8> =
            [tag, 1_700_000_000_000_000_000, 5].iter().flat_map(|w| w.to_le_bytes()).collect();
        if tag >> 9 & 1 == 1 {
            out.extend(4_u64.to_le_bytes());
            text(&mut out, "p1,p2");
        }
        out.extend(head.iter().flat_map(|w| w.to_le_bytes()));
        texts.iter().for_each(|t| text(&mut out, t));
        out
    };
    let plain = [r#"{"host":"t"}"#, "host_call", "kv_set", "key", "a/b"];
    let rich = [&plain[..], &["E2002", "why", "no"]].concat();
    vec![
        record(0, &[], &plain),
        record(1 | 1 << 8 | 1 << 9 | 1 << 10 | 2 << 16 | 1 << 32, &[9, 1, 0, 999, 7], &rich),
        record(1 << 16, &[8], &plain),
    ]
}

pub const SEGMENT: Target = Target {
    name: "audit_segment",
    max_len: 16 << 10,
    tokens: &["\n", "\"seq\":", "\"prev\":\"", "{\"v\":1,"],
    memory: 2 << 20,
    smoke: 300,
    body: segment,
    seeds: segment_seeds,
};

/// A directory that is emptied by being written over.
struct Place {
    dir: TempDir,
}

thread_local! {
    static PLACE: OnceCell<Place> = const { OnceCell::new() };
}

/// In memory where there is such a file system.
fn place() -> Place {
    let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
    Place { dir: dir.expect("a directory for the log") }
}

/// Checkpoint, history and edge, each with its length, then the segment. A log that verifies holds the records
/// that were signed, byte for byte.
fn segment(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    let (checkpoint, history, edge) = (choice.string(), choice.string(), choice.string());
    let lines = choice.rest();
    let report = PLACE.with(|place| {
        let dir = place.get_or_init(self::place).dir.path();
        let first = inner::first_segment();
        for (name, bytes) in
            [("checkpoint", checkpoint), ("checkpoints", history), ("edge", edge), (first.as_str(), lines)]
        {
            std::fs::write(dir.join(name), bytes).expect("the log's files can be written");
        }
        verify(dir, &key())
    });
    match report {
        Ok(report) => {
            let covered = usize::try_from(report.covered).expect("a small log");
            let signed =
                SEGMENT_TEXT.split_inclusive(|b| *b == b'\n').take(covered).map(<[u8]>::len).sum::<usize>();
            assert_eq!(lines.get(..signed), SEGMENT_TEXT.get(..signed), "a changed record verifies");
            Seen::accepted(report.covered * 4 + report.uncovered.min(3))
        }
        Err(finding) => Seen::refused(&told(&finding)),
    }
}

fn segment_seeds() -> Vec<Vec<u8>> {
    let whole = |lines: &[u8]| {
        let mut out = Vec::new();
        [CHECKPOINT_TEXT, HISTORY_TEXT, EDGE_TEXT].iter().for_each(|text| put_string(&mut out, text));
        out.extend_from_slice(lines);
        out
    };
    vec![whole(SEGMENT_TEXT), whole(&[SEGMENT_TEXT, b"{\"v\":1"].concat())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_accepted() {
        assert_eq!(checkpoint(CHECKPOINT_TEXT), Seen::accepted(0));
        for seed in record_seeds() {
            assert_eq!((RECORD.body)(&seed), Seen::accepted(0));
        }
        for seed in segment_seeds() {
            assert!((1..40).any(|kind| segment(&seed) == Seen::accepted(kind)));
        }
    }
}
