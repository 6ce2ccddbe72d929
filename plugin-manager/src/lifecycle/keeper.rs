//! Who hears of a plugin's moves, and says where a failure in service leads.

use super::supervise::Ending;
use crate::plugin::PluginState;

/// Keeps one plugin. It is told while the plugin takes its step: it must not wait and not ask the plugin for another.
pub trait Keeper: Send + Sync {
    /// The plugin moved, and that is recorded or on its way to the log.
    fn moved(&self, from: PluginState, to: PluginState, why: &str);
    /// Where a failure while it is `Running` leads.
    fn ending(&self) -> Ending;
}

/// Nobody: a failure leads to `Failed`.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Keeper for Nobody {
    fn moved(&self, _: PluginState, _: PluginState, _: &str) {}
    fn ending(&self) -> Ending {
        Ending::Fail
    }
}
