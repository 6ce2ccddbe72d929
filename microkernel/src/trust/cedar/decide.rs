//! One question to Cedar, and its ruling.

use super::super::membership::Position;
use super::super::outlook::Speaking;
use super::super::ruling::{Circumstances, Effect, Ruling};
use super::super::table::{Row, Table, groups};
use super::super::{Mention, PolicyOptions, PolicySource, Resource, ResourceKind, TrustError};
use super::slice::{Policies, Slice, entities};
use super::terms::{ActionTerms, Fault, Subject, Types, quoted};
use super::{schema, source};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, Response,
    RestrictedExpression, Schema, Validator,
};
use common::identity::{IdentityContext, Principal};
use std::collections::BTreeSet;

/// The schema, the authorizer and the built-in policies of one table of actions.
pub(in super::super) struct Engine {
    types: Types,
    actions: Vec<ActionTerms>,
    /// The names of the actions and of their groups.
    names: BTreeSet<String>,
    validator: Validator,
    authorizer: Authorizer,
    schema: String,
    builtin: Vec<Policy>,
    environment: String,
    /// The circumstances of a call that no plugin made for another, by one that has read no secret.
    direct: Context,
}

impl Engine {
    pub(in super::super) fn new(table: &Table, options: &PolicyOptions) -> Result<Self, TrustError> {
        let types = Types::new().map_err(TrustError::Schema)?;
        let text = schema::text(table);
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|e| TrustError::Schema(e.into()))?;
        Ok(Self {
            actions: types.actions(table),
            names: groups().into_iter().chain(table.grouped().map(|(a, _)| a.name.to_owned())).collect(),
            types,
            validator: Validator::new(schema),
            authorizer: Authorizer::new(),
            schema: text,
            builtin: source::builtin(options.enforcement)?,
            direct: described(&options.environment, Circumstances::default()).map_err(TrustError::Schema)?,
            environment: options.environment.clone(),
        })
    }

    /// The built-in policies and these sources, checked.
    pub(in super::super) fn compile(&self, sources: &[PolicySource]) -> Result<Policies, TrustError> {
        let mut policies = self.builtin.clone();
        for source in sources {
            policies.extend(source::policies(source, &self.validator, &self.names)?);
        }
        Policies::new(policies, &self.types, &self.actions).map_err(|id| {
            let id = id.to_string();
            let name = id.split_once(':').map_or(id.as_str(), |(name, _)| name);
            source::refused(name, vec![format!("two policies have the id {id}")])
        })
    }

    pub(in super::super) fn schema(&self) -> &str {
        &self.schema
    }

    /// The text of the policy of this id.
    pub(in super::super) fn text(&self, policies: &Policies, id: &str) -> Option<String> {
        let (deciding, labels) = policies.whole();
        let id = PolicyId::new(id);
        deciding.policy(&id).or_else(|| labels.policy(&id)).map(ToString::to_string)
    }

    /// Every policy: its id and its text.
    pub(in super::super) fn texts(&self, policies: &Policies) -> Vec<(String, String)> {
        policies.all().map(|policy| (policy.id().to_string(), policy.to_string())).collect()
    }

    /// What policies name but actions, each name once for each policy.
    pub(in super::super) fn mentions(&self, policies: &Policies) -> Vec<Mention> {
        let mention = |policy: &Policy, uid: &EntityUid| Mention {
            policy: policy.id().to_string(),
            kind: uid.type_name().to_string(),
            name: uid.id().unescaped().to_owned(),
        };
        let named = |policy: &Policy| -> BTreeSet<Mention> {
            policy.entity_literals().iter().map(|uid| mention(policy, uid)).collect()
        };
        let all = policies.all().flat_map(named);
        all.filter(|mention| mention.kind != "Action").collect()
    }

    /// The policies that may speak of this subject doing the action in this row.
    pub(in super::super) fn speaking(&self, policies: &Policies, subject: &Subject, row: Row) -> Speaking {
        policies.outlook(subject, row)
    }

    pub(in super::super) fn subject(&self, identity: &IdentityContext, position: &Position<'_>) -> Subject {
        Subject::new(&self.types, identity, position)
    }

    pub(in super::super) fn slice(&self, policies: &Policies, subject: &Subject, row: Row) -> Slice {
        match self.actions.get(row.index()) {
            Some(action) => policies.slice(subject, row, action),
            None => Slice::none(),
        }
    }

    /// Decides by the policies of a slice.
    pub(in super::super) fn decide(
        &self,
        subject: &Subject,
        slice: &Slice,
        row: Row,
        resource: &Resource<'_>,
        circumstances: Circumstances,
    ) -> Ruling {
        let sets = (&slice.set, &slice.labels);
        self.ask(sets, slice.entities.clone(), subject, row, resource, circumstances)
    }

    /// Decides by all policies.
    pub(in super::super) fn decide_whole(
        &self,
        policies: &Policies,
        subject: &Subject,
        row: Row,
        resource: &Resource<'_>,
        circumstances: Circumstances,
    ) -> Ruling {
        let entities = self.actions.get(row.index()).and_then(|action| entities(subject, action));
        self.ask(policies.whole(), entities, subject, row, resource, circumstances)
    }

    fn ask(
        &self,
        (set, labels): (&PolicySet, &PolicySet),
        entities: Option<Entities>,
        subject: &Subject,
        row: Row,
        resource: &Resource<'_>,
        circumstances: Circumstances,
    ) -> Ruling {
        let Some((entities, action)) = entities.zip(self.actions.get(row.index())) else {
            return Ruling::failed("the principal or the action cannot be described to the policies");
        };
        let Some(resource) = self.types.resource_entity(resource) else {
            return Ruling::failed("the resource cannot be described to the policies");
        };
        let context = if circumstances == Circumstances::default() {
            Ok(self.direct.clone())
        } else {
            described(&self.environment, circumstances)
        };
        let (principal, action, target) = (subject.uid.clone(), action.uid.clone(), resource.uid());
        let asked = context.map_err(Ruling::failed).and_then(|context| {
            let request = Request::new(principal, action, target, context, None).map_err(Ruling::failed)?;
            Ok((request, entities.add_entities([resource], None).map_err(Ruling::failed)?))
        });
        match asked {
            Ok((request, entities)) => {
                let ruling = ruling(&self.authorizer.is_authorized(&request, set, &entities));
                let labelled = || labelled(&self.authorizer.is_authorized(&request, labels, &entities));
                let secret = ruling.effect == Effect::Permit && !labels.is_empty() && labelled();
                Ruling { secret, ..ruling }
            }
            Err(failed) => failed,
        }
    }

    /// The smallest policy that would permit this.
    pub(in super::super) fn suggestion(
        &self,
        identity: &IdentityContext,
        row: Row,
        resource: &Resource<'_>,
    ) -> Option<String> {
        let action = &self.actions.get(row.index())?.uid;
        let kind = match identity.principal() {
            Principal::Plugin(_) => "Plugin",
            Principal::Operator(_) => "Operator",
            Principal::Host(_) => "Host",
        };
        let name = quoted(identity.name());
        let target = match resource.kind {
            ResourceKind::None => String::new(),
            kind => format!(" == {}::{}", schema::resource_type(kind), quoted(resource.name)),
        };
        Some(format!("permit(principal == {kind}::{name}, action == {action}, resource{target});"))
    }
}

fn described(environment: &str, circumstances: Circumstances) -> Result<Context, Fault> {
    let Circumstances { depth, tainted } = circumstances;
    let context = Context::from_pairs([
        ("environment".to_owned(), RestrictedExpression::new_string(environment.to_owned())),
        ("depth".to_owned(), RestrictedExpression::new_long(i64::from(depth))),
        ("tainted".to_owned(), RestrictedExpression::new_bool(tainted)),
    ])?;
    Ok(context)
}

/// Whether a label speaks of it. One that cannot be evaluated might have.
fn labelled(response: &Response) -> bool {
    response.decision() == Decision::Allow || response.diagnostics().errors().next().is_some()
}

fn ruling(response: &Response) -> Ruling {
    let about = response.diagnostics();
    let ids = || about.reason().map(AsRef::as_ref);
    let failed: Vec<String> = about.errors().map(ToString::to_string).collect();
    match response.decision() {
        // Cedar leaves out a policy that cannot be evaluated. It might have forbidden, so it denies.
        Decision::Allow if failed.is_empty() => Ruling::new(Effect::Permit, ids()),
        Decision::Deny if ids().next().is_some() => Ruling::new(Effect::Forbid, ids()),
        Decision::Deny if failed.is_empty() => Ruling::new(Effect::Silent, ids()),
        Decision::Allow | Decision::Deny => {
            let whose = about.errors().map(|e| match e {
                cedar_policy::AuthorizationError::PolicyEvaluationError(e) => e.policy_id().as_ref(),
            });
            Ruling::new(Effect::Failed(failed.join("; ")), whose)
        }
    }
}
