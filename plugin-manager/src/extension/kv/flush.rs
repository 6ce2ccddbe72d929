//! Three threads: one appends, a round a millisecond while there are changes; one syncs what was appended; one
//! settles. Each is asleep when it has nothing to do, and none waits for another.

use super::engine::Core;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// The pause between rounds: what a change waits at most before it is appended.
const ROUND: Duration = Duration::from_millis(1);
/// Empty rounds before the thread sleeps until it is woken. Waking it costs a system call on the call path, so a
/// plugin that writes now and then should not pay it each time.
const EMPTY_ROUNDS: u32 = 50;

/// Wakes the appending thread when it sleeps; a load when it does not.
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

/// What a thread is asked to do; asking again before it began changes nothing.
#[derive(Debug, Default)]
pub(super) struct Bell {
    asked: Mutex<Asked>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    work: bool,
    stop: bool,
}

impl Bell {
    /// Asks for a round of work.
    pub(super) fn ring(&self) {
        self.asked.lock().work = true;
        self.rung.notify_one();
    }
    fn stop(&self) {
        self.asked.lock().stop = true;
        self.rung.notify_one();
    }
    /// Waits until work is asked for; `false` when none is and none will be.
    fn answer(&self) -> bool {
        let mut asked = self.asked.lock();
        while !asked.work && !asked.stop {
            self.rung.wait(&mut asked);
        }
        std::mem::take(&mut asked.work)
    }
}

/// Owns the threads; dropping it makes durable what waits and ends them.
pub(super) struct Flusher {
    core: Arc<Core>,
    /// In the order in which they end: what one leaves behind the next finds.
    threads: Vec<(Stop, JoinHandle<()>)>,
}

/// How a thread is told to end.
type Stop = fn(&Core);

impl Flusher {
    pub(super) fn start(core: &Arc<Core>) -> std::io::Result<Self> {
        // Dropped on an error, it ends those that started.
        let mut flusher = Self { core: core.clone(), threads: Vec::new() };
        flusher.spawn("forgeone-kv", Core::stop_appending, append)?;
        flusher.spawn("forgeone-kv-sync", |core| core.to_sync.stop(), sync)?;
        flusher.spawn("forgeone-kv-move", |core| core.to_settle.stop(), settle)?;
        if let Some((_, thread)) = flusher.threads.first() {
            // Only this call sets it.
            let _ = core.waker.thread.set(thread.thread().clone());
        }
        // The thread may have gone to sleep before it could be named.
        core.waker.unpark();
        Ok(flusher)
    }

    fn spawn(&mut self, name: &str, stop: Stop, run: fn(&Core)) -> std::io::Result<()> {
        let its = self.core.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(&its))?;
        self.threads.push((stop, thread));
        Ok(())
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        for (stop, thread) in self.threads.drain(..) {
            stop(&self.core);
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Core {
    fn stop_appending(&self) {
        self.waker.stop.store(true, Ordering::SeqCst);
        self.waker.unpark();
    }
}

// A failure is kept by the core, which refuses writes from then on.

fn append(core: &Core) {
    let mut empty = 0;
    while !core.waker.stopped() {
        if core.is_idle() {
            empty += 1;
        } else {
            empty = 0;
            let _ = core.append();
        }
        pause(core, empty);
    }
    let _ = core.append();
}

fn sync(core: &Core) {
    while core.to_sync.answer() {
        let _ = core.sync();
    }
}

fn settle(core: &Core) {
    while core.to_settle.answer() {
        core.settle();
    }
}

fn pause(core: &Core, empty: u32) {
    if empty < EMPTY_ROUNDS {
        std::thread::park_timeout(ROUND);
        return;
    }
    core.waker.asleep.store(true, Ordering::SeqCst);
    // A writer takes room first and looks at `asleep` last, so one of the two sees the other.
    if core.is_idle() && !core.waker.stopped() {
        std::thread::park();
    }
    core.waker.asleep.store(false, Ordering::SeqCst);
}
