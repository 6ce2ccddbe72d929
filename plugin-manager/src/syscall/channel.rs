//! The one-way part of the bus: blocks of log lines go from all instances through one bounded queue to one
//! thread, which writes them. Nobody waits for the disk until the queue is full, and then no longer than the
//! deadline of the call.
//!
//! The thread looks at the queue every few milliseconds while there is something to do, so that a call does not
//! pay for waking it; only after a pause does the first block wake it. A mutex and two condition variables are
//! all this takes: nothing here is asynchronous, so no runtime is involved.

use super::lines::{BLOCK_BYTES, Block};
use common::clock::{Clock, Deadline};
use common::identity::Name;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that may wait in the queue.
const QUEUE_BYTES: usize = 8 << 20;
/// What a block weighs beside its lines.
const BLOCK_WEIGHT: usize = 128;
/// Used buffers kept for the next blocks.
const SPARE_BUFFERS: usize = 64;
/// How often the thread looks, and how often it looks in vain before it sleeps until woken.
const PERIOD: Duration = Duration::from_millis(5);
const IDLE_ROUNDS: u32 = 20;
/// How long a call without deadline waits for room at most, in steps of [`WAIT`].
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(5);

/// Where log lines end up: files, in the product.
pub trait LogSink: Send + Sync {
    /// Writes whole lines of one plugin, each ended by `\n`. Control characters are already escaped.
    ///
    /// # Errors
    /// When they cannot be written; they are then counted and lost.
    fn write(&self, plugin: &Name, block: &[u8]) -> io::Result<()>;
}

/// What the bus has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Blocks taken from instances.
    pub blocks: u64,
    /// Blocks lost because the queue stayed full up to a deadline, or came after the bus was closed.
    pub lost: u64,
    /// Writes the sink refused.
    pub failed: u64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Block>,
    bytes: usize,
    spare: Vec<Vec<u8>>,
    stats: LogStats,
    /// Blocks of the queue that are written, or refused by the sink.
    written: u64,
    asleep: bool,
    closed: bool,
}

/// What instances and the thread share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something to do for the thread.
    work: Condvar,
    /// Room in the queue, or everything written.
    done: Condvar,
}

impl Shared {
    /// An empty buffer, used before if there is one.
    pub fn buffer(&self) -> Vec<u8> {
        self.state.lock().spare.pop().unwrap_or_default()
    }

    /// Queues a block. Waits for room up to the deadline.
    ///
    /// # Errors
    /// The block, when there was none.
    pub fn send(&self, block: Block, deadline: Deadline, clock: &dyn Clock) -> Result<(), Block> {
        let weight = weight(&block);
        let mut state = self.state.lock();
        if !self.has_room(&mut state, weight, deadline, clock) {
            state.stats.lost += 1;
            return Err(block);
        }
        state.bytes += weight;
        state.stats.blocks += 1;
        state.queue.push_back(block);
        if state.asleep || state.bytes > QUEUE_BYTES / 2 {
            state.asleep = false;
            self.work.notify_one();
        }
        Ok(())
    }

    fn has_room(
        &self,
        state: &mut MutexGuard<'_, State>,
        weight: usize,
        deadline: Deadline,
        clock: &dyn Clock,
    ) -> bool {
        let mut waited = Duration::ZERO;
        while !state.closed && state.bytes.saturating_add(weight) > QUEUE_BYTES {
            if deadline.passed(clock) || waited >= LONGEST_WAIT {
                return false;
            }
            self.work.notify_one();
            waited += WAIT;
            self.done.wait_for(state, WAIT);
        }
        !state.closed
    }

    /// Waits for blocks and takes them all; `None` when the bus is closed and everything is taken.
    fn take(&self) -> Option<VecDeque<Block>> {
        let mut state = self.state.lock();
        let mut idle = 0;
        while state.queue.is_empty() {
            if state.closed {
                return None;
            }
            if idle < IDLE_ROUNDS {
                idle += 1;
                self.work.wait_for(&mut state, PERIOD);
            } else {
                state.asleep = true;
                self.work.wait(&mut state);
                state.asleep = false;
                idle = 0;
            }
        }
        Some(std::mem::take(&mut state.queue))
    }

    /// Gives the room of written blocks back.
    fn release(&self, blocks: VecDeque<Block>, failed: u64) {
        let mut state = self.state.lock();
        for block in blocks {
            state.bytes = state.bytes.saturating_sub(weight(&block));
            state.written += 1;
            if state.spare.len() < SPARE_BUFFERS {
                state.spare.push(block.lines.into_buffer());
            }
        }
        state.stats.failed += failed;
        self.done.notify_all();
    }

    fn run(&self, sink: &dyn LogSink) {
        let mut failing = false;
        while let Some(blocks) = self.take() {
            let mut failed = 0;
            for (plugin, text) in rendered(&blocks) {
                match sink.write(plugin, &text) {
                    Ok(()) => failing = false,
                    Err(error) => {
                        failed += 1;
                        if !std::mem::replace(&mut failing, true) {
                            tracing::error!(%plugin, %error, "log lines of plugins cannot be written");
                        }
                    }
                }
            }
            self.release(blocks, failed);
        }
    }
}

fn weight(block: &Block) -> usize {
    block.lines.len() + BLOCK_WEIGHT
}

/// The lines of each plugin, in order.
fn rendered(blocks: &VecDeque<Block>) -> BTreeMap<&Name, Vec<u8>> {
    let mut texts: BTreeMap<&Name, Vec<u8>> = BTreeMap::new();
    for block in blocks {
        let text = texts.entry(&block.plugin).or_insert_with(|| Vec::with_capacity(BLOCK_BYTES));
        block.render(text);
    }
    texts
}

/// The bus. Dropping it writes what is queued and ends its thread; lines that come later are lost and counted.
pub struct LogBus {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for LogBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogBus").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl LogBus {
    /// Starts the bus and its thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(sink: Arc<dyn LogSink>) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), done: Condvar::new() });
        let worker = shared.clone();
        let run = move || worker.run(&*sink);
        let thread = std::thread::Builder::new().name("forgeone-log".into()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }
    /// Waits until everything queued so far is written, or refused by the sink; not at all once the thread is
    /// gone, which only a sink that panics can cause.
    pub fn flush(&self) {
        let mut state = self.shared.state.lock();
        let goal = state.stats.blocks;
        let running = || self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        while state.written < goal && running() {
            self.shared.work.notify_one();
            self.shared.done.wait_for(&mut state, WAIT);
        }
    }
    /// What it has done so far.
    pub fn stats(&self) -> LogStats {
        self.shared.state.lock().stats
    }
    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }
}

impl Drop for LogBus {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.work.notify_all();
        self.shared.done.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked in a sink has said so; there is nothing left to wait for.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
