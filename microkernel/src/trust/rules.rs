//! The built-in policies without Cedar: the same rulings under the same ids, and no policy source is accepted.

use super::membership::Position;
use super::outlook::Speaking;
use super::policy::builtin;
use super::ruling::{Circumstances, Effect, Ruling};
use super::table::{MANAGEMENT, Row, SYSCALL, Table};
use super::{Enforcement, Mention, PolicyOptions, PolicySource, Resource, TrustError};
use crate::syscall_bridge::Action;
use common::identity::{IdentityContext, Principal};
use std::collections::BTreeSet;

/// The rules for one table of actions.
pub(super) struct Engine {
    rows: Vec<(Action, BTreeSet<String>)>,
    enforcement: Enforcement,
}

/// The rules take no sources, so there is nothing to compile.
pub(super) struct Policies;

/// The kind of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Plugin,
    Host,
    Operator,
}

/// Every rule speaks of every action.
pub(super) struct Slice;

impl Slice {
    pub(super) const fn is_volatile(&self) -> bool {
        false
    }
    pub(super) const fn names_resources(&self) -> bool {
        true
    }
}

impl Engine {
    pub(super) fn new(table: &Table, options: &PolicyOptions) -> Result<Self, TrustError> {
        let rows = table.grouped().map(|(action, groups)| (action.clone(), groups)).collect();
        Ok(Self { rows, enforcement: options.enforcement })
    }

    pub(super) fn compile(&self, sources: &[PolicySource]) -> Result<Policies, TrustError> {
        match sources.first() {
            None => Ok(Policies),
            Some(source) => Err(TrustError::Policy {
                name: source.name.clone(),
                problems: vec!["this build has no policy engine: build it with the feature `cedar`".into()],
            }),
        }
    }

    pub(super) const fn schema(&self) -> &str {
        ""
    }

    pub(super) const fn text(&self, _: &Policies, _: &str) -> Option<String> {
        None
    }

    pub(super) fn texts(&self, _: &Policies) -> Vec<(String, String)> {
        let options = PolicyOptions { enforcement: self.enforcement, ..PolicyOptions::default() };
        options.builtin().into_iter().map(|id| (id.to_owned(), String::new())).collect()
    }

    pub(super) const fn mentions(&self, _: &Policies) -> Vec<Mention> {
        Vec::new()
    }

    /// The rules that may speak of it: those that do in the private area.
    pub(super) fn speaking(&self, _: &Policies, subject: &Subject, row: Row) -> Speaking {
        let on = |private| self.rule(*subject, row, &Resource { private, ..Resource::NONE });
        let (inside, outside) = (on(true), on(false));
        let ids: Vec<String> = inside.ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        Speaking {
            permits: inside.effect == Effect::Permit,
            depends: inside != outside,
            ids,
            shut: Vec::new(),
        }
    }

    pub(super) fn subject(&self, identity: &IdentityContext, _: &Position<'_>) -> Subject {
        match identity.principal() {
            Principal::Plugin(_) => Subject::Plugin,
            Principal::Host(_) => Subject::Host,
            Principal::Operator(_) => Subject::Operator,
        }
    }

    pub(super) const fn slice(&self, _policies: &Policies, _subject: &Subject, _row: Row) -> Slice {
        Slice
    }

    pub(super) fn decide(
        &self,
        subject: &Subject,
        _slice: &Slice,
        row: Row,
        resource: &Resource<'_>,
        _: Circumstances,
    ) -> Ruling {
        self.rule(*subject, row, resource)
    }

    pub(super) fn decide_whole(
        &self,
        _policies: &Policies,
        subject: &Subject,
        row: Row,
        resource: &Resource<'_>,
        _: Circumstances,
    ) -> Ruling {
        self.rule(*subject, row, resource)
    }

    pub(super) const fn suggestion(&self, _: &IdentityContext, _: Row, _: &Resource<'_>) -> Option<String> {
        None
    }

    fn rule(&self, subject: Subject, row: Row, resource: &Resource<'_>) -> Ruling {
        let Some((action, groups)) = self.rows.get(row.index()) else {
            return Ruling::failed("there is no such action");
        };
        let plugin = subject == Subject::Plugin;
        let private = groups.contains("filesystem.*") || groups.contains("storage.*");
        let managed = groups.contains(MANAGEMENT);
        let development = self.enforcement == Enforcement::GrantedIsPermitted;
        let rules = [
            (builtin::OPEN, matches!(action.name, "log" | "ping")),
            (builtin::OWN_SECTION, plugin && action.name == "config_get"),
            (builtin::PRIVATE_AREA, plugin && private && resource.private),
            (builtin::HOST_MANAGES, subject == Subject::Host && managed),
            (builtin::OPERATOR_MANAGES, subject == Subject::Operator && managed),
            (builtin::GRANTED_IS_PERMITTED, plugin && development && groups.contains(SYSCALL)),
        ];
        let permits = || rules.iter().filter(|(_, holds)| *holds).map(|(id, _)| *id);
        let effect = if permits().next().is_some() { Effect::Permit } else { Effect::Silent };
        Ruling::new(effect, permits())
    }
}
