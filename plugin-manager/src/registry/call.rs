//! Calls their callers can bound and give up, blocking or as futures that any executor may poll.

use super::call_threads::{Job, Refused};
use super::error::HostError;
use super::hall::Within;
use super::handle::OperationHandle;
use super::manager::PluginManager;
use common::cancel::{CancelToken, OnCancel};
use common::clock::Deadline;
use common::error::{ForgeError, codes};
use common::trace::TraceContext;
use microkernel::trust::Chain;
use parking_lot::Mutex;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a caller allows one call, beside what the plugin's own limits allow.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    timeout: Option<Duration>,
    cancel: Option<CancelToken>,
    trace: Option<TraceContext>,
}

impl CallOptions {
    /// Nothing but the plugin's own limits.
    pub fn new() -> Self {
        Self::default()
    }
    /// The call ends after this time, if its plugin's timeout is not shorter: E4010. Waiting for a thread or an
    /// instance is part of it; a plugin that has to be brought up is brought up to the end, and then not called.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
    /// The call ends when this is cancelled: E4031. A guest that runs is ended, a call that waits does not begin.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }
    /// The call is part of this trace: its records name it, spans of plugins are within it, and requests they send
    /// carry it on.
    #[must_use]
    pub const fn trace(mut self, at: TraceContext) -> Self {
        self.trace = Some(at);
        self
    }
    /// The beginning of the chain of calls, when somebody traces.
    fn chain(&self) -> Option<Chain> {
        self.trace.map(|at| Chain::new().traced(Some(at)))
    }
    fn deadline(&self, manager: &PluginManager) -> Deadline {
        self.timeout.map_or(Deadline::NEVER, |t| Deadline::after(&*manager.hall().host.clock, t))
    }
}

impl PluginManager {
    /// [`PluginManager::call`], within what the caller allows.
    ///
    /// # Errors
    /// As [`PluginManager::call`]; E4010 and E4031 for what the caller allows.
    pub fn call_with(
        &self,
        name: &str,
        operation: &str,
        mut input: Vec<u8>,
        options: &CallOptions,
    ) -> Result<Vec<u8>, ForgeError> {
        let mut output = Vec::new();
        let mut handle = OperationHandle::unresolved(self.clone(), name, operation);
        handle.call_with(&mut input, &mut output, options)?;
        Ok(output)
    }

    /// [`PluginManager::call`] on one of the host's own threads: the executor's thread that polls the future runs no
    /// guest code and does not wait. Any executor will do. Nothing happens before the first poll; from then on, dropping
    /// the future gives the call up, which ends a guest that runs for it.
    ///
    /// ```no_run
    /// # async fn ask(host: plugin_manager::PluginManager) -> Result<(), common::error::ForgeError> {
    /// let redacted = host.call_async("log-redactor", "redact", b"mail ada@example.com".to_vec()).await?;
    /// # drop(redacted);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PluginManager::call`]; E4030 at once when `limits.call_queue` calls wait for a thread already.
    pub fn call_async(&self, name: &str, operation: &str, input: Vec<u8>) -> CallFuture {
        self.call_async_with(name, operation, input, CallOptions::new())
    }

    /// [`PluginManager::call_async`], within what the caller allows. Its time runs from the first poll.
    ///
    /// # Errors
    /// As [`PluginManager::call_async`] and [`PluginManager::call_with`].
    pub fn call_async_with(
        &self,
        name: &str,
        operation: &str,
        input: Vec<u8>,
        options: CallOptions,
    ) -> CallFuture {
        CallFuture::new(OperationHandle::unresolved(self.clone(), name, operation), input, options)
    }

    /// The error of a call that was given up before it reached its plugin; recorded if the plugin is up.
    pub(super) fn given_up(&self, name: &str) -> ForgeError {
        match self.hall().loaded(name) {
            Some(loaded) => loaded.plugin.given_up().into(),
            None => HostError::GivenUp.into(),
        }
    }
}

impl OperationHandle {
    /// [`OperationHandle::call`], within what the caller allows.
    ///
    /// # Errors
    /// As [`PluginManager::call_with`].
    pub fn call_with(
        &mut self,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        options: &CallOptions,
    ) -> Result<(), ForgeError> {
        let deadline = options.deadline(self.manager());
        let chain = options.chain();
        let within = Within { deadline, cancel: options.cancel.as_ref(), chain: chain.as_ref() };
        self.call_within(input, output, within)
    }

    /// [`PluginManager::call_async`] of this operation.
    ///
    /// # Errors
    /// As [`PluginManager::call_async`].
    pub fn call_async(&self, input: Vec<u8>) -> CallFuture {
        self.call_async_with(input, CallOptions::new())
    }

    /// [`PluginManager::call_async_with`] of this operation.
    ///
    /// # Errors
    /// As [`PluginManager::call_async_with`].
    pub fn call_async_with(&self, input: Vec<u8>, options: CallOptions) -> CallFuture {
        CallFuture::new(self.clone(), input, options)
    }
}

/// A call on its way. Dropped before it is answered, it is given up.
#[must_use = "nothing is called before the future is polled"]
pub struct CallFuture(State);

enum State {
    New(Box<(OperationHandle, Vec<u8>, CallOptions)>),
    Waiting(Arc<Mutex<Letterbox>>, CancelToken),
    Over,
}

impl fmt::Debug for CallFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::New(_) => "CallFuture(new)",
            State::Waiting(..) => "CallFuture(waiting)",
            State::Over => "CallFuture(over)",
        })
    }
}

impl CallFuture {
    fn new(handle: OperationHandle, input: Vec<u8>, options: CallOptions) -> Self {
        Self(State::New(Box::new((handle, input, options))))
    }

    /// Hands the call over to the threads.
    fn begin((handle, input, options): (OperationHandle, Vec<u8>, CallOptions)) -> State {
        let (letterbox, own) = (Arc::default(), CancelToken::new());
        let hall = handle.manager().hall().clone();
        let call = AsyncCall {
            deadline: options.deadline(handle.manager()),
            handle,
            input,
            own: own.clone(),
            chain: options.chain(),
            span: tracing::Span::current(),
            callers: options.cancel,
            answer: Answer(Some(Arc::clone(&letterbox))),
        };
        hall.call_threads.submit(call);
        State::Waiting(letterbox, own)
    }
}

impl Future for CallFuture {
    type Output = Result<Vec<u8>, ForgeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0 = match std::mem::replace(&mut self.0, State::Over) {
            State::New(parts) => Self::begin(*parts),
            other => other,
        };
        let State::Waiting(letterbox, _) = &self.0 else {
            return Poll::Ready(Err(HostError::GivenUp.into()));
        };
        let answer = letterbox.lock().look(context.waker());
        let Some(answer) = answer else { return Poll::Pending };
        self.0 = State::Over;
        Poll::Ready(answer)
    }
}

impl Drop for CallFuture {
    fn drop(&mut self) {
        if let State::Waiting(_, own) = &self.0 {
            own.cancel();
        }
    }
}

/// Where the answer is left, and who is to be told.
#[derive(Default)]
struct Letterbox {
    answer: Option<Result<Vec<u8>, ForgeError>>,
    waker: Option<Waker>,
}

impl Letterbox {
    fn look(&mut self, waker: &Waker) -> Option<Result<Vec<u8>, ForgeError>> {
        let answer = self.answer.take();
        if answer.is_none() && !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
        answer
    }
}

/// The duty to answer. Dropped unanswered, it answers that there is no answer.
struct Answer(Option<Arc<Mutex<Letterbox>>>);

impl Answer {
    fn give(mut self, answer: Result<Vec<u8>, ForgeError>) {
        self.leave(|| answer);
    }

    /// Leaves the answer, the first time.
    fn leave(&mut self, answer: impl FnOnce() -> Result<Vec<u8>, ForgeError>) {
        let Some(letterbox) = self.0.take() else { return };
        let mut letterbox = letterbox.lock();
        letterbox.answer = Some(answer());
        let waker = letterbox.waker.take();
        drop(letterbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.leave(|| Err(ForgeError::new(&codes::E4003, "the call ended without an answer")));
    }
}

/// A call for a call thread.
pub(super) struct AsyncCall {
    handle: OperationHandle,
    input: Vec<u8>,
    deadline: Deadline,
    /// Where in a trace it is.
    chain: Option<Chain>,
    /// The span in which the future was polled first.
    span: tracing::Span,
    /// Cancelled when the future is dropped.
    own: CancelToken,
    /// The caller's, which may be for several calls.
    callers: Option<CancelToken>,
    answer: Answer,
}

/// Gives up what hangs on another token.
struct Follows(CancelToken);

impl OnCancel for Follows {
    fn cancelled(&self) {
        self.0.cancel();
    }
}

impl Job for AsyncCall {
    fn plugin(&self) -> &str {
        self.handle.plugin_name()
    }

    fn is_given_up(&self) -> bool {
        self.own.is_cancelled() || self.callers.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    fn run(mut self) {
        let _within_callers = self.span.clone().entered();
        let mut output = Vec::new();
        let follows: Arc<dyn OnCancel> = Arc::new(Follows(self.own.clone()));
        let _with_callers = self.callers.as_ref().map(|callers| callers.listen(follows));
        let within = Within { deadline: self.deadline, cancel: Some(&self.own), chain: self.chain.as_ref() };
        let done = self.handle.call_within(&mut self.input, &mut output, within);
        self.answer.give(done.map(|()| output));
    }

    fn refuse(self, why: Refused) {
        let error: ForgeError = match why {
            Refused::Full(waiting) => HostError::CallQueueFull { waiting }.into(),
            Refused::Closing => HostError::Closing.into(),
            Refused::GivenUp => self.handle.manager().given_up(self.handle.plugin_name()),
            Refused::Thread(error) => HostError::Thread(error).into(),
        };
        self.answer.give(Err(error));
    }
}
