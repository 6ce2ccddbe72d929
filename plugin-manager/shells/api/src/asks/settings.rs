//! A plugin's settings.

use super::{Ask, Parcel};
use crate::shown::Setting;
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::{Deserialize, Serialize};

/// Every setting of a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// The plugin.
    pub name: String,
}

impl Ask for Settings {
    type Reply = Vec<Setting>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<Setting>>, ForgeError> {
        let setting = |(section, key, value)| Setting { section, key, value };
        Ok(manager.settings(&self.name)?.into_iter().map(setting).collect::<Vec<_>>().into())
    }
}

/// Sets or unsets one setting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetSetting {
    /// The plugin.
    pub name: String,
    /// `config` or `env`.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value; unset without one.
    pub value: Option<String>,
}

impl Ask for SetSetting {
    type Reply = ();

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        Ok(manager.set_setting(&self.name, &self.section, &self.key, self.value.as_deref())?.into())
    }
}
