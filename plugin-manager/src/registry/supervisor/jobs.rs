//! Does what was decided about a plugin. Each job takes the plugin's turn where an operator's step would.

use super::super::bring_up::Cause;
use super::super::error::HostError;
use super::super::events::EventKind;
use super::super::hall::Loaded;
use super::super::install::End;
use super::super::manager::PluginManager;
use super::kept::{Check, Done, Task};
use crate::config::StatusCheck;
use crate::lifecycle::LifecycleError;
use crate::plugin::PluginState;
use crate::registry::judge::briefly;
use crate::runtime::Terms;
use crate::store::Desired;
use common::clock::Deadline;
use common::error::ForgeError;
use microkernel::trust::ManagementAction;
use std::sync::Arc;

impl PluginManager {
    /// Does it, and says what came of it.
    pub(in crate::registry) fn perform(&self, plugin: &str, task: &Task) -> Done {
        match task {
            Task::Start { again } => {
                // Only what waited for it is given another try.
                let cause = if *again { Cause::Start } else { Cause::Call };
                Done::Started(self.start_supervised(plugin, cause).map_err(|e| briefly(&e)))
            }
            Task::Check(check) => self.check_health(plugin, check),
            Task::Pause(need) => {
                let why = format!("{need}, which it needs, is out of service");
                if let Err(error) =
                    self.still_wanted(plugin, PluginState::Running, |l| l.plugin.pause_for(&why))
                {
                    tracing::warn!(plugin, %error, "a plugin was paused for what it needs, and did not answer well");
                }
                Done::Paused
            }
            Task::Resume => Done::Started(self.resume_supervised(plugin).map_err(|e| briefly(&e))),
        }
    }

    fn start_supervised(&self, plugin: &str, cause: Cause<'_>) -> Result<(), ForgeError> {
        let (host, start) = (self.host(), ManagementAction::Start);
        host.recorded(start, plugin, || {
            host.authorise(start, plugin)?;
            self.bring_up(plugin, cause).map(drop)
        })
    }

    /// One that cannot be resumed is taken down, to be started anew.
    fn resume_supervised(&self, plugin: &str) -> Result<(), ForgeError> {
        let why = "what it needs is back";
        self.still_wanted(plugin, PluginState::Paused, |loaded| loaded.plugin.resume_for(why)).inspect_err(
            |_| {
                let down = self.hall().in_turn(plugin, None, || self.take_down(plugin, End::Stop));
                if let Err(error) = down {
                    tracing::warn!(plugin, %error, "a plugin that could not be resumed did not stop well");
                }
            },
        )
    }

    /// Does this to a plugin that is in this state and desired running when its turn comes; otherwise nothing.
    fn still_wanted(
        &self,
        plugin: &str,
        state: PluginState,
        job: impl FnOnce(&Loaded) -> Result<(), LifecycleError>,
    ) -> Result<(), ForgeError> {
        self.hall().in_turn(plugin, None, || {
            let wanted = self.row(plugin)?.plugin.desired == Desired::Running;
            match self.hall().loaded(plugin).filter(|loaded| wanted && loaded.plugin.state() == state) {
                Some(loaded) => Ok(job(&loaded)?),
                None => Ok(()),
            }
        })
    }

    fn check_health(&self, plugin: &str, check: &Check) -> Done {
        let Some(loaded) = self.hall().loaded(plugin) else { return Done::Checked(None, check.seen) };
        let looked = check.how.status.and_then(|StatusCheck::Calls| looked(&loaded, check.seen));
        let asked = || self.ask(&loaded, check.how.operation.as_ref()?, check);
        let verdict = match looked {
            Some(Err(why)) => Some(Err(why)),
            seen => asked().or(seen),
        };
        if let Some(Err(why)) = &verdict {
            let failures = check.before.saturating_add(1);
            let version = &loaded.plugin.identity().version;
            self.host().feed.emit(plugin, version, || EventKind::Unwell { failures, why: why.clone() });
            if failures >= check.most {
                loaded.plugin.unwell(failures, why);
            }
        }
        self.hall().after_failure(&loaded, self.host().config.default_timeout.0);
        let sample = loaded.plugin.metrics().sample();
        Done::Checked(verdict.map(|verdict| verdict.is_ok()), (sample.calls, sample.errors))
    }

    /// Calls the operation. Nothing can be said of a plugin that is busy with others, and nothing by an operation it
    /// does not have.
    fn ask(&self, loaded: &Arc<Loaded>, operation: &str, check: &Check) -> Option<Result<(), String>> {
        let index = loaded.plugin.operation(operation).ok()?;
        let deadline = Deadline::after(&*self.host().clock, check.timeout);
        let terms = Terms::new(deadline, self.hall().no_chain());
        let epoch = self.host().bridge.evaluator().epoch();
        match loaded.plugin.call(index, &mut Vec::new(), &mut Vec::new(), terms, epoch) {
            Ok(()) => Some(Ok(())),
            Err(
                LifecycleError::Busy { .. }
                | LifecycleError::NotRunning { .. }
                | LifecycleError::Superseded { .. },
            ) => None,
            Err(error) => Some(Err(error.told())),
        }
    }
}

/// Unwell when there were calls since the last look, and all failed.
fn looked(loaded: &Loaded, (calls, errors): (u64, u64)) -> Option<Result<(), String>> {
    let now = loaded.plugin.metrics().sample();
    let (calls, errors) = (now.calls.checked_sub(calls)?, now.errors.checked_sub(errors)?);
    match calls {
        0 => None,
        _ if errors >= calls => Some(Err(format!("all of {calls} calls failed"))),
        _ => Some(Ok(())),
    }
}

impl PluginManager {
    /// Whether supervision may be begun through this handle.
    pub(super) fn may_supervise(&self) -> Result<(), ForgeError> {
        let (host, start) = (self.host(), ManagementAction::Start);
        if self.hall().is_closing() {
            return Err(HostError::Closing.into());
        }
        host.recorded(start, "", || host.authorise(start, ""))
    }
}
