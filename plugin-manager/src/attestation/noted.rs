//! A signed bundle to the same with a timestamp or a log entry: what outside clients ask for beside the signature.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::error::AttestationError;
use super::tlog;
use common::audit::tree::Edge;
use common::crypto::{CryptoError, SigningKey};
use common::error::{Code, Coded, codes};

/// Why a note could not be added.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The bundle is none that is accepted.
    #[error("the bundle cannot be used")]
    Bundle(#[source] AttestationError),
    /// The log's checkpoint could not be signed.
    #[error("the log's checkpoint could not be signed")]
    Crypto(#[source] CryptoError),
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Write(#[source] serde_json::Error),
}

impl Coded for NoteError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Bundle(error) => error.code(),
            Self::Crypto(_) | Self::Write(_) => &codes::E0001,
        }
    }
}

/// A bundle that is being given notes.
#[derive(Debug)]
pub struct NotedBundle(Bundle);

impl NotedBundle {
    /// The bundle in these bytes; the notes it has already are kept.
    ///
    /// # Errors
    /// When it is not of the accepted form.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        Bundle::parse(bytes).map(Self).map_err(NoteError::Bundle)
    }
    /// The signature: what timestamps are of.
    pub fn signature(&self) -> &[u8] {
        &self.0.signature
    }
    /// Adds a timestamp response about the signature.
    pub fn add_timestamp(&mut self, response: Vec<u8>) {
        self.0.timestamps.push(response);
    }
    /// What a log records of it: canonical JSON without a newline.
    ///
    /// # Errors
    /// When its certificate cannot be read.
    pub fn log_body(&self) -> Result<String, NoteError> {
        let algorithm = || Ok(Cert::parse(&self.0.certificate)?.public_key()?.algorithm());
        algorithm().map(|algorithm| tlog::body(&self.0, algorithm)).map_err(NoteError::Bundle)
    }
    /// Adds the entry of a log whose tree so far is `before`, and gives the log's new checkpoint.
    ///
    /// # Errors
    /// When the certificate cannot be read or the checkpoint not signed.
    pub fn add_log_entry(
        &mut self,
        before: &Edge,
        origin: &str,
        key: &SigningKey,
    ) -> Result<String, NoteError> {
        let entry = tlog::append(before, self.log_body()?, origin, key).map_err(NoteError::Crypto)?;
        let checkpoint = entry.checkpoint().to_owned();
        self.0.entries.push(entry);
        Ok(checkpoint)
    }
    /// Puts the entries of another bundle in the place of its own.
    #[cfg(test)]
    pub(super) fn take_entries(&mut self, other: Self) {
        self.0.entries = other.0.entries;
    }
    /// The bundle with its notes.
    ///
    /// # Errors
    /// When it cannot be written, which JSON of texts always can.
    pub fn to_json(&self) -> Result<Vec<u8>, NoteError> {
        self.0.to_json().map_err(NoteError::Write)
    }
}
