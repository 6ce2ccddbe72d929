//! What changes what is installed and what runs.

use super::{Ask, Parcel};
use crate::shown::{Exchanged, Full, Installed};
use common::error::ForgeError;
use plugin_manager::{PluginManager, UpgradeOptions};
use serde::{Deserialize, Serialize};

/// Installs the package that is the body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Install {
    /// Whether it is brought up and left desired running.
    pub start: bool,
}

impl Ask for Install {
    type Reply = Installed;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Installed>, ForgeError> {
        Ok(Installed::from(manager.install(&body, self.start)?).into())
    }
}

/// Puts the package that is the body in the place of the installed version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upgrade {
    /// A lower version will do.
    pub allow_downgrade: bool,
    /// Consents to added permissions.
    pub accept_permissions: bool,
    /// An operation of the new version that must return 0 first.
    pub check: Option<String>,
}

impl Ask for Upgrade {
    type Reply = Exchanged;

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Exchanged>, ForgeError> {
        let Self { allow_downgrade, accept_permissions, check } = self;
        let options = UpgradeOptions { allow_downgrade, accept_permissions, check };
        Ok(Exchanged::from(manager.upgrade(&body, &options)?).into())
    }
}

/// Goes back to a version that was kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rollback {
    /// The plugin.
    pub name: String,
    /// The version; the highest below the installed one when not given.
    pub to: Option<String>,
}

impl Ask for Rollback {
    type Reply = Exchanged;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Exchanged>, ForgeError> {
        Ok(Exchanged::from(manager.rollback(&self.name, self.to.as_deref())?).into())
    }
}

/// Stops and removes a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remove {
    /// The plugin.
    pub name: String,
    /// Whether what it stored stays.
    pub keep_data: bool,
}

impl Ask for Remove {
    type Reply = ();

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        Ok(manager.remove(&self.name, self.keep_data)?.into())
    }
}

/// A command that moves a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are the verbs")]
pub enum Verb {
    Start,
    Stop,
    Pause,
    Resume,
}

/// Moves a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Turn {
    /// The plugin.
    pub name: String,
    /// Where to.
    pub verb: Verb,
}

impl Ask for Turn {
    type Reply = Full;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Full>, ForgeError> {
        let name = self.name.as_str();
        let status = match self.verb {
            Verb::Start => manager.start(name),
            Verb::Stop => manager.stop(name),
            Verb::Pause => manager.pause(name),
            Verb::Resume => manager.resume(name),
        };
        Ok(Full::from(status?).into())
    }
}
