//! What the room promises, tested through its public face.

mod builtin;
mod chain;
#[cfg(feature = "cedar")]
mod flow;
pub(crate) mod interleave;
#[cfg(feature = "cedar")]
mod membership;
#[cfg(feature = "cedar")]
mod memory;
#[cfg(feature = "cedar")]
mod outlook;
#[cfg(feature = "cedar")]
mod policy;
#[cfg(feature = "cedar")]
mod publish;
#[cfg(feature = "cedar")]
mod standing;

use super::*;
use crate::syscall_bridge::{Action, builtin_actions};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use common::permission::Permission;
use std::sync::Arc;

pub(crate) fn plugin(name: &str, publisher: &str) -> IdentityContext {
    let (name, publisher) = (Name::new(name).unwrap(), Name::new(publisher).unwrap());
    IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&publisher, &name),
        digest: Digest::of(name.as_str().as_bytes()),
        name,
        publisher,
        version: "1.2.0".into(),
        instance: 0,
    })
}

pub(crate) fn permissions(list: &[(&str, &str)]) -> Vec<Permission> {
    list.iter().map(|(family, text)| Permission::parse(family, text).unwrap()).collect()
}

/// Every capability, bare.
pub(crate) fn everything() -> Vec<Permission> {
    common::permission::Capability::all().map(|capability| Permission { capability, scope: None }).collect()
}

fn context(grants: &[(&str, &str)]) -> TrustContext {
    TrustContext::with_grants(Arc::new(plugin("redactor", "acme")), permissions(grants))
}

fn action(name: &str) -> Action {
    builtin_actions().into_iter().find(|a| a.name == name).unwrap()
}

/// A resource of the kind the action touches.
fn resource<'a>(action: &Action, name: &'a str, private: bool) -> Resource<'a> {
    match action.resource {
        ResourceKind::None => Resource::NONE,
        kind => Resource { kind, name, private },
    }
}

fn source(name: &str, text: &str) -> PolicySource {
    PolicySource { name: name.into(), text: text.into() }
}

fn evaluator(policies: &[&str]) -> TrustEvaluator {
    let sources: Vec<_> = policies.iter().enumerate().map(|(i, p)| source(&format!("s{i}"), p)).collect();
    TrustEvaluator::new(&builtin_actions(), &sources).unwrap()
}

fn allowed(evaluator: &TrustEvaluator, verdict: Verdict) -> Result<String, Denial> {
    match verdict {
        Verdict::Allow(permit) => Ok(evaluator.policy_ids(permit.policies()).to_string()),
        Verdict::Deny(denial) => Err(denial),
    }
}

/// Decides by all policies and by the cache, cold and warm; they must agree. Returns the ids that permitted.
fn decide(
    evaluator: &TrustEvaluator,
    context: &mut TrustContext,
    name: &str,
    on: (&str, bool),
) -> Result<String, Denial> {
    let action = action(name);
    let resource = resource(&action, on.0, on.1);
    let whole = allowed(evaluator, evaluator.evaluate(context, &action, &resource));
    for _ in 0..2 {
        let cached = allowed(evaluator, evaluator.evaluate_syscall(context, &action, &resource));
        assert_eq!(whole, cached.map_err(|denial| Denial { cached: false, ..denial }));
    }
    whole
}
