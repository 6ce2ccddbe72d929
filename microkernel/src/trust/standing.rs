//! Which plugins are trusted less than fully, as the decisions of one epoch see it.

use super::TrustClass;
use common::identity::{IdentityContext, PluginId, Principal};
use std::collections::BTreeMap;

/// The classes of plugins; one that is not in it is `full`. Holds at most as many as there are installed plugins.
#[derive(Debug, Clone, Default)]
pub(super) struct Standings(BTreeMap<PluginId, TrustClass>);

impl Standings {
    /// These with another class of one plugin; `None` when it has that class.
    pub(super) fn with(&self, plugin: PluginId, class: TrustClass) -> Option<Self> {
        if self.0.get(&plugin).copied().unwrap_or_default() == class {
            return None;
        }
        let mut all = self.0.clone();
        match class {
            TrustClass::Full => all.remove(&plugin),
            TrustClass::Reduced | TrustClass::Quarantined => all.insert(plugin, class),
        };
        Some(Self(all))
    }

    /// The class of a principal; only a plugin has one that is not `full`.
    pub(super) fn of(&self, identity: &IdentityContext) -> TrustClass {
        match identity.principal() {
            Principal::Plugin(plugin) => self.0.get(&plugin.id).copied().unwrap_or_default(),
            Principal::Host(_) | Principal::Operator(_) => TrustClass::Full,
        }
    }
}
