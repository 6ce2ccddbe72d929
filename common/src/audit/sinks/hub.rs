//! One thread a receiver: sends what is offered, tries again with growing pauses, and records when a receiver begins
//! to fail and when it has what it missed.

use super::channel::Channel;
use super::{CheckpointSink, Made};
use crate::audit::note::Checkpoint;
use crate::audit::record::Outcome;
use crate::audit::recover::own_entry;
use crate::audit::shared::Shared;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The first pause after a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long closing a log waits for its receivers.
const CLOSING: Duration = Duration::from_secs(5);

/// How one receiver fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkMetrics {
    /// Its name.
    pub name: String,
    /// Checkpoints that arrived.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Checkpoints given up because later ones cover them.
    pub skipped: u64,
    /// Checkpoints that wait.
    pub queued: u64,
    /// Records under the latest checkpoint and not under the last that arrived; those of an earlier opening of the
    /// log count until the first one has arrived.
    pub lag_records: u64,
    /// How long the oldest checkpoint has waited, in milliseconds.
    pub lag_ms: u64,
    /// Why the last attempt failed; `None` after one that did not.
    pub error: Option<String>,
}

#[derive(Debug)]
struct Receiver {
    name: String,
    /// Only the latest checkpoint is kept for it.
    latest_only: bool,
    channel: Arc<Channel>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// All receivers of one log.
#[derive(Debug)]
pub(in crate::audit) struct Hub {
    receivers: Vec<Receiver>,
    shared: std::sync::Weak<Shared>,
}

impl Hub {
    pub(in crate::audit) fn start(
        sinks: Vec<Box<dyn CheckpointSink>>,
        shared: &Arc<Shared>,
        dir: &Path,
    ) -> io::Result<Self> {
        let mut hub = Self { receivers: Vec::new(), shared: Arc::downgrade(shared) };
        for sink in sinks {
            let channel = Arc::new(Channel::default());
            let (name, latest_only) = (sink.name().to_owned(), !sink.interval().is_zero());
            let worker =
                Worker { sink, channel: channel.clone(), shared: shared.clone(), dir: dir.to_owned() };
            let thread =
                std::thread::Builder::new().name("forgeone-sink".into()).spawn(move || worker.run())?;
            hub.receivers.push(Receiver { name, latest_only, channel, thread: Mutex::new(Some(thread)) });
        }
        Ok(hub)
    }

    /// Offers a signed checkpoint to every receiver. Never waits.
    pub(in crate::audit) fn offer(&self, note: &str) {
        let (Some(checkpoint), Some(shared)) = (Checkpoint::read(note), self.shared.upgrade()) else {
            return;
        };
        let now = shared.clock.mono_ns();
        for receiver in &self.receivers {
            receiver.channel.offer(checkpoint.size, note, receiver.latest_only, now);
        }
    }

    pub(in crate::audit) fn metrics(&self, covered: u64) -> Vec<SinkMetrics> {
        let now = self.shared.upgrade().map_or(0, |shared| shared.clock.mono_ns());
        self.receivers.iter().map(|r| r.channel.metrics(&r.name, covered, now)).collect()
    }

    /// Lets each receiver try what waits once more, for a bounded time.
    pub(in crate::audit) fn close(&self) {
        self.receivers.iter().for_each(|receiver| receiver.channel.close());
        for receiver in &self.receivers {
            let done = receiver.channel.wait_end(CLOSING);
            if let Some(thread) = receiver.thread.lock().take().filter(|_| done) {
                // A receiver that panicked has told so; nothing waits for it.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
    }
}

struct Worker {
    sink: Box<dyn CheckpointSink>,
    channel: Arc<Channel>,
    shared: Arc<Shared>,
    dir: PathBuf,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.channel.end();
    }
}

impl Worker {
    fn run(mut self) {
        let mut pause = PAUSE;
        while let Some((size, note)) = self.channel.next() {
            let last_try = self.channel.is_closing();
            if self.send(size, &note) {
                pause = PAUSE;
                self.channel.pause(self.sink.interval());
            } else if last_try {
                return;
            } else {
                self.channel.pause(pause);
                pause = pause.saturating_mul(2).min(MAX_PAUSE);
            }
        }
    }

    fn send(&mut self, size: u64, note: &str) -> bool {
        let origin = note.lines().next().unwrap_or_default();
        let made = Made { note, origin, size, wall_ns: self.shared.clock.wall_ns(), dir: &self.dir };
        match self.sink.send(&made) {
            Ok(()) => {
                if self.channel.arrived(size, note, self.shared.clock.mono_ns()) {
                    self.record(Outcome::Ok, "checkpoint_sent_again", &[("records", &size.to_string())]);
                }
                true
            }
            Err(error) => {
                let told = error.told();
                if self.channel.failed(told.clone()) {
                    tracing::warn!(target: "forgeone::audit", sink = self.sink.name(), error = %told, "a checkpoint was not sent");
                    self.record(Outcome::Failed, "checkpoint_unsent", &[("error", &told)]);
                }
                false
            }
        }
    }

    fn record(&self, outcome: Outcome, action: &str, details: &[(&str, &str)]) {
        let resource = ("sink", self.sink.name());
        self.shared.protect(&own_entry(&*self.shared.clock, outcome, action, resource, details));
    }
}
