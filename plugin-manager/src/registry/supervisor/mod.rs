//! Keeps plugins that are desired running up: brings them up in the order of what they need, checks their health,
//! starts what failed again by its policy, and holds back what needs a plugin that is out of service.
//!
//! `kept` decides for one plugin and does nothing, `watch` looks at all of them, `jobs` does what was decided, `guard`
//! has the threads. `ledger` is what is counted and shown meanwhile.

mod guard;
mod jobs;
mod kept;
mod ledger;
mod watch;

pub use guard::Supervision;
pub(super) use ledger::{HouseKeeper, Ledgers};
#[cfg(test)]
pub(super) use watch::{Bell, Watch};
