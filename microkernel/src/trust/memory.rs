//! The second tier: what was decided lately for one principal. Bounded; an entry counts in its own epoch only.

use super::engine::{Slice, Subject};
use super::table::Row;
use super::{Denial, Permit, Resource, ResourceKind};
use std::sync::Arc;

/// How many decisions that depend on a name are remembered. A power of two.
const NAMED: usize = 128;
/// Longest name remembered, in bytes: a plugin can make its host remember 32 KiB of names.
const LONGEST: usize = 256;

/// The evaluator a memory belongs to. Held by both, so its address is never given to another.
#[derive(Debug)]
pub(super) struct Owner;

/// A decision as it is remembered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Allowed by these policies.
    Allow(u32),
    /// Allowed by these policies, and what it gives is labelled secret.
    Secret(u32),
    /// Denied.
    Deny(Box<Denial>),
}

impl Answer {
    /// What this answer decides: small, for it is handed up on every call.
    #[inline]
    pub(super) fn decided(&self, epoch: u64, cached: bool) -> Result<Permit, Box<Denial>> {
        match self {
            Self::Allow(policies) => Ok(Permit::new(epoch, *policies, cached)),
            Self::Secret(policies) => Ok(Permit::new(epoch, *policies, cached).giving_secret(true)),
            Self::Deny(denial) => Err(denied(denial, cached)),
        }
    }
}

#[cold]
fn denied(denial: &Denial, cached: bool) -> Box<Denial> {
    Box::new(Denial { cached, ..denial.clone() })
}

/// What a decision depended on, and so how it may be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// On something that changes from call to call: not at all.
    Not,
    /// On the resource: under its name.
    Named,
    /// On the action alone.
    Fixed,
}

#[derive(Debug)]
struct Fixed {
    epoch: u64,
    kind: ResourceKind,
    answer: Answer,
}

#[derive(Debug)]
struct Named {
    epoch: u64,
    row: Row,
    kind: ResourceKind,
    private: bool,
    name: String,
    answer: Answer,
}

/// What one principal remembers. Empty until it is first used.
#[derive(Default)]
pub(super) struct Memory {
    owner: Option<Arc<Owner>>,
    fixed: Vec<Option<Fixed>>,
    named: Vec<Option<Named>>,
    subject: Option<Subject>,
    slices: Vec<Option<Slice>>,
    sliced: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("sliced", &self.sliced).finish_non_exhaustive()
    }
}

impl Memory {
    /// The remembered decision of this epoch, if any. Allocates nothing for what is allowed.
    #[inline]
    pub(super) fn find(
        &self,
        owner: &Arc<Owner>,
        epoch: u64,
        row: Row,
        resource: &Resource<'_>,
    ) -> Option<Result<Permit, Box<Denial>>> {
        if !self.belongs_to(owner) {
            return None;
        }
        if let Some(Some(slot)) = self.fixed.get(row.index())
            && slot.epoch == epoch
            && slot.kind == resource.kind
        {
            return Some(slot.answer.decided(epoch, true));
        }
        let slot = self.named.get(place(row, resource))?.as_ref()?;
        let same = slot.epoch == epoch
            && slot.row == row
            && slot.kind == resource.kind
            && slot.private == resource.private
            && slot.name == resource.name;
        same.then(|| slot.answer.decided(epoch, true))
    }

    #[inline]
    fn belongs_to(&self, owner: &Arc<Owner>) -> bool {
        self.owner.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, owner))
    }

    /// Remembers an answer of this epoch.
    pub(super) fn keep(&mut self, keep: Keep, epoch: u64, row: Row, resource: &Resource<'_>, answer: Answer) {
        match keep {
            Keep::Not => {}
            Keep::Fixed => {
                if self.fixed.len() <= row.index() {
                    self.fixed.resize_with(row.index() + 1, || None);
                }
                if let Some(slot) = self.fixed.get_mut(row.index()) {
                    *slot = Some(Fixed { epoch, kind: resource.kind, answer });
                }
            }
            Keep::Named => self.keep_named(epoch, row, resource, answer),
        }
    }

    fn keep_named(&mut self, epoch: u64, row: Row, resource: &Resource<'_>, answer: Answer) {
        if resource.name.len() > LONGEST {
            return;
        }
        if self.named.is_empty() {
            self.named.resize_with(NAMED, || None);
        }
        let Some(slot) = self.named.get_mut(place(row, resource)) else { return };
        let mut name = slot.take().map(|old| old.name).unwrap_or_default();
        name.clear();
        name.push_str(resource.name);
        *slot = Some(Named { epoch, row, kind: resource.kind, private: resource.private, name, answer });
    }

    /// Makes this the memory of `owner`, forgetting what another decided.
    pub(super) fn adopt(&mut self, owner: &Arc<Owner>) {
        if !self.belongs_to(owner) {
            *self = Self { owner: Some(owner.clone()), ..Self::default() };
        }
    }

    /// The principal as the policies see it, and the policies of this epoch that may speak of its doing this.
    pub(super) fn slice(
        &mut self,
        epoch: u64,
        row: Row,
        subject: impl FnOnce() -> Subject,
        slice: impl FnOnce(&Subject) -> Slice,
    ) -> Option<(&Subject, &Slice)> {
        if self.sliced != epoch {
            self.slices.clear();
            // Its class may be another.
            self.subject = None;
            self.sliced = epoch;
        }
        if self.slices.len() <= row.index() {
            self.slices.resize_with(row.index() + 1, || None);
        }
        let subject = &*self.subject.get_or_insert_with(subject);
        let slice = &*self.slices.get_mut(row.index())?.get_or_insert_with(|| slice(subject));
        Some((subject, slice))
    }
}

/// Where a decision is remembered. A plugin that seeks collisions slows only itself: memories are not shared,
/// and an entry counts only when its whole key is the same.
#[inline]
fn place(row: Row, resource: &Resource<'_>) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = resource.name.as_bytes().as_chunks::<8>();
    let start = mix(row.index() as u64, u64::from(resource.private));
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(resource.name.len() as u64, |tail, byte| tail << 8 | u64::from(*byte));
    let bits = mix(hash, tail) >> (u64::BITS - NAMED.trailing_zeros());
    usize::try_from(bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall_bridge::builtin_actions;
    use crate::trust::table::Table;

    fn row(name: &str) -> Row {
        let actions = builtin_actions();
        let action = actions.iter().find(|a| a.name == name).unwrap();
        Table::new(&actions).unwrap().find(action).unwrap()
    }
    fn key(name: &str, private: bool) -> Resource<'_> {
        Resource { kind: ResourceKind::Key, name, private }
    }
    fn allowed(decided: Option<Result<Permit, Box<Denial>>>) -> Option<u32> {
        decided?.ok().map(|permit| permit.policies())
    }

    #[test]
    fn an_entry_counts_for_its_whole_key_and_epoch_only() {
        let (mine, other) = (Arc::new(Owner), Arc::new(Owner));
        let mut memory = Memory::default();
        memory.adopt(&mine);
        let (get, set) = (row("kv_get"), row("kv_set"));
        memory.keep(Keep::Named, 3, get, &key("a", true), Answer::Allow(7));
        assert_eq!(allowed(memory.find(&mine, 3, get, &key("a", true))), Some(7));
        assert_eq!(allowed(memory.find(&mine, 4, get, &key("a", true))), None);
        assert_eq!(allowed(memory.find(&mine, 3, set, &key("a", true))), None);
        assert_eq!(allowed(memory.find(&mine, 3, get, &key("a", false))), None);
        assert_eq!(allowed(memory.find(&mine, 3, get, &key("b", true))), None);
        let path = Resource { kind: ResourceKind::Path, ..key("a", true) };
        assert_eq!(allowed(memory.find(&mine, 3, get, &path)), None);
        assert_eq!(allowed(memory.find(&other, 3, get, &key("a", true))), None);
    }

    #[test]
    fn a_colliding_key_replaces_and_is_never_mistaken() {
        let owner = Arc::new(Owner);
        let mut memory = Memory::default();
        memory.adopt(&owner);
        let get = row("kv_get");
        let first = "first";
        let names: Vec<String> = (0..100_000).map(|i| format!("key-{i}")).collect();
        let twin = names.iter().find(|n| place(get, &key(n, true)) == place(get, &key(first, true))).unwrap();
        memory.keep(Keep::Named, 1, get, &key(first, true), Answer::Allow(1));
        assert_eq!(allowed(memory.find(&owner, 1, get, &key(twin, true))), None);
        memory.keep(Keep::Named, 1, get, &key(twin, true), Answer::Allow(2));
        assert_eq!(allowed(memory.find(&owner, 1, get, &key(twin, true))), Some(2));
        assert_eq!(allowed(memory.find(&owner, 1, get, &key(first, true))), None);
    }

    #[test]
    fn another_evaluator_finds_nothing_and_long_names_are_not_kept() {
        let (mine, other) = (Arc::new(Owner), Arc::new(Owner));
        let mut memory = Memory::default();
        memory.adopt(&mine);
        let ping = row("ping");
        memory.keep(Keep::Fixed, 1, ping, &Resource::NONE, Answer::Allow(1));
        assert_eq!(allowed(memory.find(&mine, 1, ping, &Resource::NONE)), Some(1));
        memory.adopt(&other);
        assert_eq!(allowed(memory.find(&other, 1, ping, &Resource::NONE)), None);
        let long = "x".repeat(LONGEST + 1);
        memory.keep(Keep::Named, 1, row("kv_get"), &key(&long, true), Answer::Allow(1));
        assert_eq!(allowed(memory.find(&other, 1, row("kv_get"), &key(&long, true))), None);
    }

    #[test]
    fn ordinary_names_spread_over_the_slots() {
        let get = row("kv_get");
        let used: std::collections::HashSet<usize> =
            (0..1000).map(|i| place(get, &key(&format!("user:{i}"), true))).collect();
        assert!(used.len() > NAMED * 9 / 10, "{}", used.len());
        assert!(used.iter().all(|p| *p < NAMED));
    }
}
