//! Decides. Total: doubt is a denial. Only this room can make a [`Permit`].

mod permit;
mod types;

pub use permit::Permit;
pub use types::{Denial, ManagementAction, Resource, ResourceKind, Verdict};

use crate::syscall_bridge::Action;
use common::error::{Code, Coded, codes};
use common::identity::IdentityContext;
use common::permission::Permission;
use std::sync::Arc;

/// A principal prepared for decisions: who it is, what it was granted, and what was decided lately.
#[derive(Debug)]
pub struct TrustContext {
    identity: Arc<IdentityContext>,
    grants: Vec<Permission>,
}

impl TrustContext {
    /// The context of a principal without grants: an operator or a part of the host.
    pub fn new(identity: &IdentityContext) -> Self {
        Self::with_grants(Arc::new(identity.clone()), Vec::new())
    }
    /// The context of a plugin instance with what it was granted (requested ∩ allowed).
    pub fn with_grants(identity: Arc<IdentityContext>, grants: Vec<Permission>) -> Self {
        Self { identity, grants }
    }
    /// Who it is.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.identity
    }
    /// What it was granted.
    pub fn grants(&self) -> &[Permission] {
        &self.grants
    }
}

/// One policy text and the name it is reported by, usually its file's name.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// Its name.
    pub name: String,
    /// Cedar policies.
    pub text: String,
}

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A policy does not parse or does not fit the schema.
    #[error("policy {name} is not valid")]
    Policy {
        /// The source's name.
        name: String,
        /// What is wrong, one line each.
        problems: Vec<String>,
    },
}

impl Coded for TrustError {
    fn code(&self) -> &'static Code {
        &codes::E2004
    }
}

/// Holds the policies and decides by them.
#[derive(Debug)]
pub struct TrustEvaluator {}

impl TrustEvaluator {
    /// An evaluator for these actions with the built-in policy and these sources.
    ///
    /// # Errors
    /// When a source does not parse or does not fit the schema.
    pub fn new(_actions: &[Action], _sources: &[PolicySource]) -> Result<Self, TrustError> {
        Ok(Self {})
    }
    /// The policy epoch: rises with every change of anything a decision depends on.
    pub fn epoch(&self) -> u64 {
        0
    }
    /// Decides one host call, using and filling the context's cache.
    pub fn evaluate_syscall(
        &self,
        context: &mut TrustContext,
        action: &Action,
        resource: &Resource<'_>,
    ) -> Verdict {
        self.evaluate(context, action, resource)
    }
    /// Decides without the cache.
    pub fn evaluate(&self, _context: &TrustContext, _action: &Action, _resource: &Resource<'_>) -> Verdict {
        Verdict::Deny(Denial::no_permit(0))
    }
    /// Decides a management action.
    pub fn evaluate_management(
        &self,
        _context: &TrustContext,
        _action: ManagementAction,
        _plugin: &str,
    ) -> Verdict {
        Verdict::Deny(Denial::no_permit(0))
    }
    /// The ids of the policies behind a permit or a denial, for records.
    pub fn policy_ids(&self, _of: u32) -> Arc<str> {
        "".into()
    }
}
