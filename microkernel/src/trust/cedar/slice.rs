//! The policies that may speak of one principal doing one action. Leaving out the others never changes a ruling.

use super::super::outlook::Speaking;
use super::super::table::Row;
use super::facts::Facts;
use super::source::LABEL;
use super::terms::{ActionTerms, Subject, Types};
use cedar_policy::{
    ActionConstraint, Effect, Entities, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    PrincipalConstraint, ResourceConstraint,
};

/// A policy with its head and what it looks at, worked out once.
struct Entry {
    policy: Policy,
    principal: PrincipalConstraint,
    action: ActionConstraint,
    resource: ResourceConstraint,
    facts: Facts,
    /// Whether it labels what it speaks of, and neither permits nor forbids it.
    label: bool,
}

/// The compiled policies of one epoch.
pub(in super::super) struct Policies {
    /// What decides, and what labels.
    whole: [PolicySet; 2],
    entries: Vec<Entry>,
    /// For each action the places of the entries that may speak of it, whoever does it.
    of_action: Vec<Vec<usize>>,
}

impl Policies {
    /// The error is the first id that two policies have.
    pub(super) fn new(
        policies: Vec<Policy>,
        types: &Types,
        actions: &[ActionTerms],
    ) -> Result<Self, PolicyId> {
        let entries: Vec<Entry> = policies.into_iter().map(Entry::new).collect();
        let of_action = actions.iter().map(|action| {
            let kind = types.resource(action.kind);
            let fits = |entry: &Entry| entry.action_fits(action) && entry.resource_fits(kind);
            entries.iter().enumerate().filter(|(_, entry)| fits(entry)).map(|(place, _)| place).collect()
        });
        let of_action = of_action.collect();
        let [mut all, mut deciding, mut labels] = [(); 3].map(|()| PolicySet::new());
        for Entry { policy, label, .. } in &entries {
            let set = if *label { &mut labels } else { &mut deciding };
            let known = |_| policy.id().clone();
            all.add(policy.clone()).map_err(known)?;
            set.add(policy.clone()).map_err(known)?;
        }
        Ok(Self { whole: [deciding, labels], entries, of_action })
    }

    /// All of them: what decides, and what labels.
    pub(super) fn whole(&self) -> (&PolicySet, &PolicySet) {
        let [deciding, labels] = &self.whole;
        (deciding, labels)
    }

    /// Those that may speak of this subject doing the action in this row.
    fn speaking<'a>(&'a self, subject: &'a Subject, row: Row) -> impl Iterator<Item = &'a Entry> {
        let places = self.of_action.get(row.index()).into_iter().flatten();
        places.filter_map(|place| self.entries.get(*place)).filter(|entry| entry.principal_fits(subject))
    }

    /// The same, as they are told of.
    pub(super) fn outlook(&self, subject: &Subject, row: Row) -> Speaking {
        let mut told = Speaking { ids: Vec::new(), permits: false, depends: false, shut: Vec::new() };
        for entry in self.speaking(subject, row) {
            let (id, depends) = (entry.policy.id().to_string(), entry.facts.resource || entry.facts.volatile);
            told.permits |= !entry.label && entry.policy.effect() == Effect::Permit;
            told.depends |= !entry.label && depends;
            if !depends && entry.policy.effect() == Effect::Forbid {
                told.shut.push(id.clone());
            }
            told.ids.push(id);
        }
        told
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Policy> {
        self.entries.iter().map(|entry| &entry.policy)
    }

    /// Those that may speak of this subject doing the action in this row, which is this one.
    pub(super) fn slice(&self, subject: &Subject, row: Row, action: &ActionTerms) -> Slice {
        let entities = entities(subject, action);
        let (set, labels) = (PolicySet::new(), PolicySet::new());
        let mut slice = Slice { set, labels, entities, facts: Facts::default() };
        for entry in self.speaking(subject, row) {
            // Ids are unique in the whole, so they are in a part of it; were one not, doubt is a denial.
            let set = if entry.label { &mut slice.labels } else { &mut slice.set };
            if set.add(entry.policy.clone()).is_err() {
                slice.entities = None;
            }
            slice.facts.resource |= entry.facts.resource;
            slice.facts.volatile |= entry.facts.volatile;
        }
        slice
    }
}

/// The entities a ruling needs but the resource.
pub(super) fn entities(subject: &Subject, action: &ActionTerms) -> Option<Entities> {
    let subject = subject.entities.as_ref()?.iter().cloned();
    Entities::from_entities(subject.chain(action.entities()), None).ok()
}

impl Entry {
    fn new(policy: Policy) -> Self {
        let resource = policy.resource_constraint();
        let named = matches!(
            resource,
            ResourceConstraint::Eq(_) | ResourceConstraint::In(_) | ResourceConstraint::IsIn(_, _)
        );
        let mut facts = Facts::of(&policy);
        facts.resource |= named;
        let (principal, action) = (policy.principal_constraint(), policy.action_constraint());
        let label = policy.annotation(LABEL).is_some();
        Self { policy, principal, action, resource, facts, label }
    }

    fn principal_fits(&self, subject: &Subject) -> bool {
        let is_in = |group: &EntityUid| subject.uid == *group || subject.parents.contains(group);
        let is = |kind: &EntityTypeName| subject.uid.type_name() == kind;
        match &self.principal {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(uid) => subject.uid == *uid,
            PrincipalConstraint::In(group) => is_in(group),
            PrincipalConstraint::Is(kind) => is(kind),
            PrincipalConstraint::IsIn(kind, group) => is(kind) && is_in(group),
        }
    }

    fn action_fits(&self, action: &ActionTerms) -> bool {
        match &self.action {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => action.uid == *uid,
            ActionConstraint::In(uids) => uids.iter().any(|uid| action.is_in(uid)),
        }
    }

    /// Resources belong to nothing, so one is only ever in itself: its type must fit.
    fn resource_fits(&self, kind: Option<&EntityTypeName>) -> bool {
        let is = |other: &EntityTypeName| kind == Some(other);
        match &self.resource {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) => is(uid.type_name()),
            ResourceConstraint::Is(other) => is(other),
            ResourceConstraint::IsIn(other, uid) => is(other) && is(uid.type_name()),
        }
    }
}

/// The policies that may speak of one principal doing one action, and the entities they may look at.
pub(in super::super) struct Slice {
    pub(super) set: PolicySet,
    /// What a permitted call gives is secret when one of these speaks of it.
    pub(super) labels: PolicySet,
    pub(super) entities: Option<Entities>,
    facts: Facts,
}

impl Slice {
    /// The slice of what does not exist: every ruling by it fails.
    pub(super) fn none() -> Self {
        Self {
            set: PolicySet::new(),
            labels: PolicySet::new(),
            entities: None,
            facts: Facts { resource: true, volatile: true },
        }
    }
    /// Whether a ruling depends on what changes from call to call.
    pub(in super::super) const fn is_volatile(&self) -> bool {
        self.facts.volatile
    }
    /// Whether a ruling depends on the resource's name or place.
    pub(in super::super) const fn names_resources(&self) -> bool {
        self.facts.resource
    }
}
