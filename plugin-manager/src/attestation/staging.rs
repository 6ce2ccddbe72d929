//! The staging attestation: a SLSA verification summary in which a stager says that it tried this package, and when.
//!
//! `https://slsa.dev/spec/v1.0/verification_summary`: what it says of other levels, and keys of other tools, are
//! passed over. It is about the package whose `manifest.json` has the digest it names, and so about every file of it.

use super::error::AttestationError;
use super::judgement::Checked;
use super::statement::STATEMENT_TYPE;
use super::time::{rfc3339, seconds};
use super::witness::{MAX_KEYS, Table};
use crate::loader::document::DocumentError;
use crate::loader::{MANIFEST, MODULE, Manifest, Package};
use common::identity::Digest;
use serde::Serialize;

/// The type of the predicate that says: a verifier tried this, by this policy, with this result.
pub const SUMMARY_TYPE: &str = "https://slsa.dev/verification_summary/v1";
/// Where a package has its staging attestation.
pub const STAGING_BUNDLE: &str = "attestations/staging.sigstore.json";
/// The level that a staging attestation verifies.
pub(super) const LEVEL: &str = "FORGEONE_STAGED";
/// What stands for the version of SLSA that the summary follows.
const SLSA_VERSION: &str = "1.0";
/// The name of the policies that held in the run.
const POLICY_URI: &str = "forgeone:policies";

/// What a staging run found, to be attested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingFacts {
    /// The digest of the policies that held.
    pub policies: Digest,
    /// The engine it ran on.
    pub engine: String,
    /// How many tests of its own it passed.
    pub tests: u64,
    /// How many calls the soak made.
    pub calls: u64,
}

/// What a verification summary says, as far as it is asked for. Whose it is proves nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    /// Who says so, by its own word.
    pub(super) stager: String,
    /// When it was tried, in seconds since 1970.
    pub(super) at: u64,
}

impl Staged {
    /// The summary in a statement, when it is about this package and says that it was staged.
    pub(super) fn read(mut top: Table, package: &Package) -> Checked<Self> {
        match parse(&mut top, package).map_err(AttestationError::Statement)? {
            (true, staged) => Ok(staged),
            (false, _) => {
                Err(AttestationError::Subjects { file: MANIFEST.to_owned(), how: "is not what was staged" })
            }
        }
    }
}

/// Whether the package is among its subjects, and what it says.
fn parse(top: &mut Table, package: &Package) -> Result<(bool, Staged), DocumentError> {
    exactly("_type", top.text("_type")?, STATEMENT_TYPE)?;
    let manifest = package.manifest_digest().hex();
    let mut about = false;
    for subject in top.need("subject")?.list(MAX_KEYS)? {
        let mut subject = Table::of(subject)?;
        let named = subject.text("name")? == MANIFEST;
        let mut digests = Table::of(subject.need("digest")?)?;
        about |= named && digests.take("sha256").is_some_and(|d| d.text(64).is_ok_and(|hex| hex == manifest));
    }
    let mut predicate = Table::of(top.need("predicate")?)?;
    let stager = Table::of(predicate.need("verifier")?)?.text("id")?;
    exactly("verificationResult", predicate.text("verificationResult")?, "PASSED")?;
    exactly("resourceUri", predicate.text("resourceUri")?, &resource(package.manifest()))?;
    let levels = predicate.need("verifiedLevels")?.list(MAX_KEYS)?;
    if !levels.iter().any(|level| level.text(256).is_ok_and(|text| text == LEVEL)) {
        return Err(DocumentError::new("verifiedLevels", format!("lacks {LEVEL}")));
    }
    let at = predicate.text("timeVerified")?;
    let wrong = || DocumentError::new("timeVerified", "must be a time such as 2026-11-20T23:08:45Z");
    Ok((about, Staged { stager, at: seconds(&at).ok_or_else(wrong)? }))
}

fn exactly(key: &str, is: String, wanted: &str) -> Result<(), DocumentError> {
    if is == wanted { Ok(()) } else { Err(DocumentError::new(key, format!("must be {wanted}"))) }
}

/// The name a summary has for a package.
fn resource(manifest: &Manifest) -> String {
    format!("forgeone:{}/{}@{}", manifest.publisher, manifest.name, manifest.version)
}

/// The statement of whom this URI identifies that a staging run passed at a time, in seconds since 1970.
pub(super) fn statement(
    package: &Package,
    facts: &StagingFacts,
    stager: &str,
    at: u64,
) -> Result<Vec<u8>, serde_json::Error> {
    let subject = |name: &'static str, digest: Digest| Described { name, digest: digest.into() };
    let bundle = package.bundle().map(Digest::of);
    serde_json::to_vec(&Out {
        kind: STATEMENT_TYPE,
        subject: vec![subject(MANIFEST, package.manifest_digest()), subject(MODULE, package.module_digest())],
        predicate_type: SUMMARY_TYPE,
        predicate: Predicate {
            verifier: Verifier { id: stager },
            time_verified: rfc3339(at),
            resource_uri: resource(package.manifest()),
            policy: Policy { uri: POLICY_URI, digest: facts.policies.into() },
            input_attestations: bundle.map(|digest| Input { digest: digest.into() }).into_iter().collect(),
            verification_result: "PASSED",
            verified_levels: [LEVEL],
            slsa_version: SLSA_VERSION,
            figures: Figures { engine: &facts.engine, tests: facts.tests, calls: facts.calls },
        },
    })
}

#[derive(Serialize)]
struct Out<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Described>,
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
struct Described {
    name: &'static str,
    digest: Sha256,
}

#[derive(Serialize)]
struct Sha256 {
    sha256: String,
}

impl From<Digest> for Sha256 {
    fn from(digest: Digest) -> Self {
        Self { sha256: digest.hex() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    verifier: Verifier<'a>,
    time_verified: String,
    resource_uri: String,
    policy: Policy,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    input_attestations: Vec<Input>,
    verification_result: &'static str,
    verified_levels: [&'static str; 1],
    slsa_version: &'static str,
    /// What is said beside what SLSA asks for.
    #[serde(rename = "https://forgeone.dev/attestations/staging/v1")]
    figures: Figures<'a>,
}

#[derive(Serialize)]
struct Verifier<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Policy {
    uri: &'static str,
    digest: Sha256,
}

#[derive(Serialize)]
struct Input {
    digest: Sha256,
}

#[derive(Serialize)]
struct Figures<'a> {
    engine: &'a str,
    tests: u64,
    calls: u64,
}
