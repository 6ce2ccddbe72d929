//! One wasmer instance: its store, its resolved exports, and the words of it that the host reads and writes.

use super::checks;
use super::deadline::{Deadlines, Flag, MAX_SLOTS, Watch};
use super::engine::Compiled;
use super::host::{self, Aborted, Env};
use super::middleware::{FUEL, INTERRUPT, REASON, ROOM, START};
use super::tunables::{Limited, max_pages};
use crate::abi::HostContext;
use crate::runtime::{Entry, ExportPlan, Instance, Lifecycle, RuntimeError, Trap, Usage};
use crate::sandbox::Limits;
use common::clock::Deadline;
use common::error::codes;
use forgeone_abi::names::export;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering};
use wasmer::sys::vm::TrapCode;
use wasmer::sys::{NativeEngineExt, Target};
use wasmer::{
    AsStoreMut, ExportIndex, FunctionEnv, InstantiationError, LinkError, Memory, Module, ModuleInfo, Store,
    TypedFunction,
};

/// Tables one instance may have; their elements are bounded together.
const TABLES: usize = 64;

/// A word of an instance that the host reads and writes while no call runs.
struct Word<T>(NonNull<T>);

impl<T> Word<T> {
    /// Finds the word in the one instance of this store.
    fn of(store: &mut Store, module: &Module, name: &str) -> Option<Self> {
        global(store, module, name).map(|place| Self(place.cast()))
    }
    fn get(&self) -> &T {
        // SAFETY: the word is a 16-byte aligned global of the instance, an integer as `T` is atomic of the same size. It
        // lives in the store, and so does everything that has a `Word`: the private fields of `WasmerInstance`, and
        // variables of `new` beside the store. It is not used while the guest runs.
        #[allow(unsafe_code, reason = "the word is a global of the instance")]
        unsafe {
            self.0.as_ref()
        }
    }
}

/// The exports of the plan.
struct Entries {
    initialize: Option<TypedFunction<(), ()>>,
    lifecycle: [Option<TypedFunction<(), i32>>; 6],
    operations: Vec<TypedFunction<i32, i32>>,
    state_save: Option<TypedFunction<(), i32>>,
    state_load: Option<TypedFunction<i32, i32>>,
}

/// An instance and its store. Fields are dropped in order: the watch first, so that the deadline thread has let go of
/// the store's memory before it is freed, and the code last.
pub(super) struct WasmerInstance {
    watch: Watch,
    reason: Word<AtomicI32>,
    fuel: Option<Word<AtomicI64>>,
    /// The budget of one call, and what the last call used.
    budget: i64,
    used: Option<u64>,
    entries: Entries,
    memory: Memory,
    env: FunctionEnv<Env>,
    store: Store,
    _module: Arc<Compiled>,
}

// SAFETY: wasmer's `Store` is not `Send` because it holds pointers into itself and boxes of `dyn Any`. The pointers
// (`VMContext` and what it names, `Word`) are to memory the store owns, and move with it. What is boxed is host functions,
// which `new_typed_with_env` requires to be `Send + Sync`, and `Env`, which is `Send`; no callback and no trap handler is
// ever set on this store. What wasmer keeps in thread-locals (store context, stack, trap handler) it keeps only while a
// call runs, and a call borrows the instance mutably. The code and its engine are shared through `Arc`s of `Sync` types.
#[allow(unsafe_code, reason = "wasmer leaves it to its users to say when a store may move")]
unsafe impl Send for WasmerInstance {}

const _: () = {
    const fn send<T: Send>() {}
    send::<(Env, Watch, Entries, Memory, Limited)>();
    send::<Arc<Compiled>>();
};

impl WasmerInstance {
    /// See [`crate::runtime::Engine::instantiate`].
    pub(super) fn new(
        compiled: Arc<Compiled>,
        target: &Target,
        deadlines: &Arc<Deadlines>,
        plan: &ExportPlan,
        limits: &Limits,
        context: HostContext,
    ) -> Result<Self, RuntimeError> {
        let mut store = limited_store(&compiled, target, limits)?;
        let (deadline, over) = (context.deadline(), context.over().clone());
        let env = FunctionEnv::new(&mut store, Env { context, memory: None });
        let imports = host::imports(&mut store.as_store_mut(), &compiled.module, &env);
        let instance =
            wasmer::Instance::new(&mut store, &compiled.module, &imports).map_err(instantiation)?;
        let memory =
            instance.exports.get_memory(export::MEMORY).map_err(|_| missing(export::MEMORY))?.clone();
        env.as_mut(&mut store).memory = Some(memory.clone());
        let entries = entries(&store, &instance, plan)?;
        let start = instance.exports.get_typed_function::<(), ()>(&store, START).ok();
        let interrupt = global(&mut store, &compiled.module, INTERRUPT).ok_or_else(|| missing(INTERRUPT))?;
        let reason = Word::of(&mut store, &compiled.module, REASON).ok_or_else(|| missing(REASON))?;
        let fuel = Word::of(&mut store, &compiled.module, FUEL);
        give_room(&mut store, &compiled.module, limits)?;
        // SAFETY: the word is a 16-byte aligned global in the instance's VMContext, which lives as long as the store.
        // The instance keeps the store and drops the watch before it; its code only reads the word.
        #[allow(unsafe_code, reason = "the deadline thread writes into the instance")]
        let flag = unsafe { Flag::at(interrupt.cast()) };
        let watch = deadlines.register(flag, &over).ok_or_else(too_many)?;
        let budget = limits.fuel.and_then(|fuel| i64::try_from(fuel).ok()).unwrap_or(i64::MAX);
        let mut made =
            Self { watch, reason, fuel, budget, used: None, entries, memory, env, store, _module: compiled };
        if let Some(start) = start {
            made.run(deadline, |store| start.call(store)).map_err(RuntimeError::Instantiate)?;
        }
        Ok(made)
    }

    /// Runs `call` under the deadline and the fuel of one call.
    fn run<T>(
        &mut self,
        deadline: Deadline,
        call: impl FnOnce(&mut Store) -> Result<T, wasmer::RuntimeError>,
    ) -> Result<T, Trap> {
        if let Some(fuel) = &self.fuel {
            fuel.get().store(self.budget, Ordering::Relaxed);
        }
        let cancel = self.env.as_ref(&self.store).context.cancel().cloned();
        let result = self.watch.during(deadline, cancel.as_ref(), || call(&mut self.store));
        let left = self.fuel.as_ref().map(|fuel| fuel.get().load(Ordering::Relaxed));
        self.used = left.and_then(|left| u64::try_from(self.budget.saturating_sub(left)).ok());
        result.map_err(|error| self.trapped(error, left.is_some_and(|left| left < 0)))
    }

    /// What a trap was: the added code has left a reason, the rest is wasmer's to say.
    #[cold]
    fn trapped(&mut self, error: wasmer::RuntimeError, exhausted: bool) -> Trap {
        if error.is::<Aborted>() {
            let context = &mut self.env.as_mut(&mut self.store).context;
            return Trap::Abort(context.take_failure().unwrap_or_default());
        }
        match self.reason.get().load(Ordering::Relaxed) {
            checks::CHECK if exhausted => Trap::Fuel,
            checks::CHECK if self.env.as_ref(&self.store).context.cancelled() => Trap::Cancelled,
            checks::CHECK => Trap::Deadline,
            checks::UNREACHABLE => guest(TrapCode::UnreachableCodeReached),
            checks::MEMORY => guest(TrapCode::HeapAccessOutOfBounds),
            checks::TABLE => guest(TrapCode::TableAccessOutOfBounds),
            _ => trap(error),
        }
    }
}

fn missing(name: &str) -> RuntimeError {
    RuntimeError::Export(name.to_owned())
}

fn too_many() -> RuntimeError {
    RuntimeError::Limit { what: format!("an instance beyond {MAX_SLOTS}"), code: &codes::E4014 }
}

/// A store whose memories and tables keep within the limits, if the module's own minimum does.
fn limited_store(compiled: &Compiled, target: &Target, limits: &Limits) -> Result<Store, RuntimeError> {
    let info = compiled.module.info();
    let pages = max_pages(limits);
    if let Some(memory) = info.memories.values().find(|memory| memory.minimum > pages) {
        let what = format!("{} pages of memory", memory.minimum.0);
        return Err(RuntimeError::Limit { what, code: &codes::E4011 });
    }
    if info.tables.len() > TABLES {
        return Err(RuntimeError::Limit { what: "too many tables".to_owned(), code: &codes::E4014 });
    }
    let elements = elements(info);
    if elements > limits.table_elements {
        let what = format!("{elements} table elements");
        return Err(RuntimeError::Limit { what, code: &codes::E4014 });
    }
    let mut engine = compiled.engine.clone();
    engine.set_tunables(Limited::new(target, limits));
    Ok(Store::new(engine))
}

/// Elements of all tables together at the start.
fn elements(info: &ModuleInfo) -> u32 {
    info.tables.values().fold(0, |sum, table| sum.saturating_add(table.minimum))
}

/// Tells the code added to `table.grow` what is left of the limit.
fn give_room(store: &mut Store, module: &Module, limits: &Limits) -> Result<(), RuntimeError> {
    let room: Word<AtomicU32> = Word::of(store, module, ROOM).ok_or_else(|| missing(ROOM))?;
    room.get().store(limits.table_elements.saturating_sub(elements(module.info())), Ordering::Relaxed);
    Ok(())
}

/// Where the global of this private name is; `None` when the module has none.
fn global(store: &mut Store, module: &Module, name: &str) -> Option<NonNull<u8>> {
    let ExportIndex::Global(index) = module.info().exports.get(name)? else { return None };
    let local = module.info().local_global_index(*index)?;
    let index = usize::try_from(local.as_u32()).ok()?;
    // A store holds one instance and no global of the host's, so its globals are the module's in order.
    let global = store.objects_mut().as_sys().iter_globals().nth(index)?;
    Some(global.vmglobal().cast())
}

fn entries(store: &Store, instance: &wasmer::Instance, plan: &ExportPlan) -> Result<Entries, RuntimeError> {
    let exports = &instance.exports;
    let status = |name: &str| exports.get_typed_function::<(), i32>(store, name).map_err(|_| missing(name));
    let sized = |name: &str| exports.get_typed_function::<i32, i32>(store, name).map_err(|_| missing(name));
    let mut lifecycle = [const { None }; 6];
    for (slot, name) in lifecycle.iter_mut().zip(&plan.lifecycle) {
        *slot = name.as_deref().map(status).transpose()?;
    }
    let plain = |name: &str| exports.get_typed_function::<(), ()>(store, name).map_err(|_| missing(name));
    Ok(Entries {
        initialize: plan.initialize.then_some(export::INITIALIZE).map(plain).transpose()?,
        lifecycle,
        operations: plan.operations.iter().map(|name| sized(name)).collect::<Result<_, _>>()?,
        state_save: plan.state_save.then_some(export::STATE_SAVE).map(status).transpose()?,
        state_load: plan.state_load.then_some(export::STATE_LOAD).map(sized).transpose()?,
    })
}

fn instantiation(error: InstantiationError) -> RuntimeError {
    RuntimeError::Instantiate(match error {
        InstantiationError::Start(error) => trap(error),
        InstantiationError::Link(LinkError::Resource(text)) => Trap::Resource(text),
        other => Trap::Engine(other.to_string()),
    })
}

fn guest(code: TrapCode) -> Trap {
    Trap::Guest(code.message().to_owned())
}

fn trap(error: wasmer::RuntimeError) -> Trap {
    let message = error.message();
    match error.to_trap() {
        Some(TrapCode::StackOverflow) => Trap::Stack,
        Some(code) => guest(code),
        None => Trap::Engine(message),
    }
}

fn position(function: Lifecycle) -> usize {
    Lifecycle::ALL.iter().position(|other| *other == function).unwrap_or(usize::MAX)
}

impl Entries {
    fn lifecycle(&self, function: Lifecycle) -> Option<&TypedFunction<(), i32>> {
        self.lifecycle.get(position(function))?.as_ref()
    }
    fn operation(&self, index: u16) -> Option<&TypedFunction<i32, i32>> {
        self.operations.get(usize::from(index))
    }
}

impl Instance for WasmerInstance {
    fn has(&self, entry: Entry) -> bool {
        match entry {
            Entry::Initialize => self.entries.initialize.is_some(),
            Entry::Lifecycle(function) => self.entries.lifecycle(function).is_some(),
            Entry::Operation(index) => self.entries.operation(index).is_some(),
            Entry::StateSave => self.entries.state_save.is_some(),
            Entry::StateLoad => self.entries.state_load.is_some(),
        }
    }

    fn call(&mut self, entry: Entry) -> Result<i32, Trap> {
        let context = &self.env.as_ref(&self.store).context;
        let (deadline, input) = (context.deadline(), context.input_len().cast_signed());
        let entries = &self.entries;
        match entry {
            Entry::Initialize => {
                let function = entries.initialize.clone().ok_or(Trap::Missing(entry))?;
                self.run(deadline, |store| function.call(store)).map(|()| 0)
            }
            Entry::Lifecycle(_) | Entry::StateSave => {
                let function = match entry {
                    Entry::Lifecycle(function) => entries.lifecycle(function),
                    _ => entries.state_save.as_ref(),
                };
                let function = function.cloned().ok_or(Trap::Missing(entry))?;
                self.run(deadline, |store| function.call(store))
            }
            Entry::Operation(_) | Entry::StateLoad => {
                let function = match entry {
                    Entry::Operation(index) => entries.operation(index),
                    _ => entries.state_load.as_ref(),
                };
                let function = function.cloned().ok_or(Trap::Missing(entry))?;
                self.run(deadline, |store| function.call(store, input))
            }
        }
    }

    fn context(&mut self) -> &mut HostContext {
        &mut self.env.as_mut(&mut self.store).context
    }

    fn usage(&mut self) -> Usage {
        Usage { memory_bytes: self.memory.view(&self.store).data_size(), fuel: self.used }
    }
}
