//! What of a trust configuration has a last day, and which: certificates and revocation lists.

use super::certificate::Cert;
use super::certificate::certificate_facts;
use super::error::AttestationError;
use super::revocation::Crl;
use super::trust::TrustRoot;
use common::identity::Digest;

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// What it is: `authority`, `publisher`, `timestamp authority`, `intermediate`, `revocation list`.
    pub what: &'static str,
    /// Whose it is.
    pub name: String,
    /// Its last moment, in nanoseconds since 1970.
    pub at_ns: u64,
    /// Names it among others.
    pub digest: Digest,
}

impl Ending {
    /// That of a certificate.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_certificate(what: &'static str, name: &str, der: &[u8]) -> Result<Self, AttestationError> {
        let facts = certificate_facts(der)?;
        Ok(Self { what, name: name.to_owned(), at_ns: ns(facts.not_after), digest: facts.fingerprint })
    }

    /// Whether it ends within so many nanoseconds from now, or has ended.
    pub const fn is_within(&self, now_ns: u64, within_ns: u64) -> bool {
        self.at_ns <= now_ns.saturating_add(within_ns)
    }

    fn of(what: &'static str, name: String, cert: &Cert) -> Self {
        Self { what, name, at_ns: ns(cert.not_after()), digest: cert.fingerprint() }
    }

    fn of_list(list: &Crl) -> Option<Self> {
        let (what, name) = ("revocation list", list.issuer_name());
        Some(Self { what, name, at_ns: ns(list.next_update()?), digest: list.digest() })
    }
}

impl TrustRoot {
    /// What of it ends. Of the revocation lists of one issuer, the newest alone counts.
    pub fn endings(&self) -> Vec<Ending> {
        let anchors =
            self.anchors().iter().map(|a| Ending::of("authority", a.name().to_owned(), a.certificate()));
        let between = self.intermediates().iter().map(|c| Ending::of("intermediate", c.subject(), c));
        let timed = self.config().notaries.timestamp_authorities.iter().zip(self.timestamp_authorities());
        let timed = timed.filter_map(|(entry, chain)| {
            let first = chain.certificates().first()?;
            Some(Ending::of("timestamp authority", entry.name.to_string(), first))
        });
        let mut all: Vec<Ending> = anchors.chain(between).chain(timed).collect();
        // The newest of each issuer is first.
        let mut seen = std::collections::BTreeSet::new();
        let newest = self.lists().iter().filter(|list| seen.insert(list.issuer_name()));
        all.extend(newest.filter_map(Ending::of_list));
        all
    }
}

const fn ns(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000_000_000)
}
