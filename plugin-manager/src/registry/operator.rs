//! Who acts on the host: policies decide about this principal, and what it does is recorded under its name.

use super::error::HostError;
use super::host::Host;
use super::policies::PolicySet;
use crate::store::StoreError;
use crate::syscall::text::escaped;
use common::audit::{Actor, Outcome, Record};
use common::error::{ErrorClass, ForgeError};
use common::identity::IdentityContext;
use microkernel::trust::{ManagementAction, TrustContext, Verdict};
use std::ops::Deref;
use std::sync::Arc;

/// Bits of a mark that say which operator it is of; the others are the policy epoch.
const NUMBER_BITS: u32 = 24;

/// Bytes of the reason kept in the record of a refused package.
const WHY_BYTES: usize = 256;

/// Bytes of what is wrong with files of the home that are kept in a record.
const FILES_WHY_BYTES: usize = 1024;

/// What records say of an operator who cannot be named.
const UNNAMED: &str = "unnamed";

/// The number of who opened the home.
const OPENER: u64 = 1;

/// A principal that manages the host.
#[derive(Debug)]
pub(super) struct Operator {
    /// As records name it.
    actor: Actor,
    /// Why records cannot name it.
    unnamed: Option<Arc<StoreError>>,
    /// As decisions know it.
    trust: TrustContext,
    /// Which of the operators of this host it is.
    number: u64,
}

impl Operator {
    /// Who opened the home, under this name in records.
    pub fn opener(identity: &IdentityContext, actor: Actor) -> Arc<Self> {
        Arc::new(Self { actor, unnamed: None, trust: TrustContext::new(identity), number: OPENER })
    }

    /// The operator this context speaks of. One who cannot be named in records may do nothing.
    pub fn numbered(trust: &TrustContext, number: u64, actor: Result<Actor, StoreError>) -> Arc<Self> {
        let mut own = TrustContext::with_grants(trust.identity().clone(), trust.grants().to_vec());
        own.set_depth(trust.depth());
        let (actor, unnamed) = match actor {
            Ok(actor) => (actor, None),
            Err(error) => (Actor::new(&IdentityContext::operator(UNNAMED)), Some(Arc::new(error))),
        };
        Arc::new(Self { actor, unnamed, trust: own, number })
    }

    /// Whether it is who opened the home.
    pub const fn is_opener(&self) -> bool {
        self.number == OPENER
    }

    /// This operator in this epoch as one number, for remembering that it was allowed something; `None` when
    /// either no longer fits and nothing may be remembered. Never 0.
    pub fn mark(&self, epoch: u64) -> Option<u64> {
        let fits = self.number < 1 << NUMBER_BITS && epoch < 1 << (u64::BITS - NUMBER_BITS);
        fits.then_some(epoch << NUMBER_BITS | self.number)
    }
}

/// The host, for one operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk<'a> {
    host: &'a Host,
    operator: &'a Operator,
}

impl Deref for Desk<'_> {
    type Target = Host;
    fn deref(&self) -> &Host {
        self.host
    }
}

impl Host {
    /// What this operator may do here, and the records of it.
    pub const fn desk<'a>(&'a self, operator: &'a Operator) -> Desk<'a> {
        Desk { host: self, operator }
    }
}

impl<'a> Desk<'a> {
    /// The host, for as long as the desk's own borrow lasts.
    pub const fn parts(self) -> &'a Host {
        self.host
    }

    /// Who acts.
    pub fn identity(self) -> &'a IdentityContext {
        self.operator.trust.identity()
    }

    /// Whether the operator may do this with this plugin. Recording a denial is the caller's part.
    pub fn authorise(self, action: ManagementAction, plugin: &str) -> Result<(), ForgeError> {
        let trust = &self.operator.trust;
        if let Some(source) = &self.operator.unnamed {
            return Err(HostError::Unnamed(source.clone()).into());
        }
        match self.bridge.evaluator().evaluate_management(trust, action, plugin) {
            Verdict::Allow(_) => Ok(()),
            Verdict::Deny(denial) => Err(HostError::Denied {
                operator: trust.identity().name().to_owned(),
                action: action.name(),
                name: plugin.to_owned(),
                code: denial.code,
                reason: denial.reason,
            }
            .into()),
        }
    }

    /// Whether the operator may read this, all plugins when it is empty; a denial is recorded.
    pub fn may_read(self, plugin: &str) -> Result<(), ForgeError> {
        let read = ManagementAction::Read;
        self.recorded(read, plugin, || self.authorise(read, plugin))
    }

    /// Tells the log that the home was opened, and which security defaults are switched off: durable, or as soon as
    /// the log can. One that cannot refuses what is to be done, not the opening: plugins can be stopped.
    pub fn announce(self) {
        let weakened = self.config.weakened().join(" ");
        let PolicySet { digest, files, names } = self.policy_files.set();
        let epoch = self.bridge.evaluator().epoch().to_string();
        let details = [
            ("environment", self.config.environment.name()),
            ("weakened", weakened.as_str()),
            ("policies", &digest),
            ("files", &files),
            ("names", &names),
            ("epoch", &epoch),
        ];
        let record = self.management("open", "", Outcome::Ok, None, &details);
        match self.audit.append(&record) {
            // It is in the journal, and is written once the log can.
            Ok(ticket) => drop(ticket.durable()),
            Err(_) => self.audit.protect(&record),
        }
    }

    /// Records a management action before its effect: durable, or refused.
    pub fn intend(self, action: &str, plugin: &str, details: &[(&str, &str)]) -> Result<(), ForgeError> {
        let record = self.management(action, plugin, Outcome::Ok, None, details);
        self.audit.commit(&record)?;
        Ok(())
    }

    /// Records a management action that protects: never refused.
    pub fn protect(self, action: &str, plugin: &str, details: &[(&str, &str)]) {
        self.audit.protect(&self.management(action, plugin, Outcome::Ok, None, details));
    }

    /// Does a management action; a refusal or failure of it is recorded with its code.
    pub fn recorded<T>(
        self,
        action: ManagementAction,
        plugin: &str,
        job: impl FnOnce() -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        job().inspect_err(|error| self.refusal(action.name(), plugin, error))
    }

    /// As [`Desk::recorded`], for a change of the whole host by its own files: what is wrong with them, and where, is
    /// told in the record.
    pub fn recorded_in_full<T>(
        self,
        action: ManagementAction,
        change: &str,
        job: impl FnOnce() -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        job().inspect_err(|error| {
            let said = std::iter::once(error.to_string()).chain(error.reasons().iter().cloned());
            let why = escaped(said.collect::<Vec<_>>().join(": ").as_bytes(), FILES_WHY_BYTES);
            self.refusal_saying(action.name(), "", error, &[("change", change), ("why", &why)]);
        })
    }

    fn refusal(self, action: &str, plugin: &str, error: &ForgeError) {
        // What a plugin says when it fails is data, and its own record names the cause; that a package is refused, or
        // that a step does not fit the state, is said in the host's words.
        let why = escaped(error.to_string().as_bytes(), WHY_BYTES);
        let why = [("why", why.as_str())];
        let own = matches!(error.class(), ErrorClass::Refused | ErrorClass::State);
        let details = if own { &why[..] } else { &[] };
        self.refusal_saying(action, plugin, error, details);
    }

    fn refusal_saying(self, action: &str, plugin: &str, error: &ForgeError, details: &[(&str, &str)]) {
        let outcome = match error.class() {
            ErrorClass::Denied | ErrorClass::Refused => Outcome::Denied,
            ErrorClass::Limit => Outcome::Limit,
            _ => Outcome::Failed,
        };
        let record = self.management(action, plugin, outcome, Some(error.code().id), details);
        if let Err(unrecorded) = self.audit.append(&record) {
            tracing::error!(%error, %unrecorded, "a refusal could not be recorded");
        }
    }

    /// What a record of this management action says.
    pub fn management(
        self,
        action: &'a str,
        plugin: &'a str,
        outcome: Outcome,
        code: Option<&'a str>,
        details: &'a [(&'a str, &'a str)],
    ) -> Record<'a> {
        let (actor, resource) = (&self.operator.actor, ("plugin", plugin));
        Record { event: "management", outcome, code, actor, action, resource, decision: None, details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_two_operators_or_two_epochs_differ_and_large_ones_are_none() {
        let trust = TrustContext::new(&IdentityContext::operator("ada"));
        let mark =
            |number, epoch| Operator::numbered(&trust, number, Ok(Actor::new(trust.identity()))).mark(epoch);
        let marks = [mark(1, 1), mark(2, 1), mark(1, 2), mark(2, 2)];
        assert!(marks.iter().all(|m| m.is_some_and(|m| m != 0)), "{marks:?}");
        assert_eq!(marks.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!((mark(1 << 24, 1), mark(1, 1 << 40)), (None, None));
        assert!(mark((1 << 24) - 1, (1 << 40) - 1).is_some());
    }
}
