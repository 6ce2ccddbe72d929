//! The imports of ABI 1 as wasmer functions: each hands the guest's arguments and memory to `abi::vm`.

use crate::abi::{HostContext, vm};
use wasmer::{
    Extern, Function, FunctionEnv, FunctionEnvMut, Imports, Memory, Module, RuntimeError, StoreMut,
};

/// What host functions reach.
pub(super) struct Env {
    pub(super) context: HostContext,
    /// The exported memory, known once the instance exists.
    pub(super) memory: Option<Memory>,
}

/// The guest called `abort`; its text is in the context.
#[derive(Debug, thiserror::Error)]
#[error("abort")]
pub(super) struct Abort;

/// The imports this module names; one it names that is not of the ABI is left out, and instantiation fails by its name.
pub(super) fn imports(store: &mut StoreMut<'_>, module: &Module, env: &FunctionEnv<Env>) -> Imports {
    let mut imports = Imports::new();
    for import in module.imports() {
        if import.module() != "env" {
            continue;
        }
        if let Some(function) = function(store, env, import.name()) {
            imports.define("env", import.name(), Extern::Function(function));
        }
    }
    imports
}

/// Calls `body` with the context and the guest's memory, which is empty when none is exported.
fn guest<R>(mut env: FunctionEnvMut<'_, Env>, body: impl FnOnce(&mut HostContext, &mut [u8]) -> R) -> R {
    let (env, store) = env.data_and_store_mut();
    match &env.memory {
        Some(memory) => {
            let view = memory.view(&store);
            // SAFETY: the guest whose memory this is waits for this host function, on this thread, and the memory is
            // shared with no other; `body` cannot reach the store, so nothing else reads, writes or grows it.
            let bytes = unsafe { view.data_unchecked_mut() };
            body(&mut env.context, bytes)
        }
        None => body(&mut env.context, &mut []),
    }
}

type Mut<'a> = FunctionEnvMut<'a, Env>;

fn function(store: &mut StoreMut<'_>, env: &FunctionEnv<Env>, name: &str) -> Option<Function> {
    Some(match name {
        "log" => Function::new_typed_with_env(store, env, |e: Mut<'_>, ptr: u32, len: u32| {
            guest(e, |c, m| vm::log(c, m, ptr, len));
        }),
        "log_at" => Function::new_typed_with_env(store, env, |e: Mut<'_>, level: i32, ptr: u32, len: u32| {
            guest(e, |c, m| vm::log_at(c, m, level, ptr, len));
        }),
        "input_read" => {
            Function::new_typed_with_env(store, env, |e: Mut<'_>, offset: u32, ptr: u32, cap: u32| -> i32 {
                guest(e, |c, m| vm::input_read(c, m, offset, ptr, cap))
            })
        }
        "output" => Function::new_typed_with_env(store, env, |e: Mut<'_>, ptr: u32, len: u32| -> i32 {
            guest(e, |c, m| vm::output(c, m, ptr, len))
        }),
        "fail" => Function::new_typed_with_env(store, env, |e: Mut<'_>, ptr: u32, len: u32| {
            guest(e, |c, m| vm::fail(c, m, ptr, len));
        }),
        "syscall" => Function::new_typed_with_env(store, env, syscall),
        "response_read" => {
            Function::new_typed_with_env(store, env, |e: Mut<'_>, offset: u32, ptr: u32, cap: u32| -> i32 {
                guest(e, |c, m| vm::response_read(c, m, offset, ptr, cap))
            })
        }
        "env_get" => Function::new_typed_with_env(
            store,
            env,
            |e: Mut<'_>, key: u32, key_len: u32, out: u32, cap: u32| -> i32 {
                guest(e, |c, m| vm::env_get(c, m, (key, key_len), (out, cap)))
            },
        ),
        "abort" => Function::new_typed_with_env(store, env, abort),
        _ => return None,
    })
}

fn syscall(env: Mut<'_>, name: u32, name_len: u32, args: u32, args_len: u32, out: u32, cap: u32) -> i32 {
    guest(env, |c, m| vm::syscall(c, m, (name, name_len), (args, args_len), (out, cap)))
}

fn abort(env: Mut<'_>, message: u32, file: u32, line: i32, column: i32) -> Result<(), RuntimeError> {
    guest(env, |c, m| vm::abort(c, m, message, file, line, column));
    Err(RuntimeError::user(Box::new(Abort)))
}
