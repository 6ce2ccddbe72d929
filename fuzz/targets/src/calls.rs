//! Argument lists of ABI 1, and host calls against an arbitrary guest memory.

use crate::choice::{Choice, put_string};
use crate::{Seen, Target};
use common::clock::Deadline;
use forgeone_abi::wire::{self, Args};
use microkernel::syscall_bridge::take;
use plugin_manager::abi::{HostContext, Phase, vm};
use plugin_manager::syscall::Chain;
use plugin_manager::syscall::{LogLevel, Status, SyscallPort};

pub const ARGS: Target = Target {
    name: "args",
    max_len: 4 << 10,
    tokens: &["\0\0\0\0", "\x08\0\0\0", "\x01\0\0\0"],
    memory: 1 << 20,
    smoke: 4_000,
    body: args,
    seeds: args_seeds,
};

/// Guest and host read a list alike, in full or not at all, and what was read is written back as the same bytes.
fn args(input: &[u8]) -> Seen {
    let host = items_of_host(input);
    let list = match Args::parse(input) {
        Ok(list) => list,
        Err(error) => {
            assert!(host.is_none(), "the host reads a list that the guest refuses");
            return Seen::refused(&error);
        }
    };
    let items: Vec<&[u8]> = list.iter().collect();
    assert_eq!(host.as_deref(), Some(items.as_slice()), "host and guest read different items");
    assert_eq!(list.len(), items.len());
    let mut buffer = vec![0; input.len()];
    assert_eq!(wire::encode(&items, &mut buffer), Ok(input), "a list does not come back");
    assert_eq!(wire::encoded_len(&items), Some(input.len()));
    if let Some(short) = buffer.len().checked_sub(1) {
        assert!(
            wire::encode(&items, &mut buffer[..short]).is_err(),
            "a list fits a buffer that is too short"
        );
    }
    let mut kind = items.len().min(8) as u64;
    for (index, item) in items.iter().enumerate().take(8) {
        kind = kind * 3 + u64::from(typed(&list, index, item));
    }
    assert!(list.nth(items.len()).is_err());
    Seen::accepted(kind)
}

/// Every reading of one item agrees with its bytes.
fn typed(list: &Args<'_>, index: usize, item: &[u8]) -> u8 {
    assert_eq!(list.nth(index), Ok(item));
    assert_eq!(list.u64(index).is_ok(), item.len() == 8);
    assert_eq!(list.f64(index).map(f64::to_bits).ok(), list.u64(index).ok());
    assert_eq!(list.text(index).is_ok(), std::str::from_utf8(item).is_ok());
    let inner = list.list(index);
    if let Ok(pairs) = list.pairs(index) {
        let count = pairs.count() * 2;
        assert_eq!(inner.map(|inner| inner.len()), Ok(count));
    }
    u8::from(inner.is_ok()) + u8::from(item.len() == 8)
}

fn items_of_host(mut list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    while let Some(item) = take(&mut list).ok()? {
        items.push(item);
    }
    Some(items)
}

fn args_seeds() -> Vec<Vec<u8>> {
    let list = |items: &[&[u8]]| {
        let mut out = Vec::new();
        items.iter().for_each(|item| wire::append(&mut out, item).unwrap());
        out
    };
    let labels = list(&[b"route", b"/a", b"code", b"200"]);
    vec![
        Vec::new(),
        list(&[b"/data/notes.txt", &0_u64.to_le_bytes(), &64_u64.to_le_bytes()]),
        list(&[b"requests_total", b"counter", &1.0_f64.to_le_bytes(), &labels]),
        list(&[b"key", &list(&[b"expected"]), b"value"]),
    ]
}

pub const HOST_CALLS: Target = Target {
    name: "host_calls",
    max_len: 2 << 10,
    tokens: &["ping", "\u{ff}\u{ff}"],
    memory: 1 << 20,
    smoke: 4_000,
    body: host_calls,
    seeds: host_call_seeds,
};

/// Most bytes of a call's output here.
const PAYLOAD: usize = 256;
const MAX_MEMORY: usize = 512;

/// The host behind the door: answers with given bytes or a given status, and counts what was wrong.
struct Port {
    answer: Vec<u8>,
    status: Option<Status>,
}

impl Port {
    fn give(&self, response: &mut Vec<u8>) -> Result<(), Status> {
        response.clear();
        // What a failing handler may have written by then is not the guest's to see.
        response.extend_from_slice(&self.answer);
        self.status.map_or(Ok(()), Err)
    }
}

impl SyscallPort for Port {
    fn begin(&mut self, _: Deadline, _: &Chain) {}
    fn end(&mut self) {}
    fn syscall(&mut self, _: &[u8], _: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        self.give(response)
    }
    fn env_get(&mut self, _: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        self.give(response)
    }
    fn log(&mut self, _: LogLevel, line: &[u8]) {
        assert!(line.len() <= MAX_MEMORY);
    }
    fn invalid(&mut self, _: &'static str, _: &'static str) {}
    fn expired(&self) -> bool {
        false
    }
}

const STATUSES: [Status; 9] = [
    Status::Denied,
    Status::NotFound,
    Status::Invalid,
    Status::Limit,
    Status::Timeout,
    Status::Unavailable,
    Status::Internal,
    Status::Unknown,
    Status::Conflict,
];
const PHASES: [Phase; 5] =
    [Phase::Operation, Phase::Lifecycle, Phase::StateSave, Phase::StateLoad, Phase::Idle];

/// Any calls in any phase: answers are statuses or counts, only the caller's own buffer changes, output is bounded.
fn host_calls(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    let phase = PHASES[choice.below(PHASES.len())];
    let status = STATUSES.get(usize::from(choice.byte())).copied();
    let answer = choice.string().to_vec();
    let mut given = choice.string().to_vec();
    let mut memory = choice.string().to_vec();
    memory.truncate(MAX_MEMORY);
    let mut context = HostContext::new(Box::new(Port { answer, status }), PAYLOAD);
    context.begin(phase, &mut given, Deadline::NEVER, &Chain::new());
    let mut kind = phase as u64;
    for _ in 0..24 {
        if choice.is_empty() {
            break;
        }
        kind = kind.wrapping_mul(31).wrapping_add(one_call(&mut context, &mut memory, &mut choice));
    }
    if let Some(text) = context.take_failure() {
        assert!(
            text.len() <= vm::FAILURE_BYTES && !text.chars().any(char::is_control),
            "an unsafe failure text"
        );
    }
    let mut output = Vec::new();
    context.end(&mut given, &mut output);
    assert!(output.len() <= PAYLOAD, "output beyond its limit");
    assert!(phase.has_output() || output.is_empty(), "output in a call that has none");
    Seen::accepted(kind)
}

/// A pointer or length: near the memory's size, or anything.
fn number(choice: &mut Choice<'_>, size: usize) -> u32 {
    let how = choice.byte();
    let near = u32::try_from(size).unwrap_or(u32::MAX);
    match how % 8 {
        0..=3 => u32::from(choice.byte()),
        4 => near.wrapping_add(u32::from(how >> 3)).wrapping_sub(8),
        5 => u32::MAX - u32::from(how >> 3),
        _ => choice.word(),
    }
}

fn one_call(context: &mut HostContext, memory: &mut [u8], choice: &mut Choice<'_>) -> u64 {
    let before = memory.to_vec();
    let which = choice.byte() % 9;
    let mut next = || number(choice, before.len());
    let (a, b, c, d) = (next(), next(), next(), next());
    let (e, f) = (next(), next());
    // The buffer the guest gave for an answer, and what the call answered.
    let (out, answer) = match which {
        0 => (None, {
            vm::log(context, memory, a, b);
            0
        }),
        1 => (None, {
            vm::log_at(context, memory, c.cast_signed(), a, b);
            0
        }),
        2 => (Some((b, c)), vm::input_read(context, memory, a, b, c)),
        3 => (None, vm::output(context, memory, a, b)),
        4 => (None, {
            vm::fail(context, memory, a, b);
            0
        }),
        5 => (Some((e, f)), vm::syscall(context, memory, (a, b), (c, d), (e, f))),
        6 => (Some((b, c)), vm::response_read(context, memory, a, b, c)),
        7 => (Some((c, d)), vm::env_get(context, memory, (a, b), (c, d))),
        _ => (None, {
            vm::abort(context, memory, a, b, c.cast_signed(), d.cast_signed());
            0
        }),
    };
    assert!(answer >= -9, "{answer} is no status");
    only_buffer_changed(&before, memory, out, answer);
    u64::from(which) * 16
        + if answer < 0 { u64::from(answer.unsigned_abs()) } else { 10 + u64::from(answer > 0) }
}

/// Whatever lies outside the buffer is as it was; a call that failed, or whose buffer is not in memory, changed nothing.
fn only_buffer_changed(before: &[u8], after: &[u8], out: Option<(u32, u32)>, answer: i32) {
    let inside = |(ptr, cap): &(u32, u32)| u64::from(*ptr) + u64::from(*cap) <= before.len() as u64;
    match out {
        Some(span) if inside(&span) && answer >= 0 => {
            let (start, end) = (span.0 as usize, span.0 as usize + span.1 as usize);
            assert_eq!(before[..start], after[..start], "memory before the buffer changed");
            assert_eq!(before[end..], after[end..], "memory after the buffer changed");
        }
        Some(span) if !inside(&span) => {
            assert!(answer < 0, "a buffer outside memory was accepted");
            assert_eq!(before, after);
        }
        _ => assert_eq!(before, after, "a call changed memory it was not given"),
    }
}

fn host_call_seeds() -> Vec<Vec<u8>> {
    let script = |phase: u8, status: u8, calls: &[&[u8]]| {
        let mut out = vec![phase, 0, status];
        put_string(&mut out, b"pong");
        put_string(&mut out, b"the input");
        put_string(&mut out, b"ping....................................a\0b\0");
        out.extend(calls.concat());
        out
    };
    let all = [0_u8, 1, 2, 3, 4, 5, 6, 7, 8].map(|which| {
        let mut call = vec![which];
        [0_u8, 4, 4, 8, 16, 16].iter().for_each(|n| call.extend([0, *n]));
        call
    });
    let calls: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    let mut seeds: Vec<_> = (0..5).map(|phase| script(phase, 99, &calls)).collect();
    seeds.push(script(0, 2, &calls));
    seeds
}
