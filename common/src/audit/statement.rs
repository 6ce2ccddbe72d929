//! Statements signed with the log's key that nobody can take for a checkpoint of it.

use super::error::AuditError;
use super::note::{DASH, key_id, name_is_usable};
use crate::crypto::{Algorithm, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A C2SP signed note with this text, signed by `name` with `key`. `subject` is its first line and holds a space, which the
/// origin of a checkpoint never does.
///
/// # Errors
/// [`AuditError::Key`] for a key that is not Ed25519, [`AuditError::Node`] for a name that cannot sign notes, and
/// [`AuditError::Statement`] for a text that a note cannot carry.
pub fn sign_statement(
    key: &SigningKey,
    name: &str,
    subject: &str,
    lines: &str,
) -> Result<String, AuditError> {
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(AuditError::Key);
    }
    if !name_is_usable(name) {
        return Err(AuditError::Node(name.to_owned()));
    }
    let plain = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control());
    if !subject.contains(' ') || !plain(subject) || !lines.lines().all(plain) {
        return Err(AuditError::Statement);
    }
    let body = format!("{subject}\n{}\n", lines.trim_end_matches('\n'));
    let mut signature = key_id(name, &key.public()).to_vec();
    signature.extend_from_slice(&key.sign(body.as_bytes()).map_err(|_| AuditError::Key)?);
    Ok(format!("{body}\n{DASH}{name} {}\n", BASE64.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::super::note::Checkpoint;
    use super::*;

    #[test]
    fn a_statement_is_signed_and_is_no_checkpoint() {
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let note = sign_statement(&key, "n1", "forgeone evidence", "5\nroot\n").unwrap();
        let (body, signature) = note.split_once("\n\n").unwrap();
        assert_eq!(body, "forgeone evidence\n5\nroot");
        let bytes = BASE64.decode(signature.trim().rsplit(' ').next().unwrap()).unwrap();
        key.public().verify(format!("{body}\n").as_bytes(), &bytes[4..]).unwrap();
        assert!(Checkpoint::open(&note, &key.public()).is_err());
        for (subject, lines) in [("nospace", "a"), ("a b", "a\n\nb"), ("a b\nc", "a")] {
            assert!(sign_statement(&key, "n1", subject, lines).is_err(), "{subject} {lines}");
        }
    }
}
