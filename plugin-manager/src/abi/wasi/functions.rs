//! The table of preview 1: every function with its type, the permissions it can make use of, and what it does.

use super::errno::Errno;
use super::guest::{Exited, Guest, State};
use super::{fd, files, process};
use crate::abi::vm::FAILURE_BYTES;
use crate::abi::{HostContext, Needs};
use crate::syscall::text;
use common::permission::Capability as C;
use forgeone_abi::layout::ValType::{self, I32 as W, I64 as L};

type Run = fn(&mut Guest<'_>) -> Result<(), Errno>;

/// One function of `wasi_snapshot_preview1`.
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    params: &'static [ValType],
    needs: Needs,
    run: Run,
}

/// The only function that answers nothing.
const EXIT: &str = "proc_exit";

impl Function {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
    /// Its parameters.
    pub fn params(&self) -> &'static [ValType] {
        self.params
    }
    /// Its results: an error number, but for `proc_exit`, which does not return.
    pub fn results(&self) -> &'static [ValType] {
        if self.name == EXIT { &[] } else { &[W] }
    }
    /// The permissions without which it could never do anything.
    pub fn needs(&self) -> Needs {
        self.needs
    }
    /// Calls it with the guest's arguments, an i32 as its 32 bits without sign. Answers the error number, 0 for none.
    ///
    /// # Errors
    /// [`Exited`] when the guest ends itself.
    pub fn call(&self, context: &mut HostContext, memory: &mut [u8], words: &[u64]) -> Result<i32, Exited> {
        let HostContext { port, wasi, failure, descriptors, over, .. } = context;
        let state = wasi.get_or_insert_with(|| Box::new(State::new(port.surroundings(), *descriptors)));
        let mut guest = Guest { port: &mut **port, state, memory, words, over };
        let done = (self.run)(&mut guest);
        if let Some(what) = done.err().and_then(Errno::complaint) {
            port.invalid(self.name, what);
        }
        match state.exit.take() {
            None => Ok(done.err().map_or(0, Errno::number)),
            Some(code) => {
                let why = failure.take().map_or_else(String::new, |why| format!(": {why}"));
                *failure = Some(text::escaped(format!("proc_exit({code}){why}").as_bytes(), FAILURE_BYTES));
                Err(Exited)
            }
        }
    }
}

const fn f(name: &'static str, params: &'static [ValType], needs: Needs, run: Run) -> Function {
    Function { name, params, needs, run }
}

const ANY_FILE: Needs =
    Needs::OneOf(&[C::FilesystemRead, C::FilesystemWrite, C::FilesystemList, C::FilesystemDelete]);
const READ: Needs = Needs::OneOf(&[C::FilesystemRead]);
const WRITE: Needs = Needs::OneOf(&[C::FilesystemWrite]);
const DELETE: Needs = Needs::OneOf(&[C::FilesystemDelete]);
const NETWORK: Needs = Needs::OneOf(&[C::NetworkConnect]);
const CLOCK: Needs = Needs::OneOf(&[C::ClockNow]);
const RANDOM: Needs = Needs::OneOf(&[C::RandomBytes]);
const FREE: Needs = Needs::Nothing;

/// Every function of preview 1. Functions on a descriptor need nothing: what a descriptor can reach was asked for
/// when it was opened, and standard output is the log.
pub const FUNCTIONS: &[Function] = &[
    f("args_get", &[W, W], FREE, process::args_get),
    f("args_sizes_get", &[W, W], FREE, process::args_sizes_get),
    f("environ_get", &[W, W], FREE, process::environ_get),
    f("environ_sizes_get", &[W, W], FREE, process::environ_sizes_get),
    f("clock_res_get", &[W, W], FREE, process::clock_res_get),
    f("clock_time_get", &[W, L, W], CLOCK, process::clock_time_get),
    f("fd_advise", &[W, L, L, W], FREE, fd::advise),
    f("fd_allocate", &[W, L, L], FREE, fd::not_offered),
    f("fd_close", &[W], FREE, fd::close),
    f("fd_datasync", &[W], FREE, fd::sync),
    f("fd_fdstat_get", &[W, W], FREE, fd::fdstat_get),
    f("fd_fdstat_set_flags", &[W, W], FREE, fd::fdstat_set_flags),
    f("fd_fdstat_set_rights", &[W, L, L], FREE, fd::fdstat_set_rights),
    f("fd_filestat_get", &[W, W], FREE, fd::filestat_get),
    f("fd_filestat_set_size", &[W, L], FREE, fd::filestat_set_size),
    f("fd_filestat_set_times", &[W, L, L, W], FREE, fd::not_offered),
    f("fd_pread", &[W, W, W, L, W], FREE, fd::pread),
    f("fd_prestat_get", &[W, W], FREE, fd::prestat_get),
    f("fd_prestat_dir_name", &[W, W, W], FREE, fd::prestat_dir_name),
    f("fd_pwrite", &[W, W, W, L, W], FREE, fd::pwrite),
    f("fd_read", &[W, W, W, W], FREE, fd::read),
    f("fd_readdir", &[W, W, W, L, W], FREE, fd::readdir),
    f("fd_renumber", &[W, W], FREE, fd::renumber),
    f("fd_seek", &[W, L, W, W], FREE, fd::seek),
    f("fd_sync", &[W], FREE, fd::sync),
    f("fd_tell", &[W, W], FREE, fd::tell),
    f("fd_write", &[W, W, W, W], FREE, fd::write),
    f("path_create_directory", &[W, W, W], WRITE, files::create_directory),
    f("path_filestat_get", &[W, W, W, W, W], READ, files::path_filestat_get),
    f("path_filestat_set_times", &[W, W, W, W, L, L, W], WRITE, fd::not_offered),
    f("path_link", &[W, W, W, W, W, W, W], WRITE, fd::not_offered),
    f("path_open", &[W, W, W, W, W, L, L, W, W], ANY_FILE, files::open),
    f("path_readlink", &[W, W, W, W, W, W], READ, files::readlink),
    f("path_remove_directory", &[W, W, W], DELETE, files::remove_directory),
    f(
        "path_rename",
        &[W, W, W, W, W, W],
        Needs::Each(&[C::FilesystemWrite, C::FilesystemDelete]),
        files::rename,
    ),
    f("path_symlink", &[W, W, W, W, W], WRITE, fd::not_offered),
    f("path_unlink_file", &[W, W, W], DELETE, files::unlink_file),
    f("poll_oneoff", &[W, W, W, W], CLOCK, process::poll_oneoff),
    f(EXIT, &[W], FREE, process::proc_exit),
    f("proc_raise", &[W], FREE, fd::not_offered),
    f("random_get", &[W, W], RANDOM, process::random_get),
    f("sched_yield", &[], FREE, process::sched_yield),
    f("sock_accept", &[W, W, W], NETWORK, fd::not_offered),
    f("sock_recv", &[W, W, W, W, W, W], NETWORK, fd::not_offered),
    f("sock_send", &[W, W, W, W, W], NETWORK, fd::not_offered),
    f("sock_shutdown", &[W, W], NETWORK, fd::not_offered),
];
