//! One plugin through its states: init, start, stop, pause, resume, calls, restarts after a trap.

mod blueprint;
mod budget;
mod error;
pub mod manager;
mod pool;
mod record;
mod service;
#[cfg(test)]
mod tests;

pub use blueprint::{Blueprint, PortMaker, StateVault, VaultFailure};
pub use error::{LifecycleError, When};
pub use manager::ManagedPlugin;
