//! The actions an evaluator knows: host calls first, then the management verbs. Rows never change.

use super::{ManagementAction, ResourceKind, TrustError};
use crate::syscall_bridge::Action;
use common::permission::Capability;
use std::collections::BTreeSet;

/// The index of an action in an evaluator's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row(u16);

impl Row {
    /// The index.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The group every host call belongs to. The name of a group ends in `.*`, so it is never that of an action.
pub(super) const SYSCALL: &str = "syscall.*";
/// The group every management verb belongs to.
pub(super) const MANAGEMENT: &str = "management.*";

/// Actions that do what another does, in a finer way or among other things. Each belongs to the other as to a group,
/// and what forbids or labels the other holds for it, so that no finer call is a way around.
const KINDS: [(&str, &[&str]); 7] = [
    ("kv_cas", &["kv_get", "kv_set"]),
    ("file_open", &["file_write"]),
    ("file_write_at", &["file_write"]),
    ("file_resize", &["file_write"]),
    ("file_rename_from", &["file_read", "file_delete"]),
    ("file_rename_to", &["file_write"]),
    ("dir_create", &["file_write"]),
];

/// Whether other actions belong to this one.
#[cfg_attr(not(feature = "cedar"), allow(dead_code, reason = "only policies ask"))]
pub(super) fn has_kinds(action: &str) -> bool {
    KINDS.iter().any(|(_, of)| of.contains(&action))
}

/// The rows.
#[derive(Debug)]
pub(super) struct Table {
    actions: Vec<Action>,
    calls: usize,
}

impl Table {
    /// The table of these host calls and every management verb.
    pub(super) fn new(calls: &[Action]) -> Result<Self, TrustError> {
        let mut taken = BTreeSet::new();
        let mut actions = calls.to_vec();
        actions.extend(ManagementAction::ALL.map(management));
        for action in &actions {
            let bad = |problem| TrustError::Action { name: action.name.escape_debug().to_string(), problem };
            if !is_action_name(action.name) {
                return Err(bad("a name has 1 to 64 of a-z, 0-9 and _"));
            }
            if !taken.insert(action.name) {
                return Err(bad("the name is taken by another action or a management verb"));
            }
        }
        if actions.len() > usize::from(u16::MAX) {
            return Err(TrustError::Action { name: String::new(), problem: "there are too many actions" });
        }
        Ok(Self { actions, calls: calls.len() })
    }

    /// The row of this very action; `None` when the table has no action of this name, or one that differs.
    pub(super) fn find(&self, action: &Action) -> Option<Row> {
        let index = self.calls().position(|known| same_text(known.name, action.name))?;
        let row = Row(u16::try_from(index).ok()?);
        let known = self.get(row)?;
        let same =
            known.needs == action.needs && known.resource == action.resource && known.class == action.class;
        same.then_some(row)
    }

    /// The row of this management verb.
    pub(super) fn management(&self, verb: ManagementAction) -> Option<Row> {
        let place = ManagementAction::ALL.iter().position(|known| *known == verb)?;
        Some(Row(u16::try_from(self.calls + place).ok()?))
    }

    /// The action in this row.
    pub(super) fn get(&self, row: Row) -> Option<&Action> {
        self.actions.get(row.index())
    }

    /// The host calls, in order.
    fn calls(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().take(self.calls)
    }

    /// Every action with the groups it belongs to, in order.
    pub(super) fn grouped(&self) -> impl Iterator<Item = (&Action, BTreeSet<String>)> {
        self.actions.iter().enumerate().map(|(i, action)| {
            let whole = if i < self.calls { SYSCALL } else { MANAGEMENT };
            let families = action.needs.iter().map(|need| group(*need));
            let of = KINDS.iter().filter(|(kind, _)| *kind == action.name).flat_map(|(_, of)| *of);
            let of = of.filter(|of| self.calls().any(|known| known.name == **of)).map(|of| (*of).to_owned());
            (action, families.chain([whole.to_owned()]).chain(of).collect())
        })
    }
}

/// Every group: both kinds of action, and the families of permissions.
#[cfg_attr(not(feature = "cedar"), allow(dead_code, reason = "only the schema lists them"))]
pub(super) fn groups() -> BTreeSet<String> {
    Capability::all().map(group).chain([SYSCALL, MANAGEMENT].map(str::to_owned)).collect()
}

/// The group of the actions that need a permission of this family: `storage.*`.
fn group(capability: Capability) -> String {
    format!("{}.*", capability.family())
}

fn management(verb: ManagementAction) -> Action {
    Action { name: verb.name(), needs: &[], resource: ResourceKind::Plugin, class: verb.class() }
}

/// Whether two names are the same; mostly they are the same static text, and then nothing is read.
#[inline]
fn same_text(one: &str, other: &str) -> bool {
    one.len() == other.len() && (std::ptr::eq(one, other) || one == other)
}

/// Whether an action may have this name: 1 to 64 of a-z, 0-9 and `_`.
pub fn is_action_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall_bridge::builtin_actions;
    use common::audit::RecordClass;

    fn named(name: &'static str) -> Action {
        Action { name, needs: &[], resource: ResourceKind::None, class: RecordClass::C }
    }

    #[test]
    fn an_action_that_differs_from_the_tables_is_not_found() {
        let table = Table::new(&builtin_actions()).unwrap();
        let mut action = builtin_actions().into_iter().find(|a| a.name == "kv_set").unwrap();
        assert!(table.find(&action).is_some());
        action.needs = &[];
        assert_eq!(table.find(&action), None);
        assert_eq!(table.find(&named("install")), None, "a management verb is no host call");
    }

    #[test]
    fn names_that_clash_or_are_no_words_are_refused() {
        for name in ["storage.*", "management.*", "install", "ping", "", "a b", "A", "a\"b"] {
            let actions = [named("ping"), named(name)];
            assert!(matches!(Table::new(&actions), Err(TrustError::Action { .. })), "{name:?}");
        }
    }

    #[test]
    fn every_verb_has_its_row() {
        let table = Table::new(&builtin_actions()).unwrap();
        for verb in ManagementAction::ALL {
            let row = table.management(verb).unwrap();
            assert_eq!(table.get(row).unwrap().name, verb.name());
        }
        assert_eq!(table.grouped().count(), builtin_actions().len() + ManagementAction::ALL.len());
    }
}
