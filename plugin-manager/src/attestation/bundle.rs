//! The Sigstore bundle v0.3: one certificate, one DSSE signature. Its payload stays unread until it is proven.

use super::error::AttestationError;
use super::tlog::LogEntry;
use crate::loader::document::{self, DocumentError, Fields, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The type of a DSSE payload that is an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const MAX_BUNDLE: usize = 2 << 20;
/// Most timestamps and most log entries of a bundle.
const MAX_NOTES: usize = 8;
const MAX_TIMESTAMP: usize = 128 << 10;
const MAX_SIGNATURE: usize = 1024;

/// A bundle of the right shape. Nothing in it is proven.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) certificate: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) payload: Vec<u8>,
    /// RFC 3161 responses about the signature.
    pub(super) timestamps: Vec<Vec<u8>>,
    /// Entries of transparency logs about the signature.
    pub(super) entries: Vec<LogEntry>,
}

/// What DSSE signs: the type and the payload, each with its length before it.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Bundle {
    /// Step 5: version, one certificate, one signature, the payload type.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, AttestationError> {
        let document = document::json(bytes, MAX_BUNDLE).map_err(AttestationError::Bundle)?;
        let mut top = document
            .fields(&["mediaType", "verificationMaterial", "dsseEnvelope"])
            .map_err(AttestationError::Bundle)?;
        let media_type = top.need("mediaType").map_err(AttestationError::Bundle)?;
        let version = media_type.text(256).map_err(AttestationError::Bundle)?;
        if version != MEDIA_TYPE {
            return Err(AttestationError::NotAccepted {
                what: format!("a bundle of type {}", document::clip(version)),
            });
        }
        Self::read(&mut top).map_err(AttestationError::Bundle)
    }

    fn read(top: &mut Fields) -> Result<Self, DocumentError> {
        let known = ["certificate", "tlogEntries", "timestampVerificationData"];
        let mut material = top.need("verificationMaterial")?.fields(&known)?;
        let entries = match material.take("tlogEntries") {
            Some(entries) => {
                entries.list(MAX_NOTES)?.into_iter().map(LogEntry::read).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        let timestamps = match material.take("timestampVerificationData") {
            Some(data) => timestamps(data)?,
            None => Vec::new(),
        };
        let mut certificate = material.need("certificate")?.fields(&["rawBytes"])?;
        let mut envelope = top.need("dsseEnvelope")?.fields(&["payload", "payloadType", "signatures"])?;
        let payload_type = envelope.need("payloadType")?;
        if payload_type.text(256)? != PAYLOAD_TYPE {
            return Err(payload_type.fail(format!("must be {PAYLOAD_TYPE}")));
        }
        let signatures = envelope.need("signatures")?;
        let wrong = signatures.fail("must have exactly one signature");
        let [signature] = <[Node; 1]>::try_from(signatures.list(16)?).map_err(|_| wrong)?;
        let mut signature = signature.fields(&["sig", "keyid"])?;
        if let Some(id) = signature.take("keyid") {
            id.text(256)?;
        }
        Ok(Self {
            certificate: decode(&certificate.need("rawBytes")?, super::certificate::MAX_CERTIFICATE * 2)?,
            signature: decode(&signature.need("sig")?, MAX_SIGNATURE)?,
            payload: decode(&envelope.need("payload")?, MAX_BUNDLE)?,
            timestamps,
            entries,
        })
    }

    /// The bytes the signature is over.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.payload)
    }

    fn timestamps_json(&self) -> Option<Value> {
        let one = |response: &Vec<u8>| json!({ "signedTimestamp": STANDARD.encode(response) });
        let all: Vec<Value> = self.timestamps.iter().map(one).collect();
        (!all.is_empty()).then(|| json!({ "rfc3161Timestamps": all }))
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Out {
            media_type: MEDIA_TYPE,
            verification_material: MaterialOut {
                certificate: CertificateOut { raw_bytes: STANDARD.encode(&self.certificate) },
                tlog_entries: self.entries.iter().map(LogEntry::to_json).collect(),
                timestamp_verification_data: self.timestamps_json(),
            },
            dsse_envelope: EnvelopeOut {
                payload: STANDARD.encode(&self.payload),
                payload_type: PAYLOAD_TYPE,
                signatures: [SignatureOut { sig: STANDARD.encode(&self.signature), keyid: "" }],
            },
        })
    }
}

fn timestamps(data: Node) -> Result<Vec<Vec<u8>>, DocumentError> {
    let Some(all) = data.fields(&["rfc3161Timestamps"])?.take("rfc3161Timestamps") else {
        return Ok(Vec::new());
    };
    let one =
        |node: Node| decode(&node.fields(&["signedTimestamp"])?.need("signedTimestamp")?, MAX_TIMESTAMP);
    all.list(MAX_NOTES)?.into_iter().map(one).collect()
}

fn decode(node: &Node, max: usize) -> Result<Vec<u8>, DocumentError> {
    let bytes = STANDARD.decode(node.text(max)?).map_err(|e| node.fail(format!("not base64: {e}")))?;
    if bytes.is_empty() { Err(node.fail("is empty")) } else { Ok(bytes) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    media_type: &'static str,
    verification_material: MaterialOut,
    dsse_envelope: EnvelopeOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MaterialOut {
    certificate: CertificateOut,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tlog_entries: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateOut {
    raw_bytes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeOut {
    payload: String,
    payload_type: &'static str,
    signatures: [SignatureOut; 1],
}

#[derive(Serialize)]
struct SignatureOut {
    sig: String,
    keyid: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::Coded;
    use proptest::prelude::*;

    fn good() -> String {
        let b = Bundle {
            certificate: b"cert".to_vec(),
            signature: b"sig".to_vec(),
            payload: b"{}".to_vec(),
            timestamps: vec![],
            entries: vec![],
        };
        String::from_utf8(b.to_json().unwrap()).unwrap()
    }

    fn code(text: &str) -> &'static str {
        Bundle::parse(text.as_bytes()).unwrap_err().code().id
    }

    #[test]
    fn a_bundle_goes_round() {
        let b = Bundle::parse(good().as_bytes()).unwrap();
        assert_eq!(
            (b.certificate, b.signature, b.payload),
            (b"cert".to_vec(), b"sig".to_vec(), b"{}".to_vec())
        );
    }

    #[test]
    fn the_pae_is_the_one_of_the_dsse_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn other_versions_are_not_accepted() {
        assert_eq!(code(&good().replace("bundle.v0.3+json", "bundle+json;version=0.2")), "E1203");
    }

    #[test]
    fn fault_085_any_number_of_signatures_but_one_is_refused() {
        let one = r#"{"sig":"c2ln","keyid":""}"#;
        assert!(good().contains(one));
        for other in ["", r#"{"sig":"c2ln","keyid":""},{"sig":"c2ln","keyid":""}"#] {
            assert_eq!(code(&good().replace(one, other)), "E1202");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for (from, to) in [
            ("\"certificate\":{\"rawBytes\":\"Y2VydA==\"}", "\"x509CertificateChain\":{\"certificates\":[]}"),
            ("\"certificate\":{\"rawBytes\":\"Y2VydA==\"}", "\"publicKey\":{\"hint\":\"x\"}"),
            ("\"dsseEnvelope\"", "\"messageSignature\""),
            ("application/vnd.in-toto+json", "text/plain"),
            ("Y2VydA==", "Y2VydA"),
            ("Y2VydA==", "Y2VydB=="),
            ("Y2VydA==", ""),
            ("c2ln", "c2 n"),
            ("\"keyid\":\"\"", "\"keyid\":1"),
            ("\"keyid\"", "\"sig\""),
        ] {
            assert!(good().contains(from), "{from}");
            assert_eq!(code(&good().replacen(from, to, 1)), "E1202", "{from} -> {to}");
        }
        assert_eq!(code(""), "E1202");
        assert_eq!(code(&good()[..40]), "E1202");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(at in any::<prop::sample::Index>(), byte: u8, noise in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Bundle::parse(&noise);
            let mut bytes = good().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Bundle::parse(&bytes);
        }
    }
}
