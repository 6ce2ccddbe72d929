//! The files of `keys/` and of `trust/` that name authorities and publishers. A private key is written with mode 0600
//! and never lost: one that is replaced is kept in `keys/retired/`.
//!
//! One authority per home: `keys/authority.key.pem`, `keys/authority.cert.pem`; publishers in
//! `keys/publishers/NAME.key.pem` and `.cert.pem`; trust in `trust/trust.toml` and `trust/roots/NAME.pem`.
//! `trust.toml` is written anew from its entries: comments in it are not kept. A change is recorded before it is
//! made, by whoever [`KeyRing::recorded_by`] names.

use crate::attestation::trust::{AnchorEntry, CertificateSource, NamePattern, PublisherEntry, TrustConfig};
use crate::attestation::{
    Authority, AuthoritySpec, CertificateFacts, Environment, Issued, KeyTextError, LeafSpec, Passphrase,
    Validity, certificate_facts, is_protected, pem_to_der,
};
use crate::workshop::{SignWith, now};
use common::crypto::Algorithm;
use common::error::{Code, Coded, ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use files::{Existing, Files, make_dir, read, write};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

mod change;
mod files;
mod locked;

pub use locked::Unlock;

pub use change::{RevocationList, RevokeRequest};

/// What the home's own authority is called.
const AUTHORITY: &str = "authority";
/// How long an authority made here is valid.
const AUTHORITY_DAYS: u64 = 3650;
const DAY: u64 = 86_400;
/// A certificate is valid from this long before it is made: clocks of other machines differ.
const BACKDATED: u64 = 300;

/// What goes wrong with the files of `keys/` and `trust/`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A file cannot be read or written. The operator mends its directory.
    #[error("cannot {doing} {path}")]
    File {
        /// What was done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The home has no authority yet.
    #[error("this home has no certificate authority")]
    NoAuthority,
    /// There is no key or certificate of that name.
    #[error("there is no key or certificate of {0}")]
    NoKey(String),
    /// There is one of that name already.
    #[error("there is {0} already")]
    Taken(String),
    /// The home's authority did not issue it, and cannot revoke it.
    #[error("the certificate of {0} was issued by another authority than this home's")]
    OtherIssuer(String),
    /// The list of what was revoked cannot be read: another one would forget what it names.
    #[error("the revocation list {path} cannot be used: {why}")]
    List {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A private key cannot be opened.
    #[error("the private key of {who} cannot be used")]
    Key {
        /// Whose.
        who: String,
        /// Why.
        #[source]
        source: KeyTextError,
    },
    /// A pattern of names that is none.
    #[error("\"{0}\" is not a pattern of names")]
    Pattern(String),
}

impl Coded for KeyError {
    fn code(&self) -> &'static Code {
        match self {
            Self::File { .. } => &codes::E0002,
            Self::NoAuthority | Self::NoKey(_) | Self::OtherIssuer(_) => &codes::E5008,
            Self::List { .. } => &codes::E1305,
            Self::Taken(_) => &codes::E5009,
            Self::Key { source, .. } => source.code(),
            Self::Pattern(_) => &codes::E0101,
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::NoAuthority => Some("make one with `forgeone keys init --name NAME`".to_owned()),
            Self::Key { source, .. } => source.help(),
            Self::NoKey(_) => Some("`forgeone keys list` shows what there is".to_owned()),
            _ => None,
        }
    }
}

/// Records a change of keys or trust before it is made: action, name, details.
pub type RecordChange<'a> = dyn Fn(&str, &str, &[(&str, &str)]) -> Result<(), ForgeError> + 'a;

/// The keys and certificates of one home.
pub struct KeyRing<'a> {
    keys: PathBuf,
    trust: PathBuf,
    record: Option<Box<RecordChange<'a>>>,
    unlock: Option<Box<Unlock<'a>>>,
    protect: Option<Passphrase>,
}

impl std::fmt::Debug for KeyRing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The home's certificate authority.
    Authority,
    /// A publisher.
    Publisher,
}

impl KeyKind {
    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Publisher => "publisher",
        }
    }
}

/// A key and its certificate, as they are shown.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// Whose it is.
    pub kind: KeyKind,
    /// The name of the authority or publisher.
    pub name: String,
    /// The algorithm of the key.
    pub algorithm: String,
    /// The URI identity of a publisher's certificate.
    pub identity: Option<String>,
    /// The SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// The certificate's serial number, as a kill-list names it.
    pub serial: String,
    /// The SHA-256 of the public key, as a kill-list names it.
    pub key: Digest,
    /// Valid from, in nanoseconds since 1970.
    pub not_before_ns: u64,
    /// Valid until, in nanoseconds since 1970.
    pub not_after_ns: u64,
    /// Whether production refuses it.
    pub development: bool,
    /// Whether the private key is here too.
    pub private_key: bool,
    /// Whether the private key that is here has a passphrase.
    pub protected: bool,
}

/// A publisher's certificate to issue.
#[derive(Debug, Clone)]
pub struct IssueRequest {
    /// The publisher.
    pub publisher: Publisher,
    /// The kind of key.
    pub algorithm: Algorithm,
    /// How many days it is valid.
    pub days: u32,
    /// Whether production is to refuse it.
    pub development: bool,
    /// Patterns of the names it may sign.
    pub packages: Vec<String>,
}

impl<'a> KeyRing<'a> {
    /// The keys of this home. Nothing is read or made yet.
    pub fn new(home: &Path) -> Self {
        let (keys, trust) = (home.join("keys"), home.join("trust"));
        Self { keys, trust, record: None, unlock: None, protect: None }
    }
    /// Changes are recorded with this, and refused when they cannot be.
    #[must_use]
    pub fn recorded_by(self, record: Box<RecordChange<'a>>) -> Self {
        Self { record: Some(record), ..self }
    }

    /// Makes the home's authority and trusts it.
    ///
    /// # Errors
    /// E5009 when there is one already.
    pub fn init(&self, name: &Name, development: bool) -> Result<KeyInfo, ForgeError> {
        let _one_at_a_time = self.hold()?;
        let files = self.authority();
        files.free("a certificate authority")?;
        let mut trust = self.trust_config()?;
        if trust.anchors.iter().any(|a| a.name == *name) {
            return Err(KeyError::Taken(format!("an anchor {name} in trust.toml")).into());
        }
        let issued = make_authority(name, development)?;
        self.recorded("key_init", name.as_str(), &issued)?;
        let root = format!("roots/{name}.pem");
        trust.anchors.push(AnchorEntry {
            name: name.clone(),
            source: CertificateSource::File(root.clone()),
            uri_prefix: prefix(name),
        });
        // Trust first: an anchor whose key was never kept harms nobody, a key nobody trusts cannot be made again.
        write(&self.trust.join(&root), issued.certificate.as_bytes(), Existing::Replace)?;
        self.write_trust(&trust)?;
        files.write(&issued, self.protect.as_ref(), Existing::Refuse)?;
        info(KeyKind::Authority, &files)
    }

    /// Makes a publisher's key and certificate, and trusts the publisher with these names.
    ///
    /// # Errors
    /// E5008 without an authority; E5009 when the publisher has a key already.
    pub fn issue(&self, request: &IssueRequest) -> Result<KeyInfo, ForgeError> {
        self.issue_as(request, |trust, uri, development| {
            change::trust_publisher(trust, entry(request, uri, development)?);
            Ok(())
        })
    }

    /// Makes a key and certificate, and changes trust as the caller says for its identity, and whether it is for
    /// development.
    fn issue_as(
        &self,
        request: &IssueRequest,
        trusted: impl FnOnce(&mut TrustConfig, &str, bool) -> Result<(), KeyError>,
    ) -> Result<KeyInfo, ForgeError> {
        let _one_at_a_time = self.hold()?;
        let publisher = &request.publisher;
        if publisher.as_str() == AUTHORITY {
            return Err(KeyError::Taken(format!("something else of the name {AUTHORITY}")).into());
        }
        let files = self.publisher(publisher.as_str());
        files.free(&format!("a key of {publisher}"))?;
        let (authority, facts) = self.open_authority()?;
        let development = request.development || facts.development;
        let uri = format!("{}/{publisher}", prefix_of(&facts));
        let issued = issue(&authority, &facts, request, &uri, development)?;
        let mut trust = self.trust_config()?;
        trusted(&mut trust, &uri, development)?;
        self.recorded("key_issue", publisher.as_str(), &issued)?;
        self.write_trust(&trust)?;
        files.write(&issued, self.protect.as_ref(), Existing::Refuse)?;
        info(KeyKind::Publisher, &files)
    }

    /// Every key and certificate: the authority first, then publishers by name.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, ForgeError> {
        let mut found = Vec::new();
        if self.authority().certificate.exists() {
            found.push(info(KeyKind::Authority, &self.authority())?);
        }
        for name in self.publishers()? {
            found.push(info(KeyKind::Publisher, &self.publisher(&name))?);
        }
        Ok(found)
    }

    /// The certificate of a publisher, or of `authority`, as PEM.
    ///
    /// # Errors
    /// E5008 when there is none.
    pub fn certificate(&self, who: &str) -> Result<String, ForgeError> {
        Ok(read(&self.files(who)?.certificate)?.ok_or_else(|| KeyError::NoKey(who.to_owned()))?)
    }

    /// The private key of a publisher, or of `authority`, as the PEM it is kept as: under its passphrase if it has one.
    ///
    /// # Errors
    /// E5008 when there is none.
    pub fn private_key(&self, who: &str) -> Result<String, ForgeError> {
        Ok(read(&self.files(who)?.key)?.ok_or_else(|| KeyError::NoKey(who.to_owned()))?)
    }

    /// What a publisher signs with.
    ///
    /// # Errors
    /// E5008 when the publisher has no key here.
    pub fn signer(&self, publisher: &Publisher) -> Result<SignWith, ForgeError> {
        let files = self.publisher(publisher.as_str());
        let missing = || KeyError::NoKey(publisher.to_string());
        let certificate = read(&files.certificate)?.ok_or_else(missing)?;
        let key = self.opened(publisher.as_str(), &read(&files.key)?.ok_or_else(missing)?)?;
        Ok(SignWith::of(&key, certificate)?)
    }

    fn authority(&self) -> Files {
        Files::new(&self.keys, AUTHORITY)
    }
    fn publisher(&self, name: &str) -> Files {
        Files::new(&self.keys.join("publishers"), name)
    }
    fn files(&self, who: &str) -> Result<Files, ForgeError> {
        if who == AUTHORITY {
            return Ok(self.authority());
        }
        let name = Name::new(who).map_err(|_| KeyError::NoKey(who.chars().take(80).collect()))?;
        Ok(self.publisher(name.as_str()))
    }

    fn publishers(&self) -> Result<Vec<String>, KeyError> {
        let dir = self.keys.join("publishers");
        let fail = |source| KeyError::File { doing: "read", path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fail(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(fail)?.file_name();
            names.extend(file.to_str().and_then(|f| f.strip_suffix(".cert.pem")).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open_authority(&self) -> Result<(Authority, CertificateFacts), ForgeError> {
        let files = self.authority();
        let certificate = read(&files.certificate)?.ok_or(KeyError::NoAuthority)?;
        let key = self.opened(AUTHORITY, &read(&files.key)?.ok_or(KeyError::NoAuthority)?)?;
        let der = pem_to_der(certificate.as_bytes())?;
        Ok((Authority::open(&der, &key)?, certificate_facts(&der)?))
    }

    fn trust_config(&self) -> Result<TrustConfig, ForgeError> {
        match read(&self.trust.join("trust.toml"))? {
            Some(text) => Ok(TrustConfig::parse(&text)?),
            None => Ok(TrustConfig::default()),
        }
    }
    fn write_trust(&self, trust: &TrustConfig) -> Result<(), KeyError> {
        let text = format!("# Written by `forgeone keys`; comments are not kept.\n{}", trust.to_toml());
        write(&self.trust.join("trust.toml"), text.as_bytes(), Existing::Replace)
    }

    fn recorded(&self, action: &str, name: &str, issued: &Issued) -> Result<(), ForgeError> {
        let fingerprint = Digest::of(&issued.der).to_string();
        self.record_change(action, name, &[("certificate", &fingerprint)])
    }
    fn record_change(&self, action: &str, name: &str, details: &[(&str, &str)]) -> Result<(), ForgeError> {
        self.record.as_ref().map_or(Ok(()), |record| record(action, name, details))
    }

    /// Keeps other processes from changing the same files.
    fn hold(&self) -> Result<File, KeyError> {
        make_dir(&self.keys)?;
        let path = self.keys.join(".lock");
        let held = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let held = held.and_then(|file| file.lock().map(|()| file));
        held.map_err(|source| KeyError::File { doing: "lock", path, source })
    }
}

/// The beginning of every identity an authority of this name issues.
fn prefix(name: &Name) -> String {
    format!("forgeone://{name}")
}

/// The same from the authority's certificate, whose common name is its name.
fn prefix_of(facts: &CertificateFacts) -> String {
    format!("forgeone://{}", common_name(facts))
}

/// The common name of a certificate made here, or the whole subject of another.
fn common_name(facts: &CertificateFacts) -> &str {
    let common = facts.subject.split(',').find_map(|part| part.trim().strip_prefix("CN="));
    common.unwrap_or(&facts.subject)
}

fn make_authority(name: &Name, development: bool) -> Result<Issued, ForgeError> {
    let not_before = (now()? / 1_000_000_000).saturating_sub(BACKDATED);
    let validity = Validity { not_before, not_after: not_before + AUTHORITY_DAYS * DAY };
    let spec = AuthoritySpec {
        name: name.as_str(),
        validity,
        algorithm: Algorithm::EcdsaP256Sha256,
        development,
        below: 0,
    };
    Ok(Authority::create(&spec)?.1)
}

fn issue(
    authority: &Authority,
    facts: &CertificateFacts,
    request: &IssueRequest,
    uri: &str,
    development: bool,
) -> Result<Issued, ForgeError> {
    let not_before = (now()? / 1_000_000_000).saturating_sub(BACKDATED).max(facts.not_before);
    let until = not_before + u64::from(request.days) * DAY;
    let issuer = prefix_of(facts);
    Ok(authority.issue(&LeafSpec {
        name: request.publisher.as_str(),
        uri,
        issuer: &issuer,
        validity: Validity { not_before, not_after: until.min(facts.not_after) },
        algorithm: request.algorithm,
        development,
    })?)
}

fn entry(request: &IssueRequest, uri: &str, development: bool) -> Result<PublisherEntry, KeyError> {
    let mut entry = PublisherEntry::new(request.publisher.clone(), uri);
    let pattern = |text: &String| text.parse::<NamePattern>().map_err(|_| KeyError::Pattern(text.clone()));
    entry.packages = request.packages.iter().map(pattern).collect::<Result<_, _>>()?;
    if development {
        entry.environments = vec![Environment::Staging, Environment::Development];
    }
    Ok(entry)
}

fn info(kind: KeyKind, files: &Files) -> Result<KeyInfo, ForgeError> {
    let certificate = read(&files.certificate)?;
    let certificate = certificate.ok_or_else(|| KeyError::NoKey(files.certificate.display().to_string()))?;
    let facts = certificate_facts(&pem_to_der(certificate.as_bytes())?)?;
    let key = read(&files.key)?;
    Ok(KeyInfo {
        kind,
        name: common_name(&facts).to_owned(),
        algorithm: facts.algorithm.map_or("unknown", Algorithm::name).to_owned(),
        identity: facts.uri,
        fingerprint: facts.fingerprint,
        serial: facts.serial,
        key: facts.key,
        not_before_ns: facts.not_before.saturating_mul(1_000_000_000),
        not_after_ns: facts.not_after.saturating_mul(1_000_000_000),
        development: facts.development,
        private_key: key.is_some(),
        protected: key.is_some_and(|text| is_protected(&text)),
    })
}

mod notary;
#[cfg(test)]
mod tests;

pub use notary::NotaryInfo;
