//! Whether the daemon serves, and how many requests are under way.

use crate::error::DaemonError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How far the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Plugins are being brought up; requests wait.
    Starting,
    /// Requests are answered.
    Serving,
    /// What is under way goes on; nothing else is begun.
    Stopping,
    /// Nothing is under way; connections end.
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct State {
    stage: Stage,
    under_way: usize,
}

/// The one place that says what may begin.
#[derive(Debug)]
pub struct Gate {
    state: watch::Sender<State>,
    pid: u32,
}

impl Gate {
    /// A gate of a daemon that is starting.
    pub fn new(pid: u32) -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State { stage: Stage::Starting, under_way: 0 }), pid })
    }

    /// Goes on to a later stage. An earlier one is never gone back to.
    pub fn pass_to(&self, stage: Stage) {
        self.state.send_if_modified(|state| {
            let later = stage > state.stage;
            state.stage = state.stage.max(stage);
            later
        });
    }

    /// How many requests are under way.
    pub fn under_way(&self) -> usize {
        self.state.borrow().under_way
    }

    /// Lets one request in, waiting up to `wait` for a daemon that is starting. It is under way until the last clone of
    /// the answer is dropped.
    ///
    /// # Errors
    /// When the daemon does not serve: nothing may be done.
    pub async fn enter(self: &Arc<Self>, wait: Duration) -> Result<Arc<UnderWay>, DaemonError> {
        let mut state = self.state.subscribe();
        let started = state.wait_for(|state| state.stage != Stage::Starting);
        // Too late, or the gate is gone: either way the stage below decides.
        let _ = tokio::time::timeout(wait, started).await;
        let mut stage = Stage::Starting;
        self.state.send_if_modified(|state| {
            stage = state.stage;
            let serves = state.stage == Stage::Serving;
            state.under_way += usize::from(serves);
            serves
        });
        match stage {
            Stage::Serving => Ok(Arc::new(UnderWay(self.clone()))),
            Stage::Starting => Err(DaemonError::NotServing { pid: self.pid, stage: "starting" }),
            Stage::Stopping | Stage::Closing => {
                Err(DaemonError::NotServing { pid: self.pid, stage: "stopping" })
            }
        }
    }

    /// Until nothing is under way.
    pub async fn idle(&self) {
        // The sender lives in this gate, so waiting ends only with what is waited for.
        let _ = self.state.subscribe().wait_for(|state| state.under_way == 0).await;
    }

    /// Until the daemon is at this stage.
    pub async fn at(&self, stage: Stage) {
        let _ = self.state.subscribe().wait_for(|state| state.stage >= stage).await;
    }
}

/// One request under way.
#[derive(Debug)]
pub struct UnderWay(Arc<Gate>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::{Coded, codes};

    fn block_on<T>(job: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(job)
    }

    #[test]
    fn a_request_waits_for_a_daemon_that_starts_and_no_longer_than_it_says() {
        block_on(async {
            let gate = Gate::new(7);
            let refused = gate.enter(Duration::ZERO).await.unwrap_err();
            assert_eq!(
                (refused.code(), refused.to_string()),
                (&codes::E0125, "the daemon, process 7, is starting".into())
            );
            let waiting = gate.enter(Duration::from_secs(600));
            let (entered, ()) = tokio::join!(waiting, async { gate.pass_to(Stage::Serving) });
            assert!(entered.is_ok());
        });
    }

    #[test]
    fn what_is_under_way_is_waited_for_and_nothing_begins_meanwhile() {
        block_on(async {
            let gate = Gate::new(7);
            gate.pass_to(Stage::Serving);
            let first = gate.enter(Duration::ZERO).await.unwrap();
            let job = first.clone();
            gate.pass_to(Stage::Stopping);
            assert!(gate.enter(Duration::ZERO).await.is_err());
            drop(first);
            assert_eq!(gate.under_way(), 1);
            let ((), ()) = tokio::join!(gate.idle(), async { drop(job) });
            assert_eq!(gate.under_way(), 0);
        });
    }

    #[test]
    fn an_earlier_stage_is_never_gone_back_to() {
        block_on(async {
            let gate = Gate::new(7);
            gate.pass_to(Stage::Stopping);
            gate.pass_to(Stage::Serving);
            assert!(gate.enter(Duration::ZERO).await.unwrap_err().to_string().ends_with("stopping"));
        });
    }
}
