//! The wasmer engine: the only room that names wasmer.
//!
//! wasmer has no epochs, so a middleware of ours makes each function look at a flag of its instance, and one thread
//! sets the flag of an instance whose deadline has passed (`deadline.rs`). A call ends at the first check after
//! that: within two milliseconds of its deadline, or when the bulk operation or host call that is running ends.

mod checks;
mod deadline;
mod engine;
mod host;
mod instance;
mod middleware;
#[cfg(test)]
mod tests;
mod tunables;

use super::{Engine, RuntimeError};
use common::clock::Clock;
use std::sync::Arc;

/// Starts the engine and the thread that ends calls whose deadline has passed.
pub(super) fn start(clock: Arc<dyn Clock>) -> Result<Arc<dyn Engine>, RuntimeError> {
    Ok(Arc::new(engine::WasmerEngine::start(clock)?))
}
