//! People whom records name: erased by name, whereupon records tell only a pseudonym.

use super::{Ask, Parcel};
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::{Deserialize, Serialize};

/// Destroys what ties records to a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErasePerson {
    /// The name.
    pub name: String,
}

impl Ask for ErasePerson {
    /// The pseudonym that records keep.
    type Reply = String;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<String>, ForgeError> {
        Ok(manager.erase_person(&self.name)?.pseudonym.into())
    }
}
