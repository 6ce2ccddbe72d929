//! Signing and proving together: what holds passes with its evidence, and each thing that does not has its code.

use super::authority::Flaw;
use super::sign::hostile;
use super::*;
use crate::loader::testing::{TOML, WAT, load, packed, sample, wasm};
use crate::loader::{Asset, BUNDLE, Package, PackageLimits, with_attestation};
use common::crypto::{Algorithm, SigningKey};
use common::error::Coded;
use proptest::prelude::*;
use std::sync::LazyLock;

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
fn fault_076_validity_is_judged_at_the_time_given() {
    let verifier = production(&WORLD.root, "");
    let package = || load(&good()).unwrap();
    let refusal = refused(at(&verifier, package(), NOW + 31 * DAY), Step::Path, "E1302");
    assert!(refusal.to_string().contains("Acme Plugins"), "{refusal}");
    refused(at(&verifier, package(), NOW - 2 * DAY), Step::Path, "E1303");
    refused(at(&verifier, package(), 0), Step::Path, "E1303");
    at(&verifier, package(), NOW + 30 * DAY - 1).unwrap();
    let skewed = production(&WORLD.root, "[verify]\nclock_skew = \"1h\"");
    at(&skewed, package(), NOW + 30 * DAY + 3_000).unwrap();
    at(&skewed, package(), NOW - DAY - 3_000).unwrap();
    refused(at(&skewed, package(), NOW + 30 * DAY + 4_000), Step::Path, "E1302");
}

#[test]
fn an_expired_root_issues_nothing_any_more() {
    let short = Validity { not_before: NOW - DAY, not_after: NOW + 30 * DAY };
    let w = world(&AuthoritySpec { validity: short, ..root_spec("Short") }, &leaf_spec());
    let skewed = production(&w.root, "");
    let refusal = refused(
        at(&skewed, load(&signed_with(&sample(), &w.leaf)).unwrap(), NOW + 31 * DAY),
        Step::Path,
        "E1302",
    );
    assert_eq!(refusal.code().id, "E1302");
}

#[test]
fn fault_077_issuers_that_are_not_trusted() {
    let other = world(&root_spec("Other Root"), &leaf_spec());
    let same_name = world(&root_spec("Test Root"), &leaf_spec());
    for w in [&other, &same_name] {
        let package = load(&signed_with(&sample(), &w.leaf)).unwrap();
        refused(now(&production(&WORLD.root, ""), package), Step::Path, "E1301");
    }
    // A leaf that is its own root signs as an authority, which the leaf check refuses.
    refused(now(&production(&WORLD.root, ""), unchecked(&other.root)), Step::Leaf, "E1308");
}

#[test]
fn fault_077_and_078_leaves_other_clients_accept() {
    let cases = [
        (Flaw::NoPurpose, Step::Leaf, "E1307"),
        (Flaw::ServerPurpose, Step::Leaf, "E1307"),
        (Flaw::NoKeyUsage, Step::Leaf, "E1308"),
        (Flaw::EncryptionOnly, Step::Leaf, "E1308"),
        (Flaw::Ca, Step::Leaf, "E1308"),
        (Flaw::UnknownCritical, Step::Leaf, "E1311"),
        (Flaw::NoName, Step::Identity, "E1311"),
        (Flaw::TwoNames, Step::Identity, "E1311"),
        (Flaw::DnsName, Step::Identity, "E1311"),
    ];
    for (flaw, step, code) in cases {
        let leaf = WORLD.authority.issue_flawed(&leaf_spec(), flaw);
        refused(now(&production(&WORLD.root, ""), unchecked(&leaf)), step, code);
        if step == Step::Leaf {
            let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
            assert!(sign(&load(&sample()).unwrap(), &key, &leaf.der, 0).is_err(), "{flaw:?}");
        }
    }
}

/// A trust root with an intermediate.
fn with_intermediate(root: &Issued, intermediate: &Issued, more: &str) -> Verifier {
    let text = trust_toml(&format!("{more}\n[[intermediate]]\nfile = \"i.pem\""));
    let trust = TrustRoot::new(TrustConfig::parse(&text).unwrap(), |file| {
        Some(if file == "i.pem" { &intermediate.certificate } else { &root.certificate }.clone().into_bytes())
    });
    verifier(Some(trust.unwrap()), Environment::Production)
}

#[test]
fn an_intermediate_of_the_trust_configuration_carries_the_path() {
    let (root, issued) = Authority::create(&AuthoritySpec { below: 1, ..root_spec("Root") }).unwrap();
    let (between, intermediate) = root.subordinate(&root_spec("Between")).unwrap();
    let leaf = between.issue(&leaf_spec()).unwrap();
    let package = || load(&signed_with(&sample(), &leaf)).unwrap();
    now(&with_intermediate(&issued, &intermediate, ""), package()).unwrap();
    refused(now(&production(&issued, ""), package()), Step::Path, "E1301");
    let short = with_intermediate(&issued, &intermediate, "[verify]\nmax_chain = 2");
    refused(now(&short, package()), Step::Path, "E1310");
}

#[test]
fn fault_077_path_length_and_issuers_that_may_not_issue() {
    let (zero, issued) = Authority::create(&AuthoritySpec { below: 0, ..root_spec("Zero") }).unwrap();
    let (between, intermediate) = zero.subordinate(&root_spec("Between")).unwrap();
    let leaf = between.issue(&leaf_spec()).unwrap();
    let package = load(&signed_with(&sample(), &leaf)).unwrap();
    refused(now(&with_intermediate(&issued, &intermediate, ""), package), Step::Path, "E1310");

    let (root, issued) = Authority::create(&AuthoritySpec { below: 1, ..root_spec("Root") }).unwrap();
    for flaw in [Flaw::NoCertSign, Flaw::NotCa, Flaw::NoCaPurpose] {
        let (between, intermediate) = root.subordinate_flawed(&root_spec("Bad"), flaw);
        let leaf = between.issue(&leaf_spec()).unwrap();
        let package = load(&signed_with(&sample(), &leaf)).unwrap();
        if flaw == Flaw::NoCaPurpose {
            refused(now(&with_intermediate(&issued, &intermediate, ""), package), Step::Path, "E1307");
        } else {
            let text = trust_toml("[[intermediate]]\nfile = \"i.pem\"");
            let error = TrustRoot::new(TrustConfig::parse(&text).unwrap(), |file| {
                Some(
                    if file == "i.pem" { &intermediate.certificate } else { &issued.certificate }
                        .clone()
                        .into_bytes(),
                )
            });
            assert_eq!(error.unwrap_err().code().id, "E1408", "{flaw:?}");
        }
    }
}

#[test]
fn identities_lie_under_the_anchors_prefix_and_are_publishers() {
    let issue = |uri: &'static str| {
        let leaf = WORLD.authority.issue(&LeafSpec { uri, ..leaf_spec() }).unwrap();
        load(&signed_with(&sample(), &leaf)).unwrap()
    };
    let verifier = production(&WORLD.root, "");
    for uri in [
        "https://forgeone.example/publishers",
        "https://forgeone.example/publishersacme",
        "https://evil.example/publishers/acme",
    ] {
        refused(now(&verifier, issue(uri)), Step::Identity, "E1312");
    }
    for uri in [
        "https://forgeone.example/publishers/acme-evil",
        "https://forgeone.example/publishers/acme/",
        "https://forgeone.example/publishers/Acme",
    ] {
        refused(now(&verifier, issue(uri)), Step::Identity, "E1401");
    }
}

#[test]
fn of_two_anchors_the_one_whose_prefix_covers_is_chosen() {
    let text = format!(
        "{}\n[[anchor]]\nname = \"first\"\nfile = \"roots/test.pem\"\nuri_prefix = \"https://other.example/\"",
        trust_toml("")
    );
    let config = TrustConfig::parse(&text).unwrap();
    let trust = TrustRoot::new(config, |_| Some(WORLD.root.certificate.clone().into_bytes())).unwrap();
    let v = now(&verifier(Some(trust), Environment::Production), load(&good()).unwrap()).unwrap();
    assert_eq!(v.attestation().signers[0].anchor, "test-root");
}

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
    let package = || load(&good()).unwrap();
    let facts = certificate_facts(&WORLD.leaf.der).unwrap();
    let root = certificate_facts(&WORLD.root.der).unwrap();
    let digests = [package().digest(), package().manifest_digest(), common::identity::Digest::of(&wasm(WAT))];
    let mut kills: Vec<String> = digests.iter().map(|d| format!("digests = [\"{d}\"]")).collect();
    kills.extend([
        format!("serials = [\"{}\"]", facts.serial),
        format!("keys = [\"{}\"]", facts.key),
        format!("keys = [\"{}\"]", root.key),
    ]);
    for kill in kills {
        // A package is made anew for each signature, so the one that is listed must be the one that is judged.
        let listed = good();
        let kill =
            kill.replace(&package().digest().to_string(), &load(&listed).unwrap().digest().to_string());
        let verifier = production(&WORLD.root, &format!("[kill]\n{kill}"));
        if kill.contains(&load(&listed).unwrap().digest().to_string()) {
            refused(now(&verifier, load(&listed).unwrap()), Step::Trust, "E1404");
        } else if !kill.contains("digests") || digests[1..].iter().any(|d| kill.contains(&d.to_string())) {
            refused(now(&verifier, package()), Step::Trust, "E1404");
        }
    }
    let unlisted =
        production(&WORLD.root, &format!("[kill]\ndigests = [\"{}\"]", common::identity::Digest::of(b"x")));
    now(&unlisted, package()).unwrap();
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
fn fault_083_statements_that_say_something_else() {
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
fn fault_081_keys_of_other_algorithms_are_refused() {
    // An RSA-2048 and a P-384 certificate made by OpenSSL.
    for pem in [include_str!("testdata/rsa.pem"), include_str!("testdata/p384.pem")] {
        let der = pem_to_der(pem.as_bytes()).unwrap();
        let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
        let bundle = hostile::unchecked(&load(&sample()).unwrap(), &key, &der);
        refused(now(&production(&WORLD.root, ""), bundled(&bundle)), Step::Leaf, "E1203");
    }
}

#[test]
fn fault_088_certificates_that_are_no_plain_der() {
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let with = |der: &[u8]| {
        let bundle = hostile::unchecked(&load(&sample()).unwrap(), &key, der);
        refused(now(&production(&WORLD.root, ""), bundled(&bundle)), Step::Leaf, "E1311");
    };
    let der = &WORLD.leaf.der;
    with(&[der.as_slice(), &[0]].concat());
    with(&der[..der.len() - 1]);
    with(&vec![0x30; 17 << 10]);
    let mut indefinite = der.clone();
    indefinite[1] = 0x80;
    with(&indefinite);
    with(b"-----BEGIN CERTIFICATE-----");
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

#[test]
fn a_trusted_publishers_bad_module_is_refused() {
    let module = WAT.replace("\"env\" \"output\"", "\"env\" \"outptu\"");
    let package = load(&signed_with(&packed(TOML, &wasm(&module), &[]), &WORLD.leaf)).unwrap();
    refused(now(&production(&WORLD.root, ""), package), Step::Module, "E1011");
}

#[test]
fn an_authority_can_be_opened_again_and_issues_the_same_way() {
    let again = Authority::open(&WORLD.root.der, &WORLD.root.key).unwrap();
    let leaf = again.issue(&leaf_spec()).unwrap();
    now(&production(&WORLD.root, ""), load(&signed_with(&sample(), &leaf)).unwrap()).unwrap();
    assert!(matches!(Authority::open(&WORLD.root.der, &leaf.key), Err(AuthorityError::OtherKey)));
    assert!(matches!(Authority::open(&leaf.der, &leaf.key), Err(AuthorityError::Certificate(_))));
}

#[test]
fn an_authority_made_by_openssl_can_issue() {
    let der = pem_to_der(include_bytes!("testdata/openssl-root.pem")).unwrap();
    let key = pem::parse(include_str!("testdata/openssl-root.key")).unwrap();
    let facts = certificate_facts(&der).unwrap();
    let authority = Authority::open(&der, key.contents()).unwrap();
    let validity = Validity { not_before: facts.not_before, not_after: facts.not_before + DAY };
    let leaf = authority.issue(&LeafSpec { validity, ..leaf_spec() }).unwrap();
    let root = Issued { certificate: include_str!("testdata/openssl-root.pem").into(), der, key: vec![] };
    at(&production(&root, ""), load(&signed_with(&sample(), &leaf)).unwrap(), facts.not_before + 10).unwrap();
}

#[test]
fn authorities_refuse_what_cannot_stand_in_a_certificate() {
    let bad = |spec: LeafSpec<'_>| WORLD.authority.issue(&spec).unwrap_err().code().id;
    assert_eq!(bad(LeafSpec { validity: Validity { not_before: 5, not_after: 5 }, ..leaf_spec() }), "E0101");
    assert_eq!(
        bad(LeafSpec { validity: Validity { not_before: NOW, not_after: NOW + 400 * DAY }, ..leaf_spec() }),
        "E0101"
    );
    assert_eq!(bad(LeafSpec { name: "", ..leaf_spec() }), "E0101");
    assert_eq!(bad(LeafSpec { uri: "acme", ..leaf_spec() }), "E0101");
    assert_eq!(bad(LeafSpec { issuer: "x\n://", ..leaf_spec() }), "E0101");
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", WORLD.leaf, WORLD.authority);
    assert!(!shown.contains("key:") && !shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn the_root_for_other_clients_has_every_certificate() {
    let json: serde_json::Value =
        serde_json::from_slice(&sigstore_root(&trust_of(&WORLD.root, "")).unwrap()).unwrap();
    let authority = &json["certificateAuthorities"][0];
    let raw = authority["certChain"]["certificates"][0]["rawBytes"].as_str().unwrap();
    use base64::Engine;
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(raw).unwrap(), WORLD.root.der);
}

/// Runs openssl; `None` when the machine has none.
fn openssl(dir: &std::path::Path, args: &[&str]) -> Option<std::process::Output> {
    std::process::Command::new("openssl").args(args).current_dir(dir).output().ok()
}

#[test]
fn openssl_verifies_the_signature_and_the_path() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519] {
        let leaf = WORLD.authority.issue(&LeafSpec { algorithm, ..leaf_spec() }).unwrap();
        let package = load(&signed_with(&sample(), &leaf)).unwrap();
        let bundle = bundle::Bundle::parse(package.bundle().unwrap()).unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        write("root.pem", WORLD.root.certificate.as_bytes());
        write("leaf.pem", leaf.certificate.as_bytes());
        write("pae", &pae(PAYLOAD_TYPE, &bundle.payload));
        write("sig", &bundle.signature);
        let Some(public) = openssl(dir.path(), &["x509", "-in", "leaf.pem", "-noout", "-pubkey"]) else {
            return;
        };
        write("pub.pem", &public.stdout);
        let verify: &[&str] = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                &["dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "pae"]
            }
            Algorithm::Ed25519 => &[
                "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "pae", "-sigfile",
                "sig",
            ],
        };
        let out = openssl(dir.path(), verify).unwrap();
        assert!(out.status.success(), "{out:?}");
        let time = NOW.to_string();
        let out = openssl(
            dir.path(),
            &["verify", "-x509_strict", "-attime", &time, "-CAfile", "root.pem", "leaf.pem"],
        )
        .unwrap();
        assert!(out.status.success(), "{out:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_bent_certificate_never_panics_nor_passes_as_another(i in any::<prop::sample::Index>(), byte: u8) {
        let mut der = WORLD.leaf.der.clone();
        let i = i.index(der.len());
        let same = der[i] == byte;
        der[i] = byte;
        let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
        let package = bundled(&hostile::unchecked(&load(&sample()).unwrap(), &key, &der));
        prop_assert!(same || now(&production(&WORLD.root, ""), package).is_err());
    }
}
