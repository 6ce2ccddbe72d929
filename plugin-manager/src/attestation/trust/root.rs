//! A trust configuration with its certificates: what a verification is judged by.

use super::TrustError;
use super::config::{
    CertificateSource, CrlPolicy, Environment, KillList, PublisherEntry, SignerEntry, TrustConfig,
};
use crate::attestation::certificate::{Cert, pem_to_der};
use crate::attestation::revocation::Crl;
use crate::attestation::timestamp::Chain;
use crate::attestation::tlog::LogKey;
use common::crypto::{Algorithm, Sha256};
use common::identity::Digest;
use pki_types::{CertificateDer, TrustAnchor};
use std::time::Duration;

/// Most revocation lists that are read.
const MAX_LISTS: usize = 256;

/// The files a trust configuration names, below its directory.
pub trait TrustFiles {
    /// The bytes of a file, if it can be read.
    fn read(&mut self, file: &str) -> Option<Vec<u8>>;
    /// The names of the files in a directory, none when it is not there; `None` when it cannot be read.
    fn list(&mut self, directory: &str) -> Option<Vec<String>>;
}

/// Files by name alone, in no directory.
struct ByName<F>(F);

impl<F: FnMut(&str) -> Option<Vec<u8>>> TrustFiles for ByName<F> {
    fn read(&mut self, file: &str) -> Option<Vec<u8>> {
        (self.0)(file)
    }
    fn list(&mut self, _: &str) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// An authority with its certificate.
#[derive(Debug, Clone)]
pub struct Anchor {
    name: String,
    uri_prefix: String,
    certificate: Cert,
    trust_anchor: TrustAnchor<'static>,
}

impl Anchor {
    /// The name in trust.toml.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The beginning of every identity it may issue, as it is written in trust.toml.
    pub fn uri_prefix(&self) -> &str {
        &self.uri_prefix
    }
    /// Whether it may issue this identity.
    pub fn may_issue(&self, uri: &str) -> bool {
        covers(&self.uri_prefix, uri)
    }
    pub(in crate::attestation) const fn certificate(&self) -> &Cert {
        &self.certificate
    }
    pub(in crate::attestation) const fn trust_anchor(&self) -> &TrustAnchor<'static> {
        &self.trust_anchor
    }
}

/// Whether a URI lies under a prefix. `…/acme` covers `…/acme/x` and neither `…/acme-evil` nor itself.
pub(super) fn covers(prefix: &str, uri: &str) -> bool {
    let rest = uri.strip_prefix(prefix.strip_suffix('/').unwrap_or(prefix)).and_then(|r| r.strip_prefix('/'));
    rest.is_some_and(|r| !r.is_empty())
}

/// What is trusted, complete and checked.
#[derive(Debug, Clone)]
pub struct TrustRoot {
    config: TrustConfig,
    anchors: Vec<Anchor>,
    intermediates: Vec<Cert>,
    /// The newest of each issuer first.
    lists: Vec<Crl>,
    timestamp_authorities: Vec<Chain>,
    logs: Vec<LogKey>,
    digest: Digest,
}

impl TrustRoot {
    /// Puts a configuration together with the files it names.
    ///
    /// # Errors
    /// When a file is missing, a certificate is not an authority's (CA, keyCertSign, accepted algorithm), or a
    /// revocation list cannot be read: nobody knows what it would have revoked.
    pub fn from_files(config: TrustConfig, mut files: impl TrustFiles) -> Result<Self, TrustError> {
        let lists = lists(&config.crl.directory, &mut files)?;
        let mut read = |file: &str| files.read(file);
        let mut anchors = Vec::new();
        for entry in &config.anchors {
            anchors.push(anchor(entry.name.as_str(), &entry.uri_prefix, &entry.source, &mut read)?);
        }
        let mut intermediates = Vec::new();
        for (i, source) in config.intermediates.iter().enumerate() {
            intermediates.push(authority(&format!("intermediate[{i}]"), source, &mut read)?);
        }
        let timestamp_authorities = timestamp_authorities(&config, &mut read)?;
        let digest = digest(&config, &anchors, &intermediates, &lists, &timestamp_authorities);
        let logs = config.notaries.logs.iter().map(|log| log.key()).collect();
        Ok(Self { config, anchors, intermediates, lists, timestamp_authorities, logs, digest })
    }

    /// [`TrustRoot::from_files`] without revocation lists: `read` gives a file's bytes, if it can be read.
    ///
    /// # Errors
    /// As [`TrustRoot::from_files`].
    pub fn new(config: TrustConfig, read: impl FnMut(&str) -> Option<Vec<u8>>) -> Result<Self, TrustError> {
        Self::from_files(config, ByName(read))
    }

    /// The authorities, in the order of the configuration.
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }
    pub(in crate::attestation) fn intermediates(&self) -> &[Cert] {
        &self.intermediates
    }
    /// The publisher with this URI identity.
    pub fn publisher(&self, uri: &str) -> Option<&PublisherEntry> {
        self.config.publishers.iter().find(|p| p.uri == uri)
    }
    /// Who counts beside this publisher when its signers are counted.
    pub fn signers_of<'a>(&'a self, publisher: &'a PublisherEntry) -> impl Iterator<Item = &'a SignerEntry> {
        self.config.signers_of(publisher)
    }
    /// The configuration it was made of.
    pub const fn config(&self) -> &TrustConfig {
        &self.config
    }
    pub(in crate::attestation) fn lists(&self) -> &[Crl] {
        &self.lists
    }
    /// How revocation is asked for.
    pub const fn crl(&self) -> &CrlPolicy {
        &self.config.crl
    }
    /// How many revocation lists there are.
    pub fn revocation_lists(&self) -> usize {
        self.lists.len()
    }
    pub(in crate::attestation) fn timestamp_authorities(&self) -> &[Chain] {
        &self.timestamp_authorities
    }
    pub(in crate::attestation) fn logs(&self) -> &[LogKey] {
        &self.logs
    }
    /// What is refused whoever signed it.
    pub const fn kill_list(&self) -> &KillList {
        &self.config.kill
    }
    /// The algorithms accepted.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.config.algorithms
    }
    /// How far validity is stretched.
    pub const fn clock_skew(&self) -> Duration {
        self.config.clock_skew
    }
    /// Most certificates in a path.
    pub const fn max_chain(&self) -> usize {
        self.config.max_chain
    }
    /// The strictness it demands.
    pub const fn mode(&self) -> Option<Environment> {
        self.config.mode
    }
    /// Names this configuration with its certificates in records.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

fn anchor(
    name: &str,
    uri_prefix: &str,
    source: &CertificateSource,
    read: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Anchor, TrustError> {
    let certificate = authority(name, source, read)?;
    let der = CertificateDer::from(certificate.der());
    let trust_anchor = webpki::anchor_from_trusted_cert(&der).map_err(|e| TrustError::Certificate {
        entry: name.to_owned(),
        source: Box::new(crate::attestation::certificate::bad(e.to_string())),
    })?;
    let trust_anchor = trust_anchor.to_owned();
    Ok(Anchor { name: name.to_owned(), uri_prefix: uri_prefix.to_owned(), certificate, trust_anchor })
}

fn authority(
    entry: &str,
    source: &CertificateSource,
    read: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Cert, TrustError> {
    let pem = text(source, read)?;
    let usable = || {
        let cert = Cert::parse(&pem_to_der(&pem)?)?;
        cert.public_key()?;
        cert.check_authority()?;
        Ok(cert)
    };
    usable().map_err(|source| TrustError::Certificate { entry: entry.to_owned(), source: Box::new(source) })
}

fn text(
    source: &CertificateSource,
    read: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, TrustError> {
    match source {
        CertificateSource::File(file) => read(file).ok_or_else(|| TrustError::Missing { file: file.clone() }),
        CertificateSource::Pem(text) => Ok(text.clone().into_bytes()),
    }
}

fn timestamp_authorities(
    config: &TrustConfig,
    read: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Chain>, TrustError> {
    let mut chains = Vec::new();
    for entry in &config.notaries.timestamp_authorities {
        let chain = Chain::parse(&text(&entry.source, read)?);
        chains.push(chain.map_err(|source| TrustError::Certificate {
            entry: entry.name.to_string(),
            source: Box::new(source),
        })?);
    }
    Ok(chains)
}

/// The lists of a directory: every file whose name ends as one.
fn lists(directory: &str, files: &mut impl TrustFiles) -> Result<Vec<Crl>, TrustError> {
    let fail = |file: &str, problem: String| TrustError::Crl { file: file.to_owned(), problem };
    let names = files.list(directory).ok_or_else(|| fail(directory, "it cannot be read".to_owned()))?;
    let is_list = |name: &String| [".pem", ".crl", ".der"].iter().any(|end| name.ends_with(end));
    let mut lists = Vec::new();
    for name in names.into_iter().filter(is_list) {
        let file = format!("{directory}/{name}");
        if lists.len() == MAX_LISTS {
            return Err(fail(directory, format!("it has more than {MAX_LISTS} lists")));
        }
        let bytes = files.read(&file).ok_or_else(|| fail(&file, "it cannot be read".to_owned()))?;
        lists.push(Crl::parse(&bytes).map_err(|problem| fail(&file, problem))?);
    }
    lists.sort_by_key(|list: &Crl| (std::cmp::Reverse(list.this_update()), list.digest()));
    Ok(lists)
}

/// Over the canonical text and the fingerprint of each certificate and list.
fn digest(
    config: &TrustConfig,
    anchors: &[Anchor],
    intermediates: &[Cert],
    lists: &[Crl],
    times: &[Chain],
) -> Digest {
    let mut hash = Sha256::new();
    hash.update(Digest::of(config.to_toml().as_bytes()).as_bytes());
    let certificates = anchors.iter().map(|a| &a.certificate).chain(intermediates);
    let certificates = certificates.chain(times.iter().flat_map(Chain::certificates));
    certificates.for_each(|c| hash.update(c.fingerprint().as_bytes()));
    lists.iter().for_each(|list| hash.update(list.digest().as_bytes()));
    hash.finish()
}
