//! What a proof rests on, kept without the package's bytes: whether it still holds under another trust configuration,
//! or at another time, can be asked in well under a millisecond.

use super::certificate::Cert;
use super::chain;
use super::error::AttestationError;
use super::judgement::{Content, accepted, allowed, content_alive, identity};
use super::notes::Notes;
use super::trust::{Environment, TrustRoot};
use super::verify::Verifier;
use super::witness::{Scene, Witnesses};
use common::identity::Publisher;

/// What a proof rests on: it can be made only by a verification.
#[derive(Debug, Clone)]
pub struct Standing {
    pub(super) content: Content,
    /// `None` where no signature was judged.
    pub(super) signed: Option<Signed>,
}

/// A signature that was found to be its certificate's over the package.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) leaf: Cert,
    pub(super) witnesses: Witnesses,
    pub(super) notes: Notes,
}

impl Standing {
    /// The publisher the package names.
    pub const fn publisher(&self) -> &Publisher {
        &self.content.manifest.publisher
    }
}

impl Verifier {
    /// Asks again all that rests on the trust configuration and the time, in nanoseconds since 1970: steps 6 to 8, 12,
    /// 13 and the ceiling of 14. What rests on the bytes alone was proven and cannot change.
    ///
    /// Gives the time up to which the answer holds as long as the trust configuration is the same.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn still_stands(&self, standing: &Standing, now: u64) -> Result<u64, AttestationError> {
        let now = now / 1_000_000_000;
        let until = match (&standing.signed, self.trust()) {
            (Some(signed), Some(trust)) => {
                signed.still_holds(&standing.content, trust, self.environment(), now)?
            }
            (Some(_), None) => return Err(AttestationError::NoTrust),
            (None, trust) => {
                trust.map_or(Ok(()), |trust| content_alive(&standing.content, trust))?;
                u64::MAX
            }
        };
        Ok(until.saturating_mul(1_000_000_000))
    }
}

impl Signed {
    fn still_holds(
        &self,
        content: &Content,
        trust: &TrustRoot,
        environment: Environment,
        now: u64,
    ) -> Result<u64, AttestationError> {
        accepted(&self.leaf, trust)?;
        let paths = chain::paths(&self.leaf, trust, self.notes.moment(trust, now)?)?;
        self.notes.logged(trust)?;
        let (publisher, path) = identity(&self.leaf, &paths, trust, environment)?;
        allowed(content, publisher, &self.leaf, path, trust)?;
        let scene = Scene { content, publisher, leaf: &self.leaf, trust, environment, now };
        let attested = self.witnesses.attest(&scene)?;
        Ok(path.until(&self.leaf, trust.clock_skew().as_secs()).min(attested.until))
    }
}
