//! The engine of native plugins: an instance is a clone of the registered value. A panic ends it as a trap would.

use super::{ForgePlugin, NativeError, NativeHost};
use crate::abi::HostContext;
use crate::abi::vm::FAILURE_BYTES;
use crate::runtime::{
    CompiledModule, Engine, EngineKind, Entry, ExportPlan, Instance, Lifecycle, RuntimeError, Trap,
    TrustedCode, Usage,
};
use crate::sandbox::Limits;
use crate::syscall::text::escaped;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

const COMPILED: RuntimeError = RuntimeError::Mismatch("a native plugin is compiled with the host program");

/// The code of a native plugin: what makes its instances.
#[derive(Clone)]
pub struct NativeCode {
    manifest: &'static str,
    keeps_state: bool,
    pattern: Arc<dyn Pattern>,
}

impl fmt::Debug for NativeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeCode").field("keeps_state", &self.keeps_state).finish_non_exhaustive()
    }
}

impl NativeCode {
    /// The code whose instances are clones of this value.
    pub fn of<P: ForgePlugin>(plugin: P) -> Self {
        Self::with::<P>(Arc::new(plugin))
    }
    /// The code whose instances are clones of what this function makes. It is called when the first instance is
    /// needed, and once, however many callers need one then; again only when it panicked.
    pub fn lazy<P: ForgePlugin>(make: fn() -> P) -> Self {
        Self::with::<P>(Arc::new(Lazy { make, made: OnceLock::new() }))
    }
    fn with<P: ForgePlugin>(pattern: Arc<dyn Pattern>) -> Self {
        Self { manifest: P::MANIFEST, keeps_state: P::KEEPS_STATE, pattern }
    }
    /// The text of its `plugin.toml`.
    pub const fn manifest(&self) -> &'static str {
        self.manifest
    }
    /// What the host may call: every lifecycle function, these operations, and the state if it is kept.
    pub fn plan(&self, operations: Vec<String>) -> ExportPlan {
        ExportPlan {
            lifecycle: Lifecycle::ALL.map(|function| Some(function.name().to_owned())),
            operations,
            initialize: false,
            state_save: self.keeps_state,
            state_load: self.keeps_state,
        }
    }
    /// The code as an engine keeps it.
    pub fn module(&self) -> CompiledModule {
        CompiledModule { kind: EngineKind::Native, inner: Arc::new(self.clone()) }
    }
}

/// Makes instances.
trait Pattern: Send + Sync {
    fn instance(&self) -> Box<dyn Code>;
}

impl<P: ForgePlugin> Pattern for P {
    fn instance(&self) -> Box<dyn Code> {
        Box::new(self.clone())
    }
}

/// A pattern made when it is first needed.
struct Lazy<P> {
    make: fn() -> P,
    made: OnceLock<P>,
}

impl<P: ForgePlugin> Pattern for Lazy<P> {
    fn instance(&self) -> Box<dyn Code> {
        self.made.get_or_init(self.make).instance()
    }
}

/// One instance of whatever plugin.
trait Code: Send {
    fn run(&mut self, what: What<'_>, host: &mut NativeHost<'_>) -> Result<(), NativeError>;
}

/// What is called.
#[derive(Clone, Copy)]
enum What<'a> {
    Lifecycle(Lifecycle),
    Operation(&'a str),
    StateSave,
    StateLoad,
}

impl<P: ForgePlugin> Code for P {
    fn run(&mut self, what: What<'_>, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        match what {
            What::Lifecycle(Lifecycle::Init) => self.init(host),
            What::Lifecycle(Lifecycle::Start) => self.start(host),
            What::Lifecycle(Lifecycle::Stop) => self.stop(host),
            What::Lifecycle(Lifecycle::Pause) => self.pause(host),
            What::Lifecycle(Lifecycle::Resume) => self.resume(host),
            What::Lifecycle(Lifecycle::Unload) => self.unload(host),
            What::Operation(name) => self.call(name, host),
            What::StateSave => self.state_save(host),
            What::StateLoad => self.state_load(host),
        }
    }
}

/// The engine.
pub(in super::super) fn engine() -> Arc<dyn Engine> {
    Arc::new(NativeEngine)
}

#[derive(Debug)]
struct NativeEngine;

impl Engine for NativeEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Native
    }
    fn fingerprint(&self, _fuel: bool) -> String {
        EngineKind::Native.name().to_owned()
    }
    fn compile(&self, _wasm: &[u8], _fuel: bool) -> Result<CompiledModule, RuntimeError> {
        Err(COMPILED)
    }
    fn serialize(&self, _module: &CompiledModule) -> Result<Vec<u8>, RuntimeError> {
        Err(COMPILED)
    }
    fn load(&self, _code: &TrustedCode, _fuel: bool) -> Result<CompiledModule, RuntimeError> {
        Err(COMPILED)
    }
    fn instantiate(
        &self,
        module: &CompiledModule,
        plan: &ExportPlan,
        _limits: &Limits,
        context: HostContext,
    ) -> Result<Box<dyn Instance>, RuntimeError> {
        let code: Option<&NativeCode> = module.inner.downcast_ref();
        let code = code.ok_or(RuntimeError::Mismatch("it belongs to another engine"))?;
        let made = catch_unwind(AssertUnwindSafe(|| code.pattern.instance()));
        let made = made.map_err(|panic| RuntimeError::Instantiate(panicked(panic)))?;
        Ok(Box::new(Native { code: Some(made), plan: plan.clone(), context }))
    }
}

/// One instance with its host context.
struct Native {
    /// Gone only while it is being dropped.
    code: Option<Box<dyn Code>>,
    plan: ExportPlan,
    context: HostContext,
}

impl Instance for Native {
    fn has(&self, entry: Entry) -> bool {
        match entry {
            Entry::Initialize => self.plan.initialize,
            Entry::Lifecycle(f) => self.plan.lifecycle.get(f as usize).is_some_and(Option::is_some),
            Entry::Operation(index) => self.plan.operations.len() > usize::from(index),
            Entry::StateSave => self.plan.state_save,
            Entry::StateLoad => self.plan.state_load,
        }
    }

    fn call(&mut self, entry: Entry) -> Result<i32, Trap> {
        let missing = Trap::Missing(entry);
        if !self.has(entry) {
            return Err(missing);
        }
        let what = match entry {
            Entry::Initialize => return Err(missing),
            Entry::Lifecycle(function) => What::Lifecycle(function),
            Entry::Operation(index) => {
                What::Operation(self.plan.operations.get(usize::from(index)).ok_or(missing)?)
            }
            Entry::StateSave => What::StateSave,
            Entry::StateLoad => What::StateLoad,
        };
        let code = self.code.as_mut().ok_or(Trap::Dropped)?;
        let input = self.context.take_input();
        let mut host = NativeHost::new(&input, &mut self.context);
        // An instance that unwound is dropped with what it left half done: nothing of it is seen again.
        let done = catch_unwind(AssertUnwindSafe(|| code.run(what, &mut host)));
        self.context.put_input(input);
        match done {
            Err(panic) => Err(panicked(panic)),
            // Nothing could interrupt it; that it came back late ends it as it would have ended a guest.
            Ok(_) if self.context.cancelled() => Err(Trap::Cancelled),
            Ok(_) if self.context.expired() => Err(Trap::Deadline),
            Ok(Ok(())) => Ok(0),
            Ok(Err(error)) => {
                self.context.set_failure(error.message().as_bytes());
                Ok(error.code())
            }
        }
    }

    fn context(&mut self) -> &mut HostContext {
        &mut self.context
    }

    /// Nothing is measured.
    fn usage(&mut self) -> Usage {
        Usage::default()
    }
}

impl Drop for Native {
    /// A destructor that panics takes nothing but its instance.
    fn drop(&mut self) {
        let code = self.code.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(code))) {
            std::mem::forget(panic);
            tracing::error!("a native plugin panicked while an instance of it was dropped");
        }
    }
}

/// A panic as a trap, with its text made safe and cut as what a guest gives to `fail`. What was thrown is never
/// dropped: its destructor may panic too, outside every wall.
fn panicked(panic: Box<dyn Any + Send>) -> Trap {
    let panic = &*std::mem::ManuallyDrop::new(panic);
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Trap::Guest(match text {
        Some(text) => format!("panicked: {}", escaped(text.as_bytes(), FAILURE_BYTES)),
        None => "panicked".to_owned(),
    })
}
