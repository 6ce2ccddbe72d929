//! Calls of a plugin's operations: an instance for each, and what becomes of the instance and the plugin after it.

use super::budget::{RESTARTS, Spent};
use super::error::{LifecycleError, When};
use super::manager::ManagedPlugin;
use super::pool::{Lease, NoInstance, Patience};
use super::service::{Live, Occasion};
use crate::plugin::PluginState;
use crate::runtime::{Terms, Trap};
use crate::sandbox::InstanceMode;
use common::cancel::CancelToken;
use std::sync::atomic::Ordering;

impl ManagedPlugin {
    /// Calls an operation. `input` is lent to the instance and given back; `output` is replaced by the result,
    /// and empty when there is none. The call ends at the deadline of `terms` or after the plugin's own timeout,
    /// whichever is first; making an instance for it is part of it. `epoch` is the policy epoch in which the
    /// caller was allowed to call.
    ///
    /// # Errors
    /// [`LifecycleError`]; it is recorded.
    pub fn call(
        &self,
        operation: u16,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        terms: Terms<'_>,
        epoch: u64,
    ) -> Result<(), LifecycleError> {
        let done = self.attempt(operation, (input, output), terms, epoch);
        match &done {
            Ok(()) => self.metrics().call(false),
            // It did not begin and is not over.
            Err(LifecycleError::Superseded { .. }) => output.clear(),
            Err(error) => {
                output.clear();
                self.recorder.failure(error);
                if !matches!(error, LifecycleError::NotRunning { .. }) {
                    self.metrics().call(true);
                }
            }
        }
        done
    }

    fn attempt(
        &self,
        operation: u16,
        (input, output): (&mut Vec<u8>, &mut Vec<u8>),
        terms: Terms<'_>,
        epoch: u64,
    ) -> Result<(), LifecycleError> {
        if self.service.blueprint.warrant.over().is_cancelled() {
            return Err(self.withdrawn());
        }
        let limit = self.limits().payload_bytes;
        if input.len() > limit {
            return Err(LifecycleError::Input { bytes: input.len(), limit });
        }
        let own = self.deadline();
        let hurried = terms.deadline < own;
        let terms = Terms { deadline: own.min(terms.deadline), ..terms };
        let mut lease = self.lease(terms)?;
        let on = Occasion { until: terms.deadline, chain: terms.chain, cancel: terms.cancel };
        let live = match lease.or_make(|| self.service.in_service(on)) {
            Ok(live) => live,
            Err(error) => {
                drop(lease);
                self.lost_to(&error, hurried);
                return Err(error);
            }
        };
        let clock = &self.service.blueprint.clock;
        let began = clock.coarse_ms();
        let outcome = live.execution.operation(operation, input, output, terms);
        // What it answers after that may be an answer to a call of its own that ended with it.
        let given_up = terms.cancel.is_some_and(CancelToken::is_cancelled);
        let outcome = if given_up { outcome.and(Err(Trap::Cancelled)) } else { outcome };
        let good = matches!(&outcome, Ok(done) if done.status == 0);
        let counted = match live.calls.get_mut(usize::from(operation)) {
            Some(tally) => tally.hit(epoch, good, clock.coarse_ms().saturating_sub(began)),
            None => Ok(()),
        };
        let alive = live.execution.is_alive();
        self.settle(lease);
        if good {
            return counted
                .map_err(|source| LifecycleError::Unrecorded { plugin: self.service.name.clone(), source });
        }
        let when = self.service.blueprint.operations.get(usize::from(operation));
        let judged = self.service.judged(When::Operation(when.cloned().unwrap_or_default()), outcome);
        if alive {
            return judged;
        }
        judged.inspect_err(|error| match self.service.blueprint.mode {
            // A fresh instance ends with its call, however it ends: nothing has to be restarted for it.
            InstanceMode::Fresh => drop(self.is_to_blame(error, hurried)),
            InstanceMode::Shared | InstanceMode::Pooled => self.lost_to(error, hurried),
        })
    }

    /// Records a call that its caller gave up before it came here, and gives the error.
    pub fn given_up(&self) -> LifecycleError {
        let error = LifecycleError::Cancelled { plugin: self.service.name.clone() };
        self.metrics().call(true);
        self.recorder.failure(&error);
        error
    }

    #[cold]
    fn withdrawn(&self) -> LifecycleError {
        let (plugin, state) = (self.service.name.clone(), self.state());
        match self.service.blueprint.warrant.holds() {
            // It is out of service by now, and says why.
            Err(_) if state != PluginState::Running => {
                LifecycleError::NotRunning { plugin, state, failure: self.failure() }
            }
            Err(withdrawn) => LifecycleError::Withdrawn { plugin, withdrawn },
            Ok(()) => LifecycleError::Cancelled { plugin },
        }
    }

    /// The right to use an instance, or to make one.
    fn lease(&self, terms: Terms<'_>) -> Result<Lease<'_, Live>, LifecycleError> {
        let clock = &*self.service.blueprint.clock;
        let running = || self.state() == PluginState::Running;
        let patience = Patience { until: terms.deadline, cancel: terms.cancel };
        self.pool.take(patience, clock, running).map_err(|none| match none {
            NoInstance::Busy => LifecycleError::Busy { plugin: self.service.name.clone() },
            NoInstance::Full => {
                let waiting = self.service.blueprint.queue_length;
                LifecycleError::QueueFull { plugin: self.service.name.clone(), waiting }
            }
            NoInstance::Cancelled => LifecycleError::Cancelled { plugin: self.service.name.clone() },
            NoInstance::Closed if self.superseded.load(Ordering::Acquire) => {
                let version = self.identity().version.clone();
                LifecycleError::Superseded { plugin: self.service.name.clone(), version }
            }
            NoInstance::Closed => {
                let (plugin, state) = (self.service.name.clone(), self.state());
                LifecycleError::NotRunning { plugin, state, failure: self.failure() }
            }
        })
    }

    /// After a call: the instance goes back, or is dropped when it trapped or was for this call alone.
    fn settle(&self, mut lease: Lease<'_, Live>) {
        let Ok(live) = lease.or_make(|| Err(())) else { return };
        self.metrics().memory(live.execution.usage().memory_bytes);
        if live.execution.is_alive() && self.service.blueprint.mode != InstanceMode::Fresh {
            lease.give_back();
        }
    }

    /// Counts that an instance is gone. Whether it counts against the plugin: not when the host failed, the caller gave
    /// up, or it left less time than the plugin may take.
    fn is_to_blame(&self, error: &LifecycleError, hurried: bool) -> bool {
        let trapped = error.trap().is_some_and(Trap::ends_instance);
        if trapped {
            self.metrics().trap();
        }
        let to_blame = error.blames_plugin() && !(hurried && matches!(error.trap(), Some(Trap::Deadline)));
        if trapped && to_blame {
            self.metrics().fault();
        }
        to_blame
    }

    /// An instance is gone.
    pub(super) fn lost_to(&self, error: &LifecycleError, hurried: bool) {
        if !self.is_to_blame(error, hurried) {
            return;
        }
        let spent = self.budget.lock().lose(self.service.blueprint.clock.coarse_ms());
        if spent == Spent::All {
            let (plugin, last) = (self.service.name.clone(), error.told());
            let spent = LifecycleError::RestartBudget { plugin, restarts: RESTARTS, last };
            // A plugin that is being paused or stopped is already out of service.
            self.fail_from(PluginState::Running, &spent);
        }
    }
}
