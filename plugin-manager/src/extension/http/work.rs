//! Work that the client's threads finish whether or not anybody still waits for it, and its outcome.

use super::fault::Fault;
use super::net::Http;
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use std::future::Future;
use tokio::sync::watch;

/// Work that was begun.
#[derive(Debug, Clone)]
pub(in crate::extension) struct Work<T>(watch::Receiver<Option<T>>);

impl<T: Clone + Send + Sync + 'static> Work<T> {
    /// Begins it. It bounds its own time.
    pub fn begin(http: &Http, work: impl Future<Output = T> + Send + 'static) -> Result<Self, Fault> {
        let (tell, told) = watch::channel(None);
        http.handle()?.spawn(async move {
            // An outcome nobody is left to hear is of no use.
            tell.send(Some(work.await)).ok();
        });
        Ok(Self(told))
    }

    /// Its outcome, once it has ended; an error when it ended without one.
    pub fn outcome(&self) -> Option<Result<T, Fault>> {
        // Asked before the outcome is looked at: what ends in between has left it by then.
        let ended = self.0.has_changed().is_err();
        let outcome = self.0.borrow().clone();
        outcome.map(Ok).or(ended.then_some(Err(Fault::Internal)))
    }

    /// Waits until it has ended, no longer than until the deadline or the cancellation. The work goes on.
    pub fn wait(
        &self,
        http: &Http,
        until: Deadline,
        clock: &dyn Clock,
        cancel: Option<&CancelToken>,
    ) -> Result<(), Fault> {
        let mut told = self.0.clone();
        let ended = async move {
            // An error says that it ended without an outcome, which `outcome` tells.
            told.wait_for(Option::is_some).await.map(drop).ok();
            Ok(())
        };
        http.wait(ended, until, clock, cancel)
    }
}
