//! A verifier with what became of the trust configuration: one that is there and cannot be used refuses, and is
//! never taken for one that is not there.

use super::sources;
use crate::attestation::{CheckOutcome, Refusal, VerifiedPackage, Verifier};
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

fn check_line(c: &CheckOutcome) -> String {
    format!("check {} {}: {}: {}", c.step.number(), c.step.title(), c.outcome.name(), c.detail)
}
