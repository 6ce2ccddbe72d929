//! What every ForgeOne crate shares: who acts, what went wrong, how configuration is read, how bytes are
//! hashed and signed, what is measured, and what is recorded. Knows nothing of plugins or engines.

#![deny(unsafe_code)]

pub mod audit;
pub mod cancel;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod identity;
pub mod permission;
pub mod telemetry;
pub mod trace;
pub mod words;

/// The version of this crate, which plugins may depend on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
