//! The journals of stored values on bytes from a fuzzer.

use super::frame::{self, HEADER, Header, Position, Standing};
use super::pending::{Pending, encode};
use super::replay::{self, Found};
use crate::store::kv::KvRow;
use common::fuzzing::Verdict;
use std::path::PathBuf;

/// Two journals as a crash might leave them.
pub fn replay(first: &[u8], second: &[u8]) -> Verdict {
    let found = |name: &str, bytes: &[u8]| Found::new(PathBuf::from(name), Some(bytes.to_vec()));
    let both = found("a", first).and_then(|a| Ok([a, found("b", second)?]));
    let read = both.map(replay::in_order).and_then(|[earlier, later]| replay::replay(&earlier, &later));
    match read {
        Ok(_) => Verdict::Accepted,
        Err(error) => Verdict::Refused(error.to_string()),
    }
}

/// The body of one batch: its changes come back when written.
pub fn batch(bytes: &[u8]) -> Verdict {
    let mut rows = Pending::default();
    if rows.put_batch(bytes).is_none() {
        return Verdict::Refused("no batch".to_owned());
    }
    let mut again = Vec::new();
    for (namespace, key, value) in rows.iter() {
        encode(&KvRow { namespace, key, value }, &mut again);
    }
    let mut second = Pending::default();
    let read = second.put_batch(&again).is_some();
    Verdict::accepted_if(read && second == rows, "a batch does not come back")
}

/// A journal of this generation whose frames have these bodies and verify.
pub fn journal(generation: u64, bodies: &[&[u8]]) -> Vec<u8> {
    let header = Header { generation, mark: [7; 16] };
    let mut bytes = header.encode();
    for body in bodies {
        let at = Position { generation, offset: bytes.len() as u64 };
        let standing = Standing { at, synced: Position::START, before: HEADER as u64 };
        bytes.extend(frame::encode(&header, &standing, |out| out.extend_from_slice(body)));
    }
    bytes
}
