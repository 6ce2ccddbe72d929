//! Compiles, loads and instantiates modules with wasmer and Cranelift.
//!
//! Each module has a wasmer engine of its own: an engine keeps the code of every module it ever made until it is
//! dropped, and has one lock for all of them.

use super::deadline::Deadlines;
use super::host;
use super::instance::WasmerInstance;
use super::middleware::{self, Instrument};
use crate::abi::HostContext;
use crate::runtime::error::EngineFailure;
use crate::runtime::{CompiledModule, Engine, EngineKind, ExportPlan, Instance, RuntimeError, TrustedCode};
use crate::sandbox::Limits;
use common::clock::Clock;
use std::fmt::{self, Display};
use std::sync::Arc;
use wasmer::Module;
use wasmer::sys::{CompilerConfig, Cranelift, EngineBuilder, Features, Target};

/// A module and the engine that holds its code, in the order in which they must be dropped.
pub(super) struct Compiled {
    pub(super) module: Module,
    pub(super) engine: wasmer::Engine,
}

/// wasmer, as the trait has it.
pub(super) struct WasmerEngine {
    target: Target,
    deadlines: Arc<Deadlines>,
}

impl fmt::Debug for WasmerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmerEngine").field("target", &self.target).finish_non_exhaustive()
    }
}

impl WasmerEngine {
    /// Starts the thread of the deadlines.
    pub(super) fn start(clock: Arc<dyn Clock>) -> Result<Self, RuntimeError> {
        let deadlines =
            Deadlines::start(clock).map_err(|e| RuntimeError::Start(EngineKind::Wasmer, failure(&e)))?;
        Ok(Self { target: Target::default(), deadlines })
    }

    fn engine(&self, fuel: bool) -> wasmer::Engine {
        let mut compiler = Cranelift::new();
        compiler.canonicalize_nans(true);
        compiler.push_middleware(Arc::new(Instrument::new(fuel)));
        EngineBuilder::new(compiler)
            .set_features(Some(features()))
            .set_target(Some(self.target.clone()))
            .engine()
            .into()
    }
}

fn failure(error: &dyn Display) -> EngineFailure {
    EngineFailure(error.to_string())
}

/// What wasmtime has on as well, and nothing else.
fn features() -> Features {
    let mut features = Features::none();
    features.bulk_memory(true).reference_types(true).simd(true).multi_value(true).extended_const(true);
    features
}

fn own(module: &CompiledModule) -> Result<Arc<Compiled>, RuntimeError> {
    module.inner.clone().downcast().map_err(|_| RuntimeError::Mismatch("it belongs to another engine"))
}

fn metered(module: &Module) -> bool {
    module.info().exports.contains_key(middleware::FUEL)
}

fn compiled(module: Module, engine: wasmer::Engine, fuel: bool) -> Result<CompiledModule, EngineFailure> {
    host::check(&module).map_err(EngineFailure)?;
    if metered(&module) != fuel {
        return Err(EngineFailure("the code was compiled with another setting of fuel".to_owned()));
    }
    Ok(CompiledModule { kind: EngineKind::Wasmer, inner: Arc::new(Compiled { module, engine }) })
}

impl Engine for WasmerEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Wasmer
    }

    fn fingerprint(&self, fuel: bool) -> String {
        let features: Vec<String> = self.target.cpu_features().iter().map(|f| format!("{f:?}")).collect();
        format!(
            "wasmer {} cranelift {} {} checks={} nan=canonical fuel={fuel}",
            wasmer::sys::vm::VERSION,
            self.target.triple(),
            features.join("+"),
            middleware::VERSION,
        )
    }

    fn compile(&self, wasm: &[u8], fuel: bool) -> Result<CompiledModule, RuntimeError> {
        let engine = self.engine(fuel);
        let refused = |e| RuntimeError::Compile(EngineKind::Wasmer, e);
        let module = Module::from_binary(&engine, wasm).map_err(|e| refused(failure(&e)))?;
        compiled(module, engine, fuel).map_err(refused)
    }

    fn serialize(&self, module: &CompiledModule) -> Result<Vec<u8>, RuntimeError> {
        let own = own(module)?;
        let bytes =
            own.module.serialize().map_err(|e| RuntimeError::Load(EngineKind::Wasmer, failure(&e)))?;
        Ok(bytes.into())
    }

    fn load(&self, code: &TrustedCode, fuel: bool) -> Result<CompiledModule, RuntimeError> {
        let engine = self.engine(fuel);
        // SAFETY: a `TrustedCode` is what this host serialised and sealed under this fingerprint, unchanged.
        #[allow(unsafe_code, reason = "loading native code cannot be checked, only authenticated")]
        let module = unsafe { Module::deserialize_unchecked(&engine, code.bytes().to_vec()) };
        let failed = |e| RuntimeError::Load(EngineKind::Wasmer, e);
        module.map_err(|e| failure(&e)).and_then(|module| compiled(module, engine, fuel)).map_err(failed)
    }

    fn instantiate(
        &self,
        module: &CompiledModule,
        plan: &ExportPlan,
        limits: &Limits,
        context: HostContext,
    ) -> Result<Box<dyn Instance>, RuntimeError> {
        let own = own(module)?;
        if limits.fuel.is_some() && !metered(&own.module) {
            return Err(RuntimeError::Mismatch("it was compiled without fuel and its limits ask for fuel"));
        }
        let instance = WasmerInstance::new(own, &self.target, &self.deadlines, plan, limits, context)?;
        Ok(Box::new(instance))
    }
}
