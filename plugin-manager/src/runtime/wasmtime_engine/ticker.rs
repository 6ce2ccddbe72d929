//! Moves an engine's epoch with the clock: one epoch is one millisecond.

use common::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Engine;

const MILLISECOND: u64 = 1_000_000;

/// Starts the thread; it ends when the engine and every module and instance of it are gone.
///
/// The epoch follows the clock and not the number of wake-ups, so an overslept thread delays deadlines by what
/// it overslept and no more.
pub(super) fn start(engine: &Engine, clock: Arc<dyn Clock>) -> std::io::Result<()> {
    let engine = engine.weak();
    let mut epoch = clock.mono_ns() / MILLISECOND;
    std::thread::Builder::new().name("forgeone-epoch".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            let now = clock.mono_ns() / MILLISECOND;
            for _ in epoch..now {
                engine.increment_epoch();
            }
            epoch = now.max(epoch);
            drop(engine);
            std::thread::sleep(Duration::from_millis(1));
        }
    })?;
    Ok(())
}
