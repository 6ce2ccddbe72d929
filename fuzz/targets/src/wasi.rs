//! Functions of WASI preview 1 with any arguments against an arbitrary guest memory.

use crate::choice::{Choice, put_string};
use crate::{Seen, Target};
use common::clock::Deadline;
use microkernel::syscall_bridge::take;
use plugin_manager::abi::{HostContext, Phase, WASI_FUNCTIONS};
use plugin_manager::syscall::{Chain, LogLevel, Status, Surroundings, SyscallPort};

pub const WASI: Target = Target {
    name: "wasi",
    max_len: 2 << 10,
    tokens: &["../", "a/b", "\u{3}\0\0\0", "\0\0\0\0"],
    memory: 8 << 20,
    smoke: 4_000,
    body: wasi,
    seeds,
};

/// Most bytes of guest memory here, and most descriptors that are opened.
const MAX_MEMORY: usize = 1024;
const DESCRIPTORS: u32 = 4;
/// The largest error number of preview 1.
const LARGEST_ERRNO: i32 = 76;

/// The host behind the door: it answers with given bytes or a status, and holds every path to what may be asked.
struct Port {
    answer: Vec<u8>,
    status: Option<Status>,
}

impl Port {
    fn give(&self, response: &mut Vec<u8>) -> Result<(), Status> {
        response.clear();
        response.extend_from_slice(&self.answer);
        self.status.map_or(Ok(()), Err)
    }
}

impl SyscallPort for Port {
    fn begin(&mut self, _: Deadline, _: &Chain) {}
    fn end(&mut self) {}
    fn syscall(&mut self, name: &[u8], args: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        let mut rest = args;
        let first = take(&mut rest).expect("a list that is well formed").unwrap_or_default();
        if name.starts_with(b"file_") || name.starts_with(b"dir_") {
            let path = std::str::from_utf8(first).expect("a path that is text");
            assert!(path == "/data" || path.starts_with("/data/"), "asked for {path}");
            assert!(path.split('/').skip(1).all(|s| !matches!(s, "" | "." | "..")), "asked for {path}");
        }
        self.give(response)
    }
    fn env_get(&mut self, _: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        self.give(response)
    }
    fn log(&mut self, _: LogLevel, line: &[u8]) {
        assert!(line.len() <= 4096, "a line of {} bytes", line.len());
    }
    fn invalid(&mut self, _: &'static str, _: &'static str) {}
    fn surroundings(&self) -> Surroundings {
        Surroundings { variables: vec!["HOME".to_owned()], mounts: vec!["/data".to_owned()] }
    }
    fn expired(&self) -> bool {
        false
    }
}

const STATUSES: [Status; 4] = [Status::Denied, Status::NotFound, Status::Conflict, Status::Internal];

/// Any functions, one after the other: each answers an error number or ends the guest, and asks the host for nothing
/// outside the mount.
fn wasi(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    let status = STATUSES.get(usize::from(choice.byte())).copied();
    let answer = choice.string().to_vec();
    let mut memory = choice.string().to_vec();
    memory.resize(MAX_MEMORY, 0);
    let mut context = HostContext::new(Box::new(Port { answer, status }), 64).with_descriptors(DESCRIPTORS);
    context.begin(Phase::Operation, &mut Vec::new(), Deadline::NEVER, &Chain::new());
    let mut kind = 0_u64;
    for _ in 0..24 {
        if choice.is_empty() {
            break;
        }
        let function = &WASI_FUNCTIONS[choice.below(WASI_FUNCTIONS.len())];
        let words: Vec<u64> = function.params().iter().map(|_| word(&mut choice)).collect();
        match function.call(&mut context, &mut memory, &words) {
            Ok(errno) => {
                assert!((0..=LARGEST_ERRNO).contains(&errno), "{} answers {errno}", function.name());
                kind = kind.wrapping_mul(31).wrapping_add(u64::from(errno.unsigned_abs()));
            }
            Err(_) => break,
        }
    }
    context.end(&mut Vec::new(), &mut Vec::new());
    Seen::accepted(kind)
}

/// An argument: a small number, one near the end of memory, or anything.
fn word(choice: &mut Choice<'_>) -> u64 {
    let how = choice.byte();
    match how % 8 {
        0..=4 => u64::from(choice.byte()),
        5 => (MAX_MEMORY as u64 + u64::from(how >> 3)).saturating_sub(8),
        6 => u64::from(choice.word()),
        _ => u64::from(choice.word()) << 32 | u64::from(choice.word()),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let script = |status: u8, answer: &[u8]| {
        let mut out = vec![status];
        put_string(&mut out, answer);
        put_string(&mut out, b"name../x\x40\0\0\0\x08\0\0\0a/b/c");
        out
    };
    let mut all = Vec::new();
    for status in [99, 0, 1] {
        for (index, function) in (0_u8..).zip(WASI_FUNCTIONS) {
            let mut one = script(
                status,
                b"\x08\0\0\0\x04\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0",
            );
            one.extend([index, 0]);
            function.params().iter().for_each(|_| one.extend([0, 3]));
            all.push(one);
        }
    }
    all
}
