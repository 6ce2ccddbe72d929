//! Why the home could not be opened, read or changed; each variant says who can mend it.

use common::crypto::CryptoError;
use common::error::{Code, Coded, codes};
use common::identity::{Digest, Name};
use std::path::PathBuf;

/// A process that holds a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Whether it is of another boot or another machine, where its number says nothing.
    pub elsewhere: bool,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = if self.elsewhere { " of another boot or machine" } else { "" };
        write!(f, "process {}{of}", self.pid)
    }
}

/// What goes wrong in the home.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Ownership, mode or kind of a path in the home is wrong. The operator can mend it.
    #[error("{} {problem}", path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another process holds the home.
    #[error("the home {} is in use{}", path.display(), holder.map_or(String::new(), |holder| format!(" by {holder}")))]
    Locked {
        /// The home.
        path: PathBuf,
        /// The process that signed the lock file.
        holder: Option<Holder>,
    },
    /// The home was written by an older or newer version.
    #[error("{what} has schema {found}, this build reads {supported}")]
    Schema {
        /// The database or the row.
        what: String,
        /// The schema found.
        found: u64,
        /// The schema of this build.
        supported: u64,
    },
    /// Input or output failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database failed.
    #[error("the state database failed to {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        #[source]
        source: Box<redb::Error>,
    },
    /// A row cannot be understood.
    #[error("the record of {what} is damaged")]
    Damaged {
        /// Which row.
        what: String,
        /// Why it does not parse.
        #[source]
        source: serde_json::Error,
    },
    /// The database is gone while other files of the home are not. The operator can put it back.
    #[error("{} is missing or empty, and this home was in use", .0.display())]
    Lost(PathBuf),
    /// A journal of stored values lost something that was durable.
    #[error("the journal {} {problem} (at byte {at})", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Where.
        at: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A write to the journals of stored values failed before, and what is in them is not known any more.
    #[error("the journal {} takes nothing since a write to it failed", .0.display())]
    Refusing(PathBuf),
    /// A sync of the database failed before, and what is on the disk is not known any more.
    #[error("the state database {} takes nothing since a sync of it failed", .0.display())]
    Unsure(PathBuf),
    /// A key file cannot be used.
    #[error("the key {} cannot be used", path.display())]
    Secret {
        /// The key file.
        path: PathBuf,
        /// What the cryptographic library said.
        #[source]
        source: CryptoError,
    },
    /// A stored package is missing or has other bytes than its digest.
    #[error("the stored package {0} is missing or was changed")]
    Package(Digest),
    /// The bytes given do not have the digest their record names. A fault of the caller.
    #[error("the package's bytes do not have the digest {0}")]
    Mismatch(Digest),
    /// A plugin of this name is installed.
    #[error("a plugin named {0} is already installed")]
    Exists(Name),
    /// No plugin of this name is installed.
    #[error("no plugin named {0} is installed")]
    NoPlugin(Name),
    /// A value is larger than the home keeps.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The bound in bytes.
        limit: usize,
    },
    /// The home has as many secrets as it may have.
    #[error("the home keeps {0} secrets, which is as many as it may")]
    TooManySecrets(u64),
    /// Records of the home name as many people as it may keep.
    #[error("the home keeps {0} people, which is as many as it may")]
    TooManyPeople(usize),
    /// A plugin has as many settings as it may have.
    #[error("{plugin} has {limit} settings in its section {section}, which is as many as it may have")]
    TooMany {
        /// The plugin.
        plugin: Name,
        /// The section.
        section: &'static str,
        /// How many it may have.
        limit: usize,
    },
}

impl StoreError {
    /// An input or output error of this action on this path.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether the file of the database failed, so that what is open of it answers nothing any more.
    pub(super) fn is_of_the_database_file(&self) -> bool {
        use redb::Error::{DatabaseClosed, Io, PreviousIo};
        matches!(self, Self::Database { source, .. } if matches!(**source, Io(_) | PreviousIo | DatabaseClosed))
    }
}

impl Coded for StoreError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Unusable { .. } => &codes::E0104,
            Self::Locked { .. } => &codes::E5006,
            Self::Schema { .. } => &codes::E0106,
            Self::Io { .. } | Self::Refusing(_) | Self::Unsure(_) => &codes::E0002,
            Self::Database { source, .. } => match **source {
                redb::Error::Corrupted(_) | redb::Error::TableTypeMismatch { .. } => &codes::E0003,
                // What it says of a file that is no database.
                redb::Error::Io(ref e) if e.kind() == std::io::ErrorKind::InvalidData => &codes::E0003,
                _ => &codes::E0002,
            },
            Self::Damaged { .. } | Self::Lost(_) | Self::Secret { .. } | Self::Journal { .. } => {
                &codes::E0003
            }
            Self::Package(_) => &codes::E1503,
            Self::Mismatch(_) => &codes::E0001,
            Self::Exists(_) => &codes::E5004,
            Self::NoPlugin(_) => &codes::E5001,
            Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::TooManySecrets(_)
            | Self::TooManyPeople(_) => &codes::E0101,
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::Unusable { path, problem } if problem.contains("writable") => {
                Some(format!("take that from others: `chmod go-w {}`", path.display()))
            }
            Self::TooMany { plugin, .. } => {
                Some(format!("`forgeone config {plugin} list` shows them; unset one that is not needed"))
            }
            Self::TooManySecrets(_) => {
                Some("`forgeone secrets list` shows them; remove one that is not needed".to_owned())
            }
            Self::TooManyPeople(_) => Some(
                "`forgeone audit people` shows them; erase those who need not be known any more".to_owned(),
            ),
            Self::Refusing(_) | Self::Unsure(_) => {
                Some("look at the disk, then end this process and start it again".to_owned())
            }
            _ => None,
        }
    }
}
