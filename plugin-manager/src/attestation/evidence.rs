//! What was checked, in which order, with which result: the evidence a verification leaves.

use crate::loader::LoadError;
use common::crypto::Algorithm;
use common::error::{Code, Coded};
use common::identity::{Digest, Name, Publisher};

/// A step of verification, numbered as in TRUST.md, section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "`title` says what each is")]
pub enum Step {
    Structure = 1,
    Entries = 2,
    Digests = 3,
    Signed = 4,
    Bundle = 5,
    Leaf = 6,
    Path = 7,
    Identity = 8,
    Signature = 9,
    Statement = 10,
    Manifest = 11,
    Trust = 12,
    Attestations = 13,
    Module = 14,
}

impl Step {
    /// The number in TRUST.md.
    pub const fn number(self) -> u8 {
        self as u8
    }
    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Entries => "entries",
            Self::Digests => "digests",
            Self::Signed => "signed",
            Self::Bundle => "bundle",
            Self::Leaf => "leaf",
            Self::Path => "path",
            Self::Identity => "identity",
            Self::Signature => "signature",
            Self::Statement => "statement",
            Self::Manifest => "manifest",
            Self::Trust => "trust",
            Self::Attestations => "attestations",
            Self::Module => "module",
        }
    }
    /// What it checks, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Structure => "size, gzip and tar",
            Self::Entries => "the exact set of entries",
            Self::Digests => "every file against its digest",
            Self::Signed => "a signature is there",
            Self::Bundle => "the bundle's shape",
            Self::Leaf => "the certificate's algorithm and use",
            Self::Path => "the path to a trusted authority",
            Self::Identity => "the publisher's identity",
            Self::Signature => "the signature over the statement",
            Self::Statement => "the signed files are the packed ones",
            Self::Manifest => "the manifest is the signed one",
            Self::Trust => "name, version and kill-list",
            Self::Attestations => "further required attestations",
            Self::Module => "the module, its imports and exports",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not; the package is refused with this code.
    Failed(&'static Code),
    /// It was not applicable, for the reason in the detail.
    Skipped,
}

impl Outcome {
    /// A word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutcome {
    /// The step.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, or why it failed or was skipped.
    pub detail: String,
}

impl CheckOutcome {
    /// The steps up to the one at which bytes turned out to be no package, for a report of the same form as a
    /// [`super::Refusal`]'s. A manifest that does not parse counts as a fault of the entries.
    pub fn of_load_error(error: &LoadError) -> Vec<Self> {
        let failed = match error {
            LoadError::TooLarge { .. }
            | LoadError::Gzip(_)
            | LoadError::Archive { .. }
            | LoadError::Write(_) => Step::Structure,
            LoadError::Entry { .. }
            | LoadError::Duplicate { .. }
            | LoadError::Missing { .. }
            | LoadError::Unexpected { .. }
            | LoadError::Manifest { .. }
            | LoadError::Contradiction { .. } => Step::Entries,
            LoadError::Digest { .. } => Step::Digests,
        };
        let before = [Step::Structure, Step::Entries].into_iter().filter(|step| *step < failed);
        let passed = before.map(|step| Self { step, outcome: Outcome::Passed, detail: String::new() });
        let last = Self { step: failed, outcome: Outcome::Failed(error.code()), detail: error.to_string() };
        passed.chain([last]).collect()
    }
}

/// Who signed, as far as the trust configuration vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signer {
    /// The publisher the identity was mapped to.
    pub publisher: Publisher,
    /// The certificate's URI identity.
    pub uri: String,
    /// The certificate's subject.
    pub subject: String,
    /// The name of the anchor in trust.toml.
    pub anchor: String,
    /// The certificate's serial number in hexadecimal.
    pub serial: String,
    /// The SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// The SHA-256 of its public key.
    pub key: Digest,
    /// The algorithm it signed with.
    pub algorithm: Algorithm,
    /// Seconds since 1970 from which the certificate is valid.
    pub not_before: u64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: u64,
    /// Whether the certificate, or one above it, was made for development.
    pub development: bool,
    /// When the signer says it signed. A claim.
    pub claimed_at: String,
    /// Who else signed, by their names in trust.toml, as far as the publisher's packages must have further signers.
    pub cosigners: Vec<Name>,
}

/// The evidence of a verification that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attestation {
    /// Every step with its outcome, in order.
    pub checks: Vec<CheckOutcome>,
    /// Who signed. Empty when signatures are switched off and the package has none that was judged.
    pub signers: Vec<Signer>,
    /// The publisher: proven when there is a signer, the manifest's claim otherwise.
    pub publisher: Publisher,
    /// The SHA-256 of the `.forgepkg` file.
    pub package: Digest,
    /// The SHA-256 of `manifest.json`, which names every file.
    pub manifest: Digest,
    /// The SHA-256 of `plugin.wasm`.
    pub module: Digest,
    /// The digest of the trust configuration it was judged by.
    pub trust: Option<Digest>,
    /// The time it was judged at, in nanoseconds since 1970.
    pub verified_at: u64,
}

impl Attestation {
    /// Whether a trusted publisher signed it.
    pub const fn signed(&self) -> bool {
        !self.signers.is_empty()
    }
}
