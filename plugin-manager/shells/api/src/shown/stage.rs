//! What a staging run found.

use plugin_manager::{SoakReport, StageReport, TestReport};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a staging run found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Staged {
    /// The plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// Of its manifest.
    pub digest: String,
    /// The engine it ran on.
    pub engine: String,
    /// Whether nothing speaks against it.
    pub passed: bool,
    /// What does; empty when it passed.
    pub problems: Vec<String>,
    /// Every test, in the order in which they ran.
    pub tests: Vec<TestLine>,
    /// The soak; none when a test failed.
    pub soak: Option<SoakLine>,
    /// The identity of who attested it; none when nobody did.
    pub stager: Option<String>,
}

/// One test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestLine {
    /// The file it stands in.
    pub file: String,
    /// Its name.
    pub name: String,
    /// The operation it calls.
    pub operation: String,
    /// How long the call took.
    pub took_us: u64,
    /// Whether it ended as it says.
    pub passed: bool,
    /// In what it did not.
    pub problems: Vec<String>,
}

/// The soak.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SoakLine {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that ended otherwise than their test expects.
    pub failures: u64,
    /// Instances that were lost.
    pub traps: u64,
    /// Host calls that were denied.
    pub denials: u64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// What half of the calls took at most, to a quarter.
    pub p50_us: u64,
    /// What 99 of 100 took at most, to a quarter.
    pub p99_us: u64,
    /// Bytes of linear memory when it began.
    pub memory_begin_bytes: u64,
    /// When half of it was done.
    pub memory_half_bytes: u64,
    /// When it ended.
    pub memory_end_bytes: u64,
    /// What speaks against the package.
    pub problems: Vec<String>,
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl From<StageReport> for Staged {
    fn from(report: StageReport) -> Self {
        let problems = report.verdict().err().map(|error| error.reasons().to_vec());
        Self {
            name: report.name,
            version: report.version,
            publisher: report.publisher,
            digest: report.digest.to_string(),
            engine: report.engine,
            passed: problems.is_none(),
            problems: problems.unwrap_or_default(),
            tests: report.tests.into_iter().map(TestLine::from).collect(),
            soak: report.soak.map(SoakLine::from),
            stager: report.stager,
        }
    }
}

impl From<TestReport> for TestLine {
    fn from(test: TestReport) -> Self {
        Self {
            file: test.file,
            name: test.name,
            operation: test.operation,
            took_us: us(test.took),
            passed: test.problems.is_empty(),
            problems: test.problems,
        }
    }
}

impl From<SoakReport> for SoakLine {
    fn from(soak: SoakReport) -> Self {
        let [memory_begin_bytes, memory_half_bytes, memory_end_bytes] = soak.memory;
        Self {
            calls: soak.calls,
            failures: soak.failures,
            traps: soak.traps,
            denials: soak.denials,
            elapsed_ms: us(soak.elapsed) / 1000,
            p50_us: us(soak.p50),
            p99_us: us(soak.p99),
            memory_begin_bytes,
            memory_half_bytes,
            memory_end_bytes,
            problems: soak.problems,
        }
    }
}
