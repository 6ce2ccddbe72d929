//! Calls from one plugin to another: the hall behind the `plugin_call` service.

use super::manager::{Hall, PluginManager};
use crate::extension::{PluginRouter, RouteError, RoutedCall};
use crate::lifecycle::LifecycleError;
use crate::runtime::Trap;
use common::error::{ErrorClass, ForgeError};
use common::identity::{Name, PluginId};
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
        let loaded = match hall.loaded(call.plugin.as_str()) {
            Some(loaded) => loaded,
            None => PluginManager::of(hall.clone()).bring_up(call.plugin.as_str()).map_err(|e| not_up(&e))?,
        };
        let answer = hall.call_for_plugin(&loaded, call.operation, call.input, call.deadline, &call.chain);
        answer.map_err(|error| {
            hall.say(call.caller, &error);
            refusal(&error)
        })
    }
}

fn not_up(error: &ForgeError) -> RouteError {
    match error.class() {
        ErrorClass::Denied => RouteError::Denied,
        _ => RouteError::NotRunning,
    }
}

fn refusal(error: &LifecycleError) -> RouteError {
    match error {
        LifecycleError::NoOperation { .. } => RouteError::NotFound,
        LifecycleError::NotRunning { .. } => RouteError::NotRunning,
        LifecycleError::Status { status, .. } => RouteError::Failed(*status),
        LifecycleError::Input { .. } => RouteError::Limit,
        LifecycleError::Busy { .. } | LifecycleError::Trapped { trap: Trap::Deadline, .. } => {
            RouteError::Timeout
        }
        _ => RouteError::Trapped,
    }
}

/// The slot keeps the router weakly; whoever owns the hall keeps it.
pub(super) fn keep(router: &Arc<Router>) -> Weak<dyn PluginRouter> {
    let weak: Weak<Router> = Arc::downgrade(router);
    weak
}
