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
fn the_root_for_other_clients_has_the_certificates_of_each_authority() {
    let (root, issued) = Authority::create(&AuthoritySpec { below: 2, ..root_spec("Root") }).unwrap();
    let (upper, first) = root.subordinate(&AuthoritySpec { below: 1, ..root_spec("Upper") }).unwrap();
    let (_, second) = upper.subordinate(&root_spec("Lower")).unwrap();
    let more = format!(
        "[[anchor]]\nname = \"other\"\nfile = \"other.pem\"\nuri_prefix = \"https://other.example\"\n{}",
        ["a.pem", "b.pem"].map(|f| format!("[[intermediate]]\nfile = \"{f}\"\n")).concat()
    );
    let certificate = |file: &str| match file {
        "a.pem" => &first,
        "b.pem" => &second,
        "other.pem" => &WORLD.root,
        _ => &issued,
    };
    let read = |file: &str| Some(certificate(file).certificate.clone().into_bytes());
    let trust = TrustRoot::new(TrustConfig::parse(&trust_toml(&more)).unwrap(), read).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&sigstore_root(&trust).unwrap()).unwrap();
    let chain = |i: usize| -> Vec<Vec<u8>> {
        use base64::Engine;
        let list = json["certificateAuthorities"][i]["certChain"]["certificates"].as_array().unwrap();
        let raw = |c: &serde_json::Value| c["rawBytes"].as_str().unwrap().to_owned();
        list.iter().map(|c| base64::engine::general_purpose::STANDARD.decode(raw(c)).unwrap()).collect()
    };
    assert_eq!(chain(0), [second.der.clone(), first.der.clone(), issued.der.clone()]);
    assert_eq!(chain(1), std::slice::from_ref(&WORLD.root.der));
}

fn openssl(dir: &std::path::Path, args: &[&str]) -> std::process::Output {
    let out = std::process::Command::new("openssl").args(args).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{args:?}: {out:?}");
    out
}

#[test]
#[ignore = "run by cargo xtask interop: needs openssl"]
fn interop_openssl_verifies_the_signature_and_the_path() {
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
        let public = openssl(dir.path(), &["x509", "-in", "leaf.pem", "-noout", "-pubkey"]);
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
        openssl(dir.path(), verify);
        let time = NOW.to_string();
        let path = ["verify", "-x509_strict", "-attime", &time, "-CAfile", "root.pem", "leaf.pem"];
        openssl(dir.path(), &path);
    }
}
