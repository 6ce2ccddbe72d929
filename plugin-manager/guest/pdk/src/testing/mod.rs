//! A host in memory for tests on native targets: one for each thread, made by [`Host::install`].
//!
//! It follows the contract where a plugin can see it: statuses, lengths of responses, output that is discarded
//! with a nonzero status, output that a lifecycle step may not have. It grants everything except what
//! [`Host::deny`] names, and enforces no policy. HTTP, secrets and tokens are unknown calls until a test programs
//! them, as on a host without those services.

mod objects;
mod services;
mod spans;
mod state;

use std::cell::RefCell;
use std::rc::Rc;

use forgeone_abi::{Args, LogLevel, Status};

use crate::http::{Request, Response};
pub use state::{Failure, Metric};
use state::{State, Writing};

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

/// The host of this thread while it lives. Dropping it leaves the thread without one.
#[derive(Debug)]
pub struct Host {
    state: Rc<RefCell<State>>,
}

impl Drop for Host {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| {
            if current.as_ref().is_some_and(|state| Rc::ptr_eq(state, &self.state)) {
                *current = None;
            }
        });
    }
}

impl Host {
    /// A fresh host, which every host call of this thread reaches from now on.
    #[must_use]
    pub fn install() -> Self {
        let state = Rc::new(RefCell::new(State::default()));
        CURRENT.with_borrow_mut(|current| *current = Some(Rc::clone(&state)));
        Self { state }
    }

    /// Calls an exported operation as the host does: with this input, answering the output.
    ///
    /// # Errors
    /// The nonzero status and the text given to `fail`; the output is discarded then.
    pub fn call(&self, operation: impl FnOnce(i32) -> i32, input: &[u8]) -> Result<Vec<u8>, Failure> {
        self.enter(operation, input, Writing::Result)
    }

    /// Calls an exported lifecycle function, such as `exports::init`.
    ///
    /// # Errors
    /// The nonzero status and the text given to `fail`.
    pub fn step(&self, function: impl FnOnce() -> i32) -> Result<(), Failure> {
        self.enter(|_| function(), b"", Writing::Nothing).map(drop)
    }

    /// Calls the exported `state_save` and answers the state.
    ///
    /// # Errors
    /// The nonzero status and the text given to `fail`.
    pub fn save(&self, state_save: impl FnOnce() -> i32) -> Result<Vec<u8>, Failure> {
        self.enter(|_| state_save(), b"", Writing::Result)
    }

    /// Calls the exported `state_load` with a state.
    ///
    /// # Errors
    /// The nonzero status and the text given to `fail`.
    pub fn load(&self, state_load: impl FnOnce(i32) -> i32, state: &[u8]) -> Result<(), Failure> {
        self.enter(state_load, state, Writing::Nothing).map(drop)
    }

    fn enter(
        &self,
        function: impl FnOnce(i32) -> i32,
        input: &[u8],
        writing: Writing,
    ) -> Result<Vec<u8>, Failure> {
        self.state.borrow_mut().begin(input, writing);
        let len = i32::try_from(input.len()).unwrap_or(i32::MAX);
        let status = function(len);
        self.state.borrow_mut().end(status)
    }

    /// Sets a value of the plugin's configuration section.
    pub fn set_config(&self, key: &str, value: &str) {
        self.state.borrow_mut().config.insert(key.into(), value.into());
    }

    /// Sets a variable.
    pub fn set_env(&self, key: &str, value: &str) {
        self.state.borrow_mut().env.insert(key.into(), value.into());
    }

    /// Sets a stored value.
    pub fn set_kv(&self, key: &str, value: &[u8]) {
        self.state.borrow_mut().kv.insert(key.into(), value.into());
    }

    /// Sets the clock: nanoseconds since 1970.
    pub fn set_time(&self, ns: u64) {
        self.state.borrow_mut().time = ns;
    }

    /// Makes `response_read` and `input_read` answer at most this many bytes a time.
    pub fn set_piece(&self, bytes: usize) {
        self.state.borrow_mut().piece = bytes.max(1);
    }

    /// Denies a system call by name; `env_get` counts as one.
    pub fn deny(&self, call: &str) {
        self.fail_with(call, Status::Denied);
    }

    /// Makes a system call answer this status.
    pub fn fail_with(&self, call: &str, status: Status) {
        self.state.borrow_mut().refused.insert(call.into(), status);
    }

    /// Takes back [`Host::deny`] and [`Host::fail_with`] for this call.
    pub fn allow(&self, call: &str) {
        self.state.borrow_mut().refused.remove(call);
    }

    /// Adds a system call, as an extension of the host does.
    pub fn service(&self, name: &str, run: impl Fn(Args<'_>) -> Result<Vec<u8>, Status> + 'static) {
        self.state.borrow_mut().services.insert(name.into(), Rc::new(run));
    }

    /// Adds an operation of another plugin.
    pub fn plugin(
        &self,
        plugin: &str,
        operation: &str,
        run: impl Fn(&[u8]) -> Result<Vec<u8>, Status> + 'static,
    ) {
        self.state.borrow_mut().plugins.insert((plugin.into(), operation.into()), Rc::new(run));
    }

    /// Answers HTTP requests from now on. The request has its secrets filled in, as the server would see it.
    pub fn http(&self, answer: impl Fn(&Request) -> Result<Response, Status> + 'static) {
        self.state.borrow_mut().server = Some(Rc::new(answer));
    }

    /// Sets a secret, for `secret_reveal` and for references in HTTP headers.
    pub fn set_secret(&self, name: &str, value: &[u8]) {
        self.state.borrow_mut().secrets.insert(name.into(), value.into());
    }

    /// Makes a token a good one, with these claims as JSON.
    pub fn set_token(&self, token: &str, claims: &str) {
        self.state.borrow_mut().tokens.insert(token.into(), claims.into());
    }

    /// Limits the output of a call to this many bytes; beyond, `output` answers -4.
    pub fn set_output_limit(&self, bytes: usize) {
        self.state.borrow_mut().output_limit = bytes;
    }

    /// Limits the bytes of stored keys and values together, and those of files; beyond, writing answers -4.
    pub fn set_storage_limit(&self, bytes: usize) {
        self.state.borrow_mut().storage_limit = bytes;
    }

    /// HTTP requests so far, as the plugin sent them: with the references to secrets, not the secrets.
    pub fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    /// The bytes of a file.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.state.borrow().files.get(path).cloned()
    }

    /// Sets the bytes of a file.
    pub fn set_file(&self, path: &str, content: &[u8]) {
        self.state.borrow_mut().files.insert(path.into(), content.into());
    }

    /// A stored value.
    pub fn kv(&self, key: &str) -> Option<Vec<u8>> {
        self.state.borrow().kv.get(key.as_bytes()).cloned()
    }

    /// Names a bucket, as an operator's configuration does.
    pub fn add_bucket(&self, bucket: &str) {
        self.state.borrow_mut().buckets.entry(bucket.into()).or_default();
    }

    /// Sets an object, `bucket/key`; its bucket is named with it.
    pub fn set_object(&self, name: &str, content: &[u8]) {
        let (bucket, key) = name.split_once('/').unwrap_or((name, ""));
        let mut state = self.state.borrow_mut();
        state.buckets.entry(bucket.into()).or_default().insert(key.into(), content.into());
    }

    /// The bytes of an object, `bucket/key`.
    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        let (bucket, key) = name.split_once('/')?;
        self.state.borrow().buckets.get(bucket)?.get(key).cloned()
    }

    /// Names of the spans so far, in the order they were opened.
    pub fn spans(&self) -> Vec<String> {
        self.state.borrow().spans.0.clone()
    }

    /// Log lines so far.
    pub fn logs(&self) -> Vec<(LogLevel, String)> {
        self.state.borrow().logs.clone()
    }

    /// Measurements so far.
    pub fn metrics(&self) -> Vec<Metric> {
        self.state.borrow().metrics.clone()
    }

    /// Events so far: type and JSON.
    pub fn events(&self) -> Vec<(String, String)> {
        self.state.borrow().events.clone()
    }

    /// Names of the system calls so far, refused ones too.
    pub fn calls(&self) -> Vec<String> {
        self.state.borrow().calls.clone()
    }

    /// The last text given to `fail`.
    pub fn failure(&self) -> Option<String> {
        self.state.borrow().failure.clone()
    }
}

/// The imports of ABI 1 as the fake host answers them.
pub(crate) mod imports {
    use super::{CURRENT, State, Writing, services};
    use forgeone_abi::{LogLevel, Status, status};
    use std::cell::RefCell;
    use std::rc::Rc;

    fn current() -> Option<Rc<RefCell<State>>> {
        CURRENT.with_borrow(Clone::clone)
    }

    fn with(run: impl FnOnce(&mut State) -> i32) -> i32 {
        current().map_or(status::UNAVAILABLE, |state| run(&mut state.borrow_mut()))
    }

    pub(crate) fn log_at(level: i32, text: &str) {
        with(|state| {
            state.logs.extend(LogLevel::from_code(level).map(|level| (level, text.to_owned())));
            0
        });
    }

    pub(crate) fn input_read(offset: u32, buffer: &mut [u8]) -> i32 {
        with(|state| copy(&state.input, offset, buffer, state.piece))
    }

    pub(crate) fn output(bytes: &[u8]) -> i32 {
        with(|state| match state.writing {
            Writing::Nothing => status::INVALID,
            Writing::Result if state.output_limit.saturating_sub(state.output.len()) < bytes.len() => {
                status::LIMIT
            }
            Writing::Result => {
                state.output.extend_from_slice(bytes);
                0
            }
        })
    }

    pub(crate) fn fail(text: &str) {
        with(|state| {
            state.failure = Some(text.to_owned());
            0
        });
    }

    pub(crate) fn syscall(name: &str, args: &[u8], out: &mut [u8]) -> i32 {
        let Some(state) = current() else { return status::UNAVAILABLE };
        let result = services::dispatch(&state, name, args);
        answer(&mut state.borrow_mut(), result, out)
    }

    pub(crate) fn env_get(key: &str, out: &mut [u8]) -> i32 {
        with(|state| {
            let result = state.refusal("env_get").and_then(|()| {
                state.env.get(key).map(|value| value.clone().into_bytes()).ok_or(Status::NotFound)
            });
            answer(state, result, out)
        })
    }

    pub(crate) fn response_read(offset: u32, out: &mut [u8]) -> i32 {
        with(|state| copy(&state.response, offset, out, state.piece))
    }

    fn answer(state: &mut State, result: Result<Vec<u8>, Status>, out: &mut [u8]) -> i32 {
        match result {
            Ok(response) => {
                copy(&response, 0, out, usize::MAX);
                state.response = response;
                i32::try_from(state.response.len()).unwrap_or(status::LIMIT)
            }
            Err(refused) => refused.code(),
        }
    }

    fn copy(from: &[u8], offset: u32, to: &mut [u8], piece: usize) -> i32 {
        let rest = usize::try_from(offset).ok().and_then(|offset| from.get(offset..)).unwrap_or_default();
        let len = rest.len().min(to.len()).min(piece);
        to.iter_mut().zip(rest.iter().take(len)).for_each(|(to, from)| *to = *from);
        i32::try_from(len).unwrap_or(status::LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file, kv, output};

    fn writes(bytes: &'static [u8]) -> impl Fn(i32) -> i32 {
        move |_| output(bytes).map_or_else(|error| error.status().code(), |()| 0)
    }

    #[test]
    fn a_step_and_a_state_load_have_no_output_and_a_save_has() {
        let host = Host::install();
        let refused = host.step(|| writes(b"x")(0)).unwrap_err();
        assert_eq!(refused.status, Status::Invalid.code());
        assert_eq!(host.load(writes(b"x"), b"state").unwrap_err().status, Status::Invalid.code());
        assert_eq!(host.save(|| writes(b"kept")(0)).unwrap(), b"kept");
        assert_eq!(host.call(writes(b"x"), b"").unwrap(), b"x");
        assert_eq!(writes(b"x")(0), Status::Invalid.code());
    }

    #[test]
    fn output_ends_at_its_limit() {
        let host = Host::install();
        host.set_output_limit(3);
        assert_eq!(host.call(writes(b"abc"), b"").unwrap(), b"abc");
        assert_eq!(host.call(writes(b"abcd"), b"").unwrap_err().status, Status::Limit.code());
    }

    #[test]
    fn storage_ends_at_its_limit_and_replacing_counts_once() {
        let host = Host::install();
        host.set_storage_limit(8);
        kv::set("key", b"value").unwrap();
        kv::set("key", b"VALUE").unwrap();
        assert_eq!(kv::set("k", b"").unwrap_err().status(), Status::Limit);
        file::write("/data/a", b"12345").unwrap();
        file::append("/data/a", b"678").unwrap();
        assert_eq!(file::append("/data/a", b"9").unwrap_err().status(), Status::Limit);
        file::write("/data/a", b"123").unwrap();
        assert_eq!(host.file("/data/a").unwrap(), b"123");
    }
}
