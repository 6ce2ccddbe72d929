//! The lock file keeps the engines at versions with their security fixes.

use forgeone_tests::workspace_root;

/// The versions of a package in Cargo.lock.
fn locked(package: &str) -> Vec<(u64, u64, u64)> {
    let text = std::fs::read_to_string(workspace_root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: toml::Table = text.parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages").iter();
    packages
        .filter(|p| p["name"].as_str() == Some(package))
        .map(|p| {
            let version = p["version"].as_str().expect("a version");
            let mut numbers = version.split('.').map(|n| n.parse().expect("a number"));
            (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap())
        })
        .collect()
}

#[test]
fn wasmtime_has_its_security_fixes() {
    let versions = locked("wasmtime");
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert!(versions[0] >= (48, 0, 8), "{versions:?}");
}

#[test]
fn wasmer_is_there_beside_it() {
    let versions = locked("wasmer");
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!((versions[0].0, versions[0].1), (7, 3), "wasmer 7.4 would hold wasmtime back");
}
