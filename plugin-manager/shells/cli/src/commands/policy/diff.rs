//! `policy diff`: which policies differ, what may be decided otherwise of whom, and what of the calls that are recorded.

use super::replay::Changes;
use crate::args::PolicyDiff;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_table};
use comfy_table::Cell;
use plugin_manager::{ChangedProspect, EditedPolicy, Foreseen, PolicyChanges};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Serialize)]
struct Difference {
    policies: Vec<PolicyLine>,
    prospects: Vec<ProspectLine>,
    unread: Vec<String>,
    #[serde(flatten)]
    recorded: Changes,
}

#[derive(Debug, Serialize)]
struct PolicyLine {
    id: String,
    edit: &'static str,
}

/// What may be decided otherwise: a principal, an action, and what could become of it before and after.
#[derive(Debug, Serialize)]
struct ProspectLine {
    principal: String,
    principal_kind: &'static str,
    action: String,
    before: &'static str,
    after: &'static str,
    policies: Vec<String>,
}

impl From<EditedPolicy> for PolicyLine {
    fn from(policy: EditedPolicy) -> Self {
        Self { id: policy.id, edit: policy.edit.name() }
    }
}

impl From<ChangedProspect> for ProspectLine {
    fn from(changed: ChangedProspect) -> Self {
        let ChangedProspect { principal, principal_kind, action, before, after, policies } = changed;
        Self { principal, principal_kind, action, before: before.name(), after: after.name(), policies }
    }
}

impl Difference {
    fn new(foreseen: Foreseen, recorded: PolicyChanges) -> Self {
        Self {
            policies: foreseen.policies.into_iter().map(PolicyLine::from).collect(),
            prospects: foreseen.prospects.into_iter().map(ProspectLine::from).collect(),
            unread: foreseen.unread,
            recorded: recorded.into(),
        }
    }
}

impl Show for Difference {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for PolicyLine { id, edit } in &self.policies {
            writeln!(out, "{edit:8} {}", one_line(id))?;
        }
        if self.policies.is_empty() {
            writeln!(out, "the policies are the same")?;
        }
        let mut table = table(&["PRINCIPAL", "ACTION", "BEFORE", "AFTER", "BY"]);
        for line in &self.prospects {
            let who = format!("{} {}", line.principal_kind, line.principal);
            let cells = [&who, &line.action].map(|text| Cell::new(one_line(text)));
            let by = Cell::new(one_line(&line.policies.join(", ")));
            table.add_row(cells.into_iter().chain([tone(line.before), tone(line.after), by]));
        }
        if !self.prospects.is_empty() {
            writeln!(out, "\nwhat may be decided otherwise")?;
            write_table(out, &table)?;
        }
        for plugin in &self.unread {
            writeln!(out, "warning: the package of {plugin} cannot be read: nothing is told of it")?;
        }
        writeln!(out, "\nof what is recorded")?;
        self.recorded.human(out)
    }
}

/// Runs `policy diff`.
pub(super) fn run(context: &Context, args: &PolicyDiff) -> Result<(), Failure> {
    let (foreseen, recorded) =
        plugin_manager::diff_policies(context.home(), context.config(), &args.old, &args.new)?;
    context.output().show(&Difference::new(foreseen, recorded))
}
