//! Packages: raw bytes, and packages made from a script and then bent.

use crate::choice::{Choice, put_string};
use crate::tar_file::{limits, mend_checksums, stored_gzip, tar_of};
use crate::{Seen, Target, told};
use common::identity::Digest;
use plugin_manager::loader::fuzzing::is_entry_name;
use plugin_manager::loader::{MANIFEST, MODULE, Manifest, PLUGIN_TOML, PluginToml, with_attestation};
use plugin_manager::{Asset, Package, PackageLimits, Source, pack};
use std::collections::BTreeMap;

/// A manifest with every section.
pub const MANIFEST_JSON: &str = r#"{ "schema": 1, "name": "log-redactor", "version": "1.2.0", "publisher": "acme",
  "description": "d", "author": "a", "license": "MIT", "abi": 1,
  "entry_points": {"init": "init", "start": "start", "stop": "stop", "pause": "pause"},
  "operations": [{"name": "redact", "description": "r", "input": "text/plain", "output": "text/plain"}],
  "dependencies": {"common": "^1.0.0", "pii-rules": "^2.1"},
  "permissions": {"filesystem": ["read:/data/**"], "network": ["connect:api.example.com:443"], "storage": ["get", "set"]},
  "limits": {"memory": "64MB", "timeout": "5s"},
  "instances": {"mode": "pooled", "max": 4}, "engine": "any",
  "files": {"plugin.wasm": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"} }"#;

/// The sample plugin's own source.
pub const PLUGIN_TOML_TEXT: &str = include_str!("../../../sample-plugin/plugin.toml");

const SMALL_TOML: &str =
    "[plugin]\nname=\"hello\"\nversion=\"1.2.3\"\npublisher=\"acme\"\n[[operations]]\nname=\"greet\"\n";

pub const PACKAGE: Target = Target {
    name: "package",
    max_len: 16 << 10,
    tokens: &["\x1f\u{8b}\x08", "manifest.json", "plugin.wasm"],
    memory: 8 << 20,
    smoke: 1_000,
    body: package,
    seeds: package_seeds,
};

/// The bytes of a `.forgepkg` file.
fn package(input: &[u8]) -> Seen {
    match Package::load(input, &limits()) {
        Ok(package) => holds(&package, input, &limits()),
        Err(error) => Seen::refused(&told(&error)),
    }
}

/// What is true of every package that is accepted.
fn holds(package: &Package, bytes: &[u8], limits: &PackageLimits) -> Seen {
    assert_eq!(package.digest(), Digest::of(bytes));
    let mut total = 0;
    for (name, file) in package.contents() {
        assert!(is_entry_name(name), "{name:?} was accepted");
        assert!(
            !name.starts_with('/')
                && !name.contains('\\')
                && name.split('/').all(|p| !matches!(p, "" | "." | ".."))
        );
        assert_eq!(file.digest(), Digest::of(file.bytes()));
        let listed = package.manifest().files.get(name);
        assert!(
            name == MANIFEST || listed == Some(&file.digest()),
            "{name:?} is not as the manifest lists it"
        );
        assert!(!matches!(name, MANIFEST | PLUGIN_TOML) || file.bytes().len() as u64 <= limits.manifest);
        total += file.bytes().len() as u64;
    }
    for (name, bytes) in package.attestations() {
        assert!(is_entry_name(name) && bytes.len() as u64 <= limits.attestation);
        total += bytes.len() as u64;
    }
    let count = package.contents().count() + package.attestations().count();
    assert!(
        total <= limits.unpacked && bytes.len() as u64 <= limits.compressed && count as u64 <= limits.entries
    );
    assert!(!package.manifest().files.contains_key(MANIFEST) && package.file(MODULE).is_some());
    comes_back(package);
    Seen::accepted(count as u64 * 8 + package.attestations().count() as u64)
}

/// Written anew with a signature it is the same package with that signature.
fn comes_back(package: &Package) {
    let entries = package.contents().map(|(name, file)| (name, file.bytes()));
    let plain = stored_gzip(&tar_of(entries.filter(|(name, _)| name.len() <= 100)));
    if package.contents().any(|(name, _)| name.len() > 100) {
        return;
    }
    let signed = with_attestation(&plain, b"{}", &PackageLimits::default())
        .expect("an accepted package can be signed");
    let again = Package::load(&signed, &PackageLimits::default()).expect("a signed package loads");
    let contents = |p: &Package| {
        p.contents().map(|(name, file)| (name.to_owned(), file.digest())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(contents(&again), contents(package), "a package does not come back");
    assert_eq!(again.manifest(), package.manifest());
    assert_eq!(again.manifest_digest(), package.manifest_digest());
    assert_eq!(again.bundle(), Some(b"{}".as_slice()));
}

fn package_seeds() -> Vec<Vec<u8>> {
    let asset = Asset { name: "assets/rules.txt".into(), bytes: b"one\ntwo\n".to_vec() };
    let source =
        Source { plugin_toml: SMALL_TOML, publisher: None, module: b"\0asm\x01\0\0\0", assets: &[asset] };
    let packed = pack(&source, &limits()).unwrap();
    let signed = with_attestation(&packed, b"{}", &limits()).unwrap();
    vec![packed, signed]
}

pub const ENTRIES: Target = Target {
    name: "entries",
    max_len: 4 << 10,
    tokens: &[
        "assets/a",
        "assets/A",
        "plugin.toml",
        "sbom.cdx.json",
        "attestations/package.sigstore.json",
        "attestations/chain.pem",
        "../x",
        "[plugin]\n",
    ],
    memory: 8 << 20,
    smoke: 2_000,
    body: entries,
    seeds: entries_seeds,
};

/// A script of entries, a manifest that lists them, and then changes to the finished archive.
fn entries(input: &[u8]) -> Seen {
    let mut choice = Choice::new(input);
    let toml = String::from_utf8_lossy(choice.string()).into_owned();
    let module = choice.string();
    let mut files: Vec<(String, &[u8])> = Vec::new();
    for _ in 0..choice.byte() % 12 {
        files.push((name(&mut choice), choice.string()));
    }
    let packed = packs(&toml, module, &files);
    let source = PluginToml::parse(&toml);
    let digests = std::iter::once((MODULE.to_owned(), Digest::of(module))).chain(
        files
            .iter()
            .filter(|(name, _)| !name.starts_with("attestations/"))
            .map(|(n, b)| (n.clone(), Digest::of(b))),
    );
    let manifest = source.ok().and_then(|s| Manifest::from_author(&s, None, digests.collect()).ok());
    let manifest = manifest.map_or_else(|| MANIFEST_JSON.as_bytes().to_vec(), |m| m.to_json());
    let first = [(MANIFEST, manifest.as_slice()), (MODULE, module)];
    let mut tar = tar_of(first.into_iter().chain(files.iter().map(|(name, bytes)| (name.as_str(), *bytes))));
    bend(&mut tar, &mut choice);
    packed.and(package(&stored_gzip(&tar)))
}

/// One of the names packages have, or any.
fn name(choice: &mut Choice<'_>) -> String {
    const NAMES: [&str; 7] = [
        "assets/a.txt",
        "assets/b/c.bin",
        "sbom.cdx.json",
        "plugin.toml",
        "attestations/package.sigstore.json",
        "attestations/chain.pem",
        "assets/A.txt",
    ];
    match NAMES.get(usize::from(choice.byte())) {
        Some(name) => (*name).to_owned(),
        None => String::from_utf8_lossy(choice.string()).into_owned(),
    }
}

/// Sets bytes of the archive and mends its checksums.
fn bend(tar: &mut [u8], choice: &mut Choice<'_>) {
    let mut bent = false;
    for _ in 0..8 {
        if choice.is_empty() {
            break;
        }
        let place = choice.below(tar.len());
        tar[place] = choice.byte();
        bent = true;
    }
    if bent {
        mend_checksums(tar);
    }
}

/// What `pack` makes of the same files: refused, or a package that holds exactly them.
fn packs(toml: &str, module: &[u8], files: &[(String, &[u8])]) -> Seen {
    // Compression is what takes the time, so one in sixteen.
    if module.len() % 16 != 8 {
        return Seen::accepted(0);
    }
    let assets: Vec<Asset> =
        files.iter().map(|(name, bytes)| Asset { name: name.clone(), bytes: bytes.to_vec() }).collect();
    let source = Source { plugin_toml: toml, publisher: None, module, assets: &assets };
    match pack(&source, &limits()) {
        Ok(bytes) => {
            let package = Package::load(&bytes, &limits()).expect("what we pack loads");
            for (name, bytes) in files {
                assert_eq!(
                    package.file(name).map(|file| file.bytes()),
                    Some(*bytes),
                    "{name:?} is not as it was packed"
                );
            }
            holds(&package, &bytes, &limits())
        }
        Err(error) => Seen::refused(&told(&error)),
    }
}

fn entries_seeds() -> Vec<Vec<u8>> {
    let script = |names: &[u8], bends: &[u8]| {
        let mut out = Vec::new();
        put_string(&mut out, SMALL_TOML.as_bytes());
        put_string(&mut out, b"\0asm\x01\0\0\0");
        out.push(names.len() as u8);
        for name in names {
            out.push(*name);
            put_string(&mut out, b"content");
        }
        out.extend_from_slice(bends);
        out
    };
    let mut own_name = script(&[], &[]);
    *own_name.last_mut().unwrap() = 1;
    own_name.push(200);
    put_string(&mut own_name, b"assets/own name");
    put_string(&mut own_name, b"x");
    vec![
        script(&[], &[]),
        script(&[0, 1, 2], &[]),
        script(&[0, 4, 5], &[]),
        script(&[0, 1], &[3, 2, b'x']),
        own_name,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_accepted() {
        for seed in package_seeds() {
            Package::load(&seed, &limits()).unwrap();
        }
        let refused = Seen::refused(&"").and(Seen::refused(&""));
        for seed in entries_seeds() {
            assert_ne!(entries(&seed), refused);
        }
        let stored = stored_gzip(&tar_of([(MANIFEST, MANIFEST_JSON.as_bytes()), (MODULE, b"".as_slice())]));
        Package::load(&stored, &limits()).unwrap();
    }
}
