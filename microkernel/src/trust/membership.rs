//! What plugins and operators belong to by the operator's word: roles, and the tier of a plugin. Says nothing of what
//! either may do: policies do.

use super::TrustClass;
use common::identity::{IdentityContext, Name, Principal, Publisher};
use common::permission::Glob;
use std::collections::BTreeSet;

/// The tier of a plugin that nobody gave another.
pub const STANDARD: &str = "standard";

/// Plugins by publisher and name, either of which may be any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPattern {
    /// The publisher.
    pub publisher: Glob,
    /// The name.
    pub name: Glob,
}

impl PluginPattern {
    fn means(&self, publisher: &Publisher, name: &Name) -> bool {
        self.publisher.matches(publisher.as_str()) && self.name.matches(name.as_str())
    }
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleMembers {
    /// The role.
    pub role: Name,
    /// The plugins that have it.
    pub plugins: Vec<PluginPattern>,
    /// The operators that have it, by name.
    pub operators: BTreeSet<String>,
}

/// Which plugins are of a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierMembers {
    /// The tier.
    pub tier: Name,
    /// Its plugins.
    pub plugins: Vec<PluginPattern>,
}

/// Roles and tiers. A principal has every role that means it; a plugin is of the first tier that does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memberships {
    /// The roles.
    pub roles: Vec<RoleMembers>,
    /// The tiers.
    pub tiers: Vec<TierMembers>,
}

impl Memberships {
    /// The roles a principal is given here, beside those its identity has.
    fn roles<'a>(&'a self, identity: &IdentityContext) -> impl Iterator<Item = &'a str> {
        let has = |members: &&RoleMembers| match identity.principal() {
            Principal::Plugin(plugin) => {
                members.plugins.iter().any(|p| p.means(&plugin.publisher, &plugin.name))
            }
            Principal::Operator(name) => members.operators.contains(name),
            Principal::Host(_) => false,
        };
        self.roles.iter().filter(has).map(|members| members.role.as_str())
    }

    /// The tier of a plugin; [`STANDARD`] of everyone else.
    fn tier(&self, identity: &IdentityContext) -> &str {
        let Principal::Plugin(plugin) = identity.principal() else { return STANDARD };
        let means =
            |members: &&TierMembers| members.plugins.iter().any(|p| p.means(&plugin.publisher, &plugin.name));
        self.tiers.iter().find(means).map_or(STANDARD, |members| members.tier.as_str())
    }
}

/// What a principal is in one epoch, beside who it is.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "cedar"), allow(dead_code, reason = "the built-in rules look at none of it"))]
pub(super) struct Position<'a> {
    /// How far it is trusted by what it did.
    pub(super) class: TrustClass,
    /// Its tier.
    pub(super) tier: &'a str,
    /// Its roles: those of its identity, and those it is given.
    pub(super) roles: BTreeSet<&'a str>,
}

impl<'a> Position<'a> {
    pub(super) fn new(class: TrustClass, members: &'a Memberships, identity: &'a IdentityContext) -> Self {
        let roles = identity.roles().chain(members.roles(identity)).collect();
        Self { class, tier: members.tier(identity), roles }
    }
}
