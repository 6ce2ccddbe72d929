//! What the trust configuration says of a certificate and of what it signed. No bytes of the package are needed, so
//! that it can be asked again.

use super::certificate::Cert;
use super::chain::Path;
use super::error::AttestationError;
use super::trust::{Environment, PublisherEntry, TrustRoot};
use crate::loader::{Manifest, Package};
use common::identity::Digest;
use common::permission::Capability;

pub(super) type Checked<T> = Result<T, AttestationError>;

/// What a package says and is made of, without its bytes.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) manifest: Manifest,
    pub(super) package: Digest,
    pub(super) files: Vec<(String, Digest)>,
}

impl Content {
    pub(super) fn of(package: &Package) -> Self {
        Self {
            manifest: package.manifest().clone(),
            package: package.digest(),
            files: package.contents().map(|(name, file)| (name.to_owned(), file.digest())).collect(),
        }
    }
}

/// Step 6, as far as it is the trust configuration's: the algorithm is one of those accepted.
pub(super) fn accepted(leaf: &Cert, trust: &TrustRoot) -> Checked<()> {
    let algorithm = leaf.public_key()?.algorithm();
    match trust.algorithms().contains(&algorithm) {
        true => Ok(()),
        false => Err(AttestationError::NotAccepted { what: format!("the algorithm {}", algorithm.name()) }),
    }
}

/// Step 8: the URI lies under the prefix of an anchor it has a path to, and is a publisher trusted here.
pub(super) fn identity<'t, 'p>(
    leaf: &Cert,
    paths: &'p [Path<'t>],
    trust: &'t TrustRoot,
    environment: Environment,
) -> Checked<(&'t PublisherEntry, &'p Path<'t>)> {
    let uri = leaf.uri()?;
    let path = issued_by(&uri, paths)?;
    let Some(publisher) = trust.publisher(&uri) else {
        return Err(AttestationError::Publisher { uri, scope: String::new() });
    };
    if !publisher.environments.contains(&environment) {
        return Err(AttestationError::Publisher { uri, scope: format!(" for {}", environment.name()) });
    }
    lasting(leaf, path, environment)?;
    Ok((publisher, path))
}

/// The path to an anchor that may issue this identity.
pub(super) fn issued_by<'t, 'p>(uri: &str, paths: &'p [Path<'t>]) -> Checked<&'p Path<'t>> {
    let path = paths.iter().find(|p| p.anchor.may_issue(uri));
    path.ok_or_else(|| AttestationError::Identity {
        uri: uri.to_owned(),
        anchor: paths.first().map_or_else(String::new, |p| p.anchor.name().to_owned()),
    })
}

/// Production takes no certificate made for development.
pub(super) fn lasting(leaf: &Cert, path: &Path<'_>, environment: Environment) -> Checked<()> {
    if environment == Environment::Production && (leaf.development() || path.development()) {
        return Err(AttestationError::Development { subject: leaf.subject(), environment });
    }
    Ok(())
}

/// Step 12, and of step 14 the publisher's ceiling.
pub(super) fn allowed(
    content: &Content,
    publisher: &PublisherEntry,
    leaf: &Cert,
    path: &Path<'_>,
    trust: &TrustRoot,
) -> Checked<()> {
    let m = &content.manifest;
    if m.publisher != publisher.name {
        let (manifest, signer) = (m.publisher.clone(), publisher.name.clone());
        return Err(AttestationError::OtherPublisher { manifest, signer });
    }
    if !publisher.packages.iter().any(|p| p.matches(&m.name)) {
        return Err(AttestationError::Namespace { publisher: publisher.name.clone(), name: m.name.clone() });
    }
    if let Some(minimum) = publisher.min_version.get(&m.name).filter(|min| m.version < **min) {
        return Err(AttestationError::Rollback {
            publisher: publisher.name.clone(),
            name: m.name.clone(),
            version: m.version.clone(),
            minimum: minimum.clone(),
        });
    }
    content_alive(content, trust)?;
    path_alive(leaf, path, trust)?;
    under_ceiling(m, publisher)
}

/// No file of the package, nor the whole of it, is on the kill-list.
pub(super) fn content_alive(content: &Content, trust: &TrustRoot) -> Checked<()> {
    let killed = &trust.kill_list().digests;
    let own = ("the package".to_owned(), content.package);
    let mut all = std::iter::once(&own).chain(&content.files);
    match all.find(|(_, digest)| killed.contains(digest)) {
        Some((what, digest)) => Err(AttestationError::Killed { what: format!("{what} ({digest})") }),
        None => Ok(()),
    }
}

/// No certificate of the path is on the kill-list.
pub(super) fn path_alive(leaf: &Cert, path: &Path<'_>, trust: &TrustRoot) -> Checked<()> {
    let all = std::iter::once(leaf).chain(&path.intermediates).chain([path.anchor.certificate()]);
    all.into_iter().try_for_each(|c| alive(c, trust))
}

/// Neither the serial nor the key of a certificate is on the kill-list.
fn alive(cert: &Cert, trust: &TrustRoot) -> Checked<()> {
    let kill = trust.kill_list();
    if kill.serials.contains(&cert.serial()) {
        return Err(AttestationError::Killed { what: format!("the certificate {}", cert.serial()) });
    }
    let key = cert.key_digest();
    match kill.keys.contains(&key) {
        true => Err(AttestationError::Killed { what: format!("the key {key} of {}", cert.subject()) }),
        false => Ok(()),
    }
}

fn under_ceiling(manifest: &Manifest, publisher: &PublisherEntry) -> Checked<()> {
    let Some(ceiling) = &publisher.max_permissions else { return Ok(()) };
    // A plugin's own configuration is granted to every plugin.
    let beyond = |c: &Capability| *c != Capability::ConfigRead && !ceiling.contains(c);
    let beyond = manifest.permissions.iter().filter(|p| beyond(&p.capability));
    let beyond: Vec<String> = beyond.map(ToString::to_string).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(AttestationError::Ceiling {
        publisher: publisher.name.clone(),
        name: manifest.name.clone(),
        permissions: beyond.join(", "),
    })
}
