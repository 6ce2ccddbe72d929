//! Revocation lists: read once, asked about each certificate of a path. What they could not say is told.

use super::certificate::Cert;
use super::der::whole_lengths;
use super::error::AttestationError;
use super::time::rfc3339;
use super::trust::CrlPolicy;
use common::identity::Digest;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;
use x509_cert::name::Name;

/// Bytes of the largest list that is read: about 20,000 certificates.
const MAX_LIST: usize = 1 << 20;

/// A list of the right shape. Its signature is checked when it is asked about a certificate, with that one's issuer's
/// key.
#[derive(Debug, Clone)]
pub(super) struct Crl {
    list: std::sync::Arc<CertRevocationList<'static>>,
    issuer: Name,
    this_update: u64,
    next_update: Option<u64>,
    digest: Digest,
}

impl Crl {
    /// From DER, or from a PEM text with one block.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_LIST {
            return Err(format!("it is longer than {MAX_LIST} bytes"));
        }
        let der = match bytes.starts_with(b"-----") {
            true => block(bytes)?,
            false => bytes.to_vec(),
        };
        whole_lengths(&der).map_err(|e| e.to_string())?;
        let parsed =
            CertificateList::from_der(&der).map_err(|e| format!("it is not DER: {e}"))?.tbs_cert_list;
        let list = OwnedCertRevocationList::from_der(&der).map_err(|e| format!("it is not one: {e}"))?;
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        Ok(Self {
            list: std::sync::Arc::new(CertRevocationList::Owned(list)),
            issuer: parsed.issuer,
            this_update: seconds(parsed.this_update),
            next_update: parsed.next_update.map(seconds),
            digest: Digest::of(&der),
        })
    }

    pub(super) const fn digest(&self) -> Digest {
        self.digest
    }
    pub(super) const fn this_update(&self) -> u64 {
        self.this_update
    }
    pub(super) const fn next_update(&self) -> Option<u64> {
        self.next_update
    }
    pub(super) fn issuer_name(&self) -> String {
        self.issuer.to_string()
    }
    pub(super) fn list(&self) -> &CertRevocationList<'static> {
        &self.list
    }

    /// Seconds since 1970 up to which it is believed.
    fn until(&self, policy: &CrlPolicy) -> u64 {
        let aged = policy.max_age.map_or(u64::MAX, |age| self.this_update.saturating_add(age.as_secs()));
        self.next_update.unwrap_or(u64::MAX).min(aged)
    }
}

/// What a list names, with the times. Nothing about it is proven.
///
/// # Errors
/// Why the bytes are no list.
#[cfg(any(test, feature = "authority"))]
pub fn revoked_in(bytes: &[u8]) -> Result<Vec<super::authority::Revoked>, String> {
    Crl::parse(bytes)?;
    let der = if bytes.starts_with(b"-----") { block(bytes)? } else { bytes.to_vec() };
    let list = CertificateList::from_der(&der).map_err(|e| format!("it is not DER: {e}"))?.tbs_cert_list;
    let entry = |entry: x509_cert::crl::RevokedCert| {
        let number = entry.serial_number.as_bytes();
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        super::authority::Revoked {
            serial: number.get(zeros..).unwrap_or_default().to_vec(),
            at: entry.revocation_date.to_unix_duration().as_secs(),
        }
    };
    Ok(list.revoked_certificates.into_iter().flatten().map(entry).collect())
}

fn block(text: &[u8]) -> Result<Vec<u8>, String> {
    let blocks = pem::parse_many(text).map_err(|e| format!("it is not PEM: {e}"))?;
    match blocks.as_slice() {
        [one] if one.tag() == "X509 CRL" => Ok(one.contents().to_vec()),
        _ => Err("it is not one PEM block \"X509 CRL\"".to_owned()),
    }
}

/// What the lists say of a path none of whose certificates they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revocation {
    /// Seconds since 1970 up to which that holds.
    pub(super) until: u64,
    /// What they could not say, for the evidence.
    pub(super) note: String,
}

/// How current the lists of these certificates' issuers are. `lists` has the newest of each issuer first.
///
/// # Errors
/// E1305 and E1306 when lists are required and one is not there, has run out, or is of the future.
pub(super) fn current<'c>(
    certificates: impl Iterator<Item = &'c Cert>,
    lists: &[Crl],
    policy: &CrlPolicy,
    now: u64,
    skew: u64,
) -> Result<Revocation, AttestationError> {
    let (mut until, mut notes) = (u64::MAX, Vec::new());
    for cert in certificates {
        let subject = cert.subject();
        let Some(list) = lists.iter().find(|list| list.issuer == *cert.raw_issuer()) else {
            if policy.required {
                return Err(AttestationError::RevocationUnknown {
                    subject,
                    how: "its issuer has no list".to_owned(),
                });
            }
            notes.push(format!("no revocation list for {subject}"));
            continue;
        };
        let early = list.this_update > now.saturating_add(skew);
        let last = list.until(policy);
        if !early && now <= last.saturating_add(skew) {
            // A list that is not required is not what a proof ends with.
            until = if policy.required { until.min(last.saturating_add(skew)) } else { until };
            continue;
        }
        let at = rfc3339(if early { list.this_update } else { last });
        if policy.required {
            return Err(AttestationError::StaleList { subject, early, at });
        }
        notes.push(format!("the revocation list for {subject} is not current ({at})"));
    }
    let note = match notes.is_empty() {
        true => "not revoked".to_owned(),
        false => notes.join(", "),
    };
    Ok(Revocation { until, note })
}
