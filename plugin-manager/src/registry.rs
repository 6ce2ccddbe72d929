//! The hall: the plugin map and the load path put together. `PluginManager` is what shells and embedders use.

use common::error::ForgeError;
use common::identity::{Digest, PluginId};
use std::path::PathBuf;
use std::time::Duration;

/// Opens a [`PluginManager`].
#[derive(Debug, Default)]
pub struct ManagerBuilder {
    home: Option<PathBuf>,
    config: Option<PathBuf>,
    wait: Option<Duration>,
    operator: Option<String>,
}

impl ManagerBuilder {
    /// The home directory. Required.
    #[must_use]
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }
    /// The configuration file; `<home>/plugin-manager.yaml` when not given.
    #[must_use]
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }
    /// How long to wait for the home's lock; 10 s when not given.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }
    /// Who manages: the operator named in records.
    #[must_use]
    pub fn operator(mut self, name: impl Into<String>) -> Self {
        self.operator = Some(name.into());
        self
    }
    /// Opens the home, its log and its engines.
    ///
    /// # Errors
    /// E0102, E0103, E0104, E1408, E2004, E3004, E5006.
    pub fn open(self) -> Result<PluginManager, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E0001, "skeleton"))
    }
}

/// What `install` did.
#[derive(Debug, Clone)]
pub struct InstallReport {
    /// The plugin's id.
    pub id: PluginId,
    /// Name and version.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The checks that ran, in order, each with its outcome.
    pub checks: Vec<(String, String)>,
    /// What was granted, one line each.
    pub granted: Vec<String>,
    /// What was asked for and clamped or not granted, one line each.
    pub withheld: Vec<String>,
    /// What of the sandbox is enforced: `full`, `partial: …` or `none`.
    pub enforcement: String,
    /// The engine it runs on.
    pub engine: String,
    /// Time of compilation, when it was compiled now.
    pub compiled_in: Option<Duration>,
    /// Whether it was brought up once and down again.
    pub started: bool,
}

/// What `list` and `status` show of one plugin.
#[derive(Debug, Clone)]
pub struct PluginStatus {
    /// The plugin's id.
    pub id: PluginId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The state it is in: a name of the contract's state table.
    pub state: String,
    /// The state it should be in: `running`, `stopped` or `paused`.
    pub desired: String,
    /// The last failure, when it is `Failed`.
    pub failure: Option<String>,
    /// The engine it runs on.
    pub engine: String,
    /// What of the sandbox is enforced.
    pub enforcement: String,
    /// Its operations.
    pub operations: Vec<String>,
    /// What was granted, one line each.
    pub granted: Vec<String>,
    /// Limits as name and value.
    pub limits: Vec<(String, String)>,
    /// Counters since the manager was opened: calls, errors, denials.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Host calls denied.
    pub denials: u64,
    /// Bytes of linear memory of the live instance.
    pub memory_bytes: u64,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Whether the package was signed, and by whom.
    pub signer: Option<String>,
}

/// One line of `doctor`.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What was looked at.
    pub name: String,
    /// Whether it holds: `ok`, `warning` or `problem`.
    pub verdict: &'static str,
    /// What was seen, and what to do about it.
    pub detail: String,
}

/// The plugin host of one home.
#[derive(Debug)]
pub struct PluginManager {}

impl PluginManager {
    /// Starts building one.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }
    /// Verifies, grants, compiles and installs a package; with `start`, leaves it desired running and brings it
    /// up once and down again.
    ///
    /// # Errors
    /// Anything that refuses a package; E5xxx on conflicts. Nothing is changed then.
    pub fn install(&self, _package: Vec<u8>, _start: bool) -> Result<InstallReport, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E0001, "skeleton"))
    }
    /// Stops and removes a plugin and its compiled code. Its private data goes too unless `keep_data`.
    ///
    /// # Errors
    /// E5001, E5007.
    pub fn remove(&self, _name: &str, _keep_data: bool) -> Result<(), ForgeError> {
        Ok(())
    }
    /// Every installed plugin, by name.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn list(&self) -> Result<Vec<PluginStatus>, ForgeError> {
        Ok(Vec::new())
    }
    /// One plugin.
    ///
    /// # Errors
    /// E5001.
    pub fn status(&self, _name: &str) -> Result<PluginStatus, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// Desired running; brought up once and down again.
    ///
    /// # Errors
    /// E5001, E5002, and whatever its start runs into.
    pub fn start(&self, _name: &str) -> Result<PluginStatus, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// Desired stopped.
    ///
    /// # Errors
    /// E5001, E5002.
    pub fn stop(&self, _name: &str) -> Result<PluginStatus, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// Desired paused.
    ///
    /// # Errors
    /// E5001, E5002.
    pub fn pause(&self, _name: &str) -> Result<PluginStatus, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// Desired running again.
    ///
    /// # Errors
    /// E5001, E5002.
    pub fn resume(&self, _name: &str) -> Result<PluginStatus, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// Calls an operation; brings the plugin up if it is desired running and not up.
    ///
    /// # Errors
    /// E5001, E5003, E5005, E4xxx.
    pub fn call(&self, _name: &str, _operation: &str, _input: Vec<u8>) -> Result<Vec<u8>, ForgeError> {
        Err(ForgeError::new(&common::error::codes::E5001, "skeleton"))
    }
    /// A plugin's settings: `(section, key, value)` with section `config` or `env`.
    ///
    /// # Errors
    /// E5001.
    pub fn settings(&self, _name: &str) -> Result<Vec<(String, String, String)>, ForgeError> {
        Ok(Vec::new())
    }
    /// Sets (or with `None` unsets) one setting.
    ///
    /// # Errors
    /// E5001, E0101.
    pub fn set_setting(&self, _name: &str, _section: &str, _key: &str, _value: Option<&str>) -> Result<(), ForgeError> {
        Ok(())
    }
    /// The last lines a plugin logged.
    ///
    /// # Errors
    /// E5001.
    pub fn logs(&self, _name: &str, _lines: usize) -> Result<Vec<String>, ForgeError> {
        Ok(Vec::new())
    }
    /// What this build and machine can and cannot do, seen by trying.
    pub fn doctor(&self) -> Vec<Probe> {
        Vec::new()
    }
    /// Stops what runs, flushes the log and lets go of the home.
    ///
    /// # Errors
    /// When something could not be stopped or flushed.
    pub fn shutdown(self) -> Result<(), ForgeError> {
        Ok(())
    }
}
