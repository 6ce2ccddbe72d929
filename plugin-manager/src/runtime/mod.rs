//! Runs modules: one trait, one file for each engine, one conformance suite over all.

mod code;
#[cfg(test)]
pub(crate) mod conformance;
mod engine;
mod error;
mod execution;
pub mod native;
mod nesting;
#[cfg(feature = "wasmer-runtime")]
mod wasmer_engine;
#[cfg(feature = "wasmtime-runtime")]
mod wasmtime_engine;

pub use crate::sandbox::{EngineKind, Lifecycle};
pub use code::{CodeKey, TrustedCode};
pub use engine::{CompiledModule, Engine, Entry, ExportPlan, Instance, Usage};
pub use error::{EngineFailure, RuntimeError, Trap};
pub use execution::{CallOutcome, Execution, Terms};
pub(crate) use nesting::THREAD_BYTES;

use common::clock::Clock;
use std::sync::Arc;

/// Native stack of guest code, in bytes, on every engine; the default of `Limits::stack_bytes`. It belongs to an
/// engine's configuration and not to an instance, so all plugins have the same.
pub const STACK_BYTES: usize = 512 << 10;

/// The engines compiled into this build.
pub fn available() -> &'static [EngineKind] {
    &[
        #[cfg(feature = "wasmtime-runtime")]
        EngineKind::Wasmtime,
        #[cfg(feature = "wasmer-runtime")]
        EngineKind::Wasmer,
    ]
}

/// The engine of this kind.
///
/// # Errors
/// [`RuntimeError::NotCompiledIn`], or when the engine cannot start.
pub fn engine(kind: EngineKind, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Engine>, RuntimeError> {
    match kind {
        #[cfg(feature = "wasmtime-runtime")]
        EngineKind::Wasmtime => wasmtime_engine::start(clock.clone()),
        #[cfg(feature = "wasmer-runtime")]
        EngineKind::Wasmer => wasmer_engine::start(clock.clone()),
        EngineKind::Native => Ok(native::engine()),
        #[allow(unreachable_patterns, reason = "reached when an engine is left out of the build")]
        other => {
            let _ = clock;
            Err(RuntimeError::NotCompiledIn(other))
        }
    }
}
