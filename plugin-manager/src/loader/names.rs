//! Which names an entry may have: a plain relative form that is refused when it is not already so, never mended.

use super::error::{EntryFault, LoadError};

/// Longest name of an entry in bytes: what the ustar format can hold.
pub(crate) const MAX_NAME: usize = 255;
/// Most parts a name may have.
const MAX_PARTS: usize = 16;

/// What an entry of that name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `manifest.json`.
    Manifest,
    /// A file the manifest lists and a signature covers.
    Content,
    /// A file under `attestations/`, covered by neither.
    Attestation,
}

/// Checks that a name is plain and gives it without a leading `./`, which `tar .` writes.
pub(crate) fn plain(name: &str) -> Result<&str, LoadError> {
    let fail = |fault| LoadError::entry(name, fault);
    let bare = name.strip_prefix("./").unwrap_or(name);
    if bare.is_empty() {
        return Err(fail(EntryFault::Empty));
    }
    if bare.starts_with('/') {
        return Err(fail(EntryFault::Absolute));
    }
    if bare.len() > MAX_NAME || bare.split('/').count() > MAX_PARTS {
        return Err(fail(EntryFault::Long));
    }
    // ASCII only: two names that differ in Unicode normalisation or case folding cannot arise.
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-+@,=() /".contains(&b);
    if !bare.bytes().all(allowed) {
        return Err(fail(EntryFault::Characters));
    }
    for part in bare.split('/') {
        if matches!(part, "" | "." | "..") {
            return Err(fail(EntryFault::Traversal));
        }
        if part.starts_with(' ') || part.ends_with([' ', '.']) {
            return Err(fail(EntryFault::Edges));
        }
    }
    Ok(bare)
}

/// The role of a plain name, or `None` when no package has such a file.
pub(crate) fn role(name: &str) -> Option<Role> {
    if name == super::MANIFEST {
        return Some(Role::Manifest);
    }
    if matches!(name, super::MODULE | super::PLUGIN_TOML | super::forgepkg::SBOM)
        || name.starts_with("assets/")
    {
        return Some(Role::Content);
    }
    let inner = name.strip_prefix("attestations/")?;
    let bundle = inner.strip_suffix(".sigstore.json").is_some_and(|stem| !stem.is_empty());
    let known = !inner.contains('/') && (bundle || inner == "chain.pem");
    known.then_some(Role::Attestation)
}

/// Whether a directory of this plain name may stand in an archive.
pub(crate) fn directory_allowed(name: &str) -> bool {
    matches!(name, "assets" | "attestations") || name.starts_with("assets/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_are_not_plain_are_refused_and_not_mended() {
        let long = format!("assets/{}", "a".repeat(300));
        let deep = format!("assets/{}", "a/".repeat(20));
        let bad = [
            "../../etc/x",
            "/etc/x",
            "a/../../x",
            "./../x",
            "././x",
            "a//b",
            "a/./b",
            "a/",
            "",
            "./",
            ".",
            "..",
            "assets\\x",
            "assets/a\0b",
            "assets/a.",
            "assets/a ",
            "assets/ a",
            "assets/a\n",
            "assets/\u{e9}",
            "assets/e\u{301}",
            "assets/a:b",
            "assets/\u{202e}x",
            "./\u{0}",
            ".//etc/x",
            &long,
            &deep,
        ];
        for name in bad {
            assert!(plain(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn plain_names_pass() {
        for name in ["plugin.wasm", "assets/a b.txt", "assets/.hidden", "attestations/package.sigstore.json"]
        {
            assert_eq!(plain(name).unwrap(), name);
            assert_eq!(plain(&format!("./{name}")).unwrap(), name);
        }
    }

    #[test]
    fn roles_are_exact() {
        assert_eq!(role("manifest.json"), Some(Role::Manifest));
        assert_eq!(role("sbom.cdx.json"), Some(Role::Content));
        assert_eq!(role("attestations/x.sigstore.json"), Some(Role::Attestation));
        for other in [
            "Plugin.wasm",
            "README.md",
            "attestations/x.txt",
            "attestations/.sigstore.json",
            "assets",
            "attestations/a/b.sigstore.json",
            "MANIFEST.JSON",
            "asset/x",
        ] {
            assert_eq!(role(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_name_stays_below_its_root(name in "[./a\\\\ ]{0,12}") {
            if let Ok(p) = plain(&name) {
                prop_assert!(std::path::Path::new(p).components().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }
    }
}
