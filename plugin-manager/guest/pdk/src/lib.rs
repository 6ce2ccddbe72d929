//! Everything a ForgeOne plugin may ask of its host, as safe typed Rust. Depends on `forgeone-abi` only, and with
//! the feature `json` on `serde` and `serde_json`.
//!
//! A plugin is a type with the [`Plugin`] trait and methods for its operations; [`export_plugin!`] writes the
//! functions of ABI 1 for it:
//!
//! ```
//! use forgeone_pdk::{Error, Plugin, export_plugin, info, kv};
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Plugin for Greeter {}
//!
//! impl Greeter {
//!     fn greet(&mut self, name: &str) -> Result<String, Error> {
//!         kv::set("last", name.as_bytes())?;
//!         info!("greeting {name}");
//!         Ok(format!("hello {name}"))
//!     }
//! }
//!
//! export_plugin!(Greeter, operations: [greet]);
//!
//! # fn main() {
//! use forgeone_pdk::testing::Host;
//! let host = Host::install();
//! host.step(exports::init).unwrap();
//! assert_eq!(host.call(exports::greet, b"Ada").unwrap(), b"hello Ada");
//! assert_eq!(host.kv("last").unwrap(), b"Ada");
//! # }
//! ```
//!
//! Build it with `--target wasm32-unknown-unknown`. On any other target the same code runs against
//! [`testing::Host`], so operations are tested as plain functions, without an engine.

pub mod auth;
mod call;
pub mod clock;
pub mod config;
mod convert;
pub mod env;
mod error;
pub mod event;
#[cfg(target_arch = "wasm32")]
mod ffi;
pub mod file;
pub mod http;
#[cfg(feature = "json")]
pub mod json;
pub mod kv;
#[cfg(any(test, target_os = "wasi"))]
mod libc_names;
pub mod log;
pub mod metric;
pub mod object;
mod plugin;
pub mod plugins;
pub mod random;
pub mod secret;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod trace;

pub use call::{output, ping, syscall};
pub use convert::{Input, Output};
pub use error::{Error, HostError};
pub use forgeone_abi::{LogLevel, Status};
#[cfg(feature = "json")]
pub use json::Json;
pub use plugin::{Plugin, Stateful};

#[doc(hidden)]
pub use plugin::rt;

/// The host of this build: the imports in a module, the fake one of this thread elsewhere.
#[cfg(target_arch = "wasm32")]
use ffi as host;
#[cfg(not(target_arch = "wasm32"))]
use testing::imports as host;
