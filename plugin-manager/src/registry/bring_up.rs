//! Bringing plugins up, with what they depend on, and taking them down.

use super::denials::Denials;
use super::dependencies::plan;
use super::error::HostError;
use super::hall::Loaded;
use super::install::End;
use super::load::{Rebuild, identity};
use super::manager::PluginManager;
use super::steps::wrong;
use crate::metrics::{Phase, Stage};
use crate::plugin::PluginState;
use crate::sandbox::Grant;
use crate::store::{Desired, InstalledPlugin};
use crate::syscall::Chain;
use common::clock::Deadline;
use common::error::{ForgeError, codes};
use common::identity::{Name, PluginId};
use microkernel::trust::ManagementAction;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Why a plugin is brought up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause<'a> {
    /// An operator asked: a plugin that is `Failed` gets another try.
    Start,
    /// An operator asked for `init` alone, whatever is desired; a plugin that is `Failed` gets another try.
    Initialize,
    /// It is called.
    Call,
    /// The plugin at the end of this chain calls it, and must be answered by then.
    Plugin(&'a Chain, Deadline),
}

impl PluginManager {
    /// A plugin that is up, brought up when it is not, for a caller who may call it.
    pub(super) fn reach(&self, name: &str) -> Result<Arc<Loaded>, ForgeError> {
        match self.hall().loaded(name) {
            Some(loaded) => Ok(loaded),
            None => self.host().recorded(ManagementAction::Call, name, || {
                self.row(name)?;
                self.host().authorise(ManagementAction::Call, name)?;
                self.bring_up(name, Cause::Call)
            }),
        }
    }

    /// Loads a plugin that is desired running, and what it depends on, and brings them up. Its own functions and
    /// theirs have their own timeouts, whoever waits.
    pub(super) fn bring_up(&self, name: &str, cause: Cause<'_>) -> Result<Arc<Loaded>, ForgeError> {
        let row = self.row(name)?;
        self.host().not_quarantined(&row, cause)?;
        desired_running(&row, cause)?;
        for member in plan(&self.host().candidates()?, &row.plugin.name)?.start_order() {
            if *member == row.plugin.name {
                return self.bring_one_up(member, cause);
            }
            self.bring_one_up(member, cause.for_dependency())?;
        }
        Err(HostError::NoPlugin(name.to_owned()).into())
    }

    pub(super) fn bring_one_up(&self, name: &Name, cause: Cause<'_>) -> Result<Arc<Loaded>, ForgeError> {
        self.hall().in_turn(name.as_str(), self.patience(cause), || {
            self.hall().while_open(|| {
                let Some(loaded) = self.hall().loaded(name.as_str()) else {
                    return self.bring_up_in_turn(name, cause, PluginState::Created);
                };
                match (loaded.plugin.state(), cause) {
                    (state, Cause::Initialize) if state != PluginState::Failed => {
                        Err(wrong(name.as_str(), state, PluginState::Initializing))
                    }
                    (PluginState::Running, _) => Ok(loaded),
                    (PluginState::Failed, Cause::Start | Cause::Initialize) => {
                        self.hall().take(name.as_str());
                        self.bring_up_in_turn(name, cause, PluginState::Failed)
                    }
                    (PluginState::Ready, Cause::Start) => self.put_in_service(loaded),
                    _ => Err(loaded.not_running().into()),
                }
            })
        })
    }

    /// `start` of a plugin that was initialized alone. Done in the plugin's turn.
    fn put_in_service(&self, ready: Arc<Loaded>) -> Result<Arc<Loaded>, ForgeError> {
        if let Err(error) = ready.plugin.start(self.hall().no_chain()) {
            self.hall().take(ready.name());
            self.hall().keep_failure(&ready)?;
            return Err(error.into());
        }
        Ok(ready)
    }

    pub(super) fn bring_up_in_turn(
        &self,
        name: &Name,
        cause: Cause<'_>,
        from: PluginState,
    ) -> Result<Arc<Loaded>, ForgeError> {
        let row = self.row(name.as_str())?;
        self.host().not_quarantined(&row, cause)?;
        desired_running(&row, cause)?;
        let from = if row.failure.is_some() { PluginState::Failed } else { from };
        let loaded = Arc::new(self.load(&row, from, cause)?);
        if row.failure.is_some() {
            self.host().set_failure(name, None)?;
        }
        let chain = match cause {
            Cause::Plugin(chain, _) => chain,
            Cause::Start | Cause::Initialize | Cause::Call => self.hall().no_chain(),
        };
        let _bringing_up = Stage::new(&*self.host().parts().progress, Phase::BringUp, name.as_str(), None);
        let up = loaded.plugin.initialize(chain).and_then(|()| match cause {
            Cause::Initialize => Ok(()),
            Cause::Start | Cause::Call | Cause::Plugin(..) => loaded.plugin.start(chain),
        });
        if let Err(error) = up {
            self.hall().keep_failure(&loaded)?;
            return Err(error.into());
        }
        self.hall().put(loaded.clone());
        Ok(loaded)
    }

    /// How long to wait for a plugin whose turn somebody else has.
    fn patience(&self, cause: Cause<'_>) -> Option<Duration> {
        match cause {
            Cause::Start | Cause::Initialize => None,
            Cause::Call => Some(self.host().config.default_timeout.0),
            Cause::Plugin(_, deadline) => deadline.remaining(&*self.host().clock),
        }
    }

    /// The load path from the stored bytes. A native plugin is as it was registered.
    fn load(
        &self,
        row: &InstalledPlugin,
        state: PluginState,
        cause: Cause<'_>,
    ) -> Result<Loaded, ForgeError> {
        let host = self.host();
        if let Some(native) = host.natives.part(&row.plugin.name) {
            return host.loaded_native(&native, state);
        }
        let summary = host.summary_of(row)?;
        let grant = self.proven(row)?;
        let asked = matches!(cause, Cause::Start | Cause::Initialize);
        let rebuild = if asked { Rebuild::Asked } else { Rebuild::NotAsked };
        let ready = host.ready(&grant, rebuild)?;
        host.still_attested((&grant, &ready), &summary, rebuild)?;
        let denials = Arc::new(Denials::default());
        let plugin = host.assemble(&grant, ready, state, &denials);
        Ok(Loaded::new(plugin, denials))
    }

    /// What an installed plugin may use, from its stored bytes: every check again.
    pub(super) fn proven(&self, row: &InstalledPlugin) -> Result<Grant, ForgeError> {
        let host = self.host();
        let bytes = host.home.read_package(&row.plugin.package)?;
        let grant = host.grant(host.prove(&bytes)?)?;
        let found = identity(grant.package());
        if found.id != PluginId::new(&row.plugin.publisher, &row.plugin.name)
            || found.digest != row.plugin.manifest
        {
            let what = format!("the record of plugin {} does not belong to its package", row.plugin.name);
            return Err(ForgeError::new(&codes::E0003, what));
        }
        Ok(grant)
    }

    /// Stops a plugin that is up. It is down whatever this returns; a failure of its own is kept in its row.
    /// Done in the plugin's turn.
    pub(super) fn take_down(&self, name: &str, end: End) -> Result<(), ForgeError> {
        self.end_trial(name, "the plugin is taken down");
        let Some(loaded) = self.hall().loaded(name) else { return Ok(()) };
        let plugin = &loaded.plugin;
        plugin.give_up();
        let up = matches!(plugin.state(), PluginState::Running | PluginState::Paused);
        let sentence = self.conduct_at_the_end(&loaded, end);
        let stopped = match sentence {
            Some(why) => plugin.quarantine(&why),
            None if up => plugin.stop(),
            None => Ok(()),
        };
        self.hall().tell_denials(&loaded);
        let ended = match end {
            End::Stop => stopped,
            // What `stop` ran into is recorded, and keeps nobody from removing the plugin.
            End::Unload => plugin.unload(),
        };
        self.hall().take(name);
        let kept = self.hall().keep_failure(&loaded);
        ended.map_err(ForgeError::from).and(kept)
    }

    /// What it did since it was looked at last counts too. Why it is quarantined in place of being stopped, if it is.
    pub(super) fn conduct_at_the_end(&self, loaded: &Loaded, end: End) -> Option<String> {
        let row = self.row(loaded.name()).ok()?;
        let why = self.host().look_at(&row, loaded)?;
        matches!(end, End::Stop).then_some(why)
    }

    /// The plugins that are up; those that need others come before them.
    pub(super) fn down_order(&self) -> Vec<String> {
        let left = self.hall().names();
        if left.is_empty() {
            return left;
        }
        let up: BTreeSet<&String> = left.iter().collect();
        // What cannot be ordered is still stopped, before the others.
        let order = self.start_order().unwrap_or_default().into_iter().map(|name| name.to_string());
        let mut order: Vec<String> = order.filter(|name| up.contains(name)).collect();
        order.extend(left);
        let mut seen = BTreeSet::new();
        order.retain(|name| seen.insert(name.clone()));
        order.reverse();
        order
    }
}

impl Cause<'_> {
    /// What a plugin depends on is not given another try for it.
    const fn for_dependency(self) -> Self {
        match self {
            Self::Start | Self::Initialize => Self::Call,
            other => other,
        }
    }
}

fn desired_running(row: &InstalledPlugin, cause: Cause<'_>) -> Result<(), ForgeError> {
    let state = match (row.plugin.desired, &row.failure) {
        (Desired::Running, None) => return Ok(()),
        (Desired::Running | Desired::Stopped, _) if matches!(cause, Cause::Initialize) => return Ok(()),
        (Desired::Running, Some(_)) if matches!(cause, Cause::Start) => return Ok(()),
        (Desired::Running, Some(_)) => PluginState::Failed,
        (Desired::Paused, _) => PluginState::Paused,
        (Desired::Stopped, _) => PluginState::Stopped,
    };
    let name = row.plugin.name.to_string();
    Err(HostError::NotRunning { name, state, failure: row.failure.clone() }.into())
}
