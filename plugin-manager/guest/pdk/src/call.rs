//! One way to call the host: arguments and response pass through two buffers that every call reuses.

use std::cell::Cell;

use forgeone_abi::names::syscall as name;
use forgeone_abi::wire::{append, encoded_len};
use forgeone_abi::{Full, Status};

use crate::error::HostError;
use crate::host;

/// Room for a response before the first call; longer ones are fetched with `response_read`.
const FIRST_RESPONSE: usize = 4096;

/// Arguments on the way out and the response on the way in.
#[derive(Default)]
pub(crate) struct Buffers {
    args: Vec<u8>,
    response: Vec<u8>,
}

thread_local! {
    /// An instance has one thread. A call takes the buffers out and puts them back, so one made inside another
    /// finds empty ones instead of sharing.
    static BUFFERS: Cell<Buffers> = const { Cell::new(Buffers { args: Vec::new(), response: Vec::new() }) };
}

/// The argument list of one call, growing in the reused buffer.
pub(crate) struct Arguments<'b>(&'b mut Vec<u8>);

impl Arguments<'_> {
    pub(crate) fn put(&mut self, item: &[u8]) -> Result<(), Full> {
        append(self.0, item)
    }

    /// A list as one item.
    pub(crate) fn put_list(&mut self, items: &[&[u8]]) -> Result<(), Full> {
        let len = encoded_len(items).and_then(|len| u32::try_from(len).ok()).ok_or(Full)?;
        self.0.extend_from_slice(&len.to_le_bytes());
        items.iter().try_for_each(|item| append(self.0, item))
    }
}

/// Calls `name` with the arguments `write` makes and hands the response to `read`.
pub(crate) fn call<T>(
    name: &str,
    write: impl FnOnce(&mut Arguments<'_>) -> Result<(), Full>,
    read: impl FnOnce(&[u8]) -> Result<T, HostError>,
) -> Result<T, HostError> {
    exchange(|buffers| {
        buffers.args.clear();
        write(&mut Arguments(&mut buffers.args)).map_err(HostError::too_long(name))?;
        let length = host::syscall(name, &buffers.args, &mut buffers.response);
        read(response(name, length, &mut buffers.response)?)
    })
}

/// Calls `name` with plain arguments.
pub(crate) fn simple<T>(
    name: &str,
    args: &[&[u8]],
    read: impl FnOnce(&[u8]) -> Result<T, HostError>,
) -> Result<T, HostError> {
    call(name, |list| args.iter().try_for_each(|item| list.put(item)), read)
}

/// Reads a variable through `env_get`, which answers as a system call does.
pub(crate) fn variable<T>(
    key: &str,
    read: impl FnOnce(&[u8]) -> Result<T, HostError>,
) -> Result<T, HostError> {
    const NAME: &str = forgeone_abi::names::import::ENV_GET;
    exchange(|buffers| {
        let length = host::env_get(key, &mut buffers.response);
        read(response(NAME, length, &mut buffers.response)?)
    })
}

fn exchange<T>(run: impl FnOnce(&mut Buffers) -> Result<T, HostError>) -> Result<T, HostError> {
    let mut buffers = BUFFERS.take();
    if buffers.response.is_empty() {
        buffers.response.resize(FIRST_RESPONSE, 0);
    }
    let result = run(&mut buffers);
    BUFFERS.set(buffers);
    result
}

/// The whole response, of which the buffer holds the beginning.
fn response<'b>(name: &str, length: i32, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], HostError> {
    let length = usize::try_from(length).map_err(|_| HostError::from_code(name, length))?;
    let mut have = length.min(buffer.len());
    if length > buffer.len() {
        buffer.resize(length, 0);
    }
    while have < length {
        have += more(name, have, buffer.get_mut(have..length).unwrap_or_default())?;
    }
    Ok(buffer.get(..length).unwrap_or_default())
}

fn more(name: &str, offset: usize, rest: &mut [u8]) -> Result<usize, HostError> {
    let offset = u32::try_from(offset).map_err(|_| HostError::new(name, Status::Limit))?;
    match host::response_read(offset, rest) {
        // A response that ends before its announced length would loop for ever.
        0 => Err(HostError::new(name, Status::Internal)),
        code if code < 0 => Err(HostError::from_code(name, code)),
        read => Ok(usize::try_from(read).unwrap_or_default().min(rest.len())),
    }
}

/// The input of the current call, copied into `input`, which is cleared first.
pub(crate) fn read_input(len: i32, input: &mut Vec<u8>) -> Result<(), HostError> {
    const NAME: &str = forgeone_abi::names::import::INPUT_READ;
    input.clear();
    // Lengths are unsigned at the boundary: an input over 2 GiB arrives as a negative i32.
    input.resize(usize::try_from(len.cast_unsigned()).unwrap_or_default(), 0);
    let mut have = 0;
    while have < input.len() {
        let offset = u32::try_from(have).map_err(|_| HostError::new(NAME, Status::Limit))?;
        match host::input_read(offset, input.get_mut(have..).unwrap_or_default()) {
            0 => break,
            code if code < 0 => return Err(HostError::from_code(NAME, code)),
            read => have += usize::try_from(read).unwrap_or_default(),
        }
    }
    input.truncate(have);
    Ok(())
}

/// Appends bytes to the result of the current call, before what the operation itself returns.
///
/// # Errors
/// [`Status::Limit`] beyond the output limit, [`Status::Invalid`] where a lifecycle step has no output.
pub fn output(bytes: &[u8]) -> Result<(), HostError> {
    match host::output(bytes) {
        code if code < 0 => Err(HostError::from_code(forgeone_abi::names::import::OUTPUT, code)),
        _ => Ok(()),
    }
}

/// Asks whether the host answers.
///
/// # Errors
/// When it does not answer `pong`.
pub fn ping() -> Result<(), HostError> {
    simple(name::PING, &[], |response| match response {
        name::PONG => Ok(()),
        _ => Err(HostError::new(name::PING, Status::Internal)),
    })
}

/// Calls a service by name: for those an extension of the host adds. The response is copied out.
///
/// # Errors
/// The host's status.
pub fn syscall(name: &str, args: &[&[u8]]) -> Result<Vec<u8>, HostError> {
    simple(name, args, |response| Ok(response.to_vec()))
}

pub(crate) fn nothing(_response: &[u8]) -> Result<(), HostError> {
    Ok(())
}

pub(crate) fn bytes(response: &[u8]) -> Result<Vec<u8>, HostError> {
    Ok(response.to_vec())
}

pub(crate) fn text(name: &str) -> impl FnOnce(&[u8]) -> Result<String, HostError> {
    move |response| {
        std::str::from_utf8(response).map(str::to_owned).map_err(|_| HostError::new(name, Status::Internal))
    }
}

/// A response that is a list of texts.
pub(crate) fn texts(name: &str) -> impl FnOnce(&[u8]) -> Result<Vec<String>, HostError> {
    move |response| {
        let list = forgeone_abi::Args::parse(response).map_err(HostError::malformed(name))?;
        list.iter().map(text_item(name)).collect()
    }
}

fn text_item(name: &str) -> impl Fn(&[u8]) -> Result<String, HostError> {
    move |item| text(name)(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_response_longer_than_the_buffer_arrives_whole() {
        let host = Host::install();
        let value: Vec<u8> = (0..3 * FIRST_RESPONSE).map(|i| (i % 251) as u8).collect();
        host.set_kv("big", &value);
        host.set_kv("small", b"s");
        assert_eq!(crate::kv::get("big").unwrap().unwrap(), value);
        assert_eq!(crate::kv::get("small").unwrap().unwrap(), b"s");
        assert_eq!(crate::kv::get("big").unwrap().unwrap(), value);
    }

    #[test]
    fn a_response_that_comes_in_pieces_arrives_whole() {
        let host = Host::install();
        let value: Vec<u8> = (0..2 * FIRST_RESPONSE).map(|i| (i % 253) as u8).collect();
        host.set_kv("big", &value);
        host.set_piece(100);
        assert_eq!(crate::kv::get("big").unwrap().unwrap(), value);
    }

    #[test]
    fn a_call_without_a_host_is_unavailable() {
        assert_eq!(ping().unwrap_err().status(), Status::Unavailable);
    }

    #[test]
    fn unknown_services_and_denials_are_told_apart() {
        let host = Host::install();
        assert_eq!(syscall("no_such", &[]).unwrap_err().status(), Status::UnknownSyscall);
        host.deny("ping");
        assert_eq!(ping().unwrap_err().status(), Status::Denied);
        assert_eq!(ping().unwrap_err().to_string(), "ping: denied");
    }

    #[test]
    fn an_extension_is_called_by_its_name() {
        let host = Host::install();
        host.service("upper", |args| Ok(args.nth(0).unwrap().to_ascii_uppercase()));
        assert_eq!(syscall("upper", &[b"abc"]).unwrap(), b"ABC");
    }
}
