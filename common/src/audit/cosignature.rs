//! Cosignatures of witnesses (C2SP tlog-cosignature): who beside the log says that it saw a checkpoint, and when.

use super::consistency::continues;
use super::error::AuditError;
use super::files::{Files, SystemFiles};
use super::marks::read_small;
use super::note::{Checkpoint, DASH, MAX_SIGNATURES, name_is_usable};
use crate::crypto::{Algorithm, PublicKey, Sha256};
use crate::error::{Code, Coded, codes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::path::Path;

/// The latest checkpoint that witnesses signed too.
pub(super) const COSIGNED: &str = "cosigned";
/// Longest cosigned checkpoint that is read, in bytes.
pub(super) const MAX_COSIGNED: usize = 32 << 10;
/// The signature type of a cosignature with Ed25519.
const TYPE: u8 = 4;

/// Why a cosignature is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// It is not `name+id+key` of an Ed25519 cosigner, or the id is another key's.
    #[error("`{0}` is not the verifier key of a witness")]
    Key(String),
    /// A signature names this witness and is not its own.
    #[error("the cosignature of `{0}` does not match")]
    Signature(String),
    /// None of the witnesses signed it.
    #[error("it carries no cosignature of a witness that is configured")]
    None,
    /// It is no checkpoint of this log.
    #[error("it is no checkpoint of this log")]
    Log(#[from] AuditError),
}

impl Coded for WitnessError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Log(error) => error.code(),
            _ => &codes::E3015,
        }
    }
}

/// One who cosigns checkpoints.
#[derive(Debug, Clone)]
pub struct Witness {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

/// That a witness saw a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness.
    pub witness: String,
    /// When, in seconds since 1970, by its clock.
    pub time: u64,
}

impl Witness {
    /// The witness with this verifier key, `name+id+key` (C2SP signed-note) of signature type 4.
    ///
    /// # Errors
    /// [`WitnessError::Key`].
    pub fn parse(text: &str) -> Result<Self, WitnessError> {
        let parsed = || {
            let (name, rest) = text.split_once('+')?;
            let (id, key) = rest.split_once('+')?;
            let typed = BASE64.decode(key).ok()?;
            let raw = typed.strip_prefix(&[TYPE])?;
            let key = PublicKey::from_raw(Algorithm::Ed25519, raw).ok()?;
            let witness = Self { name: name.to_owned(), id: key_id(name, raw), key };
            let hex: String = witness.id.iter().map(|byte| format!("{byte:02x}")).collect();
            (name_is_usable(name) && hex == id).then_some(witness)
        };
        parsed().ok_or_else(|| WitnessError::Key(text.to_owned()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cosignature among the lines of a note, `None` when it has none.
    fn find(&self, note: &str) -> Result<Option<Cosignature>, WitnessError> {
        let Some((body, signatures)) = note.split_once("\n\n") else { return Ok(None) };
        for line in signatures.lines().take(MAX_SIGNATURES) {
            let Some((name, encoded)) = line.strip_prefix(DASH).and_then(|line| line.split_once(' ')) else {
                continue;
            };
            let bytes = BASE64.decode(encoded).unwrap_or_default();
            let Some((id, rest)) = bytes.split_first_chunk::<4>() else { continue };
            if name != self.name || *id != self.id {
                continue;
            }
            let bad = || WitnessError::Signature(self.name.clone());
            let (time, signature) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
            let time = u64::from_be_bytes(*time);
            let message = format!("cosignature/v1\ntime {time}\n{body}\n");
            self.key.verify(message.as_bytes(), signature).map_err(|_| bad())?;
            return Ok(Some(Cosignature { witness: self.name.clone(), time }));
        }
        Ok(None)
    }
}

fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    for part in [name.as_bytes(), &[b'\n', TYPE], key] {
        hasher.update(part);
    }
    let [a, b, c, d, ..] = *hasher.finish().as_bytes();
    [a, b, c, d]
}

/// The witnesses among these that signed a note, each cosignature verified.
///
/// # Errors
/// [`WitnessError::Signature`] when one names a witness and is not its own.
pub fn cosignatures(note: &str, witnesses: &[Witness]) -> Result<Vec<Cosignature>, WitnessError> {
    let found: Result<Vec<_>, _> = witnesses.iter().map(|witness| witness.find(note)).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Accepts a checkpoint of the log in `dir` that witnesses signed too: it must be of `key`, the log must continue
/// it, and at least one of the witnesses must have signed it. The one that covers the most records is kept, and
/// every verification compares the log with it.
///
/// # Errors
/// [`WitnessError`], by what does not hold. Nothing is kept then.
pub fn accept_cosigned(
    dir: &Path,
    key: &PublicKey,
    witnesses: &[Witness],
    note: &str,
) -> Result<Vec<Cosignature>, WitnessError> {
    let found = cosignatures(note, witnesses)?;
    if found.is_empty() {
        return Err(WitnessError::None);
    }
    continues(dir, key, note)?;
    let size = |note: &str| Checkpoint::open_among(note, key).map_or(0, |checkpoint| checkpoint.size);
    let earlier = cosigned(dir)?.filter(|earlier| size(earlier) > size(note));
    if earlier.is_none() && note.len() <= MAX_COSIGNED {
        let path = dir.join(COSIGNED);
        SystemFiles.replace(&path, note.as_bytes()).map_err(AuditError::io("write", &path))?;
    }
    Ok(found)
}

/// The latest cosigned checkpoint of the log in `dir`, when there is one. Nothing is verified.
///
/// # Errors
/// When it cannot be read.
pub fn cosigned(dir: &Path) -> Result<Option<String>, AuditError> {
    Ok(read_small(&dir.join(COSIGNED), MAX_COSIGNED)?)
}
