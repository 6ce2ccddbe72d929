//! The imports of ABI 1 and of WASI as wasmer functions: each hands the guest's arguments and memory to `abi`.

use crate::abi::{HostContext, WASI_FUNCTIONS, WASI_MODULE, WasiFunction, Words, vm};
use forgeone_abi::ValType;
use forgeone_abi::names::{MODULE, import};
use wasmer::{
    Extern, ExternType, Function, FunctionEnv, FunctionEnvMut, FunctionType, Imports, Memory, Module,
    RuntimeError, StoreMut, Type, Value,
};

/// What host functions reach.
pub(super) struct Env {
    pub(super) context: HostContext,
    /// The exported memory, known once the instance exists.
    pub(super) memory: Option<Memory>,
}

/// The guest called `abort`, or ended itself; its text is in the context.
#[derive(Debug, thiserror::Error)]
#[error("aborted")]
pub(super) struct Aborted;

/// Whether the module imports functions of the ABI alone, as the ABI has them.
///
/// # Errors
/// The first import that is not so.
pub(super) fn check(module: &Module) -> Result<(), String> {
    for found in module.imports() {
        let name = format!("{}::{}", found.module(), found.name());
        match (signature(found.module(), found.name()), found.ty()) {
            (None, _) => return Err(format!("unknown import `{name}`")),
            (Some(known), ExternType::Function(ty)) if *ty == known => {}
            (Some(_), _) => return Err(format!("incompatible import type for `{name}`")),
        }
    }
    Ok(())
}

const WORDS: [Type; 6] = [Type::I32; 6];

/// The type of an import there is.
fn signature(module: &str, name: &str) -> Option<FunctionType> {
    match module {
        MODULE => own(name).map(|(params, results)| FunctionType::new(params, results)),
        WASI_MODULE => wasi(name).map(wasi_type),
        _ => None,
    }
}

fn wasi(name: &str) -> Option<&'static WasiFunction> {
    WASI_FUNCTIONS.iter().find(|function| function.name() == name)
}

fn wasi_type(function: &WasiFunction) -> FunctionType {
    let types = |types: &[ValType]| types.iter().map(value_type).collect::<Vec<_>>();
    FunctionType::new(types(function.params()), types(function.results()))
}

const fn value_type(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
    }
}

/// Parameters and results of an import of the ABI; all are i32.
fn own(name: &str) -> Option<(&'static [Type], &'static [Type])> {
    let (params, results) = match name {
        import::LOG | import::FAIL => (2, 0),
        import::LOG_AT => (3, 0),
        import::OUTPUT => (2, 1),
        import::INPUT_READ | import::RESPONSE_READ => (3, 1),
        import::ENV_GET => (4, 1),
        import::SYSCALL => (6, 1),
        import::ABORT => (4, 0),
        _ => return None,
    };
    Some((WORDS.get(..params)?, WORDS.get(..results)?))
}

/// The imports this module names, all of which [`check`] knows.
pub(super) fn imports(store: &mut StoreMut<'_>, module: &Module, env: &FunctionEnv<Env>) -> Imports {
    let mut imports = Imports::new();
    for found in module.imports() {
        let made = match found.module() {
            WASI_MODULE => wasi(found.name()).map(|function| wasi_function(store, env, function)),
            _ => function(store, env, found.name()),
        };
        if let Some(made) = made {
            imports.define(found.module(), found.name(), Extern::Function(made));
        }
    }
    imports
}

type Host<'a> = FunctionEnvMut<'a, Env>;

/// Gives `run` the context and the guest's memory.
#[inline]
fn with<R>(mut host: Host<'_>, run: impl FnOnce(&mut HostContext, &mut [u8]) -> R) -> R {
    let (env, store) = host.data_and_store_mut();
    match &env.memory {
        Some(memory) => {
            let view = memory.view(&store);
            // SAFETY: the guest whose memory this is waits for this host function, on this thread, and the memory is
            // shared with no other; `run` cannot reach the store, so nothing else reads, writes or grows it.
            #[allow(unsafe_code, reason = "wasmer's checked view copies; host functions work in place")]
            let bytes = unsafe { view.data_unchecked_mut() };
            run(&mut env.context, bytes)
        }
        None => run(&mut env.context, &mut []),
    }
}

fn function(store: &mut StoreMut<'_>, env: &FunctionEnv<Env>, name: &str) -> Option<Function> {
    Some(match name {
        import::LOG => Function::new_typed_with_env(store, env, |c: Host<'_>, ptr: u32, len: u32| {
            with(c, |h, m| vm::log(h, m, ptr, len));
        }),
        import::LOG_AT => {
            Function::new_typed_with_env(store, env, |c: Host<'_>, level: i32, ptr: u32, len: u32| {
                with(c, |h, m| vm::log_at(h, m, level, ptr, len));
            })
        }
        import::OUTPUT => Function::new_typed_with_env(store, env, |c: Host<'_>, ptr: u32, len: u32| {
            with(c, |h, m| vm::output(h, m, ptr, len))
        }),
        import::FAIL => Function::new_typed_with_env(store, env, |c: Host<'_>, ptr: u32, len: u32| {
            with(c, |h, m| vm::fail(h, m, ptr, len));
        }),
        import::INPUT_READ => Function::new_typed_with_env(store, env, input_read),
        import::RESPONSE_READ => Function::new_typed_with_env(store, env, response_read),
        import::SYSCALL => Function::new_typed_with_env(store, env, syscall),
        import::ENV_GET => Function::new_typed_with_env(store, env, env_get),
        import::ABORT => Function::new_typed_with_env(store, env, abort),
        _ => return None,
    })
}

/// One function of WASI, which takes its arguments as words.
fn wasi_function(
    store: &mut StoreMut<'_>,
    env: &FunctionEnv<Env>,
    function: &'static WasiFunction,
) -> Function {
    Function::new_with_env(store, env, wasi_type(function), move |c: Host<'_>, params: &[Value]| {
        let words: Words = params.iter().map(word).collect();
        match with(c, |h, m| function.call(h, m, words.all())) {
            Ok(errno) => Ok(vec![Value::I32(errno)]),
            Err(_) => Err(RuntimeError::user(Box::new(Aborted))),
        }
    })
}

/// An argument as a word; no function of WASI takes another type.
fn word(value: &Value) -> u64 {
    match value {
        Value::I32(half) => u64::from(half.cast_unsigned()),
        Value::I64(word) => word.cast_unsigned(),
        _ => 0,
    }
}

fn input_read(host: Host<'_>, offset: u32, ptr: u32, cap: u32) -> i32 {
    with(host, |h, m| vm::input_read(h, m, offset, ptr, cap))
}

fn response_read(host: Host<'_>, offset: u32, ptr: u32, cap: u32) -> i32 {
    with(host, |h, m| vm::response_read(h, m, offset, ptr, cap))
}

fn syscall(host: Host<'_>, name: u32, name_len: u32, args: u32, args_len: u32, out: u32, cap: u32) -> i32 {
    with(host, |h, m| vm::syscall(h, m, (name, name_len), (args, args_len), (out, cap)))
}

fn env_get(host: Host<'_>, key: u32, key_len: u32, out: u32, cap: u32) -> i32 {
    with(host, |h, m| vm::env_get(h, m, (key, key_len), (out, cap)))
}

fn abort(host: Host<'_>, message: u32, file: u32, line: i32, column: i32) -> Result<(), RuntimeError> {
    with(host, |h, m| vm::abort(h, m, message, file, line, column));
    Err(RuntimeError::user(Box::new(Aborted)))
}
