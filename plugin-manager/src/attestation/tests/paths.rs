//! Certificates: paths, validity, uses and identities that hold, and each that does not.

use super::super::authority::Flaw;
use super::super::sign::hostile;
use super::*;

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
fn fault_081_keys_of_other_algorithms_are_refused() {
    // RSA-2048, RSA-512 and P-384 certificates made by OpenSSL.
    for pem in [RSA_2048, RSA_512, include_str!("../testdata/p384.pem")] {
        let der = pem_to_der(pem.as_bytes()).unwrap();
        let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
        let bundle = hostile::unchecked(&load(&sample()).unwrap(), &key, &der);
        refused(now(&production(&WORLD.root, ""), bundled(&bundle)), Step::Leaf, "E1203");
    }
}

/// Certificates made by OpenSSL.
pub(super) const RSA_2048: &str = include_str!("../testdata/rsa.pem");
pub(super) const RSA_512: &str = include_str!("../testdata/rsa512.pem");

/// The sample under a certificate that OpenSSL made, with another's signature.
pub(super) fn under(pem: &str) -> Package {
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    bundled(&hostile::unchecked(&load(&sample()).unwrap(), &key, &pem_to_der(pem.as_bytes()).unwrap()))
}

/// A leaf for acme whose issuer, which is trusted, signed it with SHA-1; when it is valid.
pub(super) fn under_sha1() -> Result<VerifiedPackage, Refusal> {
    let certificate = include_str!("../testdata/openssl-root.pem").to_owned();
    let der = pem_to_der(certificate.as_bytes()).unwrap();
    let root = Issued { certificate, der, key: Vec::new() };
    at(&production(&root, ""), under(include_str!("../testdata/sha1.pem")), NOW + 10 * DAY)
}

/// The sample with a bundle whose signature is empty: no algorithm at all.
pub(super) fn without_signature() -> Result<VerifiedPackage, Refusal> {
    let mut bundle = bundle::Bundle::parse(load(&good()).unwrap().bundle().unwrap()).unwrap();
    bundle.signature.clear();
    now(&production(&WORLD.root, ""), bundled(&bundle.to_json().unwrap()))
}

#[test]
fn fault_081_sha1_and_no_algorithm_are_refused() {
    refused(under_sha1(), Step::Path, "E1203");
    let refusal = without_signature().unwrap_err();
    assert!(["E1202", "E1204"].contains(&refusal.code().id), "{refusal}");
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

#[test]
fn fault_077_a_broken_name_constraint() {
    let (root, issued) = Authority::create(&AuthoritySpec { below: 1, ..root_spec("Root") }).unwrap();
    let (between, intermediate) = root.subordinate_flawed(&root_spec("Narrow"), Flaw::OtherNames);
    let package = load(&signed_with(&sample(), &between.issue(&leaf_spec()).unwrap())).unwrap();
    refused(now(&with_intermediate(&issued, &intermediate, ""), package), Step::Path, "E1309");
}

#[test]
fn fault_079_certificates_in_the_package_carry_no_path() {
    let (root, issued) = Authority::create(&AuthoritySpec { below: 1, ..root_spec("Root") }).unwrap();
    let (between, intermediate) = root.subordinate(&root_spec("Between")).unwrap();
    let signed = load(&signed_with(&sample(), &between.issue(&leaf_spec()).unwrap())).unwrap();
    let chain = intermediate.certificate.repeat(100);
    let tar =
        signed.contents().fold(crate::loader::testing::Tar::default(), |tar, (n, f)| tar.file(n, f.bytes()));
    let tar = tar.file(BUNDLE, signed.bundle().unwrap()).file("attestations/chain.pem", chain.as_bytes());
    refused(now(&production(&issued, ""), tar.load().unwrap()), Step::Path, "E1301");
}

#[test]
fn fault_082_keys_of_small_order_match_nothing() {
    let hex = |text: &str| -> [u8; 32] {
        let digest: common::identity::Digest = format!("sha256:{text}").parse().unwrap();
        *digest.as_bytes()
    };
    let edge = |first: u8, middle: u8, last: u8| {
        let mut key = [middle; 32];
        (key[0], key[31]) = (first, last);
        key
    };
    let mut points = vec![
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    points.extend([
        edge(0, 0, 0),
        edge(1, 0, 0),
        edge(0xec, 0xff, 0x7f),
        edge(0xed, 0xff, 0x7f),
        edge(0xee, 0xff, 0x7f),
    ]);
    let signer = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    for point in points {
        for sign in [0, 0x80] {
            let mut key = point;
            key[31] |= sign;
            let der = WORLD.authority.issue_for(&leaf_spec(), key);
            let bundle = hostile::unchecked(&load(&sample()).unwrap(), &signer, &der);
            refused(now(&production(&WORLD.root, ""), bundled(&bundle)), Step::Leaf, "E1311");
        }
    }
}

#[test]
fn fault_082_a_signature_has_one_scalar_only() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let leaf = WORLD.authority.issue(&LeafSpec { algorithm: Algorithm::Ed25519, ..leaf_spec() }).unwrap();
    let key = SigningKey::from_pkcs8(&leaf.key).unwrap();
    let bundle = hostile::unchecked(&load(&sample()).unwrap(), &key, &leaf.der);
    let mut parsed = bundle::Bundle::parse(&bundle).unwrap();
    let mut carry = 0_u16;
    for (s, l) in parsed.signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*s) + u16::from(l) + carry;
        (*s, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    now(&production(&WORLD.root, ""), bundled(&bundle)).unwrap();
    refused(now(&production(&WORLD.root, ""), bundled(&parsed.to_json().unwrap())), Step::Signature, "E1204");
}
