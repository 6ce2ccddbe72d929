//! Authorities make what verifies, here and with OpenSSL.

use super::*;

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
    let der = pem_to_der(include_bytes!("../testdata/openssl-root.pem")).unwrap();
    let key = pem::parse(include_str!("../testdata/openssl-root.key")).unwrap();
    let facts = certificate_facts(&der).unwrap();
    let authority = Authority::open(&der, key.contents()).unwrap();
    let validity = Validity { not_before: facts.not_before, not_after: facts.not_before + DAY };
    let leaf = authority.issue(&LeafSpec { validity, ..leaf_spec() }).unwrap();
    let root = Issued { certificate: include_str!("../testdata/openssl-root.pem").into(), der, key: vec![] };
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
