//! Reads what decides: configuration, trust, policies. The files of a home, without its lock.

use super::error::HostError;
use crate::abi;
use crate::attestation::trust::TrustConfig;
use crate::attestation::{
    AttestationError, Environment as TrustEnvironment, ImportRule, ModuleLimits, ModuleRules,
    SignaturePolicy, TrustRoot, Verifier,
};
use crate::config::{Config, Environment, MAX_POLICIES};
use common::error::ForgeError;
use microkernel::trust::{Enforcement, PolicyOptions, PolicySource};
use std::io::ErrorKind;
use std::path::{Component, Path};

/// The configuration of a home: the named file, else `plugin-manager.yaml`, else the defaults.
pub(crate) fn config(home: &Path, named: Option<&Path>) -> Result<Config, ForgeError> {
    let standard = home.join("plugin-manager.yaml");
    let path = named.unwrap_or(&standard);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Config::parse(&path.display().to_string(), &text)?),
        Err(e) if e.kind() == ErrorKind::NotFound && named.is_none() => Ok(Config::default()),
        Err(source) => Err(HostError::Read { path: path.to_owned(), source }.into()),
    }
}

/// The trust configuration of a home; `None` when there is no `trust.toml`.
pub(crate) fn trust(trust_dir: &Path) -> Result<Option<TrustRoot>, ForgeError> {
    let path = trust_dir.join("trust.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(HostError::Read { path, source }.into()),
    };
    let config = TrustConfig::parse(&text)?;
    Ok(Some(TrustRoot::new(config, |file| below(trust_dir, file))?))
}

/// A file named by trust.toml: below the directory, by plain names alone.
fn below(dir: &Path, file: &str) -> Option<Vec<u8>> {
    let plain = Path::new(file).components().all(|c| matches!(c, Component::Normal(_)));
    plain.then(|| std::fs::read(dir.join(file)).ok()).flatten()
}

/// The verifier of this configuration and trust.
pub(crate) fn verifier(config: &Config, trust: Option<TrustRoot>) -> Result<Verifier, AttestationError> {
    let environment = match config.environment {
        Environment::Production => TrustEnvironment::Production,
        Environment::Staging => TrustEnvironment::Staging,
        Environment::Development => TrustEnvironment::Development,
    };
    let signatures = if config.security.verify_signatures {
        SignaturePolicy::Required
    } else {
        SignaturePolicy::NotRequired
    };
    Verifier::new(trust, environment, signatures, module_rules(), ModuleLimits::default())
}

/// What modules may import: the table of the ABI.
fn module_rules() -> ModuleRules {
    let rule = |i: &abi::Import| ImportRule::integers(abi::MODULE, i.name, i.params.len(), i.results.len());
    ModuleRules { imports: abi::IMPORTS.iter().map(rule).collect() }
}

/// The policy files of a home, sorted by name.
pub(crate) fn policies(dir: &Path) -> Result<Vec<PolicySource>, ForgeError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| ForgeError::from(HostError::Read { path, source })
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(fail(dir)(source)),
    };
    let mut sources = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail(dir))?.path();
        if path.extension().is_some_and(|e| e == "cedar") {
            let text = std::fs::read_to_string(&path).map_err(fail(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            sources.push(PolicySource { name, text });
        }
        if sources.len() > MAX_POLICIES {
            return Err(HostError::TooManyPolicies.into());
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// Under which rules policies are read.
pub(crate) fn policy_options(config: &Config) -> PolicyOptions {
    let enforcement = if config.security.enforce_permissions {
        Enforcement::PolicyDecides
    } else {
        Enforcement::GrantedIsPermitted
    };
    PolicyOptions { environment: config.environment.name().to_owned(), enforcement }
}
