//! Call threads with jobs that are no calls: how many there are, what waits for them, what is refused.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What became of a job.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Begun(u32),
    Done(u32),
    Refused(u32, &'static str),
}

type Work = Box<dyn FnOnce() + Send>;

struct Task {
    number: u32,
    plugin: &'static str,
    given_up: Arc<AtomicBool>,
    work: Work,
    seen: Sender<Seen>,
}

impl Job for Task {
    fn plugin(&self) -> &str {
        self.plugin
    }
    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }
    fn run(self) {
        self.seen.send(Seen::Begun(self.number)).unwrap();
        (self.work)();
        drop(self.seen.send(Seen::Done(self.number)));
    }
    fn refuse(self, why: Refused) {
        let why = match why {
            Refused::Full(_) => "full",
            Refused::Closing => "closing",
            Refused::GivenUp => "given up",
            Refused::Thread(_) => "thread",
        };
        self.seen.send(Seen::Refused(self.number, why)).unwrap();
    }
}

/// Threads under test, and what is heard of them.
struct Rig {
    threads: CallThreads<Task>,
    seen: (Sender<Seen>, Receiver<Seen>),
    made: u32,
}

impl Rig {
    fn new(threads: usize, queue: usize) -> Self {
        Self { threads: CallThreads::new(Sizes { threads, queue }), seen: channel(), made: 0 }
    }
    fn submit(&mut self, plugin: &'static str, work: impl FnOnce() + Send + 'static) -> Arc<AtomicBool> {
        let given_up = Arc::new(AtomicBool::new(false));
        let task = Task {
            number: self.made,
            plugin,
            given_up: given_up.clone(),
            work: Box::new(work),
            seen: self.seen.0.clone(),
        };
        self.made += 1;
        self.threads.submit(task);
        given_up
    }
    /// A job that ends when the sender is dropped.
    fn held(&mut self, plugin: &'static str) -> Sender<()> {
        let (hold, held) = channel();
        self.submit(plugin, move || assert!(held.recv().is_err()));
        hold
    }
    fn next(&self) -> Seen {
        self.seen.1.recv().unwrap()
    }
}

#[test]
fn threads_are_started_for_work_and_no_more_than_there_may_be() {
    let mut rig = Rig::new(2, 8);
    assert_eq!(rig.threads.threads(), 0);
    let first = rig.held("a");
    assert_eq!((rig.next(), rig.threads.threads()), (Seen::Begun(0), 1));
    let second = rig.held("b");
    assert_eq!((rig.next(), rig.threads.threads()), (Seen::Begun(1), 2));
    let _third = rig.held("c");
    assert_eq!(rig.threads.threads(), 2);
    drop(first);
    assert_eq!((rig.next(), rig.next()), (Seen::Done(0), Seen::Begun(2)));
    drop(second);
    assert_eq!(rig.next(), Seen::Done(1));
}

#[test]
fn what_is_beyond_the_queue_is_refused_unless_somebody_in_it_gave_up() {
    let mut rig = Rig::new(1, 2);
    let hold = rig.held("a");
    assert_eq!(rig.next(), Seen::Begun(0));
    let first = rig.submit("a", || ());
    rig.submit("a", || ());
    rig.submit("a", || ());
    assert_eq!(rig.next(), Seen::Refused(3, "full"));
    first.store(true, Ordering::SeqCst);
    rig.submit("a", || ());
    assert_eq!(rig.next(), Seen::Refused(1, "given up"));
    let text = rig.threads.prometheus_text();
    for line in ["call_threads 1", "call_queue_depth 2", "call_queue_peak 2", "call_queue_refused_total 1"] {
        assert!(text.contains(&format!("\nforgeone_{line}\n")), "{text}");
    }
    drop(hold);
    let rest = [rig.next(), rig.next(), rig.next(), rig.next(), rig.next()];
    assert_eq!(rest, [Seen::Done(0), Seen::Begun(2), Seen::Done(2), Seen::Begun(4), Seen::Done(4)]);
}

#[test]
fn one_plugin_has_half_of_the_threads_and_the_jobs_of_others_pass_its_own() {
    let mut rig = Rig::new(4, 16);
    let holds: Vec<_> = (0..5).map(|_| rig.held("greedy")).collect();
    assert_eq!([rig.next(), rig.next()].iter().filter(|s| matches!(s, Seen::Begun(0 | 1))).count(), 2);
    rig.submit("other", || ());
    assert_eq!([rig.next(), rig.next()], [Seen::Begun(5), Seen::Done(5)], "the third greedy one waits");
    drop(holds);
    let mut done = 0;
    while done < 5 {
        done += u32::from(matches!(rig.next(), Seen::Done(_)));
    }
}

#[test]
fn what_waits_when_it_is_closed_is_refused_and_the_threads_end() {
    let mut rig = Rig::new(1, 4);
    let hold = rig.held("a");
    assert_eq!(rig.next(), Seen::Begun(0));
    rig.submit("a", || ());
    rig.threads.close();
    assert_eq!(rig.next(), Seen::Refused(1, "closing"));
    rig.submit("a", || ());
    assert_eq!(rig.next(), Seen::Refused(2, "closing"));
    drop(hold);
    rig.threads.join(Duration::from_secs(60));
    assert_eq!((rig.next(), rig.threads.threads()), (Seen::Done(0), 0));
}

#[test]
fn a_job_that_does_not_end_is_not_waited_for() {
    let mut rig = Rig::new(1, 4);
    let hold = rig.held("a");
    assert_eq!(rig.next(), Seen::Begun(0));
    rig.threads.close();
    rig.threads.join(Duration::from_millis(1));
    assert_eq!(rig.threads.threads(), 1);
    drop(hold);
    rig.threads.join(Duration::from_secs(60));
    assert_eq!(rig.threads.threads(), 0);
}

#[test]
fn a_job_that_unwinds_takes_no_thread_with_it() {
    let mut rig = Rig::new(1, 4);
    rig.submit("a", || std::panic::resume_unwind(Box::new(())));
    rig.submit("a", || ());
    assert_eq!([rig.next(), rig.next(), rig.next()], [Seen::Begun(0), Seen::Begun(1), Seen::Done(1)]);
    assert_eq!(rig.threads.threads(), 1);
}

#[test]
fn of_many_jobs_from_many_threads_each_is_done_once() {
    let rig = Rig::new(3, 100_000);
    let done: Arc<Vec<AtomicUsize>> = Arc::new((0..2_000).map(|_| AtomicUsize::new(0)).collect());
    let (seen, heard) = channel();
    std::thread::scope(|scope| {
        for from in 0..4_usize {
            let (rig, done, seen) = (&rig.threads, done.clone(), seen.clone());
            scope.spawn(move || {
                for at in (from..done.len()).step_by(4) {
                    let done = done.clone();
                    rig.submit(Task {
                        number: 0,
                        plugin: ["a", "b", "c"][at % 3],
                        given_up: Arc::default(),
                        work: Box::new(move || assert_eq!(done[at].fetch_add(1, Ordering::SeqCst), 0)),
                        seen: seen.clone(),
                    });
                }
            });
        }
    });
    let ended = heard.iter().filter(|seen| *seen == Seen::Done(0)).take(done.len()).count();
    assert_eq!(ended, done.len());
    assert!(done.iter().all(|count| count.load(Ordering::SeqCst) == 1));
    assert!(rig.threads.threads() <= 3);
}
