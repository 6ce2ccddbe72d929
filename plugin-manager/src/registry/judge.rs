//! A verifier with what became of the trust configuration: one that is there and cannot be used refuses, and is
//! never taken for one that is not there.

use super::sources;
use crate::attestation::{CheckOutcome, Refusal, Standing, TrustRoot, VerifiedPackage, Verifier};
use crate::config::Config;
use crate::loader::Package;
use crate::metrics::Progress;
use common::error::{ForgeError, codes};
use std::path::Path;

/// Judges packages by the configuration and the trust of one home.
#[derive(Debug)]
pub(crate) struct Judge {
    verifier: Verifier,
    /// Why `trust.toml` cannot be used, when it is there and cannot.
    problem: Option<ForgeError>,
}

impl Judge {
    /// The judge of this configuration and the trust configuration in this directory.
    ///
    /// # Errors
    /// When signatures are switched off where that is not allowed.
    pub fn new(config: &Config, trust_dir: &Path) -> Result<Self, ForgeError> {
        let (trust, problem) = match sources::trust(trust_dir) {
            Ok(trust) => (trust, None),
            Err(problem) => (None, Some(problem)),
        };
        Ok(Self { verifier: sources::verifier(config, trust)?, problem })
    }

    /// The judge of a configuration that was accepted and of the trust configuration as it is now, which may have
    /// become one that cannot be used with it.
    ///
    /// # Errors
    /// As [`Judge::new`], without regard to the trust configuration.
    pub fn again(config: &Config, trust_dir: &Path) -> Result<Self, ForgeError> {
        Self::new(config, trust_dir).or_else(|problem| {
            Ok(Self { verifier: sources::verifier(config, None)?, problem: Some(problem) })
        })
    }

    /// Whether it judges by the same as another.
    pub fn is_like(&self, other: &Self) -> bool {
        let said = |judge: &Self| judge.problem().map(|p| (p.code().id, p.to_string(), p.reasons().to_vec()));
        let digest = |judge: &Self| judge.verifier.trust().map(TrustRoot::digest);
        said(self) == said(other) && digest(self) == digest(other)
    }

    /// Whether what was proven still stands at a time, and up to when, both in nanoseconds since 1970.
    ///
    /// # Errors
    /// What refuses it now; or what is wrong with `trust.toml`.
    pub fn still_stands(&self, standing: &Standing, now: u64) -> Result<u64, ForgeError> {
        match &self.problem {
            Some(problem) => Err(problem.again()),
            None => Ok(self.verifier.still_stands(standing, now)?),
        }
    }

    /// Proves a package at a time, in nanoseconds since 1970. A package that is not signed where it must be is
    /// refused as such, whatever is wrong with the trust configuration.
    ///
    /// # Errors
    /// The first check that refuses, with those before it as reasons; or what is wrong with `trust.toml`.
    pub fn prove(
        &self,
        package: Package,
        now: u64,
        progress: &dyn Progress,
    ) -> Result<VerifiedPackage, ForgeError> {
        let judged = self.verifier.verify_telling(package, now, progress).map_err(refused);
        match (&self.problem, judged) {
            (Some(_), Err(error)) if error.code() == &codes::E1201 => Err(error),
            // What is wrong with it holds for every package.
            (Some(problem), _) => Err(problem.again()),
            (None, judged) => judged,
        }
    }

    /// What is wrong with `trust.toml`, when it is there and cannot be used.
    pub fn problem(&self) -> Option<&ForgeError> {
        self.problem.as_ref()
    }

    /// The verifier behind it.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

/// A refusal with the checks before it as reasons.
fn refused(refusal: Refusal) -> ForgeError {
    let lines: Vec<String> = refusal.checks().iter().map(check_line).collect();
    lines.into_iter().fold(ForgeError::from(refusal), ForgeError::reason)
}

/// What stands before the number of each check among the reasons of a refusal.
const CHECK: &str = "check ";

fn check_line(c: &CheckOutcome) -> String {
    format!("{CHECK}{} {}: {}: {}", c.step.number(), c.step.title(), c.outcome.name(), c.detail)
}

/// An error and its reasons in one line, without the list of checks a refusal comes with: `verify` shows that.
pub(super) fn briefly(error: &ForgeError) -> String {
    let reasons = error.reasons().iter().filter(|reason| !reason.starts_with(CHECK));
    std::iter::once(error.to_string()).chain(reasons.cloned()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_one_line_a_refusal_says_what_and_why_and_no_checks() {
        let error = ForgeError::new(&codes::E1405, "a review is missing").reason("ada is no signer");
        let error = error
            .reason("check 1 size, gzip and tar: passed: sha256:00")
            .reason("check 8 identity: failed: x");
        assert_eq!(briefly(&error), "a review is missing: ada is no signer");
    }
}
