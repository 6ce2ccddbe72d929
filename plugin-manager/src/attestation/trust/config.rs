//! The entries of `trust.toml` as values that can be added to and written back.

use super::members::{RoleEntry, TierEntry};
use super::notary::Notaries;
use super::{TrustError, read, write};
use common::crypto::Algorithm;
use common::identity::{Digest, Name, Publisher};
use common::permission::{Capability, Glob};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How strict a host is, from the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// Signed packages of publishers with lasting certificates only.
    Production,
    /// Signed packages only.
    Staging,
    /// Signatures may be switched off.
    Development,
}

impl Environment {
    /// All three, from the strictest.
    pub const ALL: [Self; 3] = [Self::Production, Self::Staging, Self::Development];
    /// The word in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

/// `trust.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustConfig {
    /// The strictness this file demands, when it is stricter than the host's own.
    pub mode: Option<Environment>,
    /// Algorithms accepted in certificates and signatures.
    pub algorithms: Vec<Algorithm>,
    /// How far a certificate's validity is stretched at both ends. At most an hour, in whole seconds.
    pub clock_skew: Duration,
    /// Most certificates in a path, leaf and anchor included.
    pub max_chain: usize,
    /// Where revocation lists are, and what follows from one that is not there.
    pub crl: CrlPolicy,
    /// What every package must carry beside its publisher's signature.
    pub require: BTreeSet<Requirement>,
    /// Whose staging attestations count, and for how long.
    pub staging: StagingPolicy,
    /// Who says when a signature was made, and which logs have it.
    pub notaries: Notaries,
    /// Authorities that are trusted.
    pub anchors: Vec<AnchorEntry>,
    /// Certificates that may stand between a leaf and an anchor.
    pub intermediates: Vec<CertificateSource>,
    /// Publishers that are trusted.
    pub publishers: Vec<PublisherEntry>,
    /// Who else may sign: reviewers, builders, security officers.
    pub signers: Vec<SignerEntry>,
    /// The roles of plugins and operators, for policies.
    pub roles: Vec<RoleEntry>,
    /// The tiers of plugins, for policies.
    pub tiers: Vec<TierEntry>,
    /// What is refused whoever signed it.
    pub kill: KillList,
}

impl Default for TrustConfig {
    /// Trusts nobody.
    fn default() -> Self {
        Self {
            mode: None,
            algorithms: vec![Algorithm::EcdsaP256Sha256, Algorithm::Ed25519],
            clock_skew: Duration::ZERO,
            max_chain: 4,
            crl: CrlPolicy::default(),
            require: BTreeSet::new(),
            staging: StagingPolicy::default(),
            notaries: Notaries::default(),
            anchors: Vec::new(),
            intermediates: Vec::new(),
            publishers: Vec::new(),
            signers: Vec::new(),
            roles: Vec::new(),
            tiers: Vec::new(),
            kill: KillList::default(),
        }
    }
}

impl TrustConfig {
    /// Parses the text of `trust.toml`.
    ///
    /// ```
    /// use plugin_manager::attestation::TrustConfig;
    /// let error = TrustConfig::parse("version = 1\n[verify]\nlog = {}").unwrap_err();
    /// assert_eq!(common::error::Coded::code(&error).id, "E1409");
    /// ```
    ///
    /// # Errors
    /// On unknown keys with the nearest known one, on values that do not parse, on entries that contradict
    /// each other, and with [`TrustError::Unsupported`] on checks that this build does not have.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        read::config(text)
    }

    /// The text of `trust.toml` for these entries; parsing it gives them back.
    pub fn to_toml(&self) -> String {
        write::toml(self)
    }

    /// Who counts beside this publisher when its signers are counted.
    pub fn signers_of<'a>(&'a self, publisher: &'a PublisherEntry) -> impl Iterator<Item = &'a SignerEntry> {
        let named = |s: &&SignerEntry| publisher.signers.is_empty() || publisher.signers.contains(&s.name);
        self.signers.iter().filter(named)
    }

    /// Whose staging attestations count: those that are named, or every signer with the role [`STAGER`].
    pub fn stagers(&self) -> impl Iterator<Item = &SignerEntry> {
        let named = &self.staging.signers;
        let counts = |s: &&SignerEntry| match named.is_empty() {
            true => s.roles.iter().any(|role| role.as_str() == STAGER),
            false => named.contains(&s.name),
        };
        self.signers.iter().filter(counts)
    }

    /// The files it names, relative to the trust directory.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let sources = self.anchors.iter().map(|a| &a.source).chain(&self.intermediates);
        let sources = sources.chain(self.notaries.timestamp_authorities.iter().map(|a| &a.source));
        sources.filter_map(|source| match source {
            CertificateSource::File(file) => Some(file.as_str()),
            CertificateSource::Pem(_) => None,
        })
    }
}

/// How revocation is asked for. The lists are files of one directory: `.pem`, `.crl` and `.der`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlPolicy {
    /// The directory, a plain path relative to the trust directory.
    pub directory: String,
    /// Whether a certificate is refused whose issuer has no current list. A certificate that a list names is refused
    /// in either case, however old the list is.
    pub required: bool,
    /// How old a list may be that has not run out by itself, in whole seconds.
    pub max_age: Option<Duration>,
}

impl Default for CrlPolicy {
    /// Lists in `crl/` are heeded and none is required.
    fn default() -> Self {
        Self { directory: "crl".to_owned(), required: false, max_age: None }
    }
}

/// The role of somebody who stages.
pub const STAGER: &str = "staging";

/// Whose staging attestations count, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StagingPolicy {
    /// By name. Every [`SignerEntry`] with the role [`STAGER`] when it is empty.
    pub signers: Vec<Name>,
    /// How long ago a package may have been staged, in whole seconds. However long when it is `None`.
    pub max_age: Option<Duration>,
}

/// What a package must carry beside its publisher's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// `sbom.cdx.json`: a CycloneDX document about this plugin and version.
    Sbom,
    /// A SLSA provenance about this module, signed by somebody `trust.toml` names.
    Provenance,
    /// A staging attestation about this package, signed by somebody who stages.
    Staging,
}

impl Requirement {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Sbom, Self::Provenance, Self::Staging];
    /// The word in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sbom => "sbom",
            Self::Provenance => "provenance",
            Self::Staging => "staging",
        }
    }
}

/// Somebody who signs beside publishers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerEntry {
    /// The name it goes by in `signers` and in messages.
    pub name: Name,
    /// The URI identity in its certificates, exactly.
    pub uri: String,
    /// What it signs as.
    pub roles: Vec<Name>,
}

/// Where a certificate of `trust.toml` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// In a PEM file: a plain path relative to the trust directory.
    File(String),
    /// In the configuration itself, as PEM text.
    Pem(String),
}

/// An authority that is trusted to name publishers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorEntry {
    /// The name it goes by in messages.
    pub name: Name,
    /// Its certificate.
    pub source: CertificateSource,
    /// The beginning of every URI identity it may issue. Compared with a `/` at its end.
    pub uri_prefix: String,
}

/// A publisher that is trusted, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherEntry {
    /// The name packages bear in `publisher`.
    pub name: Publisher,
    /// The URI identity in its certificates, exactly.
    pub uri: String,
    /// The plugins it may sign.
    pub packages: Vec<NamePattern>,
    /// Where it is trusted. All three when the key is absent.
    pub environments: Vec<Environment>,
    /// All its plugins may ask for, when that is limited.
    pub max_permissions: Option<BTreeSet<Capability>>,
    /// The least version of a plugin that is accepted.
    pub min_version: BTreeMap<Name, Version>,
    /// How many distinct signers a package must have, the publisher included: m.
    pub required_signers: usize,
    /// Who counts beside the publisher, by name: with the publisher n. Every [`SignerEntry`] when it is empty.
    pub signers: Vec<Name>,
    /// Each of these must be a role of one of the signers that count.
    pub required_roles: Vec<Name>,
    /// What its packages must carry, beside what every package must.
    pub require: BTreeSet<Requirement>,
    /// Builders whose provenance is accepted, by `builder.id`. Any when it is empty.
    pub builders: Vec<String>,
}

impl PublisherEntry {
    /// A publisher that may sign any name, everywhere.
    pub fn new(name: Publisher, uri: impl Into<String>) -> Self {
        Self {
            name,
            uri: uri.into(),
            packages: vec![NamePattern::any()],
            environments: Environment::ALL.to_vec(),
            max_permissions: None,
            min_version: BTreeMap::new(),
            required_signers: 1,
            signers: Vec::new(),
            required_roles: Vec::new(),
            require: BTreeSet::new(),
            builders: Vec::new(),
        }
    }
}

/// What is refused whoever signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KillList {
    /// Digests of packages, manifests, modules or any other file of a package.
    pub digests: BTreeSet<Digest>,
    /// Serial numbers of certificates, in lower-case hexadecimal.
    pub serials: BTreeSet<String>,
    /// Digests of public keys (subjectPublicKeyInfo).
    pub keys: BTreeSet<Digest>,
}

/// A plugin's name with `*` for any part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    Glob(String, Glob),
}

/// Text that is not a pattern for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern has 1 to 63 of a-z, 0-9, - and single *")]
pub struct BadPattern;

impl NamePattern {
    /// Any name.
    pub fn any() -> Self {
        Self(Pattern::Any)
    }
    /// Whether the name is one of those meant.
    pub fn matches(&self, name: &Name) -> bool {
        match &self.0 {
            Pattern::Any => true,
            Pattern::Glob(_, glob) => glob.matches(name.as_str()),
        }
    }
}

impl FromStr for NamePattern {
    type Err = BadPattern;
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'*';
        if text.len() > 63 || text.contains("**") || !text.bytes().all(allowed) {
            return Err(BadPattern);
        }
        if text == "*" {
            return Ok(Self::any());
        }
        let glob = Glob::name(text).map_err(|_| BadPattern)?;
        Ok(Self(Pattern::Glob(text.to_owned(), glob)))
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Glob(text, _) => f.write_str(text),
        }
    }
}
