//! What a host says of a package it verified: a SLSA verification summary that binds the package's bytes, its module,
//! the code compiled of it, the trust configuration and the policies it was judged by.
//!
//! An in-toto Statement v1 with predicate `https://slsa.dev/verification_summary/v1`; what SLSA has no field for is under
//! `forgeone`.

use super::staging::SUMMARY_TYPE;
use super::time::rfc3339;
use super::verify::VerifiedPackage;
use common::identity::Digest;
use serde::{Deserialize, Serialize};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a summary binds together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// The `.forgepkg` file.
    pub package: Digest,
    /// Its `manifest.json`.
    pub manifest: Digest,
    /// Its `plugin.wasm`.
    pub module: Digest,
    /// The file of compiled code.
    pub code: Digest,
    /// What the compiled code was made for: the name of its file.
    pub code_key: Digest,
    /// The trust configuration; `None` when there was none.
    pub trust: Option<Digest>,
    /// The policies in force.
    pub policies: Digest,
}

/// What a summary says beside what it binds.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The host that says so: the URI of its key.
    pub verifier: &'a str,
    /// Its engine.
    pub engine: &'a str,
    /// The policy epoch of its process.
    pub epoch: u64,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
}

impl Bound {
    /// What belongs together now.
    pub fn new(package: &VerifiedPackage, (code, code_key): (Digest, Digest), policies: Digest) -> Self {
        let proof = package.attestation();
        let (manifest, module, trust) = (proof.manifest, proof.module, proof.trust);
        Self { package: proof.package, manifest, module, code, code_key, trust, policies }
    }

    /// Whether both are of the same package, whatever it was compiled for and judged by.
    pub fn same_package(&self, other: &Self) -> bool {
        (self.package, self.manifest, self.module) == (other.package, other.manifest, other.module)
    }

    /// The statement about a package, as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn statement(
        &self,
        package: &VerifiedPackage,
        circumstances: &Circumstances<'_>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let manifest = package.package().manifest();
        let named = format!("{}-{}.forgepkg", manifest.name, manifest.version);
        let compiled = format!("compiled/{}", circumstances.engine);
        let subject = [
            (named.as_str(), self.package),
            ("manifest.json", self.manifest),
            ("plugin.wasm", self.module),
            (compiled.as_str(), self.code),
        ];
        let level = if package.attestation().signed() { "FORGEONE_SIGNED" } else { "FORGEONE_UNSIGNED" };
        let bundle = package.package().bundle().filter(|_| package.attestation().signed());
        let input = |bytes| Reference {
            uri: "attestations/package.sigstore.json".to_owned(),
            digest: Some(Sha256::of(&Digest::of(bytes))),
        };
        serde_json::to_vec(&Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject: subject
                .map(|(name, d)| Subject { name: name.to_owned(), digest: Sha256::of(&d) })
                .into(),
            predicate_type: SUMMARY_TYPE.to_owned(),
            predicate: Predicate {
                verifier: Verifier { id: circumstances.verifier.to_owned() },
                time_verified: rfc3339(circumstances.at_ns / 1_000_000_000),
                resource_uri: format!(
                    "forgeone://{}/{}@{}",
                    manifest.publisher, manifest.name, manifest.version
                ),
                policy: Reference {
                    uri: "forgeone:trust/trust.toml".to_owned(),
                    digest: self.trust.as_ref().map(Sha256::of),
                },
                input_attestations: bundle.into_iter().map(input).collect(),
                verification_result: "PASSED".to_owned(),
                verified_levels: vec![level.to_owned()],
                slsa_version: "1.0".to_owned(),
                forgeone: Own {
                    code: Sha256::of(&self.code_key),
                    policies: Sha256::of(&self.policies),
                    epoch: circumstances.epoch,
                },
            },
        })
    }

    /// What a statement binds; `None` for one that is not such a statement.
    pub fn parse(statement: &[u8]) -> Option<Self> {
        let statement: Statement = serde_json::from_slice(statement).ok()?;
        let predicate = statement.predicate;
        let [package, manifest, module, code] = &statement.subject[..] else { return None };
        let right = statement.kind == STATEMENT_TYPE
            && statement.predicate_type == SUMMARY_TYPE
            && predicate.verification_result == "PASSED";
        let trust = match &predicate.policy.digest {
            Some(digest) => Some(digest.digest()?),
            None => None,
        };
        right.then_some(())?;
        Some(Self {
            package: package.digest.digest()?,
            manifest: manifest.digest.digest()?,
            module: module.digest.digest()?,
            code: code.digest.digest()?,
            code_key: predicate.forgeone.code.digest()?,
            trust,
            policies: predicate.forgeone.policies.digest()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Sha256,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256 {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Predicate {
    verifier: Verifier,
    time_verified: String,
    resource_uri: String,
    policy: Reference,
    input_attestations: Vec<Reference>,
    verification_result: String,
    verified_levels: Vec<String>,
    slsa_version: String,
    forgeone: Own,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verifier {
    id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Sha256>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    code: Sha256,
    policies: Sha256,
    epoch: u64,
}

impl Sha256 {
    fn of(digest: &Digest) -> Self {
        Self { sha256: digest.hex() }
    }
    fn digest(&self) -> Option<Digest> {
        format!("sha256:{}", self.sha256).parse().ok()
    }
}
