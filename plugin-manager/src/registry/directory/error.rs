//! What is wrong with the plugin directory or with a file in it, beside what is wrong with a package.

use super::MAX_FILES;
use common::error::{Code, Coded, codes};
use std::path::PathBuf;

/// Why the plugin directory cannot be watched, or a file in it is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Kind, ownership, mode or name of the directory is wrong. The operator can mend it.
    #[error("the plugin directory {} {problem}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There are more files than are looked at. The operator can take some out.
    #[error("the plugin directory {} has more than {MAX_FILES} files", .0.display())]
    TooMany(PathBuf),
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
    /// Somebody watches it already.
    #[error("the plugin directory of this host is being watched already")]
    Watched,
    /// The thread that watches cannot be started.
    #[error("the thread that watches the plugin directory cannot be started")]
    Thread(#[source] std::io::Error),
    /// The file is not what it was when it was listed; it is looked at again.
    #[error("{0} changes while it is read")]
    Changing(String),
    /// The file is larger than a package may be, and was not read.
    #[error("{file} has {bytes} bytes; a package has at most {limit}")]
    TooLarge {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// Another file brought this plugin, in this version or a higher one.
    #[error("{file} brought plugin {name} {installed}, and this file has {offered}")]
    Second {
        /// The plugin.
        name: String,
        /// The other file.
        file: String,
        /// Its version.
        installed: String,
        /// The version of this one.
        offered: String,
        /// Whether it is a lower one.
        lower: bool,
    },
}

impl DirectoryError {
    /// An input or output error of this action on this path.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.into();
        move |errno| Self::Io { doing, path, source: errno.into() }
    }
}

impl Coded for DirectoryError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Unusable { .. } | Self::TooMany(_) => &codes::E0108,
            Self::Io { .. } | Self::Thread(_) | Self::Changing(_) => &codes::E0002,
            Self::Watched => &codes::E5009,
            Self::TooLarge { .. } => &codes::E1001,
            Self::Second { lower: true, .. } => &codes::E1406,
            Self::Second { lower: false, .. } => &codes::E5004,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Watched => Some("end the other watch first".to_owned()),
            Self::Second { file, .. } => Some(format!("replace or delete {file} if this package is meant")),
            _ => None,
        }
    }
}
