//! Certificates that are taken back and replaced: `trust/crl/NAME.pem` names what the home's authority revoked, and
//! `keys/retired/` keeps what was replaced. The list is the only record of what it names.

use super::files::{Existing, Files, make_dir, read, write};
use super::{BACKDATED, DAY, KeyError, KeyInfo, KeyKind, KeyRing, info};
use crate::attestation::trust::{PublisherEntry, SignerEntry};
use crate::attestation::{Revoked, certificate_facts, pem_to_der, revoked_in};
use crate::keys::IssueRequest;
use crate::workshop::now;
use common::crypto::Algorithm;
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// A certificate to take back.
#[derive(Debug, Clone)]
pub struct RevokeRequest {
    /// Whose: a publisher or signer of this home. `None` to sign the list anew as it is.
    pub who: Option<Publisher>,
    /// Which of theirs, by its serial number; the one in use when not given.
    pub serial: Option<String>,
    /// Whether its key goes on the kill-list too, which hosts without the list heed.
    pub kill: bool,
    /// Days after which a host that requires lists demands a newer one.
    pub days: u32,
}

/// The list as it is now.
#[derive(Debug, Clone)]
pub struct RevocationList {
    /// The serial number that was revoked now.
    pub serial: Option<String>,
    /// Whether its key is on the kill-list.
    pub killed: bool,
    /// Where the list is.
    pub file: PathBuf,
    /// How many certificates it names.
    pub revoked: usize,
    /// Until when it is current, in nanoseconds since 1970.
    pub until_ns: u64,
}

impl KeyRing<'_> {
    /// Revokes a certificate of the home's authority: its list names it from now on. Hosts that have the list refuse
    /// what it signed, and stop what runs of it.
    ///
    /// # Errors
    /// E5008 without an authority or such a certificate; E1308 for an authority that may not sign lists.
    pub fn revoke(&self, request: &RevokeRequest) -> Result<RevocationList, ForgeError> {
        let _one_at_a_time = self.hold()?;
        let (authority, facts) = self.open_authority()?;
        let mut trust = self.trust_config()?;
        let name = super::common_name(&facts);
        let directory = trust.crl.directory.clone();
        let file = self.trust.join(&directory).join(format!("{name}.pem"));
        let mut revoked = match read(&file)? {
            Some(text) => {
                revoked_in(text.as_bytes()).map_err(|why| KeyError::List { path: file.clone(), why })?
            }
            None => Vec::new(),
        };
        let seconds = now()? / 1_000_000_000;
        let mut serial = None;
        if let Some(who) = &request.who {
            let own = self.certificate_of(who, request.serial.as_deref())?;
            if own.issuer != facts.subject {
                return Err(KeyError::OtherIssuer(who.to_string()).into());
            }
            if request.kill {
                trust.kill.serials.insert(own.serial.clone());
                trust.kill.keys.insert(own.key);
            }
            let bytes = hex(&own.serial);
            if !revoked.iter().any(|r| r.serial == bytes) {
                revoked.push(Revoked { serial: bytes, at: seconds });
            }
            serial = Some(own.serial);
        }
        let until = seconds + u64::from(request.days) * DAY;
        let from = seconds.saturating_sub(BACKDATED);
        let list = authority.revocation_list(&revoked, seconds, from, until)?;
        let shown = serial.clone().unwrap_or_default();
        let digest = Digest::of(list.as_bytes()).to_string();
        let who = request.who.as_ref().map_or("", |who| who.as_str());
        self.record_change("key_revoke", who, &[("serial", &shown), ("list", &digest)])?;
        write(&file, list.as_bytes(), Existing::Replace)?;
        let killed = request.kill && serial.is_some();
        if killed {
            self.write_trust(&trust)?;
        }
        Ok(RevocationList {
            serial,
            killed,
            file,
            revoked: revoked.len(),
            until_ns: until.saturating_mul(1_000_000_000),
        })
    }

    /// Makes a new key and certificate for a publisher or signer, in place of the one in use. That one stays valid until
    /// it runs out or is revoked, and is kept in `keys/retired/`; what it signed goes on to verify meanwhile.
    ///
    /// # Errors
    /// E5008 without an authority or a key to replace.
    pub fn rotate(&self, who: &Publisher, days: u32) -> Result<KeyInfo, ForgeError> {
        let _one_at_a_time = self.hold()?;
        let files = self.publisher(who.as_str());
        let before = read(&files.certificate)?.ok_or_else(|| KeyError::NoKey(who.to_string()))?;
        let before = certificate_facts(&pem_to_der(before.as_bytes())?)?;
        let uri = before.uri.clone().ok_or_else(|| KeyError::NoKey(who.to_string()))?;
        let (authority, facts) = self.open_authority()?;
        let request = IssueRequest {
            publisher: who.clone(),
            algorithm: before.algorithm.unwrap_or(Algorithm::EcdsaP256Sha256),
            days,
            development: before.development,
            packages: Vec::new(),
        };
        let issued = super::issue(&authority, &facts, &request, &uri, before.development)?;
        self.recorded("key_rotate", who.as_str(), &issued)?;
        self.retire(who, &files, &before.serial)?;
        files.write(&issued, self.protect.as_ref(), Existing::Replace)?;
        info(KeyKind::Publisher, &files)
    }

    /// Makes the key and certificate of somebody who signs beside publishers, in these roles, and trusts them with it.
    ///
    /// # Errors
    /// As [`KeyRing::issue`].
    pub fn issue_signer(&self, request: &IssueRequest, roles: &[Name]) -> Result<KeyInfo, ForgeError> {
        self.issue_as(request, |trust, uri, _| {
            let name = request.publisher.clone();
            trust.signers.retain(|signer| signer.name != name);
            trust.signers.push(SignerEntry { name, uri: uri.to_owned(), roles: roles.to_vec() });
            Ok(())
        })
    }

    /// What a key was is linked before it is replaced, so that no moment is without it.
    fn retire(&self, who: &Publisher, files: &Files, serial: &str) -> Result<(), KeyError> {
        let retired = self.retired(who, serial);
        make_dir(&self.keys.join("retired"))?;
        for (from, to) in [(&files.key, &retired.key), (&files.certificate, &retired.certificate)] {
            match fs::hard_link(from, to) {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
                Err(source) => return Err(KeyError::File { doing: "keep", path: to.clone(), source }),
            }
        }
        Ok(())
    }

    fn retired(&self, who: &Publisher, serial: &str) -> Files {
        Files::new(&self.keys.join("retired"), &format!("{who}-{serial}"))
    }

    fn certificate_of(
        &self,
        who: &Publisher,
        serial: Option<&str>,
    ) -> Result<crate::attestation::CertificateFacts, ForgeError> {
        let missing = || KeyError::NoKey(who.to_string());
        let current = read(&self.publisher(who.as_str()).certificate)?.ok_or_else(missing)?;
        let facts = certificate_facts(&pem_to_der(current.as_bytes())?)?;
        let Some(serial) = serial.filter(|serial| *serial != facts.serial) else { return Ok(facts) };
        if !serial.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ForgeError::new(&codes::E0101, "a serial number is hexadecimal"));
        }
        let retired = read(&self.retired(who, serial).certificate)?.ok_or_else(missing)?;
        Ok(certificate_facts(&pem_to_der(retired.as_bytes())?)?)
    }
}

/// Trusts a publisher with what it was issued for.
pub(super) fn trust_publisher(trust: &mut crate::attestation::TrustConfig, entry: PublisherEntry) {
    // What an administrator wrote about it beside its names stays.
    match trust.publishers.iter_mut().find(|known| known.name == entry.name) {
        Some(known) => {
            (known.uri, known.packages, known.environments) = (entry.uri, entry.packages, entry.environments);
        }
        None => trust.publishers.push(entry),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| d.try_into().ok()).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}
