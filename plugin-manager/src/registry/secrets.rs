//! Secrets of the home: set, listed by name and removed by an operator whom policy lets configure the host.

use super::error::HostError;
use super::manager::PluginManager;
use crate::extension::is_secret_name;
use common::error::ForgeError;
use microkernel::trust::ManagementAction;

impl PluginManager {
    /// Keeps a secret under this name, sealed with a key of the host. It holds from the next host call on. The caller
    /// overwrites its own copy.
    ///
    /// # Errors
    /// E0101 for a name that is none or more than 16 KiB; when the policy denies the operator to configure the host.
    pub fn set_secret(&self, name: &str, value: &[u8]) -> Result<(), ForgeError> {
        self.change_secret(name, Some(value)).map(drop)
    }

    /// Removes a secret. It is gone from the next host call on.
    ///
    /// # Errors
    /// E5008 when there is none; otherwise as [`PluginManager::set_secret`].
    pub fn remove_secret(&self, name: &str) -> Result<(), ForgeError> {
        match self.change_secret(name, None)? {
            true => Ok(()),
            false => Err(HostError::NoSecret(name.to_owned()).into()),
        }
    }

    /// The names of the secrets, sorted. Their values are for plugins that policy lets use or reveal them, and for
    /// nobody else.
    ///
    /// # Errors
    /// When the policy denies the operator to read the host.
    pub fn secret_names(&self) -> Result<Vec<String>, ForgeError> {
        let host = self.host();
        host.may_read("")?;
        Ok(host.home.secret_names()?)
    }

    /// Whether there was one.
    fn change_secret(&self, name: &str, value: Option<&[u8]>) -> Result<bool, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, "", || {
            host.authorise(configure, "")?;
            if !is_secret_name(name) {
                let rule = "the name of a secret is 1 to 128 of a-z, 0-9, `.`, `_`, `-` and `/`";
                return Err(HostError::Setting(rule).into());
            }
            let change = if value.is_some() { "set" } else { "removed" };
            host.intend(configure.name(), "", &[("secret", name), ("change", change)])?;
            Ok(host.home.set_secret(name, value)?)
        })
    }
}
