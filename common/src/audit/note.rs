//! Checkpoints as C2SP signed notes: what parses is exactly what was signed, byte for byte.

use super::tree::Hash;
use crate::crypto::{Algorithm, CryptoError, PublicKey, Sha256, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What a checkpoint states: the log of this origin had this root at this size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many leaves its tree has.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a signed note of one signature.
    #[error("it is not a signed note of this log's form")]
    Form,
    /// The signature is of another key.
    #[error("it names another key")]
    Key,
    /// The signature does not match.
    #[error("its signature does not match")]
    Signature,
}

/// Longest checkpoint that is read, in bytes.
pub const MAX_NOTE: usize = 4096;
/// Signatures of a note that are looked at.
pub(super) const MAX_SIGNATURES: usize = 64;
pub(super) const DASH: &str = "\u{2014} ";

/// Whether a signed note can carry this name: not empty, without spaces, control characters and plus signs.
pub fn name_is_usable(name: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= 255 && name.chars().all(fits)
}

/// SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key): the identifier of a log with an Ed25519 key.
pub fn log_id(name: &str, key: &PublicKey) -> Hash {
    let mut hasher = Sha256::new();
    for part in [name.as_bytes(), b"\n\x01", key.as_bytes()] {
        hasher.update(part);
    }
    *hasher.finish().as_bytes()
}

/// The first four bytes of [`log_id`]: the key id in a signed note.
pub(super) fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let [a, b, c, d, ..] = log_id(name, key);
    [a, b, c, d]
}

/// The verifier key of a log in the form other clients of signed notes read: `name+id+key`.
pub fn verifier_key(name: &str, key: &PublicKey) -> String {
    let id: String = key_id(name, key).iter().map(|b| format!("{b:02x}")).collect();
    let mut typed = vec![1];
    typed.extend_from_slice(key.as_bytes());
    format!("{name}+{id}+{}", BASE64.encode(typed))
}

impl Checkpoint {
    pub(super) fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The signed note, ending in a newline.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CryptoError> {
        let body = self.body();
        let mut signature = key_id(&self.origin, &key.public()).to_vec();
        signature.extend_from_slice(&key.sign(body.as_bytes())?);
        Ok(format!("{body}\n{DASH}{} {}\n", self.origin, BASE64.encode(signature)))
    }

    /// Reads a note and checks the signature of `key`, which must be the only one.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn open(text: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let (checkpoint, signature) = Self::parse(text).ok_or(NoteError::Form)?;
        let (id, signature) = signature.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if key.algorithm() != Algorithm::Ed25519 || *id != key_id(&checkpoint.origin, key) {
            return Err(NoteError::Key);
        }
        key.verify(checkpoint.body().as_bytes(), signature).map_err(|_| NoteError::Signature)?;
        Ok(checkpoint)
    }

    /// Reads a note from outside, which other keys may have signed too, and checks the signature of `key`.
    pub(super) fn open_among(text: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let (body, signatures) = text.split_once("\n\n").ok_or(NoteError::Form)?;
        let origin = body.split('\n').next().unwrap_or_default();
        let ours = |line: &&str| {
            line.strip_prefix(DASH).and_then(|l| l.split_once(' ')).map(|l| l.0) == Some(origin)
        };
        let mut error = NoteError::Form;
        for line in signatures.lines().take(MAX_SIGNATURES).filter(ours) {
            match Self::open(&format!("{body}\n\n{line}\n"), key) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(NoteError::Form) => {}
                Err(other) => error = other,
            }
        }
        Err(error)
    }

    /// Reads a note without checking its signature.
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::parse(text).map(|(checkpoint, _)| checkpoint)
    }

    /// The checkpoint and the decoded signature. The text is compared with what would be written, so that no
    /// two texts are the same checkpoint.
    fn parse(text: &str) -> Option<(Self, Vec<u8>)> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let ("", signed, "", None) = (lines.next()?, lines.next()?, lines.next()?, lines.next()) else {
            return None;
        };
        let encoded = signed.strip_prefix(DASH)?.strip_prefix(origin)?.strip_prefix(' ')?;
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        let checkpoint = Self { origin: origin.to_owned(), size: size.parse().ok()?, root };
        let exact = name_is_usable(origin) && text.starts_with(&checkpoint.body());
        exact.then_some((checkpoint, BASE64.decode(encoded).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Ed25519).unwrap().0
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "node1.example/audit".into(), size: 7, root: [3; 32] }
    }

    #[test]
    fn a_checkpoint_is_a_note_of_three_lines_and_one_signature() {
        let key = key();
        let note = checkpoint().sign(&key).unwrap();
        let lines: Vec<_> = note.split('\n').collect();
        assert_eq!(lines[..4], ["node1.example/audit", "7", &BASE64.encode([3; 32]), ""]);
        assert!(lines[4].starts_with("\u{2014} node1.example/audit "));
        assert_eq!(lines[5..], [""]);
        assert_eq!(Checkpoint::open(&note, &key.public()), Ok(checkpoint()));
    }

    /// The example of golang.org/x/mod/sumdb/note: PeterNeumann's public key.
    #[test]
    fn the_key_id_is_that_of_the_signed_note_specification() {
        let raw = BASE64.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = PublicKey::from_raw(Algorithm::Ed25519, &raw[1..]).unwrap();
        let want = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(verifier_key("PeterNeumann", &key), want);
        let signature = BASE64
            .decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
            .unwrap();
        let message =
            b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        assert_eq!(signature[..4], key_id("PeterNeumann", &key));
        key.verify(message, &signature[4..]).unwrap();
    }

    #[test]
    fn every_flipped_bit_of_a_checkpoint_is_noticed() {
        let key = key();
        let note = checkpoint().sign(&key).unwrap().into_bytes();
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut bad = note.clone();
                bad[at] ^= 1 << bit;
                let noticed =
                    std::str::from_utf8(&bad).map_or(true, |t| Checkpoint::open(t, &key.public()).is_err());
                assert!(noticed, "byte {at} bit {bit}");
            }
        }
        let text = String::from_utf8(note).unwrap();
        assert_eq!(Checkpoint::open(&text, &super::tests::key().public()), Err(NoteError::Key));
        for other in [format!("{text}\n"), text.replace("\n7\n", "\n07\n"), text.replace("\n7\n", "\n+7\n")] {
            assert!(Checkpoint::open(&other, &key.public()).is_err());
        }
    }

    #[test]
    fn names_that_would_break_a_note_are_not_usable() {
        assert!(name_is_usable("forgeone/node-1"));
        for bad in ["", "a b", "a+b", "a\nb", "a\u{2028}b", &"x".repeat(256)] {
            assert!(!name_is_usable(bad), "{bad:?}");
        }
    }
}
