//! The plugin host: a `.forgepkg` comes in untrusted, gains proof step by step until it may run, and from then
//! on every effect it asks for passes one door that decides, records and only then acts.
//!
//! `ARCHITECTURE.md` beside this crate says where each line lives and which room may import which.

pub mod abi;
pub mod attestation;
pub mod config;
pub mod loader;
pub mod metrics;
pub mod plugin;
pub mod registry;
pub mod resolver;
pub mod runtime;
pub mod sandbox;
pub mod syscall;

pub use registry::{InstallReport, ManagerBuilder, PluginManager, PluginStatus, Probe};
