//! Trust in the form other Sigstore clients read: `trusted_root.json`.

use super::certificate::Cert;
use super::trust::TrustRoot;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The `trusted_root.json` of a trust root: one certificate authority per anchor, with the intermediates below it.
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
    serde_json::to_vec_pretty(&json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [],
        "certificateAuthorities": trust.anchors().iter().map(authority).collect::<Vec<_>>(),
        "ctlogs": [],
        "timestampAuthorities": [],
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
