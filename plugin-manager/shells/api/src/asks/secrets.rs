//! Secrets of the home: set and removed by name, listed by name; a value goes in and never comes out.

use super::{Ask, Parcel};
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::{Deserialize, Serialize};

/// Keeps a secret; the body is its value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetSecret {
    /// Its name.
    pub name: String,
}

impl Ask for SetSecret {
    type Reply = ();

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        let value = plugin_manager::SecretValue::new(body);
        Ok(manager.set_secret(&self.name, &value)?.into())
    }
}

/// Removes a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveSecret {
    /// Its name.
    pub name: String,
}

impl Ask for RemoveSecret {
    type Reply = ();

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        Ok(manager.remove_secret(&self.name)?.into())
    }
}

/// The names of all secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecretNames {}

impl Ask for SecretNames {
    type Reply = Vec<String>;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Vec<String>>, ForgeError> {
        Ok(manager.secret_names()?.into())
    }
}
