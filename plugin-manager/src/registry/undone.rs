//! A management action is planned, recorded and done, in this order. What was recorded and not done is told to the log:
//! at once when the change failed, by the next opening when the process ended in between.

use super::operator::Desk;
use crate::store::Plan;
use common::audit::{Actor, AuditError, Health, Outcome, Record, tail};
use common::error::ForgeError;
use common::identity::{IdentityContext, Name};
use microkernel::trust::ManagementAction;
use serde::Deserialize;

/// A change that the home knows is about to be made. Let go of without it, it is forgotten.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    desk: Desk<'a>,
    name: Name,
}

impl Drop for Planned<'_> {
    fn drop(&mut self) {
        // The change itself takes the plan away. One that stays is looked at by the next opening.
        if let Ok(Some(_)) = self.desk.home.planned(&self.name) {
            let _ = self.desk.home.drop_plan(&self.name);
        }
    }
}

impl<'a> Desk<'a> {
    /// Lets the home know what is about to be done to a plugin, so that a crash is told from the change. `None` for a
    /// plugin that the home does not keep.
    ///
    /// # Errors
    /// E3001 while the log does not record: the change would be refused. E0002 when the home cannot be written.
    pub fn plan(self, action: ManagementAction, name: &Name) -> Result<Option<Planned<'a>>, ForgeError> {
        if self.natives.row(name).is_some() {
            return Ok(None);
        }
        if let Health::Refusing(refusal) = self.audit.health() {
            return Err(AuditError::Refused(refusal.reason).into());
        }
        let after = self.audit.metrics().appended;
        self.home.plan(&Plan { name: name.clone(), action: action.name().to_owned(), after })?;
        Ok(Some(Planned { desk: self, name: name.clone() }))
    }

    /// Plans a change unless that is done already, records it, durable, and makes it. When it fails, the log is told
    /// that it was not made.
    ///
    /// # Errors
    /// E30xx, and nothing is changed; whatever the change runs into.
    pub fn carry_out<T>(
        self,
        action: ManagementAction,
        name: &Name,
        details: &[(&str, &str)],
        change: impl FnOnce() -> Result<T, ForgeError>,
    ) -> Result<T, ForgeError> {
        let planned = self.home.planned(name)?.is_some_and(|plan| plan.action == action.name());
        let _plan = if planned { None } else { self.plan(action, name)? };
        let record = self.management(action.name(), name.as_str(), Outcome::Ok, None, details);
        let ticket = self.audit.begin(&record)?;
        let seq = ticket.seq();
        if let Err(refused) = ticket.durable() {
            // It is in the journal, and is written once the log can.
            self.not_made(action.name(), name, seq, refused.to_string());
            return Err(refused.into());
        }
        change().inspect_err(|error| {
            // After a sync that failed nobody knows: the next opening looks.
            if matches!(self.home.planned(name), Ok(Some(_))) {
                self.not_made(action.name(), name, seq, error.to_string());
            }
        })
    }

    /// Tells the log that a change was not made, now or as soon as it can.
    fn not_made(self, action: &str, name: &Name, seq: u64, why: String) {
        let seq = seq.to_string();
        let details = [("completed", "false"), ("why", why.as_str()), ("record", seq.as_str())];
        let actor = host_actor();
        let record = outcome(&actor, action, name, &details);
        match self.audit.append(&record) {
            Ok(ticket) => {
                // A log that fails now still has it.
                let _ = ticket.durable();
            }
            Err(_) => self.audit.protect(&record),
        }
    }

    /// Tells the log of every change that it has a record of and that the process before did not make. While the log
    /// does not record, and where the home cannot be written, the plans stay for the next opening.
    ///
    /// # Errors
    /// When the home or the log cannot be read.
    pub fn settle_plans(self) -> Result<(), ForgeError> {
        if self.audit.health() != Health::Recording {
            return Ok(());
        }
        for plan in self.home.plans()? {
            let told = self.record_of(&plan)?.is_none_or(|seq| self.crashed(&plan, seq));
            if told && let Err(error) = self.home.drop_plan(&plan.name) {
                tracing::warn!(plugin = %plan.name, %error, "what the log was told of stays planned");
            }
        }
        Ok(())
    }

    /// Whether the log has, durable, that the process ended before this change was made.
    fn crashed(self, plan: &Plan, seq: u64) -> bool {
        let seq = seq.to_string();
        let details = [
            ("completed", "false"),
            ("why", "the process ended before the change was made"),
            ("record", seq.as_str()),
        ];
        let actor = host_actor();
        self.audit.commit(&outcome(&actor, &plan.action, &plan.name, &details)).is_ok()
    }

    /// The number of the record of a change that was planned. Only what was recorded since is read.
    fn record_of(self, plan: &Plan) -> Result<Option<u64>, ForgeError> {
        let since = self.audit.metrics().appended.saturating_sub(plan.after);
        let lines = tail(&self.home.audit_dir(), since)?;
        let mut found = None;
        for line in lines {
            found = matching(&line.map_err(AuditError::from)?, plan).or(found);
        }
        Ok(found)
    }
}

fn host_actor() -> Actor {
    Actor::new(&IdentityContext::new("manager"))
}

fn outcome<'a>(
    actor: &'a Actor,
    action: &'a str,
    name: &'a Name,
    details: &'a [(&'a str, &'a str)],
) -> Record<'a> {
    Record {
        event: "outcome",
        outcome: Outcome::Failed,
        code: None,
        actor,
        action,
        resource: ("plugin", name.as_str()),
        decision: None,
        details,
    }
}

/// What is read of a record.
#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(rename = "type", borrow)]
    event: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    outcome: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    action: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    resource: Resource<'a>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
}

/// The number of this line when it is the record of what was planned.
fn matching(line: &str, plan: &Plan) -> Option<u64> {
    // Most lines are of calls: they are not parsed.
    if !line.contains(r#""type":"management""#) {
        return None;
    }
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    let this = line.event == "management"
        && line.outcome == "ok"
        && line.action == plan.action
        && line.resource.name == plan.name.as_str()
        && line.seq >= plan.after;
    this.then_some(line.seq)
}
