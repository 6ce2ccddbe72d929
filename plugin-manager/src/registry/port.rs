//! The plugins of an open host, as other code of the process asks the kernel for them.

use super::manager::PluginManager;
use super::report::PluginStatus;
use crate::plugin::PluginState;
use common::error::ForgeError;
use microkernel::plugins::{PluginPort, PluginStanding, PortError};
use microkernel::trust::TrustContext;

/// Operates the plugins of one host for whoever asks.
#[derive(Debug)]
pub(super) struct Port(pub PluginManager);

impl From<PluginStatus> for PluginStanding {
    fn from(status: PluginStatus) -> Self {
        let PluginStatus { name, version, state, desired, failure, .. } = status;
        Self { name, version, state, desired, failure }
    }
}

fn runs(status: &PluginStatus) -> bool {
    status.state == PluginState::Running.name()
}

/// What stands in the way of a step as a state the plugin is in already.
fn unless<T>(there: bool, step: impl FnOnce() -> Result<T, ForgeError>, is: T) -> Result<T, ForgeError> {
    if there { Ok(is) } else { step() }
}

impl PluginPort for Port {
    fn spawn(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
        let host = self.0.acting_as(principal);
        let now = host.status(name)?;
        Ok(unless(runs(&now), || host.start(name), now)?.into())
    }

    fn restart(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
        let host = self.0.acting_as(principal);
        let now = host.status(name)?;
        // What is quarantined is only told so.
        if now.desired != "stopped" && now.state != PluginState::Quarantined.name() {
            host.stop(name)?;
        }
        Ok(host.start(name)?.into())
    }

    fn shut_down(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
        let host = self.0.acting_as(principal);
        let now = host.status(name)?;
        Ok(unless(now.desired == "stopped", || host.stop(name), now)?.into())
    }

    fn state(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
        Ok(self.0.acting_as(principal).status(name)?.into())
    }

    fn list(&self, principal: &TrustContext) -> Result<Vec<PluginStanding>, PortError> {
        let all = self.0.acting_as(principal).list()?;
        Ok(all.into_iter().map(PluginStanding::from).collect())
    }
}
