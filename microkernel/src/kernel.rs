//! The kernel of this process, installed explicitly, and the two free functions over it. Without one they fail.

use crate::plugins::PluginPort;
use crate::syscall_bridge::{CallError, Caller, Status, SyscallArgs, SyscallBridge};
use crate::trust::{TrustContext, Verdict};
use common::error::{Code, Coded, codes};
use common::identity::IdentityContext;
use common::permission::Permission;
use parking_lot::{Mutex, RwLock};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;

/// Most identities a kernel knows at once.
pub const MAX_CALLERS: usize = 65_536;
/// Most idle callers kept for one identity; more calls at a time than this prepare one anew.
const IDLE: usize = 4;

static INSTALLED: RwLock<Option<Arc<Kernel>>> = RwLock::new(None);

/// Why a call through the free functions was not made, or did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// This process has no kernel. Its main program can install one.
    #[error("no kernel is installed in this process")]
    NotInstalled,
    /// This process has one already. Drop the guard of that one first.
    #[error("a kernel is already installed in this process")]
    AlreadyInstalled,
    /// The identity has no registered trust context.
    #[error("the kernel does not know {name} with these roles, attributes and digest")]
    UnknownIdentity {
        /// The name it goes by.
        name: String,
    },
    /// The kernel knows as many identities as it may.
    #[error("the kernel knows {MAX_CALLERS} identities already")]
    Full,
    /// The host call failed or was denied.
    #[error("host call {call}: {status}")]
    Call {
        /// Its name.
        call: String,
        /// How it ended.
        status: Status,
    },
    /// The host call cannot be judged: there is no such call, or its arguments name nothing.
    #[error("host call {call} cannot be judged")]
    Judge {
        /// Its name.
        call: String,
        /// Why not.
        #[source]
        source: CallError,
    },
}

impl Coded for KernelError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotInstalled | Self::AlreadyInstalled => &codes::E0001,
            Self::UnknownIdentity { .. } => &codes::E2006,
            Self::Full => &codes::E4018,
            Self::Call { status, .. } => status.code(),
            Self::Judge { source, .. } => source.status.code(),
        }
    }
    fn help(&self) -> Option<String> {
        match self {
            Self::NotInstalled => {
                Some("install one with `microkernel::install` before the first call".to_owned())
            }
            Self::AlreadyInstalled => Some("drop the guard of the installed kernel first".to_owned()),
            _ => None,
        }
    }
}

/// A bridge, and the identities that may call through it by name.
#[derive(Debug)]
pub struct Kernel {
    bridge: Arc<SyscallBridge>,
    desks: RwLock<HashMap<Arc<IdentityContext>, Arc<Desk>>>,
    plugins: Option<Arc<dyn PluginPort>>,
}

/// One registered identity. Callers are taken out for the length of a call, so that a handler may call again.
#[derive(Debug)]
struct Desk {
    identity: Arc<IdentityContext>,
    grants: Vec<Permission>,
    idle: Mutex<Vec<Caller>>,
}

impl Kernel {
    /// A kernel over this bridge that knows nobody yet.
    pub fn new(bridge: Arc<SyscallBridge>) -> Self {
        Self { bridge, desks: RwLock::new(HashMap::new()), plugins: None }
    }

    /// The same kernel over a host whose plugins can be operated through it.
    #[must_use]
    pub fn with_plugins(self, plugins: Arc<dyn PluginPort>) -> Self {
        Self { plugins: Some(plugins), ..self }
    }

    /// The host's plugins; `None` for a kernel that was made without.
    pub const fn plugins(&self) -> Option<&Arc<dyn PluginPort>> {
        self.plugins.as_ref()
    }

    /// The bridge.
    pub fn bridge(&self) -> &Arc<SyscallBridge> {
        &self.bridge
    }

    /// Makes an identity and what it was granted known, in place of what was known of it before.
    ///
    /// # Errors
    /// [`KernelError::Full`].
    pub fn register(&self, trust: &TrustContext) -> Result<(), KernelError> {
        let mut desks = self.desks.write();
        if desks.len() >= MAX_CALLERS && !desks.contains_key(trust.identity()) {
            return Err(KernelError::Full);
        }
        let identity = trust.identity().clone();
        let desk =
            Desk { identity: identity.clone(), grants: trust.grants().to_vec(), idle: Mutex::default() };
        desks.insert(identity, Arc::new(desk));
        Ok(())
    }

    /// Forgets an identity. Calls under way end as they would have.
    pub fn unregister(&self, identity: &IdentityContext) {
        self.desks.write().remove(identity);
    }

    /// One host call of this identity.
    ///
    /// # Errors
    /// When the identity is not known, and when the call is denied or fails.
    pub fn execute(
        &self,
        call: &str,
        args: &SyscallArgs,
        identity: &IdentityContext,
    ) -> Result<Vec<u8>, KernelError> {
        let failed = |status| KernelError::Call { call: named(call), status };
        self.with_caller(identity, |caller| {
            let mut response = Vec::new();
            match self.bridge.action(call) {
                Some(action) => self.bridge.execute(caller, action, args.as_bytes(), &mut response),
                None => {
                    self.bridge.invalid(caller, call, Status::Unknown, "there is no such host call");
                    Err(Status::Unknown)
                }
            }
            .map(|()| response)
            .map_err(failed)
        })?
    }

    /// What would be decided about this host call. Nothing is recorded and nothing happens.
    ///
    /// # Errors
    /// When the identity is not known, there is no such call, or its arguments name nothing.
    pub fn evaluate(
        &self,
        call: &str,
        args: &SyscallArgs,
        identity: &IdentityContext,
    ) -> Result<Verdict, KernelError> {
        let judge = |source| KernelError::Judge { call: named(call), source };
        let unknown = || judge(CallError::new(Status::Unknown, "there is no such host call"));
        let action = self.bridge.action(call).ok_or_else(unknown)?;
        self.with_caller(identity, |caller| self.bridge.evaluate(caller, action, args.as_bytes()))?
            .map_err(judge)
    }

    fn with_caller<T>(
        &self,
        identity: &IdentityContext,
        act: impl FnOnce(&mut Caller) -> T,
    ) -> Result<T, KernelError> {
        let desk = self.desks.read().get(identity).cloned();
        let desk = desk.ok_or_else(|| KernelError::UnknownIdentity { name: identity.name().to_owned() })?;
        let idle = desk.idle.lock().pop();
        let mut caller = idle.unwrap_or_else(|| {
            let trust = TrustContext::with_grants(desk.identity.clone(), desk.grants.clone());
            self.bridge.caller(trust)
        });
        let done = act(&mut caller);
        let mut idle = desk.idle.lock();
        if idle.len() < IDLE {
            idle.push(caller);
        }
        Ok(done)
    }
}

fn named(call: &str) -> String {
    call.chars().take(64).flat_map(char::escape_debug).collect()
}

/// Keeps a kernel installed for as long as it lives.
#[derive(Debug)]
#[must_use = "the kernel is installed for as long as this lives"]
pub struct Installed(Arc<Kernel>);

impl Installed {
    /// The kernel.
    pub fn kernel(&self) -> &Arc<Kernel> {
        &self.0
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        *INSTALLED.write() = None;
    }
}

/// Makes this the kernel of the process until the guard is dropped.
///
/// # Errors
/// [`KernelError::AlreadyInstalled`].
pub fn install(kernel: Kernel) -> Result<Installed, KernelError> {
    let mut slot = INSTALLED.write();
    if slot.is_some() {
        return Err(KernelError::AlreadyInstalled);
    }
    let kernel = Arc::new(kernel);
    *slot = Some(kernel.clone());
    Ok(Installed(kernel))
}

pub(crate) fn installed() -> Result<Arc<Kernel>, KernelError> {
    INSTALLED.read().clone().ok_or(KernelError::NotInstalled)
}

/// One host call of this identity through the kernel of this process.
///
/// ```
/// use common::identity::IdentityContext;
/// use microkernel::syscall_bridge::{SyscallArgs, execute_syscall};
/// let plugin_identity = IdentityContext::new("plugin-manager");
/// let args = SyscallArgs::new().arg("/data/input.txt");
/// let result = execute_syscall("file_read", &args, &plugin_identity);
/// assert!(result.is_err(), "nothing is installed, so nothing is done");
/// ```
///
/// # Errors
/// When no kernel is installed, it does not know the identity, and when the call is denied or fails.
pub fn execute_syscall(
    call: &str,
    args: &SyscallArgs,
    identity: impl Borrow<IdentityContext>,
) -> Result<Vec<u8>, KernelError> {
    installed()?.execute(call, args, identity.borrow())
}

/// What the kernel of this process would decide about this host call. Nothing is recorded, nothing happens.
///
/// ```
/// use common::error::Coded;
/// use common::identity::IdentityContext;
/// use microkernel::{syscall_bridge::SyscallArgs, trust::evaluate_syscall};
/// let plugin_identity = IdentityContext::new("plugin-manager");
/// let args = SyscallArgs::new().arg("/data/input.txt");
/// let error = evaluate_syscall("file_read", &args, plugin_identity).unwrap_err();
/// assert_eq!(error.code().id, "E0001");
/// ```
///
/// # Errors
/// When no kernel is installed, it does not know the identity, there is no such call, or its arguments name
/// nothing.
pub fn evaluate_syscall(
    call: &str,
    args: &SyscallArgs,
    identity: impl Borrow<IdentityContext>,
) -> Result<Verdict, KernelError> {
    installed()?.evaluate(call, args, identity.borrow())
}
