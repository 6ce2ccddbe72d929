//! Timestamps made with a key of one's own, and requests for those of others.

use super::syntax::{
    CONTENT_TYPE, ECDSA_SHA_256, ED25519, EssCertIdV2, MESSAGE_DIGEST, MessageImprint, POLICY, PkiStatusInfo,
    SIGNED_DATA, SIGNING_CERTIFICATE, SIGNING_TIME, SigningCertificateV2, TST_INFO, TimeStampReq,
    TimeStampResp, TstInfo, sha_256,
};
use super::verify::{Chain, Token};
use crate::attestation::error::AttestationError;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
    SignerInfos,
};
use common::crypto::{Algorithm, CryptoError, SigningKey, random, sha256};
use common::error::{Code, Coded, codes};
use der::asn1::{GeneralizedTime, Int, OctetString, SetOfVec, UtcTime};
use der::oid::ObjectIdentifier;
use der::{Any, Encode, EncodeValue, Tagged};
use std::time::Duration;
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// The authority's certificates cannot be used.
    #[error("the timestamp authority's certificates cannot be used")]
    Chain(#[source] AttestationError),
    /// The key is not the first certificate's.
    #[error("the key does not belong to the timestamp authority's certificate")]
    OtherKey,
    /// A timestamp could not be signed.
    #[error("the timestamp could not be signed")]
    Crypto(#[source] CryptoError),
    /// A timestamp or a request could not be written.
    #[error("the timestamp could not be written: {0}")]
    Write(der::Error),
    /// What the authority answered is no timestamp of what was asked.
    #[error("the timestamp authority's answer cannot be used")]
    Answer(#[source] AttestationError),
    /// What the authority answered is a timestamp of something else.
    #[error("the timestamp authority answered about something else")]
    OtherAnswer,
}

impl Coded for TimestampError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Chain(error) => error.code(),
            Self::OtherKey => &codes::E1204,
            Self::Crypto(_) | Self::Write(_) => &codes::E0001,
            Self::Answer(_) | Self::OtherAnswer => &codes::E1415,
        }
    }
}

impl From<der::Error> for TimestampError {
    fn from(error: der::Error) -> Self {
        Self::Write(error)
    }
}

/// A timestamp authority of one's own.
#[derive(Debug)]
pub struct Timestamper {
    key: SigningKey,
    chain: Chain,
}

impl Timestamper {
    /// With a key and its certificates in PEM: the key's own first, the root last.
    ///
    /// # Errors
    /// When the certificates are not a timestamp authority's, or the key is not the first one's.
    pub fn new(key: SigningKey, chain: &[u8]) -> Result<Self, TimestampError> {
        let chain = Chain::parse(chain).map_err(TimestampError::Chain)?;
        let own = chain.certificates().first().map(|cert| cert.public_key()).transpose();
        match own.map_err(TimestampError::Chain)? == Some(key.public()) {
            true => Ok(Self { key, chain }),
            false => Err(TimestampError::OtherKey),
        }
    }

    /// A timestamp response that says: `message` was there at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// When it cannot be signed or written.
    pub fn stamp(&self, message: &[u8], now: u64) -> Result<Vec<u8>, TimestampError> {
        let info = TstInfo {
            version: 1,
            policy: Any::encode_from(&POLICY)?,
            message_imprint: imprint(message)?,
            serial_number: serial()?,
            gen_time: GeneralizedTime::from_unix_duration(Duration::from_secs(now))?,
            accuracy: None,
            ordering: false,
            nonce: None,
            tsa: None,
            extensions: None,
        };
        let token = self.token(info.to_der()?, now)?;
        let status = PkiStatusInfo { status: 0, text: None, failure: None };
        Ok(TimeStampResp { status, token: Some(token) }.to_der()?)
    }

    fn token(&self, content: Vec<u8>, now: u64) -> Result<ContentInfo, TimestampError> {
        let signer = self.sign(&content, now)?;
        let certs = self.chain.certificates().iter();
        let certs = certs.map(|c| CertificateChoices::Certificate(c.parsed().clone())).collect::<Vec<_>>();
        let data = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![sha_256()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TST_INFO,
                econtent: Some(Any::encode_from(&OctetString::new(content)?)?),
            },
            certificates: Some(CertificateSet::try_from(certs)?),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer])?,
        };
        Ok(ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&data)? })
    }

    fn sign(&self, content: &[u8], now: u64) -> Result<SignerInfo, TimestampError> {
        let cert = self.chain.certificates().first().ok_or(TimestampError::OtherKey)?;
        let named = SigningCertificateV2 {
            certs: vec![EssCertIdV2 {
                hash_algorithm: None,
                cert_hash: OctetString::new(sha256(cert.der()).as_bytes().as_slice())?,
                issuer_serial: None,
            }],
            policies: None,
        };
        let time = Time::UtcTime(UtcTime::from_unix_duration(Duration::from_secs(now))?);
        let attributes = SignedAttributes::try_from(vec![
            attribute(CONTENT_TYPE, &TST_INFO)?,
            attribute(SIGNING_TIME, &time)?,
            attribute(MESSAGE_DIGEST, &OctetString::new(sha256(content).as_bytes().as_slice())?)?,
            attribute(SIGNING_CERTIFICATE, &named)?,
        ])?;
        let signature = self.key.sign(&attributes.to_der()?).map_err(TimestampError::Crypto)?;
        let algorithm = match self.key.algorithm() {
            Algorithm::EcdsaP256Sha256 => ECDSA_SHA_256,
            Algorithm::Ed25519 => ED25519,
        };
        Ok(SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: cert.raw_issuer().clone(),
                serial_number: cert.raw_serial().clone(),
            }),
            digest_alg: sha_256(),
            signed_attrs: Some(attributes),
            signature_algorithm: AlgorithmIdentifierOwned { oid: algorithm, parameters: None },
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        })
    }
}

/// The request for a timestamp of `message`, with the authority's certificates. DER; its media type is
/// `application/timestamp-query`.
///
/// # Errors
/// When there is no randomness for its nonce.
pub fn request(message: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let request = TimeStampReq {
        version: 1,
        message_imprint: imprint(message)?,
        req_policy: None,
        nonce: Some(serial()?),
        cert_req: true,
        extensions: None,
    };
    Ok(request.to_der()?)
}

/// Looks at what an authority answered before it is kept: it was granted, and is of `message` and of this request.
/// Whose it is, is asked when the package is verified.
///
/// # Errors
/// E1415 when it is not.
pub fn response_of(answer: &[u8], message: &[u8], request: &[u8]) -> Result<(), TimestampError> {
    use der::Decode;
    let asked = TimeStampReq::from_der(request)?;
    let token = Token::read(answer).map_err(TimestampError::Answer)?;
    match token.is_of(&token.info.message_imprint, message) && token.info.nonce == asked.nonce {
        true => Ok(()),
        false => Err(TimestampError::OtherAnswer),
    }
}

fn imprint(message: &[u8]) -> Result<MessageImprint, TimestampError> {
    let hashed_message = OctetString::new(sha256(message).as_bytes().as_slice())?;
    Ok(MessageImprint { hash_algorithm: sha_256(), hashed_message })
}

/// 16 random bytes as a positive number of that length.
fn serial() -> Result<Int, TimestampError> {
    let mut bytes = [0_u8; 16];
    random(&mut bytes).map_err(TimestampError::Crypto)?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(Int::new(&bytes)?)
}

fn attribute<T: EncodeValue + Tagged>(oid: ObjectIdentifier, value: &T) -> Result<Attribute, TimestampError> {
    let value = Any::encode_from(value)?;
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}
