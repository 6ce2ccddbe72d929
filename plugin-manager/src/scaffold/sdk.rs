//! The SDK this host was built with, file by file: what `forgeone new` puts under `vendor/`.

/// A file below some directory: its path with `/`, and its text.
pub(super) type Embedded = (&'static str, &'static str);

/// The files of a directory below `guest/`.
macro_rules! embedded {
    ($directory:literal: $($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../guest/", $directory, "/", $file)))),+]
    };
}
pub(super) use embedded;

/// A crate under `vendor/`.
pub(super) struct Vendored {
    /// Its directory there, and its name.
    pub name: &'static str,
    /// Its manifest, for [`VERSION_HERE`] to be replaced in.
    pub manifest: &'static str,
    /// Its `src/`.
    pub sources: &'static [Embedded],
}

/// What stands in the manifests for the version of this host.
pub(super) const VERSION_HERE: &str = "0.0.0";

/// The licence of the copied crates.
pub(super) const LICENSE: &str = include_str!("../../../LICENSE");

/// Every crate of the SDK.
pub(super) const CRATES: [Vendored; 2] = [
    Vendored { name: "forgeone-abi", manifest: include_str!("vendor/abi.toml"), sources: ABI },
    Vendored { name: "forgeone-pdk", manifest: include_str!("vendor/pdk.toml"), sources: PDK },
];

const ABI: &[Embedded] = embedded! {
    "abi/src":
    "layout.rs",
    "lib.rs",
    "limits.rs",
    "names.rs",
    "status.rs",
    "wire/mod.rs",
    "wire/read.rs",
    "wire/tests.rs",
    "wire/write.rs",
};

const PDK: &[Embedded] = embedded! {
    "pdk/src":
    "auth.rs",
    "call.rs",
    "clock.rs",
    "config.rs",
    "convert.rs",
    "env.rs",
    "error.rs",
    "event.rs",
    "ffi.rs",
    "file.rs",
    "http.rs",
    "json.rs",
    "kv.rs",
    "libc_names.rs",
    "lib.rs",
    "log.rs",
    "metric.rs",
    "object.rs",
    "plugin.rs",
    "plugins.rs",
    "random.rs",
    "secret.rs",
    "testing/mod.rs",
    "testing/objects.rs",
    "testing/services.rs",
    "testing/spans.rs",
    "testing/state.rs",
    "trace.rs",
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    fn guest() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("guest")
    }

    fn walk(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(root, &path, found),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, std::fs::read_to_string(&path).unwrap());
                }
            }
        }
    }

    #[test]
    fn every_source_of_the_sdk_is_embedded() {
        for (directory, embedded) in [("abi", ABI), ("pdk", PDK)] {
            let mut there = BTreeMap::new();
            let root = guest().join(directory).join("src");
            walk(&root, &root, &mut there);
            let embedded: BTreeMap<_, _> =
                embedded.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
            assert_eq!(embedded, there, "the list of {directory} in this file is not its directory");
        }
    }

    fn table(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    /// The copied manifest says what the workspace's does, without the workspace.
    #[test]
    fn copied_manifests_agree_with_the_workspace() {
        let root = table(include_str!("../../../Cargo.toml"));
        let shared = &root["workspace"]["package"];
        for (vendored, real) in [
            (&CRATES[0], include_str!("../../guest/abi/Cargo.toml")),
            (&CRATES[1], include_str!("../../guest/pdk/Cargo.toml")),
        ] {
            let (copy, real) = (table(vendored.manifest), table(real));
            assert_eq!(copy["package"]["name"].as_str(), Some(vendored.name));
            for key in ["edition", "rust-version", "license", "publish"] {
                assert_eq!(copy["package"][key], shared[key], "{key} of {}", vendored.name);
            }
            for key in ["name", "description"] {
                assert_eq!(copy["package"][key], real["package"][key]);
            }
            assert_eq!(copy.get("features"), real.get("features"));
            let keys = |t: &toml::Table| {
                let dependencies = t.get("dependencies").and_then(toml::Value::as_table);
                dependencies.map(|d| d.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
            };
            assert_eq!(keys(&copy), keys(&real));
        }
        assert_eq!(shared["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    }
}
