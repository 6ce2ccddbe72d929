//! What keeps a package from being staged, other than that it failed.

use super::cases::{FOLDER, MAX_FILE, MAX_TESTS};
use super::soak::{LONGEST, MOST_CALLS};
use common::config::Span;
use common::error::{Code, Coded, codes};
use std::path::PathBuf;

/// Why a staging run could not be made, or was not finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    /// Production and development do not attest.
    #[error("this home is for {0}; only a staging home attests")]
    NotStaging(&'static str),
    /// There is nothing to attest. The author adds tests.
    #[error("the package has no tests: no file {FOLDER}NAME.json")]
    NoTests,
    /// No test may be repeated, so that there is nothing to soak. The author lets one.
    #[error("every test of the package says \"soak\": false")]
    NothingToSoak,
    /// A file of tests is not of the format.
    #[error("{file} is no list of tests")]
    Format {
        /// The file.
        file: String,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// A test cannot be run as it is written.
    #[error("{file}: test \"{test}\" {problem}")]
    Test {
        /// The file.
        file: String,
        /// Its name.
        test: String,
        /// What is wrong.
        problem: String,
    },
    /// A file of tests is too large.
    #[error("{0} has more than {MAX_FILE} bytes")]
    Large(String),
    /// There are too many tests.
    #[error("the package has more than {MAX_TESTS} tests")]
    Many,
    /// The soak is empty or too long.
    #[error("a soak has 1 to {MOST_CALLS} calls, or takes 1s to {}", Span(LONGEST))]
    Length,
    /// Another run goes on.
    #[error("another package is being staged in this home")]
    Busy,
    /// Whoever asked for it went away.
    #[error("the staging run was given up")]
    GivenUp,
    /// The home of the run could not be made.
    #[error("the home of the staging run cannot be made: {path}")]
    Scratch {
        /// Which part.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is more trust configuration than is copied.
    #[error("{0} has more files than a staging run copies")]
    Trust(PathBuf),
    /// The home has no key whose attestation would count.
    #[error("no signer of this home's trust.toml with the role \"staging\" has its key here{}", among(.0))]
    NoStager(Vec<String>),
    /// Several have, and none was named.
    #[error("several stage in this home: {}", .0.join(", "))]
    ManyStagers(Vec<String>),
}

fn among(named: &[String]) -> String {
    if named.is_empty() { String::new() } else { format!(" of {}", named.join(", ")) }
}

impl Coded for StagingError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotStaging(_) => &codes::E0109,
            Self::NoTests
            | Self::NothingToSoak
            | Self::Format { .. }
            | Self::Test { .. }
            | Self::Large(_)
            | Self::Many => &codes::E1018,
            Self::Length | Self::ManyStagers(_) => &codes::E0101,
            Self::Busy => &codes::E4030,
            Self::GivenUp => &codes::E4031,
            Self::Scratch { .. } | Self::Trust(_) => &codes::E0002,
            Self::NoStager(_) => &codes::E5008,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NoStager(_) => {
                Some("make one with `forgeone keys issue stager --signer --role staging`".to_owned())
            }
            Self::ManyStagers(_) => Some("name one with --as".to_owned()),
            Self::Busy => Some("stage it when that run is over".to_owned()),
            _ => None,
        }
    }
}
