//! The log's parsers on bytes from a fuzzer: whatever is read has to come back the same when written.

use super::codec::{Entry, bytes_of};
use super::line::{self, Origin};
use super::note::Checkpoint;
use super::segment;
use crate::crypto::PublicKey;
use crate::fuzzing::Verdict;

/// A line of a segment, as verification reads it.
pub fn line(bytes: &[u8]) -> Verdict {
    match line::parse(bytes) {
        None => refused("no line"),
        Some(parsed) => Verdict::accepted_if(bytes.len() >= parsed.node.len(), "a node longer than its line"),
    }
}

/// A checkpoint; one that opens under `key` also has to be what was signed, byte for byte.
pub fn checkpoint(text: &str, key: &PublicKey) -> Verdict {
    let read = Checkpoint::read(text);
    match (Checkpoint::open(text, key), read) {
        (Ok(opened), Some(read)) => Verdict::accepted_if(opened == read, "opened and read differ"),
        (Ok(_), None) => Verdict::Broken("a note opens that cannot be read"),
        (Err(error), _) => refused(&error.to_string()),
    }
}

/// A record of the journal: its words come back, and its line is one that verification reads.
pub fn record(bytes: &[u8]) -> Verdict {
    let Some(entry) = Entry::decode(bytes) else { return refused("no record") };
    let mut words = Vec::new();
    entry.encode(&mut words);
    if words.len() != entry.words() {
        return Verdict::Broken("the count of words is not what is written");
    }
    let mut again = Vec::new();
    bytes_of(words, &mut again);
    let same = Entry::decode(&again).is_some_and(|second| format!("{second:?}") == format!("{entry:?}"));
    if !same {
        return Verdict::Broken("a record does not come back");
    }
    written(&entry)
}

/// The actor goes into a line as it is, so only one that is JSON is written; recovery checks that before.
fn written(entry: &Entry<'_>) -> Verdict {
    let entry = Entry { actor: r#"{"host":"fuzz"}"#, ..entry.clone() };
    let mut text = Vec::new();
    line::write(&mut text, &Origin::new("n", "b"), 7, &[3; 32], &entry);
    let one_line = !text.iter().any(|byte| byte.is_ascii_control());
    let parsed = line::parse(&text).is_some_and(|p| p.seq == 7 && p.node == "n" && p.prev == [3; 32]);
    Verdict::accepted_if(one_line && parsed, "a record's line is not read back")
}

/// The name of the first segment's file.
pub fn first_segment() -> String {
    segment::file_name(1)
}

fn refused(why: &str) -> Verdict {
    Verdict::Refused(why.to_owned())
}
