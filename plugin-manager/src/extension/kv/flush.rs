//! The thread that commits: a round a millisecond while there are changes, asleep when there are none.

use super::engine::Core;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// The pause between rounds: what a change waits at most before its commit begins, unless one is under way.
const ROUND: Duration = Duration::from_millis(1);
/// Empty rounds before the thread sleeps until it is woken. Waking it costs a system call on the call path, so a
/// plugin that writes now and then should not pay it each time.
const EMPTY_ROUNDS: u32 = 50;

/// Wakes the thread when it sleeps; a load when it does not.
#[derive(Debug, Default)]
pub(super) struct Waker {
    asleep: AtomicBool,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Waker {
    #[inline]
    pub(super) fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.unpark();
        }
    }
    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Owns the thread; dropping it commits what waits and ends the thread.
pub(super) struct Flusher {
    core: Arc<Core>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(super) fn start(core: &Arc<Core>) -> std::io::Result<Self> {
        let its = core.clone();
        let thread = std::thread::Builder::new().name("forgeone-kv".into()).spawn(move || run(&its))?;
        // Only this call sets it.
        let _ = core.waker.thread.set(thread.thread().clone());
        // The thread may have gone to sleep before it could be named.
        core.waker.unpark();
        Ok(Self { core: core.clone(), thread: Some(thread) })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.core.waker.stop.store(true, Ordering::SeqCst);
        self.core.waker.unpark();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

fn run(core: &Core) {
    let mut empty = 0;
    while !core.waker.stopped() {
        if core.backlog.is_empty() {
            empty += 1;
        } else {
            empty = 0;
            // A failure is kept by the core, which refuses writes from then on.
            let _ = core.commit();
        }
        pause(core, empty);
    }
    let _ = core.commit();
}

fn pause(core: &Core, empty: u32) {
    if empty < EMPTY_ROUNDS {
        std::thread::park_timeout(ROUND);
        return;
    }
    core.waker.asleep.store(true, Ordering::SeqCst);
    // A writer takes room first and looks at `asleep` last, so one of the two sees the other.
    if core.backlog.is_empty() && !core.waker.stopped() {
        std::thread::park();
    }
    core.waker.asleep.store(false, Ordering::SeqCst);
}
