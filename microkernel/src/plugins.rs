//! What other code of the process may ask of plugins: bring one up, restart it, shut it down, say how it stands. Who
//! asks is an argument, and the host behind the port decides and records as for any operator.

use crate::KernelError;
use crate::kernel::installed;
use crate::trust::TrustContext;
use common::error::{Code, Coded, ForgeError, codes};
use std::sync::Arc;

/// How a plugin stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStanding {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The state it is in: a word of the state table, `Running` among them.
    pub state: String,
    /// The state it should be in: `running`, `stopped` or `paused`.
    pub desired: String,
    /// Why it is `Failed` or `Quarantined`, when it is.
    pub failure: Option<String>,
}

/// Why the host was not asked, or what it answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// There is nobody to ask: this process has no kernel.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel of this process was made without a host of plugins. Its main program can install another.
    #[error("the kernel of this process has no plugins")]
    NoPlugins,
    /// The host refused, or the plugin failed.
    #[error(transparent)]
    Host(#[from] ForgeError),
}

impl Coded for PortError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Kernel(error) => error.code(),
            Self::NoPlugins => &codes::E0001,
            Self::Host(error) => error.code(),
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::Kernel(error) => error.help(),
            Self::NoPlugins => Some("install a kernel that was made with `Kernel::with_plugins`".to_owned()),
            Self::Host(error) => Some(error.help().to_owned()),
        }
    }
    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Kernel(error) => error.reasons(),
            Self::NoPlugins => Vec::new(),
            Self::Host(error) => error.reasons().to_vec(),
        }
    }
}

/// A host of plugins, as the kernel knows it. Each method acts for `principal`: it is decided whether it may, and what
/// changes is recorded under its name before it happens.
pub trait PluginPort: Send + Sync + std::fmt::Debug {
    /// Brings an installed plugin up, with what it needs, and leaves it desired running. One that runs is left as it
    /// is.
    ///
    /// # Errors
    /// When the principal may not, there is no such plugin, its state does not allow it, or it fails.
    fn spawn(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError>;

    /// Takes a plugin down if it is up, then brings it up anew.
    ///
    /// # Errors
    /// As [`PluginPort::spawn`]. It may be down then.
    fn restart(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError>;

    /// Takes a plugin down and leaves it desired stopped. One that is stopped is left as it is.
    ///
    /// # Errors
    /// When the principal may not, there is no such plugin, or its own `stop` fails; it is down then all the same.
    fn shut_down(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError>;

    /// How a plugin stands.
    ///
    /// # Errors
    /// When the principal may not read that, or there is no such plugin.
    fn state(&self, name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError>;

    /// How every installed plugin stands, by name.
    ///
    /// # Errors
    /// When the principal may not read that.
    fn list(&self, principal: &TrustContext) -> Result<Vec<PluginStanding>, PortError>;
}

/// The plugins of the kernel of this process.
///
/// # Errors
/// When no kernel is installed, or it has no plugins.
pub fn port() -> Result<Arc<dyn PluginPort>, PortError> {
    installed()?.plugins().cloned().ok_or(PortError::NoPlugins)
}

/// [`PluginPort::spawn`] by the kernel of this process.
///
/// ```
/// use common::error::Coded;
/// use common::identity::IdentityContext;
/// use microkernel::{plugins, trust::TrustContext};
/// let principal = TrustContext::new(&IdentityContext::operator("scheduler"));
/// let error = plugins::spawn("log-redactor", &principal).unwrap_err();
/// assert_eq!(error.code().id, "E0001", "nothing is installed, so nothing is done");
/// ```
///
/// # Errors
/// As the method, and when there is nobody to ask.
pub fn spawn(name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
    port()?.spawn(name, principal)
}

/// [`PluginPort::restart`] by the kernel of this process.
///
/// # Errors
/// As the method, and when there is nobody to ask.
pub fn restart(name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
    port()?.restart(name, principal)
}

/// [`PluginPort::shut_down`] by the kernel of this process.
///
/// # Errors
/// As the method, and when there is nobody to ask.
pub fn shut_down(name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
    port()?.shut_down(name, principal)
}

/// [`PluginPort::state`] by the kernel of this process.
///
/// # Errors
/// As the method, and when there is nobody to ask.
pub fn state(name: &str, principal: &TrustContext) -> Result<PluginStanding, PortError> {
    port()?.state(name, principal)
}
