//! The trait every engine implements, and what it is given and gives.

use super::{RuntimeError, Trap, TrustedCode};
use crate::abi::HostContext;
use crate::sandbox::{EngineKind, Lifecycle, Limits};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A function of an instance that the host may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// `_initialize`.
    Initialize,
    /// A lifecycle function: `() -> i32`.
    Lifecycle(Lifecycle),
    /// The operation at this index of the plan: `(input_len: i32) -> i32`.
    Operation(u16),
    /// `state_save() -> i32`.
    StateSave,
    /// `state_load(state_len: i32) -> i32`.
    StateLoad,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialize => f.write_str("`_initialize`"),
            Self::Lifecycle(function) => write!(f, "`{}`", function.name()),
            Self::Operation(index) => write!(f, "operation {index}"),
            Self::StateSave => f.write_str("`state_save`"),
            Self::StateLoad => f.write_str("`state_load`"),
        }
    }
}

/// Which exports an instance resolves, once, when it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportPlan {
    /// Export names of the lifecycle functions, in the order of [`Lifecycle::ALL`]; `None` when absent.
    pub lifecycle: [Option<String>; 6],
    /// Export names of the operations.
    pub operations: Vec<String>,
    /// Whether `_initialize` is exported.
    pub initialize: bool,
    /// Whether `state_save` is exported.
    pub state_save: bool,
    /// Whether `state_load` is exported.
    pub state_load: bool,
}

/// A module as an engine keeps it. Cheap to clone.
#[derive(Clone)]
pub struct CompiledModule {
    /// The engine it belongs to.
    pub kind: EngineKind,
    /// The engine's own value; only that engine looks inside.
    pub inner: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for CompiledModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledModule({})", self.kind)
    }
}

/// What an instance has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of linear memory now; memories only grow, so this is the peak too.
    pub memory_bytes: u64,
    /// Fuel used by the last call, when fuel is metered.
    pub fuel: Option<u64>,
}

/// Compiles, loads and instantiates modules.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Which engine this is.
    fn kind(&self) -> EngineKind;
    /// Kind, version, configuration and CPU features: code made under one fingerprint runs under the same.
    /// `fuel` tells whether the module is compiled to meter fuel.
    fn fingerprint(&self, fuel: bool) -> String;
    /// Compiles a module that passed verification.
    ///
    /// # Errors
    /// [`RuntimeError::Compile`].
    fn compile(&self, wasm: &[u8], fuel: bool) -> Result<CompiledModule, RuntimeError>;
    /// The bytes to keep, for [`Engine::load`].
    ///
    /// # Errors
    /// When the engine cannot serialise it.
    fn serialize(&self, module: &CompiledModule) -> Result<Vec<u8>, RuntimeError>;
    /// Loads code this host compiled and sealed before.
    ///
    /// # Errors
    /// [`RuntimeError::Load`].
    fn load(&self, code: &TrustedCode, fuel: bool) -> Result<CompiledModule, RuntimeError>;
    /// Makes an instance: memory and tables within the limits, exports of the plan resolved. Runs the
    /// module's start function, under the deadline of `context`, which the caller has begun; not `_initialize`.
    ///
    /// # Errors
    /// [`RuntimeError::Limit`], [`RuntimeError::Instantiate`], [`RuntimeError::Export`].
    fn instantiate(
        &self,
        module: &CompiledModule,
        plan: &ExportPlan,
        limits: &Limits,
        context: HostContext,
    ) -> Result<Box<dyn Instance>, RuntimeError>;
}

/// One instance. After a trap it must be dropped.
pub trait Instance: Send {
    /// Whether the plan's export was there.
    fn has(&self, entry: Entry) -> bool;
    /// Calls an export under the deadline of the context; operations and `state_load` are given the input's
    /// length. `Initialize` gives 0.
    ///
    /// # Errors
    /// [`Trap`]; also when the entry is not there.
    fn call(&mut self, entry: Entry) -> Result<i32, Trap>;
    /// The host's side of the instance.
    fn context(&mut self) -> &mut HostContext;
    /// What it has used.
    fn usage(&mut self) -> Usage;
}
