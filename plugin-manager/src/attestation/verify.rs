//! The one place where a [`VerifiedPackage`] is made: steps 1 to 14 in order, the first failure refuses.

use super::bundle::Bundle;
use super::certificate::Cert;
use super::chain::{self, Path};
use super::error::AttestationError;
use super::evidence::{Attestation, CheckOutcome, Outcome, Signer, Step};
use super::judgement::{Checked, Content, accepted, allowed, content_alive, identity};
use super::module::{self, ModuleFacts, ModuleLimits, ModuleRules};
use super::notes::{self, Notes};
use super::standing::{Signed, Standing};
use super::statement::Statement;
use super::trust::{Environment, PublisherEntry, TrustRoot};
use super::witness::{Attested, Scene, Witnesses};
use crate::loader::Package;
use crate::metrics::{NoProgress, Phase, Progress, Stage};
use common::error::{Code, Coded};
use common::identity::Name;
use common::words::counted;
use std::error::Error;
use std::fmt;

/// Whether a package without a signature can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignaturePolicy {
    /// It cannot.
    Required,
    /// It can; possible in [`Environment::Development`] alone. A signature that is there is still verified
    /// when there is a trust configuration, and refuses when it does not hold.
    NotRequired,
}

/// Verifies packages: fixed rules, no state, no I/O.
#[derive(Debug, Clone)]
pub struct Verifier {
    trust: Option<TrustRoot>,
    environment: Environment,
    signatures: SignaturePolicy,
    rules: ModuleRules,
    limits: ModuleLimits,
}

/// A package that passed every step, with the evidence. It can be made only by [`Verifier::verify`].
///
/// ```compile_fail
/// use plugin_manager::attestation::VerifiedPackage;
/// fn forge(v: VerifiedPackage) -> VerifiedPackage {
///     VerifiedPackage { ..v }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedPackage {
    package: Package,
    facts: ModuleFacts,
    attestation: Attestation,
    standing: Standing,
}

impl VerifiedPackage {
    /// The package.
    pub const fn package(&self) -> &Package {
        &self.package
    }
    /// Whether it carries a signature that was not judged, as signatures are switched off.
    pub fn unjudged_signature(&self) -> bool {
        self.package.bundle().is_some() && !self.attestation.signed()
    }
    /// What the module was found to be.
    pub const fn facts(&self) -> &ModuleFacts {
        &self.facts
    }
    /// The evidence.
    pub const fn attestation(&self) -> &Attestation {
        &self.attestation
    }
    /// What the proof rests on, to be asked again.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }
    /// Its parts, when the proof has done its work.
    pub fn into_parts(self) -> (Package, ModuleFacts, Attestation) {
        (self.package, self.facts, self.attestation)
    }
}

/// A package that was refused: why, and every step up to there.
#[derive(Debug)]
pub struct Refusal(Box<Refused>);

#[derive(Debug)]
struct Refused {
    checks: Vec<CheckOutcome>,
    error: AttestationError,
    package: Package,
}

impl Refusal {
    /// The steps in order; the last failed.
    pub fn checks(&self) -> &[CheckOutcome] {
        &self.0.checks
    }
    /// Why.
    pub fn error(&self) -> &AttestationError {
        &self.0.error
    }
    /// The package, for messages and records. Nothing in it is proven.
    pub fn package(&self) -> &Package {
        &self.0.package
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.error, f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error.source()
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static Code {
        self.0.error.code()
    }
    fn help(&self) -> Option<String> {
        self.0.error.help()
    }
    fn reasons(&self) -> Vec<String> {
        self.0.error.reasons()
    }
}

impl Verifier {
    /// A verifier of this environment. Without a trust root no signed package can pass where signatures count.
    ///
    /// # Errors
    /// When signatures are switched off outside development, or the trust configuration forbids it.
    pub fn new(
        trust: Option<TrustRoot>,
        environment: Environment,
        signatures: SignaturePolicy,
        rules: ModuleRules,
        limits: ModuleLimits,
    ) -> Result<Self, AttestationError> {
        let demanded = trust.as_ref().and_then(TrustRoot::mode).unwrap_or(environment);
        let environment = environment.min(demanded);
        if signatures == SignaturePolicy::NotRequired && environment != Environment::Development {
            return Err(AttestationError::SignaturesDemanded(environment));
        }
        Ok(Self { trust, environment, signatures, rules, limits })
    }

    /// What is trusted, when there is a trust configuration.
    pub const fn trust(&self) -> Option<&TrustRoot> {
        self.trust.as_ref()
    }

    /// The environment judged for: the stricter of the host's and the trust configuration's.
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// Proves a package at a time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// A [`Refusal`] with the first step that fails and those before it.
    pub fn verify(&self, package: Package, now: u64) -> Result<VerifiedPackage, Refusal> {
        self.verify_telling(package, now, &NoProgress)
    }

    /// [`Verifier::verify`], telling which part goes on.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_telling(
        &self,
        package: Package,
        now: u64,
        progress: &dyn Progress,
    ) -> Result<VerifiedPackage, Refusal> {
        let now_s = now / 1_000_000_000;
        let content = Content::of(&package);
        let mut run = Run {
            verifier: self,
            package: &package,
            content: &content,
            now: now_s,
            checks: Vec::new(),
            progress,
        };
        match run.all() {
            Ok((signer, facts)) => {
                let (signer, signed) = signer.unzip();
                let checks = run.checks;
                let attestation = Attestation {
                    publisher: package.manifest().publisher.clone(),
                    signers: signer.into_iter().collect(),
                    package: package.digest(),
                    manifest: package.manifest_digest(),
                    module: facts.digest,
                    trust: self.trust.as_ref().map(TrustRoot::digest),
                    verified_at: now,
                    checks,
                };
                let standing = Standing { content, signed };
                Ok(VerifiedPackage { package, facts, attestation, standing })
            }
            Err(error) => {
                let checks = run.checks;
                Err(Refusal(Box::new(Refused { checks, error, package })))
            }
        }
    }
}

/// Why the steps of a signature are skipped where there is one.
const NOT_JUDGED: &str = "its signature is not judged";

/// One verification: the checks so far.
struct Run<'a> {
    verifier: &'a Verifier,
    package: &'a Package,
    content: &'a Content,
    now: u64,
    checks: Vec<CheckOutcome>,
    progress: &'a dyn Progress,
}

impl<'a> Run<'a> {
    fn all(&mut self) -> Checked<(Option<(Signer, Signed)>, ModuleFacts)> {
        self.loaded();
        let name = self.package.manifest().name.as_str();
        let verifying = Stage::new(self.progress, Phase::Verify, name, None);
        let signer = match self.signature_to_judge()? {
            Some((bundle, trust)) => Some(self.signed(bundle, trust)?),
            None => {
                let why = if self.package.bundle().is_some() { NOT_JUDGED } else { "unsigned" };
                self.unsigned(why)?;
                None
            }
        };
        drop(verifying);
        let _scanning = Stage::new(self.progress, Phase::Scan, name, None);
        let (package, verifier) = (self.package, self.verifier);
        let facts = module::inspect(package.module(), package.manifest(), &verifier.limits, &verifier.rules);
        let found = |f: &ModuleFacts| format!("{} functions, {} imports", f.functions, f.imports.len());
        let facts = self.record(Step::Module, facts.map_err(AttestationError::from), found)?;
        Ok((signer, facts))
    }

    fn passed(&mut self, step: Step, detail: impl Into<String>) {
        self.checks.push(CheckOutcome { step, outcome: Outcome::Passed, detail: detail.into() });
    }

    fn skipped(&mut self, step: Step, why: &str) {
        self.checks.push(CheckOutcome { step, outcome: Outcome::Skipped, detail: why.to_owned() });
    }

    /// Records how a step ended and hands its result on.
    fn record<T>(&mut self, step: Step, result: Checked<T>, detail: impl FnOnce(&T) -> String) -> Checked<T> {
        match &result {
            Ok(value) => self.passed(step, detail(value)),
            Err(error) => {
                let outcome = Outcome::Failed(error.code());
                self.checks.push(CheckOutcome { step, outcome, detail: error.to_string() });
            }
        }
        result
    }

    /// Steps 1 to 3 are what it takes to be a [`Package`].
    fn loaded(&mut self) {
        let files = self.package.contents().count();
        self.passed(Step::Structure, self.package.digest().to_string());
        self.passed(
            Step::Entries,
            format!(
                "{}, {}",
                counted(files, "file"),
                counted(self.package.attestations().count(), "attestation")
            ),
        );
        self.passed(Step::Digests, format!("manifest {}", self.package.manifest_digest()));
    }

    /// Step 4. Nothing about trust is asked before it is known that there is a signature.
    fn signature_to_judge(&mut self) -> Checked<Option<(&'a [u8], &'a TrustRoot)>> {
        let required = self.verifier.signatures == SignaturePolicy::Required;
        match (self.package.bundle(), &self.verifier.trust) {
            (Some(bundle), Some(trust)) => {
                self.passed(Step::Signed, "attestations/package.sigstore.json");
                Ok(Some((bundle, trust)))
            }
            (Some(_), None) if required => {
                self.record(Step::Signed, Err(AttestationError::NoTrust), |()| String::new()).map(|()| None)
            }
            (None, _) if required => {
                let m = self.package.manifest();
                let error = AttestationError::Unsigned { name: m.name.clone(), version: m.version.clone() };
                self.record(Step::Signed, Err(error), |()| String::new()).map(|()| None)
            }
            (Some(_), None) => {
                self.skipped(
                    Step::Signed,
                    "it is signed; signatures are switched off and there is no trust configuration",
                );
                Ok(None)
            }
            (None, _) => {
                self.skipped(Step::Signed, "signatures are switched off and the package has none");
                Ok(None)
            }
        }
    }

    /// What remains without a signature to judge: the kill-list.
    fn unsigned(&mut self, why: &str) -> Checked<()> {
        for step in [
            Step::Bundle,
            Step::Leaf,
            Step::Path,
            Step::Identity,
            Step::Signature,
            Step::Statement,
            Step::Manifest,
        ] {
            self.skipped(step, why);
        }
        match &self.verifier.trust {
            Some(trust) => {
                let alive = content_alive(self.content, trust);
                self.record(Step::Trust, alive, |()| "kill-list only: unsigned".to_owned())?;
            }
            None => self.skipped(Step::Trust, "there is no trust configuration"),
        }
        self.skipped(Step::Attestations, why);
        Ok(())
    }

    /// Steps 5 to 13.
    fn signed(&mut self, bundle: &[u8], trust: &'a TrustRoot) -> Checked<(Signer, Signed)> {
        let bundle =
            self.record(Step::Bundle, Bundle::parse(bundle), |_| "Sigstore bundle v0.3, DSSE".to_owned())?;
        let leaf = leaf(&bundle, trust);
        let leaf = self.record(Step::Leaf, leaf, Cert::subject)?;
        let notes = Notes::of(&bundle, &leaf)?;
        let judged = notes.moment(trust, self.now);
        let paths = judged.and_then(|moment| chain::paths(&leaf, trust, moment).map(|paths| (moment, paths)));
        let describe = |(moment, paths): &(_, Vec<Path<'_>>)| describe(paths) + &notes::told(*moment);
        let (_, paths) = self.record(Step::Path, paths, describe)?;
        let environment = self.verifier.environment;
        let identity = identity(&leaf, &paths, trust, environment);
        let (publisher, path) =
            self.record(Step::Identity, identity, |(p, _)| format!("{} ({})", p.name, p.uri))?;
        let algorithm = leaf.public_key()?.algorithm();
        let proven = proven(&bundle, &leaf);
        self.record(Step::Signature, proven, |()| algorithm.name().to_owned())?;
        let statement = Statement::parse(&bundle.payload).and_then(|s| s.covers(self.package).map(|()| s));
        let statement = self.record(Step::Statement, statement, |s| counted(s.subjects.len(), "file"))?;
        let described = statement.describes(self.package);
        self.record(Step::Manifest, described, |()| format!("{} {}", statement.name, statement.version))?;
        let allowed = allowed(self.content, publisher, &leaf, path, trust);
        self.record(Step::Trust, allowed, |()| format!("{} may sign {}", publisher.name, statement.name))?;
        let witnesses = Witnesses::of(self.package);
        let scene =
            Scene { content: self.content, publisher, leaf: &leaf, trust, environment, now: self.now };
        let attested = witnesses.attest(&scene).and_then(|a| notes.logged(trust).map(|logged| (a, logged)));
        let describe = |(a, logged): &(Attested, Vec<_>)| a.detail.clone() + &notes::told_logs(logged);
        let (attested, _) = self.record(Step::Attestations, attested, describe)?;
        let signer = signer(&leaf, path, publisher, algorithm, statement, attested.signers);
        Ok((signer, Signed { leaf, witnesses, notes }))
    }
}

/// Step 6.
fn leaf(bundle: &Bundle, trust: &TrustRoot) -> Checked<Cert> {
    let leaf = Cert::parse(&bundle.certificate)?;
    accepted(&leaf, trust)?;
    leaf.check_leaf()?;
    Ok(leaf)
}

/// Step 9: over the bytes as they are; what they say is read only afterwards.
fn proven(bundle: &Bundle, leaf: &Cert) -> Checked<()> {
    let key = leaf.public_key()?;
    key.verify(&bundle.signed_bytes(), &bundle.signature).map_err(|_| AttestationError::Signature)
}

fn describe(paths: &[Path<'_>]) -> String {
    let one = |p: &Path<'_>| {
        let (anchor, between) = (p.anchor.name(), p.intermediates.len());
        format!("to {anchor} over {between} intermediates; {}", p.revocation.note)
    };
    paths.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn signer(
    leaf: &Cert,
    path: &Path<'_>,
    publisher: &PublisherEntry,
    algorithm: common::crypto::Algorithm,
    statement: Statement,
    cosigners: Vec<Name>,
) -> Signer {
    Signer {
        publisher: publisher.name.clone(),
        uri: publisher.uri.clone(),
        subject: leaf.subject(),
        anchor: path.anchor.name().to_owned(),
        serial: leaf.serial(),
        fingerprint: leaf.fingerprint(),
        key: leaf.key_digest(),
        algorithm,
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        development: leaf.development() || path.development(),
        claimed_at: statement.signed_at,
        cosigners,
    }
}
