//! One plugin through its states: init, start, stop, pause, resume, calls, restarts after a trap.

mod budget;
mod error;
pub mod manager;
mod pool;
mod record;

pub use error::{LifecycleError, When};
pub use manager::{Blueprint, ManagedPlugin, PortMaker, StateVault};
