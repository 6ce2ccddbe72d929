//! DSSE envelopes of one signature by a key of this host, around an in-toto statement.

use crate::attestation::{PAYLOAD_TYPE, pae};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::{CryptoError, PublicKey, SigningKey};
use common::error::{ForgeError, codes};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Why an envelope is not believed.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// It is no envelope of one signature over a statement.
    Malformed,
    /// The key did not sign it.
    Signature(CryptoError),
}

/// The envelope around a statement.
pub(super) fn seal(payload: &[u8], key: &SigningKey) -> Result<Vec<u8>, ForgeError> {
    let failed = |e: &dyn std::fmt::Display| {
        ForgeError::new(&codes::E0001, "a statement of this host cannot be signed").reason(e.to_string())
    };
    let signature = key.sign(&pae(PAYLOAD_TYPE, payload)).map_err(|e| failed(&e))?;
    let envelope = Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![Signature { keyid: String::new(), sig: STANDARD.encode(signature) }],
    };
    serde_json::to_vec(&envelope).map_err(|e| failed(&e))
}

/// The statement in an envelope that this key signed.
pub(super) fn open(envelope: &[u8], key: &PublicKey) -> Result<Vec<u8>, NotOpened> {
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|_| NotOpened::Malformed)?;
    let [signature] = &envelope.signatures[..] else { return Err(NotOpened::Malformed) };
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| NotOpened::Malformed);
    let (payload, signed) = (bytes(&envelope.payload)?, bytes(&signature.sig)?);
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(NotOpened::Malformed);
    }
    key.verify(&pae(PAYLOAD_TYPE, &payload), &signed).map_err(NotOpened::Signature)?;
    Ok(payload)
}
