//! Holds the policies and decides by them. A decision made after a policy was published is made by it.

use super::announced::{Announced, Numbered};
use super::engine::{Engine, Policies, Subject};
use super::ids::Ids;
use super::membership::Position;
use super::memory::{Answer, Keep, Owner};
use super::outlook::Speaking;
use super::ruling::{Circumstances, Effect, Ruling};
use super::standing::Standings;
use super::table::{Row, Table};
use super::{
    Denial, Link, ManagementAction, Memberships, Mention, Permit, PolicyOptions, PolicySource, Resource,
    ResourceKind, TrustClass, TrustContext, TrustError, Verdict, flow, grants,
};
use crate::syscall_bridge::Action;
use common::error::codes;
use common::identity::{IdentityContext, PluginId};
use std::sync::Arc;

/// What decides in one epoch.
#[derive(Clone)]
struct Snapshot {
    policies: Arc<Policies>,
    standings: Arc<Standings>,
    members: Arc<Memberships>,
}

impl Snapshot {
    fn position<'a>(&'a self, identity: &'a IdentityContext) -> Position<'a> {
        Position::new(self.standings.of(identity), &self.members, identity)
    }
}

/// Holds the policies and decides by them.
pub struct TrustEvaluator {
    /// Its number is the policy epoch.
    snapshot: Announced<Snapshot>,
    owner: Arc<Owner>,
    table: Table,
    engine: Engine,
    ids: Ids,
}

impl std::fmt::Debug for TrustEvaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustEvaluator").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl TrustEvaluator {
    /// An evaluator for these actions with the built-in policy and these sources, for production.
    ///
    /// # Errors
    /// When a source does not parse or does not fit the schema, or an action's name cannot be used.
    pub fn new(actions: &[Action], sources: &[PolicySource]) -> Result<Self, TrustError> {
        Self::with_options(actions, sources, &PolicyOptions::default())
    }

    /// An evaluator for these actions with the built-in policy and these sources, read under these rules.
    ///
    /// # Errors
    /// As [`TrustEvaluator::new`].
    pub fn with_options(
        actions: &[Action],
        sources: &[PolicySource],
        options: &PolicyOptions,
    ) -> Result<Self, TrustError> {
        let table = Table::new(actions)?;
        let engine = Engine::new(&table, options)?;
        let policies = Arc::new(engine.compile(sources)?);
        Ok(Self {
            snapshot: Announced::new(Snapshot {
                policies,
                standings: Arc::default(),
                members: Arc::default(),
            }),
            owner: Arc::new(Owner),
            table,
            engine,
            ids: Ids::new(),
        })
    }

    /// The policy epoch: rises with every change of anything a decision depends on. Starts at 1.
    pub fn epoch(&self) -> u64 {
        self.snapshot.number()
    }

    /// Replaces the policies by the built-in policy and these sources, and returns the new epoch. Every
    /// decision that begins after this returns is made by them; one already under way may still be made by
    /// the old ones.
    ///
    /// # Errors
    /// When a source is not valid; then the policies stay what they were.
    pub fn publish(&self, sources: &[PolicySource]) -> Result<u64, TrustError> {
        let policies = Arc::new(self.engine.compile(sources)?);
        Ok(self.snapshot.replace(|now| Some(Snapshot { policies, ..now.clone() })))
    }

    /// The plugin is trusted so far from now on: what policies see as `principal.trust`. A plugin nobody spoke of is
    /// `full`. A class that changes raises the epoch, so that every decision that begins after this returns sees it.
    pub fn set_class(&self, plugin: PluginId, class: TrustClass) -> u64 {
        self.snapshot.replace(|now| {
            let standings = Arc::new(now.standings.with(plugin, class)?);
            Some(Snapshot { standings, ..now.clone() })
        })
    }

    /// Replaces all roles and tiers that are given here: what policies see as `Role::"…"`, `principal.roles` and
    /// `principal.tier`. Others than there were raise the epoch, so that every decision that begins after this returns
    /// sees them.
    pub fn set_memberships(&self, members: Memberships) -> u64 {
        self.snapshot.replace(|now| {
            let changed = *now.members != members;
            changed.then(|| Snapshot { members: Arc::new(members), ..now.clone() })
        })
    }

    /// Checks sources as [`TrustEvaluator::publish`] does, and changes nothing.
    ///
    /// # Errors
    /// When a source is not valid.
    pub fn check(&self, sources: &[PolicySource]) -> Result<(), TrustError> {
        self.engine.compile(sources).map(drop)
    }

    /// The schema policies are checked against, in Cedar's own notation; empty without the feature `cedar`.
    pub fn schema(&self) -> &str {
        self.engine.schema()
    }

    /// The text of the policy of this id, as it is in force; `None` when none has it, and without the feature `cedar`.
    pub fn policy_text(&self, id: &str) -> Option<String> {
        self.engine.text(&self.snapshot.value().value.policies, id)
    }

    /// Every policy in force, the built-in ones first: its id and its text. Without the feature `cedar` the built-in
    /// ones have no text.
    pub fn policy_texts(&self) -> Vec<(String, String)> {
        self.engine.texts(&self.snapshot.value().value.policies)
    }

    /// What the policies in force name, each name once for each policy; empty without the feature `cedar`.
    pub fn mentions(&self) -> Vec<Mention> {
        self.engine.mentions(&self.snapshot.value().value.policies)
    }

    /// Decides one host call, using and filling the context's cache.
    pub fn evaluate_syscall(
        &self,
        context: &mut TrustContext,
        action: &Action,
        resource: &Resource<'_>,
    ) -> Verdict {
        self.decide(context, self.table.find(action), resource).into()
    }

    /// Decides without the cache, by all policies.
    pub fn evaluate(&self, context: &TrustContext, action: &Action, resource: &Resource<'_>) -> Verdict {
        self.decide_whole(context, self.table.find(action), resource).into()
    }

    /// Decides a management action, without the cache.
    pub fn evaluate_management(
        &self,
        context: &TrustContext,
        action: ManagementAction,
        plugin: &str,
    ) -> Verdict {
        self.decide_whole(context, self.table.management(action), &managed(plugin)).into()
    }

    /// Decides a management action, using and filling the context's cache: for calls of operations.
    pub fn evaluate_management_cached(
        &self,
        context: &mut TrustContext,
        action: ManagementAction,
        plugin: &str,
    ) -> Verdict {
        self.decide(context, self.table.management(action), &managed(plugin)).into()
    }

    /// The ids of the policies behind a permit or a denial, for records; empty when no policy decided.
    pub fn policy_ids(&self, of: u32) -> Arc<str> {
        self.ids.text(of)
    }

    /// The row of this action; `None` when the evaluator was not made for it.
    pub(crate) fn row(&self, action: &Action) -> Option<Row> {
        self.table.find(action)
    }

    pub(super) fn management_row(&self, action: ManagementAction) -> Option<Row> {
        self.table.management(action)
    }

    pub(super) fn action_in(&self, row: Row) -> Option<&Action> {
        self.table.get(row)
    }

    /// The policies that may speak of this principal doing the action in this row, and what `rule` makes of them.
    pub(super) fn speaking(
        &self,
        identity: &IdentityContext,
        row: Row,
        rule: impl FnOnce(&Engine, &Policies, &Subject) -> Ruling,
    ) -> (Speaking, Ruling) {
        let snapshot = self.snapshot.value();
        let Snapshot { policies, .. } = &snapshot.value;
        let subject = self.engine.subject(identity, &snapshot.value.position(identity));
        (self.engine.speaking(policies, &subject, row), rule(&self.engine, policies, &subject))
    }

    /// Decides the action in this row; no row is a denial.
    #[inline]
    pub(crate) fn decide(
        &self,
        context: &mut TrustContext,
        row: Option<Row>,
        resource: &Resource<'_>,
    ) -> Result<Permit, Box<Denial>> {
        let own = self.decide_own(context, row, resource);
        if context.acts_alone(row.and_then(|row| self.table.get(row))) {
            own
        } else {
            self.decide_for_callers(context, row, resource, own?)
        }
    }

    /// Decides for the one that acts, whoever it acts for.
    #[inline]
    fn decide_own(
        &self,
        context: &mut TrustContext,
        row: Option<Row>,
        resource: &Resource<'_>,
    ) -> Result<Permit, Box<Denial>> {
        if context.is_newly_tainted() {
            context.notice();
        }
        let epoch = self.snapshot.number();
        let Some(row) = row else { return Err(unknown_action(epoch)) };
        match context.memory.find(&self.owner, epoch, row, resource) {
            Some(decided) => decided,
            None => self.decide_anew(context, epoch, row, resource),
        }
    }

    /// What one of those it acts for may not do, it may not do for them.
    #[cold]
    fn decide_for_callers(
        &self,
        context: &mut TrustContext,
        row: Option<Row>,
        resource: &Resource<'_>,
        own: Permit,
    ) -> Result<Permit, Box<Denial>> {
        let mut secret = own.gives_secret();
        for caller in &mut context.behalf {
            let permit = self.decide_own(caller, row, resource).map_err(|d| on_behalf(caller, *d))?;
            secret |= permit.gives_secret();
        }
        Ok(own.giving_secret(secret))
    }

    #[cold]
    fn decide_anew(
        &self,
        context: &mut TrustContext,
        epoch: u64,
        row: Row,
        resource: &Resource<'_>,
    ) -> Result<Permit, Box<Denial>> {
        let snapshot = self.snapshot.value();
        context.memory.adopt(&self.owner);
        let (answer, keep) = self.answer(context, &snapshot, row, resource);
        let decided = answer.decided(snapshot.number, false);
        // A snapshot newer than the epoch that was read is about to be announced: decide anew then.
        if snapshot.number == epoch {
            context.memory.keep(keep, epoch, row, resource, answer);
        }
        decided
    }

    fn answer(
        &self,
        context: &mut TrustContext,
        snapshot: &Numbered<Snapshot>,
        row: Row,
        resource: &Resource<'_>,
    ) -> (Answer, Keep) {
        let (epoch, snapshot) = (snapshot.number, &snapshot.value);
        let (action, resource) = match self.question(epoch, row, resource) {
            Ok(question) => question,
            Err(denial) => return (Answer::Deny(denial), Keep::Not),
        };
        let TrustContext { link, depth, tainted, memory, .. } = context;
        let Link { identity, grants, .. } = &*link;
        let (grants, circumstances) = (&**grants, Circumstances { depth: *depth, tainted: *tainted });
        if let Some(denial) = barred(grants, action, &resource, circumstances, epoch) {
            return (Answer::Deny(denial), Keep::Named);
        }
        let (engine, policies) = (&self.engine, &snapshot.policies);
        let prepared = memory.slice(
            epoch,
            row,
            || engine.subject(identity, &snapshot.position(identity)),
            |subject| engine.slice(policies, subject, row),
        );
        let Some((subject, slice)) = prepared else {
            return (Answer::Deny(unknown_action(epoch)), Keep::Not);
        };
        let any_name = !slice.names_resources() && grants::covered_always(grants, action.needs);
        let keep = match action.resource {
            _ if slice.is_volatile() => Keep::Not,
            ResourceKind::None => Keep::Fixed,
            _ if any_name => Keep::Fixed,
            _ => Keep::Named,
        };
        let ruling = engine.decide(subject, slice, row, &resource, circumstances);
        // What a denial suggests names the resource, even where the ruling does not depend on it.
        let named =
            keep == Keep::Fixed && ruling.effect == Effect::Silent && resource.kind != ResourceKind::None;
        let keep = if named { Keep::Named } else { keep };
        (self.ruled(&ruling, epoch, || engine.suggestion(identity, row, &resource)), keep)
    }

    fn decide_whole(
        &self,
        context: &TrustContext,
        row: Option<Row>,
        resource: &Resource<'_>,
    ) -> Result<Permit, Box<Denial>> {
        let own = self.decide_whole_own(context, row, resource)?;
        if context.acts_alone(row.and_then(|row| self.table.get(row))) {
            return Ok(own);
        }
        let mut secret = own.gives_secret();
        for caller in &context.behalf {
            let permit = self.decide_whole_own(caller, row, resource).map_err(|d| on_behalf(caller, *d))?;
            secret |= permit.gives_secret();
        }
        Ok(own.giving_secret(secret))
    }

    fn decide_whole_own(
        &self,
        context: &TrustContext,
        row: Option<Row>,
        resource: &Resource<'_>,
    ) -> Result<Permit, Box<Denial>> {
        let snapshot = self.snapshot.value();
        let (epoch, snapshot) = (snapshot.number, &snapshot.value);
        let Some(row) = row else { return Err(unknown_action(epoch)) };
        let (action, resource) = self.question(epoch, row, resource)?;
        let Link { identity, grants, .. } = context.link();
        let circumstances = Circumstances { depth: context.depth, tainted: context.is_tainted() };
        if let Some(denial) = barred(grants, action, &resource, circumstances, epoch) {
            return Err(denial);
        }
        let subject = self.engine.subject(identity, &snapshot.position(identity));
        let ruling = self.engine.decide_whole(&snapshot.policies, &subject, row, &resource, circumstances);
        let suggestion = || self.engine.suggestion(identity, row, &resource);
        self.ruled(&ruling, epoch, suggestion).decided(epoch, false)
    }

    /// The action, and the resource as it is decided on: an action that touches none has none.
    fn question<'a>(
        &self,
        epoch: u64,
        row: Row,
        resource: &Resource<'a>,
    ) -> Result<(&Action, Resource<'a>), Box<Denial>> {
        let action = self.table.get(row).ok_or_else(|| unknown_action(epoch))?;
        if action.resource != resource.kind {
            let (asked, touched) = (resource.kind.name(), action.resource.name());
            let reason = format!("{} touches a {touched}, and the call names a {asked}", action.name);
            return Err(Box::new(Denial::new(&codes::E2003, epoch, reason)));
        }
        let resource = if action.resource == ResourceKind::None { Resource::NONE } else { *resource };
        Ok((action, resource))
    }

    fn ruled(&self, ruling: &Ruling, epoch: u64, suggestion: impl FnOnce() -> Option<String>) -> Answer {
        let policies = self.ids.number(&ruling.ids);
        let denial = match &ruling.effect {
            Effect::Permit if ruling.secret => return Answer::Secret(policies),
            Effect::Permit => return Answer::Allow(policies),
            Effect::Forbid => Denial::new(&codes::E2001, epoch, format!("forbidden by {}", ruling.ids)),
            Effect::Silent => Denial { missing: suggestion(), ..Denial::no_permit(epoch) },
            Effect::Failed(problem) => Denial::new(&codes::E2003, epoch, problem.as_str()),
        };
        Answer::Deny(Box::new(Denial { policies, ..denial }))
    }
}

fn managed(plugin: &str) -> Resource<'_> {
    Resource { kind: ResourceKind::Plugin, name: plugin, private: false }
}

#[cold]
fn unknown_action(epoch: u64) -> Box<Denial> {
    Box::new(Denial::new(&codes::E2003, epoch, "the evaluator was not made for this action"))
}

/// The denial as the record of the one that acts has it: what it lacks is the right of the one it acts for.
#[cold]
fn on_behalf(caller: &TrustContext, denial: Denial) -> Box<Denial> {
    let name = caller.identity().name();
    let reason = format!("it acts for {name}, which may not: {}", denial.reason);
    Box::new(Denial { reason, lacking: Some(name.to_owned()), ..denial })
}

/// What no policy can permit: what was not granted, and what could carry out a secret that was read.
fn barred(
    granted: &[common::permission::Permission],
    action: &Action,
    resource: &Resource<'_>,
    circumstances: Circumstances,
    epoch: u64,
) -> Option<Box<Denial>> {
    let denial = ungranted(granted, action, resource, epoch);
    let held = || Denial::new(&codes::E2008, epoch, "it has read a secret, and this could carry it out");
    let held = || (circumstances.tainted && flow::carries_out(action, resource)).then(|| Box::new(held()));
    denial.or_else(held)
}

fn ungranted(
    granted: &[common::permission::Permission],
    action: &Action,
    resource: &Resource<'_>,
    epoch: u64,
) -> Option<Box<Denial>> {
    if grants::covered(granted, action.needs, resource) {
        return None;
    }
    let missing = grants::missing(granted, action.needs, resource);
    let denial =
        Denial::new(&codes::E2002, epoch, "it was not granted: the manifest or the operator left it out");
    Some(Box::new(Denial { missing: Some(missing), ..denial }))
}
