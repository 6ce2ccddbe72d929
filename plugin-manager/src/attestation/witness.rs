//! Step 13: what a package carries beside its publisher's signature, and what `trust.toml` demands of it.
//!
//! Each further signature is a bundle of its own in `attestations/`. One that does not hold counts for nothing and
//! refuses nothing: only what is demanded and missing refuses. What holds by itself is found once; who counts is
//! asked of the trust configuration each time.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::chain::{self, Path};
use super::error::AttestationError;
use super::judgement::{Checked, Content, accepted, issued_by, lasting, path_alive};
use super::staging::{SUMMARY_TYPE, Staged};
use super::statement::{PREDICATE_TYPE, STATEMENT_TYPE, Statement};
use super::time::rfc3339;
use super::trust::{Environment, PublisherEntry, Requirement, SignerEntry, TrustRoot};
use crate::loader::document::{self, DocumentError, Node, clip};
use crate::loader::{BUNDLE, Manifest, Package};
use common::config::Span;
use common::error::Coded;
use common::identity::{Digest, Name};
use std::collections::{BTreeMap, BTreeSet};

/// The type of the predicate that says how and by whom a module was built.
pub const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// The file of the software bill of materials.
const SBOM: &str = "sbom.cdx.json";
/// Bundles that are looked at beside the publisher's.
const MAX_WITNESSES: usize = 64;
const MAX_STATEMENT: usize = 2 << 20;
const MAX_SBOM: usize = 16 << 20;
pub(super) const MAX_KEYS: usize = 4096;
const MAX_WORD: usize = 1024;

/// A further signature that is its certificate's over a statement about this package. Whose it is proves nothing yet.
#[derive(Debug, Clone)]
struct Witness {
    file: String,
    leaf: Cert,
    says: Says,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    /// What the publisher's says.
    Package,
    /// This builder built the module.
    Provenance { builder: String },
    /// This package was tried in staging.
    Staged(Staged),
}

/// What a package carries beside its publisher's signature.
#[derive(Debug, Clone)]
pub(super) struct Witnesses {
    found: Vec<Witness>,
    /// What does not count whoever is trusted, each with its reason.
    unfit: Vec<String>,
    sbom: Result<(), String>,
}

/// That everything demanded is there.
#[derive(Debug)]
pub(super) struct Attested {
    /// Names of the signers that count beside the publisher.
    pub(super) signers: Vec<Name>,
    /// For the evidence.
    pub(super) detail: String,
    /// Seconds since 1970 up to which that holds, unless the trust configuration changes.
    pub(super) until: u64,
}

impl Witnesses {
    pub(super) fn of(package: &Package) -> Self {
        let (mut found, mut unfit) = (Vec::new(), Vec::new());
        let others =
            package.attestations().filter(|(name, _)| *name != BUNDLE && name.ends_with(".sigstore.json"));
        for (name, bytes) in others {
            let witness = match found.len() + unfit.len() < MAX_WITNESSES {
                true => witness(name, bytes, package).map_err(|e| format!("{e}{}", cause(&e))),
                false => Err(format!("it is beyond the first {MAX_WITNESSES}")),
            };
            match witness {
                Ok(witness) => found.push(witness),
                Err(why) => unfit.push(format!("{name}: {why}")),
            }
        }
        Self { found, unfit, sbom: sbom(package) }
    }

    /// Step 13.
    ///
    /// # Errors
    /// E1405, naming what is missing and why what is there does not count.
    pub(super) fn attest(&self, scene: &Scene<'_>) -> Checked<Attested> {
        let mut attested = Attested { signers: Vec::new(), detail: String::new(), until: u64::MAX };
        let mut seen = Vec::new();
        if scene.publisher.required_signers > 1 || !scene.publisher.required_roles.is_empty() {
            self.count(scene, &mut attested)?;
            seen.push(format!("{} signers", attested.signers.len() + 1));
        }
        let demanded = scene.trust.config().require.union(&scene.publisher.require);
        // One trust.toml may serve both: what staging is to attest it does not demand.
        let asked =
            |r: &&Requirement| **r != Requirement::Staging || scene.environment == Environment::Production;
        for requirement in demanded.filter(asked) {
            match requirement {
                Requirement::Sbom => self.sbom.clone().map_err(|why| scene.missing("an SBOM", vec![why]))?,
                Requirement::Provenance => attested.until = attested.until.min(self.provenance(scene)?),
                Requirement::Staging => {
                    let (until, staged) = self.staging(scene)?;
                    attested.until = attested.until.min(until);
                    seen.push(staged);
                    continue;
                }
            }
            seen.push(requirement.name().to_owned());
        }
        attested.detail = match seen.is_empty() {
            true => "none beyond the signature is required".to_owned(),
            false => seen.join(", "),
        };
        Ok(attested)
    }

    /// m of n: as many distinct signers as must be, the publisher included, and a holder of each role.
    fn count(&self, scene: &Scene<'_>, attested: &mut Attested) -> Checked<()> {
        let (mut keys, mut not) = (BTreeSet::from([scene.leaf.key_digest()]), self.unfit.clone());
        let mut counted: BTreeMap<&Name, &SignerEntry> = BTreeMap::new();
        for witness in self.found.iter().filter(|w| w.says == Says::Package) {
            match scene.signer(&witness.leaf) {
                Ok((entry, until)) if keys.insert(witness.leaf.key_digest()) => {
                    // A second signature of the same signer with another key of theirs adds nobody.
                    counted.insert(&entry.name, entry);
                    attested.until = attested.until.min(until);
                }
                Ok((entry, _)) => {
                    not.push(format!("{}: the key of {} counts already", witness.file, entry.name))
                }
                Err(why) => not.push(format!("{}: {why}", witness.file)),
            }
        }
        let publisher = scene.publisher;
        if counted.len() + 1 < publisher.required_signers {
            let what =
                format!("{} of the {} signers it must have", counted.len() + 1, publisher.required_signers);
            return Err(AttestationError::Missing {
                what: format!("{} has {what}", scene.package()),
                there: not,
            });
        }
        let held = |role: &&Name| !counted.values().any(|signer| signer.roles.contains(role));
        if let Some(role) = publisher.required_roles.iter().find(held) {
            return Err(scene.missing(&format!("the signature of a {role}"), not));
        }
        attested.signers = counted.into_keys().cloned().collect();
        Ok(())
    }

    /// A provenance by the publisher or one of its signers, of a builder that is accepted. Seconds up to which it holds.
    fn provenance(&self, scene: &Scene<'_>) -> Checked<u64> {
        let mut not = self.unfit.clone();
        let builders = &scene.publisher.builders;
        for witness in &self.found {
            let Says::Provenance { builder } = &witness.says else { continue };
            let vouched = scene.publisher_or_signer(&witness.leaf);
            match vouched {
                Ok(until) if builders.is_empty() || builders.contains(builder) => return Ok(until),
                Ok(_) => not.push(format!("{}: the builder {} is not accepted", witness.file, clip(builder))),
                Err(why) => not.push(format!("{}: {why}", witness.file)),
            }
        }
        Err(scene.missing("a provenance", not))
    }

    /// A staging attestation by somebody who stages for this host, not too old. Seconds up to which it holds, and what
    /// the evidence says of it.
    fn staging(&self, scene: &Scene<'_>) -> Checked<(u64, String)> {
        let (mut not, mut newest_old) = (self.unfit.clone(), None);
        let policy = &scene.trust.config().staging;
        let skew = scene.trust.clock_skew().as_secs();
        for witness in &self.found {
            let Says::Staged(staged) = &witness.says else { continue };
            let at = staged.at;
            let holds_until = policy.max_age.map_or(u64::MAX, |age| at.saturating_add(age.as_secs()));
            match scene.stager(&witness.leaf, staged) {
                Err(why) => not.push(format!("{}: {why}", witness.file)),
                Ok(_) if at > scene.now.saturating_add(skew) => {
                    not.push(format!("{}: it is of the future: {}", witness.file, rfc3339(at)));
                }
                Ok(_) if holds_until < scene.now => newest_old = newest_old.max(Some(at)),
                Ok((entry, until)) => {
                    let seen = format!("staging by {} at {}", entry.name, rfc3339(at));
                    return Ok((until.min(holds_until), seen));
                }
            }
        }
        match (newest_old, policy.max_age) {
            (Some(at), Some(age)) => Err(AttestationError::StagedLongAgo {
                package: scene.package(),
                at: rfc3339(at),
                max_age: Span(age).to_string(),
            }),
            _ => Err(scene.missing("a staging attestation", not)),
        }
    }
}

/// Before whom witnesses are heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) content: &'a Content,
    pub(super) publisher: &'a PublisherEntry,
    /// The publisher's own certificate.
    pub(super) leaf: &'a Cert,
    pub(super) trust: &'a TrustRoot,
    pub(super) environment: Environment,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl<'a> Scene<'a> {
    fn package(&self) -> String {
        format!("package {} {}", self.content.manifest.name, self.content.manifest.version)
    }

    fn missing(&self, what: &str, there: Vec<String>) -> AttestationError {
        AttestationError::Missing {
            what: format!("{} lacks {what}, which trust.toml requires", self.package()),
            there,
        }
    }

    /// Who of those that count it is, and up to when that holds; or why it is none.
    fn signer(&self, leaf: &Cert) -> Result<(&'a SignerEntry, u64), String> {
        let uri = leaf.uri().map_err(|e| e.to_string())?;
        let entry = self.trust.signers_of(self.publisher).find(|s| s.uri == uri);
        let entry =
            entry.ok_or_else(|| format!("{} is no signer for {}", clip(&uri), self.publisher.name))?;
        Ok((entry, self.vouched(leaf, &uri)?))
    }

    /// Who of those that stage for this host it is, and up to when that holds; or why it is none.
    fn stager(&self, leaf: &Cert, staged: &Staged) -> Result<(&'a SignerEntry, u64), String> {
        let uri = leaf.uri().map_err(|e| e.to_string())?;
        if uri != staged.stager {
            return Err(format!("{} signed what {} is to have found", clip(&uri), clip(&staged.stager)));
        }
        let entry = self.trust.config().stagers().find(|s| s.uri == uri);
        let entry = entry.ok_or_else(|| format!("{} does not stage for this host", clip(&uri)))?;
        Ok((entry, self.vouched(leaf, &uri)?))
    }

    fn publisher_or_signer(&self, leaf: &Cert) -> Result<u64, String> {
        let uri = leaf.uri().map_err(|e| e.to_string())?;
        match uri == self.publisher.uri {
            true => self.vouched(leaf, &uri),
            false => self.signer(leaf).map(|(_, until)| until),
        }
    }

    /// Everything that is asked of the publisher's own certificate.
    fn vouched(&self, leaf: &Cert, uri: &str) -> Result<u64, String> {
        let vouched = || {
            accepted(leaf, self.trust)?;
            let paths = chain::paths(leaf, self.trust, self.now)?;
            let path: &Path<'_> = issued_by(uri, &paths)?;
            lasting(leaf, path, self.environment)?;
            path_alive(leaf, path, self.trust)?;
            Ok(path.until(leaf, self.trust.clock_skew().as_secs()))
        };
        vouched().map_err(|e: AttestationError| format!("{}: {e}", e.code().id))
    }
}

fn cause(error: &AttestationError) -> String {
    std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"))
}

fn witness(name: &str, bytes: &[u8], package: &Package) -> Checked<Witness> {
    let bundle = Bundle::parse(bytes)?;
    let leaf = Cert::parse(&bundle.certificate)?;
    leaf.check_leaf()?;
    let signed = leaf.public_key()?.verify(&bundle.signed_bytes(), &bundle.signature);
    signed.map_err(|_| AttestationError::Signature)?;
    Ok(Witness { file: name.to_owned(), leaf, says: says(&bundle.payload, package)? })
}

fn says(payload: &[u8], package: &Package) -> Checked<Says> {
    let document = document::json(payload, MAX_STATEMENT).map_err(AttestationError::Statement)?;
    let mut top = Table::of(document).map_err(AttestationError::Statement)?;
    let kind = top.text("predicateType").map_err(AttestationError::Statement)?;
    match kind.as_str() {
        PREDICATE_TYPE => {
            let statement = Statement::parse(payload)?;
            statement.covers(package)?;
            statement.describes(package)?;
            Ok(Says::Package)
        }
        PROVENANCE_TYPE => provenance(top, package),
        SUMMARY_TYPE => Staged::read(top, package).map(Says::Staged),
        _ => Err(AttestationError::NotAccepted { what: format!("a statement of type {}", clip(&kind)) }),
    }
}

/// A SLSA provenance: further keys are other tools' and are passed over.
fn provenance(mut top: Table, package: &Package) -> Checked<Says> {
    let module = package.module_digest();
    let mut read = || {
        let kind = top.text("_type")?;
        if kind != STATEMENT_TYPE {
            return Err(DocumentError::new("_type", format!("must be {STATEMENT_TYPE}")));
        }
        let mut about = false;
        for subject in top.need("subject")?.list(MAX_KEYS)? {
            let mut digests = Table::of(Table::of(subject)?.need("digest")?)?;
            about |= digests.take("sha256").is_some_and(|d| d.text(64).is_ok_and(|hex| hex == module.hex()));
        }
        let mut predicate = Table::of(top.need("predicate")?)?;
        Table::of(predicate.need("buildDefinition")?)?.text("buildType")?;
        let builder = Table::of(predicate.need("runDetails")?)?.need("builder")?;
        Ok((about, Table::of(builder)?.text("id")?))
    };
    match read().map_err(AttestationError::Statement)? {
        (true, builder) => Ok(Says::Provenance { builder }),
        (false, _) => {
            let how = "is not what the provenance is about";
            Err(AttestationError::Subjects { file: "plugin.wasm".to_owned(), how })
        }
    }
}

/// A CycloneDX document about this plugin, this version and, when it says so, this module.
fn sbom(package: &Package) -> Result<(), String> {
    let file = package.file(SBOM).ok_or_else(|| format!("the package has no {SBOM}"))?;
    cyclonedx(file.bytes(), package.manifest(), package.module_digest()).map_err(|e| format!("{SBOM}: {e}"))
}

pub(super) fn cyclonedx(bytes: &[u8], manifest: &Manifest, module: Digest) -> Result<(), DocumentError> {
    let mut top = Table::of(document::json(bytes, MAX_SBOM)?)?;
    if top.text("bomFormat")? != "CycloneDX" {
        return Err(DocumentError::new("bomFormat", "must be CycloneDX"));
    }
    let version = top.text("specVersion")?;
    let minor = version.strip_prefix("1.").and_then(|minor| minor.parse::<u8>().ok());
    if !minor.is_some_and(|minor| (2..=7).contains(&minor)) {
        return Err(DocumentError::new("specVersion", "must be from 1.2 to 1.7"));
    }
    if let Some(components) = top.take("components") {
        for component in components.list(MAX_COMPONENTS)? {
            Table::of(component)?.text("name")?;
        }
    }
    let mut about = Table::of(Table::of(top.need("metadata")?)?.need("component")?)?;
    let same = |key: &str, is: String, want: String| match is == want {
        true => Ok(()),
        false => Err(DocumentError::new(&format!("metadata.component.{key}"), format!("must be {want}"))),
    };
    same("name", about.text("name")?, manifest.name.to_string())?;
    same("version", about.text("version")?, manifest.version.to_string())?;
    let Some(hashes) = about.take("hashes") else { return Ok(()) };
    for hash in hashes.list(MAX_KEYS)? {
        let mut hash = Table::of(hash)?;
        if hash.text("alg")? == "SHA-256" {
            same("hashes", hash.text("content")?, module.hex())?;
        }
    }
    Ok(())
}

/// Most components of a bill of materials.
const MAX_COMPONENTS: usize = 100_000;

/// A table whose unknown keys are passed over: a document of another tool's schema.
pub(super) struct Table(BTreeMap<String, Node>);

impl Table {
    pub(super) fn of(node: Node) -> Result<Self, DocumentError> {
        Ok(Self(node.entries(MAX_KEYS)?.into_iter().collect()))
    }
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        self.0.remove(key)
    }
    pub(super) fn need(&mut self, key: &str) -> Result<Node, DocumentError> {
        self.take(key).ok_or_else(|| DocumentError::new(key, "is missing"))
    }
    pub(super) fn text(&mut self, key: &str) -> Result<String, DocumentError> {
        self.need(key)?.text(MAX_WORD).map(str::to_owned)
    }
}
