//! A signature's entry in a transparency log: the entry is this signature's, and the log's signed checkpoint covers it.
//!
//! An entry is of Rekor's kind `hashedrekord`, version 0.0.2, over the DSSE pre-authentication encoding; the log is an
//! RFC 6962 tree whose checkpoints are C2SP signed notes of an Ed25519 key.

use super::bundle::Bundle;
use super::error::AttestationError;
use crate::loader::document::{DocumentError, Node};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::audit::tree::{Edge, Hash, leaf, root_of_path};
use common::audit::{Checkpoint, MAX_NOTE, log_id};
use common::crypto::{Algorithm, CryptoError, PublicKey, SigningKey, sha256};
use serde_json::{Value, json};

const KIND: &str = "hashedrekord";
const VERSION: &str = "0.0.2";
/// Longest path: a tree of 2^63 leaves.
const MAX_PATH: usize = 63;
const MAX_BODY: usize = 64 << 10;

/// A log whose checkpoints are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogKey {
    /// Its name, the first line of its checkpoints.
    pub(super) origin: String,
    /// Its Ed25519 key.
    pub(super) key: PublicKey,
}

impl LogKey {
    /// How entries name it.
    pub(super) fn id(&self) -> Hash {
        log_id(&self.origin, &self.key)
    }
}

/// An entry of the right shape. Nothing in it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogEntry {
    log_id: Vec<u8>,
    index: u64,
    size: u64,
    root: Vec<u8>,
    path: Vec<Vec<u8>>,
    checkpoint: String,
    body: Vec<u8>,
}

/// What an entry that holds has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    /// The log's name.
    pub(super) origin: String,
    /// The entry's place in it.
    pub(super) index: u64,
}

impl LogEntry {
    /// An element of `tlogEntries`.
    pub(super) fn read(node: Node) -> Result<Self, DocumentError> {
        let known = [
            "logIndex",
            "logId",
            "kindVersion",
            "integratedTime",
            "inclusionPromise",
            "inclusionProof",
            "canonicalizedBody",
        ];
        let mut entry = node.fields(&known)?;
        let mut kind = entry.need("kindVersion")?.fields(&["kind", "version"])?;
        for (key, want) in [("kind", KIND), ("version", VERSION)] {
            let node = kind.need(key)?;
            if node.text(64)? != want {
                return Err(node.fail(format!("must be {want}")));
            }
        }
        let log_id = decoded(&entry.need("logId")?.fields(&["keyId"])?.need("keyId")?, 32)?;
        let known = ["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"];
        let mut proof = entry.need("inclusionProof")?.fields(&known)?;
        let index_node = proof.need("logIndex")?;
        let index = number(&index_node)?;
        if number(&entry.need("logIndex")?)? != index {
            return Err(index_node.fail("is another than the entry's"));
        }
        let path = match proof.take("hashes") {
            Some(hashes) => {
                hashes.list(MAX_PATH)?.iter().map(|h| decoded(h, 32)).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        Ok(Self {
            log_id,
            index,
            size: number(&proof.need("treeSize")?)?,
            root: decoded(&proof.need("rootHash")?, 32)?,
            path,
            checkpoint: proof
                .need("checkpoint")?
                .fields(&["envelope"])?
                .need("envelope")?
                .text(MAX_NOTE)?
                .to_owned(),
            body: decoded(&entry.need("canonicalizedBody")?, MAX_BODY)?,
        })
    }

    /// The log's checkpoint that covers it.
    pub(super) fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The element of `tlogEntries`.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "logIndex": self.index.to_string(),
            "logId": { "keyId": STANDARD.encode(&self.log_id) },
            "kindVersion": { "kind": KIND, "version": VERSION },
            "inclusionProof": {
                "logIndex": self.index.to_string(),
                "rootHash": STANDARD.encode(&self.root),
                "treeSize": self.size.to_string(),
                "hashes": self.path.iter().map(|h| STANDARD.encode(h)).collect::<Vec<_>>(),
                "checkpoint": { "envelope": self.checkpoint },
            },
            "canonicalizedBody": STANDARD.encode(&self.body),
        })
    }

    /// Checks that a trusted log has the entry with this body.
    ///
    /// # Errors
    /// E1416, with what does not hold.
    pub(super) fn verify(&self, body: &str, logs: &[LogKey]) -> Result<Logged, AttestationError> {
        let fail = |how: &str| AttestationError::LogEntry { how: how.to_owned() };
        let log = logs.iter().find(|log| log.id().as_slice() == self.log_id);
        let log = log.ok_or_else(|| fail("is of a log that trust.toml does not name"))?;
        if self.body != body.as_bytes() {
            return Err(fail("is not about this signature"));
        }
        let checkpoint = Checkpoint::open(&self.checkpoint, &log.key)
            .map_err(|e| fail(&format!("has a checkpoint that is not believed: {e}")))?;
        if checkpoint.origin != log.origin
            || checkpoint.size != self.size
            || checkpoint.root.as_slice() != self.root
        {
            return Err(fail("has a proof of another tree than its checkpoint's"));
        }
        let path: Option<Vec<Hash>> = self.path.iter().map(|h| h.as_slice().try_into().ok()).collect();
        let root = path.and_then(|path| root_of_path(self.index, self.size, &leaf(&self.body), &path));
        match root == Some(checkpoint.root) {
            true => Ok(Logged { origin: log.origin.clone(), index: self.index }),
            false => Err(fail("is not in the tree its checkpoint describes")),
        }
    }
}

/// The entry of a bundle's signature: canonical JSON, keys sorted, no spaces, no newline.
pub(super) fn body(bundle: &Bundle, algorithm: Algorithm) -> String {
    let details = match algorithm {
        Algorithm::EcdsaP256Sha256 => "PKIX_ECDSA_P256_SHA_256",
        Algorithm::Ed25519 => "PKIX_ED25519",
    };
    let digest = STANDARD.encode(sha256(&bundle.signed_bytes()).as_bytes());
    let (signature, certificate) = (STANDARD.encode(&bundle.signature), STANDARD.encode(&bundle.certificate));
    // Base64 and the words here need no escapes.
    format!(
        concat!(
            r#"{{"apiVersion":"{version}","kind":"{kind}","spec":{{"hashedRekordV002":{{"#,
            r#""data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"#,
            r#""signature":{{"content":"{signature}","verifier":{{"keyDetails":"{details}","#,
            r#""x509Certificate":{{"rawBytes":"{certificate}"}}}}}}}}}}}}"#
        ),
        version = VERSION,
        kind = KIND,
        digest = digest,
        signature = signature,
        details = details,
        certificate = certificate,
    )
}

/// Appends to a log and proves the new leaf: gives the entry and the new checkpoint. `before` is the tree so far, whose
/// perfect subtrees are the path of the leaf after them.
pub(super) fn append(
    before: &Edge,
    body: String,
    origin: &str,
    key: &SigningKey,
) -> Result<LogEntry, CryptoError> {
    let mut after = before.clone();
    after.push(leaf(body.as_bytes()));
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: after.size(), root: after.root() };
    Ok(LogEntry {
        log_id: log_id(origin, &key.public()).to_vec(),
        index: before.size(),
        size: after.size(),
        root: checkpoint.root.to_vec(),
        path: before.hashes().iter().rev().map(|hash| hash.to_vec()).collect(),
        checkpoint: checkpoint.sign(key)?,
        body: body.into_bytes(),
    })
}

/// Protobuf writes 64-bit numbers as text; numbers are read too.
fn number(node: &Node) -> Result<u64, DocumentError> {
    match node.text(20) {
        Ok(text) => text.parse().map_err(|_| node.fail("must be a whole number")),
        Err(_) => node.integer(0..=u64::MAX),
    }
}

fn decoded(node: &Node, max: usize) -> Result<Vec<u8>, DocumentError> {
    let bytes = STANDARD.decode(node.text(max * 2)?).map_err(|e| node.fail(format!("not base64: {e}")))?;
    if bytes.len() <= max { Ok(bytes) } else { Err(node.fail("is too long")) }
}
