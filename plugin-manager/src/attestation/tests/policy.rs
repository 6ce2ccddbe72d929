//! What trust.toml binds: publishers, names, versions, permissions, environments, the kill-list.

use super::*;
use common::identity::Digest;

#[test]
fn publishers_are_trusted_in_their_environments_only() {
    let trust = || trust_of(&WORLD.root, "environments = [\"staging\"]");
    refused(
        now(&verifier(Some(trust()), Environment::Production), load(&good()).unwrap()),
        Step::Identity,
        "E1401",
    );
    now(&verifier(Some(trust()), Environment::Staging), load(&good()).unwrap()).unwrap();
}

#[test]
fn the_publisher_the_name_and_the_version_are_bound() {
    let toml =
        |from: &str, to: &str| signed_with(&packed(&TOML.replace(from, to), &wasm(WAT), &[]), &WORLD.leaf);
    let verifier = production(&WORLD.root, "min_version = { hello = \"1.2.0\" }");
    refused(now(&verifier, load(&toml("acme", "other")).unwrap()), Step::Trust, "E1402");
    refused(now(&verifier, load(&toml("hello", "other")).unwrap()), Step::Trust, "E1402");
    refused(now(&verifier, load(&toml("1.2.3", "1.1.9")).unwrap()), Step::Trust, "E1403");
    refused(now(&verifier, load(&toml("1.2.3", "1.2.0-rc.1")).unwrap()), Step::Trust, "E1403");
    now(&verifier, load(&toml("1.2.3", "1.2.0")).unwrap()).unwrap();
}

#[test]
fn a_publishers_ceiling_holds() {
    let asks = |what: &str| {
        load(&signed_with(&packed(&format!("{TOML}\n[permissions]\n{what}"), &wasm(WAT), &[]), &WORLD.leaf))
            .unwrap()
    };
    let verifier = production(&WORLD.root, "max_permissions = [\"storage\", \"filesystem:read\"]");
    now(
        &verifier,
        asks("storage = [\"get\", \"set\"]\nfilesystem = [\"read:/data/**\"]\nconfig = [\"read\"]"),
    )
    .unwrap();
    refused(now(&verifier, asks("filesystem = [\"write\"]")), Step::Trust, "E1412");
}

#[test]
fn fault_084_the_kill_list_names_digests_serials_and_keys() {
    let package = load(&good()).unwrap();
    let facts = certificate_facts(&WORLD.leaf.der).unwrap();
    let root = certificate_facts(&WORLD.root.der).unwrap();
    let digests = [package.digest(), package.manifest_digest(), Digest::of(&wasm(WAT))];
    let mut kills: Vec<String> = digests.iter().map(|d| format!("digests = [\"{d}\"]")).collect();
    kills.push(format!("serials = [\"{}\"]", facts.serial));
    kills.extend([facts.key, root.key].map(|key| format!("keys = [\"{key}\"]")));
    // As tools write it that keep the zero byte DER puts before a number whose first bit is set.
    kills.push(format!("serials = [\"00{}\"]", facts.serial));
    for kill in kills {
        let verifier = production(&WORLD.root, &format!("[kill]\n{kill}"));
        refused(now(&verifier, package.clone()), Step::Trust, "E1404");
    }
    let unlisted = production(&WORLD.root, &format!("[kill]\ndigests = [\"{}\"]", Digest::of(b"x")));
    now(&unlisted, package).unwrap();
}

#[test]
fn fault_084_a_rotated_key_and_one_key_for_two_publishers() {
    // A new key for the same identity: both verify until the old one is named.
    let renewed = WORLD.authority.issue(&leaf_spec()).unwrap();
    let verifier = production(&WORLD.root, "");
    for leaf in [&WORLD.leaf, &renewed] {
        now(&verifier, load(&signed_with(&sample(), leaf)).unwrap()).unwrap();
    }
    let old = certificate_facts(&WORLD.leaf.der).unwrap();
    let without_old = production(&WORLD.root, &format!("[kill]\nkeys = [\"{}\"]", old.key));
    refused(now(&without_old, load(&good()).unwrap()), Step::Trust, "E1404");
    now(&without_old, load(&signed_with(&sample(), &renewed)).unwrap()).unwrap();
    // Whoever else the authority gave a certificate signs as that one, and not as acme.
    let other = WORLD.authority.issue(&LeafSpec { uri: &format!("{PREFIX}other"), ..leaf_spec() }).unwrap();
    let more = format!("[[publisher]]\nname = \"other\"\nuri = \"{PREFIX}other\"\npackages = [\"*\"]\n");
    let both = production(&WORLD.root, &more);
    let refusal = now(&both, load(&signed_with(&sample(), &other)).unwrap()).unwrap_err();
    assert_eq!(refusal.code().id, "E1402", "{refusal}");
}

#[test]
fn a_development_certificate_is_refused_in_production_only() {
    let leaf = WORLD.authority.issue(&LeafSpec { development: true, ..leaf_spec() }).unwrap();
    let marked = world(&AuthoritySpec { development: true, ..root_spec("Dev") }, &leaf_spec());
    for (root, leaf) in [(&WORLD.root, &leaf), (&marked.root, &marked.leaf)] {
        let package = || load(&signed_with(&sample(), leaf)).unwrap();
        refused(now(&production(root, ""), package()), Step::Identity, "E1410");
        let v = now(&verifier(Some(trust_of(root, "")), Environment::Staging), package()).unwrap();
        assert!(v.attestation().signers[0].development);
    }
}

#[test]
fn signatures_can_be_switched_off_in_development_only() {
    let make = |environment, trust| {
        Verifier::new(trust, environment, SignaturePolicy::NotRequired, rules(), ModuleLimits::default())
    };
    for environment in [Environment::Production, Environment::Staging] {
        assert_eq!(make(environment, None).unwrap_err().code().id, "E0103");
    }
    let strict = trust_of(&WORLD.root, "").digest();
    let demanding =
        TrustConfig::parse(&trust_toml("").replace("version = 1", "version = 1\nmode = \"production\""))
            .unwrap();
    let demanding = TrustRoot::new(demanding, |_| Some(WORLD.root.certificate.clone().into_bytes())).unwrap();
    assert_ne!(demanding.digest(), strict);
    assert_eq!(make(Environment::Development, Some(demanding)).unwrap_err().code().id, "E0103");

    let open = make(Environment::Development, None).unwrap();
    let verified = now(&open, load(&sample()).unwrap()).unwrap();
    assert!(!verified.attestation().signed());
    let of = |step: Step| verified.attestation().checks.iter().find(|c| c.step == step).unwrap().outcome;
    assert_eq!(of(Step::Signed), Outcome::Skipped);
    assert_eq!(of(Step::Signature), Outcome::Skipped);
    assert_eq!(of(Step::Module), Outcome::Passed);
    assert!(!now(&open, load(&good()).unwrap()).unwrap().attestation().signed());

    let trusting = make(Environment::Development, Some(trust_of(&WORLD.root, ""))).unwrap();
    assert!(now(&trusting, load(&good()).unwrap()).unwrap().attestation().signed());
    let other = world(&root_spec("Other"), &leaf_spec());
    refused(now(&trusting, load(&signed_with(&sample(), &other.leaf)).unwrap()), Step::Path, "E1301");
    let killed = format!("[kill]\ndigests = [\"{}\"]", load(&sample()).unwrap().manifest_digest());
    let killing = make(Environment::Development, Some(trust_of(&WORLD.root, &killed))).unwrap();
    refused(now(&killing, load(&sample()).unwrap()), Step::Trust, "E1404");
}
