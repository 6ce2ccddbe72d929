//! What a bundle carries beside its signature: when an authority saw it, and the log it stands in.
//!
//! A note is judged when `trust.toml` names somebody who makes such notes, and then each must hold. Nothing rests on
//! notes of a kind for which nobody is named.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::chain::Moment;
use super::error::AttestationError;
use super::time::rfc3339;
use super::timestamp;
use super::tlog::{self, LogEntry, Logged};
use super::trust::TrustRoot;

/// The notes of one signature, unjudged.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    timestamps: Vec<Vec<u8>>,
    entries: Vec<LogEntry>,
    signature: Vec<u8>,
    /// What an entry about this signature says.
    body: String,
}

impl Notes {
    pub(super) fn of(bundle: &Bundle, leaf: &Cert) -> Result<Self, AttestationError> {
        Ok(Self {
            timestamps: bundle.timestamps.clone(),
            entries: bundle.entries.clone(),
            signature: bundle.signature.clone(),
            body: tlog::body(bundle, leaf.public_key()?.algorithm()),
        })
    }

    /// The moment at which certificates are to be judged: the earliest time a trusted authority saw the signature,
    /// or now, in seconds since 1970.
    ///
    /// # Errors
    /// E1415 when a timestamp does not hold, or one is required and there is none that is judged.
    pub(super) fn moment(&self, trust: &TrustRoot, now: u64) -> Result<Moment, AttestationError> {
        let authorities = trust.timestamp_authorities();
        let judged = if authorities.is_empty() { &[] } else { self.timestamps.as_slice() };
        let latest = now.saturating_add(trust.clock_skew().as_secs());
        let mut earliest = None;
        for response in judged {
            let stamped = timestamp::verify(response, &self.signature, authorities, latest)?;
            earliest = Some(earliest.map_or(stamped.at, |at: u64| at.min(stamped.at)));
        }
        match earliest {
            None if trust.config().notaries.require_timestamp => {
                Err(AttestationError::Timestamp { how: "is missing, and trust.toml requires one".to_owned() })
            }
            stamped => Ok(Moment { stamped, now }),
        }
    }

    /// The logs that have the signature.
    ///
    /// # Errors
    /// E1416 when an entry does not hold, or one is required and there is none that is judged.
    pub(super) fn logged(&self, trust: &TrustRoot) -> Result<Vec<Logged>, AttestationError> {
        let logs = trust.logs();
        let judged = if logs.is_empty() { &[] } else { self.entries.as_slice() };
        let logged = judged.iter().map(|e| e.verify(&self.body, logs)).collect::<Result<Vec<_>, _>>()?;
        match logged.is_empty() && trust.config().notaries.require_log_entry {
            true => {
                Err(AttestationError::LogEntry { how: "is missing, and trust.toml requires one".to_owned() })
            }
            false => Ok(logged),
        }
    }
}

/// The moment for evidence: nothing when it is now.
pub(super) fn told(moment: Moment) -> String {
    moment.stamped.map_or_else(String::new, |at| format!("; judged at the timestamp's time, {}", rfc3339(at)))
}

/// The entries for evidence: nothing when there are none.
pub(super) fn told_logs(logged: &[Logged]) -> String {
    logged.iter().map(|l| format!("; entry {} of the log {}", l.index, l.origin)).collect()
}
