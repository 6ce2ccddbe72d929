//! Step 7: a path from the leaf to an anchor, valid at the given time, with every issuer fit to issue.

use super::certificate::{Cert, bad};
use super::error::AttestationError;
use super::revocation::{self, Revocation};
use super::trust::{Anchor, TrustRoot};
use common::crypto::Algorithm;
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, Error, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

/// id-kp-codeSigning, the content of its DER encoding.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];

/// When a path is judged, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// When a trusted authority saw the signature: validity is judged at that time.
    pub(super) stamped: Option<u64>,
    /// The time now: revocation is judged at it, and validity when there is no timestamp.
    pub(super) now: u64,
}

impl Moment {
    fn validity(self) -> u64 {
        self.stamped.unwrap_or(self.now)
    }
}

impl From<u64> for Moment {
    fn from(now: u64) -> Self {
        Self { stamped: None, now }
    }
}

/// A path that holds.
#[derive(Debug)]
pub(super) struct Path<'t> {
    /// The authority it ends at.
    pub(super) anchor: &'t Anchor,
    /// Certificates between leaf and anchor, from the leaf up.
    pub(super) intermediates: Vec<Cert>,
    /// What revocation lists say of it.
    pub(super) revocation: Revocation,
    /// When it was judged.
    moment: Moment,
}

impl Path<'_> {
    /// Seconds since 1970 up to which it holds, unless the trust configuration changes.
    pub(super) fn until(&self, leaf: &Cert, skew: u64) -> u64 {
        if self.moment.stamped.is_some() {
            return self.revocation.until;
        }
        let above = self.intermediates.iter().chain([self.anchor.certificate()]);
        let valid = above.chain([leaf]).map(Cert::not_after).min().unwrap_or(0);
        valid.saturating_add(skew).min(self.revocation.until)
    }

    /// Whether any certificate above the leaf was made for development.
    pub(super) fn development(&self) -> bool {
        self.anchor.certificate().development() || self.intermediates.iter().any(Cert::development)
    }
}

/// Every anchor to which the leaf has a path that holds, in the order of the trust configuration.
///
/// Each anchor is tried by itself, so that the caller can choose the one whose prefix covers the identity.
pub(super) fn paths<'t>(
    leaf: &Cert,
    trust: &'t TrustRoot,
    moment: impl Into<Moment>,
) -> Result<Vec<Path<'t>>, AttestationError> {
    let moment = moment.into();
    let mut found = Vec::new();
    let mut worst = None;
    for anchor in trust.anchors() {
        match within_skew(leaf, anchor, trust, moment) {
            Ok(path) => found.push(path),
            Err(AttestationError::UnknownIssuer { .. }) => {}
            Err(error) => worst = worst.or(Some(error)),
        }
    }
    if found.is_empty() {
        return Err(worst.unwrap_or_else(|| AttestationError::UnknownIssuer { subject: leaf.subject() }));
    }
    Ok(found)
}

/// The path at `now`, or at the ends of the clock skew the trust configuration allows.
fn within_skew<'t>(
    leaf: &Cert,
    anchor: &'t Anchor,
    trust: &'t TrustRoot,
    moment: Moment,
) -> Result<Path<'t>, AttestationError> {
    let skew = trust.clock_skew().as_secs();
    let at = moment.validity();
    let at_now = path(leaf, anchor, trust, moment, at);
    match at_now {
        Err(AttestationError::Expired { .. }) if skew > 0 => {
            path(leaf, anchor, trust, moment, at.saturating_sub(skew)).or(at_now)
        }
        Err(AttestationError::NotYetValid { .. }) if skew > 0 => {
            path(leaf, anchor, trust, moment, at.saturating_add(skew)).or(at_now)
        }
        _ => at_now,
    }
}

fn path<'t>(
    leaf: &Cert,
    anchor: &'t Anchor,
    trust: &'t TrustRoot,
    moment: Moment,
    at: u64,
) -> Result<Path<'t>, AttestationError> {
    let der = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&der).map_err(|e| refused(leaf, e))?;
    let anchors = [anchor.trust_anchor().clone()];
    let pool: Vec<CertificateDer<'_>> =
        trust.intermediates().iter().map(|c| CertificateDer::from(c.der())).collect();
    let lists: Vec<&CertRevocationList<'_>> = trust.lists().iter().map(|crl| crl.list()).collect();
    let unknown = if trust.crl().required { UnknownStatusPolicy::Deny } else { UnknownStatusPolicy::Allow };
    // Lists that have run out still name what they name; how old they may be is asked below.
    let options = RevocationOptionsBuilder::new(&lists)
        .ok()
        .map(|options| options.with_depth(RevocationCheckDepth::Chain).with_status_policy(unknown).build());
    let verified = end_entity
        .verify_for_usage(
            &algorithms(trust),
            &anchors,
            &pool,
            UnixTime::since_unix_epoch(Duration::from_secs(at)),
            KeyUsage::required(CODE_SIGNING),
            options,
            None,
        )
        .map_err(|e| refused_at(leaf, trust, e, at))?;
    let intermediates =
        verified.intermediate_certificates().map(|c| Cert::parse(&c.der())).collect::<Result<Vec<_>, _>>()?;
    // What path building does not ask: keyCertSign of every issuer, and of the anchor its validity and path length.
    intermediates.iter().try_for_each(|c| c.check_authority().map(|_| ()))?;
    let below = anchor.certificate().check_authority()?;
    anchor.certificate().valid_at(at)?;
    let too_long = below.is_some_and(|most| intermediates.len() > usize::from(most));
    if too_long || intermediates.len() + 2 > trust.max_chain() {
        return Err(AttestationError::ChainLength { subject: leaf.subject() });
    }
    let revocation = revocation::current(
        std::iter::once(leaf).chain(&intermediates),
        trust.lists(),
        trust.crl(),
        // A list is as old as it is: with a timestamp too, what was revoked since is refused.
        now_of(moment, at),
        trust.clock_skew().as_secs(),
    )?;
    Ok(Path { anchor, intermediates, revocation, moment })
}

/// The time revocation is judged at: now, or with no timestamp the end of the clock skew that is tried.
fn now_of(moment: Moment, at: u64) -> u64 {
    if moment.stamped.is_some() { moment.now } else { at }
}

fn algorithms(trust: &TrustRoot) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    let known = |a: &Algorithm| match a {
        Algorithm::EcdsaP256Sha256 => webpki::ring::ECDSA_P256_SHA256,
        Algorithm::Ed25519 => webpki::ring::ED25519,
    };
    trust.algorithms().iter().map(known).collect()
}

/// An expired issuer is named, not the leaf: path building does not say whose validity it was.
fn refused_at(leaf: &Cert, trust: &TrustRoot, error: Error, now: u64) -> AttestationError {
    if matches!(error, Error::CertExpired { .. } | Error::CertNotValidYet { .. }) {
        let issuers = trust.intermediates().iter().map(|c| c.valid_at(now));
        if let Some(Err(named)) = std::iter::once(leaf.valid_at(now)).chain(issuers).find(Result::is_err) {
            return named;
        }
    }
    refused(leaf, error)
}

fn refused(leaf: &Cert, error: Error) -> AttestationError {
    let subject = leaf.subject();
    let at = |time: UnixTime| super::time::rfc3339(time.as_secs());
    match error {
        // A signature that does not fit means that another authority of the same name issued it.
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            AttestationError::UnknownIssuer { subject }
        }
        Error::CertExpired { not_after, .. } => AttestationError::Expired { subject, at: at(not_after) },
        Error::CertNotValidYet { not_before, .. } => {
            AttestationError::NotYetValid { subject, at: at(not_before) }
        }
        Error::CertRevoked => AttestationError::Revoked { subject },
        Error::UnknownRevocationStatus => AttestationError::RevocationUnknown {
            subject,
            how: "an issuer of its path has no list".to_owned(),
        },
        Error::InvalidCrlSignatureForPublicKey => AttestationError::RevocationUnknown {
            subject,
            how: "the list is not signed by the issuer whose name it bears".to_owned(),
        },
        Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | Error::UnsupportedRevocationReason => {
            AttestationError::RevocationUnknown { subject, how: format!("the list cannot be used: {error}") }
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            AttestationError::Purpose { subject }
        }
        Error::CaUsedAsEndEntity => {
            AttestationError::KeyUsage { subject, how: "is an authority's and cannot sign packages" }
        }
        Error::EndEntityUsedAsCa => {
            AttestationError::KeyUsage { subject, how: "was issued by one who is no authority" }
        }
        Error::NameConstraintViolation | Error::MalformedNameConstraint => {
            AttestationError::NameConstraint { subject }
        }
        Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => {
            AttestationError::ChainLength { subject }
        }
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => AttestationError::PathSearch { subject },
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Error::SignatureAlgorithmMismatch => AttestationError::NotAccepted {
            what: format!("the signature algorithm in the path of {subject}"),
        },
        other => bad(format!("in the path of {subject}: {other}")),
    }
}
