//! How a command reaches its home: through the daemon that has it, or by opening it; whichever comes first within
//! `--wait`.

use crate::context::Context;
use crate::failure::Failure;
use common::cancel::CancelToken;
use common::error::{ForgeError, codes};
use forgeone_api::{Answered, Ask, DaemonInfo, Parcel, Target, Unanswered};
use plugin_manager::{PluginManager, Progress};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks for a daemon while another process has the home.
const LOOK: Duration = Duration::from_millis(100);
/// After a daemon said that it is stopping.
const PAUSE: Duration = Duration::from_millis(20);

/// How long plugins may take to stop after Ctrl-C.
const HASTE: Duration = Duration::from_secs(1);

/// An answer, and how it ended.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer with its bytes.
    pub parcel: Parcel<T>,
    /// The daemon that gave it; `None` where the command opened the home.
    pub daemon: Option<DaemonInfo>,
    /// What letting go of the home ran into.
    pub ended: Result<(), ForgeError>,
}

/// Asks, wherever the home is had. A daemon may come and go meanwhile: nothing is asked twice that may have begun.
///
/// # Errors
/// What was asked ran into; E5006 or E0125 when the home was not to be had within `--wait`.
pub fn ask<A: Ask>(
    context: &Context,
    parcel: Parcel<A>,
    progress: &Arc<dyn Progress>,
) -> Result<Answer<A::Reply>, Failure> {
    let until = Instant::now() + context.wait();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let target = Target { home: context.home(), config: context.config(), wait: left, progress };
        match target.ask(&parcel.head, &parcel.body) {
            Ok(Answered { parcel, daemon }) => {
                return Ok(Answer { parcel, daemon: Some(daemon), ended: Ok(()) });
            }
            Err(Unanswered::Failed(error)) => return Err(error.into()),
            Err(Unanswered::NothingDone(error)) if left.is_zero() => return Err(error.into()),
            Err(Unanswered::NothingDone(_)) => thread::sleep(PAUSE.min(left)),
            Err(Unanswered::NoDaemon) => {
                if let Some(error) = parcel.head.needs_daemon() {
                    return Err(error.into());
                }
                match context.open(left.min(LOOK), progress.clone()) {
                    Ok(manager) => return ask_manager(manager, parcel),
                    Err(error) if error.code() == &codes::E5006 && !left.is_zero() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Asks a manager that was opened for this, and lets go of the home.
fn ask_manager<A: Ask>(manager: PluginManager, parcel: Parcel<A>) -> Result<Answer<A::Reply>, Failure> {
    let unwanted =
        if A::GIVES_UP { forgeone_api::interrupted().map_err(ForgeError::from)? } else { CancelToken::new() };
    let answered = parcel.head.execute_while(&manager, parcel.body, &unwanted);
    let ended = if unwanted.is_cancelled() { manager.shutdown_within(HASTE) } else { manager.shutdown() };
    Ok(Answer { parcel: answered?, daemon: None, ended })
}
