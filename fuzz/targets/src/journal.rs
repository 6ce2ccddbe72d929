//! The journals of stored values, as a crash or a damaged disk leaves them.

use crate::choice::{Choice, put_string};
use crate::{Seen, Target};
use plugin_manager::store::fuzzing::{batch, journal, replay};

pub const KV_JOURNAL: Target = Target {
    name: "kv_journal",
    max_len: 4 << 10,
    tokens: &[
        "F1KVJ\0\0\x01",
        "\x01\0\0\0\0\0\0\0",
        "\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}",
    ],
    memory: 4 << 20,
    smoke: 3_000,
    body: kv_journal,
    seeds,
};

/// By the first byte: a batch; two journals of batches that verify, bent afterwards; two journals of any bytes.
fn kv_journal(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    match choice.byte() % 3 {
        0 => Seen::of(batch(choice.rest())),
        1 => {
            let mut both = [journal(1, &bodies(&mut choice)), journal(2, &bodies(&mut choice))];
            for _ in 0..4 {
                if choice.is_empty() {
                    break;
                }
                let bytes = &mut both[choice.below(2)];
                let place = choice.below(bytes.len());
                match choice.byte() {
                    0 => bytes.truncate(place),
                    flip => bytes[place] ^= flip,
                }
                if bytes.is_empty() {
                    bytes.push(0);
                }
            }
            Seen::of(replay(&both[0], &both[1]))
        }
        _ => {
            let first = choice.string();
            Seen::of(replay(first, choice.rest()))
        }
    }
}

fn bodies<'a>(choice: &mut Choice<'a>) -> Vec<&'a [u8]> {
    (0..choice.byte() % 4).map(|_| choice.string()).collect()
}

fn row(namespace: &str, key: &str, value: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in [namespace, key] {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.bytes());
    }
    out.extend(value.map_or(u64::MAX, |v| v.len() as u64).to_le_bytes());
    out.extend(value.unwrap_or_default());
    out
}

fn seeds() -> Vec<Vec<u8>> {
    let body = [row("acme/a", "k", Some(b"value")), row("acme/a", "gone", None)].concat();
    let mut bent = vec![1, 2];
    put_string(&mut bent, &body);
    put_string(&mut bent, &body);
    bent.push(1);
    put_string(&mut bent, &body);
    let mut raw = vec![2];
    put_string(&mut raw, &journal(1, &[&body]));
    raw.extend(journal(2, &[]));
    vec![[b"\0", body.as_slice()].concat(), bent.clone(), [bent, vec![0, 0, 80, 0, 1]].concat(), raw]
}
