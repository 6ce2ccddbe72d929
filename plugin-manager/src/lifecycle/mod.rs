//! One plugin through its states: init, start, stop, pause, resume, calls, restarts after a trap; and out of them in
//! favour of another version of it.

mod blueprint;
mod budget;
mod calls;
mod error;
mod keep;
mod keeper;
pub mod manager;
mod pool;
mod queue;
mod record;
mod service;
mod supervise;
mod swap;
#[cfg(test)]
mod tests;
mod warrant;

pub use blueprint::{Blueprint, PortMaker, Saved, StateVault, VaultFailure};
pub use error::{LifecycleError, When};
pub use keeper::{Keeper, Nobody};
pub use manager::ManagedPlugin;
pub use supervise::{Backoff, Ending, Next, RestartPolicy, RestartRules, Restarts};
pub use swap::{Held, LastState};
pub use warrant::{Unconditional, Warrant, Withdrawn};
