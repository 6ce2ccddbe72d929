//! A staging attestation counts when somebody who stages signed it, about this package, not too long ago.

use super::*;
use crate::loader::attach;
use common::identity::Digest;

const STAGE: &str = "https://forgeone.example/publishers/stage";

pub(super) fn stager(uri: &str) -> Issued {
    WORLD.authority.issue(&LeafSpec { name: "stage", uri, ..leaf_spec() }).unwrap()
}

pub(super) fn qa() -> Issued {
    stager(&format!("{STAGE}/qa"))
}

/// A home that requires staging by `qa`, with this in `[verify.staging]`.
pub(super) fn requiring(policy: &str) -> Verifier {
    production(
        &WORLD.root,
        &format!(
            "[[signer]]\nname = \"qa\"\nuri = \"{STAGE}/qa\"\nroles = [\"staging\"]\n\
             [[signer]]\nname = \"ada\"\nuri = \"{STAGE}/ada\"\n\
             [verify]\nrequire = [\"staging\"]\n[verify.staging]\n{policy}"
        ),
    )
}

fn facts() -> StagingFacts {
    StagingFacts { policies: Digest::of(b"policies"), engine: "wasmtime".into(), tests: 3, calls: 100 }
}

/// The signed sample with what this leaf says of a package staged so many seconds ago.
pub(super) fn staged_of(about: &[u8], leaf: &Issued, ago: u64) -> Vec<u8> {
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    let at = (NOW - ago) * 1_000_000_000;
    carrying(&sign_staging(&load(about).unwrap(), &facts(), &key, &leaf.der, at).unwrap())
}

fn carrying(bundle: &[u8]) -> Vec<u8> {
    attach(&signed_with(&sample(), &WORLD.leaf), STAGING_BUNDLE, bundle, &PackageLimits::default()).unwrap()
}

pub(super) fn judged(verifier: &Verifier, package: &[u8]) -> Result<VerifiedPackage, Refusal> {
    now(verifier, load(package).unwrap())
}

fn other_version() -> Vec<u8> {
    packed(&TOML.replace("1.2.3", "1.2.4"), &wasm(WAT), &[])
}

#[test]
fn a_package_that_was_staged_passes_and_the_evidence_says_by_whom_and_when() {
    for policy in ["", "max_age = \"1d\"", "signers = [\"qa\"]"] {
        let proven = judged(&requiring(policy), &staged_of(&sample(), &qa(), 60)).unwrap();
        let check = proven.attestation().checks.iter().find(|c| c.step == Step::Attestations).unwrap();
        let wanted = format!("staging by qa at {}", super::super::time::rfc3339(NOW - 60));
        assert_eq!(check.detail, wanted);
    }
    // Where nobody requires it, it is passed over.
    judged(&production(&WORLD.root, ""), &staged_of(&sample(), &qa(), 60)).unwrap();
}

#[test]
fn a_package_that_was_not_staged_is_refused() {
    let refusal = refused(judged(&requiring(""), &good()), Step::Attestations, "E1405");
    assert!(refusal.to_string().contains("hello 1.2.3 lacks a staging attestation"), "{refusal}");
    let one = production(
        &WORLD.root,
        &format!(
            "require = [\"staging\"]\n[[signer]]\nname = \"qa\"\nuri = \"{STAGE}/qa\"\nroles = [\"staging\"]"
        ),
    );
    refused(judged(&one, &good()), Step::Attestations, "E1405");
    judged(&one, &staged_of(&sample(), &qa(), 60)).unwrap();
}

#[test]
fn fault_083_what_was_staged_must_be_this_package_by_somebody_who_stages() {
    let (ada, mallory) = (stager(&format!("{STAGE}/ada")), stager(&format!("{STAGE}/mallory")));
    let other = world(&root_spec("Other Root"), &LeafSpec { uri: &format!("{STAGE}/qa"), ..leaf_spec() });
    for (bad, why) in [
        (staged_of(&other_version(), &qa(), 60), "must be forgeone:acme/hello@1.2.3"),
        (staged_of(&sample(), &ada, 60), "does not stage for this host"),
        (staged_of(&sample(), &mallory, 60), "does not stage for this host"),
        (staged_of(&sample(), &WORLD.leaf, 60), "does not stage for this host"),
        (staged_of(&sample(), &other.leaf, 60), "E1301"),
        (carrying(b"{}"), "attestations/staging.sigstore.json"),
    ] {
        let refusal = refused(judged(&requiring(""), &bad), Step::Attestations, "E1405");
        assert!(refusal.reasons().iter().any(|r| r.contains(why)), "{why}: {:?}", refusal.reasons());
    }
    // By name, somebody without the role counts, and the one with the role does not.
    let named = requiring("signers = [\"ada\"]");
    judged(&named, &staged_of(&sample(), &ada, 60)).unwrap();
    refused(judged(&named, &staged_of(&sample(), &qa(), 60)), Step::Attestations, "E1405");
}

#[test]
fn a_staging_of_long_ago_or_of_the_future_does_not_count() {
    let day = requiring("max_age = \"1d\"");
    judged(&day, &staged_of(&sample(), &qa(), DAY)).unwrap();
    let refusal = refused(judged(&day, &staged_of(&sample(), &qa(), DAY + 1)), Step::Attestations, "E1417");
    assert!(refusal.to_string().contains("the 1d that trust.toml allows"), "{refusal}");
    judged(&requiring(""), &staged_of(&sample(), &qa(), 300 * DAY)).unwrap();
    let leaf = qa();
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    let later = (NOW + 60) * 1_000_000_000;
    let bundle = sign_staging(&load(&sample()).unwrap(), &facts(), &key, &leaf.der, later).unwrap();
    refused(judged(&requiring(""), &carrying(&bundle)), Step::Attestations, "E1405");
}

#[test]
fn it_holds_as_long_as_it_is_young_enough_and_its_stager_is_trusted() {
    let day = requiring("max_age = \"1d\"");
    let standing = judged(&day, &staged_of(&sample(), &qa(), 60)).unwrap().standing().clone();
    let at = |seconds: u64| day.still_stands(&standing, seconds * 1_000_000_000);
    assert_eq!(at(NOW).unwrap(), (NOW - 60 + DAY) * 1_000_000_000);
    assert_eq!(at(NOW - 59 + DAY).unwrap_err().code().id, "E1417");
    let named = requiring("signers = [\"ada\"]");
    assert_eq!(named.still_stands(&standing, NOW * 1_000_000_000).unwrap_err().code().id, "E1405");
}

fn saying(bend: impl FnOnce(String) -> String) -> Vec<u8> {
    let leaf = qa();
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    let package = load(&sample()).unwrap();
    let uri = format!("{STAGE}/qa");
    let good = super::super::staging::statement(&package, &facts(), &uri, NOW - 60).unwrap();
    carrying(&hostile::payload(|_| bend(String::from_utf8(good).unwrap()), &package, &key, &leaf.der))
}

#[test]
fn every_part_of_the_summary_is_asked() {
    let verifier = requiring("");
    judged(&verifier, &saying(|text| text)).unwrap();
    judged(&verifier, &saying(|text| text.replacen('{', "{\"other\":[1],", 1))).unwrap();
    let manifest = load(&sample()).unwrap().manifest_digest().hex();
    for (from, to) in [
        ("\"PASSED\"", "\"FAILED\""),
        ("FORGEONE_STAGED", "SLSA_BUILD_LEVEL_3"),
        ("/stage/qa", "/stage/ada"),
        ("Z\"", "\""),
        ("forgeone:acme/hello@1.2.3", "forgeone:acme/hello@1.2.2"),
        ("\"manifest.json\"", "\"plugin.wasm\""),
        ("in-toto.io/Statement/v1", "in-toto.io/Statement/v2"),
        ("verification_summary/v1", "verification_summary/v2"),
        (manifest.as_str(), &"0".repeat(64)),
    ] {
        let bad = saying(|text| {
            assert!(text.contains(from), "{from}: {text}");
            text.replace(from, to)
        });
        refused(judged(&verifier, &bad), Step::Attestations, "E1405");
    }
}

#[test]
fn a_staging_policy_that_nobody_could_meet_is_refused() {
    for more in [
        "[verify]\nrequire = [\"staging\"]",
        "[verify.staging]\nsigners = [\"nobody\"]",
        "[verify.staging]\nmax_age = \"0s\"",
        "[verify.staging]\nage = \"1d\"",
        "require = [\"staging\"]",
    ] {
        assert_eq!(TrustConfig::parse(&trust_toml(more)).unwrap_err().code().id, "E1408", "{more}");
    }
    let full = trust_toml(&format!(
        "[[signer]]\nname = \"qa\"\nuri = \"{STAGE}/qa\"\nroles = [\"staging\"]\n\
         [verify]\nrequire = [\"staging\"]\nstaging = {{ signers = [\"qa\"], max_age = \"30d\" }}"
    ));
    let config = TrustConfig::parse(&full).unwrap();
    assert_eq!(TrustConfig::parse(&config.to_toml()).unwrap(), config);
}
