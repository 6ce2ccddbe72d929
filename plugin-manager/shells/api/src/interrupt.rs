//! Ctrl-C as a token: what a command waits for is given up instead of being cut off.

use crate::error::DaemonError;
use common::cancel::CancelToken;
use std::thread::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// A token that the first SIGINT of this process cancels from now on; the process is not ended by it any more.
///
/// # Errors
/// When the signal cannot be listened to.
pub fn interrupted() -> Result<CancelToken, DaemonError> {
    let failed = |source| DaemonError::Start { part: "signals", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut interrupt = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).map_err(failed)?
    };
    let token = CancelToken::new();
    let told = token.clone();
    let listen = move || {
        runtime.block_on(interrupt.recv());
        told.cancel();
    };
    // It waits as long as the process lives.
    Builder::new().name("forgeone-interrupt".into()).spawn(listen).map_err(failed)?;
    Ok(token)
}
