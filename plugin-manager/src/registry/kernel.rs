//! The door of an open host for code outside plugins: a kernel over its bridge, and plugins as that kernel knows them.

use super::load::identity;
use super::manager::PluginManager;
use super::port::Port;
use common::error::ForgeError;
use common::identity::IdentityContext;
use microkernel::Kernel;
use microkernel::trust::{ManagementAction, TrustContext};
use std::sync::Arc;

impl PluginManager {
    /// A kernel over this host's bridge that knows nobody. Installed with [`microkernel::install`], the free functions
    /// `execute_syscall` and `evaluate_syscall` decide by this host's policies and write to its log, and those of
    /// [`microkernel::plugins`] operate its plugins. It keeps the home open until it is dropped.
    ///
    /// # Errors
    /// When the policy denies the operator to configure the host.
    pub fn kernel(&self) -> Result<Kernel, ForgeError> {
        let host = self.host();
        let configure = ManagementAction::Configure;
        host.recorded(configure, "", || host.authorise(configure, ""))?;
        Ok(Kernel::new(host.bridge.clone()).with_plugins(Arc::new(Port(self.clone()))))
    }

    /// An installed plugin as decisions know it: its identity and what it is granted, by every check of its package
    /// with the trust of now. Registered with a [`Kernel`], it may call through it.
    ///
    /// # Errors
    /// E5001; when the policy denies the operator to configure the plugin; whatever refuses the package.
    pub fn trust_of(&self, name: &str) -> Result<TrustContext, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, name, || {
            let row = self.row(name)?;
            host.authorise(configure, name)?;
            let grant = self.proven(&row)?;
            let plugin = IdentityContext::plugin(identity(grant.package()));
            Ok(TrustContext::with_grants(Arc::new(plugin), grant.permissions().to_vec()))
        })
    }
}
