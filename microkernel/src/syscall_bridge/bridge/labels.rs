//! Who is given a secret is marked, and recorded first. What a marked one may still do is decided in `trust`.

use super::{Caller, Entry, Status, SyscallBridge, chain};
use crate::trust::{Permit, Resource};
use common::audit::{Outcome, Record};

impl SyscallBridge {
    /// Marks who is about to be given a secret, and those it acts for: recorded first, or not given.
    #[cold]
    pub(super) fn give_secret(
        &self,
        caller: &mut Caller,
        entry: &Entry,
        resource: &Resource<'_>,
        permit: Permit,
    ) -> Result<Permit, Status> {
        if !caller.trust.is_tainted() {
            let decided = self.decided(permit.epoch(), permit.policies(), permit.cached());
            let chain = chain(&caller.chain);
            let details = [("label", "secret"), ("chain", chain.as_deref().unwrap_or_default())];
            let details = if chain.is_some() { &details[..] } else { details.get(..1).unwrap_or_default() };
            let record = Record { event: "label", details, ..entry.record(caller, resource, &decided) };
            self.told(&record, self.recorder.append(&record)).ok_or(Status::Unavailable)?;
            caller.trust.notice();
        }
        caller.trust.taint();
        Ok(permit)
    }

    /// Records that a plugin the caller called had read a secret, so that its answer may have held it.
    #[cold]
    pub(super) fn told_secret(&self, caller: &mut Caller) -> Result<(), Status> {
        let record = Record {
            event: "label",
            outcome: Outcome::Ok,
            code: None,
            actor: &caller.actor,
            action: "plugin_call",
            resource: ("plugin", ""),
            decision: None,
            details: &[("label", "secret")],
        };
        self.told(&record, self.recorder.append(&record)).ok_or(Status::Unavailable)?;
        caller.trust.notice();
        // Those it acts for are given its answer in turn.
        caller.trust.taint();
        Ok(())
    }
}
