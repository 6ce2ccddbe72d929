//! The lock file beside what is installed.

use super::{Ask, Parcel};
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::{Deserialize, Serialize};

/// Whether the lock file says what is installed; an error when it does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckLock {}

impl Ask for CheckLock {
    type Reply = ();

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<()>, ForgeError> {
        Ok(manager.check_lock()?.into())
    }
}

/// Writes the lock file anew from what is installed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Relock {}

/// The lock file that was written; its text is the body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Relocked {
    /// How the one before differed, a line for each plugin.
    pub was: Vec<String>,
    /// How many plugins it lists.
    pub plugins: usize,
}

impl Ask for Relock {
    type Reply = Relocked;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Relocked>, ForgeError> {
        let was = manager.lock_differences()?;
        let lock = manager.relock()?;
        Ok(Parcel { head: Relocked { was, plugins: lock.plugins }, body: lock.text.into_bytes() })
    }
}
