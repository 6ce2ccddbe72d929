//! The load path put together: bytes, proof, grant, code, and a plugin that can be brought up.

use super::adapters::Vault;
use super::denials::Denials;
use super::host::Host;
use super::judge::Judge;
use super::supervisor::HouseKeeper;
use super::surroundings::around;
use crate::attestation::manifest::Instances;
use crate::attestation::{ModuleFacts, VerifiedPackage};
use crate::lifecycle::{Blueprint, ManagedPlugin, PortMaker, Unconditional, Warrant};
use crate::loader::Package;
use crate::metrics::{Phase, PluginMetrics, Stage};
use crate::plugin::PluginState;
use crate::runtime::{CodeKey, CompiledModule, Engine, ExportPlan, RuntimeError};
use crate::sandbox::{Grant, Lifecycle};
use crate::syscall::{CallAllowance, CallRates, HostPort, LogAllowance, ShadowPort, SyscallPort};
use common::audit::{Outcome, Record};
use common::error::{Coded, ForgeError};
use common::identity::{Digest, IdentityContext, PluginId, PluginIdentity};
use microkernel::trust::TrustContext;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// A module ready for its engine, and how long compiling took when it was compiled now.
#[derive(Debug)]
pub(super) struct Ready {
    engine: Arc<dyn Engine>,
    module: CompiledModule,
    /// The digest the code is stored under.
    pub code: Digest,
    /// The digest of the stored code itself.
    pub sealed: Digest,
    /// Time of compilation; `None` when the code came from the cache.
    pub compiled_in: Option<Duration>,
}

/// Whether code that was set aside may be compiled anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rebuild {
    /// An operator installs, upgrades or starts the plugin.
    Asked,
    /// It is brought up for a call, or kept up.
    NotAsked,
}

/// What a plugin is made of beside its grant.
pub(super) struct Parts {
    pub identity: PluginIdentity,
    pub instances: Instances,
    pub plan: ExportPlan,
    pub engine: Arc<dyn Engine>,
    pub module: CompiledModule,
    pub metrics: Arc<PluginMetrics>,
}

impl Host {
    /// Who judges packages by the trust configuration as it is on disk now: a host that stays open for long hears of
    /// a publisher that was trusted, or killed, as one does that is opened for a single command. From then on that one
    /// is in office.
    pub fn judge(&self) -> Result<Arc<(u64, Judge)>, ForgeError> {
        Ok(self.court.in_force(Judge::again(&self.config, &self.home.trust_dir())?))
    }

    /// Bytes to a verified package: every check of this host's trust, now.
    pub fn prove(&self, bytes: &[u8]) -> Result<VerifiedPackage, ForgeError> {
        let package = Package::load_telling(bytes, &self.package_limits, &*self.progress)?;
        self.judge()?.1.prove(package, self.clock.wall_ns(), &*self.progress)
    }

    /// What a verified package may touch and use.
    pub fn grant(&self, package: VerifiedPackage) -> Result<Grant, ForgeError> {
        Ok(self.sandbox.grant(package)?)
    }

    /// Code for the grant's engine: from the cache when it has some, compiled and sealed otherwise.
    ///
    /// Code whose seal does not hold is set aside, recorded and refused; from then on it is compiled anew when an
    /// operator asks for it, and not otherwise.
    pub fn ready(&self, grant: &Grant, rebuild: Rebuild) -> Result<Ready, ForgeError> {
        let engine = self.engine(grant.engine())?;
        let fuel = grant.limits().fuel.is_some();
        let package = grant.package();
        let key = CodeKey { module: package.facts().digest, fingerprint: engine.fingerprint(fuel) };
        if let Some((module, sealed)) = self.cached(&*engine, &key, fuel)? {
            return Ok(Ready { engine, module, code: key.digest(), sealed, compiled_in: None });
        }
        if rebuild == Rebuild::NotAsked && self.home.is_code_aside(&key.digest()) {
            return Err(RuntimeError::Seal.into());
        }
        let name = package.package().manifest().name.as_str();
        let _compiling = Stage::new(&*self.progress, Phase::Compile, name, None);
        let began = self.clock.mono_ns();
        let module = engine.compile(package.package().module(), fuel)?;
        let took = Duration::from_nanos(self.clock.mono_ns().saturating_sub(began));
        let sealed = key.seal(&self.seal, &engine.serialize(&module)?);
        self.home.keep_code(&key.digest(), &sealed)?;
        let digest = Digest::of(&sealed);
        Ok(Ready { engine, module, code: key.digest(), sealed: digest, compiled_in: Some(took) })
    }

    /// Stored code, and its digest.
    fn cached(
        &self,
        engine: &dyn Engine,
        key: &CodeKey,
        fuel: bool,
    ) -> Result<Option<(CompiledModule, Digest)>, ForgeError> {
        let Some(sealed) = self.home.compiled_code(&key.digest())? else { return Ok(None) };
        let digest = Digest::of(&sealed);
        let loaded = key.open(&self.seal, sealed).and_then(|code| engine.load(&code, fuel));
        match loaded {
            Ok(module) => Ok(Some((module, digest))),
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
                Err(error.into())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// A plugin that can be brought up.
    pub fn assemble(
        &self,
        grant: &Grant,
        ready: Ready,
        state: PluginState,
        denials: &Arc<Denials>,
    ) -> ManagedPlugin {
        self.assemble_as(grant, ready, state, denials, None)
    }

    /// The same; with `shadow` one that changes nothing, and counts there the host calls it was not let make.
    pub fn assemble_as(
        &self,
        grant: &Grant,
        ready: Ready,
        state: PluginState,
        denials: &Arc<Denials>,
        shadow: Option<Arc<AtomicU64>>,
    ) -> ManagedPlugin {
        let package = grant.package();
        let parts = Parts {
            identity: identity(package),
            instances: package.package().manifest().instances,
            plan: plan(package.facts()),
            engine: ready.engine,
            module: ready.module,
            metrics: Arc::default(),
        };
        let warrant: Arc<dyn Warrant> = self.court.warrant(package.standing());
        let ports = self.ports(&parts.identity, grant, denials.clone(), parts.metrics.clone());
        let ports = match shadow {
            Some(suppressed) => Box::new(move |instance| -> Box<dyn SyscallPort> {
                Box::new(ShadowPort::new(ports(instance), suppressed.clone()))
            }),
            None => ports,
        };
        self.plugin_with(grant, parts, state, ports, warrant)
    }

    /// A plugin of these parts under this grant.
    pub(super) fn plugin_of<To>(
        &self,
        grant: &Grant<To>,
        parts: Parts,
        state: PluginState,
        denials: &Arc<Denials>,
    ) -> ManagedPlugin {
        let warrant: Arc<dyn Warrant> = Arc::new(Unconditional::default());
        let ports = self.ports(&parts.identity, grant, denials.clone(), parts.metrics.clone());
        self.plugin_with(grant, parts, state, ports, warrant)
    }

    fn plugin_with<To>(
        &self,
        grant: &Grant<To>,
        parts: Parts,
        state: PluginState,
        ports: PortMaker,
        warrant: Arc<dyn Warrant>,
    ) -> ManagedPlugin {
        let Parts { identity, instances, plan, engine, module, metrics } = parts;
        let vault = Vault::new(self.home.clone(), &identity);
        let keeper = HouseKeeper {
            plugin: identity.name.to_string(),
            version: identity.version.clone(),
            feed: self.feed.clone(),
            ledgers: self.ledgers.clone(),
        };
        let blueprint = Blueprint {
            operations: plan.operations.clone(),
            plan,
            limits: grant.limits().clone(),
            mode: instances.mode,
            max_instances: usize::try_from(instances.max.get()).unwrap_or(usize::MAX).min(MAX_INSTANCES),
            warm_instances: usize::try_from(instances.warm.get()).unwrap_or(1).min(MAX_INSTANCES),
            queue_length: usize::try_from(self.config.limits.queue_length).unwrap_or(usize::MAX),
            ports,
            identity,
            engine,
            module,
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            metrics,
            vault: Arc::new(vault),
            keeper: Arc::new(keeper),
            over: self.over.clone(),
            warrant,
        };
        ManagedPlugin::new(blueprint, state)
    }

    /// Each instance gets its own caller: its own number in records, its own memory of decisions. What they may
    /// log and call is the plugin's, not each instance's.
    fn ports<To>(
        &self,
        identity: &PluginIdentity,
        grant: &Grant<To>,
        denials: Arc<Denials>,
        metrics: Arc<PluginMetrics>,
    ) -> PortMaker {
        let (bridge, bus, identity) = (self.bridge.clone(), self.bus.clone(), identity.clone());
        let permissions = grant.permissions().to_vec();
        let around = around(&self.services.settings, &identity.name, &permissions);
        let now = self.clock.coarse_ms();
        let allowance = Arc::new(LogAllowance::new(now));
        let limits = &self.config.limits;
        let rates = CallRates { calls: limits.host_calls_per_second, effects: limits.effects_per_second };
        let calls = Arc::new(CallAllowance::new(rates, metrics, now));
        Box::new(move |instance| {
            let identity = IdentityContext::plugin(PluginIdentity { instance, ..identity.clone() });
            let trust = TrustContext::with_grants(Arc::new(identity), permissions.clone());
            let caller = bridge.caller(trust);
            denials.watch(caller.stats().clone());
            let port = HostPort::new(bridge.clone(), caller, &bus, allowance.clone());
            Box::new(port.bounded(calls.clone()).amid(around.clone()))
        })
    }
}

/// Instances of one plugin at most, whatever its manifest says.
const MAX_INSTANCES: usize = 256;

/// The identity of a package's plugin as a whole.
pub(super) fn identity(package: &VerifiedPackage) -> PluginIdentity {
    let manifest = package.package().manifest();
    PluginIdentity {
        id: PluginId::new(&manifest.publisher, &manifest.name),
        name: manifest.name.clone(),
        publisher: manifest.publisher.clone(),
        version: manifest.version.to_string(),
        digest: package.package().manifest_digest(),
        instance: 0,
    }
}

/// The exports the verification found.
fn plan(facts: &ModuleFacts) -> ExportPlan {
    ExportPlan {
        lifecycle: Lifecycle::ALL.map(|function| facts.lifecycle.get(&function).cloned()),
        operations: facts.operations.clone(),
        initialize: facts.initialize,
        state_save: facts.state_save,
        state_load: facts.state_load,
    }
}
