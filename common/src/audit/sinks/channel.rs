//! What waits for one receiver, in bounded memory, and how it fares.

use super::hub::SinkMetrics;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Duration;

/// Checkpoints that may wait for one receiver. A later one covers an earlier one, so the oldest gives way.
const MAX_QUEUE: usize = 64;

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(u64, String)>,
    closing: bool,
    done: bool,
    sent: u64,
    failed: u64,
    skipped: u64,
    /// Records under the last checkpoint that arrived.
    size: u64,
    /// Since when something waits, by the log's monotonic clock.
    waiting_since: Option<u64>,
    error: Option<String>,
}

/// What waits for one receiver.
#[derive(Debug, Default)]
pub(super) struct Channel {
    state: Mutex<State>,
    bell: Condvar,
}

impl Channel {
    /// Puts a checkpoint into the queue; `only` drops what waits before it.
    pub(super) fn offer(&self, size: u64, note: &str, only: bool, mono_ns: u64) {
        let mut state = self.state.lock();
        if state.queue.back().is_some_and(|(_, last)| last == note) {
            return;
        }
        while state.queue.len() >= if only { 1 } else { MAX_QUEUE } {
            state.queue.pop_front();
            state.skipped += 1;
        }
        state.queue.push_back((size, note.to_owned()));
        state.waiting_since.get_or_insert(mono_ns);
        self.bell.notify_all();
    }

    /// The next checkpoint; waits for one. `None` when the channel closes and nothing waits.
    pub(super) fn next(&self) -> Option<(u64, String)> {
        let mut state = self.state.lock();
        self.bell.wait_while(&mut state, |state| state.queue.is_empty() && !state.closing);
        state.queue.front().cloned()
    }

    /// Waits this long, or until the channel closes.
    pub(super) fn pause(&self, time: Duration) {
        let mut state = self.state.lock();
        if !time.is_zero() {
            self.bell.wait_while_for(&mut state, |state| !state.closing, time);
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// A checkpoint arrived. Returns whether the attempt before it had failed.
    pub(super) fn arrived(&self, size: u64, note: &str, mono_ns: u64) -> bool {
        let mut state = self.state.lock();
        state.queue.retain(|(other, text)| *other > size || *other == size && text != note);
        state.sent += 1;
        state.size = state.size.max(size);
        state.waiting_since = (!state.queue.is_empty()).then_some(mono_ns);
        state.error.take().is_some()
    }

    /// Sending failed. Returns whether it is the first failure after a success.
    pub(super) fn failed(&self, error: String) -> bool {
        let mut state = self.state.lock();
        state.failed += 1;
        state.error.replace(error).is_none()
    }

    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.bell.notify_all();
    }

    pub(super) fn end(&self) {
        self.state.lock().done = true;
        self.bell.notify_all();
    }

    /// Waits until its thread is done, at most this long. Returns whether it is.
    pub(super) fn wait_end(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        self.bell.wait_while_for(&mut state, |state| !state.done, time);
        state.done
    }

    pub(super) fn metrics(&self, name: &str, covered: u64, mono_ns: u64) -> SinkMetrics {
        let state = self.state.lock();
        let lag_ns = state.waiting_since.map_or(0, |since| mono_ns.saturating_sub(since));
        SinkMetrics {
            name: name.to_owned(),
            sent: state.sent,
            failed: state.failed,
            skipped: state.skipped,
            queued: state.queue.len() as u64,
            lag_records: covered.saturating_sub(state.size),
            lag_ms: lag_ns / 1_000_000,
            error: state.error.clone(),
        }
    }
}
