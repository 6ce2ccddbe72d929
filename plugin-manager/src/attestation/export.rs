//! Trust in the form other Sigstore clients read: `trusted_root.json`.

use super::certificate::Cert;
use super::timestamp::Chain;
use super::tlog::LogKey;
use super::trust::TrustRoot;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What stands before the 32 bytes of an Ed25519 key in its subjectPublicKeyInfo.
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// The `trusted_root.json` of a trust root: one certificate authority per anchor, with the intermediates below it,
/// its timestamp authorities and its logs.
///
/// Such clients take only a leaf from a bundle, so the intermediates stand here.
///
/// # Errors
/// When the document cannot be written, which JSON of texts always can.
pub fn sigstore_root(trust: &TrustRoot) -> Result<Vec<u8>, serde_json::Error> {
    let raw = |der: &[u8]| json!({ "rawBytes": STANDARD.encode(der) });
    let authority = |anchor: &super::trust::Anchor| {
        let cert = anchor.certificate();
        let mut chain: Vec<Value> =
            below(cert, trust.intermediates()).iter().rev().map(|c| raw(c.der())).collect();
        chain.push(raw(cert.der()));
        json!({
            "subject": { "organization": "ForgeOne", "commonName": anchor.name() },
            "uri": anchor.uri_prefix(),
            "certChain": { "certificates": chain },
            "validFor": { "start": super::time::rfc3339(cert.not_before()) },
        })
    };
    let timestamps = |chain: &Chain| {
        let certs = chain.certificates();
        json!({
            "subject": { "organization": "ForgeOne", "commonName": certs.first().map(Cert::subject) },
            "uri": "forgeone://timestamps",
            "certChain": { "certificates": certs.iter().map(|c| raw(c.der())).collect::<Vec<_>>() },
            "validFor": { "start": super::time::rfc3339(certs.iter().map(Cert::not_before).max().unwrap_or(0)) },
        })
    };
    let log = |log: &LogKey| {
        json!({
            "baseUrl": format!("https://{}", log.origin),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode([ED25519_SPKI, log.key.as_bytes()].concat()),
                "keyDetails": "PKIX_ED25519",
                "validFor": { "start": super::time::rfc3339(0) },
            },
            "logId": { "keyId": STANDARD.encode(log.id()) },
        })
    };
    serde_json::to_vec_pretty(&json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": trust.logs().iter().map(log).collect::<Vec<_>>(),
        "certificateAuthorities": trust.anchors().iter().map(authority).collect::<Vec<_>>(),
        "ctlogs": [],
        "timestampAuthorities": trust.timestamp_authorities().iter().map(timestamps).collect::<Vec<_>>(),
    }))
}

/// The certificates that lead to the anchor by their names, the nearest first.
fn below<'c>(anchor: &'c Cert, intermediates: &'c [Cert]) -> Vec<&'c Cert> {
    let mut found: Vec<&Cert> = Vec::new();
    let mut issuers = vec![anchor];
    while let Some(issuer) = issuers.pop() {
        for cert in intermediates.iter().filter(|c| c.raw_issuer() == issuer.raw_subject()) {
            if !found.iter().any(|f| f.der() == cert.der()) {
                found.push(cert);
                issuers.push(cert);
            }
        }
    }
    found
}
