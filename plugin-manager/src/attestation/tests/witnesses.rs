//! Signatures and documents beside the publisher's: counted when they hold, missed when they are demanded.

use super::*;
use crate::loader::attach;

const REVIEWERS: &str = "https://forgeone.example/publishers/reviewers/";

fn person(name: &str) -> Issued {
    WORLD.authority.issue(&LeafSpec { name, uri: &format!("{REVIEWERS}{name}"), ..leaf_spec() }).unwrap()
}

fn with(package: &[u8], name: &str, bundle: &[u8]) -> Vec<u8> {
    attach(package, &format!("attestations/{name}.sigstore.json"), bundle, &PackageLimits::default()).unwrap()
}

fn cosigned(package: &[u8], name: &str, leaf: &Issued) -> Vec<u8> {
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    with(package, name, &sign(&load(package).unwrap(), &key, &leaf.der, NOW * 1_000_000_000).unwrap())
}

fn trusting(publisher: &str) -> Verifier {
    trusting_and(publisher, "")
}

fn trusting_and(publisher: &str, more: &str) -> Verifier {
    let signer = |name: &str, role: &str| {
        format!("[[signer]]\nname = \"{name}\"\nuri = \"{REVIEWERS}{name}\"\nroles = [\"{role}\"]\n")
    };
    let all = [signer("ada", "review"), signer("bob", "security"), signer("eve", "review")].concat();
    production(&WORLD.root, &format!("{publisher}\n{all}{more}"))
}

fn check(verifier: &Verifier, package: &[u8]) -> Result<VerifiedPackage, Refusal> {
    now(verifier, load(package).unwrap())
}

#[test]
fn m_of_n_distinct_signers_must_have_signed() {
    let (ada, bob, eve) = (person("ada"), person("bob"), person("eve"));
    let two = trusting("required_signers = 2");
    refused(check(&two, &good()), Step::Attestations, "E1405");
    let once = cosigned(&good(), "ada", &ada);
    let proven = check(&two, &once).unwrap();
    let names: Vec<&str> = proven.attestation().signers[0].cosigners.iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["ada"]);
    let three = trusting("required_signers = 3");
    refused(check(&three, &once), Step::Attestations, "E1405");
    // The same person twice, under the same key or another, is one signer; so is the publisher itself.
    let again = person("ada");
    for (name, leaf) in [("ada-2", &ada), ("ada-3", &again), ("acme", &WORLD.leaf)] {
        refused(check(&three, &cosigned(&once, name, leaf)), Step::Attestations, "E1405");
    }
    check(&three, &cosigned(&once, "bob", &bob)).unwrap();
    let named = trusting("required_signers = 2\nsigners = [\"bob\"]");
    refused(check(&named, &cosigned(&once, "eve", &eve)), Step::Attestations, "E1405");
    check(&named, &cosigned(&once, "bob", &bob)).unwrap();
}

#[test]
fn a_role_that_is_required_must_have_signed() {
    let security = trusting("required_roles = [\"security\"]");
    refused(check(&security, &cosigned(&good(), "ada", &person("ada"))), Step::Attestations, "E1405");
    check(&security, &cosigned(&good(), "bob", &person("bob"))).unwrap();
}

#[test]
fn fault_085_a_further_signature_that_is_bad_counts_for_nothing_and_harms_nobody() {
    let (ada, bob) = (person("ada"), person("bob"));
    let other = packed(&TOML.replace("1.2.3", "1.2.4"), &wasm(WAT), &[]);
    let key = SigningKey::from_pkcs8(&ada.key).unwrap();
    let elsewhere = sign(&load(&other).unwrap(), &key, &ada.der, 0).unwrap();
    let stranger = world(
        &root_spec("Other"),
        &LeafSpec { uri: "https://forgeone.example/publishers/reviewers/ada", ..leaf_spec() },
    );
    let foreign = cosigned(&good(), "ada", &stranger.leaf);
    let two = trusting("required_signers = 2");
    for bad in [with(&good(), "ada", &elsewhere), with(&good(), "ada", b"{}"), foreign] {
        let refusal = refused(check(&two, &bad), Step::Attestations, "E1405");
        assert!(refusal.reasons().iter().any(|r| r.contains("attestations/ada")), "{:?}", refusal.reasons());
        check(&two, &cosigned(&bad, "bob", &bob)).unwrap();
        check(&trusting(""), &bad).unwrap();
    }
}

#[test]
fn a_signer_that_was_killed_counts_no_more() {
    let ada = person("ada");
    let package = cosigned(&good(), "ada", &ada);
    let serial = certificate_facts(&ada.der).unwrap().serial;
    let killed = trusting_and("required_signers = 2", &format!("[kill]\nserials = [\"{serial}\"]"));
    refused(check(&killed, &package), Step::Attestations, "E1405");
    let standing = check(&trusting("required_signers = 2"), &package).unwrap().standing().clone();
    let again = killed.still_stands(&standing, NOW * 1_000_000_000);
    assert_eq!(again.unwrap_err().code().id, "E1405");
}

#[test]
fn requirements_that_nobody_could_meet_are_refused() {
    for more in
        ["required_signers = 2", "required_roles = [\"x\"]", "signers = [\"nobody\"]", "required_signers = 0"]
    {
        assert_eq!(TrustConfig::parse(&trust_toml(more)).unwrap_err().code().id, "E1408", "{more}");
    }
}

fn sbom(name: &str, version: &str, hash: &str) -> String {
    let hashes = format!(r#"[{{"alg":"SHA-1","content":"00"}},{{"alg":"SHA-256","content":"{hash}"}}]"#);
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","serialNumber":"urn:uuid:x","metadata":{{"component":{{"type":"library","name":"{name}","version":"{version}","hashes":{hashes}}}}},"components":[{{"name":"serde"}}]}}"#
    )
}

fn with_sbom(text: &str) -> Vec<u8> {
    let asset = Asset { name: "sbom.cdx.json".to_owned(), bytes: text.as_bytes().to_vec() };
    signed_with(&packed(TOML, &wasm(WAT), &[asset]), &WORLD.leaf)
}

#[test]
fn a_bill_of_materials_must_be_about_this_plugin() {
    let module = common::identity::Digest::of(&wasm(WAT)).hex();
    let demanding =
        [trusting("require = [\"sbom\"]"), trusting_and("", "[verify]\nrequire = [\"package\", \"sbom\"]")];
    for verifier in demanding {
        check(&verifier, &with_sbom(&sbom("hello", "1.2.3", &module))).unwrap();
        refused(check(&verifier, &good()), Step::Attestations, "E1405");
        let good = sbom("hello", "1.2.3", &module);
        for bad in [
            sbom("other", "1.2.3", &module),
            sbom("hello", "1.2.4", &module),
            sbom("hello", "1.2.3", &"0".repeat(64)),
            good.replace("CycloneDX", "SPDX"),
            good.replace("\"1.5\"", "\"2.0\""),
            good.replace("\"name\":\"serde\"", "\"nom\":\"serde\""),
            good.replace('}', ""),
        ] {
            refused(check(&verifier, &with_sbom(&bad)), Step::Attestations, "E1405");
            check(&trusting(""), &with_sbom(&bad)).unwrap();
        }
    }
}

fn built_by(builder: &str, module: &str, leaf: &Issued) -> Vec<u8> {
    let text = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"plugin.wasm","digest":{{"sha1":"00","sha256":"{module}"}}}}],"predicateType":"{PROVENANCE_TYPE}","predicate":{{"buildDefinition":{{"buildType":"https://example.com/build","externalParameters":{{}}}},"runDetails":{{"builder":{{"id":"{builder}"}}}}}}}}"#
    );
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    hostile::payload(|_| text, &load(&sample()).unwrap(), &key, &leaf.der)
}

#[test]
fn a_provenance_must_be_about_this_module_by_somebody_who_is_named() {
    let module = common::identity::Digest::of(&wasm(WAT)).hex();
    let required = trusting("require = [\"provenance\"]\nbuilders = [\"https://ci.example\"]");
    refused(check(&required, &good()), Step::Attestations, "E1405");
    let bob = person("bob");
    for leaf in [&bob, &WORLD.leaf] {
        check(&required, &with(&good(), "built", &built_by("https://ci.example", &module, leaf))).unwrap();
    }
    let stranger = person("mallory");
    for bad in [
        built_by("https://laptop.example", &module, &bob),
        built_by("https://ci.example", &"0".repeat(64), &bob),
        built_by("https://ci.example", &module, &stranger),
    ] {
        refused(check(&required, &with(&good(), "built", &bad)), Step::Attestations, "E1405");
    }
}
