//! `docs/signature-faults.md` says what is so: each fault is made, judged, and its code compared with the page.

use super::super::authority::Flaw;
use super::super::sign::hostile;
use super::revocation::{REQUIRED, list, trusting};
use super::*;

/// Number in FAULTS.md, the fault, what cosign 3.1.1 was seen to do, and what happens here.
type Row = (&'static str, &'static str, &'static str, Result<(), &'static str>);

const UNTRIED: &str = "not tried";
const NO_STAGING: &str = "does not ask";

fn judged(result: Result<VerifiedPackage, Refusal>) -> Result<(), &'static str> {
    result.map(drop).map_err(|refusal| refusal.code().id)
}

fn flawed(flaw: Flaw) -> Result<(), &'static str> {
    let leaf = WORLD.authority.issue_flawed(&leaf_spec(), flaw);
    judged(now(&production(&WORLD.root, ""), unchecked(&leaf)))
}

fn leaves() -> Vec<Row> {
    vec![
        ("78", "leaf without extended key usage", "accepts", flawed(Flaw::NoPurpose)),
        ("78", "leaf with key usage keyEncipherment only", "accepts", flawed(Flaw::EncryptionOnly)),
        ("78", "leaf for serverAuth", "refuses", flawed(Flaw::ServerPurpose)),
        ("78", "leaf without key usage", UNTRIED, flawed(Flaw::NoKeyUsage)),
        ("77", "leaf that is an authority", UNTRIED, flawed(Flaw::Ca)),
        ("88", "leaf with an unknown critical extension", UNTRIED, flawed(Flaw::UnknownCritical)),
        ("77", "leaf with a DNS name for identity", "refuses", flawed(Flaw::DnsName)),
    ]
}

fn revocations() -> Vec<Row> {
    let of = |more: &str, lists: &[(&'static str, String)]| {
        judged(now(&trusting(more, lists), load(&good()).unwrap()))
    };
    let current = |revoked: &[&Issued]| list(&WORLD.authority, revoked, NOW - DAY, NOW + DAY);
    let stale = list(&WORLD.authority, &[], NOW - 2 * DAY, NOW - DAY);
    let other = world(&root_spec("Other Root"), &leaf_spec());
    let foreign = list(&other.authority, &[], NOW - DAY, NOW + DAY);
    let same_name = world(&root_spec("Test Root"), &leaf_spec());
    let forged = list(&same_name.authority, &[], NOW - DAY, NOW + DAY);
    vec![
        ("80", "leaf revoked by a list", "accepts", of("", &[("a.pem", current(&[&WORLD.leaf]))])),
        ("80", "list required and missing", "has no lists", of(REQUIRED, &[])),
        ("80", "list required and stale", "has no lists", of(REQUIRED, &[("a.pem", stale.clone())])),
        ("80", "list required, of another issuer", "has no lists", of(REQUIRED, &[("a.pem", foreign)])),
        ("80", "list with another's signature", "has no lists", of("", &[("a.pem", forged)])),
        ("80", "list not required and stale", "has no lists", of("", &[("a.pem", stale)])),
    ]
}

fn paths_and_bundles() -> Vec<Row> {
    let verifier = production(&WORLD.root, "");
    let bytes = load(&good()).unwrap().bundle().unwrap().to_vec();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let bundle = |bytes: &[u8]| judged(now(&verifier, bundled(bytes)));
    let other = world(&root_spec("Other Root"), &leaf_spec());
    let elsewhere = packed(&TOML.replace("1.2.3", "1.2.4"), &wasm(WAT), &[]);
    let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
    let foreign = sign(&load(&elsewhere).unwrap(), &key, &WORLD.leaf.der, 0).unwrap();
    let typed = hostile::payload(
        |text| text.replace(PREDICATE_TYPE, "https://example.com/other"),
        &load(&sample()).unwrap(),
        &key,
        &WORLD.leaf.der,
    );
    let two = text.replacen("\"signatures\":[", "\"signatures\":[{\"sig\":\"c2ln\",\"keyid\":\"\"},", 1);
    let mut parsed = bundle::Bundle::parse(&bytes).unwrap();
    parsed.payload.push(b' ');
    let tampered = parsed.to_json().unwrap();
    vec![
        ("75", "no signature", "refuses", judged(now(&verifier, load(&sample()).unwrap()))),
        ("75", "empty bundle", UNTRIED, bundle(b"")),
        ("75", "bundle cut in half", UNTRIED, bundle(&bytes[..bytes.len() / 2])),
        ("75", "payload changed", "refuses", bundle(&tampered)),
        (
            "76",
            "certificate expired",
            "accepts with a timestamp before that",
            judged(at(&verifier, load(&good()).unwrap(), NOW + 31 * DAY)),
        ),
        (
            "76",
            "certificate not valid yet",
            UNTRIED,
            judged(at(&verifier, load(&good()).unwrap(), NOW - 2 * DAY)),
        ),
        (
            "77",
            "unknown authority",
            UNTRIED,
            judged(now(&verifier, load(&signed_with(&sample(), &other.leaf)).unwrap())),
        ),
        (
            "79",
            "bundle with a chain of certificates",
            "refuses",
            bundle(
                text.replace("\"certificate\":{\"rawBytes\":", "\"x509CertificateChain\":{\"certificates\":")
                    .as_bytes(),
            ),
        ),
        (
            "81",
            "bundle of another version",
            UNTRIED,
            bundle(text.replace("bundle.v0.3", "bundle.v0.4").as_bytes()),
        ),
        ("83", "signature for another version", "refuses", bundle(&foreign)),
        ("83", "statement of another type", "refuses", bundle(&typed)),
        ("85", "two signatures", UNTRIED, bundle(two.as_bytes())),
    ]
}

/// What is about keys, numbers and notes.
fn keys_and_notes() -> Vec<Row> {
    let verifier = production(&WORLD.root, "");
    let facts = certificate_facts(&WORLD.leaf.der).unwrap();
    let killed = |kill: &str| {
        judged(now(&production(&WORLD.root, &format!("[kill]\n{kill}")), load(&good()).unwrap()))
    };
    let bytes = load(&good()).unwrap().bundle().unwrap().to_vec();
    let der = &WORLD.leaf.der;
    let certificate = |der: &[u8]| {
        let key = SigningKey::from_pkcs8(&WORLD.leaf.key).unwrap();
        judged(now(&verifier, bundled(&hostile::unchecked(&load(&sample()).unwrap(), &key, der))))
    };
    let mut indefinite = der.clone();
    indefinite[1] = 0x80;
    let other = WORLD.authority.issue(&LeafSpec { uri: &format!("{PREFIX}other"), ..leaf_spec() }).unwrap();
    let two = format!("required_signers = 2\n[[signer]]\nname = \"ada\"\nuri = \"{PREFIX}ada\"\n");
    let alone = judged(now(&production(&WORLD.root, &two), load(&good()).unwrap()));
    let rows = vec![
        ("81", "leaf with an RSA key", UNTRIED, judged(now(&verifier, paths::under(paths::RSA_2048)))),
        ("81", "leaf with a key of 512 bits", UNTRIED, judged(now(&verifier, paths::under(paths::RSA_512)))),
        ("81", "leaf that was signed with SHA-1", UNTRIED, judged(paths::under_sha1())),
        ("81", "empty signature", UNTRIED, judged(paths::without_signature())),
        ("84", "key on the kill-list", "has no kill-list", killed(&format!("keys = [\"{}\"]", facts.key))),
        (
            "84",
            "serial number on the kill-list",
            "has no kill-list",
            killed(&format!("serials = [\"{}\"]", facts.serial)),
        ),
        (
            "84",
            "certificate of somebody the host does not know as publisher",
            UNTRIED,
            judged(now(&verifier, load(&signed_with(&sample(), &other)).unwrap())),
        ),
        ("85", "one signature where two are required", UNTRIED, alone),
        (
            "87",
            "bytes after the bundle",
            UNTRIED,
            judged(now(&verifier, bundled(&[bytes.as_slice(), b"x"].concat()))),
        ),
        ("87", "bytes after the certificate", UNTRIED, certificate(&[der.as_slice(), &[0]].concat())),
        ("88", "certificate with an indefinite length", UNTRIED, certificate(&indefinite)),
        (
            "88",
            "certificate that is PEM where DER is said",
            UNTRIED,
            certificate(b"-----BEGIN CERTIFICATE-----"),
        ),
    ];
    let noted = notes::faults().into_iter().map(|(what, result)| ("–", what, UNTRIED, judged(result)));
    rows.into_iter().chain(noted).collect()
}

/// A production home that requires staging, and what it is offered.
fn stagings() -> Vec<Row> {
    let of = |policy: &str, package: &[u8]| judged(staging::judged(&staging::requiring(policy), package));
    let other = packed(&TOML.replace("1.2.3", "1.2.4"), &wasm(WAT), &[]);
    let (qa, stranger) = (staging::qa(), &WORLD.leaf);
    vec![
        ("83", "staging required, no attestation", NO_STAGING, of("", &good())),
        ("83", "staged: another version", NO_STAGING, of("", &staging::staged_of(&other, &qa, 60))),
        (
            "84",
            "staged by somebody who does not stage",
            NO_STAGING,
            of("", &staging::staged_of(&sample(), stranger, 60)),
        ),
        (
            "76",
            "staged too long ago",
            NO_STAGING,
            of("max_age = \"1d\"", &staging::staged_of(&sample(), &qa, 2 * DAY)),
        ),
    ]
}

fn page() -> String {
    let mut page = "# Signature faults: here and in cosign\n\n\
        What `forgeone verify` and `install` do with each fault of a signature, and what cosign 3.1.1 does. A test makes each\n\
        fault and compares its code with this page: `cargo test -p plugin-manager --lib signature_faults`. cosign's column is what\n\
        was seen when it was run by hand with a private authority and without a transparency log; it is not run by the test.\n\n\
        | fault of FAULTS.md, – where it has none | what | cosign 3.1.1 | here |\n|---|---|---|---|\n"
        .to_owned();
    let rows = leaves().into_iter().chain(revocations()).chain(paths_and_bundles());
    for (number, what, cosign, here) in rows.chain(stagings()).chain(keys_and_notes()) {
        let here = here.map_or_else(
            |code| format!("refused, {code}"),
            |()| "accepted, and told in the evidence".to_owned(),
        );
        page.push_str(&format!("| {number} | {what} | {cosign} | {here} |\n"));
    }
    page
}

#[test]
fn signature_faults_are_answered_as_the_page_says() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/signature-faults.md");
    let page = page();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|v| v == "always") {
        std::fs::write(&file, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), page, "INSTA_UPDATE=always writes it");
}
