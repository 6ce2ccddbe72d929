//! What a staging run found. Shells turn it into tables and JSON; it carries no wire format.

use common::error::{ForgeError, codes};
use common::identity::Digest;
use std::time::Duration;

/// Reasons that an error of a run has at most.
const MAX_REASONS: usize = 50;

/// One test of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// The file it stands in.
    pub file: String,
    /// Its name.
    pub name: String,
    /// The operation it calls.
    pub operation: String,
    /// How long the call took.
    pub took: Duration,
    /// In what it ended otherwise than it says; empty when it passed.
    pub problems: Vec<String>,
}

/// The soak: the calls of the tests, again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SoakReport {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that ended with another status than their test expects, or with none.
    pub failures: u64,
    /// Instances that were lost to a trap or a deadline.
    pub traps: u64,
    /// Host calls that were denied.
    pub denials: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What half of the calls took at most, to a quarter.
    pub p50: Duration,
    /// What 99 of 100 calls took at most, to a quarter.
    pub p99: Duration,
    /// Bytes of linear memory when it began, when half of it was done, and when it ended.
    pub memory: [u64; 3],
    /// What speaks against the package; empty when nothing does.
    pub problems: Vec<String>,
}

/// What a staging run found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageReport {
    /// The plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The engine it ran on.
    pub engine: String,
    /// Every test, in the order in which they ran.
    pub tests: Vec<TestReport>,
    /// The soak; `None` when a test failed, for it is not begun then.
    pub soak: Option<SoakReport>,
    /// Who attested it: the URI identity. `None` when it failed, or nobody was to.
    pub stager: Option<String>,
    /// The attestation, for [`with_staging`](crate::with_staging).
    pub attestation: Option<Vec<u8>>,
}

impl StageReport {
    /// `Ok` when every test passed and nothing in the soak speaks against the package.
    ///
    /// # Errors
    /// E5031, naming what failed.
    pub fn verdict(&self) -> Result<(), ForgeError> {
        let failed = self.tests.iter().filter(|test| !test.problems.is_empty());
        let tests = failed.map(|test| format!("test \"{}\" {}", test.name, test.problems.join(", and ")));
        let soak = self.soak.iter().flat_map(|soak| &soak.problems).map(|why| format!("soak: {why}"));
        let reasons: Vec<String> = tests.chain(soak).collect();
        if reasons.is_empty() {
            return Ok(());
        }
        let error =
            ForgeError::new(&codes::E5031, format!("{} {} failed in staging", self.name, self.version));
        Err(reasons.into_iter().take(MAX_REASONS).fold(error, ForgeError::reason))
    }
}
