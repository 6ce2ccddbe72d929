//! The plugin host of one home, as shells and embedders use it.

use super::hall::Hall;
use super::handle::PluginHandle;
use super::host::Host;
use super::install::End;
use super::open::ManagerBuilder;
use crate::metrics::telemetry::prometheus_text;
use crate::store::InstalledPlugin;
use common::error::ForgeError;
use microkernel::syscall_bridge::{ClassRow, classes_of};
use std::sync::Arc;

/// The plugin host of one home. Clones are handles to the same host.
///
/// ```no_run
/// use plugin_manager::PluginManager;
/// let host = PluginManager::builder().home("/var/lib/forgeone").open()?;
/// let redacted = host.call("log-redactor", "redact", b"mail ada@example.com".to_vec())?;
/// host.shutdown()?;
/// # Ok::<(), common::error::ForgeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PluginManager {
    hall: Arc<Hall>,
}

impl PluginManager {
    /// Starts building one.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    /// A manager of these parts.
    pub(super) fn over(host: Arc<Host>) -> Self {
        Self::of(Hall::over(host))
    }
    /// A handle to this hall.
    pub(super) const fn of(hall: Arc<Hall>) -> Self {
        Self { hall }
    }
    pub(super) const fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.hall.host
    }
    /// The row of an installed plugin.
    pub(super) fn row(&self, name: &str) -> Result<InstalledPlugin, ForgeError> {
        self.hall.row(name)
    }

    /// Calls an operation of a plugin that is desired running, bringing it up when it is not.
    ///
    /// # Errors
    /// E5001, E5003, E5005, and E4xxx for what happens in the plugin.
    pub fn call(&self, name: &str, operation: &str, mut input: Vec<u8>) -> Result<Vec<u8>, ForgeError> {
        let mut output = Vec::new();
        self.call_into(name, operation, &mut input, &mut output)?;
        Ok(output)
    }

    /// [`PluginManager::call`] with buffers that are reused: `input` is lent and given back, `output` is replaced
    /// by the result.
    ///
    /// # Errors
    /// As [`PluginManager::call`].
    pub fn call_into(
        &self,
        name: &str,
        operation: &str,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), ForgeError> {
        let loaded = self.reach(name)?;
        self.hall.may_call(&loaded)?;
        let index = loaded.plugin.operation(operation)?;
        self.hall.call(&loaded, index, input, output)
    }

    /// A handle to an installed plugin, for callers that call it often. Nothing is brought up yet.
    ///
    /// # Errors
    /// E5001.
    pub fn handle(&self, name: &str) -> Result<PluginHandle, ForgeError> {
        self.row(name).map(|_| PluginHandle::new(self.clone(), name.to_owned()))
    }

    /// What policies of this home may speak of, in Cedar's own notation: added host calls included. Empty without
    /// the feature `cedar`.
    pub fn policy_schema(&self) -> &str {
        self.host().bridge.evaluator().schema()
    }

    /// How everything is recorded: the table of [`classes`](crate::classes) with the added host calls.
    pub fn classes(&self) -> Vec<ClassRow> {
        classes_of(&self.host().bridge.actions())
    }

    /// What is measured of the plugins that are up, and what plugins measured themselves, as Prometheus text.
    pub fn metrics_text(&self) -> String {
        let up: Vec<_> = self.hall.names().iter().filter_map(|name| self.hall.loaded(name)).collect();
        let measured: Vec<_> = up.iter().map(|l| (l.name(), &**l.plugin.metrics())).collect();
        prometheus_text(&measured) + &self.host().guest_metrics.prometheus_text()
    }

    /// Stops every plugin that is up, dependents first, and makes everything durable. No plugin is brought up
    /// from then on; the home is let go of with the last clone and handle.
    ///
    /// # Errors
    /// The first thing that could not be stopped or made durable; the rest is still done.
    pub fn shutdown(self) -> Result<(), ForgeError> {
        self.hall.close();
        let mut first = Ok(());
        for name in self.down_order() {
            let down = self.hall.in_turn(&name, None, || self.take_down(&name, End::Stop));
            first = first.and(down);
        }
        let host = self.host();
        host.bus.flush();
        let stored = host.services.kv.flush().map_err(ForgeError::from);
        let recorded = host.audit.flush().map_err(ForgeError::from);
        first.and(stored).and(recorded)
    }
}
