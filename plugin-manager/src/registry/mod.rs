//! The hall: the plugin map and the load path put together. Everything above is used here; nothing but the crate
//! root uses this.

mod adapters;
mod bring_up;
mod by_id;
mod call;
mod call_threads;
mod consent;
mod denials;
mod dependencies;
mod directory;
mod doctor;
mod drain;
mod error;
mod hall;
mod handle;
mod host;
mod install;
mod install_all;
pub(crate) mod judge;
mod kernel;
#[cfg(any(test, feature = "authority"))]
mod keyring;
pub(crate) mod load;
mod lockfile;
mod locking;
mod manager;
mod native;
mod offers;
mod open;
mod operator;
mod plan;
mod report;
mod router;
pub(crate) mod sources;
mod steps;
mod survey;
#[cfg(test)]
pub(crate) mod tests;
pub mod trial;
mod turns;
mod undone;
mod upgrade;
mod versions;

pub use by_id::PluginRegistry;
pub use call::{CallFuture, CallOptions};
pub use consent::PendingUpgrade;
pub use directory::{DirectoryError, DirectoryReport, DirectoryWatch, HeldBack};
pub use error::HostError;
pub use handle::{OperationHandle, PluginHandle};
pub use install_all::{InstallAllReport, Installed};
pub use locking::LockFile;
pub use manager::PluginManager;
pub use offers::LeftOut;
pub use open::ManagerBuilder;
pub use plan::{InstallPlan, InstallRequest, PlannedChange, PlannedStep};
pub use report::{InstallReport, PluginStatus, Probe, UpgradeReport};
pub use survey::{DependencyKind, DependencyNeed, DependencyNode, DependencyReport};
pub use trial::{BadPercent, Percent, Trial, TrialFigures, TrialKind, TrialSide, TrialStatus};
pub use versions::UpgradeOptions;
