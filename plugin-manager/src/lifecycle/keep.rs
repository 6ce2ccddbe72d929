//! What is done to a plugin by whoever keeps it up or takes it down in a hurry, beside what operators ask for.

use super::error::{LifecycleError, When};
use super::manager::ManagedPlugin;
use super::service::Occasion;
use crate::plugin::PluginState;
use common::clock::Deadline;
use std::time::Duration;

/// How long to wait before asking again how long there is.
const LOOK: Duration = Duration::from_millis(20);
/// How long guests that are ended may take to see it: more than any engine does.
const ENDING: Duration = Duration::from_millis(500);

impl ManagedPlugin {
    /// It failed its health check this often in a row: out of service, as after any failure there, if it still is in
    /// service. Calls in flight are not waited for; their instances are dropped when they are done.
    pub fn unwell(&self, failures: u32, last: &str) {
        let _slot = self.steps.lock();
        let (plugin, last) = (self.service.name.clone(), last.to_owned());
        self.fail_from(PluginState::Running, &LifecycleError::Unwell { plugin, failures, last });
    }

    /// Out of service for good, if its right to run is over: `Quarantined` where it was in service. Calls in flight were
    /// ended when the right was; their instances are dropped when they are done. Whether it was in service.
    pub fn lose_trust(&self) -> bool {
        let warrant = &self.service.blueprint.warrant;
        let Some(withdrawn) = warrant.holds().err().filter(|_| warrant.over().is_cancelled()) else {
            return false;
        };
        self.give_up();
        let _slot = self.steps.lock();
        let error = LifecycleError::Withdrawn { plugin: self.service.name.clone(), withdrawn };
        [PluginState::Running, PluginState::Paused]
            .into_iter()
            .any(|from| self.leave(from, PluginState::Quarantined, &error))
    }

    /// `Quarantined` to `Stopped`.
    ///
    /// # Errors
    /// [`LifecycleError::Move`] when it is not quarantined; when the step cannot be recorded.
    pub fn release(&self) -> Result<(), LifecycleError> {
        let _slot = self.steps.lock();
        self.step(PluginState::Stopped, "asked to release")
    }

    /// [`ManagedPlugin::stop`] that is over when `until` has come, which may come nearer meanwhile: calls in flight
    /// are waited for until then and ended after it, and `state_save` and `stop` end then.
    ///
    /// # Errors
    /// [`LifecycleError`]; the plugin is down all the same, `Failed` when it did not stop by itself. Calls that were not
    /// waited for are answered [`LifecycleError::Ended`].
    pub fn stop_within(&self, until: &dyn Fn() -> Deadline) -> Result<(), LifecycleError> {
        let quiet = || self.quiet_until(until);
        self.stop_when("asked to stop within a deadline", quiet, |live| {
            self.service.end(live, Occasion { until: until(), chain: &self.no_chain, cancel: None })
        })
    }

    /// An instance that was ended does not stop in order, whether or not calls were ended with it.
    fn not_ended(&self) -> Result<(), LifecycleError> {
        if self.service.over.token().is_cancelled() {
            return Err(LifecycleError::Ended {
                plugin: self.service.name.clone(),
                when: When::Function("stop"),
            });
        }
        Ok(())
    }

    /// Waits until no call is in flight; ends those that still are when that time has come.
    pub(super) fn quiet_until(&self, until: &dyn Fn() -> Deadline) -> Result<(), LifecycleError> {
        let clock = &*self.service.blueprint.clock;
        loop {
            let last = until();
            if self.pool.quiet(last.min(Deadline::after(clock, LOOK)), clock) == 0 {
                return self.not_ended();
            }
            if last.passed(clock) {
                self.service.over.token().cancel();
                self.pool.quiet(Deadline::after(clock, ENDING), clock);
                return Err(LifecycleError::Busy { plugin: self.service.name.clone() });
            }
        }
    }
}
