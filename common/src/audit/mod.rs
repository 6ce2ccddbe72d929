//! The audit log: append or refuse. What "recorded" promises, by class of action (RECORDING.md).
//!
//! Callers fill a slot of the journal; one committer thread writes lines to segments, chains and hashes them
//! into an RFC 6962 tree and signs checkpoints of it. Reading and verifying need neither the lock nor the writer.
//!
//! What a process sees of `audit/`: `NNNNNNNNNN.jsonl` (segments), `checkpoint` (the latest, a C2SP signed
//! note), `checkpoints` (earlier ones, each a JSON string), `edge` (lets opening skip what is covered),
//! `journal` (records on their way), `lock`.

mod codec;
mod committer;
mod counted;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod journal;
mod line;
mod log;
#[allow(unsafe_code, reason = "a mapped file as atomic words: the journal has to outlive the process")]
mod mapped;
mod marks;
mod note;
mod options;
mod prove;
mod record;
mod recover;
mod ring;
mod segment;
mod shared;
mod tail;
mod tally;
pub mod tree;
mod verify;
mod walk;
mod writer;

pub use error::{AuditError, Finding, FindingKind};
pub use files::{Files, SegmentFile, SystemFiles};
pub use log::{AuditLog, AuditMetrics, Health, Ticket};
pub use note::{Checkpoint, MAX_NOTE, NoteError, log_id, name_is_usable, verifier_key};
pub use options::{AuditOptions, JournalKind};
pub use prove::{Proof, Proven, prove};
pub use record::{Actor, Decision, Outcome, Record, RecordClass};
pub use shared::Refusal;
pub use tail::{Tail, tail};
pub use tally::Tally;
pub use verify::{VerifyReport, verify};

#[cfg(test)]
mod tests;
