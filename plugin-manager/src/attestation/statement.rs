//! The signed statement: which files, by digest, and which package they are.

use super::error::AttestationError;
use crate::loader::Package;
use crate::loader::document::{self, DocumentError, Node};
use common::identity::{Digest, Name};
use semver::Version;
use serde::Serialize;
use std::collections::BTreeMap;

/// The type of the predicate that says: this is a ForgeOne package.
pub const PREDICATE_TYPE: &str = "https://forgeone.dev/attestations/package/v1";
pub(super) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const MAX_STATEMENT: usize = 2 << 20;
const MAX_SUBJECTS: usize = 4097;

/// A package statement. Believed only after its signature was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) subjects: BTreeMap<String, Digest>,
    pub(super) name: Name,
    pub(super) version: Version,
    pub(super) publisher: Name,
    pub(super) manifest: Digest,
    pub(super) signed_at: String,
}

impl Statement {
    /// What a signer says of a package.
    pub(super) fn of(package: &Package, signed_at: String) -> Self {
        let manifest = package.manifest();
        Self {
            subjects: package.contents().map(|(name, file)| (name.to_owned(), file.digest())).collect(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            publisher: manifest.publisher.clone(),
            manifest: package.manifest_digest(),
            signed_at,
        }
    }

    /// Step 10, its form: the statement's and the predicate's type, and nothing that is not known.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, AttestationError> {
        let document = document::json(payload, MAX_STATEMENT).map_err(AttestationError::Statement)?;
        Self::read(document).map_err(AttestationError::Statement)
    }

    fn read(document: Node) -> Result<Self, DocumentError> {
        let mut top = document.fields(&["_type", "subject", "predicateType", "predicate"])?;
        exactly(&top.need("_type")?, STATEMENT_TYPE)?;
        exactly(&top.need("predicateType")?, PREDICATE_TYPE)?;
        let mut predicate =
            top.need("predicate")?.fields(&["name", "version", "publisher", "manifest", "signedAt"])?;
        Ok(Self {
            subjects: subjects(top.need("subject")?)?,
            name: predicate.need("name")?.parse(256)?,
            version: predicate.need("version")?.parse(256)?,
            publisher: predicate.need("publisher")?.parse(256)?,
            manifest: predicate.need("manifest")?.parse(256)?,
            signed_at: document::clip(predicate.need("signedAt")?.text(40)?),
        })
    }

    /// Step 10, its content: the files that were signed are exactly those that are there.
    pub(super) fn covers(&self, package: &Package) -> Result<(), AttestationError> {
        let differs = |file: &str, how| AttestationError::Subjects { file: document::clip(file), how };
        for (name, file) in package.contents() {
            match self.subjects.get(name) {
                None => return Err(differs(name, "is in the package but was not signed")),
                Some(digest) if *digest != file.digest() => {
                    return Err(differs(name, "is not the file that was signed"));
                }
                Some(_) => {}
            }
        }
        match self.subjects.keys().find(|name| package.file(name).is_none()) {
            Some(name) => Err(differs(name, "was signed but is not in the package")),
            None => Ok(()),
        }
    }

    /// Step 11: the manifest is the one the predicate describes.
    pub(super) fn describes(&self, package: &Package) -> Result<(), AttestationError> {
        let m = package.manifest();
        let same = |field, manifest: String, signed: String| match manifest == signed {
            true => Ok(()),
            false => Err(AttestationError::Predicate { field, manifest, signed }),
        };
        same("digest", package.manifest_digest().to_string(), self.manifest.to_string())?;
        same("name", m.name.to_string(), self.name.to_string())?;
        same("version", m.version.to_string(), self.version.to_string())?;
        same("publisher", m.publisher.to_string(), self.publisher.to_string())
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let subject = |(name, digest): (&String, &Digest)| SubjectOut {
            name: name.clone(),
            digest: DigestOut { sha256: digest.hex() },
        };
        serde_json::to_vec(&Out {
            statement_type: STATEMENT_TYPE,
            subject: self.subjects.iter().map(subject).collect(),
            predicate_type: PREDICATE_TYPE,
            predicate: PredicateOut {
                name: self.name.as_str(),
                version: self.version.to_string(),
                publisher: self.publisher.as_str(),
                manifest: self.manifest.to_string(),
                signed_at: &self.signed_at,
            },
        })
    }
}

fn exactly(node: &Node, wanted: &str) -> Result<(), DocumentError> {
    if node.text(256)? == wanted { Ok(()) } else { Err(node.fail(format!("must be {wanted}"))) }
}

fn subjects(node: Node) -> Result<BTreeMap<String, Digest>, DocumentError> {
    let mut subjects = BTreeMap::new();
    for item in node.list(MAX_SUBJECTS)? {
        let mut subject = item.fields(&["name", "digest"])?;
        let name = subject.need("name")?;
        let digest = subject.need("digest")?.fields(&["sha256"])?.need("sha256")?;
        let value =
            format!("sha256:{}", digest.text(64)?).parse().map_err(|_| digest.fail("is not a SHA-256"))?;
        if subjects.insert(name.text(256)?.to_owned(), value).is_some() {
            return Err(name.fail("is there twice"));
        }
    }
    Ok(subjects)
}

#[derive(Serialize)]
struct Out<'a> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: Vec<SubjectOut>,
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: PredicateOut<'a>,
}

#[derive(Serialize)]
struct SubjectOut {
    name: String,
    digest: DigestOut,
}

#[derive(Serialize)]
struct DigestOut {
    sha256: String,
}

#[derive(Serialize)]
struct PredicateOut<'a> {
    name: &'a str,
    version: String,
    publisher: &'a str,
    manifest: String,
    #[serde(rename = "signedAt")]
    signed_at: &'a str,
}
