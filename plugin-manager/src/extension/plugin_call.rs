//! `plugin_call`: one plugin calls an operation of another. No cycle, a bounded chain, the caller's deadline.

use super::service::{Service, invalid, limit, plugin, required, target, text};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use common::identity::{IdentityContext, Name, PluginId};
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};
use microkernel::trust::Chain;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// Most plugins on one chain of calls, the last callee included.
pub const MAX_CHAIN: usize = 8;

/// What the caller keeps of its time, so that it can answer when the callee does not: this, or a tenth of what it
/// has when that is less.
const KEPT: Duration = Duration::from_millis(20);

/// A call on its way to another plugin.
#[derive(Debug)]
pub struct RoutedCall<'a> {
    /// Who calls.
    pub caller: &'a Arc<IdentityContext>,
    /// The chain of calls that leads here, outermost first, the caller last, with the rights of each.
    pub chain: Chain,
    /// The plugin called.
    pub plugin: &'a Name,
    /// Its operation.
    pub operation: &'a str,
    /// The operation's input.
    pub input: &'a [u8],
    /// By when the callee must answer, a little before its caller must; its own limit may be earlier.
    pub deadline: Deadline,
    /// Gives it up together with the call into its caller.
    pub cancel: Option<&'a CancelToken>,
}

/// Why a routed call gave no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No such plugin or operation.
    #[error("there is no such plugin or operation")]
    NotFound,
    /// The plugin is there and not running.
    #[error("the plugin is not running")]
    NotRunning,
    /// The caller may not.
    #[error("the call was denied")]
    Denied,
    /// The callee is on the chain already.
    #[error("the call would re-enter the plugin")]
    Reentry,
    /// The callee returned a nonzero status. The router writes what it gave to `fail` to its log.
    #[error("the plugin returned status {0}")]
    Failed(i32),
    /// The callee trapped.
    #[error("the plugin trapped")]
    Trapped,
    /// Input, output or another limit.
    #[error("a limit was reached")]
    Limit,
    /// The deadline passed.
    #[error("the deadline passed")]
    Timeout,
}

impl RouteError {
    const fn status(&self) -> Status {
        match self {
            Self::NotFound => Status::NotFound,
            Self::NotRunning => Status::Unavailable,
            Self::Denied => Status::Denied,
            Self::Reentry => Status::Conflict,
            Self::Failed(_) | Self::Trapped => Status::Internal,
            Self::Limit => Status::Limit,
            Self::Timeout => Status::Timeout,
        }
    }
}

/// The way to other plugins.
pub trait PluginRouter: Send + Sync {
    /// The id of the installed plugin of this name.
    fn resolve(&self, plugin: &Name) -> Option<PluginId>;
    /// Calls an operation and returns its output.
    ///
    /// # Errors
    /// When there is none.
    fn call(&self, call: &RoutedCall<'_>) -> Result<Vec<u8>, RouteError>;
}

/// Holds the router once there is one, without keeping it alive: the hall that routes also owns the services.
#[derive(Default)]
pub struct RouterSlot(OnceLock<Weak<dyn PluginRouter>>);

impl std::fmt::Debug for RouterSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouterSlot").field("filled", &self.0.get().is_some()).finish()
    }
}

impl RouterSlot {
    /// An empty slot: calls are answered `unavailable`.
    pub fn new() -> Self {
        Self::default()
    }
    /// Fills the slot; the first router stays. Tells whether it was this one.
    pub fn install(&self, router: Weak<dyn PluginRouter>) -> bool {
        self.0.set(router).is_ok()
    }
    fn router(&self) -> Result<Arc<dyn PluginRouter>, CallError> {
        let router = self.0.get().and_then(Weak::upgrade);
        router.ok_or_else(|| CallError::new(Status::Unavailable, "no plugin can be called now"))
    }
}

/// Calls another plugin.
pub(super) struct PluginCall(pub(super) Arc<RouterSlot>);

impl Service for PluginCall {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [plugin, operation, _] = list::<3>(args, 3)?;
        text(required(operation)?)?;
        let plugin = text(required(plugin)?)?;
        name(plugin).map(|_| target(plugin, false))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, operation, input] = list::<3>(call.args, 3)?;
        let callee = name(call.target)?;
        let router = self.0.router()?;
        let id = router.resolve(&callee).ok_or_else(|| refused(&RouteError::NotFound))?;
        let routed = RoutedCall {
            caller: call.identity,
            chain: chain(&call, id)?,
            plugin: &callee,
            operation: text(required(operation)?)?,
            input: required(input)?,
            deadline: answer_by(call.deadline, call.clock),
            cancel: call.cancel,
        };
        *call.response = router.call(&routed).map_err(|e| refused(&e))?;
        Ok(())
    }
}

/// The chain with the caller at its end, unless the callee is on it or it is full.
fn chain(call: &Call<'_>, callee: PluginId) -> Result<Chain, CallError> {
    let caller = plugin(call.identity)?.id;
    if callee == caller || call.chain.contains(&callee) {
        return Err(refused(&RouteError::Reentry));
    }
    // The chain so far, the caller, the callee.
    if call.chain.len() + 2 > MAX_CHAIN {
        return Err(limit("the chain of calls is longer than 8 plugins"));
    }
    Ok(call.chain.then(caller, call.link).traced(call.spans.context()))
}

fn answer_by(deadline: Deadline, clock: &dyn Clock) -> Deadline {
    let Some(left) = deadline.remaining(clock) else { return Deadline::NEVER };
    let kept = u64::try_from(KEPT.min(left / 10).as_millis()).unwrap_or(0);
    Deadline::at_ms(deadline.as_ms().saturating_sub(kept))
}

fn name(text: &str) -> Result<Name, CallError> {
    Name::new(text).map_err(|_| invalid("that is no plugin's name"))
}

fn refused(error: &RouteError) -> CallError {
    CallError::new(error.status(), error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;
    use parking_lot::Mutex;

    /// Length of the chain, operation, input, deadline.
    type Seen = (usize, String, Vec<u8>, Deadline);

    struct Router {
        answer: Mutex<Result<Vec<u8>, RouteError>>,
        seen: Mutex<Vec<Seen>>,
    }

    fn id(name: &str) -> PluginId {
        PluginId::new(&Name::new("acme").unwrap(), &Name::new(name).unwrap())
    }

    impl PluginRouter for Router {
        fn resolve(&self, plugin: &Name) -> Option<PluginId> {
            (plugin.as_str() != "absent").then(|| id(plugin.as_str()))
        }
        fn call(&self, call: &RoutedCall<'_>) -> Result<Vec<u8>, RouteError> {
            let seen = (call.chain.len(), call.operation.to_owned(), call.input.to_vec(), call.deadline);
            self.seen.lock().push(seen);
            self.answer.lock().clone()
        }
    }

    fn routed(answer: Result<Vec<u8>, RouteError>) -> (Host, Arc<Router>) {
        let host = Host::new();
        let router = Arc::new(Router { answer: Mutex::new(answer), seen: Mutex::default() });
        let weak: Weak<Router> = Arc::downgrade(&router);
        assert!(host.router.install(weak.clone()));
        assert!(!host.router.install(weak));
        (host, router)
    }

    fn call(host: &Host, plugin: &str) -> Result<Vec<u8>, Status> {
        host.call("plugin_call", args().arg(plugin).arg("op").arg("in"))
    }

    #[test]
    fn output_comes_back_and_caller_input_and_deadline_go_there() {
        let (mut host, router) = routed(Ok(b"out".to_vec()));
        host.chain = Chain::of([id("outer")]);
        host.deadline = Deadline::at_ms(1077);
        assert_eq!(call(&host, "callee"), Ok(b"out".to_vec()));
        assert_eq!(*router.seen.lock(), [(2, "op".into(), b"in".to_vec(), Deadline::at_ms(1057))]);
        let target = host.target("plugin_call", args().arg("callee").arg("op").arg(""));
        assert_eq!(target, Ok(("callee".into(), false)));
    }

    #[test]
    fn a_caller_keeps_a_moment_of_its_time() {
        let clock = common::clock::ManualClock::at(0);
        for (deadline, expected) in
            [(1000, 980), (200, 180), (100, 90), (5, 5), (0, 0), (Deadline::NEVER.as_ms(), u64::MAX)]
        {
            assert_eq!(answer_by(Deadline::at_ms(deadline), &*clock), Deadline::at_ms(expected));
        }
    }

    #[test]
    fn each_failure_has_its_status() {
        let cases = [
            (RouteError::NotFound, Status::NotFound),
            (RouteError::NotRunning, Status::Unavailable),
            (RouteError::Denied, Status::Denied),
            (RouteError::Reentry, Status::Conflict),
            (RouteError::Failed(3), Status::Internal),
            (RouteError::Trapped, Status::Internal),
            (RouteError::Limit, Status::Limit),
            (RouteError::Timeout, Status::Timeout),
        ];
        let (host, router) = routed(Ok(Vec::new()));
        for (error, status) in cases {
            *router.answer.lock() = Err(error);
            assert_eq!(call(&host, "callee"), Err(status));
        }
        assert_eq!(call(&host, "absent"), Err(Status::NotFound));
        for bad in ["", "../x", "A"] {
            assert_eq!(call(&host, bad), Err(Status::Invalid), "{bad}");
        }
        assert_eq!(host.call("plugin_call", args().arg("a").arg("op")), Err(Status::Invalid));
        assert_eq!(host.call("plugin_call", args().arg("a").arg(b"\xff").arg("")), Err(Status::Invalid));
    }

    #[test]
    fn a_plugin_on_the_chain_is_not_entered_again_and_the_chain_ends_at_eight() {
        let (mut host, router) = routed(Ok(Vec::new()));
        host.chain = Chain::of([id("outer"), id("middle")]);
        for again in ["outer", "middle", "log-redactor"] {
            assert_eq!(call(&host, again), Err(Status::Conflict), "{again}");
        }
        host.chain = Chain::of((0..6).map(|i| id(&format!("p{i}"))));
        assert_eq!(call(&host, "callee"), Ok(Vec::new()));
        host.chain = Chain::of((0..7).map(|i| id(&format!("p{i}"))));
        assert_eq!(call(&host, "callee"), Err(Status::Limit));
        assert_eq!(router.seen.lock().len(), 1);
    }

    #[test]
    fn without_a_router_or_after_it_calls_are_unavailable() {
        let host = Host::new();
        assert_eq!(call(&host, "callee"), Err(Status::Unavailable));
        let (host, router) = routed(Ok(Vec::new()));
        drop(router);
        assert_eq!(call(&host, "callee"), Err(Status::Unavailable));
    }
}
