//! Functions called with arguments and memory alone, against a port that keeps a few files in memory.

use super::FUNCTIONS;
use crate::abi::{HostContext, Phase};
use crate::syscall::testing::FakePort;
use crate::syscall::{Status, SyscallPort};
use common::clock::{Deadline, ManualClock};
use forgeone_abi::layout::{FileKind, FileStat};
use forgeone_abi::wire::{self, Args};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A program: its context, its memory, and the files behind the door.
struct Program {
    context: HostContext,
    memory: Vec<u8>,
    files: Files,
}

fn path(args: &[u8]) -> String {
    String::from_utf8(Args::parse(args).unwrap().nth(0).unwrap().to_vec()).unwrap()
}

/// A port over these files; directories are paths that end in `/`.
fn port(files: &Files) -> impl SyscallPort + use<> {
    let (read, stat, list) = (files.clone(), files.clone(), files.clone());
    FakePort::new(ManualClock::at(0))
        .amid(&["A", "NONE", "B"], &["/data", "/media"])
        .with_variable("A", b"1")
        .with_variable("B", b"22")
        .answering("file_read", move |args| {
            let list = Args::parse(args).unwrap();
            let (at, length) = (list.u64(1).unwrap() as usize, list.u64(2).unwrap() as usize);
            let files = read.lock().unwrap();
            let bytes = files.get(&path(args)).ok_or(Status::NotFound)?;
            Ok(bytes.iter().skip(at).take(length).copied().collect())
        })
        .answering("file_stat", move |args| {
            let files = stat.lock().unwrap();
            let path = path(args);
            let kind =
                if files.contains_key(&format!("{path}/")) { FileKind::Directory } else { FileKind::File };
            let size = files.get(&path).map(Vec::len);
            let size = size.or((kind == FileKind::Directory).then_some(0)).ok_or(Status::NotFound)?;
            Ok(FileStat { size: size as u64, mtime: 5, kind }.encode().to_vec())
        })
        .answering("file_list", move |args| {
            let files = list.lock().unwrap();
            let prefix = format!("{}/", path(args));
            let mut names = Vec::new();
            for name in
                files.keys().filter_map(|path| path.strip_prefix(&prefix)).filter(|name| !name.is_empty())
            {
                wire::append(&mut names, name.as_bytes()).unwrap();
            }
            Ok(names)
        })
        .answering("time_monotonic", |_| Ok(1_000u64.to_le_bytes().to_vec()))
        .answering("time_now", |_| Ok(7u64.to_le_bytes().to_vec()))
        .answering("time_sleep", |args| {
            if Args::parse(args).unwrap().u64(0) == Ok(500) { Ok(Vec::new()) } else { Err(Status::Timeout) }
        })
        .answering("random", |args| Ok(vec![9; Args::parse(args).unwrap().u64(0).unwrap() as usize]))
}

const ALL: u64 = (1 << 30) - 1;
const OUT: u64 = 4096;

impl Program {
    fn new() -> Self {
        let files = BTreeMap::from([
            ("/data/".to_owned(), Vec::new()),
            ("/data/a".to_owned(), b"0123456789".to_vec()),
            ("/data/dir/".to_owned(), Vec::new()),
        ]);
        let files = Arc::new(Mutex::new(files));
        let mut context = HostContext::new(Box::new(port(&files)), 100).with_descriptors(8);
        context.begin(Phase::Operation, &mut Vec::new(), Deadline::NEVER, &Arc::default());
        Self { context, memory: vec![0; 300_000], files }
    }
    fn call(&mut self, name: &str, words: &[u64]) -> i32 {
        let function = FUNCTIONS.iter().find(|f| f.name() == name).unwrap();
        function.call(&mut self.context, &mut self.memory, words).unwrap()
    }
    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(*self.memory[at as usize..].first_chunk().unwrap())
    }
    fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(*self.memory[at as usize..].first_chunk().unwrap())
    }
    /// Opens a path of the first mount with these flags and rights.
    fn open(&mut self, name: &str, oflags: u64, rights: u64) -> Result<u64, i32> {
        self.put(0, name.as_bytes());
        match self.call("path_open", &[3, 0, 0, name.len() as u64, oflags, rights, ALL, 0, OUT]) {
            0 => Ok(self.u32(OUT).into()),
            errno => Err(errno),
        }
    }
    /// Vectors at 64 of these places.
    fn vectors(&mut self, places: &[(u32, u32)]) {
        let bytes: Vec<u8> =
            places.iter().flat_map(|(p, n)| [p.to_le_bytes(), n.to_le_bytes()].concat()).collect();
        self.put(64, &bytes);
    }
}

#[test]
fn reading_goes_on_where_it_ended_and_spreads_over_its_vectors() {
    let mut p = Program::new();
    let fd = p.open("a", 0, 0b10).unwrap();
    p.vectors(&[(1024, 3), (2048, 0), (2048, 4)]);
    assert_eq!(p.call("fd_read", &[fd, 64, 3, OUT]), 0);
    assert_eq!((p.u32(OUT), &p.memory[1024..1027], &p.memory[2048..2052]), (7, &b"012"[..], &b"3456"[..]));
    assert_eq!(p.call("fd_read", &[fd, 64, 3, OUT]), 0);
    assert_eq!((p.u32(OUT), &p.memory[1024..1027]), (3, &b"789"[..]));
    assert_eq!((p.call("fd_read", &[fd, 64, 3, OUT]), p.u32(OUT)), (0, 0));
    assert_eq!(p.call("fd_write", &[fd, 64, 3, OUT]), 76, "it has no right to write");
    assert_eq!(p.call("fd_seek", &[fd, 0, 0, OUT]), 76, "nor to seek");
    assert_eq!(p.call("fd_pread", &[fd, 64, 1, 8, OUT]), 0);
    assert_eq!(&p.memory[1024..1026], b"89");
    p.vectors(&[(299_999, 2)]);
    assert_eq!(p.call("fd_read", &[fd, 64, 1, OUT]), 21);
    assert_eq!(p.call("fd_read", &[fd, 64, 1025, OUT]), 28);
}

#[test]
fn positions_are_sought_from_the_start_from_here_and_from_the_end() {
    let mut p = Program::new();
    let fd = p.open("a", 0, ALL & !0b100_0000 & !(1 << 8) & !(1 << 22)).unwrap();
    for (delta, whence, result) in
        [(4, 0, Ok(4)), (-1, 1, Ok(3)), (-2, 2, Ok(8)), (-9, 1, Err(28)), (0, 3, Err(28)), (90, 2, Ok(100))]
    {
        let errno = p.call("fd_seek", &[fd, (delta as i64) as u64, whence, OUT]);
        assert_eq!(if errno == 0 { Ok(p.u64(OUT)) } else { Err(errno) }, result, "{delta} {whence}");
    }
    assert_eq!((p.call("fd_tell", &[fd, OUT]), p.u64(OUT)), (0, 100));
    assert_eq!(p.call("fd_seek", &[1, 0, 0, OUT]), 70);
    assert_eq!(p.call("fd_seek", &[3, 0, 0, OUT]), 31);
}

#[test]
fn what_is_known_of_a_path_is_what_the_bridge_told() {
    let mut p = Program::new();
    p.put(0, b"a");
    assert_eq!(p.call("path_filestat_get", &[3, 0, 0, 1, OUT]), 0);
    assert_eq!((p.memory[OUT as usize + 16], p.u64(OUT + 32), p.u64(OUT + 48)), (4, 10, 5));
    let inode = p.u64(OUT + 8);
    let fd = p.open("dir/../a", 0, ALL & !0b100_0000 & !(1 << 8) & !(1 << 22)).unwrap();
    assert_eq!(p.call("fd_filestat_get", &[fd, OUT]), 0);
    assert_eq!(p.u64(OUT + 8), inode, "one path has one inode");
    p.put(0, b"a/");
    assert_eq!(p.call("path_filestat_get", &[3, 0, 0, 2, OUT]), 54);
    assert_eq!(p.call("path_readlink", &[3, 0, 1, OUT, 8, OUT]), 28);
    assert_eq!(p.open("none", 0, 0b10), Err(44));
    assert_eq!(p.open("dir", 1, 0b10), Err(31));
    assert_eq!(p.open("dir", 5, 0b10), Err(20));
    assert_eq!(p.open("a", 64, 0b10), Err(28));
    assert_eq!(p.call("fd_fdstat_get", &[3, OUT]), 0);
    assert_eq!(p.memory[OUT as usize], 3);
}

#[test]
fn mounts_are_told_by_name() {
    let mut p = Program::new();
    for (fd, name) in [(3, "/data"), (4, "/media")] {
        assert_eq!(
            (p.call("fd_prestat_get", &[fd, OUT]), p.u32(OUT), p.u32(OUT + 4)),
            (0, 0, name.len() as u32)
        );
        assert_eq!(p.call("fd_prestat_dir_name", &[fd, OUT, name.len() as u64 - 1]), 37);
        assert_eq!(p.call("fd_prestat_dir_name", &[fd, OUT, name.len() as u64]), 0);
        assert_eq!(&p.memory[OUT as usize..][..name.len()], name.as_bytes());
    }
    assert_eq!((p.call("fd_prestat_get", &[5, OUT]), p.call("fd_prestat_get", &[0, OUT])), (8, 8));
    let fd = p.open("dir", 2, ALL).unwrap();
    assert_eq!(p.call("fd_prestat_get", &[fd, OUT]), 28, "opened, not given");
}

#[test]
fn a_directory_is_read_as_it_was_in_parts_of_any_size() {
    let mut p = Program::new();
    let (mut cookie, mut names) = (0, Vec::new());
    for _ in 0..9 {
        assert_eq!(p.call("fd_readdir", &[3, 8192, 24 + 4, cookie, OUT]), 0);
        p.files.lock().unwrap().insert("/data/later".to_owned(), Vec::new());
        if p.u32(OUT) == 0 {
            break;
        }
        cookie = p.u64(8192);
        let length = p.u32(8192 + 16) as usize;
        names.push((
            String::from_utf8(p.memory[8192 + 24..][..length].to_vec()).unwrap(),
            p.memory[8192 + 20],
        ));
    }
    let wanted = [(".", 3), ("..", 3), ("a", 4), ("dir", 3)];
    assert_eq!(names, wanted.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(p.call("fd_readdir", &[1, 8192, 100, 0, OUT]), 54);
}

#[test]
fn the_environment_is_what_may_be_read_of_it() {
    let mut p = Program::new();
    assert_eq!(p.call("environ_sizes_get", &[OUT, OUT + 4]), 0);
    assert_eq!((p.u32(OUT), p.u32(OUT + 4)), (2, 9));
    assert_eq!(p.call("environ_get", &[OUT, 8192]), 0);
    assert_eq!((p.u32(OUT), p.u32(OUT + 4)), (8192, 8196));
    assert_eq!(&p.memory[8192..8201], b"A=1\0B=22\0");
    assert_eq!(p.call("environ_get", &[OUT, 299_995]), 21);
    assert_eq!((p.call("args_sizes_get", &[OUT, OUT + 4]), p.u32(OUT), p.u32(OUT + 4)), (0, 0, 0));
}

#[test]
fn clocks_and_randomness_come_from_the_bridge() {
    let mut p = Program::new();
    assert_eq!((p.call("clock_time_get", &[0, 0, OUT]), p.u64(OUT)), (0, 7));
    assert_eq!((p.call("clock_time_get", &[1, 0, OUT]), p.u64(OUT)), (0, 1_000));
    assert_eq!(p.call("clock_time_get", &[2, 0, OUT]), 28);
    assert_eq!(p.call("random_get", &[8192, 200_000]), 0);
    assert!(p.memory[8192..208_192].iter().all(|byte| *byte == 9) && p.memory[208_192] == 0);
}

#[test]
fn a_poll_answers_descriptors_at_once_and_waits_for_the_nearest_clock() {
    let mut p = Program::new();
    let clock = |userdata: u8, id: u8, timeout: u16, absolute: u8| {
        let mut bytes = [0u8; 48];
        (bytes[0], bytes[16], bytes[40]) = (userdata, id, absolute);
        bytes[24..26].copy_from_slice(&timeout.to_le_bytes());
        bytes
    };
    // 1,500 on a clock that shows 1,000 is 500 from now.
    p.put(0, &[clock(1, 1, 1_500, 1), clock(2, 0, 900, 0), clock(3, 0, 500, 0)].concat());
    assert_eq!((p.call("poll_oneoff", &[0, 8192, 3, OUT]), p.u32(OUT)), (0, 2));
    assert_eq!((p.memory[8192], p.memory[8192 + 32]), (1, 3));
    let mut descriptor = clock(4, 1, 0, 0);
    descriptor[8] = 1;
    p.put(48, &descriptor);
    assert_eq!((p.call("poll_oneoff", &[0, 8192, 2, OUT]), p.u32(OUT)), (0, 1));
    assert_eq!((p.memory[8192], p.memory[8192 + 10]), (4, 1));
    p.put(0, &clock(5, 0, 1, 0));
    assert_eq!(p.call("poll_oneoff", &[0, 8192, 1, OUT]), 73, "the call may not last as long");
    assert_eq!(p.call("poll_oneoff", &[0, 8192, 0, OUT]), 28);
    assert_eq!(p.call("poll_oneoff", &[0, 299_999, 1, OUT]), 21);
}

#[test]
fn rights_are_given_up_and_not_taken_back() {
    let mut p = Program::new();
    let fd = p.open("a", 0, 0b10).unwrap();
    assert_eq!(p.call("fd_fdstat_set_rights", &[fd, 0b110, 0]), 76);
    assert_eq!(p.call("fd_fdstat_set_rights", &[fd, 0, 0]), 0);
    p.vectors(&[(1024, 1)]);
    assert_eq!(p.call("fd_read", &[fd, 64, 1, OUT]), 76);
    assert_eq!(p.call("fd_fdstat_set_rights", &[3, 0, 0]), 0);
    assert_eq!(p.open("a", 0, 0b10), Err(76), "a mount that may open nothing");
}
