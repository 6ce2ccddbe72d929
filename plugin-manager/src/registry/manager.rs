//! The plugin host of one home, as shells and embedders use it.

use super::events::Events;
use super::hall::{Called, Hall, Loaded, Within};
use super::handle::PluginHandle;
use super::host::Host;
use super::install::End;
use super::open::ManagerBuilder;
use super::operator::{Desk, Operator};
use super::{people, recording};
use crate::metrics::telemetry::prometheus_text;
use crate::store::InstalledPlugin;
use common::error::ForgeError;
use microkernel::syscall_bridge::{ClassRow, classes_of};
use microkernel::trust::TrustContext;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
    operator: Arc<Operator>,
}

impl PluginManager {
    /// Starts building one.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    /// A manager of these parts, for who opened the home.
    pub(super) fn over(host: Arc<Host>, opener: Arc<Operator>) -> Self {
        Self::of(Hall::over(host, opener))
    }
    /// A handle to this hall, for who opened the home.
    pub(super) fn of(hall: Arc<Hall>) -> Self {
        Self { operator: hall.opener.clone(), hall }
    }
    /// A handle to the same host for another principal: policies decide about it, with the roles and attributes of
    /// its identity, and the management it does through this handle is recorded under its pseudonym. Calls are judged
    /// for it too, and counted for the plugin: their records name the plugin alone. Everything it asks for is refused
    /// when the home cannot keep who it is.
    ///
    /// ```no_run
    /// use common::identity::IdentityContext;
    /// use microkernel::trust::{ManagementAction, TrustContext};
    /// # let host = plugin_manager::PluginManager::builder().home("/var/lib/forgeone").open()?;
    /// let ada = IdentityContext::operator("ada").with_role("release-manager");
    /// let answer = host.acting_as(&TrustContext::new(&ada)).call("log-redactor", "redact", b"text".to_vec())?;
    /// # Ok::<(), common::error::ForgeError>(())
    /// ```
    #[must_use = "the handle it is called on goes on acting for who it acted for"]
    pub fn acting_as(&self, trust: &TrustContext) -> Self {
        let number = self.hall.host.operators.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let actor = people::actor(&self.hall.host.home, trust.identity());
        Self { hall: self.hall.clone(), operator: Operator::numbered(trust, number, actor) }
    }

    /// A handle to this hall for another operator.
    pub(super) const fn for_operator(hall: Arc<Hall>, operator: Arc<Operator>) -> Self {
        Self { hall, operator }
    }
    /// Who acts through this handle.
    pub(super) fn own_operator(&self) -> Arc<Operator> {
        self.operator.clone()
    }
    pub(super) const fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }
    pub(super) fn operator(&self) -> &Operator {
        &self.operator
    }
    /// The host, for whom this handle acts.
    pub(super) fn host(&self) -> Desk<'_> {
        self.hall.host.desk(&self.operator)
    }
    /// The row of an installed plugin.
    pub(super) fn row(&self, name: &str) -> Result<InstalledPlugin, ForgeError> {
        self.hall.row(name).map_err(|error| self.hall.advised(name, error))
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
        loop {
            let (loaded, index) = self.find(name, operation)?;
            match self.hall.call(&loaded, &self.operator, index, (input, output), Within::ANY)? {
                Called::Done => return Ok(()),
                Called::Elsewhere => {}
            }
        }
    }

    /// A plugin that is up, for a caller who may call it, and the operation's index in it. Where a call is answered
    /// `Elsewhere`, the plugin that took its place is what is found next: it was in the map before that was said.
    pub(super) fn find(&self, name: &str, operation: &str) -> Result<(Arc<Loaded>, u16), ForgeError> {
        let loaded = self.reach(name)?;
        self.hall.may_call(&loaded, &self.operator)?;
        let index = loaded.plugin.operation(operation)?;
        Ok((loaded, index))
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
        self.host().parts().bridge.evaluator().schema()
    }

    /// How everything is recorded: the table of [`classes`](crate::classes) with the added host calls.
    pub fn classes(&self) -> Vec<ClassRow> {
        classes_of(&self.host().bridge.actions())
    }

    /// What is measured of the plugins that are up, and what plugins measured themselves, as Prometheus text.
    pub fn metrics_text(&self) -> String {
        let up: Vec<_> = self.hall.names().iter().filter_map(|name| self.hall.loaded(name)).collect();
        let measured: Vec<_> = up.iter().map(|l| (l.name(), &**l.plugin.metrics())).collect();
        let host = self.host();
        prometheus_text(&measured)
            + &self.hall.call_threads.prometheus_text()
            + &host.ledgers.prometheus_text()
            + &host.quarantine_text()
            + &host.expiry_text()
            + &host.policies_text()
            + &host.scores_text()
            + &host.reviews_text()
            + &host.guest_metrics.prometheus_text()
            + &recording::metrics_text(&host.audit)
    }

    /// What happens to the plugins of this host from now on. A listener that is behind loses the oldest events beyond
    /// [`EVENTS_KEPT`](crate::EVENTS_KEPT), and is told how many; nobody waits for it.
    pub fn events(&self) -> Events {
        self.hall.host.feed.listen()
    }

    /// Stops every plugin that is up, dependents first, and makes everything durable. No plugin is brought up
    /// from then on; the home is let go of with the last clone and handle.
    ///
    /// # Errors
    /// E2001 for a handle of [`PluginManager::acting_as`] whose operator may not stop every plugin: nothing is stopped
    /// then. Otherwise the first thing that could not be stopped or made durable; the rest is still done.
    pub fn shutdown(self) -> Result<(), ForgeError> {
        self.may_shut_down()?;
        self.hall.close();
        self.hall.call_threads.close();
        let mut first = Ok(());
        for name in self.down_order() {
            let down = self.hall.in_turn(&name, None, || self.take_down(&name, End::Stop));
            first = first.and(down);
        }
        first.and(self.make_durable())
    }

    /// Makes what plugins logged and stored durable, and what was recorded.
    ///
    /// # Errors
    /// The first thing that could not be made durable; the rest is still done.
    pub fn flush(&self) -> Result<(), ForgeError> {
        let host = self.host();
        host.bus.flush();
        let stored = host.services.kv.flush().map_err(ForgeError::from);
        let recorded = host.audit.flush().map_err(ForgeError::from);
        stored.and(recorded)
    }
}
