//! What shows how things stand and changes nothing.

use super::{Ask, Parcel};
use crate::error::DaemonError;
use crate::shown::{Brief, Dependencies, Full, Overview, ProbeLine, ReviewLine};
use crate::wire;
use common::error::ForgeError;
use plugin_manager::{Manifest, PluginManager};
use serde::{Deserialize, Serialize};

/// Every installed plugin, in brief.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {}

impl Ask for List {
    type Reply = Vec<Brief>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<Brief>>, ForgeError> {
        Ok(manager.list()?.into_iter().map(Brief::from).collect::<Vec<_>>().into())
    }
}

/// Every installed plugin, in full, and how the host stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusOfAll {}

impl Ask for StatusOfAll {
    type Reply = Overview;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Overview>, ForgeError> {
        let plugins = manager.list()?.into_iter().map(Full::from).collect();
        let policy_review = manager.policy_review()?.map(ReviewLine::from);
        Ok(Overview { standing: manager.readiness().into(), policy_review, plugins }.into())
    }
}

/// One plugin, in full.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The plugin.
    pub name: String,
}

impl Ask for Status {
    type Reply = Full;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Full>, ForgeError> {
        Ok(Full::from(manager.status(&self.name)?).into())
    }
}

/// The last lines a plugin logged, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logs {
    /// The plugin.
    pub name: String,
    /// How many.
    pub lines: usize,
}

impl Ask for Logs {
    type Reply = Vec<String>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<String>>, ForgeError> {
        Ok(manager.logs(&self.name, self.lines)?.into())
    }
}

/// What this build and machine can do, by trying.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Doctor {}

impl Ask for Doctor {
    type Reply = Vec<ProbeLine>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<ProbeLine>>, ForgeError> {
        Ok(manager.doctor().into_iter().map(ProbeLine::from).collect::<Vec<_>>().into())
    }
}

/// Who needs whom, with the packages whose manifests are the body as if they were installed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DependenciesOf {}

impl DependenciesOf {
    /// The question about these manifests.
    pub fn with(manifests: &[Manifest]) -> Parcel<Self> {
        Parcel { head: Self {}, body: wire::list(manifests.iter().map(Manifest::to_json)) }
    }
}

impl Ask for DependenciesOf {
    type Reply = Dependencies;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Dependencies>, ForgeError> {
        let malformed = |why: String| DaemonError::Malformed { what: "the list of manifests", why };
        let texts = wire::items(&body).ok_or_else(|| malformed("it ends too early".to_owned()))?;
        let parse = |text: &[u8]| Manifest::from_json(text).map_err(|e| malformed(e.to_string()));
        let offered = texts.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Dependencies::from(manager.dependencies(&offered)?).into())
    }
}
