//! What changes what is installed and what runs.

use super::{Ask, Parcel};
use crate::shown::{Exchanged, Full, Installed, Planned};
use common::error::{ForgeError, codes};
use plugin_manager::{InstallRequest, PluginManager, Trial, UpgradeOptions};
use serde::{Deserialize, Serialize};
use std::time::Duration;

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

/// Installs several packages and what they need. The paths are absolute: whoever answers has another working directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstallAll {
    /// What is asked for.
    pub request: InstallRequest,
    /// Whether it is planned and not done.
    pub dry_run: bool,
}

impl Ask for InstallAll {
    type Reply = Planned;

    fn execute(self, manager: &PluginManager, _: Vec<u8>) -> Result<Parcel<Planned>, ForgeError> {
        let plan = manager.plan_install(&self.request)?;
        let done = if self.dry_run { Vec::new() } else { manager.install_planned(&plan, &self.request)? };
        let done = done.into_iter().map(|step| Installed::from(step.into_now())).collect();
        Ok(Planned::new(plan, done, self.dry_run).into())
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
    /// How it is tried first, by a host that stays up.
    pub trial: Option<Trial>,
    /// How long the installed version may finish calls once it is replaced.
    pub drain: Option<Duration>,
}

impl Ask for Upgrade {
    type Reply = Exchanged;

    fn needs_daemon(&self) -> Option<ForgeError> {
        self.trial.map(|_| {
            ForgeError::new(&codes::E5022, "no host stays up to hold a trial: it would end with this command")
                .with_help("run `forgeone serve` on this home, or leave --canary and --shadow out")
        })
    }

    fn execute(self, manager: &PluginManager, body: Vec<u8>) -> Result<Parcel<Exchanged>, ForgeError> {
        let Self { allow_downgrade, accept_permissions, check, trial, drain } = self;
        let options = UpgradeOptions { allow_downgrade, accept_permissions, check, trial, drain };
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
    Release,
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
            Verb::Release => manager.release(name),
        };
        Ok(Full::from(status?).into())
    }
}
