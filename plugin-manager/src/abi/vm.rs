//! The host functions of ABI 1, written once for all engines: each takes the context, the guest's memory and
//! the guest's own arguments.
//!
//! Pointers and lengths are unsigned and checked in full before anything happens: a call whose output buffer
//! does not lie in memory has no effect. What is wrong with a call goes to [`SyscallPort::invalid`], and a
//! limit that is hit to [`SyscallPort::limited`].
//!
//! [`SyscallPort::invalid`]: crate::syscall::SyscallPort::invalid
//! [`SyscallPort::limited`]: crate::syscall::SyscallPort::limited

use super::HostContext;
use super::memory::{OutOfBounds, Span, copy_out, read};
use crate::syscall::{LogLevel, Status, text};
use forgeone_abi::names::import;
use forgeone_abi::status;

/// Most bytes kept of what a plugin gives to `fail` or `abort`.
pub const FAILURE_BYTES: usize = 4096;

const WILD: &str = "a pointer or length outside memory";

/// The number a guest is given for a status.
pub const fn status_code(status: Status) -> i32 {
    match status {
        Status::Denied => status::DENIED,
        Status::NotFound => status::NOT_FOUND,
        Status::Invalid => status::INVALID,
        Status::Limit => status::LIMIT,
        Status::Timeout => status::TIMEOUT,
        Status::Unavailable => status::UNAVAILABLE,
        Status::Internal => status::INTERNAL,
        Status::Unknown => status::UNKNOWN_SYSCALL,
        Status::Conflict => status::CONFLICT,
    }
}

/// `log(ptr, len)`: one line at info level.
#[inline]
pub fn log(context: &mut HostContext, memory: &mut [u8], ptr: u32, len: u32) {
    log_line(context, memory, import::LOG, LogLevel::Info, (ptr, len));
}

/// `log_at(level, ptr, len)`. A level below 0 is taken as trace, one above 4 as error: the line matters more.
pub fn log_at(context: &mut HostContext, memory: &mut [u8], level: i32, ptr: u32, len: u32) {
    let level = match level {
        ..=0 => LogLevel::Trace,
        1 => LogLevel::Debug,
        2 => LogLevel::Info,
        3 => LogLevel::Warn,
        4.. => LogLevel::Error,
    };
    log_line(context, memory, import::LOG_AT, level, (ptr, len));
}

#[inline]
fn log_line(c: &mut HostContext, memory: &[u8], name: &'static str, level: LogLevel, line: (u32, u32)) {
    match read(memory, line.0, line.1) {
        Ok(line) => c.port.log(level, line),
        Err(OutOfBounds) => c.port.invalid(name, WILD),
    }
}

/// `input_read(offset, ptr, cap) -> i32`: bytes copied; 0 past the end; -3 in a call that has no input.
#[inline]
pub fn input_read(context: &mut HostContext, memory: &mut [u8], offset: u32, ptr: u32, cap: u32) -> i32 {
    if !context.phase.has_input() {
        return invalid(context, import::INPUT_READ, "no input in this call");
    }
    match copy_out(memory, ptr, cap, &context.input, offset) {
        Ok(count) => length(count),
        Err(OutOfBounds) => invalid(context, import::INPUT_READ, WILD),
    }
}

/// `output(ptr, len) -> i32`: 0, -3 in a call that has no output, -4 beyond the limit, which appends nothing.
#[inline]
pub fn output(context: &mut HostContext, memory: &mut [u8], ptr: u32, len: u32) -> i32 {
    if !context.phase.has_output() {
        return invalid(context, import::OUTPUT, "no output in this call");
    }
    let Ok(bytes) = read(memory, ptr, len) else {
        return invalid(context, import::OUTPUT, WILD);
    };
    context.append(bytes).map_or_else(status_code, |()| 0)
}

/// `fail(ptr, len)`: the last text given is kept, made safe and cut at [`FAILURE_BYTES`].
pub fn fail(context: &mut HostContext, memory: &mut [u8], ptr: u32, len: u32) {
    match read(memory, ptr, len) {
        Ok(bytes) => context.failure = Some(text::escaped(bytes, FAILURE_BYTES)),
        Err(OutOfBounds) => context.port.invalid(import::FAIL, WILD),
    }
}

/// `syscall(name_ptr, name_len, args_ptr, args_len, out_ptr, out_cap) -> i32`: the arguments in that order.
///
/// The response is kept by the host before it is copied, so `out` may overlap name and arguments.
#[inline]
pub fn syscall(
    context: &mut HostContext,
    memory: &mut [u8],
    name: (u32, u32),
    args: (u32, u32),
    out: (u32, u32),
) -> i32 {
    let asked = (|| {
        Span::new(out.0, out.1)?.of(memory)?;
        Ok((read(memory, name.0, name.1)?, read(memory, args.0, args.1)?))
    })();
    match asked {
        Ok((name, args)) => {
            let answer = context.port.syscall(name, args, &mut context.response);
            respond(context, memory, import::SYSCALL, answer, out)
        }
        Err(OutOfBounds) => {
            context.response.clear();
            invalid(context, import::SYSCALL, WILD)
        }
    }
}

/// `response_read(offset, out_ptr, out_cap) -> i32`: bytes copied of the last response; 0 past its end.
///
/// A syscall that failed leaves an empty response.
#[inline]
pub fn response_read(context: &mut HostContext, memory: &mut [u8], offset: u32, ptr: u32, cap: u32) -> i32 {
    match copy_out(memory, ptr, cap, &context.response, offset) {
        Ok(count) => length(count),
        Err(OutOfBounds) => invalid(context, import::RESPONSE_READ, WILD),
    }
}

/// `env_get(key_ptr, key_len, out_ptr, out_cap) -> i32`: answers as [`syscall`] does.
pub fn env_get(context: &mut HostContext, memory: &mut [u8], key: (u32, u32), out: (u32, u32)) -> i32 {
    let asked = (|| {
        Span::new(out.0, out.1)?.of(memory)?;
        read(memory, key.0, key.1)
    })();
    match asked {
        Ok(key) => {
            let own = context.own_variable(key);
            let answer = if own { Ok(()) } else { context.port.env_get(key, &mut context.response) };
            respond(context, memory, import::ENV_GET, answer, out)
        }
        Err(OutOfBounds) => {
            context.response.clear();
            invalid(context, import::ENV_GET, WILD)
        }
    }
}

/// `abort(msg, file, line, column)`: keeps the message as the failure text; the engine then traps.
///
/// AssemblyScript's strings: a pointer to UTF-16 units whose length in bytes is the u32 before them; null is
/// no string. What does not lie in memory is left out and reported.
pub fn abort(context: &mut HostContext, memory: &[u8], message: u32, file: u32, line: i32, column: i32) {
    let mut wild = false;
    let mut string = |ptr: u32| {
        utf16(memory, ptr).unwrap_or_else(|OutOfBounds| {
            wild = true;
            None
        })
    };
    let message = string(message).unwrap_or_else(|| "abort".to_owned());
    let text = match string(file) {
        Some(file) => format!("{message} ({file}:{line}:{column})"),
        None => message,
    };
    if wild {
        context.port.invalid(import::ABORT, WILD);
    }
    context.failure = Some(text::escaped(text.as_bytes(), FAILURE_BYTES));
}

/// An AssemblyScript string; only as much of it as could be kept is decoded.
fn utf16(memory: &[u8], ptr: u32) -> Result<Option<String>, OutOfBounds> {
    if ptr == 0 {
        return Ok(None);
    }
    let header = read(memory, ptr.checked_sub(4).ok_or(OutOfBounds)?, 4)?;
    let length = u32::from_le_bytes(*header.first_chunk().ok_or(OutOfBounds)?);
    let bytes = read(memory, ptr, length)?;
    let units = bytes.as_chunks::<2>().0.iter().take(FAILURE_BYTES).map(|unit| u16::from_le_bytes(*unit));
    Ok(Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()))
}

/// Copies a response out and gives its full length, or the status.
#[inline]
fn respond(
    context: &mut HostContext,
    memory: &mut [u8],
    name: &'static str,
    answer: Result<(), Status>,
    out: (u32, u32),
) -> i32 {
    if let Err(status) = answer {
        context.response.clear();
        return status_code(status);
    }
    let Ok(full) = i32::try_from(context.response.len()) else {
        context.response.clear();
        context.port.limited(name, "the response is larger than 2 GiB");
        return status::LIMIT;
    };
    match copy_out(memory, out.0, out.1, &context.response, 0) {
        Ok(_) => full,
        Err(OutOfBounds) => invalid(context, name, WILD),
    }
}

#[cold]
fn invalid(context: &mut HostContext, name: &'static str, what: &'static str) -> i32 {
    context.port.invalid(name, what);
    status::INVALID
}

/// A count of bytes as the guest is given it. Inputs and responses are bounded far below 2 GiB; a caller whose
/// count is beyond gets the largest there is and reads on from there.
#[inline]
fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
