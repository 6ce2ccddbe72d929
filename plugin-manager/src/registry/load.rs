//! The load path put together: bytes, proof, grant, code, and a plugin that can be brought up.

use super::adapters::Vault;
use super::host::Host;
use crate::abi;
use crate::attestation::manifest::{Lifecycle, Manifest};
use crate::attestation::{ModuleFacts, VerifiedPackage};
use crate::lifecycle::{Blueprint, ManagedPlugin};
use crate::loader::Package;
use crate::metrics::PluginMetrics;
use crate::plugin::PluginState;
use crate::runtime::{CodeKey, CompiledModule, Engine, ExportPlan, RuntimeError};
use crate::sandbox::Grant;
use common::audit::{Actor, Outcome, Record};
use common::error::{Coded, ForgeError};
use common::identity::{IdentityContext, PluginId, PluginIdentity};
use microkernel::syscall_bridge::Caller;
use microkernel::trust::TrustContext;
use std::sync::Arc;
use std::time::Duration;

/// A module ready for its engine, and how long compiling took when it was compiled now.
#[derive(Debug)]
pub(super) struct Ready {
    engine: Arc<dyn Engine>,
    module: CompiledModule,
    /// Time of compilation; `None` when the code came from the cache.
    pub compiled_in: Option<Duration>,
}

impl Host {
    /// Bytes to a verified package: every check of this host's trust, now.
    pub fn prove(&self, bytes: &[u8]) -> Result<VerifiedPackage, ForgeError> {
        let package = Package::load(bytes, &self.package_limits)?;
        Ok(self.verifier()?.verify(package, self.clock.wall_ns())?)
    }

    /// What a verified package may touch and use.
    pub fn grant(&self, package: VerifiedPackage) -> Result<Grant, ForgeError> {
        Ok(self.sandbox.grant(package)?)
    }

    /// Code for the grant's engine: from the cache when its seal holds, compiled and sealed otherwise.
    pub fn ready(&self, grant: &Grant) -> Result<Ready, ForgeError> {
        let engine = self.engine(grant.engine())?;
        let fuel = grant.limits().fuel.is_some();
        let package = grant.package();
        let key = CodeKey { module: package.module_digest(), fingerprint: engine.fingerprint(fuel) };
        if let Some(module) = self.cached(&*engine, &key, fuel)? {
            return Ok(Ready { engine, module, compiled_in: None });
        }
        let began = self.clock.mono_ns();
        let module = engine.compile(package.module(), fuel)?;
        let took = Duration::from_nanos(self.clock.mono_ns().saturating_sub(began));
        let sealed = key.seal(&self.seal, &engine.serialize(&module)?);
        self.home.keep_code(&key.digest(), &sealed)?;
        Ok(Ready { engine, module, compiled_in: Some(took) })
    }

    /// Code whose seal does not hold is set aside, recorded, and compiled anew.
    fn cached(&self, engine: &dyn Engine, key: &CodeKey, fuel: bool) -> Result<Option<CompiledModule>, ForgeError> {
        let Some(sealed) = self.home.compiled_code(&key.digest())? else { return Ok(None) };
        let loaded = key.open(&self.seal, sealed).and_then(|code| engine.load(&code, fuel));
        match loaded {
            Ok(module) => Ok(Some(module)),
            Err(error @ (RuntimeError::Seal | RuntimeError::Load(..))) => {
                let name = key.digest().to_string();
                self.audit.append(&Record {
                    event: "detection",
                    outcome: Outcome::Failed,
                    code: Some(error.code().id),
                    actor: &self.actor,
                    action: "load_code",
                    resource: ("code", &name),
                    decision: None,
                    details: &[],
                })?;
                self.home.set_code_aside(&key.digest())?;
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// A plugin that can be brought up.
    pub fn assemble(
        self: &Arc<Self>,
        grant: Grant,
        ready: Ready,
        state: PluginState,
    ) -> Result<ManagedPlugin, ForgeError> {
        let package = grant.package();
        let manifest = package.manifest();
        let identity = identity(package);
        let vault = Vault::new(self.home.clone(), &identity);
        let operations = manifest.operations.iter().map(|o| o.name.as_str().to_owned()).collect();
        let blueprint = Blueprint {
            plan: plan(manifest, package.module_facts()),
            operations,
            limits: grant.limits().clone(),
            mode: manifest.instances.mode,
            max_instances: usize::try_from(manifest.instances.max.get()).unwrap_or(usize::MAX).min(MAX_INSTANCES),
            ports: self.ports(&identity, &grant),
            identity,
            engine: ready.engine,
            module: ready.module,
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            metrics: Arc::new(PluginMetrics::default()),
            vault: Arc::new(vault),
        };
        Ok(ManagedPlugin::new(blueprint, state))
    }

    /// Each instance gets its own caller: its own number in records, its own memory of decisions.
    fn ports(self: &Arc<Self>, identity: &PluginIdentity, grant: &Grant) -> crate::lifecycle::PortMaker {
        let (host, identity) = (Arc::downgrade(self), identity.clone());
        let permissions = grant.permissions().to_vec();
        let bridge = self.bridge.clone();
        let (audit, lines) = (self.audit.clone(), self.lines.clone());
        let _ = host;
        Box::new(move |number| {
            let identity = Arc::new(IdentityContext::plugin(PluginIdentity { instance: number, ..identity.clone() }));
            let trust = TrustContext::with_grants(identity, permissions.clone());
            let caller = Caller::new(trust, &audit);
            Box::new(crate::syscall::HostPort::new(bridge.clone(), caller, lines.clone()))
        })
    }
}

/// Instances of one plugin at most, whatever its manifest says.
const MAX_INSTANCES: usize = 256;

/// The identity of a package's plugin as a whole.
pub(super) fn identity(package: &VerifiedPackage) -> PluginIdentity {
    let manifest = package.manifest();
    PluginIdentity {
        id: PluginId::new(&manifest.publisher, &manifest.name),
        name: manifest.name.clone(),
        publisher: manifest.publisher.clone(),
        version: manifest.version.to_string(),
        digest: package.manifest_digest(),
        instance: 0,
    }
}

/// The actor of a package's plugin as a whole.
pub(super) fn actor(package: &VerifiedPackage) -> Actor {
    Actor::new(&IdentityContext::plugin(identity(package)))
}

/// The exports the manifest names and the module has.
fn plan(manifest: &Manifest, facts: &ModuleFacts) -> ExportPlan {
    let has = |name: &str| facts.exports.contains_key(name);
    let entry = |function: Lifecycle| {
        let export = manifest.entry_point(function).export;
        has(export.as_str()).then(|| export.as_str().to_owned())
    };
    ExportPlan {
        lifecycle: Lifecycle::ALL.map(entry),
        operations: manifest.operations.iter().map(|o| o.name.as_str().to_owned()).collect(),
        initialize: has(abi::INITIALIZE),
        state_save: has(abi::STATE_SAVE),
        state_load: has(abi::STATE_LOAD),
    }
}
