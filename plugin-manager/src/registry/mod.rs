//! The hall: the plugin map and the load path put together. Everything above is used here; nothing but the crate
//! root uses this.

mod adapters;
mod bring_up;
mod by_id;
mod denials;
mod dependencies;
mod doctor;
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
mod running;
pub(crate) mod sources;
mod steps;
mod survey;
#[cfg(test)]
mod tests;
mod turns;
mod upgrade;
mod versions;

pub use by_id::PluginRegistry;
pub use error::HostError;
pub use handle::{OperationHandle, PluginHandle};
pub use manager::PluginManager;
pub use open::ManagerBuilder;
pub use report::{InstallReport, PluginStatus, Probe, UpgradeReport};
pub use running::BroughtUp;
pub use survey::{DependencyKind, DependencyNeed, DependencyNode, DependencyReport};
pub use versions::UpgradeOptions;
