//! The wasmtime engine.

use super::{Engine, EngineKind, RuntimeError};
use common::clock::Clock;
use std::sync::Arc;

/// Starts the engine and the thread that ends calls whose deadline has passed.
pub(super) fn start(_clock: Arc<dyn Clock>) -> Result<Arc<dyn Engine>, RuntimeError> {
    Err(RuntimeError::NotCompiledIn(EngineKind::Wasmtime))
}
