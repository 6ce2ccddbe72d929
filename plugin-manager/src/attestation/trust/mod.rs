//! What the administrator trusts: `trust.toml` and the certificates it names, parsed once into a [`TrustRoot`].
//!
//! A key of a check that this build does not have is refused (E1409), never passed over.

mod config;
mod members;
mod notary;
mod read;
mod root;
#[cfg(test)]
mod tests;
mod write;

pub use config::{
    AnchorEntry, CertificateSource, CrlPolicy, Environment, KillList, NamePattern, PublisherEntry,
    Requirement, STAGER, SignerEntry, StagingPolicy, TrustConfig,
};
pub use members::{BadPluginPattern, PluginPattern, RoleEntry, TierEntry};
pub use notary::{LogAuthority, Notaries, TimestampAuthority};
pub use root::{Anchor, TrustFiles, TrustRoot};

use super::error::AttestationError;
use crate::loader::document::DocumentError;
use common::error::{Code, Coded, codes};

/// Why a trust configuration cannot be used. The administrator mends it.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The text does not follow the schema.
    #[error("trust.toml is not valid")]
    Invalid(#[source] DocumentError),
    /// A key of a check that this build does not have.
    #[error("trust.toml asks for a check this build does not have: {key}")]
    Unsupported {
        /// The key, with its place.
        key: String,
    },
    /// A file that is named is not there.
    #[error("trust.toml names {file}, which cannot be read")]
    Missing {
        /// The file, relative to the trust directory.
        file: String,
    },
    /// A revocation list, or their directory, cannot be used. Without it nothing is known of what was revoked.
    #[error("the revocation list {file} cannot be used: {problem}")]
    Crl {
        /// The file, relative to the trust directory.
        file: String,
        /// Why.
        problem: String,
    },
    /// A certificate cannot be used in its place.
    #[error("the certificate of {entry} cannot be used")]
    Certificate {
        /// The entry of trust.toml.
        entry: String,
        /// Why.
        #[source]
        source: Box<AttestationError>,
    },
}

impl Coded for TrustError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Unsupported { .. } => &codes::E1409,
            Self::Crl { .. } => &codes::E1305,
            Self::Invalid(_) | Self::Missing { .. } | Self::Certificate { .. } => &codes::E1408,
        }
    }
}
