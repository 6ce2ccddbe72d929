//! The first tier: whether what was granted covers what is asked, and the smallest grant that would.

use super::Resource;
use common::permission::{Capability, Permission};
use std::collections::BTreeMap;

/// Whether for every capability some granted permission covers the resource.
pub(super) fn covered(grants: &[Permission], needs: &[Capability], resource: &Resource<'_>) -> bool {
    needs.iter().all(|need| has(grants, *need, resource))
}

/// Whether these capabilities are granted whatever the resource's name and place.
pub(super) fn covered_always(grants: &[Permission], needs: &[Capability]) -> bool {
    let whole = |g: &Permission| g.scope.is_none() && !g.capability.private_by_default();
    needs.iter().all(|need| grants.iter().any(|g| g.capability == *need && whole(g)))
}

/// The smallest permissions that, added to the grants, would cover the resource: as in a manifest.
pub(super) fn missing(grants: &[Permission], needs: &[Capability], resource: &Resource<'_>) -> String {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for need in needs.iter().filter(|need| !has(grants, **need, resource)) {
        families.entry(need.family()).or_default().push(format!("{:?}", smallest(*need, resource)));
    }
    let lines: Vec<String> =
        families.iter().map(|(f, verbs)| format!("{f} = [{}]", verbs.join(", "))).collect();
    lines.join("; ")
}

fn has(grants: &[Permission], need: Capability, resource: &Resource<'_>) -> bool {
    grants.iter().filter(|g| g.capability == need).any(|g| covers(g, resource))
}

fn covers(grant: &Permission, resource: &Resource<'_>) -> bool {
    match &grant.scope {
        Some(scope) => scope.covers(resource.name),
        None => resource.private || !grant.capability.private_by_default(),
    }
}

/// The bare verb where it is enough for a private area, else the verb with the very name, where the family's
/// grammar can say it.
fn smallest(need: Capability, resource: &Resource<'_>) -> String {
    let bare = need.verb().to_owned();
    if resource.private && need.private_by_default() {
        return bare;
    }
    let scoped = format!("{bare}:{}", resource.name);
    match Permission::parse(need.family(), &scoped) {
        Ok(p) if covers(&p, resource) => scoped,
        _ => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::ResourceKind;
    use proptest::prelude::*;

    fn granted(list: &[(&str, &str)]) -> Vec<Permission> {
        list.iter().map(|(f, t)| Permission::parse(f, t).unwrap()).collect()
    }
    fn key(name: &str, private: bool) -> Resource<'_> {
        Resource { kind: ResourceKind::Key, name, private }
    }

    #[test]
    fn a_bare_verb_is_the_private_area_or_whatever_the_policy_names() {
        let grants = granted(&[("storage", "get"), ("env", "read")]);
        assert!(covered(&grants, &[Capability::StorageGet], &key("k", true)));
        assert!(!covered(&grants, &[Capability::StorageGet], &key("k", false)));
        assert!(covered(&grants, &[Capability::EnvRead], &key("HOME", false)));
        assert!(covered_always(&grants, &[Capability::EnvRead]));
        assert!(!covered_always(&grants, &[Capability::StorageGet]));
        assert!(covered(&grants, &[], &key("k", false)) && covered_always(&grants, &[]));
    }

    #[test]
    fn a_scope_is_what_it_covers_and_nothing_else() {
        let grants = granted(&[("filesystem", "read:/data/*.log")]);
        let path = |name| Resource { kind: ResourceKind::Path, name, private: true };
        assert!(covered(&grants, &[Capability::FilesystemRead], &path("/data/a.log")));
        assert!(!covered(&grants, &[Capability::FilesystemRead], &path("/data/a.txt")));
        assert!(!covered(&grants, &[Capability::FilesystemWrite], &path("/data/a.log")));
    }

    #[test]
    fn every_need_must_be_covered_and_only_what_lacks_is_named() {
        let needs = [Capability::StorageGet, Capability::StorageSet];
        let grants = granted(&[("storage", "get")]);
        assert!(!covered(&grants, &needs, &key("k", true)));
        assert_eq!(missing(&grants, &needs, &key("k", true)), r#"storage = ["set"]"#);
        assert_eq!(missing(&[], &needs, &key("k", true)), r#"storage = ["get", "set"]"#);
        assert_eq!(missing(&[], &needs[..1], &key("other/k", false)), r#"storage = ["get:other/k"]"#);
    }

    proptest! {
        #[test]
        fn adding_what_is_missing_covers(name in "[ -~]{0,40}", private: bool, which in 0usize..Capability::COUNT) {
            let need = Capability::all().nth(which).unwrap();
            let resource = key(&name, private);
            if let Ok(p) = Permission::parse(need.family(), &smallest(need, &resource)) {
                // A name no scope can spell is out of reach of any grant unless it is private.
                let spelled = Permission::parse(need.family(), &format!("{}:{name}", need.verb())).is_ok();
                if spelled || private {
                    prop_assert!(covered(&[p], &[need], &resource) || !need.private_by_default());
                }
            }
        }
    }
}
