//! Each host function with good, wild and hostile arguments, without an engine.

use super::*;
use crate::abi::Phase;
use crate::syscall::Chain;
use crate::syscall::testing::{FakePort, SeenHandle};
use common::clock::{Deadline, ManualClock};
use proptest::prelude::*;

const SIZE: usize = 4096;

fn context_of(port: FakePort, phase: Phase, input: &[u8]) -> (HostContext, SeenHandle, Vec<u8>) {
    let seen = port.seen();
    let mut context = HostContext::new(Box::new(port), 100);
    context.begin(phase, &mut input.to_vec(), Deadline::NEVER, &Chain::new());
    (context, seen, vec![0; SIZE])
}

fn context(phase: Phase, input: &[u8]) -> (HostContext, SeenHandle, Vec<u8>) {
    let port = FakePort::new(ManualClock::at(0))
        .answering("echo", |args| Ok(args.to_vec()))
        .answering("refuse", |_| Err(Status::Denied))
        .with_variable("HOME", b"/data");
    context_of(port, phase, input)
}

fn put(memory: &mut [u8], at: usize, bytes: &[u8]) -> (u32, u32) {
    memory[at..at + bytes.len()].copy_from_slice(bytes);
    (at as u32, bytes.len() as u32)
}

/// Pointers and lengths that lie outside a memory of [`SIZE`] bytes.
const WILD_SPANS: [(u32, u32); 7] = [
    (SIZE as u32, 1),
    (0, SIZE as u32 + 1),
    (u32::MAX, 1),
    (u32::MAX, u32::MAX),
    (8, -1i32 as u32),
    (SIZE as u32 + 1, 0),
    (u32::MAX, 0),
];

#[test]
fn statuses_are_the_numbers_of_the_contract() {
    let statuses = [
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
    assert_eq!(statuses.map(status_code), [-1, -2, -3, -4, -5, -6, -7, -8, -9]);
}

#[test]
fn fault_036_037_038_039_no_import_follows_a_wild_pointer() {
    for (ptr, len) in WILD_SPANS {
        let (mut c, seen, mut memory) = context(Phase::Operation, b"input");
        let name = put(&mut memory, 0, b"echo");
        let m = &mut memory[..];
        log(&mut c, m, ptr, len);
        log_at(&mut c, m, 3, ptr, len);
        fail(&mut c, m, ptr, len);
        let answers = [
            input_read(&mut c, m, 0, ptr, len),
            output(&mut c, m, ptr, len),
            syscall(&mut c, m, (ptr, len), (0, 0), (0, 0)),
            syscall(&mut c, m, name, (ptr, len), (0, 0)),
            syscall(&mut c, m, name, (0, 0), (ptr, len)),
            response_read(&mut c, m, 0, ptr, len),
            env_get(&mut c, m, (ptr, len), (0, 0)),
            env_get(&mut c, m, name, (ptr, len)),
        ];
        assert_eq!(answers, [-3; 8], "{ptr} {len}");
        assert_eq!(c.take_failure(), None);
        let seen = seen.get();
        assert_eq!(seen.invalid.len(), 11, "{:?}", seen.invalid);
        assert!(seen.calls.is_empty() && seen.logs.is_empty() && seen.variables.is_empty());
        assert!(memory[4..].iter().all(|b| *b == 0));
    }
}

#[test]
fn an_empty_span_at_the_end_of_memory_is_valid() {
    let (mut c, seen, mut memory) = context(Phase::Operation, b"input");
    let end = SIZE as u32;
    log(&mut c, &mut memory, end, 0);
    assert_eq!(output(&mut c, &mut memory, end, 0), 0);
    assert_eq!(input_read(&mut c, &mut memory, 0, end, 0), 0);
    assert!(seen.get().invalid.is_empty());
    assert_eq!(seen.get().logs, [(LogLevel::Info, vec![])]);
}

#[test]
fn levels_are_kept_and_unknown_ones_clamped() {
    let (mut c, seen, mut memory) = context(Phase::Lifecycle, b"");
    for level in [0, 1, 2, 3, 4, -1, i32::MIN, 5, i32::MAX] {
        log_at(&mut c, &mut memory, level, 0, 1);
    }
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    let levels: Vec<_> = seen.get().logs.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Trace, Debug, Info, Warn, Error, Trace, Trace, Error, Error]);
}

#[test]
fn input_is_read_in_pieces_and_ends_with_zero() {
    let (mut c, _, mut memory) = context(Phase::Operation, b"hello world");
    assert_eq!(input_read(&mut c, &mut memory, 0, 10, 5), 5);
    assert_eq!(input_read(&mut c, &mut memory, 5, 15, 100), 6);
    assert_eq!(&memory[10..21], b"hello world");
    assert_eq!(input_read(&mut c, &mut memory, 11, 0, 5), 0);
    assert_eq!(input_read(&mut c, &mut memory, u32::MAX, 0, 5), 0);
    assert_eq!(input_read(&mut c, &mut memory, 0, 0, 1), 1);
}

#[test]
fn fault_042_phases_decide_which_imports_answer() {
    for (phase, has_input, has_output) in [
        (Phase::Idle, false, false),
        (Phase::Lifecycle, false, false),
        (Phase::Operation, true, true),
        (Phase::StateSave, false, true),
        (Phase::StateLoad, true, false),
    ] {
        let (mut c, seen, mut memory) = context(phase, b"x");
        let expect = |yes: bool, value| if yes { value } else { -3 };
        assert_eq!(input_read(&mut c, &mut memory, 0, 0, 1), expect(has_input, 1), "{phase:?}");
        assert_eq!(output(&mut c, &mut memory, 0, 1), expect(has_output, 0), "{phase:?}");
        let refused = usize::from(!has_input) + usize::from(!has_output);
        assert_eq!(seen.get().invalid.len(), refused);
    }
}

#[test]
fn output_beyond_the_limit_is_minus_four_and_appends_nothing() {
    let (mut c, seen, mut memory) = context(Phase::Operation, b"");
    memory.fill(b'x');
    assert_eq!(output(&mut c, &mut memory, 0, 99), 0);
    assert_eq!(output(&mut c, &mut memory, 0, 2), -4);
    assert_eq!(output(&mut c, &mut memory, 0, 1), 0);
    assert_eq!(output(&mut c, &mut memory, 0, 1), -4);
    assert_eq!(output(&mut c, &mut memory, 0, 0), 0);
    let (mut input, mut result) = (Vec::new(), Vec::new());
    c.end(&mut input, &mut result);
    assert_eq!(result, [b'x'; 100]);
    assert_eq!(seen.get().limited.len(), 2);
}

#[test]
fn a_response_larger_than_its_buffer_is_read_on() {
    let (mut c, _, mut memory) = context(Phase::Operation, b"");
    let name = put(&mut memory, 0, b"echo");
    let args = put(&mut memory, 16, b"0123456789");
    assert_eq!(syscall(&mut c, &mut memory, name, args, (100, 4)), 10);
    assert_eq!(&memory[100..105], b"0123\0");
    assert_eq!(response_read(&mut c, &mut memory, 4, 200, 100), 6);
    assert_eq!(&memory[200..206], b"456789");
    assert_eq!(response_read(&mut c, &mut memory, 10, 200, 100), 0);
    assert_eq!(syscall(&mut c, &mut memory, name, args, (0, 0)), 10);
}

#[test]
fn a_refused_call_gives_its_status_and_leaves_no_response() {
    let (mut c, _, mut memory) = context(Phase::Operation, b"");
    let echo = put(&mut memory, 0, b"echo");
    let refuse = put(&mut memory, 8, b"refuse");
    let unknown = put(&mut memory, 16, b"\xff\xfe");
    for (name, status) in [(refuse, -1), (unknown, -8)] {
        assert_eq!(syscall(&mut c, &mut memory, echo, (0, 8), (0, 0)), 8);
        assert_eq!(syscall(&mut c, &mut memory, name, (0, 0), (100, 50)), status);
        assert_eq!(response_read(&mut c, &mut memory, 0, 100, 50), 0);
    }
}

#[test]
fn fault_040_arguments_and_answer_may_share_memory() {
    let (mut c, _, mut memory) = context(Phase::Operation, b"");
    put(&mut memory, 0, b"echo0123456789");
    assert_eq!(syscall(&mut c, &mut memory, (0, 4), (4, 10), (2, 12)), 10);
    assert_eq!(&memory[..14], b"ec012345678989");
}

#[test]
fn a_variable_answers_as_a_syscall_does() {
    let (mut c, _, mut memory) = context(Phase::Lifecycle, b"");
    let key = put(&mut memory, 0, b"HOME");
    assert_eq!(env_get(&mut c, &mut memory, key, (10, 3)), 5);
    assert_eq!(&memory[10..14], b"/da\0");
    assert_eq!(response_read(&mut c, &mut memory, 3, 20, 8), 2);
    assert_eq!(env_get(&mut c, &mut memory, (0, 2), (10, 3)), -2);
}

#[test]
fn the_last_failure_text_is_kept_safe_and_bounded() {
    let (mut c, _, mut memory) = context(Phase::Operation, b"");
    let first = put(&mut memory, 0, b"first");
    let second = put(&mut memory, 8, b"no\x1b[2J \xff");
    fail(&mut c, &mut memory, first.0, first.1);
    fail(&mut c, &mut memory, second.0, second.1);
    assert_eq!(c.take_failure().unwrap(), "no\\u{1b}[2J \u{fffd}");
    let mut large = vec![b'x'; 10_000];
    fail(&mut c, &mut large, 0, 10_000);
    assert_eq!(c.take_failure().unwrap().len(), FAILURE_BYTES);
}

fn assembly_script(memory: &mut [u8], at: usize, text: &str) -> u32 {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    put(memory, at, &(units.len() as u32).to_le_bytes());
    put(memory, at + 4, &units).0
}

#[test]
fn abort_reads_strings_of_assembly_script() {
    let (mut c, seen, mut memory) = context(Phase::Operation, b"");
    let message = assembly_script(&mut memory, 0, "größe 𝄞");
    let file = assembly_script(&mut memory, 100, "a.ts");
    abort(&mut c, &memory, message, file, 3, 7);
    assert_eq!(c.take_failure().unwrap(), "größe 𝄞 (a.ts:3:7)");
    abort(&mut c, &memory, message, 0, 3, 7);
    assert_eq!(c.take_failure().unwrap(), "größe 𝄞");
    abort(&mut c, &memory, 0, 0, 0, 0);
    assert_eq!(c.take_failure().unwrap(), "abort");
    assert!(seen.get().invalid.is_empty());
    for wild in [1, 3, SIZE as u32 + 1, u32::MAX] {
        abort(&mut c, &memory, wild, message, 1, 2);
        assert_eq!(c.take_failure().unwrap(), "abort (größe 𝄞:1:2)");
    }
    put(&mut memory, 200, &u32::MAX.to_le_bytes());
    abort(&mut c, &memory, 204, 0, 1, 2);
    assert_eq!(c.take_failure().unwrap(), "abort");
    assert_eq!(seen.get().invalid.len(), 5);
    put(&mut memory, 300, &[3, 0, 0, 0, 0x00, 0xd8, 0x41]);
    abort(&mut c, &memory, 304, 0, 1, 2);
    assert_eq!(c.take_failure().unwrap(), "\u{fffd}");
}

proptest! {
    #[test]
    fn whatever_the_memory_a_pointer_is_invalid_exactly_when_it_leaves_it(
        size in 0usize..300, ptr: u32, len: u32, near: bool, offset in 0u32..20,
    ) {
        let (ptr, len) = if near { (ptr % 400, len % 400) } else { (ptr, len) };
        let inside = u64::from(ptr) + u64::from(len) <= size as u64;
        let given = b"some input";
        let (mut c, seen, _) = context(Phase::Operation, given);
        let mut memory: Vec<u8> = (0..size).map(|i| i as u8).collect();
        let before = memory.clone();
        let wrote = output(&mut c, &mut memory, ptr, len);
        let beyond = inside && len > 100;
        prop_assert_eq!(wrote, if !inside { -3 } else if beyond { -4 } else { 0 });
        prop_assert_eq!(&memory, &before, "output writes to no memory");
        let read = input_read(&mut c, &mut memory, offset, ptr, len);
        let rest = given.get(offset as usize..).unwrap_or_default();
        let copied = rest.len().min(len as usize);
        prop_assert_eq!(read, if inside { copied as i32 } else { -3 });
        let copied = if inside { copied } else { 0 };
        for (i, byte) in memory.iter().enumerate() {
            let at = i.checked_sub(ptr as usize).filter(|at| *at < copied);
            prop_assert_eq!(*byte, at.map_or(before[i], |at| rest[at]), "byte {}", i);
        }
        let statuses = [
            syscall(&mut c, &mut memory, (ptr, len), (0, 0), (0, 0)),
            env_get(&mut c, &mut memory, (ptr, len), (0, 0)),
            response_read(&mut c, &mut memory, 0, ptr, len),
        ];
        prop_assert!(inside || statuses == [-3; 3], "{:?}", statuses);
        prop_assert_eq!(seen.get().invalid.len(), if inside { 0 } else { 5 });
        let (mut back, mut result) = (Vec::new(), Vec::new());
        c.end(&mut back, &mut result);
        let sent = if inside && !beyond { &before[ptr as usize..(ptr + len) as usize] } else { &[] };
        prop_assert_eq!(result, sent);
    }

    #[test]
    fn any_arguments_give_a_status_or_a_bounded_count(
        a: [u32; 6], near: bool, phase in prop::sample::select(vec![Phase::Lifecycle, Phase::Operation]),
    ) {
        let a = if near { a.map(|v| v % 5000) } else { a };
        let (mut c, _, mut memory) = context(phase, b"some input");
        put(&mut memory, 0, b"echo");
        let m = &mut memory[..];
        let statuses = [
            input_read(&mut c, m, a[0], a[1], a[2]),
            output(&mut c, m, a[0], a[1]),
            syscall(&mut c, m, (0, 4), (a[2], a[3]), (a[4], a[5])),
            syscall(&mut c, m, (a[0], a[1]), (a[2], a[3]), (a[4], a[5])),
            response_read(&mut c, m, a[0], a[1], a[2]),
            env_get(&mut c, m, (a[0], a[1]), (a[2], a[3])),
        ];
        log_at(&mut c, m, a[0] as i32, a[1], a[2]);
        fail(&mut c, m, a[0], a[1]);
        abort(&mut c, m, a[0], a[1], 0, 0);
        prop_assert!(statuses.iter().all(|s| (-9..=SIZE as i32).contains(s)), "{statuses:?}");
    }
}
