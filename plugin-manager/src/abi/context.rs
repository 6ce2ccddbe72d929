//! What the host keeps for one instance while guest code runs: input, output, last response, failure text.

use super::wasi::State;
use crate::syscall::Chain;
use crate::syscall::SyscallPort;
use common::cancel::CancelToken;
use common::clock::Deadline;

/// What kind of call is running; it decides which imports answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No call is running.
    Idle,
    /// `_initialize`, `init`, `start`, `stop`, `pause`, `resume` or `unload`: no input, no output.
    Lifecycle,
    /// A declared operation: input and output.
    Operation,
    /// `state_save`: output only.
    StateSave,
    /// `state_load`: input only.
    StateLoad,
}

impl Phase {
    /// Whether `input_read` answers.
    pub const fn has_input(self) -> bool {
        matches!(self, Self::Operation | Self::StateLoad)
    }
    /// Whether `output` answers.
    pub const fn has_output(self) -> bool {
        matches!(self, Self::Operation | Self::StateSave)
    }
}

/// The environment variable that names the version whose state is being loaded.
pub const STATE_VERSION: &str = "FORGE_STATE_VERSION";

/// Bytes of an old response's buffer that an instance may keep between calls.
const RESPONSE_KEPT: usize = 1 << 20;

/// The host's side of one instance.
pub struct HostContext {
    pub(super) port: Box<dyn SyscallPort>,
    pub(super) phase: Phase,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) response: Vec<u8>,
    pub(super) failure: Option<String>,
    /// Which version saved the state that is loaded.
    state_version: String,
    deadline: Deadline,
    /// Gives the running call up.
    cancel: Option<CancelToken>,
    /// Ends whatever runs in the instance, and everything after.
    pub(super) over: CancelToken,
    payload_bytes: usize,
    /// Descriptors it may open beyond those it begins with.
    pub(super) descriptors: u32,
    /// Made when the first function of WASI is called.
    pub(super) wasi: Option<Box<State>>,
}

impl std::fmt::Debug for HostContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostContext").field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl HostContext {
    /// A context with this port and this bound on a call's output.
    pub fn new(port: Box<dyn SyscallPort>, payload_bytes: usize) -> Self {
        Self {
            port,
            phase: Phase::Idle,
            input: Vec::new(),
            output: Vec::new(),
            response: Vec::new(),
            failure: None,
            state_version: String::new(),
            deadline: Deadline::NEVER,
            cancel: None,
            over: CancelToken::new(),
            payload_bytes,
            descriptors: 0,
            wasi: None,
        }
    }
    /// The same, for an instance that may have so many files and directories open at once.
    #[must_use]
    pub const fn with_descriptors(mut self, descriptors: u32) -> Self {
        self.descriptors = descriptors;
        self
    }
    /// Says what ends the instance, whatever runs in it: said once, when it is made.
    pub fn ended_by(&mut self, over: &CancelToken) {
        self.over = over.clone();
    }
    /// Begins a call. `input` and the context's own buffer are swapped, so nothing is copied.
    pub fn begin(&mut self, phase: Phase, input: &mut Vec<u8>, deadline: Deadline, chain: &Chain) {
        std::mem::swap(&mut self.input, input);
        self.output.clear();
        self.response.clear();
        if self.response.capacity() > RESPONSE_KEPT {
            self.response.shrink_to(RESPONSE_KEPT);
        }
        self.failure = None;
        self.phase = phase;
        self.deadline = deadline;
        if phase == Phase::Operation {
            self.port.begin(deadline, chain);
        } else {
            // A plugin's own functions run because of a call and not for it.
            self.port.begin(deadline, &chain.in_own_right());
        }
    }
    /// Says what gives the next call up. It is forgotten with that call.
    #[cold]
    pub fn cancelled_by(&mut self, cancel: Option<&CancelToken>) {
        self.cancel = cancel.cloned();
        self.port.cancelled_by(cancel);
    }
    /// Says which version saved the state that the next `state_load` is given.
    pub fn set_state_version(&mut self, version: &str) {
        version.clone_into(&mut self.state_version);
    }
    /// Answers the one variable that belongs to the running call and not to the plugin's settings, in `state_load`
    /// alone. As with the call's input, nothing outside the instance is read.
    pub(super) fn own_variable(&mut self, key: &[u8]) -> bool {
        let own = self.phase == Phase::StateLoad && key == STATE_VERSION.as_bytes();
        if own {
            self.response.clear();
            self.response.extend_from_slice(self.state_version.as_bytes());
        }
        own
    }
    /// Ends the call: gives the input buffer back, and what was written to the output, which counts only when
    /// the status was 0. The context keeps the buffer `output` came with for the next call.
    pub fn end(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) {
        std::mem::swap(&mut self.input, input);
        std::mem::swap(&mut self.output, output);
        self.phase = Phase::Idle;
        if let Some(wasi) = &mut self.wasi {
            wasi.flush(&mut *self.port);
        }
        self.port.end();
        if self.cancel.is_some() {
            self.cancelled_by(None);
        }
    }
    /// Whether the running call is to end: its deadline has passed, or it was given up.
    #[inline]
    pub fn expired(&self) -> bool {
        self.cancelled() || self.port.expired()
    }
    /// Whether the caller gave the running call up, or the host the instance.
    #[inline]
    pub fn cancelled(&self) -> bool {
        self.over.is_cancelled() || self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }
    /// What ends the instance; engines look at it while guest code runs.
    pub const fn over(&self) -> &CancelToken {
        &self.over
    }
    /// What gives the running call up; engines look at it while guest code runs.
    pub const fn cancel(&self) -> Option<&CancelToken> {
        self.cancel.as_ref()
    }
    /// The deadline of the running call; engines arm themselves by it.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }
    /// What the plugin gave to `fail`, or the text of an `abort`, since the call began.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }
    /// Bytes of input of the running call, as the export's argument.
    pub fn input_len(&self) -> u32 {
        u32::try_from(self.input.len()).unwrap_or(u32::MAX)
    }
    /// The bound on output.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }
}
