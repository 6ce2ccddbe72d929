//! Makes certificates: authorities, and leaves that package signatures verify with. The only user of `rcgen`.

use super::certificate::{Cert, DEVELOPMENT_UNIT, text};
use super::error::AttestationError;
use common::crypto::{Algorithm, CryptoError, SigningKey, random};
use common::error::{Code, Coded, codes};
use pki_types::PrivatePkcs8KeyDer;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName,
    DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use std::time::Duration;
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroize;

/// The extended key usage id-kp-timeStamping alone, DER.
const TIME_STAMPING: [u8; 12] = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];

/// Seconds since 1970 between which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first.
    pub not_before: u64,
    /// The last.
    pub not_after: u64,
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The authority's own certificate cannot issue.
    #[error("the authority's certificate cannot be used")]
    Certificate(#[source] AttestationError),
    /// The authority's subject has a form that cannot be written again byte for byte.
    #[error("the authority's subject has an attribute that cannot be copied into what it issues")]
    Subject,
    /// The key is not the authority's.
    #[error("the key does not belong to the authority's certificate")]
    OtherKey,
    /// The validity is empty, too far away, or reaches beyond the issuer's.
    #[error("the validity {0}")]
    Validity(&'static str),
    /// A name or URI that a certificate cannot have.
    #[error("{0} is not plain text")]
    Name(&'static str),
    /// A key could not be made or read.
    #[error("the key cannot be made or read")]
    Key(#[source] CryptoError),
    /// Writing the certificate failed.
    #[error("the certificate could not be written")]
    Write(#[source] rcgen::Error),
}

impl Coded for AuthorityError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Certificate(error) => error.code(),
            Self::Subject => &codes::E1311,
            Self::OtherKey => &codes::E1204,
            Self::Validity(_) | Self::Name(_) => &codes::E0101,
            Self::Key(_) | Self::Write(_) => &codes::E0001,
        }
    }
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The private key, PKCS#8 DER. Whoever holds it signs as its owner. Overwritten when it is dropped.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// An authority to make.
#[derive(Debug, Clone)]
pub struct AuthoritySpec<'a> {
    /// Its common name.
    pub name: &'a str,
    /// When it is valid.
    pub validity: Validity,
    /// The algorithm of its key.
    pub algorithm: Algorithm,
    /// Whether it and all it issues are for development.
    pub development: bool,
    /// How many authorities may stand below it; 0 when it issues leaves itself.
    pub below: u8,
}

/// A publisher's certificate to make.
#[derive(Debug, Clone)]
pub struct LeafSpec<'a> {
    /// The subject's common name.
    pub name: &'a str,
    /// The URI identity.
    pub uri: &'a str,
    /// The issuer other Sigstore clients compare (`--certificate-oidc-issuer`).
    pub issuer: &'a str,
    /// When it is valid; within the authority's validity.
    pub validity: Validity,
    /// The algorithm of its key. Every Sigstore client verifies P-256; not all verify Ed25519.
    pub algorithm: Algorithm,
    /// Whether it is for development, which production refuses.
    pub development: bool,
}

/// A certificate that an authority takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, as it stands in the certificate.
    pub serial: Vec<u8>,
    /// Since when, in seconds since 1970.
    pub at: u64,
}

/// An authority that can issue: its certificate and its key.
pub struct Authority {
    cert: Cert,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("subject", &self.cert.subject()).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a root authority.
    ///
    /// # Errors
    /// When the name or the validity cannot stand in a certificate.
    pub fn create(spec: &AuthoritySpec<'_>) -> Result<(Self, Issued), AuthorityError> {
        let params = authority_params(spec)?;
        let (key, pkcs8) = new_key(spec.algorithm)?;
        let certificate = params.self_signed(&key).map_err(AuthorityError::Write)?;
        let issued = issued(&certificate, pkcs8);
        Ok((Self::open(&issued.der, &issued.key)?, issued))
    }

    /// An authority from its certificate (DER) and its key (PKCS#8 DER), as `create` or another tool made them.
    ///
    /// # Errors
    /// When the certificate is not an authority's, or the key is not its own.
    pub fn open(certificate: &[u8], key: &[u8]) -> Result<Self, AuthorityError> {
        let cert = Cert::parse(certificate).map_err(AuthorityError::Certificate)?;
        cert.check_authority().map_err(AuthorityError::Certificate)?;
        let own = SigningKey::from_pkcs8(key).map_err(AuthorityError::Key)?;
        if cert.public_key().map_err(AuthorityError::Certificate)? != own.public() {
            return Err(AuthorityError::OtherKey);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = subject_of(&cert)?;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        if let Some(id) = cert.subject_key_id() {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let issuer = Issuer::new(params, key_pair(key, own.algorithm())?);
        Ok(Self { cert, issuer })
    }

    /// Its certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.cert.der()
    }

    /// Makes an authority below this one.
    ///
    /// # Errors
    /// As `create`, and when the validity reaches beyond this authority's.
    pub fn subordinate(&self, spec: &AuthoritySpec<'_>) -> Result<(Self, Issued), AuthorityError> {
        self.spans(spec.validity)?;
        let mut params = authority_params(spec)?;
        // Path building asks the purpose of every certificate but the anchor's.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let issued = self.sign(params, spec.algorithm)?;
        Ok((Self::open(&issued.der, &issued.key)?, issued))
    }

    /// Makes a publisher's certificate and its key.
    ///
    /// # Errors
    /// When a name or the validity cannot stand in a certificate, or the validity reaches beyond this authority's.
    pub fn issue(&self, spec: &LeafSpec<'_>) -> Result<Issued, AuthorityError> {
        self.spans(spec.validity)?;
        self.sign(leaf_params(spec)?, spec.algorithm)
    }

    /// Makes the list of the certificates this authority revoked, PEM. `number` rises from list to list; after
    /// `until`, in seconds since 1970, a host that requires lists demands a newer one.
    ///
    /// # Errors
    /// E1308 when the authority's certificate does not allow lists to be signed; when it cannot be written.
    pub fn revocation_list(
        &self,
        revoked: &[Revoked],
        number: u64,
        from: u64,
        until: u64,
    ) -> Result<String, AuthorityError> {
        self.cert.check_list_signer().map_err(AuthorityError::Certificate)?;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let entry = |revoked: &Revoked| RevokedCertParams {
            serial_number: SerialNumber::from(revoked.serial.clone()),
            revocation_time: epoch + Duration::from_secs(revoked.at),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(from),
            next_update: epoch + Duration::from_secs(until),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).map_err(AuthorityError::Write)?;
        list.pem().map_err(AuthorityError::Write)
    }

    /// Makes a timestamp authority's certificate and its key: a leaf that can sign timestamps and nothing else.
    ///
    /// # Errors
    /// As `issue`.
    pub fn timestamper(
        &self,
        name: &str,
        validity: Validity,
        development: bool,
    ) -> Result<Issued, AuthorityError> {
        self.spans(validity)?;
        let mut params = params(name, development, validity)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // RFC 3161 demands this extension critical, which rcgen does not write by itself.
        let mut purpose = CustomExtension::from_oid_content(&[2, 5, 29, 37], TIME_STAMPING.to_vec());
        purpose.set_criticality(true);
        params.custom_extensions = vec![purpose];
        self.sign(params, Algorithm::EcdsaP256Sha256)
    }

    fn spans(&self, validity: Validity) -> Result<(), AuthorityError> {
        let within =
            validity.not_before >= self.cert.not_before() && validity.not_after <= self.cert.not_after();
        if within { Ok(()) } else { Err(AuthorityError::Validity("reaches beyond the authority's own")) }
    }

    fn sign(&self, mut params: CertificateParams, algorithm: Algorithm) -> Result<Issued, AuthorityError> {
        params.use_authority_key_identifier_extension = true;
        let (key, pkcs8) = new_key(algorithm)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(AuthorityError::Write)?;
        Ok(issued(&certificate, pkcs8))
    }
}

fn issued(certificate: &rcgen::Certificate, key: Vec<u8>) -> Issued {
    Issued { certificate: certificate.pem(), der: certificate.der().to_vec(), key }
}

fn new_key(algorithm: Algorithm) -> Result<(KeyPair, Vec<u8>), AuthorityError> {
    let (_, pkcs8) = SigningKey::generate(algorithm).map_err(AuthorityError::Key)?;
    Ok((key_pair(&pkcs8, algorithm)?, pkcs8))
}

fn key_pair(pkcs8: &[u8], algorithm: Algorithm) -> Result<KeyPair, AuthorityError> {
    let algorithm = match algorithm {
        Algorithm::EcdsaP256Sha256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::Ed25519 => &rcgen::PKCS_ED25519,
    };
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), algorithm)
        .map_err(AuthorityError::Write)
}

/// What every certificate has: a subject, a validity and a random serial number.
fn params(name: &str, development: bool, validity: Validity) -> Result<CertificateParams, AuthorityError> {
    // Beyond year 9999 no certificate date can be written.
    const LAST: u64 = 253_402_300_799;
    if validity.not_before >= validity.not_after || validity.not_after > LAST {
        return Err(AuthorityError::Validity("is empty or too far away"));
    }
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(AuthorityError::Name("the name"));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if development {
        params.distinguished_name.push(DnType::OrganizationalUnitName, DEVELOPMENT_UNIT);
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(validity.not_before);
    params.not_after = epoch + Duration::from_secs(validity.not_after);
    params.serial_number = Some(serial()?);
    Ok(params)
}

/// 16 random bytes that are a positive number of that length.
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0_u8; 16];
    random(&mut bytes).map_err(AuthorityError::Key)?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from(bytes.to_vec()))
}

fn authority_params(spec: &AuthoritySpec<'_>) -> Result<CertificateParams, AuthorityError> {
    let mut params = params(spec.name, spec.development, spec.validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(spec.below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(spec: &LeafSpec<'_>) -> Result<CertificateParams, AuthorityError> {
    let mut params = params(spec.name, spec.development, spec.validity)?;
    let plain =
        |text: &str| text.contains("://") && text.len() <= 1024 && text.bytes().all(|b| b.is_ascii_graphic());
    if !plain(spec.uri) || !plain(spec.issuer) {
        return Err(AuthorityError::Name("the URI"));
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let uri = spec.uri.try_into().map_err(|_| AuthorityError::Name("the URI"))?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.custom_extensions = issuer_extensions(spec.issuer);
    Ok(params)
}

/// What Sigstore clients compare: the issuer as raw bytes (.1.1, read by older ones) and as DER text (.1.8).
fn issuer_extensions(issuer: &str) -> Vec<CustomExtension> {
    let mut der = vec![0x0c];
    match u8::try_from(issuer.len()) {
        Ok(length @ ..0x80) => der.push(length),
        Ok(length) => der.extend([0x81, length]),
        Err(_) => {
            let [high, low] = u16::try_from(issuer.len()).unwrap_or(u16::MAX).to_be_bytes();
            der.extend([0x82, high, low]);
        }
    }
    der.extend(issuer.bytes());
    vec![
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 1], issuer.as_bytes().to_vec()),
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], der),
    ]
}

/// The subject of a certificate, to be written as issuer: it must come out byte for byte the same.
fn subject_of(cert: &Cert) -> Result<DistinguishedName, AuthorityError> {
    use x509_cert::der::{Tag, Tagged};
    let mut name = DistinguishedName::new();
    for rdn in &cert.raw_subject().0 {
        let [attribute] = rdn.0.as_slice() else { return Err(AuthorityError::Subject) };
        let kind = dn_type(attribute.oid).filter(|k| name.get(k).is_none()).ok_or(AuthorityError::Subject)?;
        let value = text(&attribute.value).ok_or(AuthorityError::Subject)?;
        let value = match attribute.value.tag() {
            Tag::Utf8String => DnValue::Utf8String(value.to_owned()),
            _ => DnValue::PrintableString(value.try_into().map_err(|_| AuthorityError::Subject)?),
        };
        name.push(kind, value);
    }
    Ok(name)
}

fn dn_type(oid: ObjectIdentifier) -> Option<DnType> {
    Some(match oid.to_string().as_str() {
        "2.5.4.3" => DnType::CommonName,
        "2.5.4.6" => DnType::CountryName,
        "2.5.4.7" => DnType::LocalityName,
        "2.5.4.8" => DnType::StateOrProvinceName,
        "2.5.4.10" => DnType::OrganizationName,
        "2.5.4.11" => DnType::OrganizationalUnitName,
        _ => return None,
    })
}

/// Certificates no authority should issue, for the tests that they are refused.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    NoPurpose,
    ServerPurpose,
    NoKeyUsage,
    EncryptionOnly,
    Ca,
    NoName,
    TwoNames,
    DnsName,
    UnknownCritical,
    NoCertSign,
    NotCa,
    NoCaPurpose,
    OtherNames,
}

#[cfg(test)]
struct AnyKey([u8; 32]);

#[cfg(test)]
impl rcgen::PublicKeyData for AnyKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

#[cfg(test)]
impl Authority {
    /// A leaf with one thing wrong.
    pub(super) fn issue_flawed(&self, spec: &LeafSpec<'_>, flaw: Flaw) -> Issued {
        let mut params = leaf_params(spec).unwrap();
        flaw.bend(&mut params);
        self.sign(params, spec.algorithm).unwrap()
    }
    /// A leaf for any Ed25519 public key: nobody may hold its private half.
    pub(super) fn issue_for(&self, spec: &LeafSpec<'_>, key: [u8; 32]) -> Vec<u8> {
        leaf_params(spec).unwrap().signed_by(&AnyKey(key), &self.issuer).unwrap().der().to_vec()
    }
    /// An authority below this one with one thing wrong, that issues all the same.
    pub(super) fn subordinate_flawed(&self, spec: &AuthoritySpec<'_>, flaw: Flaw) -> (Self, Issued) {
        let mut params = authority_params(spec).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let (good, _) = self.subordinate(spec).unwrap();
        flaw.bend(&mut params);
        let issued = self.sign(params.clone(), spec.algorithm).unwrap();
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = Issuer::new(params, key_pair(&issued.key, spec.algorithm).unwrap());
        (Self { cert: good.cert, issuer }, issued)
    }
}

#[cfg(test)]
impl Flaw {
    fn bend(self, p: &mut CertificateParams) {
        match self {
            Self::NoPurpose | Self::NoCaPurpose => p.extended_key_usages.clear(),
            Self::ServerPurpose => p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::NoKeyUsage => p.key_usages.clear(),
            Self::EncryptionOnly => p.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
            Self::Ca => {
                p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
                p.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
            }
            Self::NoName => p.subject_alt_names.clear(),
            Self::TwoNames => {
                let again = p.subject_alt_names.clone();
                p.subject_alt_names.extend(again);
            }
            Self::DnsName => p.subject_alt_names = vec![SanType::DnsName("acme.example".try_into().unwrap())],
            Self::UnknownCritical => {
                let mut e = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                e.set_criticality(true);
                p.custom_extensions.push(e);
            }
            Self::NoCertSign => p.key_usages = vec![KeyUsagePurpose::CrlSign],
            Self::NotCa => p.is_ca = IsCa::ExplicitNoCa,
            Self::OtherNames => {
                let mut only = DistinguishedName::new();
                only.push(DnType::CommonName, "Somebody Else");
                let permitted_subtrees = vec![rcgen::GeneralSubtree::DirectoryName(only)];
                p.name_constraints =
                    Some(rcgen::NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
            }
        }
    }
}
