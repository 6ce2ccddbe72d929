//! Reads what decides: configuration, trust, policies. The files of a home, without its lock.

use super::error::HostError;
use crate::abi;
use crate::attestation::trust::TrustConfig;
use crate::attestation::{
    AttestationError, Environment as TrustEnvironment, ImportNeeds, ImportRule, ModuleLimits, ModuleRules,
    SignaturePolicy, TrustFiles, TrustRoot, ValueType, Verifier,
};
use crate::config::{Config, Environment, MAX_POLICIES};
use common::error::ForgeError;
use common::identity::Digest;
use forgeone_abi::ValType;
use microkernel::syscall_bridge::Action;
use microkernel::trust::{Enforcement, PolicyOptions, PolicySource, TrustError, TrustEvaluator};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Bytes of the largest file that is read here.
const MAX_FILE: u64 = 1 << 20;

/// The bytes of a file that decides. It must be a regular one of bounded size that not everyone may write to; a
/// link to such a one is followed.
fn bytes(path: &Path) -> Result<Vec<u8>, HostError> {
    let unfit = |problem| HostError::Unfit { path: path.to_owned(), problem };
    let (file, meta) = regular(path)?;
    if meta.mode() & 0o002 != 0 {
        return Err(unfit("is writable by everyone"));
    }
    let bytes = read(path, file, MAX_FILE + 1)?;
    if bytes.len() as u64 > MAX_FILE { Err(unfit("is larger than 1 MiB")) } else { Ok(bytes) }
}

/// A regular file, or a link to one. Never waits, as opening a pipe would.
fn regular(path: &Path) -> Result<(File, Metadata), HostError> {
    let failed = |source| HostError::Read { path: path.to_owned(), source };
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    match meta.is_file() {
        true => Ok((file, meta)),
        false => Err(HostError::Unfit { path: path.to_owned(), problem: "is not a regular file" }),
    }
}

fn read(path: &Path, file: File, at_most: u64) -> Result<Vec<u8>, HostError> {
    let mut bytes = Vec::new();
    let read = file.take(at_most).read_to_end(&mut bytes);
    read.map_err(|source| HostError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// The bytes of a package, or one more than a package may have, for the loader to refuse.
pub(super) fn package(path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
    let (file, _) = regular(path)?;
    read(path, file, limit.saturating_add(1))
}

/// The text of a home's lock file, of any size; `None` when there is none.
pub(super) fn lock_text(home: &Path) -> Result<Option<String>, ForgeError> {
    let path = home.join("forgeone.lock");
    let (file, meta) = match regular(&path) {
        Err(e) if e.is_missing() => return Ok(None),
        other => other?,
    };
    let bytes = read(&path, file, meta.len())?;
    Ok(Some(String::from_utf8(bytes).map_err(|_| HostError::Unfit { path, problem: "is not UTF-8 text" })?))
}

fn text(path: &Path) -> Result<String, HostError> {
    let bytes = bytes(path)?;
    String::from_utf8(bytes)
        .map_err(|_| HostError::Unfit { path: path.to_owned(), problem: "is not UTF-8 text" })
}

/// The configuration of a home: the named file, else `plugin-manager.yaml`, else the defaults.
pub(crate) fn config(home: &Path, named: Option<&Path>) -> Result<Config, ForgeError> {
    let standard = home.join("plugin-manager.yaml");
    let path = named.unwrap_or(&standard);
    match text(path) {
        Ok(text) => Ok(Config::parse(&path.display().to_string(), &text)?),
        Err(e) if e.is_missing() && named.is_none() => Ok(Config::default()),
        Err(e) => Err(e.into()),
    }
}

/// The trust configuration of a home; `None` when there is no `trust.toml`.
pub(crate) fn trust(trust_dir: &Path) -> Result<Option<TrustRoot>, ForgeError> {
    let path = trust_dir.join("trust.toml");
    let text = match text(&path) {
        Ok(text) => text,
        Err(e) if e.is_missing() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let config = TrustConfig::parse(&text)?;
    Ok(Some(TrustRoot::from_files(config, Below(trust_dir))?))
}

/// Files named by trust.toml: below its directory, by plain names alone.
struct Below<'a>(&'a Path);

impl Below<'_> {
    fn path(&self, name: &str) -> Option<PathBuf> {
        let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
        plain.then(|| self.0.join(name))
    }
}

impl TrustFiles for Below<'_> {
    fn read(&mut self, file: &str) -> Option<Vec<u8>> {
        bytes(&self.path(file)?).ok()
    }
    fn list(&mut self, directory: &str) -> Option<Vec<String>> {
        let entries = match std::fs::read_dir(self.path(directory)?) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Some(Vec::new()),
            entries => entries.ok()?,
        };
        // A name that is no text cannot be told apart from a list's.
        let mut names: Vec<String> =
            entries.map(|e| e.ok()?.file_name().into_string().ok()).collect::<Option<_>>()?;
        names.sort_unstable();
        Some(names)
    }
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

/// What modules may import: the table of the ABI, and that of WASI where this build has it.
pub(crate) fn module_rules() -> ModuleRules {
    let rule = |i: &abi::Import| ImportRule::integers(abi::MODULE, i.name, i.params.len(), i.results.len());
    let own = abi::IMPORTS.iter().map(rule);
    ModuleRules { imports: own.chain(abi::WASI_FUNCTIONS.iter().map(wasi_rule)).collect() }
}

fn wasi_rule(function: &abi::WasiFunction) -> ImportRule {
    let types = |types: &[ValType]| types.iter().map(value_type).collect();
    ImportRule {
        module: abi::WASI_MODULE.to_owned(),
        name: function.name().to_owned(),
        params: types(function.params()),
        results: types(function.results()),
        needs: match function.needs() {
            abi::Needs::Nothing => ImportNeeds::Nothing,
            abi::Needs::OneOf(some) => ImportNeeds::OneOf(some.to_vec()),
            abi::Needs::Each(all) => ImportNeeds::Each(all.to_vec()),
        },
    }
}

const fn value_type(ty: &ValType) -> ValueType {
    match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
    }
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
            let text = text(&path)?;
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

/// One digest for a set of policies, that of a line `DIGEST NAME` for each, by name; `None` of none.
pub(super) fn digest_of(policies: &[PolicySource]) -> Option<Digest> {
    let line = |p: &PolicySource| format!("{} {}\n", Digest::of(p.text.as_bytes()), p.name);
    let lines: String = policies.iter().map(line).collect();
    (!policies.is_empty()).then(|| Digest::of(lines.as_bytes()))
}

/// The evaluator of these policies. A file that is not valid is named with its directory.
pub(crate) fn evaluator(
    actions: &[Action],
    dir: &Path,
    policies: &[PolicySource],
    config: &Config,
) -> Result<TrustEvaluator, TrustError> {
    let evaluator = TrustEvaluator::with_options(actions, policies, &policy_options(config));
    evaluator.map_err(|error| named(error, dir, policies))
}

/// The error with the directory of the policy file it names.
pub(super) fn named(error: TrustError, dir: &Path, policies: &[PolicySource]) -> TrustError {
    match error {
        TrustError::Policy { name, problems } if policies.iter().any(|p| p.name == name) => {
            TrustError::Policy { name: dir.join(name).display().to_string(), problems }
        }
        other => other,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use common::error::{Coded, codes};
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn fault_103_a_file_that_decides_is_refused_when_everyone_may_write_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, trust) = (dir.path().join("plugin-manager.yaml"), dir.path().join("trust.toml"));
        std::fs::write(&file, "plugin_manager: { max_plugins: 3 }").unwrap();
        std::fs::write(&trust, "version = 1").unwrap();
        assert_eq!(config(dir.path(), None).unwrap().max_plugins, 3);
        assert!(super::trust(dir.path()).unwrap().is_some());
        for path in [&file, &trust] {
            std::fs::set_permissions(path, Permissions::from_mode(0o646)).unwrap();
        }
        assert_eq!(config(dir.path(), None).unwrap_err().code(), &codes::E0104);
        assert_eq!(super::trust(dir.path()).unwrap_err().code(), &codes::E0104);
    }

    #[test]
    fn what_is_no_small_file_of_text_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let large = dir.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
        let binary = dir.path().join("binary");
        std::fs::write(&binary, [0xff]).unwrap();
        for path in [&pipe, &large, &binary, Path::new("/dev/zero"), dir.path()] {
            let e = text(path).unwrap_err();
            assert!(matches!(&e, HostError::Unfit { .. }), "{e}");
            assert_eq!(e.code(), &codes::E0104);
        }
        let missing = dir.path().join("missing");
        assert!(text(&missing).unwrap_err().is_missing());
        assert!(config(dir.path(), Some(&missing)).is_err());
    }

    #[test]
    fn a_policy_that_is_too_large_is_not_read_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let policy = "permit(principal, action, resource);".to_owned();
        std::fs::write(dir.path().join("a.cedar"), policy + &" ".repeat(1 << 20)).unwrap();
        assert_eq!(policies(dir.path()).unwrap_err().code(), &codes::E0104);
    }
}
