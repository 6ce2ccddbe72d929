//! A trial that is on: which version a call goes to, what is counted of it, and copies of calls on their way to the
//! version on trial. The installed version's callers wait for nothing here.

use super::figures::{Side, TrialFigures};
use super::judge::{Judgement, judge};
use super::terms::{Trial, TrialKind};
use crate::lifecycle::LifecycleError;
use crate::plugin::PluginState;
use crate::registry::hall::Loaded;
use crate::registry::operator::Operator;
use crate::registry::versions::UpgradeOptions;
use crate::runtime::Terms;
use crate::syscall::Chain;
use common::clock::{Clock, Deadline};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Copies of calls that may wait.
pub(super) const QUEUE: usize = 256;
/// Bytes of input and output in copies that may wait.
const QUEUE_BYTES: usize = 4 << 20;
/// How often a trial is looked at in which nothing happens.
const LOOK: Duration = Duration::from_millis(200);
/// A trial is looked at with every call of a number that this divides.
const CALLS_PER_LOOK: u64 = 16;

/// What reaches the thread of a trial.
#[derive(Debug)]
pub(super) enum Job {
    /// A call the installed version answered: the operation, its input, and its output unless it failed.
    Repeat { operation: u16, input: Vec<u8>, output: Option<Vec<u8>> },
    /// There is something to judge.
    Look,
}

/// A version on trial.
#[derive(Debug)]
pub struct RunningTrial {
    pub(super) terms: Trial,
    /// What it was offered with, and the package: both are judged again when it is promoted.
    pub(super) options: UpgradeOptions,
    pub(super) package: Vec<u8>,
    /// Who asked for it: the end is decided and recorded for this principal.
    pub(super) operator: Arc<Operator>,
    pub(super) installed: Weak<Loaded>,
    pub(super) candidate: Arc<Loaded>,
    /// The candidate's index of each operation of the installed version.
    pub(super) operations: Vec<Option<u16>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) began_ns: u64,
    /// Host calls denied to the installed version before.
    pub(super) denied_before: u64,
    pub(super) suppressed: Arc<AtomicU64>,
    pub(super) queue: SyncSender<Job>,
    pub(super) counted: Counted,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

/// What changes while the trial is on.
#[derive(Debug, Default)]
pub(super) struct Counted {
    number: AtomicU64,
    installed: Side,
    candidate: Side,
    equal: AtomicU64,
    different: AtomicU64,
    incomparable: AtomicU64,
    skipped: AtomicU64,
    queued_bytes: AtomicUsize,
    over: AtomicBool,
}

/// A call, as it reaches the hall.
pub(in crate::registry) struct Tried<'a> {
    pub operation: u16,
    pub input: &'a mut Vec<u8>,
    pub output: &'a mut Vec<u8>,
    pub terms: Terms<'a>,
    pub epoch: u64,
}

impl RunningTrial {
    /// Calls one of the two versions. A call has one answer, and begins once: one that the version on trial turns away
    /// goes to the installed one.
    pub(in crate::registry) fn call(
        &self,
        installed: &Loaded,
        call: Tried<'_>,
    ) -> Result<(), LifecycleError> {
        let Tried { operation, input, output, terms, epoch } = call;
        if let Some(index) = self.share(installed, operation) {
            let began = self.clock.mono_ns();
            let done = self.candidate.plugin.call(index, input, output, terms, epoch);
            if has_begun(&done) {
                self.count(&self.counted.candidate, began, &done);
                return done;
            }
        }
        let began = self.clock.mono_ns();
        let done = installed.plugin.call(operation, input, output, terms, epoch);
        if has_begun(&done) {
            self.count(&self.counted.installed, began, &done);
            if self.terms.kind == TrialKind::Shadow {
                self.copy(operation, input, done.is_ok().then_some(output));
            }
        }
        done
    }

    /// The operation's index in the version on trial, when it is to answer this call.
    fn share(&self, installed: &Loaded, operation: u16) -> Option<u16> {
        let TrialKind::Share(share) = self.terms.kind else { return None };
        let index = self.operations.get(usize::from(operation)).copied().flatten()?;
        let up = |loaded: &Loaded| loaded.plugin.state() == PluginState::Running;
        let taken = share.takes(self.counted.number.fetch_add(1, Ordering::Relaxed));
        (taken && !self.is_over() && up(installed) && up(&self.candidate)).then_some(index)
    }

    fn count(&self, side: &Side, began: u64, done: &Result<(), LifecycleError>) {
        if matches!(done, Err(LifecycleError::Input { .. })) {
            return;
        }
        let calls = side.count(self.clock.mono_ns().saturating_sub(began), done.is_err());
        if done.is_err() || calls == self.terms.calls || calls.is_multiple_of(CALLS_PER_LOOK) {
            self.wake();
        }
    }

    /// Sends a copy of a call on its way, unless too many are.
    fn copy(&self, operation: u16, input: &[u8], output: Option<&mut Vec<u8>>) {
        let bytes = input.len() + output.as_ref().map_or(0, |output| output.len());
        let queued = self.counted.queued_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let sent = queued <= QUEUE_BYTES && {
            let output = output.map(|output| output.clone());
            self.queue.try_send(Job::Repeat { operation, input: input.to_vec(), output }).is_ok()
        };
        if !sent {
            self.counted.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counted.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes a call again that the installed version has answered, and compares what comes of it.
    fn repeat(&self, operation: u16, mut input: Vec<u8>, wanted: Option<&Vec<u8>>, epoch: u64) {
        let bytes = input.len() + wanted.map_or(0, Vec::len);
        self.counted.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let Some(index) = self.operations.get(usize::from(operation)).copied().flatten() else {
            self.counted.different.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (mut output, chain) = (Vec::new(), Chain::new());
        let suppressed = self.suppressed.load(Ordering::Relaxed);
        let began = self.clock.mono_ns();
        let terms = Terms::new(Deadline::NEVER, &chain);
        let done = self.candidate.plugin.call(index, &mut input, &mut output, terms, epoch);
        if !has_begun(&done) {
            return;
        }
        let took = self.clock.mono_ns().saturating_sub(began);
        // Copies are made one after the other: what was suppressed meanwhile was in this one.
        if self.suppressed.load(Ordering::Relaxed) > suppressed {
            self.counted.incomparable.fetch_add(1, Ordering::Relaxed);
            self.counted.candidate.count(took, false);
            return;
        }
        let same = done.is_ok() == wanted.is_some() && wanted.is_none_or(|wanted| *wanted == output);
        let counter = if same { &self.counted.equal } else { &self.counted.different };
        counter.fetch_add(1, Ordering::Relaxed);
        self.counted.candidate.count(took, done.is_err());
    }

    /// What was counted so far.
    pub(super) fn figures(&self) -> TrialFigures {
        let installed = self.installed.upgrade().map_or(0, |loaded| loaded.denials.total());
        let counted = &self.counted;
        TrialFigures {
            installed: counted.installed.sample(installed.saturating_sub(self.denied_before)),
            candidate: counted.candidate.sample(self.candidate.denials.total()),
            equal: counted.equal.load(Ordering::Relaxed),
            different: counted.different.load(Ordering::Relaxed),
            incomparable: counted.incomparable.load(Ordering::Relaxed),
            skipped: counted.skipped.load(Ordering::Relaxed),
            suppressed: self.suppressed.load(Ordering::Relaxed),
            elapsed: Duration::from_nanos(self.clock.mono_ns().saturating_sub(self.began_ns)),
        }
    }

    fn judgement(&self) -> Judgement {
        let running = |loaded: &Loaded| loaded.plugin.state() == PluginState::Running;
        if let Some(failure) = self.candidate.plugin.failure() {
            return Judgement::Abandon(format!("it failed: {failure}"));
        }
        if !self.installed.upgrade().is_some_and(|installed| running(&installed)) {
            return Judgement::Abandon("the installed version is not running any more".to_owned());
        }
        judge(&self.terms, &self.figures())
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.counted.over.load(Ordering::Acquire)
    }
    /// Ends it. Whether it was on until now: whoever ended it sees to the rest.
    pub(super) fn end(&self) -> bool {
        !self.counted.over.swap(true, Ordering::AcqRel)
    }
    /// Has it looked at soon.
    pub(super) fn wake(&self) {
        // Where the queue is full, something is about to be looked at.
        let _ = self.queue.try_send(Job::Look);
    }
}

/// Whether the call ran: what is turned away has not.
const fn has_begun(done: &Result<(), LifecycleError>) -> bool {
    !matches!(done, Err(LifecycleError::Superseded { .. } | LifecycleError::NotRunning { .. }))
}

/// What the thread of a trial does, until the trial is over. `epoch` tells the policy epoch, or that the host is gone;
/// `settle` does what was judged and tells whether that is done.
pub(super) fn run(
    trial: &RunningTrial,
    jobs: &Receiver<Job>,
    epoch: impl Fn() -> Option<u64>,
    settle: impl Fn(Judgement) -> bool,
) {
    loop {
        let job = jobs.recv_timeout(LOOK);
        let Some(epoch) = epoch() else { return trial.candidate.plugin.withdraw() };
        if trial.is_over() {
            return;
        }
        match job {
            Ok(Job::Repeat { operation, input, output }) => {
                trial.repeat(operation, input, output.as_ref(), epoch)
            }
            Ok(Job::Look) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        match trial.judgement() {
            Judgement::GoOn => {}
            judged => {
                if settle(judged) {
                    return;
                }
            }
        }
    }
}
