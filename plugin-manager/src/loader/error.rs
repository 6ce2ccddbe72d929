//! What makes bytes no package: one variant per kind of fault, each with its stable code.

use super::document::DocumentError;
use common::error::{Code, Coded, codes};

/// Why bytes are not a well-formed package, or a package could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A cap of [`super::PackageLimits`] was passed. The author can shrink it, the operator can raise the cap.
    #[error("{what} is larger than {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The cap.
        limit: u64,
        /// What the cap counts.
        unit: &'static str,
    },
    /// The gzip layer is broken, truncated, or its checksum differs.
    #[error("the gzip stream is not valid")]
    Gzip(#[source] std::io::Error),
    /// The tar layer is broken.
    #[error("the archive is not a plain tar at byte {at}: {fault}")]
    Archive {
        /// Offset in the unpacked archive.
        at: usize,
        /// What is wrong there.
        fault: ArchiveFault,
    },
    /// An entry no package may have.
    #[error("the entry \"{name}\" is not allowed: {fault}")]
    Entry {
        /// Its name, escaped.
        name: String,
        /// Why.
        fault: EntryFault,
    },
    /// Two entries with one name, or with names that are one on some file system.
    #[error("the entries \"{first}\" and \"{second}\" have the same name")]
    Duplicate {
        /// The earlier.
        first: String,
        /// The later.
        second: String,
    },
    /// A file that must be there is not.
    #[error("the package lacks {name}")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A file under a name no package has, or one the manifest does not list.
    #[error("the package has a file that is not expected: \"{name}\"")]
    Unexpected {
        /// Its name, escaped.
        name: String,
    },
    /// A file whose bytes are not those the manifest names.
    #[error("{name} does not match its digest in the manifest")]
    Digest {
        /// Its name.
        name: String,
    },
    /// `manifest.json` or `plugin.toml` does not follow its schema.
    #[error("{file} is not valid")]
    Manifest {
        /// Which of the two.
        file: &'static str,
        /// Where and why.
        #[source]
        source: DocumentError,
    },
    /// `plugin.toml` in the package says something else than the manifest.
    #[error(
        "plugin.toml contradicts manifest.json: {field} is {author} in the one and {manifest} in the other"
    )]
    Contradiction {
        /// The field.
        field: &'static str,
        /// What plugin.toml says.
        author: String,
        /// What the manifest says.
        manifest: String,
    },
    /// Writing a package into memory failed.
    #[error("the package could not be written")]
    Write(#[source] std::io::Error),
}

/// What is wrong with a tar archive as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's text is its documentation")]
pub enum ArchiveFault {
    #[error("it ends in the middle of an entry or before its two closing blocks")]
    Truncated,
    #[error("the header's checksum differs")]
    Checksum,
    #[error("the header is neither POSIX ustar nor GNU")]
    Magic,
    #[error("a number in the header is not plain octal")]
    Number,
    #[error("an entry claims more bytes than the archive has")]
    Size,
    #[error("a field of the header has bytes after its end")]
    Field,
    #[error("the padding after an entry is not zero")]
    Padding,
    #[error("there are bytes after the end of the archive")]
    Trailing,
    #[error("an extended header is malformed")]
    Extension,
    #[error("an extended header is not followed by a file")]
    Dangling,
}

/// Why one entry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's text is its documentation")]
pub enum EntryFault {
    #[error("its name is empty")]
    Empty,
    #[error("its name is absolute")]
    Absolute,
    #[error("its name has an empty, `.` or `..` part")]
    Traversal,
    #[error("its name has characters other than letters, digits and . _ - + @ , = ( ) and inner spaces")]
    Characters,
    #[error("a part of its name starts or ends with a space, or ends with a dot")]
    Edges,
    #[error("its name is too long or too deep")]
    Long,
    #[error("it is a link")]
    Link,
    #[error("it is a device, a pipe or a socket")]
    Special,
    #[error("it is sparse")]
    Sparse,
    #[error("it has a long name; names have at most 100 bytes, or 255 in the ustar format")]
    LongName,
    #[error("its extended header overrides its name, size or link, or has a key that is not known")]
    Override,
    #[error("it is an extended header for the whole archive")]
    Global,
    #[error("it is of a kind that is not known")]
    Kind,
    #[error("it is a directory with content or without a trailing slash")]
    Directory,
}

impl LoadError {
    pub(crate) fn archive(at: usize, fault: ArchiveFault) -> Self {
        Self::Archive { at, fault }
    }
    pub(crate) fn entry(name: &str, fault: EntryFault) -> Self {
        Self::Entry { name: super::document::clip(name), fault }
    }
    pub(crate) fn too_large(what: impl Into<String>, limit: u64, unit: &'static str) -> Self {
        Self::TooLarge { what: what.into(), limit, unit }
    }
    pub(crate) fn manifest(source: DocumentError) -> Self {
        Self::Manifest { file: super::MANIFEST, source: source.in_file(super::MANIFEST) }
    }
    pub(crate) fn plugin_toml(source: DocumentError) -> Self {
        Self::Manifest { file: super::PLUGIN_TOML, source: source.in_file(super::PLUGIN_TOML) }
    }
}

impl Coded for LoadError {
    fn code(&self) -> &'static Code {
        match self {
            Self::TooLarge { .. } => &codes::E1001,
            Self::Gzip(_) | Self::Archive { .. } => &codes::E1002,
            Self::Entry { .. } => &codes::E1003,
            Self::Duplicate { .. } => &codes::E1004,
            Self::Missing { .. } => &codes::E1005,
            Self::Unexpected { .. } => &codes::E1006,
            Self::Digest { .. } => &codes::E1101,
            Self::Manifest { .. } | Self::Contradiction { .. } => &codes::E1104,
            Self::Write(_) => &codes::E0002,
        }
    }
}
