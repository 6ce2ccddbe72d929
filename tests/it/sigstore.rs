//! Clients from outside agree about our signatures: `@sigstore/verify` and `openssl` accept each signed fixture and
//! refuse what was changed, and so does `forgeone verify`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forgeone_tests::{
    Engine, Entries, Environment, Wat, World, gzip, read_entries, sample_wasm, tar_of, workspace_root,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const BUNDLE: &str = "attestations/package.sigstore.json";

/// A home with an authority, a notary and two publishers: one of each kind of key.
fn notarised() -> World {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    for command in [
        &["keys", "init", "--name", "corp"][..],
        &["keys", "issue", "acme"],
        &["keys", "issue", "umbrella", "--algorithm", "ed25519"],
        &["keys", "notary"],
        &["keys", "export", "-o", "root.pem"],
        &["keys", "export", "--sigstore-root", "-o", "trusted_root.json"],
    ] {
        let done = world.command().current_dir(world.path("")).args(command).output().unwrap();
        assert!(done.status.success(), "{command:?}: {done:?}");
    }
    world
}

/// What is signed: each fixture with its publisher.
fn fixtures() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let sample = std::fs::read(sample_wasm()).unwrap();
    vec![
        ("good", "acme", Wat::good().module().to_vec()),
        ("keeper", "umbrella", Wat::keeper().module().to_vec()),
        ("sample", "acme", sample),
    ]
}

fn signed(world: &World, name: &str, publisher: &str, module: &[u8], notes: &[&str]) -> Entries {
    let dir = world.path(&format!("{name}-{publisher}"));
    std::fs::create_dir_all(&dir).unwrap();
    let toml = format!("[plugin]\nname = \"{name}\"\nversion = \"1.0.0\"\npublisher = \"{publisher}\"\n");
    std::fs::write(dir.join("plugin.toml"), toml).unwrap();
    std::fs::write(dir.join("plugin.wasm"), module).unwrap();
    let package = world.path(&format!("{name}.forgepkg"));
    let (dir, package) = (dir.to_str().unwrap(), package.to_str().unwrap());
    world.run(&["pack", dir, "-o", package]).ok();
    world.run(&[&["sign", package, "--publisher", publisher], notes].concat()).ok();
    read_entries(&std::fs::read(package).unwrap())
}

fn bundle(entries: &Entries) -> Value {
    let found = entries.iter().find(|e| e.0 == BUNDLE).unwrap();
    serde_json::from_slice(&found.1).unwrap()
}

fn with_bundle(entries: &Entries, bundle: &Value) -> Entries {
    let mut entries = entries.clone();
    entries.iter_mut().find(|e| e.0 == BUNDLE).unwrap().1 = serde_json::to_vec(bundle).unwrap();
    entries
}

fn verify(world: &World, entries: &Entries) -> forgeone_tests::Ran {
    let file = world.write("judged.forgepkg", gzip(&tar_of(entries)));
    world.run(&["verify", file.to_str().unwrap()])
}

/// Requires in `trust.toml` what `notarised` names.
fn require(world: &World) {
    let file = world.home().join("trust/trust.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[verify]\n", "[verify]\nrequire_timestamp = true\nrequire_log_entry = true\n");
    std::fs::write(&file, text).unwrap();
}

#[test]
fn a_signature_with_a_timestamp_and_a_log_entry_meets_what_trust_requires() {
    let world = notarised();
    let module = Wat::good().module().to_vec();
    let plain = signed(&world, "good", "acme", &module, &[]);
    let full = signed(&world, "full", "acme", &module, &["--timestamp", "local", "--log"]);
    verify(&world, &plain).ok();
    require(&world);
    verify(&world, &plain).fails(3, "E1415");
    let told = verify(&world, &full).ok();
    assert!(told.text().contains("the timestamp's time"), "{told}");
    assert!(told.text().contains("entry 0 of the log log.corp"), "{told}");
    let timed = signed(&world, "timed", "acme", &module, &["--timestamp", "local"]);
    verify(&world, &timed).fails(3, "E1416");
    for (pointer, code) in BENT {
        verify(&world, &with_bundle(&full, &bent(&bundle(&full), pointer))).fails(3, code);
    }
    let again = signed(&world, "again", "umbrella", &module, &["--timestamp", "local", "--log"]);
    assert!(verify(&world, &again).ok().text().contains("entry 1 of the log log.corp"));
}

#[test]
fn a_home_without_a_notary_says_how_to_make_one_and_makes_one_alone() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    world.run(&["keys", "notary"]).fails(7, "E5008");
    world.run(&["keys", "init", "--name", "corp"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    let package = world.write("good.forgepkg", Wat::good().package());
    let package = package.to_str().unwrap();
    let sign = |notes: &[&str]| world.run(&[&["sign", package, "--publisher", "acme"], notes].concat());
    let refused = sign(&["--timestamp", "local"]).fails(7, "E5008");
    assert!(refused.stderr.contains("forgeone keys notary"), "{refused}");
    world.run(&["keys", "notary"]).ok();
    world.run(&["keys", "notary"]).fails(7, "E5009");
    sign(&["--log"]).ok();
    // A log that is not the one its checkpoint was signed over takes no further entry.
    let entries = world.home().join("transparency/entries.jsonl");
    let text = std::fs::read_to_string(&entries).unwrap();
    std::fs::write(&entries, text.replacen("0.0.2", "0.0.3", 1)).unwrap();
    sign(&["--log"]).fails(8, "E3003");
    // What no checkpoint covers, as a crash leaves it, is dropped.
    std::fs::write(&entries, format!("{text}half an ent")).unwrap();
    sign(&["--log"]).ok();
    let lines = std::fs::read_to_string(&entries).unwrap();
    assert!(lines.starts_with(&text) && lines.lines().count() == 2 && !lines.contains("half"), "{lines}");
}

/// Places in a bundle whose first letters are changed, and what we say to each.
const BENT: [(&str, &str); 4] = [
    ("/dsseEnvelope/payload", "E1204"),
    ("/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp", "E1415"),
    ("/verificationMaterial/tlogEntries/0/inclusionProof/rootHash", "E1416"),
    ("/verificationMaterial/tlogEntries/0/canonicalizedBody", "E1416"),
];

/// The bundle with one byte of the decoded text at this place changed, in its last third.
fn bent(bundle: &Value, pointer: &str) -> Value {
    let mut bundle = bundle.clone();
    let place = bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    let mut bytes = STANDARD.decode(place.as_str().unwrap()).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    *place = json!(STANDARD.encode(bytes));
    bundle
}

/// What `@sigstore/verify` says: nothing, or the code of its refusal.
fn node(dir: &Path, bundle: &Value, root: &Path, publisher: &str) -> Result<(), String> {
    let file = dir.join("bundle.json");
    std::fs::write(&file, bundle.to_string()).unwrap();
    let script = workspace_root().join("tests/interop/sigstore.mjs");
    let ran = Command::new("node")
        .arg(script)
        .arg(std::env::var_os("FORGEONE_NODE_MODULES").expect("run by cargo xtask interop"))
        .args([&file, root])
        .args([format!("forgeone://corp/{publisher}"), "forgeone://corp".to_owned()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    match ran.status.code() {
        Some(0) => Ok(()),
        Some(3) => Err(said),
        _ => panic!("{ran:?}"),
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs node and @sigstore/verify"]
fn interop_sigstore_accepts_every_signed_fixture_and_refuses_what_was_changed() {
    let (world, other) = (notarised(), notarised());
    let root = |world: &World| -> PathBuf { world.path("trusted_root.json") };
    for (name, publisher, module) in fixtures() {
        let entries = signed(&world, name, publisher, &module, &["--timestamp", "local", "--log"]);
        verify(&world, &entries).ok();
        let good = bundle(&entries);
        let judge = |bundle: &Value, root: &Path| node(&world.path(""), bundle, root, publisher);
        judge(&good, &root(&world)).unwrap_or_else(|why| panic!("{name}: {why}"));
        for (pointer, code) in BENT {
            let bent = bent(&good, pointer);
            // That client takes the root from the checkpoint and does not read this copy of it.
            let read = !pointer.ends_with("/rootHash");
            assert!(!read || judge(&bent, &root(&world)).is_err(), "{name}: {pointer} was accepted");
            verify(&world, &with_bundle(&entries, &bent)).fails(3, code);
        }
        // Another home's authorities; another publisher's name.
        assert!(judge(&good, &root(&other)).is_err(), "{name}: the wrong root was accepted");
        verify(&other, &entries).fails(3, "E1415");
        assert!(node(&world.path(""), &good, &root(&world), "nobody").is_err());
    }
}

fn openssl(dir: &Path, args: &[&str]) -> bool {
    Command::new("openssl").args(args).current_dir(dir).output().unwrap().status.success()
}

#[test]
#[ignore = "run by cargo xtask interop: needs openssl"]
fn interop_openssl_alone_verifies_signature_chain_and_timestamp_of_every_signed_fixture() {
    let world = notarised();
    let dir = world.path("");
    for (name, publisher, module) in fixtures() {
        let full = bundle(&signed(&world, name, publisher, &module, &["--timestamp", "local", "--log"]));
        let at = |pointer: &str| STANDARD.decode(full.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
        let payload = at("/dsseEnvelope/payload");
        let length = payload.len().to_string();
        let pae = [b"DSSEv1 28 application/vnd.in-toto+json ", length.as_bytes(), b" ", &payload];
        world.write("pae", pae.concat());
        world.write("sig", at("/dsseEnvelope/signatures/0/sig"));
        world.write("leaf.der", at("/verificationMaterial/certificate/rawBytes"));
        world.write(
            "time.tsr",
            at("/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp"),
        );
        assert!(openssl(&dir, &["x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem"]));
        assert!(openssl(&dir, &["x509", "-in", "leaf.pem", "-noout", "-pubkey", "-out", "key.pem"]));
        let mut verify = vec!["dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "pae"];
        if publisher == "umbrella" {
            verify = vec![
                "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "pae", "-sigfile",
                "sig",
            ];
        }
        assert!(openssl(&dir, &verify), "{name}");
        assert!(openssl(&dir, &["verify", "-x509_strict", "-CAfile", "root.pem", "leaf.pem"]), "{name}");
        let stamp = ["ts", "-verify", "-in", "time.tsr", "-CAfile", "root.pem"];
        assert!(openssl(&dir, &[&stamp[..], &["-data", "sig"]].concat()), "{name}");
        // What was changed, and what another authority issued.
        assert!(!openssl(&dir, &[&stamp[..], &["-data", "pae"]].concat()), "{name}");
        world.write("pae", [&pae.concat()[..], b" "].concat());
        assert!(!openssl(&dir, &verify), "{name}: a changed statement was accepted");
        let other = notarised();
        std::fs::copy(other.path("root.pem"), dir.join("other.pem")).unwrap();
        assert!(!openssl(&dir, &["verify", "-x509_strict", "-CAfile", "other.pem", "leaf.pem"]), "{name}");
    }
}
