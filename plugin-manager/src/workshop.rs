//! What can be done with a package or a home's policies without running anything: sign, verify, look at the
//! signer, check policies. Reads the home, takes no lock, changes nothing.

use crate::attestation::{
    self, CertificateFacts, CheckOutcome, Ending, KeyTextError, ModuleLimits, NotedBundle, Passphrase,
    STAGING_BUNDLE, certificate_facts, is_protected, key_text, open_key, pem_to_der,
};
use crate::extension::{SyscallExtension, checked};
use crate::loader::{self, Package, PackageLimits};
use crate::metrics::{NoProgress, Progress};
use crate::registry::expiry;
use crate::registry::judge::Judge;
use crate::registry::offline::{OnFile, installed};
use crate::registry::sources;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::clock::{Clock, SystemClock};
use common::crypto::SigningKey;
use common::error::{ForgeError, codes};
use common::identity::{Digest, Name, Publisher};
use microkernel::syscall_bridge::builtin_actions;
use microkernel::trust::{Mention, TrustEvaluator};
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// A private key and its certificate, both as PEM text. The key is overwritten when it is dropped.
#[derive(Clone)]
pub struct SignWith {
    /// The key: PKCS#8 without a passphrase; [`SignWith::unlocked`] makes it of one that has one.
    pub key: String,
    /// Its certificate.
    pub certificate: String,
}

impl std::fmt::Debug for SignWith {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignWith").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl SignWith {
    /// A key that may have a passphrase, which is asked for then, and its certificate.
    ///
    /// # Errors
    /// E0142 when the passphrase is another's; E0101 when the text is no key; what `ask` answers.
    pub fn unlocked(
        key: &str,
        certificate: String,
        ask: impl FnOnce() -> Result<Passphrase, ForgeError>,
    ) -> Result<Self, ForgeError> {
        let passphrase = if is_protected(key) { Some(ask()?) } else { None };
        Ok(Self::of(&open_key(key, passphrase.as_ref())?, certificate)?)
    }

    /// A key of this PKCS#8 DER.
    pub(crate) fn of(pkcs8: &[u8], certificate: String) -> Result<Self, KeyTextError> {
        Ok(Self { key: std::mem::take(&mut *key_text(pkcs8, None)?), certificate })
    }
}

impl Drop for SignWith {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Now, in nanoseconds since 1970.
pub(crate) fn now() -> Result<u64, ForgeError> {
    let clock = SystemClock::start().map_err(|e| {
        ForgeError::new(&codes::E0002, "a thread for the clock cannot be started").reason(e.to_string())
    })?;
    Ok(clock.wall_ns())
}

/// The package with a signature of this key, in place of the one it may have had.
///
/// # Errors
/// When the package is not well-formed, the certificate is no code-signing leaf, or the key is not its own.
pub fn sign(package: &[u8], with: &SignWith) -> Result<Vec<u8>, ForgeError> {
    let limits = PackageLimits::default();
    let bundle = bundle(package, with, &limits)?;
    Ok(loader::with_attestation(package, &bundle, &limits)?)
}

fn bundle(package: &[u8], with: &SignWith, limits: &PackageLimits) -> Result<Vec<u8>, ForgeError> {
    let loaded = Package::load(package, limits)?;
    let (key, leaf, _) = signing_key(with)?;
    Ok(attestation::sign(&loaded, &key, &leaf, now()?)?)
}

/// The key, its certificate as DER, and the identity in that.
pub(crate) fn signing_key(with: &SignWith) -> Result<(SigningKey, Vec<u8>, Option<String>), ForgeError> {
    let key = SigningKey::from_pkcs8(&open_key(&with.key, None)?).map_err(|e| {
        ForgeError::new(&codes::E1203, "the private key cannot be used").reason(e.to_string())
    })?;
    let leaf = pem_to_der(with.certificate.as_bytes())?;
    let identity = certificate_facts(&leaf)?.uri;
    Ok((key, leaf, identity))
}

/// The package with this staging attestation, in place of the one it may have had.
///
/// # Errors
/// When the package is not well-formed, or would not be with it.
pub fn with_staging(package: &[u8], attestation: &[u8]) -> Result<Vec<u8>, ForgeError> {
    Ok(loader::attach(package, STAGING_BUNDLE, attestation, &PackageLimits::default())?)
}

/// The package with the signature of somebody beside its publisher, whose name it is filed under. The publisher's
/// signature, and those of others, stay.
///
/// # Errors
/// As [`sign`].
pub fn cosign(package: &[u8], signer: &Name, with: &SignWith) -> Result<Vec<u8>, ForgeError> {
    let limits = PackageLimits::default();
    let bundle = bundle(package, with, &limits)?;
    Ok(loader::attach(package, &format!("attestations/{signer}.sigstore.json"), &bundle, &limits)?)
}

/// The trust of a home as `trusted_root.json`, which other Sigstore clients read.
///
/// # Errors
/// E1408 when the home has no trust configuration; why it cannot be read.
pub fn sigstore_root(home: &Path) -> Result<Vec<u8>, ForgeError> {
    let trust = sources::trust(&home.join("trust"))?;
    let trust =
        trust.ok_or_else(|| ForgeError::new(&codes::E1408, "this home has no trust configuration"))?;
    attestation::sigstore_root(&trust).map_err(|e| {
        ForgeError::new(&codes::E0001, "the trust configuration cannot be written").reason(e.to_string())
    })
}

/// A signed package with notes added to its bundle by `note`: a timestamp, a log entry.
///
/// # Errors
/// E1201 when it is not signed; E1202 when its bundle cannot be used; whatever `note` answers.
pub fn annotate(
    package: &[u8],
    note: impl FnOnce(&mut NotedBundle) -> Result<(), ForgeError>,
) -> Result<Vec<u8>, ForgeError> {
    let limits = PackageLimits::default();
    let loaded = Package::load(package, &limits)?;
    let bundle =
        loaded.bundle().ok_or_else(|| ForgeError::new(&codes::E1201, "the package is not signed"))?;
    let mut bundle = NotedBundle::parse(bundle)?;
    note(&mut bundle)?;
    Ok(loader::with_attestation(package, &bundle.to_json()?, &limits)?)
}

/// Judges the module of a package as the last check of [`verify`] does: valid, within the limits, with no import the
/// host does not have and every export the manifest names.
///
/// # Errors
/// E1010 to E1017.
pub fn check_module(package: &Package) -> Result<(), ForgeError> {
    let (rules, limits) = (sources::module_rules(), ModuleLimits::default());
    let facts = attestation::inspect_module(package.module(), package.manifest(), &limits, &rules);
    facts.map(drop).map_err(ForgeError::from)
}

/// [`sign`], unless the package names another publisher than the one this home knows the certificate by. That is the
/// name `trust.toml` gives its identity, else `named`; a certificate this home does not know is not judged.
///
/// # Errors
/// E1402 when the publishers differ; or why the trust configuration cannot be read; or as [`sign`].
pub fn sign_in(
    home: &Path,
    package: &[u8],
    with: &SignWith,
    named: Option<&Publisher>,
) -> Result<Vec<u8>, ForgeError> {
    let loaded = Package::load(package, &PackageLimits::default())?;
    let facts = certificate_facts(&pem_to_der(with.certificate.as_bytes())?)?;
    let trust = sources::trust(&home.join("trust"))?;
    let known = facts.uri.as_deref().zip(trust.as_ref()).and_then(|(uri, trust)| trust.publisher(uri));
    let wanted = &loaded.manifest().publisher;
    match known.map(|entry| &entry.name).or(named) {
        Some(signer) if signer != wanted => Err(other_publisher(wanted, signer, facts)),
        _ => sign(package, with),
    }
}

fn other_publisher(wanted: &Publisher, signer: &Publisher, facts: CertificateFacts) -> ForgeError {
    let identity = ClaimedSigner::from(facts).identity;
    let message = format!("the package names the publisher {wanted}, but the certificate is of {signer}");
    ForgeError::new(&codes::E1402, message)
        .reason(format!("hosts that trust {identity} as {signer} would refuse the package"))
        .with_help(format!(
            "set `publisher = \"{signer}\"` in plugin.toml and pack again, or sign with a key of {wanted}"
        ))
}

/// A package that was verified: what it is and what was seen.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its publisher: proven when there is a signer.
    pub publisher: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of the whole file.
    pub package_digest: Digest,
    /// The URI identity of who signed it, when a signature was judged.
    pub signer: Option<String>,
    /// Whether it carries a signature that was not judged.
    pub unjudged_signature: bool,
    /// Every check in order, with its outcome.
    pub checks: Vec<CheckOutcome>,
}

/// Verifies a package as `install` does, by the configuration and trust of a home.
///
/// # Errors
/// The first check that refuses, with those before it as reasons; or why the configuration or the trust
/// cannot be read.
pub fn verify(home: &Path, config: Option<&Path>, package: &[u8]) -> Result<Verification, ForgeError> {
    verify_telling(home, config, package, &NoProgress)
}

/// [`verify`], telling which part goes on.
///
/// # Errors
/// As [`verify`].
pub fn verify_telling(
    home: &Path,
    config: Option<&Path>,
    package: &[u8],
    progress: &dyn Progress,
) -> Result<Verification, ForgeError> {
    let config = sources::config(home, config)?;
    let judge = Judge::new(&config, &home.join("trust"))?;
    let package = Package::load_telling(package, &PackageLimits::default(), progress)?;
    let verified = judge.prove(package, now()?, progress)?;
    let (manifest, proof) = (verified.package().manifest(), verified.attestation());
    Ok(Verification {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        publisher: proof.publisher.to_string(),
        digest: proof.manifest,
        package_digest: proof.package,
        signer: proof.signers.first().map(|s| s.uri.clone()),
        unjudged_signature: verified.unjudged_signature(),
        checks: proof.checks.clone(),
    })
}

/// Who a package's signature claims to be from. Nothing of it is proven.
#[derive(Debug, Clone)]
pub struct ClaimedSigner {
    /// The URI identity in the certificate, or its subject when it has none.
    pub identity: String,
    /// The algorithm of the certificate's key.
    pub algorithm: String,
    /// The SHA-256 of the certificate.
    pub certificate: Digest,
}

impl From<CertificateFacts> for ClaimedSigner {
    fn from(facts: CertificateFacts) -> Self {
        Self {
            identity: facts.uri.unwrap_or(facts.subject),
            algorithm: facts.algorithm.map_or("unknown", |a| a.name()).to_owned(),
            certificate: facts.fingerprint,
        }
    }
}

/// Reads the certificate of a package's signature, when it has one.
///
/// # Errors
/// E1202 when there is a signature and its certificate cannot be read.
pub fn claimed_signer(package: &Package) -> Result<Option<ClaimedSigner>, ForgeError> {
    let Some(bundle) = package.bundle() else { return Ok(None) };
    let bad = |why: String| ForgeError::new(&codes::E1202, "the signature bundle cannot be read").reason(why);
    let json: serde_json::Value = serde_json::from_slice(bundle).map_err(|e| bad(e.to_string()))?;
    let raw = json.pointer("/verificationMaterial/certificate/rawBytes").and_then(serde_json::Value::as_str);
    let raw = raw.ok_or_else(|| bad("it has no certificate".to_owned()))?;
    let der = STANDARD.decode(raw).map_err(|e| bad(e.to_string()))?;
    Ok(Some(certificate_facts(&der)?.into()))
}

/// What ends soon of the keys and the trust of a home, the soonest first: within `keys.warn_before`.
///
/// # Errors
/// Why the configuration cannot be read.
pub fn ending_soon(home: &Path, config: Option<&Path>) -> Result<Vec<Ending>, ForgeError> {
    expiry::ending_soon(home, config, now()?)
}

/// The end of a certificate, PEM, when it is within `keys.warn_before` of a home's configuration.
///
/// # Errors
/// Why the configuration or the certificate cannot be read.
pub fn certificate_ends_soon(
    home: &Path,
    config: Option<&Path>,
    certificate: &str,
) -> Result<Option<Ending>, ForgeError> {
    let within = expiry::warned_within(home, config)?;
    let der = pem_to_der(certificate.as_bytes())?;
    let name = ClaimedSigner::from(certificate_facts(&der)?).identity;
    let ending = Ending::of_certificate("publisher", &name, &der)?;
    Ok(if ending.is_within(now()?, within) { Some(ending) } else { None })
}

/// What the policies of a home are.
#[derive(Debug, Clone)]
pub struct PolicyReport {
    /// Its files, sorted by name.
    pub sources: Vec<PolicyFile>,
    /// The ids of the built-in policies in force.
    pub builtin: Vec<String>,
    /// How many actions the schema knows.
    pub actions: usize,
    /// What else is in their directory and is not read, by name, at most 16 of it.
    pub unread: Vec<String>,
    /// What policies name that this home does not know, by policy.
    pub warnings: Vec<PolicyWarning>,
}

/// Something a policy names that a home does not know: a mistake in writing, or of a plugin that is yet to come.
#[derive(Debug, Clone)]
pub struct PolicyWarning {
    /// The id of the policy.
    pub policy: String,
    /// What it names, as it is written in policies.
    pub names: String,
    /// What is not known of it.
    pub problem: &'static str,
}

/// One policy file.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Its name, as decisions report it.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
}

/// Checks the policy files of a home against the schema, as opening the home does.
///
/// # Errors
/// E2004 for the first policy that is not valid; or why the configuration or a file cannot be read.
pub fn check_policies(home: &Path, config: Option<&Path>) -> Result<PolicyReport, ForgeError> {
    check_policies_with(home, config, Vec::new())
}

/// [`check_policies`] for a host program that adds these host calls, which policies may then name.
///
/// # Errors
/// As [`check_policies`]; E0101 for a host call that cannot be added.
pub fn check_policies_with(
    home: &Path,
    config: Option<&Path>,
    extensions: Vec<SyscallExtension>,
) -> Result<PolicyReport, ForgeError> {
    check_in(home, config, extensions, &home.join("trust/policy"))
}

/// Checks the policy files of a directory as those of the home, under its configuration.
///
/// # Errors
/// As [`check_policies`]; E5008 when there is no such directory.
pub fn check_policies_in(home: &Path, config: Option<&Path>, dir: &Path) -> Result<PolicyReport, ForgeError> {
    if !dir.is_dir() {
        return Err(ForgeError::new(&codes::E5008, format!("there is no directory {}", dir.display()))
            .with_help("name a directory of .cedar files"));
    }
    check_in(home, config, Vec::new(), dir)
}

fn check_in(
    home: &Path,
    config: Option<&Path>,
    extensions: Vec<SyscallExtension>,
    dir: &Path,
) -> Result<PolicyReport, ForgeError> {
    let added = checked(extensions)?;
    let config = sources::config(home, config)?;
    let files = sources::policies(dir)?;
    let mut actions = builtin_actions();
    actions.extend(added.into_iter().map(|(action, _)| action));
    let evaluator = sources::evaluator(&actions, dir, &files, &config)?;
    let line = |s: &microkernel::trust::PolicySource| PolicyFile {
        name: s.name.clone(),
        file: dir.join(&s.name),
        bytes: s.text.len(),
    };
    Ok(PolicyReport {
        sources: files.iter().map(line).collect(),
        builtin: sources::policy_options(&config).builtin().into_iter().map(str::to_owned).collect(),
        actions: actions.len(),
        unread: sources::unread_policies(dir),
        warnings: strangers(home, &evaluator)?,
    })
}

/// The plugins, publishers and roles that policies name and the files of this home do not.
fn strangers(home: &Path, evaluator: &TrustEvaluator) -> Result<Vec<PolicyWarning>, ForgeError> {
    let installed: Vec<_> = installed(home)?.iter().map(OnFile::identity).collect();
    // One that cannot be read names nobody, and `verify` and `doctor` tell of it.
    let trust = sources::trust(&home.join("trust")).ok().flatten();
    let trust = trust.as_ref().map(|root| root.config());
    let unknown = |mention: &Mention| match mention.kind.as_str() {
        "Plugin" | "PluginResource" => {
            let known = installed.iter().any(|plugin| plugin.name.as_str() == mention.name);
            (!known).then_some("no plugin of this name is installed")
        }
        "Publisher" => {
            let mut trusted = trust.iter().flat_map(|t| &t.publishers).map(|p| &p.name);
            let mut present = installed.iter().map(|plugin| &plugin.publisher);
            let is = |name: &Name| name.as_str() == mention.name;
            let known = trusted.any(is) || present.any(is);
            (!known).then_some("trust.toml has no such publisher, and no plugin of one is installed")
        }
        "Role" => {
            let known = trust.iter().flat_map(|t| &t.roles).any(|role| role.name.as_str() == mention.name);
            (!known).then_some("trust.toml gives nobody this role")
        }
        _ => None,
    };
    let warn = |mention: Mention| {
        let problem = unknown(&mention)?;
        let names = format!("{}::{:?}", mention.kind, mention.name);
        Some(PolicyWarning { policy: mention.policy, names, problem })
    };
    Ok(evaluator.mentions().into_iter().filter_map(warn).collect())
}
