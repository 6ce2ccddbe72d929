//! Where a call comes from, as its records name it.

use crate::syscall_bridge::Caller;
use common::identity::PluginId;

/// The plugins that called one another to get here, as records name them; `None` when there are none.
pub(super) fn chain(plugins: &[PluginId]) -> Option<String> {
    if plugins.is_empty() {
        return None;
    }
    let ids: Vec<String> = plugins.iter().map(ToString::to_string).collect();
    Some(ids.join(" "))
}

/// The trace this is part of, as records name it; `None` when nobody traces.
pub(super) fn trace_id(caller: &Caller) -> Option<String> {
    caller.spans.context().map(|context| context.trace_id())
}
