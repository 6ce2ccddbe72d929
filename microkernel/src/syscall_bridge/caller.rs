//! One principal at the door: its identity, its trust context, its counters, the deadline of its call.

use super::Spans;
use super::record::{Counter, Recorder};
use crate::trust::{Chain, TrustContext};
use common::audit::{Actor, AuditError, AuditLog};
use common::cancel::CancelToken;
use common::clock::Deadline;
use common::identity::IdentityContext;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who calls. Owned by one instance; not shared. It serves one bridge: its counters go by that bridge's table.
pub struct Caller {
    pub(super) identity: Arc<IdentityContext>,
    pub(super) actor: Actor,
    pub(super) trust: TrustContext,
    pub(super) deadline: Deadline,
    pub(super) chain: Chain,
    pub(super) cancel: Option<CancelToken>,
    pub(super) stats: Arc<CallerStats>,
    pub(super) spans: Spans,
    recorder: Arc<dyn Recorder>,
    counters: Vec<Option<Box<dyn Counter>>>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("identity", &self.identity)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// The caller with this trust context, recording to this log.
    pub fn new(trust: TrustContext, audit: &AuditLog) -> Self {
        Self::recording_to(trust, Arc::new(audit.clone()))
    }
    pub(crate) fn recording_to(trust: TrustContext, recorder: Arc<dyn Recorder>) -> Self {
        let identity = trust.identity().clone();
        Self {
            actor: Actor::new(&identity),
            identity,
            trust,
            deadline: Deadline::NEVER,
            chain: Chain::new(),
            cancel: None,
            stats: Arc::default(),
            spans: Spans::default(),
            recorder,
            counters: Vec::new(),
        }
    }
    /// Its identity.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.identity
    }
    /// The actor named in records.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
    /// Its trust context.
    pub fn trust(&self) -> &TrustContext {
        &self.trust
    }
    /// When the current call must end; host calls included.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }
    /// Starts a call: its deadline, and the plugins that called one another to get here, outermost first,
    /// this one not included. What it does, each of those it acts for must be allowed too.
    pub fn begin(&mut self, deadline: Deadline, chain: Chain) {
        self.deadline = deadline;
        self.trust.act_for(&chain);
        self.spans.begin(chain.trace());
        self.chain = chain;
    }
    /// Starts a call with the chain of the call before: [`Caller::begin`] without looking at those it acts for.
    pub fn begin_again(&mut self, deadline: Deadline) {
        self.spans.begin(self.chain.trace());
        self.deadline = deadline;
    }
    /// Ends a call: the spans it left open end with it.
    #[inline]
    pub fn end(&mut self) {
        self.spans.end();
    }
    /// What gives the calls from now on up, until it is told otherwise.
    pub fn cancelled_by(&mut self, cancel: Option<CancelToken>) {
        self.cancel = cancel;
    }
    /// The plugins that called one another to get here.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
    /// What it has done so far; may be read from another thread while it goes on.
    pub fn stats(&self) -> &Arc<CallerStats> {
        &self.stats
    }
    /// Where what it does now is counted.
    #[inline]
    pub(super) fn tally(&self) -> &Tally {
        if self.trust.acts_for_others() { &self.stats.for_others } else { &self.stats.own }
    }
    /// Counts one action of class C.
    #[inline]
    pub(super) fn count(
        &mut self,
        action: (usize, &str, &str),
        epoch: u64,
        ok: bool,
        latency_ms: u64,
    ) -> Result<(), AuditError> {
        if let Some(Some(counter)) = self.counters.get_mut(action.0) {
            return counter.hit(epoch, ok, latency_ms);
        }
        self.first_count(action, epoch, ok, latency_ms)
    }
    #[cold]
    fn first_count(
        &mut self,
        (index, name, kind): (usize, &str, &str),
        epoch: u64,
        ok: bool,
        latency_ms: u64,
    ) -> Result<(), AuditError> {
        if self.counters.len() <= index {
            self.counters.resize_with(index + 1, || None);
        }
        let mut counter = self.recorder.counter(&self.actor, name, kind);
        let counted = counter.hit(epoch, ok, latency_ms);
        if let Some(slot) = self.counters.get_mut(index) {
            *slot = Some(counter);
        }
        counted
    }
}

/// What one caller has done. Written by the caller alone, read by anyone: each number is exact, and they
/// need not be of the same moment.
#[derive(Debug, Default)]
pub struct CallerStats {
    own: Tally,
    for_others: Tally,
    failed: AtomicU64,
}

/// Host calls made in one capacity.
#[derive(Debug)]
pub struct Tally {
    /// By the place of the action in the bridge's table; the last one takes the rest.
    allowed: [AtomicU64; COUNTED + 1],
    denied: AtomicU64,
    limited: AtomicU64,
}

/// Actions of a bridge that are counted apart.
pub(super) const COUNTED: usize = 63;

impl Default for Tally {
    fn default() -> Self {
        let none = AtomicU64::default;
        Self { allowed: std::array::from_fn(|_| none()), denied: none(), limited: none() }
    }
}

impl CallerStats {
    /// Host calls that were permitted and recorded.
    pub fn allowed(&self) -> u64 {
        self.own.allowed().wrapping_add(self.for_others.allowed())
    }
    /// Host calls that policy or grants denied.
    pub fn denied(&self) -> u64 {
        self.own.denied().wrapping_add(self.for_others.denied())
    }
    /// Host calls that failed: not understood, not recorded, too late, or permitted and not done.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
    /// What it did for no other plugin: what speaks for or against itself, and no plugin that calls it can change.
    pub const fn own(&self) -> &Tally {
        &self.own
    }
    pub(super) fn count_failed(&self) {
        add_one(&self.failed);
    }
}

impl Tally {
    /// Host calls that were permitted and recorded.
    pub fn allowed(&self) -> u64 {
        self.allowed.iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }
    /// The same for each action of its bridge that was permitted, by its place in the bridge's table; actions beyond
    /// the first 63 count as the last.
    pub fn allowed_by_action(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.allowed.iter().map(|n| n.load(Ordering::Relaxed)).enumerate();
        counts.filter(|(_, n)| *n > 0)
    }
    /// Host calls that hit a limit.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }
    /// Host calls that policy or grants denied.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }
    #[inline]
    pub(super) fn count_allowed(&self, action: usize) {
        if let Some(number) = self.allowed.get(action.min(COUNTED)) {
            add_one(number);
        }
    }
    pub(super) fn count_limited(&self) {
        add_one(&self.limited);
    }
    pub(super) fn count_denied(&self) {
        add_one(&self.denied);
    }
}

/// There is one writer, so a load and a store lose nothing, and cost less than an atomic addition.
fn add_one(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
