//! One certificate, strictly: what path building does not look at is checked here.

use super::der::whole_lengths;
use super::error::AttestationError;
use super::time::rfc3339;
use crate::loader::document::clip;
use common::crypto::{Algorithm, PublicKey};
use common::identity::Digest;
use std::collections::BTreeSet;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

/// Largest certificate read, in bytes.
pub(super) const MAX_CERTIFICATE: usize = 16 << 10;
/// Longest URI identity.
const MAX_URI: usize = 1024;

/// The organisational unit in the subject of certificates made for development. Production refuses them.
pub const DEVELOPMENT_UNIT: &str = "ForgeOne development";

const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// basicConstraints, keyUsage, extendedKeyUsage, subjectAltName: the extensions a leaf may mark critical.
const UNDERSTOOD: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
];

/// A certificate that was decoded without a rest.
#[derive(Debug, Clone)]
pub(super) struct Cert {
    der: Vec<u8>,
    parsed: Certificate,
}

/// What a certificate says of itself, for people and records. Proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// The subject, as RFC 4514 text.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// The serial number in lower-case hexadecimal, as kill-lists name it.
    pub serial: String,
    /// The SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// The SHA-256 of its public key, as subjectPublicKeyInfo.
    pub key: Digest,
    /// The algorithm of its key, when it is one accepted here.
    pub algorithm: Option<Algorithm>,
    /// Seconds since 1970 from which it is valid.
    pub not_before: u64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: u64,
    /// Its URI identity, when it has exactly one.
    pub uri: Option<String>,
    /// Whether it may issue certificates.
    pub authority: bool,
    /// Whether it is marked as made for development.
    pub development: bool,
}

/// Reads a certificate to show it.
///
/// # Errors
/// When the bytes are not one DER certificate of at most 16 KiB.
pub fn certificate_facts(der: &[u8]) -> Result<CertificateFacts, AttestationError> {
    Ok(Cert::parse(der)?.facts())
}

/// The DER certificate in a PEM text that holds exactly one.
///
/// # Errors
/// When it holds another number of blocks, or a block of another kind.
pub fn pem_to_der(text: &[u8]) -> Result<Vec<u8>, AttestationError> {
    let blocks = pem::parse_many(text).map_err(|e| bad(format!("not PEM: {e}")))?;
    match blocks.as_slice() {
        [one] if one.tag() == "CERTIFICATE" => Ok(one.contents().to_vec()),
        [one] => Err(bad(format!("the PEM block is \"{}\", not a certificate", clip(one.tag())))),
        _ => Err(bad(format!("the file has {} PEM blocks, not one", blocks.len()))),
    }
}

/// The DER certificates of a PEM text, in its order.
pub(super) fn pems_to_der(text: &[u8]) -> Result<Vec<Vec<u8>>, AttestationError> {
    let blocks = pem::parse_many(text).map_err(|e| bad(format!("not PEM: {e}")))?;
    match blocks.iter().find(|block| block.tag() != "CERTIFICATE") {
        Some(other) => Err(bad(format!("a PEM block is \"{}\", not a certificate", clip(other.tag())))),
        None => Ok(blocks.into_iter().map(pem::Pem::into_contents).collect()),
    }
}

pub(super) fn bad(problem: impl Into<String>) -> AttestationError {
    AttestationError::Certificate { problem: problem.into() }
}

impl Cert {
    pub(super) fn parse(der: &[u8]) -> Result<Self, AttestationError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(bad(format!("longer than {MAX_CERTIFICATE} bytes")));
        }
        whole_lengths(der)?;
        let parsed = Certificate::from_der(der).map_err(|e| bad(format!("not DER: {e}")))?;
        let cert = Self { der: der.to_vec(), parsed };
        cert.each_extension_once()?;
        Ok(cert)
    }

    fn each_extension_once(&self) -> Result<(), AttestationError> {
        let mut seen = BTreeSet::new();
        for extension in self.parsed.tbs_certificate.extensions.iter().flatten() {
            if !seen.insert(extension.extn_id) {
                return Err(bad(format!("the extension {} is there twice", extension.extn_id)));
            }
        }
        Ok(())
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }
    pub(super) fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }
    /// The SHA-256 of the subjectPublicKeyInfo.
    pub(super) fn key_digest(&self) -> Digest {
        // What was decoded from DER encodes again; an empty encoding would match no kill-list entry.
        Digest::of(&self.parsed.tbs_certificate.subject_public_key_info.to_der().unwrap_or_default())
    }
    /// The number itself: DER puts a zero before one whose first bit is set, and no tool shows that zero.
    pub(super) fn serial(&self) -> String {
        let bytes = self.parsed.tbs_certificate.serial_number.as_bytes();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        plain_serial(&hex).to_owned()
    }
    pub(super) fn subject(&self) -> String {
        clip(&self.parsed.tbs_certificate.subject.to_string())
    }
    pub(super) fn not_before(&self) -> u64 {
        self.parsed.tbs_certificate.validity.not_before.to_unix_duration().as_secs()
    }
    pub(super) fn not_after(&self) -> u64 {
        self.parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
    }
    pub(super) fn raw_subject(&self) -> &x509_cert::name::RdnSequence {
        &self.parsed.tbs_certificate.subject
    }
    pub(super) fn raw_issuer(&self) -> &x509_cert::name::RdnSequence {
        &self.parsed.tbs_certificate.issuer
    }
    pub(super) fn raw_serial(&self) -> &x509_cert::serial_number::SerialNumber {
        &self.parsed.tbs_certificate.serial_number
    }
    pub(super) const fn parsed(&self) -> &Certificate {
        &self.parsed
    }
    pub(super) fn subject_key_id(&self) -> Option<Vec<u8>> {
        let found = self.extension::<x509_cert::ext::pkix::SubjectKeyIdentifier>("subjectKeyIdentifier");
        found.ok().flatten().map(|id| id.0.as_bytes().to_vec())
    }

    /// Checks the validity at a time, in seconds since 1970.
    pub(super) fn valid_at(&self, now: u64) -> Result<(), AttestationError> {
        if now < self.not_before() {
            return Err(AttestationError::NotYetValid {
                subject: self.subject(),
                at: rfc3339(self.not_before()),
            });
        }
        if now > self.not_after() {
            return Err(AttestationError::Expired { subject: self.subject(), at: rfc3339(self.not_after()) });
        }
        Ok(())
    }

    /// Its key, when it is of an accepted algorithm.
    pub(super) fn public_key(&self) -> Result<PublicKey, AttestationError> {
        let info = &self.parsed.tbs_certificate.subject_public_key_info;
        let curve =
            || info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        let algorithm = match info.algorithm.oid {
            ED25519 if info.algorithm.parameters.is_none() => Algorithm::Ed25519,
            EC_KEY if curve() == Some(P256) => Algorithm::EcdsaP256Sha256,
            other => {
                return Err(AttestationError::NotAccepted {
                    what: format!("a key of the algorithm {other}"),
                });
            }
        };
        let raw = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| bad("the key is not a whole number of bytes"))?;
        if algorithm == Algorithm::Ed25519 && small_order(raw) {
            return Err(bad("the Ed25519 key is of small order, so that it would match any message"));
        }
        PublicKey::from_raw(algorithm, raw)
            .map_err(|_| bad("the key has another length than its algorithm's"))
    }

    /// Whether its subject carries the mark of development.
    pub(super) fn development(&self) -> bool {
        let attributes = self.parsed.tbs_certificate.subject.0.iter().flat_map(|rdn| rdn.0.iter());
        attributes.filter(|a| a.oid == UNIT).any(|a| text(&a.value) == Some(DEVELOPMENT_UNIT))
    }

    fn extension<'a, T>(&'a self, name: &str) -> Result<Option<T>, AttestationError>
    where
        T: Decode<'a> + x509_cert::der::oid::AssociatedOid,
    {
        let tbs = &self.parsed.tbs_certificate;
        let values = tbs.extensions.iter().flatten().filter(|e| e.extn_id == T::OID);
        values.into_iter().try_for_each(|e| whole_lengths(e.extn_value.as_bytes()))?;
        let found = tbs.get::<T>().map_err(|e| bad(format!("{name}: {e}")))?;
        Ok(found.map(|(_critical, value)| value))
    }

    fn constraints(&self) -> Result<Option<BasicConstraints>, AttestationError> {
        self.extension("basicConstraints")
    }

    fn unfit(&self, how: &'static str) -> AttestationError {
        AttestationError::KeyUsage { subject: self.subject(), how }
    }

    /// Step 6: what a leaf must and must not say.
    pub(super) fn check_leaf(&self) -> Result<(), AttestationError> {
        self.critical_is_understood()?;
        match self.extension::<KeyUsage>("keyUsage")? {
            Some(usage) if usage.digital_signature() => {}
            _ => return Err(self.unfit("does not allow digital signatures")),
        }
        match self.extension::<ExtendedKeyUsage>("extendedKeyUsage")? {
            Some(usages) if usages.0.contains(&CODE_SIGNING) => {}
            _ => return Err(AttestationError::Purpose { subject: self.subject() }),
        }
        if self.constraints()?.is_some_and(|c| c.ca) {
            return Err(self.unfit("is an authority's and cannot sign packages"));
        }
        Ok(())
    }

    /// What the certificate of a timestamp authority must and must not say (RFC 3161, 2.3).
    pub(super) fn check_timestamper(&self) -> Result<(), AttestationError> {
        self.critical_is_understood()?;
        match self.extension::<ExtendedKeyUsage>("extendedKeyUsage")? {
            Some(usages) if usages.0 == [TIME_STAMPING] => {}
            _ => return Err(self.unfit("is not for timestamps alone")),
        }
        match self.constraints()?.is_some_and(|c| c.ca) {
            true => Err(self.unfit("is an authority's and cannot sign timestamps")),
            false => Ok(()),
        }
    }

    fn critical_is_understood(&self) -> Result<(), AttestationError> {
        let extensions = self.parsed.tbs_certificate.extensions.iter().flatten();
        match extensions.into_iter().find(|e| e.critical && !UNDERSTOOD.contains(&e.extn_id)) {
            Some(e) => Err(bad(format!("the critical extension {} is not known", e.extn_id))),
            None => Ok(()),
        }
    }

    /// Part of step 7: what path building does not ask of an issuer. Gives the path length it allows below it.
    pub(super) fn check_authority(&self) -> Result<Option<u8>, AttestationError> {
        let constraints = self.constraints()?.filter(|c| c.ca);
        let constraints = constraints.ok_or_else(|| self.unfit("is not an authority's"))?;
        match self.extension::<KeyUsage>("keyUsage")? {
            Some(usage) if usage.key_cert_sign() => Ok(constraints.path_len_constraint),
            _ => Err(self.unfit("does not allow certificates to be signed")),
        }
    }

    /// Whether it may sign revocation lists.
    #[cfg(any(test, feature = "authority"))]
    pub(super) fn check_list_signer(&self) -> Result<(), AttestationError> {
        match self.extension::<KeyUsage>("keyUsage")? {
            Some(usage) if usage.crl_sign() => Ok(()),
            _ => Err(self.unfit("does not allow revocation lists to be signed")),
        }
    }

    /// Step 8: the one URI that names the publisher.
    pub(super) fn uri(&self) -> Result<String, AttestationError> {
        let names = self.extension::<SubjectAltName>("subjectAltName")?;
        let names = names.map_or_else(Vec::new, |san| san.0);
        let [GeneralName::UniformResourceIdentifier(uri)] = names.as_slice() else {
            return Err(bad("the subject alternative name is not exactly one URI"));
        };
        let text = uri.to_string();
        if text.len() > MAX_URI || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("the URI identity is too long or not plain text"));
        }
        Ok(text)
    }

    pub(super) fn facts(&self) -> CertificateFacts {
        CertificateFacts {
            subject: self.subject(),
            issuer: clip(&self.parsed.tbs_certificate.issuer.to_string()),
            serial: self.serial(),
            fingerprint: self.fingerprint(),
            key: self.key_digest(),
            algorithm: self.public_key().ok().map(|k| k.algorithm()),
            not_before: self.not_before(),
            not_after: self.not_after(),
            uri: self.uri().ok(),
            authority: self.constraints().ok().flatten().is_some_and(|c| c.ca),
            development: self.development(),
        }
    }
}

/// Whether an Ed25519 key is one of the points for which a signature of any message can be found.
///
/// The encodings are those of the points of order 1, 2, 4 and 8, canonical or not, without the sign bit.
fn small_order(key: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Some((mut y, _)) = key.split_first_chunk::<32>().map(|(y, rest)| (*y, rest)) else { return false };
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    let [first, middle @ .., last] = y;
    // y is 0 or 1, or p-1, p or p+1 with p = 2^255 - 19.
    let low = first <= 1 && last == 0 && middle.iter().all(|b| *b == 0);
    let high = (0xec..=0xee).contains(&first) && last == 0x7f && middle.iter().all(|b| *b == 0xff);
    low || high || ORDER_8.contains(&y)
}

/// The text of a subject's attribute, in the two encodings in use.
pub(super) fn text(value: &x509_cert::der::Any) -> Option<&str> {
    if let Ok(text) = value.decode_as::<Utf8StringRef<'_>>() {
        return Some(text.as_str());
    }
    value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.as_str())
}

/// A serial number in hexadecimal without the zero bytes before it.
pub(super) fn plain_serial(mut hex: &str) -> &str {
    while let Some(rest) = hex.strip_prefix("00").filter(|rest| !rest.is_empty()) {
        hex = rest;
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_has_no_zero_byte_before_it() {
        for (der, want) in [("00f1a2", "f1a2"), ("0000", "00"), ("00", "00"), ("0100", "0100"), ("f1", "f1")]
        {
            assert_eq!(plain_serial(der), want);
        }
    }
}
