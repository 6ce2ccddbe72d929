//! The parsers of signatures on bytes from a fuzzer: whatever is read has to come back the same when written.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::chain;
use super::error::AttestationError;
use super::statement::Statement;
use super::trust::TrustRoot;
use common::error::Coded;
use common::fuzzing::Verdict;

/// A Sigstore bundle with its DSSE envelope.
pub fn bundle(bytes: &[u8]) -> Verdict {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return refused(&error),
    };
    let again = bundle.to_json().ok().and_then(|json| Bundle::parse(&json).ok());
    let same = again.is_some_and(|b| {
        b.certificate == bundle.certificate && b.signature == bundle.signature && b.payload == bundle.payload
    });
    let signed = bundle.signed_bytes();
    Verdict::accepted_if(same && signed.ends_with(&bundle.payload), "a bundle does not come back")
}

/// The statement inside a bundle, when it is one.
pub fn payload(bundle: &[u8]) -> Option<Vec<u8>> {
    Bundle::parse(bundle).ok().map(|bundle| bundle.payload)
}

/// An in-toto statement.
pub fn statement(bytes: &[u8]) -> Verdict {
    let statement = match Statement::parse(bytes) {
        Ok(statement) => statement,
        Err(error) => return refused(&error),
    };
    // The time is kept as text made safe for messages, which may be longer than a time that is read.
    let timeless = Statement { signed_at: String::new(), ..statement };
    let again = timeless.to_json().ok().and_then(|json| Statement::parse(&json).ok());
    let same = again.is_some_and(|again| again == timeless);
    Verdict::accepted_if(same, "a statement does not come back")
}

/// A leaf certificate, all that is asked of it, and its path to an anchor at a time in seconds since 1970.
///
/// Gives the certificate's bytes when there is a path.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn leaf(der: &[u8], trust: &TrustRoot, now: u64) -> Result<Vec<u8>, AttestationError> {
    let leaf = Cert::parse(der)?;
    leaf.valid_at(now)?;
    leaf.check_leaf()?;
    leaf.public_key()?;
    leaf.uri()?;
    chain::paths(&leaf, trust, now)?;
    Ok(leaf.der().to_vec())
}

fn refused(error: &AttestationError) -> Verdict {
    Verdict::Refused(format!("{error} {:?} {:?}", error.reasons(), error.help()))
}
