//! The wasmer engine: the only room that names wasmer.
//!
//! wasmer has no epochs. Its metering counts a fill of 64 MiB as one operator, and its host interrupt takes a lock of
//! the process at each call. So a middleware of ours adds to each function the code of `checks.rs`, which looks at a
//! flag of its instance, and one thread sets the flag of an instance whose deadline has passed (`deadline.rs`).
//!
//! What holds here:
//!
//! - A call ends at the first check after its deadline: within two milliseconds, or when the bulk operation or host
//!   call that is running then ends. One bulk operation is bounded by the memory limit (512 MB take about 100 ms).
//! - The module's start function runs under the deadline as any call does.
//! - Fuel is charged for each basic block, and for each 64 bytes or 8 elements of a bulk operation. It is looked at
//!   where the deadline is, so a call may use what a straight line of code costs beyond its budget.
//! - Guest code has a stack of [`super::STACK_BYTES`] of its own; host functions run on the caller's.
//! - Memories and tables keep within the limits; tables are bounded together.
//! - No trap is raised on the guest's stack (`checks.rs` says why that matters).
//! - wasmtime may live in the same process: each engine's signal handler passes on what is not its own.

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
