//! A principal prepared for decisions. What it is and what it was granted never changes; what it remembers does.

use super::ResourceKind;
use super::chain::{Chain, Link};
use super::memory::Memory;
use crate::syscall_bridge::Action;
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
    pub(super) link: Link,
    pub(super) depth: u32,
    /// Whether what is remembered was decided for one that has read a secret.
    pub(super) tainted: bool,
    pub(super) memory: Memory,
    /// Those it acts for: what it does, each of them must be allowed too.
    pub(super) behalf: Vec<TrustContext>,
}

impl TrustContext {
    /// The context of a principal without grants: an operator or a part of the host.
    pub fn new(identity: &IdentityContext) -> Self {
        Self::with_grants(Arc::new(identity.clone()), Vec::new())
    }
    /// The context of a plugin instance with what it was granted (requested ∩ allowed).
    pub fn with_grants(identity: Arc<IdentityContext>, grants: Vec<Permission>) -> Self {
        Self::of(Link::new(identity, grants))
    }
    fn of(link: Link) -> Self {
        Self { tainted: link.is_tainted(), link, depth: 0, memory: Memory::default(), behalf: Vec::new() }
    }
    /// Who it is.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.link.identity
    }
    /// What it was granted.
    pub fn grants(&self) -> &[Permission] {
        &self.link.grants
    }
    /// As a chain of calls carries it.
    pub fn link(&self) -> &Link {
        &self.link
    }
    /// How many plugins called one another to get here: what policies see as `context.depth`.
    pub fn depth(&self) -> u32 {
        self.depth
    }
    /// Sets how many plugins called one another to get here.
    pub fn set_depth(&mut self, depth: u32) {
        self.depth = depth;
        self.behalf.iter_mut().for_each(|caller| caller.depth = depth);
    }

    /// Acts for this chain from now on: with no right that one of its callers lacks. What is remembered of a caller
    /// that was there before is kept.
    pub fn act_for(&mut self, chain: &Chain) {
        let callers = chain.behalf();
        self.behalf.truncate(callers.len());
        for (at, link) in callers.iter().enumerate() {
            match self.behalf.get_mut(at) {
                Some(known) if known.link.is(link) => {}
                Some(other) => *other = Self::of(link.clone()),
                None => self.behalf.push(Self::of(link.clone())),
            }
        }
        self.set_depth(u32::try_from(chain.len()).unwrap_or(u32::MAX));
        // What it answers may hold what it has read.
        if self.link.is_tainted() {
            self.taint();
        }
    }

    /// Whether its own rights alone decide about this action: it acts for nobody, or it calls on. Who calls on uses no
    /// right of those it acts for: whom it calls is bound by theirs in turn.
    #[inline]
    pub(super) fn acts_alone(&self, action: Option<&Action>) -> bool {
        self.behalf.is_empty() || action.is_some_and(|action| action.resource == ResourceKind::Plugin)
    }

    /// Whether it acts for plugins that called it.
    #[inline]
    pub const fn acts_for_others(&self) -> bool {
        !self.behalf.is_empty()
    }

    /// Whether it has been given something that a policy labels secret: what policies see as `context.tainted`.
    pub fn is_tainted(&self) -> bool {
        self.link.is_tainted()
    }
    /// Marks it, and those it acts for, who are given its answer.
    pub(crate) fn taint(&self) {
        self.link.taint.set();
        self.behalf.iter().for_each(|caller| caller.link.taint.set());
    }
    /// Whether it was marked since the last decision, by a plugin it called.
    #[inline]
    pub(crate) fn is_newly_tainted(&self) -> bool {
        !self.tainted && self.link.is_tainted()
    }
    /// Forgets what was decided before it was marked.
    #[cold]
    pub(crate) fn notice(&mut self) {
        self.tainted = true;
        self.memory = Memory::default();
    }
}
