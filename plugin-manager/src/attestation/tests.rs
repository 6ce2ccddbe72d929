//! Signing and proving together: what holds passes with its evidence, and each thing that does not has its code.

use super::sign::hostile;
use super::*;
use crate::loader::testing::{TOML, WAT, load, packed, sample, wasm};
use crate::loader::{Asset, BUNDLE, Package, PackageLimits, with_attestation};
use common::crypto::{Algorithm, SigningKey};
use common::error::Coded;
use proptest::prelude::*;
use std::sync::LazyLock;

mod authorities;
mod notes;
mod paths;
mod policy;
mod revocation;
mod staging;
mod table;
mod witnesses;

const DAY: u64 = 86_400;
const NOW: u64 = 1_795_000_000;
const PREFIX: &str = "https://forgeone.example/publishers/";
const ACME: &str = "https://forgeone.example/publishers/acme";
const ISSUER: &str = "https://forgeone.example/keys";
const YEAR: Validity = Validity { not_before: NOW - DAY, not_after: NOW + 365 * DAY };

/// An authority with one publisher's certificate.
struct World {
    authority: Authority,
    root: Issued,
    leaf: Issued,
}

fn root_spec(name: &str) -> AuthoritySpec<'_> {
    AuthoritySpec {
        name,
        validity: YEAR,
        algorithm: Algorithm::EcdsaP256Sha256,
        development: false,
        below: 0,
    }
}

fn leaf_spec() -> LeafSpec<'static> {
    LeafSpec {
        name: "Acme Plugins",
        uri: ACME,
        issuer: ISSUER,
        validity: Validity { not_before: NOW - DAY, not_after: NOW + 30 * DAY },
        algorithm: Algorithm::EcdsaP256Sha256,
        development: false,
    }
}

fn world(root: &AuthoritySpec<'_>, leaf: &LeafSpec<'_>) -> World {
    let (authority, root) = Authority::create(root).unwrap();
    let leaf = authority.issue(leaf).unwrap();
    World { authority, root, leaf }
}

static WORLD: LazyLock<World> = LazyLock::new(|| world(&root_spec("Test Root"), &leaf_spec()));

fn trust_toml(more: &str) -> String {
    format!(
        r#"version = 1
[[anchor]]
name = "test-root"
file = "roots/test.pem"
uri_prefix = "{PREFIX}"
[[publisher]]
name = "acme"
uri = "{ACME}"
packages = ["he*"]
{more}
"#
    )
}

fn trust_of(root: &Issued, more: &str) -> TrustRoot {
    let config = TrustConfig::parse(&trust_toml(more)).unwrap();
    TrustRoot::new(config, |file| (file == "roots/test.pem").then(|| root.certificate.clone().into_bytes()))
        .unwrap()
}

fn rules() -> ModuleRules {
    ModuleRules { imports: vec![ImportRule::integers("env", "output", 2, 1)] }
}

fn verifier(trust: Option<TrustRoot>, environment: Environment) -> Verifier {
    Verifier::new(trust, environment, SignaturePolicy::Required, rules(), ModuleLimits::default()).unwrap()
}

fn production(root: &Issued, more: &str) -> Verifier {
    verifier(Some(trust_of(root, more)), Environment::Production)
}

fn signed_with(package: &[u8], leaf: &Issued) -> Vec<u8> {
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    let bundle = sign(&load(package).unwrap(), &key, &leaf.der, NOW * 1_000_000_000).unwrap();
    with_attestation(package, &bundle, &PackageLimits::default()).unwrap()
}

fn bundled(bundle: &[u8]) -> Package {
    load(&with_attestation(&sample(), bundle, &PackageLimits::default()).unwrap()).unwrap()
}

/// The sample under a certificate that `sign` would not use.
fn unchecked(leaf: &Issued) -> Package {
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    bundled(&hostile::unchecked(&load(&sample()).unwrap(), &key, &leaf.der))
}

fn at(verifier: &Verifier, package: Package, seconds: u64) -> Result<VerifiedPackage, Refusal> {
    verifier.verify(package, seconds * 1_000_000_000)
}

fn now(verifier: &Verifier, package: Package) -> Result<VerifiedPackage, Refusal> {
    at(verifier, package, NOW)
}

#[track_caller]
fn refused(result: Result<VerifiedPackage, Refusal>, step: Step, code: &str) -> Refusal {
    let refusal = result.expect_err("it was accepted");
    assert_eq!(refusal.code().id, code, "{refusal}: {:?}", std::error::Error::source(&refusal));
    let last = refusal.checks().last().unwrap();
    assert_eq!(last.step, step, "{last:?}");
    assert_eq!(last.outcome, Outcome::Failed(refusal.code()));
    assert!(refusal.checks().iter().rev().skip(1).all(|c| !matches!(c.outcome, Outcome::Failed(_))));
    refusal
}

fn good() -> Vec<u8> {
    signed_with(&sample(), &WORLD.leaf)
}

#[test]
fn a_signed_package_of_a_trusted_publisher_is_proven_with_evidence() {
    let verified = now(&production(&WORLD.root, ""), load(&good()).unwrap()).unwrap();
    let a = verified.attestation();
    assert!(a.signed());
    let steps: Vec<u8> = a.checks.iter().map(|c| c.step.number()).collect();
    assert_eq!(steps, (1..=14).collect::<Vec<u8>>());
    assert!(a.checks.iter().all(|c| c.outcome == Outcome::Passed), "{:#?}", a.checks);
    let [signer] = a.signers.as_slice() else { panic!("{:?}", a.signers) };
    assert_eq!(
        (signer.publisher.as_str(), signer.uri.as_str(), signer.anchor.as_str()),
        ("acme", ACME, "test-root")
    );
    assert_eq!(signer.not_after, NOW + 30 * DAY);
    assert_eq!(signer.fingerprint, common::identity::Digest::of(&WORLD.leaf.der));
    assert!(!signer.development);
    assert_eq!(signer.claimed_at, time::rfc3339(NOW));
    assert_eq!(a.verified_at, NOW * 1_000_000_000);
    assert_eq!(a.package, load(&good()).map(|_| verified.package().digest()).unwrap());
    assert_eq!(a.module, verified.facts().digest);
}

#[test]
fn both_algorithms_verify_in_any_mix() {
    for root in [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519] {
        for leaf in [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519] {
            let w = world(
                &AuthoritySpec { algorithm: root, ..root_spec("Mixed") },
                &LeafSpec { algorithm: leaf, ..leaf_spec() },
            );
            let package = load(&signed_with(&sample(), &w.leaf)).unwrap();
            let v = now(&production(&w.root, ""), package.clone()).unwrap();
            assert_eq!(v.attestation().signers[0].algorithm, leaf);
            if leaf == Algorithm::Ed25519 {
                let only = production(&w.root, "[verify]\nalgorithms = [\"ecdsa-p256-sha256\"]");
                refused(now(&only, package), Step::Leaf, "E1203");
            }
        }
    }
}

#[test]
fn fault_075_no_signature_comes_before_any_question_of_trust() {
    for trust in [None, Some(trust_of(&WORLD.root, ""))] {
        let refusal = refused(
            now(&verifier(trust, Environment::Production), load(&sample()).unwrap()),
            Step::Signed,
            "E1201",
        );
        assert!(refusal.to_string().contains("hello 1.2.3"), "{refusal}");
    }
    refused(now(&verifier(None, Environment::Production), load(&good()).unwrap()), Step::Signed, "E1408");
    refused(now(&production(&WORLD.root, ""), bundled(b"")), Step::Bundle, "E1202");
}

#[test]
fn fault_075_every_flipped_bit_of_a_bundle_is_refused_or_says_the_same() {
    let package = load(&good()).unwrap();
    let bundle = package.bundle().unwrap().to_vec();
    let verifier = production(&WORLD.root, "");
    let proven = now(&verifier, package).unwrap();
    for i in 0..bundle.len() {
        let mut bent = bundle.clone();
        bent[i] ^= 1;
        // What can change without effect is the unused key id; the evidence is then the same.
        if let Ok(v) = now(&verifier, bundled(&bent)) {
            assert_eq!(v.attestation().signers, proven.attestation().signers, "byte {i}");
            assert_eq!(v.attestation().manifest, proven.attestation().manifest, "byte {i}");
        }
        assert!(now(&verifier, bundled(&bundle[..i])).is_err(), "cut at {i}");
    }
}

#[test]
fn a_flipped_byte_in_any_signed_entry_is_refused() {
    let package = load(&good()).unwrap();
    let verifier = production(&WORLD.root, "");
    for (changed, file) in package.contents() {
        for i in 0..file.bytes().len() {
            let bend = |name: &str, bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                if name == changed {
                    bytes[i] ^= 1;
                }
                bytes
            };
            let tar = package.contents().fold(crate::loader::testing::Tar::default(), |tar, (name, f)| {
                tar.file(name, &bend(name, f.bytes()))
            });
            if let Ok(bent) = tar.file(BUNDLE, package.bundle().unwrap()).load() {
                refused(now(&verifier, bent), Step::Statement, "E1102");
            }
        }
    }
}

#[test]
fn fault_083_a_signature_for_another_package_does_not_carry_over() {
    let other = packed(&TOML.replace("1.2.3", "1.2.4"), &wasm(WAT), &[]);
    let signed = load(&signed_with(&other, &WORLD.leaf)).unwrap();
    refused(now(&production(&WORLD.root, ""), bundled(signed.bundle().unwrap())), Step::Statement, "E1102");
    let asset = [Asset { name: "assets/more".into(), bytes: vec![1] }];
    let more = with_attestation(
        &packed(TOML, &wasm(WAT), &asset),
        load(&good()).unwrap().bundle().unwrap(),
        &PackageLimits::default(),
    );
    refused(now(&production(&WORLD.root, ""), load(&more.unwrap()).unwrap()), Step::Statement, "E1102");
}

#[test]
fn fault_071_and_083_statements_that_say_something_else() {
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let package = load(&sample()).unwrap();
    let bent = |from: &'static str, to: &'static str| {
        let bend = move |text: String| {
            assert!(text.contains(from), "{from} is not in {text}");
            text.replacen(from, to, 1)
        };
        now(&production(&WORLD.root, ""), bundled(&hostile::payload(bend, &package, &key, &WORLD.leaf.der)))
    };
    refused(bent("in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"), Step::Statement, "E1205");
    refused(bent("package/v1", "package/v2"), Step::Statement, "E1205");
    refused(bent("\"predicate\":", "\"extra\":1,\"predicate\":"), Step::Statement, "E1205");
    refused(bent("assets/rules.txt", "assets/other.txt"), Step::Statement, "E1102");
    refused(bent("{\"name\":\"assets/rules.txt\"", "{\"name\":\"plugin.wasm\""), Step::Statement, "E1205");
}

#[test]
fn fault_071_a_signed_predicate_that_differs_from_the_manifest() {
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let package = load(&sample()).unwrap();
    let bent = |from: &'static str, to: &'static str| {
        let bend = move |text: String| text.replacen(from, to, 1);
        now(&production(&WORLD.root, ""), bundled(&hostile::payload(bend, &package, &key, &WORLD.leaf.der)))
    };
    for (from, to) in [
        ("\"name\":\"hello\"", "\"name\":\"hallo\""),
        ("1.2.3", "1.2.4"),
        ("\"acme\"", "\"other\""),
        ("\"manifest\":\"sha256:", "\"manifest\":\"sha256:0"),
    ] {
        let result = bent(from, to);
        match from.starts_with("\"manifest") {
            true => refused(result, Step::Statement, "E1205"),
            false => refused(result, Step::Manifest, "E1103"),
        };
    }
}

#[test]
fn fault_081_the_signature_is_of_the_certificates_own_algorithm() {
    let ed = world(&root_spec("R"), &LeafSpec { algorithm: Algorithm::Ed25519, ..leaf_spec() });
    let p256 = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let bundle = hostile::unchecked(&load(&sample()).unwrap(), &p256, &ed.leaf.der);
    refused(now(&production(&ed.root, ""), bundled(&bundle)), Step::Signature, "E1204");
    let other = WORLD.authority.issue(&leaf_spec()).unwrap();
    let bundle = hostile::unchecked(&load(&sample()).unwrap(), &p256, &other.der);
    refused(now(&production(&WORLD.root, ""), bundled(&bundle)), Step::Signature, "E1204");
    assert_eq!(sign(&load(&sample()).unwrap(), &p256, &other.der, 0).unwrap_err().code().id, "E1204");
}

#[test]
fn a_trusted_publishers_bad_module_is_refused() {
    let module = WAT.replace("\"env\" \"output\"", "\"env\" \"outptu\"");
    let package = load(&signed_with(&packed(TOML, &wasm(&module), &[]), &WORLD.leaf)).unwrap();
    refused(now(&production(&WORLD.root, ""), package), Step::Module, "E1011");
}

#[test]
fn fault_087_nothing_follows_what_was_signed() {
    let package = load(&good()).unwrap();
    let bundle = package.bundle().unwrap();
    refused(now(&production(&WORLD.root, ""), bundled(&[bundle, b"{}"].concat())), Step::Bundle, "E1202");
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let longer = hostile::payload(|text| text + "{}", &package, &key, &WORLD.leaf.der);
    refused(now(&production(&WORLD.root, ""), bundled(&longer)), Step::Statement, "E1205");
}

#[test]
fn bytes_that_are_no_package_are_reported_by_the_same_steps() {
    let steps = |bytes: &[u8]| CheckOutcome::of_load_error(&load(bytes).unwrap_err());
    let broken = steps(b"x");
    assert_eq!(broken.len(), 1);
    assert_eq!((broken[0].step, broken[0].outcome.name()), (Step::Structure, "failed"));
    let unexpected =
        steps(&crate::loader::testing::gzip(&crate::loader::testing::Tar::sample().file("x", b"").end()));
    assert_eq!(unexpected.iter().map(|c| c.step).collect::<Vec<_>>(), [Step::Structure, Step::Entries]);
}
