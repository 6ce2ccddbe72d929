//! The wasmtime engine: two configurations, with and without fuel, each made when it is first needed.

mod config;
mod host;
mod instance;
mod limiter;
mod ticker;

use super::error::EngineFailure;
use super::{CompiledModule, Engine, EngineKind, ExportPlan, Instance, RuntimeError, TrustedCode};
use crate::abi::HostContext;
use crate::sandbox::Limits;
use common::clock::Clock;
use common::error::codes;
use parking_lot::Mutex;
use std::sync::Arc;
use wasmtime::{InstancePre, Linker, Module};

const KIND: EngineKind = EngineKind::Wasmtime;

/// Starts the engine and the thread that ends calls whose deadline has passed.
pub(super) fn start(clock: Arc<dyn Clock>) -> Result<Arc<dyn Engine>, RuntimeError> {
    let plain = Flavour::start(false, &clock)?;
    Ok(Arc::new(WasmtimeEngine { clock, plain, fuelled: Mutex::new(None) }))
}

/// One configured wasmtime engine, its host functions, and what its code is known by.
struct Flavour {
    engine: wasmtime::Engine,
    linker: Linker<host::State>,
    fingerprint: String,
}

impl Flavour {
    fn start(fuel: bool, clock: &Arc<dyn Clock>) -> Result<Arc<Self>, RuntimeError> {
        let failed = |e: wasmtime::Error| RuntimeError::Start(KIND, failure(&e));
        let engine = wasmtime::Engine::new(&config::config(fuel)).map_err(failed)?;
        let linker = host::linker(&engine).map_err(failed)?;
        ticker::start(&engine, clock.clone()).map_err(|e| failed(e.into()))?;
        let fingerprint = config::fingerprint(&engine, fuel);
        Ok(Arc::new(Self { engine, linker, fingerprint }))
    }
}

/// A module linked to the host functions.
struct Linked {
    pre: InstancePre<host::State>,
    fuel: bool,
}

struct WasmtimeEngine {
    clock: Arc<dyn Clock>,
    plain: Arc<Flavour>,
    fuelled: Mutex<Option<Arc<Flavour>>>,
}

impl std::fmt::Debug for WasmtimeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WasmtimeEngine")
    }
}

impl WasmtimeEngine {
    fn flavour(&self, fuel: bool) -> Result<Arc<Flavour>, RuntimeError> {
        if !fuel {
            return Ok(self.plain.clone());
        }
        let mut slot = self.fuelled.lock();
        if let Some(made) = &*slot {
            return Ok(made.clone());
        }
        let made = Flavour::start(true, &self.clock)?;
        Ok(slot.insert(made).clone())
    }
}

impl Engine for WasmtimeEngine {
    fn kind(&self) -> EngineKind {
        KIND
    }

    fn fingerprint(&self, fuel: bool) -> String {
        match self.flavour(fuel) {
            Ok(flavour) => flavour.fingerprint.clone(),
            // No code can be made or loaded without the flavour, so nothing is ever kept under this name.
            Err(_) => format!("{KIND} unavailable"),
        }
    }

    fn compile(&self, wasm: &[u8], fuel: bool) -> Result<CompiledModule, RuntimeError> {
        let flavour = self.flavour(fuel)?;
        let refused = |e: wasmtime::Error| RuntimeError::Compile(KIND, failure(&e));
        let module = Module::from_binary(&flavour.engine, wasm).map_err(refused)?;
        link(&flavour, &module, fuel).map_err(refused)
    }

    fn serialize(&self, module: &CompiledModule) -> Result<Vec<u8>, RuntimeError> {
        linked(module)?.pre.module().serialize().map_err(|e| RuntimeError::Load(KIND, failure(&e)))
    }

    fn load(&self, code: &TrustedCode, fuel: bool) -> Result<CompiledModule, RuntimeError> {
        let flavour = self.flavour(fuel)?;
        // SAFETY: a `TrustedCode` is made only where bytes matched the tag this host's key gave them when this
        // host compiled them, for this module and this engine's fingerprint; they are what `serialize` gave.
        #[allow(unsafe_code, reason = "loading native code cannot be checked, only authenticated")]
        let module = unsafe { Module::deserialize(&flavour.engine, code.bytes()) };
        module.and_then(|m| link(&flavour, &m, fuel)).map_err(|e| RuntimeError::Load(KIND, failure(&e)))
    }

    fn instantiate(
        &self,
        module: &CompiledModule,
        plan: &ExportPlan,
        limits: &Limits,
        context: HostContext,
    ) -> Result<Box<dyn Instance>, RuntimeError> {
        let linked = linked(module)?;
        if limits.fuel.is_some() && !linked.fuel {
            return Err(RuntimeError::Mismatch("it was compiled without fuel and its limits ask for fuel"));
        }
        if linked.pre.module().resources_required().num_tables > limiter::TABLES {
            return Err(RuntimeError::Limit { what: "too many tables".into(), code: &codes::E4014 });
        }
        let made = instance::Guest::new(linked, plan, limits, context, self.clock.clone())?;
        Ok(Box::new(made))
    }
}

fn link(flavour: &Flavour, module: &Module, fuel: bool) -> wasmtime::Result<CompiledModule> {
    let pre = flavour.linker.instantiate_pre(module)?;
    Ok(CompiledModule { kind: KIND, inner: Arc::new(Linked { pre, fuel }) })
}

fn linked(module: &CompiledModule) -> Result<&Linked, RuntimeError> {
    module.inner.downcast_ref().ok_or(RuntimeError::Mismatch("it belongs to another engine"))
}

/// What wasmtime said, causes included.
fn failure(error: &wasmtime::Error) -> EngineFailure {
    EngineFailure(format!("{error:#}"))
}
