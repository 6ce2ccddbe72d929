//! WASI preview 1 from guest code: the same on every engine, and nothing without the bridge.

use super::{Bench, Guest, Running, conformance};
use crate::abi::WASI_FUNCTIONS;
use crate::runtime::Trap;
use crate::syscall::testing::FakePort;
use crate::syscall::{LogLevel, Status};
use forgeone_abi::ValType;
use forgeone_abi::layout::{FileKind, FileStat};
use forgeone_abi::names::syscall::ALL;
use forgeone_abi::wire::Args;

conformance! {
    every_function_links_and_answers_a_number_whatever_it_is_given
    every_function_is_denied_where_the_bridge_denies_and_never_traps
    what_is_written_to_standard_output_is_logged_line_by_line
    a_file_is_opened_read_and_written_through_the_bridge
    nothing_outside_a_mount_is_asked_for
    as_many_files_are_open_as_the_limit_says
    a_program_that_ends_itself_ends_the_call
    a_function_of_another_type_is_refused
}

/// The functions that a host call stands behind when their arguments are good.
const EFFECTS: [&str; 13] = [
    "clock_time_get",
    "environ_get",
    "fd_readdir",
    "fd_filestat_get",
    "path_create_directory",
    "path_filestat_get",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_unlink_file",
    "poll_oneoff",
    "random_get",
];

fn ty(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
    }
}

/// A module that imports every function, with an operation for each that calls it with the words of the input, eight
/// bytes each, which lie at 4096 then, and answers what it returned.
pub(crate) fn every_function() -> String {
    let (mut imports, mut operations) = (String::new(), String::new());
    for function in WASI_FUNCTIONS {
        let name = function.name();
        let params: Vec<_> = function.params().iter().map(ty).collect();
        let result = if function.results().is_empty() { "" } else { "(result i32)" };
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {}) {result}))",
            params.join(" ")
        );
        let words: Vec<_> =
            (0..).zip(&params).map(|(i, ty)| format!("({ty}.load (i32.const {}))", 4096 + i * 8)).collect();
        let call = format!("(call ${name} {})", words.join(" "));
        let call = if result.is_empty() { format!("{call} (i32.const 0)") } else { call };
        operations += &format!(
            r#"(func (export "op_{name}") (param i32) (result i32)
                (drop (call $input_read (i32.const 0) (i32.const 4096) (i32.const 128))) {call})"#
        );
    }
    let data = r#"(data (i32.const 0) "name") (data (i32.const 64) "\00\01\00\00\04\00\00\00") (data (i32.const 256) "text")"#;
    format!(
        "(module {imports} {} {} {data} {} {operations})",
        super::IMPORTS,
        super::MEMORY,
        super::LIFECYCLE
    )
}

fn guest(bench: &Bench) -> Guest<'_> {
    bench.module(&every_function())
}

impl Running<'_> {
    /// Calls a function with these words; the error number.
    fn wasi(&mut self, name: &str, words: &[u64]) -> Result<i32, Trap> {
        let index = WASI_FUNCTIONS.iter().position(|f| f.name() == name).unwrap();
        let input: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.call(u16::try_from(index).unwrap(), &input).map(|(outcome, _)| outcome.status)
    }
    fn ok(&mut self, name: &str, words: &[u64]) {
        assert_eq!(self.wasi(name, words), Ok(0), "{name} {words:?}");
    }
    /// How many host calls were made and variables asked for so far.
    fn questions(&self) -> usize {
        let seen = self.seen.get();
        seen.calls.len() + seen.variables.len()
    }
    /// Host calls made so far, with their first argument.
    fn asked(&self) -> Vec<String> {
        let text = |args: &[u8]| {
            let first = Args::parse(args).unwrap().iter().next().unwrap_or_default();
            String::from_utf8_lossy(first).into_owned()
        };
        let seen = self.seen.get();
        let shown =
            |(name, args): &(Vec<u8>, Vec<u8>)| format!("{} {}", String::from_utf8_lossy(name), text(args));
        seen.calls.iter().map(shown).collect()
    }
}

/// Where the name `name` lies, and its length.
const NAME: [u64; 2] = [0, 4];
/// A place for answers.
const OUT: u64 = 2048;
/// One vector of the text `text`.
const VECTOR: [u64; 2] = [64, 1];
/// Every right.
const RIGHTS: u64 = (1 << 30) - 1;

/// Opens `name` in the first mount with these `oflags` and `fdflags`.
fn open(oflags: u64, fdflags: u64) -> [u64; 9] {
    [3, 0, NAME[0], NAME[1], oflags, RIGHTS, RIGHTS, fdflags, OUT]
}

fn stat(kind: FileKind) -> Vec<u8> {
    FileStat { size: 4, mtime: 0, kind }.encode().to_vec()
}

fn every_function_links_and_answers_a_number_whatever_it_is_given(bench: &Bench) {
    let mut guest = guest(bench).port(|p| p.amid(&["HOME"], &["/data"])).run();
    for function in WASI_FUNCTIONS.iter().filter(|f| f.name() != "proc_exit") {
        for word in [0, 1, 3, 65_535, 1 << 31, u64::from(u32::MAX), u64::MAX] {
            let errno = guest.wasi(function.name(), &[word; 9]).unwrap();
            assert!((0..=76).contains(&errno), "{} {word}: {errno}", function.name());
        }
    }
}

/// Arguments with which each function reaches the bridge, if it does so at all.
fn good(name: &str) -> [u64; 9] {
    let [at, length] = NAME;
    match name {
        "path_open" => open(0, 0),
        "fd_readdir" => [3, OUT, 64, 0, OUT + 64, 0, 0, 0, 0],
        "fd_filestat_get" => [3, OUT, 0, 0, 0, 0, 0, 0, 0],
        "path_filestat_get" => [3, 0, at, length, OUT, 0, 0, 0, 0],
        "path_rename" => [3, at, length, 3, at, length, 0, 0, 0],
        "clock_time_get" => [1, 0, OUT, 0, 0, 0, 0, 0, 0],
        "poll_oneoff" => [128, OUT, 1, OUT + 64, 0, 0, 0, 0, 0],
        "random_get" => [OUT, 8, 0, 0, 0, 0, 0, 0, 0],
        "environ_get" | "environ_sizes_get" => [OUT, OUT + 8, 0, 0, 0, 0, 0, 0, 0],
        _ => [3, at, length, OUT, 8, OUT + 16, 0, 0, 0],
    }
}

fn every_function_is_denied_where_the_bridge_denies_and_never_traps(bench: &Bench) {
    let module = bench.compile(&every_function()).unwrap();
    let denying = || {
        let port = |port: FakePort| {
            let port = port.amid(&["HOME"], &["/data"]);
            ALL.iter().fold(port, |port, name| port.answering(name, |_| Err(Status::Denied)))
        };
        guest(bench).port(port).run_module(&module).unwrap()
    };
    for function in WASI_FUNCTIONS.iter().filter(|f| f.name() != "proc_exit") {
        let mut guest = denying();
        let errno = guest.wasi(function.name(), &good(function.name())).unwrap();
        if EFFECTS.contains(&function.name()) {
            assert!(guest.questions() > 0, "{} asks nobody", function.name());
            let empty = function.name() == "environ_get";
            assert_eq!(errno, if empty { 0 } else { 2 }, "{}", function.name());
        } else {
            assert_eq!(guest.questions(), usize::from(asks_later(function.name())), "{}", function.name());
        }
    }
}

/// Functions beside [`EFFECTS`] that ask the bridge something.
fn asks_later(name: &str) -> bool {
    name == "environ_sizes_get"
}

fn what_is_written_to_standard_output_is_logged_line_by_line(bench: &Bench) {
    let text = "one\ntwo\nrest";
    let wat = every_function().replace("\"text\"", "\"one\\0atwo\\0arest\"");
    let wat = wat.replace(r"\00\01\00\00\04\00\00\00", &format!(r"\00\01\00\00\{:02x}\00\00\00", text.len()));
    let mut guest = bench.module(&wat).run();
    guest.ok("fd_write", &[1, VECTOR[0], VECTOR[1], OUT]);
    guest.ok("fd_write", &[2, VECTOR[0], VECTOR[1], OUT]);
    let lines = |level| ["one", "two", "rest"].map(|line| (level, line.as_bytes().to_vec()));
    let wanted = [lines(LogLevel::Info), lines(LogLevel::Warn)].concat();
    assert_eq!(guest.seen.get().logs, wanted);
    assert_eq!(guest.wasi("fd_read", &[0, VECTOR[0], VECTOR[1], OUT]), Ok(0), "standard input is empty");
    assert_eq!(guest.wasi("fd_write", &[0, VECTOR[0], VECTOR[1], OUT]), Ok(8), "and cannot be written");
}

fn a_file_is_opened_read_and_written_through_the_bridge(bench: &Bench) {
    let mut guest = guest(bench)
        .port(|port| {
            port.amid(&[], &["/data"])
                .answering("file_stat", |_| Ok(stat(FileKind::File)))
                .answering("file_open", |_| Ok(Vec::new()))
                .answering("file_read", |_| Ok(b"abcd".to_vec()))
                .answering("file_write_at", |_| Ok(8u64.to_le_bytes().to_vec()))
        })
        .run();
    guest.ok("path_open", &open(1 | 8, 0));
    guest.ok("fd_read", &[4, VECTOR[0], VECTOR[1], OUT]);
    guest.ok("fd_write", &[4, VECTOR[0], VECTOR[1], OUT]);
    guest.ok("fd_close", &[4]);
    guest.ok("path_open", &open(0, 1));
    guest.ok("fd_write", &[4, VECTOR[0], VECTOR[1], OUT]);
    let opened = ["file_stat /data/name", "file_open /data/name"];
    let used = ["file_read /data/name", "file_write_at /data/name"];
    let wanted = [&opened[..], &used, &opened, &used[1..]].concat();
    assert_eq!(guest.asked(), wanted);
    let seen = guest.seen.get();
    let args = |at: usize| Args::parse(&seen.calls[at].1).unwrap();
    assert_eq!(args(1).u64(1), Ok(1 | 4), "made, and emptied");
    assert_eq!((args(2).u64(1), args(2).u64(2)), (Ok(0), Ok(4)));
    assert_eq!((args(3).u64(1), args(3).nth(2)), (Ok(4), Ok(&b"abcd"[..])), "what was read is in memory");
    assert_eq!(args(6).u64(1), Ok(u64::MAX), "at the end, wherever that is");
}

fn nothing_outside_a_mount_is_asked_for(bench: &Bench) {
    for (path, errno) in [("../x", 76), ("/etc", 76), ("a/..", 44), ("", 44)] {
        let wat = every_function().replace("\"name\"", &format!("\"{path}\""));
        let mut guest = bench
            .module(&wat)
            .port(|p| {
                p.amid(&[], &["/data"])
                    .answering("file_stat", |_| Err(Status::NotFound))
                    .answering("file_list", |_| Err(Status::NotFound))
            })
            .run();
        let mut words = open(0, 0);
        words[3] = path.len() as u64;
        assert_eq!(guest.wasi("path_open", &words), Ok(errno), "{path}");
        assert!(guest.asked().iter().all(|call| call.ends_with(" /data")), "{path}: {:?}", guest.asked());
    }
    let mut without = guest(bench).run();
    assert_eq!(without.wasi("path_open", &open(0, 0)), Ok(8), "no permission, no mount");
    assert_eq!(without.wasi("fd_prestat_get", &[3, OUT]), Ok(8));
    assert!(without.asked().is_empty());
}

fn as_many_files_are_open_as_the_limit_says(bench: &Bench) {
    let mut guest = guest(bench)
        .limits(|l| l.file_descriptors = 3)
        .port(|p| {
            p.amid(&[], &["/data"])
                .answering("file_stat", |_| Ok(stat(FileKind::File)))
                .answering("file_open", |_| Ok(Vec::new()))
        })
        .run();
    for _ in 0..3 {
        guest.ok("path_open", &open(0, 0));
    }
    let asked = guest.asked().len();
    assert_eq!(guest.wasi("path_open", &open(0, 0)), Ok(33), "EMFILE");
    assert_eq!(guest.asked().len(), asked, "refused before anything is asked");
    guest.ok("fd_close", &[5]);
    guest.ok("path_open", &open(0, 0));
}

fn a_program_that_ends_itself_ends_the_call(bench: &Bench) {
    let mut guest = guest(bench).run();
    assert_eq!(guest.wasi("proc_exit", &[3]), Err(Trap::Abort("proc_exit(3)".into())));
    assert_eq!(guest.wasi("sched_yield", &[]), Err(Trap::Dropped));
}

fn a_function_of_another_type_is_refused(bench: &Bench) {
    let imports = [
        r#"(import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))"#,
        r#"(import "wasi_snapshot_preview1" "fd_shut" (func (param i32) (result i32)))"#,
        r#"(import "wasi_unstable" "fd_close" (func (param i32) (result i32)))"#,
        r#"(import "wasi_snapshot_preview1" "memory" (memory 1))"#,
    ];
    for import in imports {
        let memory = if import.contains("(memory") { "" } else { super::MEMORY };
        let wat = format!("(module {import} {memory} {})", super::LIFECYCLE);
        assert!(bench.module(&wat).try_run().is_err(), "{import}");
    }
}
