//! The timeline of one plugin: what happened to it and what it was stopped from doing, in the order of the log.

use crate::export::Event;

/// Rows that are kept; the rest is counted.
const ROWS: usize = 10_000;

/// One moment.
#[derive(Debug)]
pub(super) struct Row {
    pub seq: u64,
    pub t: String,
    pub kind: String,
    pub action: String,
    pub outcome: String,
    pub code: String,
    pub what: String,
    pub n: u64,
}

/// The timeline.
#[derive(Debug)]
pub(super) struct Incident {
    pub plugin: String,
    pub rows: Vec<Row>,
    /// Moments beyond those kept.
    pub more: u64,
}

impl Incident {
    pub fn new(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), rows: Vec::new(), more: 0 }
    }

    /// Keeps what is of this plugin and more than an ordinary call.
    pub fn hear(&mut self, event: &Event) {
        let ordinary = event.kind() == "host_call" && event.outcome() == "ok";
        if event.plugin() != self.plugin || ordinary {
            return;
        }
        if self.rows.len() >= ROWS {
            self.more += 1;
            return;
        }
        let (kind, name) = (event.text("/resource/kind"), event.text("/resource/name"));
        // That it was about this plugin is what the timeline says.
        let on =
            if name.is_empty() || name == self.plugin { String::new() } else { format!("{kind} {name}") };
        let told = [on.as_str(), event.detail("reason"), event.detail("why")];
        let what = told.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        self.rows.push(Row {
            seq: event.seq(),
            t: event.text("/t").to_owned(),
            kind: event.kind().to_owned(),
            action: event.action().to_owned(),
            outcome: event.outcome().to_owned(),
            code: event.text("/code").to_owned(),
            what,
            n: event.count(),
        });
    }
}
