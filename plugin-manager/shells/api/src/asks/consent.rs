//! Versions that wait: for consent, or on trial.

use super::{Ask, Parcel};
use crate::shown::{Exchanged, Tried, Waiting};
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::{Deserialize, Serialize};

/// Consents to what a waiting version adds, and puts it in the installed one's place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Approve {
    /// The plugin.
    pub name: String,
    /// The version; the only one that waits when not given.
    pub version: Option<String>,
}

impl Ask for Approve {
    type Reply = Exchanged;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Exchanged>, ForgeError> {
        Ok(Exchanged::from(manager.approve(&self.name, self.version.as_deref())?).into())
    }
}

/// Lets go of a version that waits for consent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reject {
    /// The plugin.
    pub name: String,
    /// The version; the only one that waits when not given.
    pub version: Option<String>,
}

impl Ask for Reject {
    type Reply = Waiting;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Waiting>, ForgeError> {
        Ok(Waiting::from(manager.reject(&self.name, self.version.as_deref())?).into())
    }
}

/// The versions that wait for consent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    /// Of this plugin alone.
    pub name: Option<String>,
}

impl Ask for Pending {
    type Reply = Vec<Waiting>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<Waiting>>, ForgeError> {
        let pending = manager.pending(self.name.as_deref())?;
        Ok(pending.into_iter().map(Waiting::from).collect::<Vec<_>>().into())
    }
}

/// Ends a trial in favour of the version on trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Promote {
    /// The plugin.
    pub name: String,
}

impl Ask for Promote {
    type Reply = Exchanged;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Exchanged>, ForgeError> {
        Ok(Exchanged::from(manager.promote(&self.name)?).into())
    }
}

/// Ends a trial in favour of the installed version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Abandon {
    /// The plugin.
    pub name: String,
}

impl Ask for Abandon {
    type Reply = Tried;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Tried>, ForgeError> {
        Ok(Tried::from(manager.abandon(&self.name)?).into())
    }
}
