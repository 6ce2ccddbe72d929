//! What the log can say for a record of processing activities (Article 30 GDPR): which plugin touched which kind of
//! resource, and how often. What the data is, whose and why, only the controller can say.

use crate::export::Event;
use std::collections::BTreeMap;

/// Pairs of plugin and kind of resource that are kept; the rest is counted.
const KEPT: usize = 10_000;

/// Who touched what.
#[derive(Debug, Default)]
pub(super) struct Processing {
    /// Plugin, publisher, action and kind of resource, with the count of actions and of those that were denied.
    pub rows: BTreeMap<[String; 4], (u64, u64)>,
    /// Actions beyond the pairs that are kept.
    pub more: u64,
}

impl Processing {
    /// Counts a host call; calls of operations are what it is done for, not processing by itself.
    pub fn hear(&mut self, event: &Event) {
        let counts = matches!(event.kind(), "host_call" | "denial") && !event.action().starts_with("call:");
        if !counts || event.plugin().is_empty() {
            return;
        }
        let texts =
            [event.plugin(), event.text("/actor/publisher"), event.action(), event.text("/resource/kind")];
        let key = texts.map(str::to_owned);
        if self.rows.len() >= KEPT && !self.rows.contains_key(&key) {
            self.more += event.count();
            return;
        }
        let (all, denied) = self.rows.entry(key).or_default();
        *all += event.count();
        if event.outcome() == "denied" {
            *denied += event.count();
        }
    }
}
