//! `policy explain` and `test`: recorded calls before the policies of now, and before others.

use crate::args::{PolicyExplain, PolicyTest};
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output::{Show, table, tone, write_pairs, write_table};
use comfy_table::Cell;
use plugin_manager::{ChangedDecision, Denied, Explanation, HeldBy, PolicyChanges, RecordedCall};
use serde::Serialize;
use std::io::{self, Write};

/// Who did what to which.
#[derive(Debug, Serialize)]
struct CallLine {
    principal: String,
    /// `plugin`, `operator` or `host`.
    principal_kind: &'static str,
    /// Of a plugin.
    publisher: Option<String>,
    version: Option<String>,
    action: String,
    resource_kind: String,
    resource: String,
    /// How many plugins had called one another.
    depth: u32,
}

impl From<RecordedCall> for CallLine {
    fn from(call: RecordedCall) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            principal: call.principal,
            principal_kind: call.principal_kind,
            publisher: some(call.publisher),
            version: some(call.version),
            action: call.action,
            resource_kind: call.resource_kind,
            resource: call.resource,
            depth: call.depth,
        }
    }
}

impl CallLine {
    fn touched(&self) -> String {
        one_line(format!("{} {}", self.resource_kind, self.resource).trim())
    }
}

#[derive(Debug, Serialize)]
struct Explained {
    seq: u64,
    time: String,
    call: CallLine,
    code: String,
    held_by: &'static str,
    reason: String,
    rules: Vec<RuleLine>,
    lacking: Option<String>,
    smallest: Option<String>,
    permitted_now: Option<bool>,
    #[serde(skip)]
    advice: String,
}

#[derive(Debug, Serialize)]
struct RuleLine {
    id: String,
    text: Option<String>,
}

impl From<Explanation> for Explained {
    fn from(e: Explanation) -> Self {
        Self {
            advice: advice(&e),
            seq: e.seq,
            time: e.time,
            call: e.call.into(),
            code: e.code,
            held_by: e.held_by.name(),
            reason: e.reason,
            rules: e.rules.into_iter().map(|rule| RuleLine { id: rule.id, text: rule.text }).collect(),
            lacking: e.lacking,
            smallest: e.smallest,
            permitted_now: e.permitted_now,
        }
    }
}

/// What would allow it, in words.
fn advice(e: &Explanation) -> String {
    let smallest = e.smallest.as_deref().unwrap_or("nothing that is known");
    let who = e.lacking.as_deref().unwrap_or(&e.call.principal);
    match e.held_by {
        HeldBy::Grant => format!("in the manifest of {who}, under [permissions]: {smallest}"),
        HeldBy::Caller if smallest.starts_with("permit(") => format!("a policy: {smallest}"),
        HeldBy::Caller => format!("in the manifest of {who}, which called, under [permissions]: {smallest}"),
        HeldBy::NoRule => format!("a policy: {smallest}"),
        HeldBy::Rule => "no grant: a forbid wins; change or remove the rule".to_owned(),
        HeldBy::Secret => "no grant: what it has read is forgotten when the instance ends".to_owned(),
        HeldBy::Fault => "no grant: mend the policy that could not be evaluated".to_owned(),
    }
}

impl Show for Explained {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let now = match self.permitted_now {
            Some(true) => "permit it, were it granted",
            Some(false) => "do not permit it",
            None => "cannot be asked: the action is of another program",
        };
        let rules: Vec<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        let rules = if rules.is_empty() { "none".to_owned() } else { rules.join(", ") };
        write_pairs(
            out,
            &[
                ("record", format!("{} of {}", self.seq, self.time)),
                (
                    "call",
                    format!(
                        "{} {} by {}",
                        self.call.action,
                        self.call.touched(),
                        one_line(&self.call.principal)
                    ),
                ),
                ("denied", format!("{}: {}", self.code, one_line(&self.reason))),
                ("rules", one_line(&rules)),
                ("smallest", one_line(&self.advice)),
                ("now", format!("the policies {now}")),
            ],
        )?;
        for rule in self.rules.iter().filter_map(|rule| rule.text.as_deref()) {
            writeln!(out)?;
            rule.lines().try_for_each(|line| writeln!(out, "  {}", one_line(line)))?;
        }
        Ok(())
    }
}

/// Runs `policy explain`.
pub(super) fn explain(context: &Context, args: &PolicyExplain) -> Result<(), Failure> {
    let denied = match (&args.plugin, args.seq) {
        (Some(plugin), _) => Denied::LastOf(plugin.clone()),
        (None, seq) => Denied::Record(seq.unwrap_or_default()),
    };
    let explained = plugin_manager::explain_denial(context.home(), context.config(), &denied)?;
    context.output().show(&Explained::from(explained))
}

/// What is decided otherwise of recorded calls.
#[derive(Debug, Serialize)]
pub(super) struct Changes {
    changed: Vec<ChangeLine>,
    decided: u64,
    skipped: u64,
}

#[derive(Debug, Serialize)]
struct ChangeLine {
    call: CallLine,
    times: u64,
    before: &'static str,
    after: &'static str,
    because: String,
}

impl From<ChangedDecision> for ChangeLine {
    fn from(change: ChangedDecision) -> Self {
        let (before, after) =
            if change.permitted_before { ("permitted", "denied") } else { ("denied", "permitted") };
        let ChangedDecision { call, times, because, .. } = change;
        Self { call: call.into(), times, before, after, because }
    }
}

impl From<PolicyChanges> for Changes {
    fn from(changes: PolicyChanges) -> Self {
        let PolicyChanges { changed, decided, skipped } = changes;
        Self { changed: changed.into_iter().map(ChangeLine::from).collect(), decided, skipped }
    }
}

impl Show for Changes {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = table(&["PRINCIPAL", "ACTION", "RESOURCE", "TIMES", "BEFORE", "AFTER", "BECAUSE"]);
        for line in &self.changed {
            let cells =
                [&line.call.principal, &line.call.action, &line.call.touched(), &line.times.to_string()];
            let cells = cells.map(|text| Cell::new(one_line(text)));
            let ends = [tone(line.before), tone(line.after), Cell::new(one_line(&line.because))];
            table.add_row(cells.into_iter().chain(ends));
        }
        if !self.changed.is_empty() {
            write_table(out, &table)?;
            writeln!(out)?;
        }
        let Self { changed, decided, skipped } = self;
        writeln!(out, "{} of {decided} different calls would be decided otherwise", changed.len())?;
        writeln!(out, "{skipped} recorded calls were not decided again")
    }
}

/// Runs `policy test`.
pub(super) fn test(context: &Context, args: &PolicyTest) -> Result<(), Failure> {
    let changes = plugin_manager::test_policies(context.home(), context.config(), &args.candidate)?;
    context.output().show(&Changes::from(changes))
}
