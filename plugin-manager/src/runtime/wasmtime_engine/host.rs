//! The host functions as wasmtime calls them; what they do is in `abi::vm`.

use super::limiter::Limiter;
use crate::abi::{HostContext, WASI_FUNCTIONS, WASI_MODULE, WasiFunction, Words, vm};
use common::clock::Clock;
use forgeone_abi::ValType as Ty;
use forgeone_abi::names::{MODULE, export, import};
use std::sync::Arc;
use wasmtime::{Caller, Engine, FuncType, Linker, Memory, Val, ValType};

/// What a store keeps for its one instance.
pub(super) struct State {
    pub(super) host: HostContext,
    pub(super) limiter: Limiter,
    /// Looked up once: a look-up on each host call would cost several times the call.
    pub(super) memory: Option<Memory>,
    /// The clock deadlines are read by.
    pub(super) clock: Arc<dyn Clock>,
}

/// The guest called `abort`, or ended itself; the text is with the context.
#[derive(Debug, thiserror::Error)]
#[error("aborted")]
pub(super) struct Aborted;

/// Gives `run` the context and the guest's memory. A guest without memory has none to point into.
#[inline]
fn with<R>(caller: &mut Caller<'_, State>, run: impl FnOnce(&mut HostContext, &mut [u8]) -> R) -> R {
    match caller.data().memory.or_else(|| find_memory(caller)) {
        Some(memory) => {
            let (bytes, state) = memory.data_and_store_mut(caller);
            run(&mut state.host, bytes)
        }
        None => run(&mut caller.data_mut().host, &mut []),
    }
}

/// The memory of an instance that calls the host before it is made: from its start function.
#[cold]
fn find_memory(caller: &mut Caller<'_, State>) -> Option<Memory> {
    let memory = caller.get_export(export::MEMORY)?.into_memory();
    caller.data_mut().memory = memory;
    memory
}

type Host<'a> = Caller<'a, State>;

/// A linker with every import of ABI 1 and of WASI, and nothing else.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(MODULE, import::LOG, |mut c: Host<'_>, ptr: u32, len: u32| {
            with(&mut c, |h, m| vm::log(h, m, ptr, len));
        })?
        .func_wrap(MODULE, import::LOG_AT, |mut c: Host<'_>, level: i32, ptr: u32, len: u32| {
            with(&mut c, |h, m| vm::log_at(h, m, level, ptr, len));
        })?
        .func_wrap(MODULE, import::INPUT_READ, |mut c: Host<'_>, offset: u32, ptr: u32, cap: u32| {
            with(&mut c, |h, m| vm::input_read(h, m, offset, ptr, cap))
        })?
        .func_wrap(MODULE, import::OUTPUT, |mut c: Host<'_>, ptr: u32, len: u32| {
            with(&mut c, |h, m| vm::output(h, m, ptr, len))
        })?
        .func_wrap(MODULE, import::FAIL, |mut c: Host<'_>, ptr: u32, len: u32| {
            with(&mut c, |h, m| vm::fail(h, m, ptr, len));
        })?
        .func_wrap(MODULE, import::RESPONSE_READ, |mut c: Host<'_>, offset: u32, ptr: u32, cap: u32| {
            with(&mut c, |h, m| vm::response_read(h, m, offset, ptr, cap))
        })?;
    services(&mut linker)?;
    for function in WASI_FUNCTIONS {
        wasi(engine, &mut linker, function)?;
    }
    Ok(linker)
}

/// One function of WASI, which takes its arguments as words.
fn wasi(
    engine: &Engine,
    linker: &mut Linker<State>,
    function: &'static WasiFunction,
) -> wasmtime::Result<()> {
    let ty = |types: &[Ty]| types.iter().map(value_type).collect::<Vec<_>>();
    let ty = FuncType::new(engine, ty(function.params()), ty(function.results()));
    let run = move |mut c: Host<'_>, params: &[Val], results: &mut [Val]| {
        let words: Words = params.iter().map(word).collect();
        match with(&mut c, |h, m| function.call(h, m, words.all())) {
            Ok(errno) => results.iter_mut().for_each(|result| *result = Val::I32(errno)),
            Err(_) => return Err(wasmtime::Error::new(Aborted)),
        }
        Ok(())
    };
    linker.func_new(WASI_MODULE, function.name(), ty, run).map(drop)
}

const fn value_type(ty: &Ty) -> ValType {
    match ty {
        Ty::I32 => ValType::I32,
        Ty::I64 => ValType::I64,
        Ty::F32 => ValType::F32,
        Ty::F64 => ValType::F64,
    }
}

/// An argument as a word; no function of WASI takes another type.
fn word(value: &Val) -> u64 {
    match value {
        Val::I32(half) => u64::from(half.cast_unsigned()),
        Val::I64(word) => word.cast_unsigned(),
        _ => 0,
    }
}

fn services(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker
        .func_wrap(
            MODULE,
            import::SYSCALL,
            |mut c: Host<'_>, name: u32, name_len: u32, args: u32, args_len: u32, out: u32, cap: u32| {
                with(&mut c, |h, m| vm::syscall(h, m, (name, name_len), (args, args_len), (out, cap)))
            },
        )?
        .func_wrap(MODULE, import::ENV_GET, |mut c: Host<'_>, key: u32, len: u32, out: u32, cap: u32| {
            with(&mut c, |h, m| vm::env_get(h, m, (key, len), (out, cap)))
        })?
        .func_wrap(
            MODULE,
            import::ABORT,
            |mut c: Host<'_>, text: u32, file: u32, line: i32, column: i32| {
                with(&mut c, |h, m| vm::abort(h, m, text, file, line, column));
                Err::<(), _>(wasmtime::Error::new(Aborted))
            },
        )?;
    Ok(())
}
