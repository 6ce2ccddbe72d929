//! The audit log: append or refuse. What "recorded" promises, by class of action (RECORDING.md).
//!
//! Callers fill a slot of the journal; one committer thread writes lines to segments, chains and hashes them
//! into an RFC 6962 tree and signs checkpoints of it. Reading and verifying need neither the lock nor the writer.
//!
//! What a process sees of `audit/`: `NNNNNNNNNN.jsonl` (segments), `checkpoint` (the latest, a C2SP signed
//! note), `checkpoints` (earlier ones, each a JSON string), `edge` (lets opening skip what is covered), `tiles/` (the
//! tree's hashes, for proofs), `NNNNNNNNNN.end` (how a segment ends), `removed` (where the log begins after retention),
//! `journal` (records on their way), `lock`.

mod base;
mod codec;
mod committer;
mod consistency;
mod cosignature;
mod counted;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod journal;
mod kept;
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
mod removal;
mod ring;
mod seek;
mod segment;
mod shared;
mod sinks;
mod space;
mod statement;
mod tail;
mod tally;
mod tiles;
pub mod tree;
mod verify;
mod walk;
mod writer;

pub use consistency::{Consistency, Consistent, continues, prove_consistency};
pub use cosignature::{Cosignature, Witness, WitnessError, accept_cosigned, cosignatures, cosigned};
pub use error::{AuditError, Finding, FindingKind};
pub use files::{Files, SegmentFile, SystemFiles};
pub use kept::read_kept;
pub use log::{AuditLog, AuditMetrics, Health, Ticket};
pub use note::{Checkpoint, MAX_NOTE, NoteError, log_id, name_is_usable, verifier_key};
pub use options::{AuditOptions, JournalKind, Retention};
pub use prove::{Proof, Proven, prove};
pub use record::{Actor, Decision, Outcome, Record, RecordClass};
pub use seek::{Records, records_from};
pub use shared::Refusal;
pub use sinks::{CheckpointSink, FileSink, Made, SinkError, SinkMetrics, SyslogSink, SyslogTarget};
pub use space::Space;
pub use statement::sign_statement;
pub use tail::{Tail, tail};
pub use tally::Tally;
pub use verify::{VerifyReport, verify, verify_against};

#[cfg(test)]
mod tests;
