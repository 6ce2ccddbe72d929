//! The threads that run calls for callers that do not lend their own: a bounded number, a bounded queue before them.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

/// What a call thread does.
pub(super) trait Job: Send + 'static {
    /// The plugin it is for. Jobs of one plugin have at most half of the threads, so that a plugin whose calls do not
    /// end does not keep those of others waiting.
    fn plugin(&self) -> &str;
    /// Whether nobody waits for it any more.
    fn is_given_up(&self) -> bool;
    /// Does it.
    fn run(self);
    /// It will not be done.
    fn refuse(self, why: Refused);
}

/// Why a job is not done.
#[derive(Debug)]
pub(super) enum Refused {
    /// As many wait as may.
    Full(usize),
    /// The host is being shut down.
    Closing,
    /// Nobody waits for it any more.
    GivenUp,
    /// There is no thread, and none can be started.
    Thread(io::Error),
}

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub threads: usize,
    pub queue: usize,
}

/// The threads. They are started when there is work for them and end with this, after what they are doing.
pub(super) struct CallThreads<J: Job>(Arc<Shared<J>>);

struct Shared<J> {
    sizes: Sizes,
    inner: Mutex<Inner<J>>,
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

struct Inner<J> {
    queue: VecDeque<J>,
    /// Jobs being done, by plugin. No more entries than threads.
    busy: HashMap<String, usize>,
    threads: Vec<ThreadId>,
    idle: usize,
    closed: bool,
    peak: usize,
    refused: u64,
}

impl<J: Job> fmt::Debug for CallThreads<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallThreads").field("sizes", &self.0.sizes).finish_non_exhaustive()
    }
}

impl<J: Job> CallThreads<J> {
    /// No threads yet, and at most so many.
    pub fn new(sizes: Sizes) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            busy: HashMap::new(),
            threads: Vec::new(),
            idle: 0,
            closed: false,
            peak: 0,
            refused: 0,
        };
        Self(Arc::new(Shared {
            sizes,
            inner: Mutex::new(inner),
            work: Condvar::new(),
            ended: Condvar::new(),
        }))
    }

    /// Hands a job over. Jobs nobody waits for any more make place for it.
    pub fn submit(&self, job: J) {
        let mut inner = self.0.inner.lock();
        let mut given_up = Vec::new();
        if inner.queue.len() >= self.0.sizes.queue {
            given_up = inner.take_given_up();
        }
        let refused = if inner.closed {
            Some((job, Refused::Closing))
        } else if inner.queue.len() >= self.0.sizes.queue {
            inner.refused += 1;
            Some((job, Refused::Full(self.0.sizes.queue)))
        } else {
            inner.queue.push_back(job);
            inner.peak = inner.peak.max(inner.queue.len());
            self.0.staff(&mut inner)
        };
        drop(inner);
        given_up.into_iter().for_each(|job| job.refuse(Refused::GivenUp));
        if let Some((job, why)) = refused {
            job.refuse(why);
        }
    }

    /// No job is begun any more, and those that wait are refused. Those that are being done end by themselves.
    pub fn close(&self) {
        let mut inner = self.0.inner.lock();
        inner.closed = true;
        let left = std::mem::take(&mut inner.queue);
        self.0.work.notify_all();
        drop(inner);
        left.into_iter().for_each(|job| job.refuse(Refused::Closing));
    }

    /// Waits until the threads of what was closed have done their jobs, but for its own, and no longer than this for
    /// each: a job that nothing can interrupt is left alone.
    pub fn join(&self, patience: Duration) {
        let mut inner = self.0.inner.lock();
        let me = thread::current().id();
        while inner.threads.iter().any(|id| *id != me) {
            if self.0.ended.wait_for(&mut inner, patience).timed_out() {
                break;
            }
        }
    }

    /// How many threads there are.
    #[cfg(test)]
    pub fn threads(&self) -> usize {
        self.0.inner.lock().threads.len()
    }

    /// What is counted, as Prometheus text.
    pub fn prometheus_text(&self) -> String {
        let inner = self.0.inner.lock();
        let families = [
            ("call_threads", "Threads that run asynchronous calls.", "gauge", wide(inner.threads.len())),
            (
                "call_queue_depth",
                "Asynchronous calls that wait for a thread.",
                "gauge",
                wide(inner.queue.len()),
            ),
            ("call_queue_peak", "Most asynchronous calls that waited at once.", "gauge", wide(inner.peak)),
            (
                "call_queue_refused_total",
                "Asynchronous calls refused because as many waited as may.",
                "counter",
                inner.refused,
            ),
        ];
        let mut out = String::new();
        for (name, help, kind, value) in families {
            let name = format!("forgeone_{name}");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        out
    }
}

impl<J: Job> Drop for CallThreads<J> {
    fn drop(&mut self) {
        self.close();
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl<J: Job> Inner<J> {
    fn take_given_up(&mut self) -> Vec<J> {
        let (given_up, wanted) = std::mem::take(&mut self.queue).into_iter().partition(Job::is_given_up);
        self.queue = wanted;
        Vec::from(given_up)
    }

    /// The first job whose plugin has less than its share of the threads.
    fn next(&mut self, share: usize) -> Option<J> {
        let may = |job: &J| self.busy.get(job.plugin()).is_none_or(|busy| *busy < share);
        let place = self.queue.iter().position(may)?;
        let job = self.queue.remove(place)?;
        *self.busy.entry(job.plugin().to_owned()).or_default() += 1;
        Some(job)
    }

    fn done(&mut self, plugin: &str) {
        if let Some(busy) = self.busy.get_mut(plugin) {
            *busy = busy.saturating_sub(1);
            if *busy == 0 {
                self.busy.remove(plugin);
            }
        }
    }
}

impl<J: Job> Shared<J> {
    /// Sees to it that somebody looks at the job that was put last. Gives it back when there is nobody.
    fn staff(self: &Arc<Self>, inner: &mut Inner<J>) -> Option<(J, Refused)> {
        if inner.queue.len() <= inner.idle || inner.threads.len() >= self.sizes.threads {
            self.work.notify_one();
            return None;
        }
        let shared = self.clone();
        let builder =
            thread::Builder::new().name("forgeone-call".into()).stack_size(crate::runtime::THREAD_BYTES);
        match builder.spawn(move || shared.work()) {
            Ok(handle) => {
                inner.threads.push(handle.thread().id());
                None
            }
            // Those there are come to it.
            Err(_) if !inner.threads.is_empty() => None,
            Err(error) => inner.queue.pop_back().map(|job| (job, Refused::Thread(error))),
        }
    }

    fn work(&self) {
        let share = self.sizes.threads.div_ceil(2);
        let mut inner = self.inner.lock();
        loop {
            if let Some(job) = inner.next(share) {
                if inner.idle > 0 && !inner.queue.is_empty() {
                    self.work.notify_one();
                }
                inner = self.done(inner, job);
            } else if inner.closed {
                break;
            } else {
                inner.idle += 1;
                self.work.wait(&mut inner);
                inner.idle -= 1;
            }
        }
        let me = thread::current().id();
        inner.threads.retain(|id| *id != me);
        self.ended.notify_all();
    }

    /// Does a job, without the lock.
    fn done<'a>(&'a self, inner: MutexGuard<'a, Inner<J>>, job: J) -> MutexGuard<'a, Inner<J>> {
        drop(inner);
        let plugin = job.plugin().to_owned();
        // What a job that unwinds leaves half done is its own; whoever waits for it is told.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job.run())) {
            // Its destructor may panic too, outside this wall.
            std::mem::forget(panic);
            tracing::error!(plugin, "a call unwound on its thread");
        }
        let mut inner = self.inner.lock();
        inner.done(&plugin);
        inner
    }
}

#[cfg(test)]
mod tests;
