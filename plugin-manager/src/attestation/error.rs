//! Why a package is not proven: one variant per reason, each with its stable code.

use super::module::ModuleError;
use super::trust::Environment;
use crate::loader::document::DocumentError;
use common::error::{Code, Coded, codes};
use common::identity::{Name, Publisher};
use semver::Version;

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// There is no signature and one is required. The publisher signs it.
    #[error("package {name} {version} is not signed")]
    Unsigned {
        /// The plugin.
        name: Name,
        /// Its version.
        version: Version,
    },
    /// Signatures were to be switched off where that is not possible. The operator's configuration decides.
    #[error("{} demands signatures", .0.name())]
    SignaturesDemanded(Environment),
    /// The bundle is not one of the shape accepted.
    #[error("the signature bundle is malformed")]
    Bundle(#[source] DocumentError),
    /// A version or an algorithm that is not on the list.
    #[error("{what} is not accepted")]
    NotAccepted {
        /// What it is, with its name.
        what: String,
    },
    /// The signature is not the certificate's over these bytes.
    #[error("the signature does not match the signed statement")]
    Signature,
    /// What was signed is no package statement.
    #[error("the signed statement is not a package statement")]
    Statement(#[source] DocumentError),
    /// A file is signed and not there, or there and not signed, or differs.
    #[error("{file} {how}")]
    Subjects {
        /// The file.
        file: String,
        /// How it differs.
        how: &'static str,
    },
    /// The manifest says something else than the signed predicate.
    #[error("the manifest's {field} is {manifest}, but {signed} was signed")]
    Predicate {
        /// Which field.
        field: &'static str,
        /// The manifest's.
        manifest: String,
        /// The predicate's.
        signed: String,
    },
    /// No trusted authority issued the certificate.
    #[error("the certificate of {subject} was not issued by a trusted authority")]
    UnknownIssuer {
        /// Whose.
        subject: String,
    },
    /// A certificate of the path has expired.
    #[error("the certificate of {subject} expired at {at}")]
    Expired {
        /// Whose.
        subject: String,
        /// When.
        at: String,
    },
    /// A certificate of the path is not valid yet.
    #[error("the certificate of {subject} is not valid before {at}")]
    NotYetValid {
        /// Whose.
        subject: String,
        /// When.
        at: String,
    },
    /// A revocation list names a certificate of the path.
    #[error("a certificate of the path of {subject} is revoked")]
    Revoked {
        /// Whose.
        subject: String,
    },
    /// Nothing current says whether a certificate is revoked, and the trust configuration demands to know.
    #[error("whether the certificate of {subject} is revoked is not known: {how}")]
    RevocationUnknown {
        /// Whose.
        subject: String,
        /// Why not.
        how: String,
    },
    /// The revocation list has run out, or is of the future.
    #[error("the revocation list for {subject} is {} {at}", if *early { "not valid before" } else { "stale since" })]
    StaleList {
        /// Whose issuer's list it is.
        subject: String,
        /// Whether it is of the future.
        early: bool,
        /// From or until when it is believed.
        at: String,
    },
    /// Something is missing that the trust configuration demands beside the publisher's signature.
    #[error("{what}")]
    Missing {
        /// What.
        what: String,
        /// What is there instead, and why it does not count.
        there: Vec<String>,
    },
    /// The package was staged too long ago for the trust configuration.
    #[error("{package} was staged at {at}, which is longer ago than the {max_age} that trust.toml allows")]
    StagedLongAgo {
        /// The package.
        package: String,
        /// When.
        at: String,
        /// How long ago it may be.
        max_age: String,
    },
    /// The extended key usage does not allow code signing.
    #[error("a certificate of the path of {subject} is not for code signing")]
    Purpose {
        /// Whose.
        subject: String,
    },
    /// The key usage or the basic constraints do not fit the certificate's place.
    #[error("the certificate of {subject} {how}")]
    KeyUsage {
        /// Whose.
        subject: String,
        /// What is wrong.
        how: &'static str,
    },
    /// A name constraint of an authority is broken.
    #[error("the certificate of {subject} breaks a name constraint of its authority")]
    NameConstraint {
        /// Whose.
        subject: String,
    },
    /// The path has too many certificates.
    #[error("the path of {subject} is longer than allowed")]
    ChainLength {
        /// Whose.
        subject: String,
    },
    /// The certificate is malformed, or has an extension that must be understood and is not.
    #[error("the certificate cannot be accepted: {problem}")]
    Certificate {
        /// What is wrong.
        problem: String,
    },
    /// Path building was stopped at its bounds.
    #[error("the search for a path of {subject} exceeded its bounds")]
    PathSearch {
        /// Whose.
        subject: String,
    },
    /// The identity lies outside what the authority may issue.
    #[error("the identity {uri} is not under the prefix of the authority {anchor}")]
    Identity {
        /// The certificate's URI.
        uri: String,
        /// The authority's name in trust.toml.
        anchor: String,
    },
    /// The identity is no publisher of the trust configuration, or not in this environment.
    #[error("the publisher {uri} is not trusted{scope}")]
    Publisher {
        /// The certificate's URI.
        uri: String,
        /// Where it is not trusted, as a clause.
        scope: String,
    },
    /// The manifest names another publisher than the certificate.
    #[error("the manifest names the publisher {manifest}, but {signer} signed it")]
    OtherPublisher {
        /// The manifest's.
        manifest: Publisher,
        /// The certificate's.
        signer: Publisher,
    },
    /// The publisher may not sign this name.
    #[error("{publisher} may not sign packages named {name}")]
    Namespace {
        /// Who signed.
        publisher: Publisher,
        /// The plugin.
        name: Name,
    },
    /// The version is below the floor.
    #[error("{name} {version} is below {minimum}, the least version accepted from {publisher}")]
    Rollback {
        /// Who signed.
        publisher: Publisher,
        /// The plugin.
        name: Name,
        /// Its version.
        version: Version,
        /// The floor.
        minimum: Version,
    },
    /// A timestamp that the bundle carries does not hold, or one is required and missing.
    #[error("the signature's timestamp {how}")]
    Timestamp {
        /// What is wrong.
        how: String,
    },
    /// A log entry that the bundle carries does not hold, or one is required and missing.
    #[error("the signature's log entry {how}")]
    LogEntry {
        /// What is wrong.
        how: String,
    },
    /// Something is on the kill-list.
    #[error("{what} is on the kill-list of trust.toml")]
    Killed {
        /// What, with its digest or serial.
        what: String,
    },
    /// The manifest asks for more than the publisher may.
    #[error("{name} asks for {permissions}, which is beyond what {publisher} may ask for")]
    Ceiling {
        /// Who signed.
        publisher: Publisher,
        /// The plugin.
        name: Name,
        /// The permissions that are beyond it.
        permissions: String,
    },
    /// There is a signature to judge and no trust configuration.
    #[error("there is no trust configuration to judge the signature by")]
    NoTrust,
    /// The certificate was made for development.
    #[error("the certificate of {subject} was made for development; {} refuses it", environment.name())]
    Development {
        /// Whose.
        subject: String,
        /// Where.
        environment: Environment,
    },
    /// The module is refused.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl Coded for AttestationError {
    fn code(&self) -> &'static Code {
        match self {
            Self::SignaturesDemanded(_) => &codes::E0103,
            Self::Subjects { .. } => &codes::E1102,
            Self::Predicate { .. } => &codes::E1103,
            Self::Unsigned { .. } => &codes::E1201,
            Self::Bundle(_) => &codes::E1202,
            Self::NotAccepted { .. } => &codes::E1203,
            Self::Signature => &codes::E1204,
            Self::Statement(_) => &codes::E1205,
            Self::UnknownIssuer { .. } => &codes::E1301,
            Self::Expired { .. } => &codes::E1302,
            Self::NotYetValid { .. } => &codes::E1303,
            Self::Revoked { .. } => &codes::E1304,
            Self::RevocationUnknown { .. } => &codes::E1305,
            Self::StaleList { .. } => &codes::E1306,
            Self::Missing { .. } => &codes::E1405,
            Self::StagedLongAgo { .. } => &codes::E1417,
            Self::Purpose { .. } => &codes::E1307,
            Self::KeyUsage { .. } => &codes::E1308,
            Self::NameConstraint { .. } => &codes::E1309,
            Self::ChainLength { .. } | Self::PathSearch { .. } => &codes::E1310,
            Self::Certificate { .. } => &codes::E1311,
            Self::Identity { .. } => &codes::E1312,
            Self::Publisher { .. } => &codes::E1401,
            Self::OtherPublisher { .. } | Self::Namespace { .. } => &codes::E1402,
            Self::Rollback { .. } => &codes::E1403,
            Self::Killed { .. } => &codes::E1404,
            Self::NoTrust => &codes::E1408,
            Self::Development { .. } => &codes::E1410,
            Self::Ceiling { .. } => &codes::E1412,
            Self::Timestamp { .. } => &codes::E1415,
            Self::LogEntry { .. } => &codes::E1416,
            Self::Module(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Module(error) => error.help(),
            Self::OtherPublisher { signer, .. } => Some(format!(
                "set `publisher = \"{signer}\"` in plugin.toml and pack again, or sign with the other key"
            )),
            _ => None,
        }
    }

    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Module(error) => error.reasons(),
            Self::Missing { there, .. } => there.clone(),
            _ => Vec::new(),
        }
    }
}
