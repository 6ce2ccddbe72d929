//! One principal at the door: its identity, its trust context, its counters, the deadline of its call.

use crate::trust::TrustContext;
use common::audit::{Actor, AuditLog};
use common::clock::Deadline;
use common::identity::{IdentityContext, PluginId};
use std::sync::Arc;

/// Who calls. Owned by one instance; not shared.
#[derive(Debug)]
pub struct Caller {
    identity: Arc<IdentityContext>,
    actor: Actor,
    trust: TrustContext,
    deadline: Deadline,
    chain: Arc<[PluginId]>,
}

impl Caller {
    /// The caller with this trust context, recording to this log.
    pub fn new(trust: TrustContext, _audit: &AuditLog) -> Self {
        let identity = trust.identity().clone();
        Self {
            actor: Actor::new(&identity),
            identity,
            trust,
            deadline: Deadline::NEVER,
            chain: Arc::from([]),
        }
    }
    /// Its identity.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.identity
    }
    /// The actor named in records.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
    /// Its trust context.
    pub fn trust(&self) -> &TrustContext {
        &self.trust
    }
    /// When the current call must end; host calls included.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }
    /// Starts a call: its deadline, and the plugins that called one another to get here, outermost first,
    /// this one not included.
    pub fn begin(&mut self, deadline: Deadline, chain: Arc<[PluginId]>) {
        self.deadline = deadline;
        self.chain = chain;
    }
    /// The plugins that called one another to get here.
    pub fn chain(&self) -> &Arc<[PluginId]> {
        &self.chain
    }
}
