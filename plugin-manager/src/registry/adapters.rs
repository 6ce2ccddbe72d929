//! Where rooms that must not know each other meet: the store behind services, saved state and log lines.

use crate::extension::kv::{KvPersist, PersistError, PersistRow};
use crate::lifecycle::StateVault;
use crate::store::{Home, KvRow, LogFiles, namespace};
use crate::syscall::LogSink;
use common::identity::{Name, PluginIdentity};
use std::sync::Arc;

/// Saved state of one plugin, in the store.
#[derive(Debug)]
pub(super) struct Vault {
    home: Arc<Home>,
    owner: String,
    version: String,
}

impl Vault {
    pub fn new(home: Arc<Home>, identity: &PluginIdentity) -> Self {
        let owner = namespace(&identity.publisher, &identity.name);
        Self { home, owner, version: identity.version.clone() }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl StateVault for Vault {
    fn load(&self) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.home.saved_state(&self.owner)?.map(|saved| saved.bytes))
    }
    fn save(&self, state: &[u8]) -> Result<(), Failure> {
        Ok(self.home.save_state(&self.owner, &self.version, state)?)
    }
}
