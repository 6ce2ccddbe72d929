//! What a plugin is brought up from, and where its saved state is kept.

use super::keeper::Keeper;
use super::warrant::Warrant;
use crate::metrics::PluginMetrics;
use crate::runtime::{CompiledModule, Engine, ExportPlan};
use crate::sandbox::{InstanceMode, Limits};
use crate::syscall::SyscallPort;
use common::audit::AuditLog;
use common::cancel::CancelToken;
use common::clock::Clock;
use common::identity::PluginIdentity;
use std::fmt;
use std::sync::Arc;

/// Makes the port of the instance with this number.
pub type PortMaker = Box<dyn Fn(u64) -> Box<dyn SyscallPort> + Send + Sync>;

/// What went wrong with a vault.
pub type VaultFailure = Box<dyn std::error::Error + Send + Sync>;

/// What `state_save` wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The version of the plugin that wrote it.
    pub version: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Where a plugin's saved state is kept between instances.
pub trait StateVault: Send + Sync {
    /// The state saved last.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&self) -> Result<Option<Saved>, VaultFailure>;
    /// Keeps a state.
    ///
    /// # Errors
    /// When it cannot be kept; the one before is then still there.
    fn save(&self, state: &[u8]) -> Result<(), VaultFailure>;
    /// Forgets the state saved last.
    ///
    /// # Errors
    /// When it cannot be forgotten; it is then still there.
    fn discard(&self) -> Result<(), VaultFailure>;
}

/// Everything a plugin needs to be brought up.
pub struct Blueprint {
    /// Who it is; instances get their own numbers.
    pub identity: PluginIdentity,
    /// The engine it runs on.
    pub engine: Arc<dyn Engine>,
    /// Its module, compiled by that engine.
    pub module: CompiledModule,
    /// The exports that may be called.
    pub plan: ExportPlan,
    /// Names of its operations, in the order of the plan.
    pub operations: Vec<String>,
    /// The limits of each instance.
    pub limits: Limits,
    /// How instances are kept. A fresh instance is brought up with `init` and `start`, answers one call and is
    /// dropped, without `stop`. Only a shared one saves and loads its state.
    pub mode: InstanceMode,
    /// How many instances there may be at once; a shared plugin has one.
    pub max_instances: usize,
    /// How many instances of a pooled plugin are made when it starts, at most as many as there may be; one at least.
    pub warm_instances: usize,
    /// How many calls may wait for an instance; more are refused.
    pub queue_length: usize,
    /// Makes ports.
    pub ports: PortMaker,
    /// Where its life is recorded.
    pub audit: AuditLog,
    /// The clock of its deadlines.
    pub clock: Arc<dyn Clock>,
    /// Its counters.
    pub metrics: Arc<PluginMetrics>,
    /// Where its state is kept.
    pub vault: Arc<dyn StateVault>,
    /// Who keeps it.
    pub keeper: Arc<dyn Keeper>,
    /// Ends whatever runs of it, with everything else the host runs.
    pub over: CancelToken,
    /// The right to run it. Its ports must name the same token as what ends their calls.
    pub warrant: Arc<dyn Warrant>,
}

impl fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blueprint").field("identity", &self.identity).finish_non_exhaustive()
    }
}
