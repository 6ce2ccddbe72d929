//! What a grant lets an instance know of its surroundings: names of variables and of directories. Deciding each use
//! stays the bridge's.

use crate::extension::Settings;
use crate::syscall::{Around, Surroundings};
use common::identity::Name;
use common::permission::{Capability, Permission};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The private area.
const PRIVATE: &str = "/data";

/// What the instances of a plugin with these permissions are told, by its settings at that time.
pub(super) fn around(settings: &Arc<Settings>, plugin: &Name, permissions: &[Permission]) -> Around {
    let (settings, plugin, permissions) = (settings.clone(), plugin.clone(), permissions.to_vec());
    Arc::new(move || surroundings(&permissions, settings.of(&plugin).env.keys()))
}

/// What an instance with these permissions is told, of these variables of its plugin.
fn surroundings<'a>(permissions: &[Permission], variables: impl Iterator<Item = &'a String>) -> Surroundings {
    let readable = |name: &&String| {
        let mut reads = permissions.iter().filter(|p| p.capability == Capability::EnvRead);
        reads.any(|p| p.scope.as_ref().is_none_or(|scope| scope.covers(name)))
    };
    let files = permissions.iter().filter(|p| p.capability.family() == "filesystem");
    let mounts: BTreeSet<String> = files.map(mount).collect();
    Surroundings {
        variables: variables.filter(readable).cloned().collect(),
        mounts: mounts.into_iter().collect(),
    }
}

/// The directory of the root in which a permission's paths begin. Where the scope leaves that open, the private area.
fn mount(permission: &Permission) -> String {
    let scope = permission.scope.as_ref().map(ToString::to_string).unwrap_or_default();
    match scope.split('/').nth(1) {
        Some(first) if !first.is_empty() && !first.contains('*') => format!("/{first}"),
        _ => PRIVATE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(permissions: &[(&str, &str)], variables: &[&str]) -> Surroundings {
        let granted: Vec<_> = permissions.iter().map(|(f, t)| Permission::parse(f, t).unwrap()).collect();
        let variables: Vec<String> = variables.iter().map(|name| (*name).to_owned()).collect();
        surroundings(&granted, variables.iter())
    }

    #[test]
    fn directories_are_those_the_permissions_begin_in() {
        assert_eq!(told(&[], &[]).mounts, Vec::<String>::new());
        assert_eq!(told(&[("storage", "get"), ("env", "read")], &[]).mounts, Vec::<String>::new());
        assert_eq!(
            told(&[("filesystem", "read"), ("filesystem", "write:/data/x/**")], &[]).mounts,
            ["/data"]
        );
        let several =
            [("filesystem", "read:/media/**"), ("filesystem", "list:/**"), ("filesystem", "read:/me*/x")];
        assert_eq!(told(&several, &[]).mounts, ["/data", "/media"]);
    }

    #[test]
    fn variables_are_those_a_permission_covers() {
        let all = ["HOME", "LANG", "LC_ALL"];
        assert!(told(&[("filesystem", "read")], &all).variables.is_empty());
        assert_eq!(told(&[("env", "read")], &all).variables, all);
        assert_eq!(told(&[("env", "read:L*")], &all).variables, ["LANG", "LC_ALL"]);
    }
}
