//! The plugins that called one another to get to a call: a callee has no right that one of them lacks.

use common::identity::{IdentityContext, PluginId};
use common::permission::Permission;
use common::trace::TraceContext;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an instance has been given something that a policy labels secret. Set once, never taken back.
#[derive(Debug, Clone, Default)]
pub(super) struct Taint(Arc<AtomicBool>);

impl Taint {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// One instance as a chain carries it: who it is, what it was granted, and whether it has read a secret.
#[derive(Debug, Clone)]
pub struct Link {
    pub(super) identity: Arc<IdentityContext>,
    pub(super) grants: Arc<[Permission]>,
    pub(super) taint: Taint,
}

impl Link {
    /// An instance that has read no secret yet.
    pub fn new(identity: Arc<IdentityContext>, grants: Vec<Permission>) -> Self {
        Self { identity, grants: grants.into(), taint: Taint::default() }
    }
    /// Who it is.
    pub fn identity(&self) -> &Arc<IdentityContext> {
        &self.identity
    }
    /// Whether it has been given something that a policy labels secret.
    pub fn is_tainted(&self) -> bool {
        self.taint.is_set()
    }
    /// Whether this is the very same instance.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.taint.0, &other.taint.0)
    }
}

/// The plugins that called one another, outermost first, and the rights of those a callee acts for. Empty when no
/// plugin called. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Chain(Option<Arc<Links>>);

#[derive(Debug)]
struct Links {
    ids: Vec<PluginId>,
    behalf: Vec<Link>,
    trace: Option<TraceContext>,
}

impl Chain {
    /// No plugin called.
    pub const fn new() -> Self {
        Self(None)
    }
    /// These plugins called, and who is called acts in its own right: as its lifecycle functions do, which run
    /// because of a call and not for it.
    pub fn of(ids: impl IntoIterator<Item = PluginId>) -> Self {
        Self::made(ids.into_iter().collect(), Vec::new(), None)
    }
    /// This chain with one more plugin at its end, which calls the next with the rights of this link.
    #[must_use]
    pub fn then(&self, id: PluginId, link: &Link) -> Self {
        let ids = self.iter().copied().chain([id]).collect();
        Self::made(ids, self.behalf().iter().chain([link]).cloned().collect(), self.trace())
    }
    /// The same plugins, for functions that do not act for them.
    #[must_use]
    pub fn in_own_right(&self) -> Self {
        if self.behalf().is_empty() {
            self.clone()
        } else {
            Self::made(self.to_vec(), Vec::new(), self.trace())
        }
    }
    /// The same chain, at this place of a trace.
    #[must_use]
    pub fn traced(&self, trace: Option<TraceContext>) -> Self {
        if trace == self.trace() {
            self.clone()
        } else {
            Self::made(self.to_vec(), self.behalf().to_vec(), trace)
        }
    }
    /// Where in a trace the call is made, if it is part of one.
    #[inline]
    pub fn trace(&self) -> Option<TraceContext> {
        self.0.as_deref().and_then(|links| links.trace)
    }
    /// Whether this is the same chain and not only an equal one.
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
    /// Those whose rights bound what is done.
    pub(super) fn behalf(&self) -> &[Link] {
        self.0.as_deref().map_or(&[], |links| &links.behalf)
    }

    fn made(ids: Vec<PluginId>, behalf: Vec<Link>, trace: Option<TraceContext>) -> Self {
        let plain = ids.is_empty() && trace.is_none();
        Self((!plain).then(|| Arc::new(Links { ids, behalf, trace })))
    }
}

impl Deref for Chain {
    type Target = [PluginId];
    fn deref(&self) -> &[PluginId] {
        self.0.as_deref().map_or(&[], |links| &links.ids)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plugin;
    use super::*;

    #[test]
    fn a_chain_grows_at_its_end_and_own_right_keeps_the_plugins_alone() {
        let link = |name| Link::new(Arc::new(plugin(name, "acme")), Vec::new());
        let id = |link: &Link| link.identity().as_plugin().unwrap().id;
        let (a, b) = (link("a"), link("b"));
        let chain = Chain::new().then(id(&a), &a).then(id(&b), &b);
        assert_eq!(chain.to_vec(), [id(&a), id(&b)]);
        assert!(chain.behalf().iter().zip([&a, &b]).all(|(one, other)| one.is(other)));
        let own = chain.in_own_right();
        assert_eq!((own.to_vec(), own.behalf().len()), (chain.to_vec(), 0));
        assert!(chain.is(&chain.clone()) && !chain.is(&own) && Chain::new().is(&Chain::of([])));
        assert_eq!(own.then(id(&b), &b).behalf().len(), 1);
        let trace = TraceContext::new(1, 2, true);
        let traced = chain.traced(trace);
        assert_eq!((traced.to_vec(), traced.behalf().len(), traced.trace()), (chain.to_vec(), 2, trace));
        assert_eq!((traced.in_own_right().trace(), traced.then(id(&b), &b).trace()), (trace, trace));
        assert!(traced.traced(None).trace().is_none() && Chain::new().traced(trace).trace() == trace);
    }
}
