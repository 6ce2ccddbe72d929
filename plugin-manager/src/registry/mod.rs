//! The hall: the plugin map and the load path put together. Everything above is used here; nothing but the crate
//! root uses this.

mod adapters;
mod bring_up;
mod by_id;
mod consent;
mod denials;
mod dependencies;
mod doctor;
mod drain;
mod error;
mod hall;
mod handle;
mod host;
mod install;
pub(crate) mod judge;
mod kernel;
#[cfg(any(test, feature = "authority"))]
mod keyring;
pub(crate) mod load;
mod manager;
mod native;
mod open;
mod operator;
mod report;
mod router;
pub(crate) mod sources;
mod steps;
mod survey;
#[cfg(test)]
mod tests;
pub mod trial;
mod turns;
mod upgrade;
mod versions;

pub use by_id::PluginRegistry;
pub use consent::PendingUpgrade;
pub use error::HostError;
pub use handle::{OperationHandle, PluginHandle};
pub use manager::PluginManager;
pub use open::ManagerBuilder;
pub use report::{InstallReport, PluginStatus, Probe, UpgradeReport};
pub use survey::{DependencyKind, DependencyNeed, DependencyNode, DependencyReport};
pub use trial::{BadPercent, Percent, Trial, TrialFigures, TrialKind, TrialSide, TrialStatus};
pub use versions::UpgradeOptions;
