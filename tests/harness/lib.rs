//! What stories are told with: a world of its own for each (a temporary home, a configuration, the binary),
//! hand-written plugins, packages as plain `tar` writes them, and assertions that show the whole exchange.

mod archive;
mod binary;
mod daemon;
#[cfg(doctest)]
mod docs;
mod plugin;
mod signed;
mod world;

pub use archive::{Entries, gzip, read_entries, tar_of};
pub use binary::{Ran, forgeone, workspace_root};
pub use daemon::Daemon;
pub use plugin::{Wat, lifecycle, pack_args, parse_list, syscall_operation};
pub use signed::{sample_wasm, signed_package};
pub use world::{Engine, Environment, World};

/// Tells a story once per engine, as two tests: `NAME::wasmtime` and `NAME::wasmer`.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$doc:meta])* fn $name:ident($engine:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;
            fn story($engine: $crate::Engine) $body
            #[test]
            fn wasmtime() { story($crate::Engine::Wasmtime) }
            #[test]
            fn wasmer() { story($crate::Engine::Wasmer) }
        }
    )*};
}
