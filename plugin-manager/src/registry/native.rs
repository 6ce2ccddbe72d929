//! Plugins that are code of this program: registered for as long as a manager lives, in no package and no row of
//! the home.

use super::denials::Denials;
use super::error::HostError;
use super::events::EventKind;
use super::hall::Loaded;
use super::handle::PluginHandle;
use super::host::Host;
use super::install::facts;
use super::load::Parts;
use super::manager::PluginManager;
use crate::attestation::manifest::{EnginePreference, Manifest};
use crate::loader::PluginToml;
use crate::plugin::PluginState;
use crate::runtime::EngineKind;
use crate::runtime::native::{ForgePlugin, NativeCode, linked};
use crate::sandbox::Grant;
use crate::store::{Desired, InstalledPlugin, NewPlugin};
use common::error::ForgeError;
use common::identity::{Digest, Name, PluginId, PluginIdentity, Publisher};
use microkernel::trust::ManagementAction;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Refusals of linked plugins that are kept.
const MOST_REFUSED: usize = 256;

/// The native plugins of one manager.
#[derive(Debug)]
pub(super) struct Natives {
    /// Whose they all are: the program's own publisher.
    publisher: Publisher,
    plugins: RwLock<BTreeMap<Name, (InstalledPlugin, Arc<Native>)>>,
    /// Linked plugins that could not be registered, each with the reason.
    refused: RwLock<Vec<(String, String)>>,
}

/// What a native plugin is made of.
#[derive(Debug)]
pub(super) struct Native {
    grant: Grant<Manifest>,
    code: NativeCode,
    digest: Digest,
}

impl Natives {
    /// None yet, all to be of this publisher.
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher, plugins: RwLock::default(), refused: RwLock::default() }
    }

    /// Whether plugins of this publisher are code of this program.
    pub fn are_of(&self, publisher: &Publisher) -> bool {
        self.publisher == *publisher
    }
    /// The rows of all, by name.
    pub fn rows(&self) -> Vec<InstalledPlugin> {
        self.plugins.read().values().map(|(row, _)| row.clone()).collect()
    }
    /// The row of this one.
    pub fn row(&self, name: &Name) -> Option<InstalledPlugin> {
        self.plugins.read().get(name).map(|(row, _)| row.clone())
    }
    /// What this one is made of.
    pub fn part(&self, name: &Name) -> Option<Arc<Native>> {
        self.plugins.read().get(name).map(|(_, native)| native.clone())
    }
    /// Changes the row of this one, if it is one.
    pub fn change(&self, name: &Name, change: impl FnOnce(&mut InstalledPlugin)) -> Option<()> {
        self.plugins.write().get_mut(name).map(|(row, _)| change(row))
    }
    /// Lets this one go. Whether it was one.
    pub fn remove(&self, name: &Name) -> bool {
        self.plugins.write().remove(name).is_some()
    }
    /// `native` or `package`.
    pub fn kind(&self, name: &Name) -> &'static str {
        if self.plugins.read().contains_key(name) { NATIVE } else { "package" }
    }
    /// Linked plugins that could not be registered, each with the reason.
    pub fn refused(&self) -> Vec<(String, String)> {
        self.refused.read().clone()
    }
}

const NATIVE: &str = "native";

impl PluginManager {
    /// Registers a plugin that is code of this program, for as long as this manager lives, and leaves it desired
    /// running: its first start or call brings it up. It has the program's publisher (see
    /// [`ManagerBuilder::publisher`](crate::ManagerBuilder::publisher)); its permissions, limits and records are
    /// those of any plugin. Registering is installing: recorded first, and decided by policy as `install`.
    ///
    /// # Errors
    /// E1104 for its manifest; E5004 or E1411 when the name is taken; E4051 when the configuration refuses native
    /// plugins; E2001 and E2002 when the policy does; E4018.
    pub fn register<P: ForgePlugin>(&self, plugin: P) -> Result<PluginHandle, ForgeError> {
        self.register_code(NativeCode::of(plugin))
    }

    /// Registers what is linked into this program. What cannot be registered is recorded and kept for `doctor`:
    /// whoever opens the home may be about to mend it.
    pub(super) fn register_linked(&self) {
        for code in linked() {
            let named = named(code.manifest());
            if let Err(error) = self.register_code(code) {
                let mut refused = self.host().parts().natives.refused.write();
                if refused.len() < MOST_REFUSED {
                    refused.push((named, told(&error)));
                }
            }
        }
    }

    pub(super) fn register_code(&self, code: NativeCode) -> Result<PluginHandle, ForgeError> {
        let host = self.host();
        let name = named(code.manifest());
        host.recorded(ManagementAction::Install, &name, || {
            let manifest = manifest(&code, &host.natives.publisher)?;
            host.authorise(ManagementAction::Install, manifest.name.as_str())?;
            let grant = host.sandbox.grant_native(manifest)?;
            let name = grant.manifest().name.to_string();
            self.hall().in_turn(&name, None, || self.enroll_native(grant, code))?;
            Ok(PluginHandle::new(self.clone(), name))
        })
    }

    fn enroll_native(&self, grant: Grant<Manifest>, code: NativeCode) -> Result<(), ForgeError> {
        let host = self.host();
        let manifest = grant.manifest();
        let digest = Digest::of(&manifest.to_json());
        let row = InstalledPlugin {
            plugin: NewPlugin {
                name: manifest.name.clone(),
                publisher: manifest.publisher.clone(),
                version: manifest.version.to_string(),
                package: digest,
                manifest: digest,
                desired: Desired::Running,
                engine: grant.engine().name().to_owned(),
                facts: facts(manifest, &grant, [])?,
            },
            installed_at_ns: host.clock.wall_ns(),
            failure: None,
        };
        {
            let _roster = host.roster.lock();
            self.room(manifest)?;
            let (shown, enforced) = (digest.to_string(), grant.enforcement().to_string());
            let details = [
                ("kind", NATIVE),
                ("version", row.plugin.version.as_str()),
                ("publisher", row.plugin.publisher.as_str()),
                ("manifest", &shown),
                ("enforcement", &enforced),
            ];
            host.intend(ManagementAction::Install.name(), manifest.name.as_str(), &details)?;
            let name = manifest.name.clone();
            let native = Arc::new(Native { grant, code, digest });
            let (named, version) = (name.clone(), row.plugin.version.clone());
            host.natives.plugins.write().insert(name, (row, native));
            host.feed.emit(named.as_str(), &version, || EventKind::Installed);
        }
        host.publish_settings()
    }
}

impl Host {
    /// A native plugin that can be brought up.
    pub(super) fn loaded_native(&self, native: &Native, state: PluginState) -> Result<Loaded, ForgeError> {
        let manifest = native.grant.manifest();
        let operations = manifest.operations.iter().map(|o| o.name.to_string()).collect();
        let parts = Parts {
            identity: PluginIdentity {
                id: PluginId::new(&manifest.publisher, &manifest.name),
                name: manifest.name.clone(),
                publisher: manifest.publisher.clone(),
                version: manifest.version.to_string(),
                digest: native.digest,
                instance: 0,
            },
            instances: manifest.instances,
            plan: native.code.plan(operations),
            engine: self.engine(EngineKind::Native)?,
            module: native.code.module(),
            metrics: Arc::default(),
        };
        let denials = Arc::new(Denials::default());
        let plugin = self.plugin_of(&native.grant, parts, state, &denials);
        Ok(Loaded::new(plugin, denials))
    }
}

/// The manifest of a native plugin, without what only a package can say.
fn manifest(code: &NativeCode, publisher: &Publisher) -> Result<Manifest, ForgeError> {
    let author = PluginToml::parse(code.manifest())?;
    let name = || author.name().to_string();
    let manifest = Manifest::from_author(&author, Some(publisher), BTreeMap::new()).map_err(|_| {
        HostError::NativePublisher {
            name: name(),
            named: author.publisher().map_or_else(String::new, ToString::to_string),
            own: publisher.to_string(),
        }
    })?;
    let problem = |problem| Err(HostError::NativeManifest { name: name(), problem }.into());
    if manifest.engine != EnginePreference::Any {
        return problem("a native plugin runs on no engine, and can ask for none");
    }
    if !manifest.entry_points.is_empty() {
        return problem("a native plugin has no exports, and so no entry points");
    }
    Ok(manifest)
}

/// An error and its reasons in one line.
fn told(error: &ForgeError) -> String {
    let parts = std::iter::once(error.to_string()).chain(error.reasons().iter().cloned());
    parts.collect::<Vec<_>>().join(": ")
}

/// The name records of a registration have: the plugin's, or the digest of a manifest that does not parse.
fn named(manifest: &str) -> String {
    match PluginToml::parse(manifest) {
        Ok(author) => author.name().to_string(),
        Err(_) => Digest::of(manifest.as_bytes()).to_string(),
    }
}
