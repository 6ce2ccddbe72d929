//! The host's side of a grant: what it allows, what it can provide, what it really enforces. The only file that
//! makes a [`Grant`].

use super::limits::{Clamp, Limits, PAGE};
use crate::attestation::VerifiedPackage;
use crate::attestation::manifest::{EnginePreference, LimitsAsked, Manifest};
use crate::config::{Config, EngineKind, NetworkAccess};
use common::config::{ByteSize, Span};
use common::error::{Code, Coded, codes};
use common::permission::{Capability, Permission};
use std::fmt;

/// What of the configured isolation and limits is really enforced for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforcement {
    /// All of it.
    Full,
    /// All but these.
    Partial(Vec<&'static str>),
    /// None of it.
    None,
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Partial(missing) => write!(f, "partial: without {}", missing.join(", ")),
            Self::None => f.write_str("none"),
        }
    }
}

/// A permission that was asked for and is not granted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// What was asked for.
    pub permission: Permission,
    /// Why it is not granted.
    pub reason: &'static str,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.permission, self.reason)
    }
}

/// Why no grant is made. Nothing of the plugin runs then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// `namespace_isolation` is on, and this build has no worker processes. The operator can change either.
    #[error("security.namespace_isolation is true, and this build cannot run plugins in worker processes")]
    NoWall,
    /// The manifest wants an engine that is not compiled in.
    #[error("the manifest asks for the engine {0}, which this build does not have")]
    NoEngine(EngineKind),
    /// `security.native_plugins` is false. The operator can change it.
    #[error("security.native_plugins is false")]
    NativeRefused,
}

impl Coded for SandboxError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NoWall => &codes::E4050,
            Self::NoEngine(_) => &codes::E1017,
            Self::NativeRefused => &codes::E4051,
        }
    }
}

/// What nothing can hold native code to.
const NOT_OF_NATIVE: [&str; 6] = [
    "worker process",
    "memory_limit",
    "stack limit",
    "deadline between host calls",
    "cpu_limit",
    "file_descriptor_limit",
];

/// What the host allows and can provide.
#[derive(Debug, Clone)]
pub struct SandboxPolicy {
    ceiling: Limits,
    wall: Wall,
    engine: EngineKind,
    engines: Vec<EngineKind>,
    services: Vec<Capability>,
    natives: Natives,
    /// No plugin may reach the network.
    offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wall {
    Demanded,
    Waived,
}

/// What is thought of code of the host program that wants to be a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Natives {
    Trusted,
    Refused,
}

impl SandboxPolicy {
    /// The policy of this configuration, on a build with these engines (at least one) and services for these
    /// capabilities.
    ///
    /// # Errors
    /// [`SandboxError::NoEngine`] when the configured engine is not among `engines`.
    pub fn new(
        config: &Config,
        engines: &[EngineKind],
        services: Vec<Capability>,
    ) -> Result<Self, SandboxError> {
        let engine = config.engine.or(engines.first().copied()).unwrap_or(EngineKind::Wasmtime);
        if !engines.contains(&engine) {
            return Err(SandboxError::NoEngine(engine));
        }
        let ceiling = Limits {
            memory_bytes: config.sandbox.memory_limit.0 / PAGE * PAGE,
            timeout: config.default_timeout.0,
            file_descriptors: config.sandbox.file_descriptor_limit,
            ..Limits::default()
        };
        let natives = if config.security.native_plugins { Natives::Trusted } else { Natives::Refused };
        let offline = config.sandbox.network_access == NetworkAccess::None;
        let wall = if config.security.namespace_isolation { Wall::Demanded } else { Wall::Waived };
        Ok(Self { ceiling, wall, engine, engines: engines.to_vec(), services, natives, offline })
    }

    /// Requested ∩ allowed.
    ///
    /// # Errors
    /// [`SandboxError`]: when the plugin could only run with less isolation than is configured, or not at all.
    pub fn grant(&self, package: VerifiedPackage) -> Result<Grant, SandboxError> {
        if self.wall == Wall::Demanded {
            return Err(SandboxError::NoWall);
        }
        let manifest = package.package().manifest();
        let engine = self.engine_for(manifest.engine)?;
        let (limits, clamps) = self.limits_for(&manifest.limits);
        let (permissions, withheld) = self.permissions_for(manifest);
        let missing = vec!["worker process", "cpu_limit"];
        let enforcement = Enforcement::Partial(missing);
        Ok(Grant { to: package, permissions, withheld, limits, clamps, enforcement, engine })
    }

    /// Requested ∩ allowed, for a plugin that is Rust code of the host program. A wall between the host and itself
    /// cannot be demanded; what else cannot be enforced is told.
    ///
    /// # Errors
    /// [`SandboxError::NativeRefused`].
    pub fn grant_native(&self, manifest: Manifest) -> Result<Grant<Manifest>, SandboxError> {
        if self.natives == Natives::Refused {
            return Err(SandboxError::NativeRefused);
        }
        let (limits, clamps) = self.limits_for(&manifest.limits);
        let (permissions, withheld) = self.permissions_for(&manifest);
        let fuel = manifest.limits.fuel.map(|_| "fuel");
        let enforcement = Enforcement::Partial(NOT_OF_NATIVE.into_iter().chain(fuel).collect());
        let limits = Limits { fuel: None, ..limits };
        let engine = EngineKind::Native;
        Ok(Grant { to: manifest, permissions, withheld, limits, clamps, enforcement, engine })
    }

    fn permissions_for(&self, manifest: &Manifest) -> (Vec<Permission>, Vec<Withheld>) {
        let (mut permissions, mut withheld) = (Vec::new(), Vec::new());
        for permission in manifest.permissions.iter().cloned() {
            match self.reason_to_withhold(permission.capability) {
                Some(reason) => withheld.push(Withheld { permission, reason }),
                None => permissions.push(permission),
            }
        }
        (permissions, withheld)
    }

    fn reason_to_withhold(&self, capability: Capability) -> Option<&'static str> {
        if !self.services.contains(&capability) {
            return Some("this build has no service for it");
        }
        let cut_off = self.offline && capability == Capability::NetworkConnect;
        cut_off.then_some("sandbox.network_access is none")
    }

    fn engine_for(&self, wanted: EnginePreference) -> Result<EngineKind, SandboxError> {
        let wanted = match wanted {
            EnginePreference::Any => return Ok(self.engine),
            EnginePreference::Wasmtime => EngineKind::Wasmtime,
            EnginePreference::Wasmer => EngineKind::Wasmer,
        };
        if self.engines.contains(&wanted) { Ok(wanted) } else { Err(SandboxError::NoEngine(wanted)) }
    }

    fn limits_for(&self, asked: &LimitsAsked) -> (Limits, Vec<Clamp>) {
        let mut limits = Limits { fuel: asked.fuel, ..self.ceiling.clone() };
        let mut clamps = Vec::new();
        match asked.memory {
            Some(bytes) if bytes > limits.memory_bytes => clamps.push(Clamp {
                what: "memory",
                asked: ByteSize(bytes).to_string(),
                given: ByteSize(limits.memory_bytes).to_string(),
            }),
            Some(bytes) => limits.memory_bytes = bytes / PAGE * PAGE,
            None => {}
        }
        match asked.timeout {
            Some(time) if time > limits.timeout => clamps.push(Clamp {
                what: "timeout",
                asked: Span(time).to_string(),
                given: Span(limits.timeout).to_string(),
            }),
            Some(time) => limits.timeout = time,
            None => {}
        }
        (limits, clamps)
    }
}

/// What a plugin may touch and use: the only value handed from the load path to the call path.
///
/// ```compile_fail
/// // Only `SandboxPolicy::grant` makes one.
/// let grant = plugin_manager::sandbox::Grant { };
/// ```
///
/// Made for a proven package, or for the manifest of a native plugin, whose code is the host program's.
#[derive(Debug)]
pub struct Grant<To = VerifiedPackage> {
    to: To,
    permissions: Vec<Permission>,
    withheld: Vec<Withheld>,
    limits: Limits,
    clamps: Vec<Clamp>,
    enforcement: Enforcement,
    engine: EngineKind,
}

impl Grant {
    /// The proven package it is for.
    pub fn package(&self) -> &VerifiedPackage {
        &self.to
    }
}

impl Grant<Manifest> {
    /// The manifest of the native plugin it is for.
    pub fn manifest(&self) -> &Manifest {
        &self.to
    }
}

impl<To> Grant<To> {
    /// What is granted; policy may still deny each use.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }
    /// What was asked for and is not granted.
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }
    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
    /// Where they are less than was asked for.
    pub fn clamps(&self) -> &[Clamp] {
        &self.clamps
    }
    /// What is really enforced.
    pub fn enforcement(&self) -> &Enforcement {
        &self.enforcement
    }
    /// The engine it runs on.
    pub fn engine(&self) -> EngineKind {
        self.engine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_072_an_engine_that_is_not_compiled_in() {
        use EngineKind::{Wasmer, Wasmtime};
        let policy = |config: &Config, engines: &[EngineKind]| {
            SandboxPolicy::new(config, engines, Capability::all().collect())
        };
        let one = policy(&Config::default(), &[Wasmtime]).unwrap();
        assert_eq!(one.engine_for(EnginePreference::Any).unwrap(), Wasmtime);
        assert_eq!(one.engine_for(EnginePreference::Wasmtime).unwrap(), Wasmtime);
        let refused = one.engine_for(EnginePreference::Wasmer).unwrap_err();
        assert_eq!(refused.code().id, "E1017");
        let both = policy(&Config::default(), &[Wasmtime, Wasmer]).unwrap();
        assert_eq!(both.engine_for(EnginePreference::Wasmer).unwrap(), Wasmer);
        let configured = Config { engine: Some(Wasmer), ..Config::default() };
        assert_eq!(policy(&configured, &[Wasmtime]).err().unwrap().code().id, "E1017");
    }
}
