//! The host of one home by plugin ids: packages are loaded from files for a named identity, and taken through their
//! states one step at a time. Everything is done by the [`PluginManager`] inside.

use super::error::HostError;
use super::load::identity;
use super::manager::PluginManager;
use super::report::PluginStatus;
use super::sources;
use crate::store::InstalledPlugin;
use common::error::ForgeError;
use common::identity::{Digest, IdentityContext, PluginId};
use microkernel::trust::{ManagementAction, TrustContext};
use std::collections::BTreeMap;
use std::path::Path;

/// The plugins of one home, by id.
///
/// Who loads a plugin acts in its later steps too: policies decide about that identity, and the audit log names it.
/// For a plugin that this registry did not load itself, who opened the home acts.
///
/// ```
/// use plugin_manager::registry::PluginRegistry;
/// use plugin_manager::metrics;
/// use common::identity::IdentityContext;
/// use microkernel::trust::TrustContext;
///
/// # fn load() -> Result<(), common::error::ForgeError> {
/// // Create a plugin registry with microkernel integration
/// let mut registry = PluginRegistry::new_with_config("config.yaml");
///
/// // Create an identity context for verification
/// let identity = IdentityContext::new("plugin-manager");
///
/// // Create a trust context for ZTA enforcement
/// let trust = TrustContext::new(&identity);
///
/// // Load a plugin from a file with trust verification
/// let plugin_id = registry.load_plugin("/path/to/plugin.forgepkg", &identity, &trust)?;
///
/// // Initialize the plugin with telemetry
/// let timer = metrics::telemetry::StartupTimer::new(&plugin_id.to_string(), "example-plugin", "1.0.0");
/// registry.initialize_plugin(plugin_id)?;
/// timer.stop();
///
/// // Start the plugin
/// registry.start_plugin(plugin_id)?;
/// # Ok(())
/// # }
/// # let error = load().unwrap_err();
/// # assert_eq!(error.code().id, "E0002", "there is no config.yaml here, and no default in its place");
/// ```
#[derive(Debug)]
pub struct PluginRegistry {
    host: Result<PluginManager, ForgeError>,
    /// The plugins loaded here, those removed since only until the next is loaded.
    loaded: BTreeMap<PluginId, Loader>,
}

/// A plugin's name, and the host for who loaded it.
#[derive(Debug)]
struct Loader {
    name: String,
    host: PluginManager,
}

impl PluginRegistry {
    /// A registry over the home that this configuration file lies in: its directory. When that home cannot be
    /// opened, each later call returns why; nothing runs by defaults in its place.
    #[must_use]
    pub fn new_with_config(file: impl AsRef<Path>) -> Self {
        Self { host: home_of(file.as_ref()), loaded: BTreeMap::new() }
    }

    /// The same, telling at once when the home cannot be opened.
    ///
    /// # Errors
    /// As [`ManagerBuilder::open`](super::ManagerBuilder::open).
    pub fn open(file: impl AsRef<Path>) -> Result<Self, ForgeError> {
        home_of(file.as_ref()).map(Self::over)
    }

    /// A registry over a host that is open, wherever its home and its configuration are.
    #[must_use]
    pub fn over(host: PluginManager) -> Self {
        Self { host: Ok(host), loaded: BTreeMap::new() }
    }

    /// The host, for what is not done by ids.
    ///
    /// # Errors
    /// Why the home could not be opened.
    pub fn manager(&self) -> Result<&PluginManager, ForgeError> {
        self.host.as_ref().map_err(ForgeError::again)
    }

    /// Verifies and installs the package in this file, without starting it. Policies decide whether this principal
    /// may install, and the audit log names it. A package that is installed already, byte for byte, is verified
    /// again and its id returned.
    ///
    /// `trust` is the identity as policies judge it, and must be of `identity`.
    ///
    /// # Errors
    /// Why the home could not be opened; E0101 for a trust context of another identity; E0002 when the file cannot
    /// be read; whatever refuses the package, and nothing is changed then.
    pub fn load_plugin(
        &mut self,
        file: impl AsRef<Path>,
        identity: &IdentityContext,
        trust: &TrustContext,
    ) -> Result<PluginId, ForgeError> {
        let host = self.manager()?;
        if **trust.identity() != *identity {
            let (identity, trust) = (identity.name().to_owned(), trust.identity().name().to_owned());
            return Err(HostError::OtherTrust { identity, trust }.into());
        }
        let host = host.acting_as(trust);
        let package = sources::package(file.as_ref(), host.host().package_limits.compressed)?;
        let (id, name) = match host.load_again(&package)? {
            Some(installed) => installed,
            None => host.install(&package, false).map(|report| (report.id, report.name))?,
        };
        let installed: BTreeMap<PluginId, String> = host.ids()?.into_iter().collect();
        self.loaded.retain(|id, _| installed.contains_key(id));
        self.loaded.insert(id, Loader { name, host });
        Ok(id)
    }

    /// `init`: to `Ready`.
    ///
    /// # Errors
    /// As [`PluginManager::initialize`].
    pub fn initialize_plugin(&self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.initialize(&name).map(drop)
    }

    /// `start`: to `Running`, and desired so. A plugin that was not initialized is initialized first.
    ///
    /// # Errors
    /// As [`PluginManager::start`].
    pub fn start_plugin(&self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.start(&name).map(drop)
    }

    /// `stop`: to `Stopped`, and desired so.
    ///
    /// # Errors
    /// As [`PluginManager::stop`].
    pub fn stop_plugin(&self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.stop(&name).map(drop)
    }

    /// `pause`: to `Paused`, and desired so.
    ///
    /// # Errors
    /// As [`PluginManager::pause`].
    pub fn pause_plugin(&self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.pause(&name).map(drop)
    }

    /// `resume`: to `Running`, and desired so.
    ///
    /// # Errors
    /// As [`PluginManager::resume`].
    pub fn resume_plugin(&self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.resume(&name).map(drop)
    }

    /// `stop` when it is up, `unload`, and the plugin is removed. What it stored is kept for the same publisher's
    /// plugin of the same name.
    ///
    /// # Errors
    /// As [`PluginManager::remove`].
    pub fn unload_plugin(&mut self, id: PluginId) -> Result<(), ForgeError> {
        let (host, name) = self.find(id)?;
        host.remove(&name, true)?;
        self.loaded.remove(&id);
        Ok(())
    }

    /// Calls an operation of a plugin that is desired running.
    ///
    /// # Errors
    /// As [`PluginManager::call`].
    pub fn call(&self, id: PluginId, operation: &str, input: Vec<u8>) -> Result<Vec<u8>, ForgeError> {
        let (host, name) = self.find(id)?;
        host.call(&name, operation, input)
    }

    /// What is known of a plugin.
    ///
    /// # Errors
    /// As [`PluginManager::status`].
    pub fn status(&self, id: PluginId) -> Result<PluginStatus, ForgeError> {
        let (host, name) = self.find(id)?;
        host.status(&name)
    }

    /// The ids and names of the installed plugins and of native ones, by name.
    ///
    /// # Errors
    /// When the home could not be opened or cannot be read.
    pub fn plugins(&self) -> Result<Vec<(PluginId, String)>, ForgeError> {
        let host = self.manager()?;
        host.host().may_read("")?;
        host.ids()
    }

    /// Stops every plugin that is up and makes everything durable. The home is let go of with the last handle.
    ///
    /// # Errors
    /// As [`PluginManager::shutdown`]; or why the home could not be opened.
    pub fn shutdown(self) -> Result<(), ForgeError> {
        self.host?.shutdown()
    }

    /// The name behind an id, and the host for who loaded it.
    fn find(&self, id: PluginId) -> Result<(&PluginManager, String), ForgeError> {
        let host = self.manager()?;
        let missing = || ForgeError::from(HostError::NoPlugin(id.to_string()));
        if let Some(Loader { name, host }) = self.loaded.get(&id) {
            // Meanwhile the name may be another publisher's.
            return if id_of(&host.row(name)?) == id { Ok((host, name.clone())) } else { Err(missing()) };
        }
        let name = host.ids()?.into_iter().find_map(|(known, name)| (known == id).then_some(name));
        Ok((host, name.ok_or_else(missing)?))
    }
}

fn id_of(row: &InstalledPlugin) -> PluginId {
    PluginId::new(&row.plugin.publisher, &row.plugin.name)
}

impl PluginManager {
    /// Every installed and every registered plugin's id and name, by name.
    fn ids(&self) -> Result<Vec<(PluginId, String)>, ForgeError> {
        let rows = self.host().rows()?;
        Ok(rows.iter().map(|row| (id_of(row), row.plugin.name.to_string())).collect())
    }

    /// The id and name of a package that is installed byte for byte, verified with the trust of now; `None` when it
    /// is not installed.
    fn load_again(&self, package: &[u8]) -> Result<Option<(PluginId, String)>, ForgeError> {
        let (host, digest) = (self.host(), Digest::of(package));
        if !host.home.roster()?.iter().any(|row| row.plugin.package == digest) {
            return Ok(None);
        }
        let install = ManagementAction::Install;
        host.recorded(install, &digest.to_string(), || {
            let found = identity(&host.prove(package)?);
            host.authorise(install, found.name.as_str())?;
            Ok(Some((found.id, found.name.to_string())))
        })
    }
}

/// Opens the home a configuration file lies in.
fn home_of(file: &Path) -> Result<PluginManager, ForgeError> {
    let directory = match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    PluginManager::builder().home(directory).config(file).open()
}
