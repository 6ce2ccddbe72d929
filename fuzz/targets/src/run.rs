//! Runs a target on changed inputs, on several threads, and reports every panic, slow input and large one.

use crate::mutate::{Mutator, Rng};
use crate::{Seen, Target, meter};
use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An input that takes longer is a finding.
pub const SLOW: Duration = Duration::from_millis(100);
/// An input that takes longer ends the run: its thread cannot be stopped.
pub const HANG: Duration = Duration::from_secs(20);
/// Inputs of a new kind kept by one thread.
const MAX_POOL: usize = 4_096;
/// Executions between two looks at the clock.
const BATCH: u64 = 256;

/// How much to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Changed inputs to try, over all threads.
    pub executions: u64,
    /// When to stop before that.
    pub time: Option<Duration>,
    /// Threads.
    pub threads: u64,
    /// Of the changes. The same seed with the same corpus and one thread tries the same inputs.
    pub seed: u64,
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The target panicked.
    Panic(String),
    /// It took so long.
    Slow(Duration),
    /// It held so many bytes.
    Large(usize),
    /// It had not ended after so long.
    Hang(Duration),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panic(message) => write!(f, "panic: {message}"),
            Self::Slow(time) => write!(f, "took {} ms", time.as_millis()),
            Self::Large(bytes) => write!(f, "held {bytes} bytes"),
            Self::Hang(time) => write!(f, "had not ended after {} s", time.as_secs()),
        }
    }
}

/// An input and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The input, made smaller as far as the fault stays.
    pub input: Vec<u8>,
    /// What is wrong.
    pub fault: Fault,
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs tried, the corpus included.
    pub executions: u64,
    /// How long it took.
    pub time: Duration,
    /// Faults, one for each kind and place.
    pub findings: Vec<Finding>,
    /// Inputs with an answer that no input of the corpus had.
    pub novel: Vec<Vec<u8>>,
    /// Longest time one input took, as the shortest of three measurements.
    pub slowest: Duration,
    /// Most bytes held for one input.
    pub largest: usize,
}

/// The input a thread reads, or read last.
#[derive(Debug, Default)]
struct Reading {
    /// When its reading began; `None` when it has ended.
    since: Option<Instant>,
    input: Vec<u8>,
}

/// What threads tell the one that watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Inputs tried so far.
    pub executions: AtomicU64,
    stop: AtomicBool,
    running: Vec<Mutex<Reading>>,
}

impl Progress {
    /// The input that has been read for longer than [`HANG`].
    fn hanging(&self) -> Option<Finding> {
        self.running.iter().find_map(|slot| {
            let reading = lock(slot);
            let time = reading.since?.elapsed();
            (time > HANG).then(|| Finding { input: reading.input.clone(), fault: Fault::Hang(time) })
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the corpus, then changes of it. `watch` is called a few times a second.
///
/// # Errors
/// The input that hangs; its thread is still running, so the caller has to end the process.
pub fn run(
    target: &'static Target,
    corpus: &[Vec<u8>],
    plan: &Plan,
    mut watch: impl FnMut(&Progress),
) -> Result<Report, Finding> {
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| MESSAGE.set(Some(info.to_string()))));
    let running = (0..plan.threads).map(|_| Mutex::default()).collect();
    let progress: &'static Progress = Box::leak(Box::new(Progress { running, ..Progress::default() }));
    let begun = Instant::now();
    let workers: Vec<_> = (0..plan.threads)
        .map(|index| {
            let (corpus, plan) = (corpus.to_vec(), plan.clone());
            std::thread::spawn(move || Worker::new(target, plan, index, progress).run(corpus))
        })
        .collect();
    while !workers.iter().all(std::thread::JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(if plan.executions < 100_000 { 1 } else { 200 }));
        watch(progress);
        if plan.time.is_some_and(|time| begun.elapsed() > time) {
            progress.stop.store(true, Ordering::Relaxed);
        }
        if let Some(finding) = progress.hanging() {
            return Err(finding);
        }
    }
    let mut report = Report::default();
    for worker in workers {
        report.add(worker.join().expect("a worker catches its panics"));
    }
    panic::set_hook(before);
    report.time = begun.elapsed();
    Ok(report)
}

impl Report {
    fn add(&mut self, other: Self) {
        self.executions += other.executions;
        self.slowest = self.slowest.max(other.slowest);
        self.largest = self.largest.max(other.largest);
        self.novel.extend(other.novel);
        for finding in other.findings {
            self.note(finding);
        }
    }

    fn note(&mut self, finding: Finding) {
        let place = |fault: &Fault| match fault {
            Fault::Panic(message) => message.lines().next().unwrap_or_default().to_owned(),
            other => other.to_string().split(' ').next().unwrap_or_default().to_owned(),
        };
        if !self.findings.iter().any(|known| place(&known.fault) == place(&finding.fault)) {
            self.findings.push(finding);
        }
    }
}

struct Worker {
    target: &'static Target,
    plan: Plan,
    index: u64,
    progress: &'static Progress,
    report: Report,
    seen: HashSet<Seen>,
}

impl Worker {
    fn new(target: &'static Target, plan: Plan, index: u64, progress: &'static Progress) -> Self {
        Self { target, plan, index, progress, report: Report::default(), seen: HashSet::new() }
    }

    fn run(mut self, mut pool: Vec<Vec<u8>>) -> Report {
        // What a target keeps between inputs is made at its first one, and counts as no input's.
        let _ = attempt(self.target, &[]);
        for input in &pool {
            self.execute(input);
        }
        self.report.novel.clear();
        let mutator = Mutator { tokens: self.target.tokens, max_len: self.target.max_len };
        let mut rng = Rng::new(self.plan.seed.wrapping_add(self.index << 32));
        let share = self.plan.executions.div_ceil(self.plan.threads);
        let mut input = Vec::new();
        for count in 0..share {
            mutator.make(&mut rng, &pool, &mut input);
            if self.execute(&input) && pool.len() < MAX_POOL {
                pool.push(input.clone());
            }
            if count % BATCH == 0 {
                self.progress.executions.fetch_add(BATCH, Ordering::Relaxed);
                if self.progress.stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        self.report
    }

    /// Reads an input; whether its answer was new.
    fn execute(&mut self, input: &[u8]) -> bool {
        let slot = &self.progress.running[self.index as usize];
        let begun = Instant::now();
        {
            let mut reading = lock(slot);
            reading.since = Some(begun);
            reading.input.clear();
            reading.input.extend_from_slice(input);
        }
        meter::reset();
        let answer = attempt(self.target, input);
        let (held, time) = (meter::peak(), begun.elapsed());
        self.report.executions += 1;
        self.report.largest = self.report.largest.max(held);
        if held > self.target.memory {
            self.find(input, Fault::Large(held));
        }
        if time > self.report.slowest {
            self.measure(input, time);
        }
        lock(slot).since = None;
        match answer {
            Ok(seen) => {
                let new = self.seen.insert(seen);
                if new && self.report.novel.len() < MAX_POOL {
                    self.report.novel.push(input.to_vec());
                }
                new
            }
            Err(message) => {
                self.find(input, Fault::Panic(message));
                false
            }
        }
    }

    /// Other processes share this machine, so the shortest of three times is the input's.
    fn measure(&mut self, input: &[u8], first: Duration) {
        let again = (0..2).map(|_| {
            let begun = Instant::now();
            let _ = attempt(self.target, input);
            begun.elapsed()
        });
        let time = again.fold(first, Duration::min);
        if time > SLOW {
            self.find(input, Fault::Slow(time));
        }
        self.report.slowest = self.report.slowest.max(time);
    }

    fn find(&mut self, input: &[u8], fault: Fault) {
        let before = self.report.findings.len();
        self.report.note(Finding { input: input.to_vec(), fault });
        if let Some(new) = self.report.findings.get_mut(before)
            && matches!(new.fault, Fault::Panic(_))
        {
            new.input = smaller(self.target, input);
        }
    }
}

fn attempt(target: &Target, input: &[u8]) -> Result<Seen, String> {
    let result = panic::catch_unwind(AssertUnwindSafe(|| (target.body)(input)));
    result.map_err(|_| MESSAGE.take().unwrap_or_else(|| "no message".to_owned()))
}

/// The input without the parts that its panic does not need.
fn smaller(target: &Target, input: &[u8]) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < best.len() {
            let mut shorter = best.clone();
            shorter.drain(from..(from + size).min(best.len()));
            if attempt(target, &shorter).is_err() {
                best = shorter;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRAP: Target = Target {
        name: "trap",
        max_len: 64,
        tokens: &[],
        memory: 1 << 20,
        smoke: 0,
        body: |input| {
            assert!(!input.contains(&b'!'), "an exclamation mark");
            Seen::accepted(input.len() as u64)
        },
        seeds: Vec::new,
    };

    #[test]
    fn a_panic_is_found_once_and_made_small_and_new_answers_are_kept() {
        let plan = Plan { executions: 20_000, time: None, threads: 2, seed: 1 };
        let report = run(&TRAP, &[b"hello".to_vec()], &plan, |_| {}).unwrap();
        assert_eq!(report.executions, 20_002);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].input, b"!");
        assert!(matches!(&report.findings[0].fault, Fault::Panic(m) if m.contains("exclamation")));
        assert!(report.novel.len() > 10);
    }

    #[test]
    fn an_input_hangs_while_it_is_read_and_not_after() {
        let progress = Progress { running: vec![Mutex::default()], ..Progress::default() };
        let long_ago = Instant::now().checked_sub(HANG * 2);
        *lock(&progress.running[0]) = Reading { since: long_ago, input: b"x".to_vec() };
        assert_eq!(progress.hanging().unwrap().input, b"x");
        lock(&progress.running[0]).since = None;
        assert!(progress.hanging().is_none());
    }
}
