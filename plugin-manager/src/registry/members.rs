//! From roles and tiers of `trust.toml` to what decisions know of them.

use super::sources;
use crate::attestation::TrustRoot;
use crate::attestation::trust::{self, NamePattern, TrustConfig};
use common::permission::Glob;
use microkernel::trust::{Memberships, PluginPattern, RoleMembers, TierMembers};
use std::path::Path;

/// The roles and tiers of a trust configuration; none without one.
pub(super) fn memberships(trust: Option<&TrustConfig>) -> Memberships {
    let Some(trust) = trust else { return Memberships::default() };
    let role = |role: &trust::RoleEntry| RoleMembers {
        role: role.name.clone(),
        plugins: patterns(&role.plugins),
        operators: role.operators.clone(),
    };
    let tier =
        |tier: &trust::TierEntry| TierMembers { tier: tier.name.clone(), plugins: patterns(&tier.plugins) };
    Memberships {
        roles: trust.roles.iter().map(role).collect(),
        tiers: trust.tiers.iter().map(tier).collect(),
    }
}

/// Those of a home, by its files. A trust configuration that cannot be used gives none, as when a home is opened.
pub(crate) fn of_home(home: &Path) -> Memberships {
    let trust = sources::trust(&home.join("trust")).ok().flatten();
    memberships(trust.as_ref().map(TrustRoot::config))
}

fn patterns(all: &[trust::PluginPattern]) -> Vec<PluginPattern> {
    // Each is a glob over names: one that could not be read again would mean nobody.
    let glob = |pattern: &NamePattern| Glob::name(&pattern.to_string()).ok();
    let both = |p: &trust::PluginPattern| {
        Some(PluginPattern { publisher: glob(&p.publisher)?, name: glob(&p.name)? })
    };
    all.iter().filter_map(both).collect()
}
