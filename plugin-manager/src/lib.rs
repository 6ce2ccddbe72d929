//! The plugin host: a `.forgepkg` comes in untrusted, gains proof step by step until it may run, and from then
//! on every effect it asks for passes one door that decides, records and only then acts.
//!
//! `ARCHITECTURE.md` beside this crate says where each line lives and which room may import which.

pub mod abi;
pub mod attestation;
pub mod config;
pub mod extension;
#[cfg(any(test, feature = "authority"))]
pub mod keys;
pub mod ledger;
pub mod lifecycle;
pub mod loader;
pub mod metrics;
pub mod plugin;
pub mod registry;
pub mod resolver;
pub mod runtime;
pub mod sandbox;
pub mod scaffold;
pub mod store;
pub mod syscall;
#[cfg(any(test, feature = "test-utils"))]
pub mod test_utils;
pub mod workshop;

pub use attestation::CheckOutcome;
pub use config::Config;
pub use extension::{Argument, ExtensionCall, ExtensionError, ExtensionHandler, SyscallExtension};
#[cfg(any(test, feature = "authority"))]
pub use keys::{IssueRequest, KeyError, KeyInfo, KeyKind, KeyRing};
pub use ledger::AuditSource;
pub use loader::forgepkg::File as PackageFile;
pub use loader::{Asset, Manifest, Package, PackageLimits, PluginToml, Source, pack};
pub use metrics::progress::{NoProgress, Phase, Progress};
pub use microkernel::syscall_bridge::{ClassRow, SyscallArgs, classes};
pub use registry::{
    DependencyKind, DependencyNeed, DependencyNode, DependencyReport, InstallReport, ManagerBuilder,
    OperationHandle, PluginHandle, PluginManager, PluginRegistry, PluginStatus, Probe,
};
pub use runtime::native::{ForgePlugin, NativeError, NativeHost};
pub use scaffold::{Language, Scaffold, ScaffoldError, Scaffolded, Sdk};
pub use syscall::text::escaped;
pub use syscall::{LogLevel, Status};
pub use workshop::{
    ClaimedSigner, PolicyFile, PolicyReport, SignWith, Verification, check_policies, check_policies_with,
    claimed_signer, sign, verify, verify_telling,
};
