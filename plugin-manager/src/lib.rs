//! The plugin host: a `.forgepkg` comes in untrusted, gains proof step by step until it may run, and from then
//! on every effect it asks for passes one door that decides, records and only then acts.
//!
//! A host is one home directory: configuration, trust, packages, what plugins stored, the audit log.
//! [`PluginManager`] opens it; its clones are handles for any thread.
//!
//! ```
//! use plugin_manager::PluginManager;
//!
//! # let directory = tempfile::tempdir()?;
//! # let home = directory.path();
//! let host = PluginManager::builder().home(home).operator("billing-service").open()?;
//! assert!(host.list()?.is_empty(), "a new home has no plugins");
//!
//! // Nothing is taken on its word: what is no package is refused, and the refusal is recorded.
//! let refused = host.install(b"not a package", true).unwrap_err();
//! assert_eq!(refused.code().id, "E1002");
//! host.shutdown()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With a package that is signed by a publisher this home trusts:
//!
//! ```no_run
//! # use plugin_manager::PluginManager;
//! # let host = PluginManager::builder().home("/var/lib/forgeone").open()?;
//! let report = host.install(&std::fs::read("log-redactor.forgepkg")?, true)?;
//! println!("{} {} may use: {}", report.name, report.version, report.granted.join(", "));
//! let redacted = host.call("log-redactor", "redact", b"mail ada@example.com".to_vec())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`PluginRegistry`] is the same host by plugin ids, one lifecycle step at a time. Every error is a
//! [`ForgeError`](common::error::ForgeError): a stable code, its class, reasons, and the next thing to try.
//!
//! Features: `wasmtime-runtime`, `wasmer-runtime`, `cedar` (policy files), `authority` (making certificates),
//! `test-utils`. They only add.
//!
//! What the crate root names is for embedding programs. The modules are the rooms of the house: `ARCHITECTURE.md` beside
//! this crate says where each line lives and which room may import which, `docs/embedding-guide.md` how to embed it.

pub mod abi;
pub mod attestation;
pub mod config;
pub mod evidence;
pub mod export;
pub mod extension;
#[cfg(any(test, feature = "authority"))]
pub mod keys;
pub mod ledger;
pub mod lifecycle;
pub mod loader;
pub mod metrics;
pub mod plugin;
pub mod registry;
mod replay;
pub mod resolver;
pub mod runtime;
pub mod sandbox;
pub mod scaffold;
pub mod store;
pub mod syscall;
#[cfg(any(test, feature = "test-utils"))]
pub mod test_utils;
pub mod workshop;

#[cfg(any(test, feature = "authority"))]
pub use attestation::timestamp::{request as timestamp_request, response_of as check_timestamp};
pub use attestation::{CheckOutcome, Ending, KeyTextError, Passphrase};
pub use common::cancel::CancelToken;
pub use common::trace::{BadTraceParent, TraceContext};
pub use config::Config;
pub use evidence::{
    Covered as EvidenceCovered, Document as EvidenceDocument, Evidence, Framework, Request as EvidenceRequest,
};
pub use export::{Condition, Event as AuditEvent, ExportError, Format as ExportFormat, Selection};
pub use extension::{
    Argument, BadUrl, ExtensionCall, ExtensionError, ExtensionHandler, SecretValue, SyscallExtension, Url,
};
#[cfg(any(test, feature = "authority"))]
pub use keys::{
    IssueRequest, KeyError, KeyInfo, KeyKind, KeyRing, NotaryInfo, RevocationList, RevokeRequest, Unlock,
};
pub use ledger::{AuditSource, witnesses};
pub use loader::forgepkg::File as PackageFile;
pub use loader::{Asset, LoadError, Manifest, Package, PackageLimits, PluginToml, Source, pack};
pub use metrics::progress::{NoProgress, Phase, Progress};
pub use microkernel::syscall_bridge::{ClassRow, SyscallArgs, classes};
pub use microkernel::trust::{Prospect, TrustContext};
pub use plugin::{PluginState, WrongMove};
pub use registry::{
    BadPercent, BroughtUp, CallFuture, CallOptions, DependencyKind, DependencyNeed, DependencyNode,
    DependencyReport, DirectoryReport, DirectoryWatch, EVENTS_KEPT, Event, EventKind, Events, EvidenceError,
    HeldBack, InstallAllReport, InstallPlan, InstallReport, InstallRequest, Installed, LeftOut, LockFile,
    ManagerBuilder, NotReady, OperationHandle, PendingUpgrade, Percent, PlannedChange, PlannedStep,
    PluginHandle, PluginManager, PluginRegistry, PluginStatus, Probe, Readiness, ReviewError, ReviewStatus,
    ReviewSubject, SoakLength, SoakReport, StageReport, StageRequest, StagingError, Supervision, TestReport,
    Told, Trial, TrialFigures, TrialKind, TrialSide, TrialStatus, TrustReload, TrustWatch, UpgradeOptions,
    UpgradeReport, WebhookMaker, doctor_unopened, host_key, open_evidence,
};
pub use replay::{
    ChangedDecision, ChangedProspect, Denied, Edit, EditedPolicy, Explanation, Foreseen, HeldBy,
    PolicyChanges, RecordedCall, RuleText, diff_policies, explain_denial, test_policies,
};
pub use runtime::native::{ForgePlugin, NativeCallError, NativeError, NativeHost};
pub use scaffold::{Language, Scaffold, ScaffoldError, Scaffolded, Sdk};
pub use store::Person;
pub use syscall::text::escaped;
pub use syscall::{LogLevel, Status};
pub use workshop::{
    ClaimedSigner, PolicyFile, PolicyReport, PolicyWarning, SignWith, Verification, annotate,
    certificate_ends_soon, check_module, check_policies, check_policies_in, check_policies_with,
    claimed_signer, cosign, ending_soon, sign, sign_in, sigstore_root, verify, verify_telling, with_staging,
};
