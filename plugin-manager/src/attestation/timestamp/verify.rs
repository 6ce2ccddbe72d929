//! A timestamp's bytes to the time a trusted authority stated: fails closed on anything unclear.

use super::syntax::{
    CONTENT_TYPE, MESSAGE_DIGEST, MessageImprint, SHA_256, SIGNED_DATA, SIGNING_CERTIFICATE,
    SigningCertificateV2, TST_INFO, TimeStampResp, TstInfo,
};
use crate::attestation::certificate::{Cert, bad, pems_to_der};
use crate::attestation::der::whole_lengths;
use crate::attestation::error::AttestationError;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use common::crypto::sha256;
use der::asn1::OctetStringRef;
use der::oid::ObjectIdentifier;
use der::{Any, Decode, Encode};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};

/// id-kp-timeStamping, the content of its DER encoding.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// Longest token read, in bytes.
pub(super) const MAX_TOKEN: usize = 64 << 10;
/// Most certificates of an authority, its root included.
const MAX_CHAIN: usize = 5;

/// What authorities elsewhere sign with, too: RSA from 2048 bits and P-384 besides this host's own.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 6] = [
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ED25519,
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
];

/// The certificates of a timestamp authority: the one that signs, those above it, and last the root.
#[derive(Debug, Clone)]
pub(in crate::attestation) struct Chain(Vec<Cert>);

/// What a timestamp that holds has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::attestation) struct Stamped {
    /// When, in seconds since 1970.
    pub(in crate::attestation) at: u64,
}

impl Chain {
    /// From PEM: the signing certificate first, the root last.
    pub(in crate::attestation) fn parse(pem: &[u8]) -> Result<Self, AttestationError> {
        let certs = pems_to_der(pem)?;
        let certs = certs.iter().map(|der| Cert::parse(der)).collect::<Result<Vec<_>, _>>()?;
        match certs.as_slice() {
            [signer, above @ ..] if !above.is_empty() && certs.len() <= MAX_CHAIN => {
                signer.check_timestamper()?;
                above.iter().try_for_each(|cert| cert.check_authority().map(|_| ()))?;
                Ok(Self(certs))
            }
            _ => Err(bad(format!(
                "a timestamp authority has from 2 to {MAX_CHAIN} certificates, the root last"
            ))),
        }
    }
    /// The certificates, the signing one first.
    pub(in crate::attestation) fn certificates(&self) -> &[Cert] {
        &self.0
    }

    fn signer(&self) -> Option<&Cert> {
        self.0.first()
    }

    fn is_meant(&self, sid: &SignerIdentifier) -> bool {
        self.signer().is_some_and(|cert| match sid {
            SignerIdentifier::IssuerAndSerialNumber(sid) => {
                cert.raw_issuer() == &sid.issuer && cert.raw_serial() == &sid.serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                cert.subject_key_id().is_some_and(|own| own == id.0.as_bytes())
            }
        })
    }

    /// Whether the signing certificate leads to the root at a time, for timestamps.
    fn holds_at(&self, at: u64) -> Option<()> {
        let (signer, above) = self.0.split_first()?;
        let (root, between) = above.split_last()?;
        root.valid_at(at).ok()?;
        let root = CertificateDer::from(root.der());
        let anchors = [webpki::anchor_from_trusted_cert(&root).ok()?];
        let between: Vec<_> = between.iter().map(|c| CertificateDer::from(c.der())).collect();
        let signer = CertificateDer::from(signer.der());
        let signer = EndEntityCert::try_from(&signer).ok()?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let usage = KeyUsage::required(TIME_STAMPING);
        signer.verify_for_usage(&ALGORITHMS, &anchors, &between, time, usage, None, None).ok().map(drop)
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(signer) = self.signer() else { return false };
        let der = CertificateDer::from(signer.der());
        let Ok(cert) = EndEntityCert::try_from(&der) else { return false };
        ALGORITHMS.iter().any(|algorithm| cert.verify_signature(*algorithm, message, signature).is_ok())
    }
}

/// When one of these authorities saw `message`, by a timestamp response. `latest` is the last second believed.
///
/// # Errors
/// E1415, with what does not hold.
pub(in crate::attestation) fn verify(
    response: &[u8],
    message: &[u8],
    authorities: &[Chain],
    latest: u64,
) -> Result<Stamped, AttestationError> {
    let token = Token::read(response)?;
    let authority = authorities.iter().find(|chain| chain.is_meant(&token.signer.sid));
    let authority = authority.ok_or_else(|| refused("is of an authority that trust.toml does not name"))?;
    token.signed_by(authority)?;
    let imprint = &token.info.message_imprint;
    if !token.is_of(imprint, message) {
        return Err(refused("is not of this signature"));
    }
    let at = token.info.gen_time.to_unix_duration().as_secs();
    if at > latest {
        return Err(refused("is of the future"));
    }
    authority
        .holds_at(at)
        .ok_or_else(|| refused("is by a certificate that was not valid for it at its time"))?;
    Ok(Stamped { at })
}

fn refused(how: &str) -> AttestationError {
    AttestationError::Timestamp { how: how.to_owned() }
}

fn malformed(error: impl std::fmt::Display) -> AttestationError {
    AttestationError::Timestamp { how: format!("is malformed: {error}") }
}

/// A response of the right shape. Nothing in it is proven.
pub(super) struct Token {
    content: Vec<u8>,
    pub(super) info: TstInfo,
    signer: SignerInfo,
}

impl Token {
    pub(super) fn read(response: &[u8]) -> Result<Self, AttestationError> {
        if response.len() > MAX_TOKEN {
            return Err(refused("is too long"));
        }
        whole_lengths(response).map_err(malformed)?;
        let response = TimeStampResp::from_der(response).map_err(malformed)?;
        if response.status.status > 1 {
            return Err(refused(&format!("was not granted: status {}", response.status.status)));
        }
        let token = response.token.ok_or_else(|| refused("has no token"))?;
        if token.content_type != SIGNED_DATA {
            return Err(refused("is no signed message"));
        }
        let data: SignedData = token.content.decode_as().map_err(malformed)?;
        let content =
            data.encap_content_info.econtent.filter(|_| data.encap_content_info.econtent_type == TST_INFO);
        let content = content.ok_or_else(|| refused("says nothing about time"))?;
        let content = content.decode_as::<OctetStringRef<'_>>().map_err(malformed)?.as_bytes().to_vec();
        whole_lengths(&content).map_err(malformed)?;
        let info = TstInfo::from_der(&content).map_err(malformed)?;
        let [signer] = <[SignerInfo; 1]>::try_from(data.signer_infos.0.into_vec())
            .map_err(|_| refused("has not exactly one signer"))?;
        Ok(Self { content, info, signer })
    }

    /// The signature is the authority's over the attributes, and they are of the content.
    fn signed_by(&self, authority: &Chain) -> Result<(), AttestationError> {
        if self.signer.digest_alg.oid != SHA_256 {
            return Err(refused("uses another digest than SHA-256"));
        }
        let attributes =
            self.signer.signed_attrs.as_ref().ok_or_else(|| refused("has no signed attributes"))?;
        let signed = attributes.to_der().map_err(malformed)?;
        if !authority.signed(&signed, self.signer.signature.as_bytes()) {
            return Err(refused("has a signature that does not match"));
        }
        let kind = self.attribute(CONTENT_TYPE)?.decode_as::<ObjectIdentifier>().map_err(malformed)?;
        let digest = self.attribute(MESSAGE_DIGEST)?;
        let digest = digest.decode_as::<OctetStringRef<'_>>().map_err(malformed)?;
        if kind != TST_INFO || digest.as_bytes() != sha256(&self.content).as_bytes() {
            return Err(refused("is signed over another statement"));
        }
        self.names(authority)
    }

    /// The certificate that the attributes name, when they do so by SHA-256, is the authority's.
    fn names(&self, authority: &Chain) -> Result<(), AttestationError> {
        let Ok(named) = self.attribute(SIGNING_CERTIFICATE) else { return Ok(()) };
        whole_lengths(named.value()).map_err(malformed)?;
        let named: SigningCertificateV2 = named.decode_as().map_err(malformed)?;
        let own = authority.signer().map(|cert| sha256(cert.der()));
        let first =
            named.certs.first().filter(|id| id.hash_algorithm.as_ref().is_none_or(|a| a.oid == SHA_256));
        match first.is_some_and(|id| own.is_some_and(|own| own.as_bytes() == id.cert_hash.as_bytes())) {
            true => Ok(()),
            false => Err(refused("names another certificate than its authority's")),
        }
    }

    /// The one value of an attribute that is there once.
    fn attribute(&self, kind: ObjectIdentifier) -> Result<&Any, AttestationError> {
        let mut found = self.signer.signed_attrs.iter().flat_map(|all| all.iter()).filter(|a| a.oid == kind);
        match (found.next().map(|a| a.values.as_slice()), found.next()) {
            (Some([value]), None) => Ok(value),
            _ => Err(refused(&format!("has not exactly one attribute {kind}"))),
        }
    }

    pub(super) fn is_of(&self, imprint: &MessageImprint, message: &[u8]) -> bool {
        self.info.version == 1
            && imprint.hash_algorithm.oid == SHA_256
            && imprint.hashed_message.as_bytes() == sha256(message).as_bytes()
    }
}
