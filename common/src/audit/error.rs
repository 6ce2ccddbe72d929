//! Why the log cannot be opened or cannot record, and what is wrong with one that is damaged.

use crate::error::{Code, Coded, codes};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the log cannot be opened, or cannot record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// In refuse mode: an earlier write or sync failed. The operator frees space or mends the disk.
    #[error("the audit log cannot record: {0}")]
    Refused(String),
    /// The journal stayed full for as long as the caller could wait.
    #[error("the audit journal was full for {} ms", .waited.as_millis())]
    Full {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The record is larger than any that is kept. The caller names things more shortly.
    #[error("a record of {bytes} bytes is too large for the audit log")]
    TooLarge {
        /// Its encoded size.
        bytes: usize,
    },
    /// The log was closed before the record was durable.
    #[error("the audit log is closed")]
    Closed,
    /// Another process writes this log.
    #[error("the audit log in {} is held by {}", .dir.display(), holder(*.pid))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process that holds it, when it said so.
        pid: Option<u32>,
    },
    /// The node name cannot be the origin of a signed note.
    #[error("`{0}` cannot name a log: no spaces, plus signs or control characters, 1 to 255 bytes")]
    Node(String),
    /// The log belongs to another node.
    #[error("this is the audit log of `{found}`, not of `{expected}`")]
    OtherNode {
        /// The origin of its checkpoint.
        found: String,
        /// The node it was opened as.
        expected: String,
    },
    /// Checkpoints are signed with Ed25519 only.
    #[error("the key of the audit log is not an Ed25519 key")]
    Key,
    /// A file could not be read or written.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The log was changed by someone else. Never repaired.
    #[error("the audit log is damaged")]
    Damaged(#[source] Finding),
    /// No record has this number, or no checkpoint covers it yet.
    #[error("there is no record {seq} under the checkpoint, which covers {covered}")]
    NoSuchRecord {
        /// The number asked for.
        seq: u64,
        /// How many records the checkpoint covers.
        covered: u64,
    },
    /// A statement whose text a signed note cannot carry, or that could be taken for a checkpoint.
    #[error("a signed note cannot carry this text")]
    Statement,
    /// The proof does not show what it claims.
    #[error("the proof does not hold: {0}")]
    Proof(&'static str),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl AuditError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

impl From<Finding> for AuditError {
    fn from(finding: Finding) -> Self {
        Self::Damaged(finding)
    }
}

impl Coded for AuditError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Refused(_) | Self::Full { .. } | Self::TooLarge { .. } | Self::Closed => &codes::E3001,
            Self::Locked { .. } | Self::Node(_) | Self::Key | Self::Statement | Self::Io { .. } => {
                &codes::E3004
            }
            Self::OtherNode { .. } => &codes::E3011,
            Self::Damaged(finding) => finding.code(),
            Self::NoSuchRecord { .. } => &codes::E3006,
            Self::Proof(_) => &codes::E3013,
        }
    }
}

/// What kind of damage was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// A line is not what was written.
    Edited,
    /// Records are missing before this line.
    Deleted,
    /// The line is not in its place, or is there twice.
    Reordered,
    /// The log ends before the size a checkpoint states.
    Truncated,
    /// The log, or its checkpoint, is an earlier state of itself: a checkpoint kept elsewhere covers more.
    RolledBack,
    /// The log is whole and signed, and not the one a checkpoint kept elsewhere was made of: it was written again
    /// with the key.
    Rewritten,
    /// A checkpoint is missing, malformed, or its signature does not match.
    BadCheckpoint,
    /// The lines agree with each other but not with a checkpoint: they were written again without the key.
    RootMismatch,
    /// A checkpoint is signed by another key.
    WrongKey,
    /// The records are those of another node than the checkpoint's.
    WrongLog,
    /// A file cannot be read.
    Unreadable,
}

impl FindingKind {
    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Reordered => "reordered",
            Self::Truncated => "truncated",
            Self::RolledBack => "rolled_back",
            Self::Rewritten => "rewritten",
            Self::BadCheckpoint => "bad_checkpoint",
            Self::RootMismatch => "root_mismatch",
            Self::WrongKey => "wrong_key",
            Self::WrongLog => "wrong_log",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Damage, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// The name of the file inside the log's directory.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: u64,
    /// The number of the record that belongs at this place, where that is known.
    pub seq: Option<u64>,
    /// Where the line starts, in bytes from the start of the file.
    pub offset: u64,
    /// What is wrong, in words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.file)?;
        if self.line > 0 {
            write!(f, ", line {} (byte {})", self.line, self.offset)?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", record {seq}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for Finding {}

impl Coded for Finding {
    fn code(&self) -> &'static Code {
        match self.kind {
            FindingKind::BadCheckpoint | FindingKind::WrongKey => &codes::E3002,
            FindingKind::Edited => &codes::E3003,
            FindingKind::Deleted => &codes::E3007,
            FindingKind::Reordered => &codes::E3008,
            FindingKind::RolledBack => &codes::E3009,
            FindingKind::RootMismatch => &codes::E3010,
            FindingKind::WrongLog => &codes::E3011,
            FindingKind::Rewritten => &codes::E3012,
            FindingKind::Truncated => &codes::E3005,
            FindingKind::Unreadable => &codes::E3004,
        }
    }
}

impl Finding {
    /// Damage of a whole file.
    pub(super) fn of_file(kind: FindingKind, file: &str, detail: impl Into<String>) -> Self {
        Self { kind, file: file.to_owned(), line: 0, seq: None, offset: 0, detail: detail.into() }
    }
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Self::of_file(FindingKind::Unreadable, &file, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ForgeError;

    #[test]
    fn a_finding_names_its_place_and_code() {
        let finding = Finding {
            kind: FindingKind::Edited,
            file: "0000000001.jsonl".into(),
            line: 3,
            seq: Some(2),
            offset: 800,
            detail: "its hash differs".into(),
        };
        let want = "edited: 0000000001.jsonl, line 3 (byte 800), record 2: its hash differs";
        assert_eq!(finding.to_string(), want);
        let error = ForgeError::from(AuditError::Damaged(finding));
        assert_eq!(error.code().id, "E3003");
        assert_eq!(error.reasons(), [want]);
    }

    #[test]
    fn a_locked_log_names_the_process_that_holds_it() {
        let locked = |pid| AuditError::Locked { dir: "/h/audit".into(), pid }.to_string();
        assert_eq!(locked(Some(12)), "the audit log in /h/audit is held by process 12");
        assert_eq!(locked(None), "the audit log in /h/audit is held by another process");
    }
}
