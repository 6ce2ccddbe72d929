//! Two sets of policies without any recorded call: which policies differ, and what may be decided otherwise of whom.
//! Where nothing is told, no decision can differ.

use super::bench::Bench;
use crate::registry::offline::{OnFile, installed};
use common::error::ForgeError;
use common::identity::IdentityContext;
use microkernel::trust::{ManagementAction, Outlook, Prospect, TrustContext};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What stands for every operator whom no policy and no role names.
const ANYBODY: &str = "*";

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its text is another.
    Changed,
}

impl Edit {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A policy that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedPolicy {
    /// Its id: the file and the name in it.
    pub id: String,
    /// What became of it.
    pub edit: Edit,
}

/// A principal and an action, of which something may be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedProspect {
    /// Who: the name of a plugin or of an operator, or `*` for every operator that is named nowhere.
    pub principal: String,
    /// What kind of principal that is: `plugin` or `operator`.
    pub principal_kind: &'static str,
    /// The action.
    pub action: String,
    /// What can become of it before the change.
    pub before: Prospect,
    /// What can become of it after the change.
    pub after: Prospect,
    /// The ids of the policies that may speak of it and differ.
    pub policies: Vec<String>,
}

/// What differs between two sets of policies.
#[derive(Debug, Clone, Default)]
pub struct Foreseen {
    /// The policies that differ, by id.
    pub policies: Vec<EditedPolicy>,
    /// What may be decided otherwise, by principal and action.
    pub prospects: Vec<ChangedProspect>,
    /// Installed plugins whose packages could not be read, so that nothing is told of them.
    pub unread: Vec<String>,
}

/// The differences, for the installed plugins of a home and its operators.
pub(super) fn foresee(home: &Path, old: &Bench, new: &Bench) -> Result<Foreseen, ForgeError> {
    let mut foreseen = Foreseen { policies: edits(old, new), ..Foreseen::default() };
    if foreseen.policies.is_empty() {
        return Ok(foreseen);
    }
    for plugin in installed(home)? {
        match context(&plugin) {
            Some(context) => foreseen.prospects.extend(of_plugin(&context, old, new)),
            None => foreseen.unread.push(plugin.identity().name.to_string()),
        }
    }
    let named: BTreeSet<String> = old.operators().into_iter().chain(new.operators()).collect();
    for name in named.iter().map(String::as_str).chain([ANYBODY]) {
        foreseen.prospects.extend(of_operator(name, old, new));
    }
    Ok(foreseen)
}

fn edits(old: &Bench, new: &Bench) -> Vec<EditedPolicy> {
    let (before, after) = (old.texts(), new.texts());
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let edit = |id: &String| match (before.get(id), after.get(id)) {
        (None, Some(_)) => Some(Edit::Added),
        (Some(_), None) => Some(Edit::Removed),
        (one, other) => (one != other).then_some(Edit::Changed),
    };
    ids.into_iter().filter_map(|id| Some(EditedPolicy { edit: edit(id)?, id: id.clone() })).collect()
}

fn context(plugin: &OnFile) -> Option<TrustContext> {
    let identity = IdentityContext::plugin(plugin.identity());
    Some(TrustContext::with_grants(Arc::new(identity), plugin.permissions()?))
}

fn of_plugin<'a>(
    context: &'a TrustContext,
    old: &'a Bench,
    new: &'a Bench,
) -> impl Iterator<Item = ChangedProspect> + 'a {
    let changed = |action: &microkernel::syscall_bridge::Action| {
        let told = |bench: &Bench| bench.told(bench.evaluator().outlook(context, action));
        differs(("plugin", context.identity().name()), action.name, told(old), told(new))
    };
    old.actions().iter().filter_map(changed)
}

fn of_operator<'a>(name: &'a str, old: &'a Bench, new: &'a Bench) -> Vec<ChangedProspect> {
    let context = TrustContext::new(&IdentityContext::operator(name));
    let changed = |action: ManagementAction| {
        let told = |bench: &Bench| bench.told(bench.evaluator().outlook_management(&context, action));
        differs(("operator", name), action.name(), told(old), told(new))
    };
    ManagementAction::ALL.into_iter().filter_map(changed).collect()
}

/// An outlook with the texts of the policies that may speak.
pub(super) type ToldOutlook = (Prospect, BTreeMap<String, String>);

fn differs(
    (principal_kind, principal): (&'static str, &str),
    action: &str,
    (before, old): ToldOutlook,
    (after, new): ToldOutlook,
) -> Option<ChangedProspect> {
    // The same texts decide the same, whatever file they are in; and what is always or never so on both sides is the same.
    let texts = |of: &BTreeMap<String, String>| of.values().cloned().collect::<BTreeSet<_>>();
    if texts(&old) == texts(&new) || (before == after && before != Prospect::Depends) {
        return None;
    }
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let policies = ids.into_iter().filter(|id| old.get(*id) != new.get(*id)).cloned().collect();
    let (principal, action) = (principal.to_owned(), action.to_owned());
    Some(ChangedProspect { principal, principal_kind, action, before, after, policies })
}

impl Bench {
    fn told(&self, outlook: Outlook) -> ToldOutlook {
        let text = |id: String| Some((self.text(&id)?, id));
        let texts = outlook.policies.into_iter().filter_map(text).map(|(text, id)| (id, text)).collect();
        (outlook.prospect, texts)
    }
}
