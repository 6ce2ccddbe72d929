//! One instance with its host context: a call from begin to end, and no call after a trap.

use super::nesting::enter;
use super::{CompiledModule, Engine, Entry, ExportPlan, Instance, Lifecycle, RuntimeError, Trap, Usage};
use crate::abi::{HostContext, Phase};
use crate::sandbox::Limits;
use crate::syscall::Chain;
use crate::syscall::SyscallPort;
use common::cancel::CancelToken;
use common::clock::Deadline;

/// Under what a call runs.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// By when it must end, host calls included.
    pub deadline: Deadline,
    /// The plugins that called one another to get here, outermost first, this one not included.
    pub chain: &'a Chain,
    /// Ends it when its caller gives it up.
    pub cancel: Option<&'a CancelToken>,
}

impl<'a> Terms<'a> {
    /// The terms of a call that nobody gives up.
    pub const fn new(deadline: Deadline, chain: &'a Chain) -> Self {
        Self { deadline, chain, cancel: None }
    }
    /// The same, for a call its caller may give up.
    #[must_use]
    pub const fn cancelled_by(self, cancel: Option<&'a CancelToken>) -> Self {
        Self { cancel, ..self }
    }
}

/// How a call ended that ended by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallOutcome {
    /// 0 is success, anything else the plugin's own code.
    pub status: i32,
    /// What the plugin gave to `fail`, when the status is not 0.
    pub failure: Option<String>,
}

/// An instance that can be called, until a trap ends it.
pub struct Execution {
    /// `None` once a call trapped, or unwound: what a guest leaves half done is never entered again.
    instance: Option<Box<dyn Instance>>,
    payload_bytes: usize,
    usage: Usage,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

impl Execution {
    /// Makes an instance and runs the module's start function, if it has one; not yet `_initialize`. When `over` is
    /// cancelled, whatever runs in the instance ends, and nothing runs in it again.
    ///
    /// # Errors
    /// [`RuntimeError::Limit`], [`RuntimeError::Instantiate`], [`RuntimeError::Export`],
    /// [`RuntimeError::Mismatch`].
    pub fn new(
        engine: &dyn Engine,
        module: &CompiledModule,
        plan: &ExportPlan,
        limits: &Limits,
        port: Box<dyn SyscallPort>,
        over: &CancelToken,
        terms: Terms<'_>,
    ) -> Result<Self, RuntimeError> {
        let mut context =
            HostContext::new(port, limits.payload_bytes).with_descriptors(limits.file_descriptors);
        context.ended_by(over);
        context.cancelled_by(terms.cancel);
        context.begin(Phase::Lifecycle, &mut Vec::new(), terms.deadline, terms.chain);
        if context.expired() {
            return Err(RuntimeError::Instantiate(unentered(&context)));
        }
        let mut instance = enter(|| engine.instantiate(module, plan, limits, context))?;
        instance.context().end(&mut Vec::new(), &mut Vec::new());
        let usage = instance.usage();
        Ok(Self { instance: Some(instance), payload_bytes: limits.payload_bytes, usage })
    }

    /// Calls `_initialize`. Without one there is nothing to do.
    ///
    /// # Errors
    /// [`Trap`].
    pub fn initialize(&mut self, terms: Terms<'_>) -> Result<CallOutcome, Trap> {
        self.optional(Entry::Initialize, terms)
    }

    /// Calls a lifecycle function. Without one there is nothing to do, which is success; that the required ones
    /// are there was checked when the package was loaded.
    ///
    /// # Errors
    /// [`Trap`].
    pub fn lifecycle(&mut self, function: Lifecycle, terms: Terms<'_>) -> Result<CallOutcome, Trap> {
        self.optional(Entry::Lifecycle(function), terms)
    }

    /// Calls the operation at this index of the plan. `input` is given back as it was; `output` is the result,
    /// empty unless the status is 0. What `output` held before is lost; its buffer is reused.
    ///
    /// # Errors
    /// [`Trap`].
    #[inline]
    pub fn operation(
        &mut self,
        index: u16,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        terms: Terms<'_>,
    ) -> Result<CallOutcome, Trap> {
        self.run(Entry::Operation(index), Phase::Operation, (input, output), terms)
    }

    /// Calls `state_save`; `state` is what it wrote, empty unless the status is 0.
    ///
    /// # Errors
    /// [`Trap`].
    pub fn state_save(&mut self, state: &mut Vec<u8>, terms: Terms<'_>) -> Result<CallOutcome, Trap> {
        self.run(Entry::StateSave, Phase::StateSave, (&mut Vec::new(), state), terms)
    }

    /// Calls `state_load` with a saved state, which is given back as it was, and the version that saved it.
    ///
    /// # Errors
    /// [`Trap`].
    pub fn state_load(
        &mut self,
        state: &mut Vec<u8>,
        version: &str,
        terms: Terms<'_>,
    ) -> Result<CallOutcome, Trap> {
        if let Some(instance) = &mut self.instance {
            instance.context().set_state_version(version);
        }
        self.run(Entry::StateLoad, Phase::StateLoad, (state, &mut Vec::new()), terms)
    }

    /// Whether the instance is there and has this entry.
    pub fn has(&self, entry: Entry) -> bool {
        self.instance.as_ref().is_some_and(|instance| instance.has(entry))
    }

    /// Whether the instance is still there: no call trapped.
    pub fn is_alive(&self) -> bool {
        self.instance.is_some()
    }

    /// What the instance has used; what it had used when it ended, if it did.
    pub fn usage(&mut self) -> Usage {
        if let Some(instance) = &mut self.instance {
            self.usage = instance.usage();
        }
        self.usage
    }

    fn optional(&mut self, entry: Entry, terms: Terms<'_>) -> Result<CallOutcome, Trap> {
        if self.is_alive() && !self.has(entry) {
            return Ok(CallOutcome::default());
        }
        self.run(entry, Phase::Lifecycle, (&mut Vec::new(), &mut Vec::new()), terms)
    }

    #[inline]
    fn run(
        &mut self,
        entry: Entry,
        phase: Phase,
        (input, output): (&mut Vec<u8>, &mut Vec<u8>),
        terms: Terms<'_>,
    ) -> Result<CallOutcome, Trap> {
        if input.len() > self.payload_bytes {
            return Err(Trap::Input { length: input.len(), limit: self.payload_bytes });
        }
        // Taken out while guest code runs: if that unwinds, it is gone.
        let mut instance = self.instance.take().ok_or(Trap::Dropped)?;
        let context = instance.context();
        if terms.cancel.is_some() {
            context.cancelled_by(terms.cancel);
        }
        context.begin(phase, input, terms.deadline, terms.chain);
        let result = if context.expired() { Err(unentered(context)) } else { enter(|| instance.call(entry)) };
        let context = instance.context();
        let failure = context.take_failure();
        context.end(input, output);
        match result {
            Ok(0) => {
                self.instance = Some(instance);
                Ok(CallOutcome::default())
            }
            Ok(status) => {
                output.clear();
                self.instance = Some(instance);
                Ok(CallOutcome { status, failure })
            }
            Err(trap) => {
                output.clear();
                self.ended(instance, trap, failure)
            }
        }
    }

    #[cold]
    fn ended(
        &mut self,
        mut instance: Box<dyn Instance>,
        trap: Trap,
        failure: Option<String>,
    ) -> Result<CallOutcome, Trap> {
        self.usage = instance.usage();
        if !trap.ends_instance() {
            self.instance = Some(instance);
        }
        Err(match (trap, failure) {
            // A language's panic is `fail` with its text and then `unreachable`.
            (Trap::Guest(what), Some(why)) => Trap::Guest(format!("{what}: {why}")),
            (trap, _) => trap,
        })
    }
}

/// Why a guest is not entered whose call is over before it began.
#[cold]
fn unentered(context: &HostContext) -> Trap {
    if context.cancelled() { Trap::Unwanted } else { Trap::Late }
}
