//! Calls from one plugin to another: the hall behind the `plugin_call` service.

use super::bring_up::Cause;
use super::hall::{Hall, Loaded};
use super::manager::PluginManager;
use crate::extension::{PluginRouter, RouteError, RoutedCall};
use crate::lifecycle::LifecycleError;
use crate::runtime::{Terms, Trap};
use crate::syscall::text::escaped;
use crate::syscall::utc;
use common::error::{ErrorClass, ForgeError, codes};
use common::identity::{IdentityContext, Name, PluginId};
use std::sync::{Arc, Weak};

/// Routes calls through the hall for as long as it is there.
#[derive(Debug)]
pub(super) struct Router(pub Weak<Hall>);

impl PluginRouter for Router {
    fn resolve(&self, plugin: &Name) -> Option<PluginId> {
        let hall = self.0.upgrade()?;
        if let Some(loaded) = hall.loaded(plugin.as_str()) {
            return Some(loaded.plugin.identity().id);
        }
        let row = hall.row(plugin.as_str()).ok()?;
        Some(PluginId::new(&row.plugin.publisher, &row.plugin.name))
    }

    fn call(&self, call: &RoutedCall<'_>) -> Result<Vec<u8>, RouteError> {
        let hall = self.0.upgrade().ok_or(RouteError::NotRunning)?;
        loop {
            let loaded = match hall.loaded(call.plugin.as_str()) {
                Some(loaded) => loaded,
                None => {
                    let cause = Cause::Plugin(&call.chain, call.deadline);
                    let up = PluginManager::of(hall.clone()).bring_up(call.plugin.as_str(), cause);
                    up.map_err(|e| not_up(&e))?
                }
            };
            let terms = Terms::new(call.deadline, &call.chain).cancelled_by(call.cancel);
            match hall.call_for_plugin(&loaded, call.operation, call.input, terms) {
                Ok(answer) => return Ok(answer),
                // It has not begun: its successor is in the map.
                Err(LifecycleError::Superseded { .. }) => {}
                Err(error) => {
                    tell(&hall, &loaded, call.caller, &error);
                    return Err(refusal(&error));
                }
            }
        }
    }
}

/// Writes what a callee gave to `fail` to the callee's own log: its caller is given a status alone.
fn tell(hall: &Hall, callee: &Loaded, caller: &IdentityContext, error: &LifecycleError) {
    let LifecycleError::Status { status, failure: Some(text), .. } = error else { return };
    let text = escaped(text.as_bytes(), FAILURE_BYTES);
    let time = utc(hall.host.clock.wall_ns() / 1_000_000);
    // As the lines of instances are written; number 0 is the plugin as a whole.
    let line = format!("{time} warn  #0 called by {}: status {status}: {text}\n", caller.name());
    if let Err(error) = hall.host.logs.append(&callee.plugin.identity().name, line.as_bytes()) {
        tracing::error!(plugin = callee.name(), %error, "what a called plugin said could not be logged");
    }
}

/// Bytes of what a callee said that are kept.
const FAILURE_BYTES: usize = 1024;

fn not_up(error: &ForgeError) -> RouteError {
    match error.class() {
        ErrorClass::Denied => RouteError::Denied,
        _ if error.code() == &codes::E4010 => RouteError::Timeout,
        _ => RouteError::NotRunning,
    }
}

fn refusal(error: &LifecycleError) -> RouteError {
    match error {
        LifecycleError::NoOperation { .. } => RouteError::NotFound,
        LifecycleError::NotRunning { .. } => RouteError::NotRunning,
        LifecycleError::Status { status, .. } => RouteError::Failed(*status),
        LifecycleError::Input { .. } | LifecycleError::Trapped { trap: Trap::Nested, .. } => {
            RouteError::Limit
        }
        LifecycleError::QueueFull { .. } => RouteError::Limit,
        LifecycleError::Busy { .. }
        | LifecycleError::Cancelled { .. }
        | LifecycleError::Trapped {
            trap: Trap::Deadline | Trap::Late | Trap::Cancelled | Trap::Unwanted,
            ..
        } => RouteError::Timeout,
        _ => RouteError::Trapped,
    }
}

/// The slot keeps the router weakly; whoever owns the hall keeps it.
pub(super) fn keep(router: &Arc<Router>) -> Weak<dyn PluginRouter> {
    let weak: Weak<Router> = Arc::downgrade(router);
    weak
}
