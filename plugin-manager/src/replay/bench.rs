//! A set of policies that recorded calls are put before.

use super::calls::RecordedCall;
use crate::config::Config;
use crate::registry::members::of_home;
use crate::registry::sources;
use common::error::ForgeError;
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity, Publisher};
use common::permission::Permission;
use microkernel::syscall_bridge::{Action, builtin_actions};
use microkernel::trust::{
    Denial, ManagementAction, Memberships, Resource, ResourceKind, TrustContext, TrustEvaluator, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The policies of one directory, under the rules of a configuration.
pub(super) struct Bench {
    evaluator: TrustEvaluator,
    actions: Vec<Action>,
    members: Memberships,
}

/// What the policies of a bench say: which of them permit, or why not.
pub(super) type Said = Result<Vec<String>, Box<Denial>>;

impl Bench {
    /// The policies in this directory, with the configuration, the roles and the tiers of a home. A trust
    /// configuration that cannot be used gives none, as when a home is opened.
    pub fn of(dir: &Path, home: &Path, config: &Config) -> Result<Self, ForgeError> {
        let actions = builtin_actions();
        let evaluator = sources::evaluator(&actions, dir, &sources::policies(dir)?, config)?;
        let members = of_home(home);
        evaluator.set_memberships(members.clone());
        Ok(Self { evaluator, actions, members })
    }

    pub const fn evaluator(&self) -> &TrustEvaluator {
        &self.evaluator
    }

    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Every policy by its id.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.evaluator.policy_texts().into_iter().collect()
    }

    /// The operators that policies and roles name.
    pub fn operators(&self) -> BTreeSet<String> {
        let mentions = self.evaluator.mentions().into_iter();
        let named = mentions.filter(|mention| mention.kind == "Operator").map(|mention| mention.name);
        named.chain(self.members.roles.iter().flat_map(|role| role.operators.iter().cloned())).collect()
    }

    /// The text of the policy of this id.
    pub fn text(&self, id: &str) -> Option<String> {
        self.evaluator.policy_text(id)
    }

    /// What these policies say of a call, were it granted. `None` when it cannot be put before them: its action is of
    /// another program, or its names are none.
    pub fn decide(&self, call: &RecordedCall) -> Option<Said> {
        let verdict = match ManagementAction::ALL.into_iter().find(|verb| verb.name() == call.action) {
            Some(verb) => {
                let trust = self.trust(call, &[])?;
                self.evaluator.evaluate_management(&trust, verb, &call.resource)
            }
            None => {
                let action = self.actions.iter().find(|action| action.name == call.action)?;
                let kind = ResourceKind::ALL.into_iter().find(|kind| kind.name() == call.resource_kind)?;
                let resource = Resource { kind, name: &call.resource, private: call.private };
                let resource = if kind == ResourceKind::None { Resource::NONE } else { resource };
                self.evaluator.evaluate(&self.trust(call, &granted(action))?, action, &resource)
            }
        };
        Some(match verdict {
            Verdict::Allow(permit) => {
                let ids = self.evaluator.policy_ids(permit.policies());
                Ok(ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect())
            }
            Verdict::Deny(denial) => Err(Box::new(denial)),
        })
    }

    fn trust(&self, call: &RecordedCall, grants: &[Permission]) -> Option<TrustContext> {
        let identity = match call.principal_kind {
            "operator" => IdentityContext::operator(&call.principal),
            "host" => IdentityContext::new(&call.principal),
            _ => {
                let (publisher, name) =
                    (Publisher::new(&call.publisher).ok()?, Name::new(&call.principal).ok()?);
                IdentityContext::plugin(PluginIdentity {
                    id: PluginId::new(&publisher, &name),
                    name,
                    publisher,
                    version: call.version.clone(),
                    digest: call.digest.parse::<Digest>().ok()?,
                    instance: 0,
                })
            }
        };
        let mut trust = TrustContext::with_grants(Arc::new(identity), grants.to_vec());
        trust.set_depth(call.depth);
        Some(trust)
    }
}

/// Everything the action needs, wherever: what was granted is not the question.
fn granted(action: &Action) -> Vec<Permission> {
    let scopes = ["", ":**", ":/**"];
    let wide = |(need, scope): (&common::permission::Capability, &str)| {
        Permission::parse(need.family(), &format!("{}{scope}", need.verb())).ok()
    };
    action.needs.iter().flat_map(|need| scopes.map(|scope| (need, scope))).filter_map(wide).collect()
}
