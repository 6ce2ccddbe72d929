//! The imports of ABI 1 behind safe functions. The only file of this crate with `unsafe`.

// SAFETY: names, parameters and results are those of `forgeone_abi::IMPORTS`; `usize` and pointers are i32 on
// wasm32, the only target this file is built for.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    #[link_name = "log_at"]
    fn import_log_at(level: i32, ptr: *const u8, len: usize);
    #[link_name = "input_read"]
    fn import_input_read(offset: u32, ptr: *mut u8, cap: usize) -> i32;
    #[link_name = "output"]
    fn import_output(ptr: *const u8, len: usize) -> i32;
    #[link_name = "fail"]
    fn import_fail(ptr: *const u8, len: usize);
    #[link_name = "syscall"]
    fn import_syscall(
        name_ptr: *const u8,
        name_len: usize,
        args_ptr: *const u8,
        args_len: usize,
        out_ptr: *mut u8,
        out_cap: usize,
    ) -> i32;
    #[link_name = "response_read"]
    fn import_response_read(offset: u32, out_ptr: *mut u8, out_cap: usize) -> i32;
    #[link_name = "env_get"]
    fn import_env_get(key_ptr: *const u8, key_len: usize, out_ptr: *mut u8, out_cap: usize) -> i32;
}

/// One log line at a level of `LogLevel`.
pub(crate) fn log_at(level: i32, text: &str) {
    // SAFETY: the host reads `len` bytes at `ptr`, which `text` holds for the length of the call.
    unsafe { import_log_at(level, text.as_ptr(), text.len()) }
}

/// Copies input from `offset` on into `buffer`; bytes copied, or a status.
pub(crate) fn input_read(offset: u32, buffer: &mut [u8]) -> i32 {
    // SAFETY: the host writes at most `cap` bytes at `ptr`, which `buffer` owns; nothing else refers to it.
    unsafe { import_input_read(offset, buffer.as_mut_ptr(), buffer.len()) }
}

/// Appends to the result of the current call; 0 or more, or a status.
pub(crate) fn output(bytes: &[u8]) -> i32 {
    // SAFETY: the host reads `len` bytes at `ptr`, which `bytes` holds for the length of the call.
    unsafe { import_output(bytes.as_ptr(), bytes.len()) }
}

/// The reason for the nonzero status about to be returned.
pub(crate) fn fail(text: &str) {
    // SAFETY: the host reads `len` bytes at `ptr`, which `text` holds for the length of the call.
    unsafe { import_fail(text.as_ptr(), text.len()) }
}

/// Calls a service; the full length of its response, of which what fits was written, or a status.
pub(crate) fn syscall(name: &str, args: &[u8], out: &mut [u8]) -> i32 {
    // SAFETY: the host reads `name` and `args` and writes at most `out.len()` bytes to `out`. The three are
    // distinct allocations that outlive the call.
    unsafe {
        import_syscall(name.as_ptr(), name.len(), args.as_ptr(), args.len(), out.as_mut_ptr(), out.len())
    }
}

/// Copies the last response from `offset` on into `out`; bytes written, or a status.
pub(crate) fn response_read(offset: u32, out: &mut [u8]) -> i32 {
    // SAFETY: the host writes at most `cap` bytes at `ptr`, which `out` owns; nothing else refers to it.
    unsafe { import_response_read(offset, out.as_mut_ptr(), out.len()) }
}

/// Reads a variable; answers as [`syscall`].
pub(crate) fn env_get(key: &str, out: &mut [u8]) -> i32 {
    // SAFETY: the host reads `key` and writes at most `out.len()` bytes to `out`, distinct allocations that
    // outlive the call.
    unsafe { import_env_get(key.as_ptr(), key.len(), out.as_mut_ptr(), out.len()) }
}
