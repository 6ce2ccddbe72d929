//! A principal prepared for decisions. What it is and what it was granted never changes; what it remembers does.

use super::memory::Memory;
use common::identity::IdentityContext;
use common::permission::Permission;
use std::sync::Arc;

/// A principal prepared for decisions: who it is, what it was granted, and what was decided lately.
///
/// ```
/// use common::identity::IdentityContext;
/// use microkernel::trust::TrustContext;
/// let identity = IdentityContext::new("plugin-manager");
/// let trust = TrustContext::new(&identity);
/// assert!(trust.grants().is_empty());
/// ```
#[derive(Debug)]
pub struct TrustContext {
    pub(super) identity: Arc<IdentityContext>,
    pub(super) grants: Vec<Permission>,
    pub(super) depth: u32,
    pub(super) memory: Memory,
}

impl TrustContext {
    /// The context of a principal without grants: an operator or a part of the host.
    pub fn new(identity: &IdentityContext) -> Self {
        Self::with_grants(Arc::new(identity.clone()), Vec::new())
    }
    /// The context of a plugin instance with what it was granted (requested ∩ allowed).
    pub fn with_grants(identity: Arc<IdentityContext>, grants: Vec<Permission>) -> Self {
        Self { identity, grants, depth: 0, memory: Memory::default() }
    }
    /// Who it is.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.identity
    }
    /// What it was granted.
    pub fn grants(&self) -> &[Permission] {
        &self.grants
    }
    /// How many plugins called one another to get here: what policies see as `context.depth`.
    pub fn depth(&self) -> u32 {
        self.depth
    }
    /// Sets how many plugins called one another to get here.
    pub fn set_depth(&mut self, depth: u32) {
        self.depth = depth;
    }
}
