//! One instance in its own store: exports resolved once, the deadline armed at each call.

use super::Linked;
use super::host::{Aborted, State};
use super::limiter::Limiter;
use crate::abi::HostContext;
use crate::runtime::{Entry, ExportPlan, Instance, RuntimeError, Trap, Usage};
use crate::sandbox::Limits;
use common::clock::Clock;
use forgeone_abi::names::export;
use std::sync::Arc;
use wasmtime::{Store, TypedFunc, UpdateDeadline, WasmParams, WasmResults};

/// Ticks of a deadline that never comes: more than 30 years.
const NEVER: u64 = 1 << 40;
/// Ticks after which a call that can be given up looks whether it was.
const LOOK: u64 = 2;
/// Ticks after which any other looks whether the host gave its instance up.
const GLANCE: u64 = 10;

type Action = TypedFunc<(), i32>;
type Operation = TypedFunc<u32, i32>;

pub(super) struct Guest {
    store: Store<State>,
    /// Fuel of one call, when the module meters it.
    fuel: Option<u64>,
    initialize: Option<TypedFunc<(), ()>>,
    lifecycle: [Option<Action>; 6],
    operations: Vec<Operation>,
    state_save: Option<Action>,
    state_load: Option<Operation>,
}

impl Guest {
    pub(super) fn new(
        linked: &Linked,
        plan: &ExportPlan,
        limits: &Limits,
        host: HostContext,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RuntimeError> {
        let state = State { host, limiter: Limiter::new(limits), memory: None, clock };
        let mut store = Store::new(linked.pre.module().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|store| Ok(look(store.data())));
        let fuel = linked.fuel.then(|| limits.fuel.unwrap_or(u64::MAX));
        arm(&mut store, fuel)?;
        let instance = match linked.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(e) => return Err(refused(&mut store, &e)),
        };
        let missing = || RuntimeError::Export(export::MEMORY.into());
        let memory = instance.get_memory(&mut store, export::MEMORY).ok_or_else(missing)?;
        store.data_mut().memory = Some(memory);
        Exports { store: &mut store, instance }.resolve(plan).map(|found| Self {
            fuel,
            initialize: found.initialize,
            lifecycle: found.lifecycle,
            operations: found.operations,
            state_save: found.state_save,
            state_load: found.state_load,
            store,
        })
    }

    fn input_len(&self) -> u32 {
        self.store.data().host.input_len()
    }

    #[cold]
    fn trapped(&mut self, error: &wasmtime::Error) -> Trap {
        trap(error, &mut self.store.data_mut().host)
    }
}

/// The functions a plan names.
struct Found {
    initialize: Option<TypedFunc<(), ()>>,
    lifecycle: [Option<Action>; 6],
    operations: Vec<Operation>,
    state_save: Option<Action>,
    state_load: Option<Operation>,
}

struct Exports<'a> {
    store: &'a mut Store<State>,
    instance: wasmtime::Instance,
}

impl Exports<'_> {
    fn resolve(mut self, plan: &ExportPlan) -> Result<Found, RuntimeError> {
        let mut lifecycle = [const { None }; 6];
        for (slot, name) in lifecycle.iter_mut().zip(&plan.lifecycle) {
            *slot = name.as_deref().map(|name| self.function(name)).transpose()?;
        }
        Ok(Found {
            initialize: self.when(plan.initialize, export::INITIALIZE)?,
            lifecycle,
            operations: plan.operations.iter().map(|name| self.function(name)).collect::<Result<_, _>>()?,
            state_save: self.when(plan.state_save, export::STATE_SAVE)?,
            state_load: self.when(plan.state_load, export::STATE_LOAD)?,
        })
    }

    fn when<P: WasmParams, R: WasmResults>(
        &mut self,
        wanted: bool,
        name: &str,
    ) -> Result<Option<TypedFunc<P, R>>, RuntimeError> {
        wanted.then(|| self.function(name)).transpose()
    }

    fn function<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &str,
    ) -> Result<TypedFunc<P, R>, RuntimeError> {
        let found = self.instance.get_typed_func(&mut *self.store, name);
        found.map_err(|_| RuntimeError::Export(name.to_owned()))
    }
}

/// Arms deadline and fuel for what runs next.
#[inline]
fn arm(store: &mut Store<State>, fuel: Option<u64>) -> Result<(), Trap> {
    let ticks = until_look(store.data());
    store.set_epoch_deadline(ticks);
    match fuel {
        Some(fuel) => store.set_fuel(fuel).map_err(|e| Trap::Engine(e.to_string())),
        None => Ok(()),
    }
}

/// Ticks until the guest is interrupted to see whether it may go on: until its deadline at most, and no longer than what
/// gives it up may take to be seen. A store's epoch deadline can be moved by nobody but the store itself.
#[inline]
fn until_look(state: &State) -> u64 {
    let left = state.host.deadline().as_ms().saturating_sub(state.clock.coarse_ms()).min(NEVER);
    left.min(if state.host.cancel().is_some() { LOOK } else { GLANCE })
}

/// The ticks it was given are over: whether it goes on.
fn look(state: &State) -> UpdateDeadline {
    match until_look(state) {
        more @ 1.. if !state.host.cancelled() => UpdateDeadline::Continue(more),
        _ => UpdateDeadline::Interrupt,
    }
}

/// Why an instance could not be made: what its limiter refused, or the trap.
fn refused(store: &mut Store<State>, error: &wasmtime::Error) -> RuntimeError {
    let state = store.data_mut();
    match state.limiter.take_refused() {
        Some((what, code)) if error.downcast_ref::<wasmtime::Trap>().is_none() => {
            RuntimeError::Limit { what, code }
        }
        _ => RuntimeError::Instantiate(trap(error, &mut state.host)),
    }
}

fn trap(error: &wasmtime::Error, host: &mut HostContext) -> Trap {
    use wasmtime::Trap as T;
    match error.downcast_ref::<T>() {
        Some(T::Interrupt) if host.cancelled() => Trap::Cancelled,
        Some(T::Interrupt) => Trap::Deadline,
        Some(T::StackOverflow) => Trap::Stack,
        Some(T::OutOfFuel) => Trap::Fuel,
        Some(T::UnreachableCodeReached) => Trap::Guest("unreachable".into()),
        Some(other) => {
            let text = other.to_string();
            Trap::Guest(text.trim_start_matches("wasm trap: ").to_owned())
        }
        None if error.is::<Aborted>() => Trap::Abort(host.take_failure().unwrap_or_default()),
        None => Trap::Engine(format!("{error:#}")),
    }
}

impl Instance for Guest {
    fn has(&self, entry: Entry) -> bool {
        match entry {
            Entry::Initialize => self.initialize.is_some(),
            Entry::Lifecycle(f) => self.lifecycle.get(f as usize).is_some_and(Option::is_some),
            Entry::Operation(index) => self.operations.len() > usize::from(index),
            Entry::StateSave => self.state_save.is_some(),
            Entry::StateLoad => self.state_load.is_some(),
        }
    }

    fn call(&mut self, entry: Entry) -> Result<i32, Trap> {
        arm(&mut self.store, self.fuel)?;
        let length = self.input_len();
        let missing = || Trap::Missing(entry);
        let store = &mut self.store;
        let result = match entry {
            Entry::Operation(index) => {
                self.operations.get(usize::from(index)).ok_or_else(missing)?.call(store, length)
            }
            Entry::Lifecycle(f) => {
                self.lifecycle.get(f as usize).and_then(Option::as_ref).ok_or_else(missing)?.call(store, ())
            }
            Entry::Initialize => self.initialize.as_ref().ok_or_else(missing)?.call(store, ()).map(|()| 0),
            Entry::StateSave => self.state_save.as_ref().ok_or_else(missing)?.call(store, ()),
            Entry::StateLoad => self.state_load.as_ref().ok_or_else(missing)?.call(store, length),
        };
        result.map_err(|e| self.trapped(&e))
    }

    fn context(&mut self) -> &mut HostContext {
        &mut self.store.data_mut().host
    }

    fn usage(&mut self) -> Usage {
        let memory = self.store.data().memory;
        let bytes = memory.map_or(0, |m| m.data_size(&self.store));
        let left = self.fuel.and_then(|budget| Some(budget.saturating_sub(self.store.get_fuel().ok()?)));
        Usage { memory_bytes: u64::try_from(bytes).unwrap_or(u64::MAX), fuel: left }
    }
}
