//! Runs threads one step at a time, in every order there is. A step ends where a thread is about to touch what they
//! share; memory is as sequentially consistent as one thread at a time makes it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a thread tells who lets it go on.
enum Told {
    /// It waits at a step.
    Waits,
    /// It is over, with this result.
    Over(usize),
}

struct Baton {
    tell: Sender<Told>,
    go: Receiver<()>,
}

thread_local! {
    static BATON: RefCell<Option<Baton>> = const { RefCell::new(None) };
}

/// Waits for its turn, in a thread that is run by [`every_order`].
pub(crate) fn step() {
    BATON.with_borrow(|baton| {
        if let Some(Baton { tell, go }) = baton {
            tell.send(Told::Waits).unwrap();
            go.recv().unwrap();
        }
    });
}

pub(crate) fn shared<T>(value: T) -> Arc<T> {
    Arc::new(value)
}

pub(crate) type Job = Box<dyn FnOnce() -> usize + Send>;

struct Thread {
    go: Sender<()>,
    told: Receiver<Told>,
    over: bool,
}

impl Thread {
    fn start<'scope>(scope: &'scope std::thread::Scope<'scope, '_>, job: Job) -> Self {
        let ((tell, told), (go, gone)) = (channel(), channel());
        scope.spawn(move || {
            let over = tell.clone();
            BATON.set(Some(Baton { tell, go: gone }));
            step();
            let result = job();
            over.send(Told::Over(result)).unwrap();
        });
        Self { go, told, over: false }
    }
    /// Until it waits or is over; its result then.
    fn settle(&mut self) -> Option<usize> {
        match self.told.recv().expect("no job panics") {
            Told::Waits => None,
            Told::Over(result) => {
                self.over = true;
                Some(result)
            }
        }
    }
}

/// Runs the jobs that `begin` makes anew, once in every order of their steps, and gives the sum of their results of
/// each run to `end`. How many orders there were.
pub(crate) fn every_order<const N: usize>(
    mut begin: impl FnMut() -> [Job; N],
    mut end: impl FnMut(usize),
) -> usize {
    // The choices of the last run, each with the number of threads there were to choose from.
    let mut choices: Vec<(usize, usize)> = Vec::new();
    for orders in 1.. {
        end(run(begin(), &mut choices));
        while choices.pop_if(|(chosen, of)| *chosen + 1 == *of).is_some() {}
        match choices.last_mut() {
            Some((chosen, _)) => *chosen += 1,
            None => return orders,
        }
    }
    unreachable!("the orders come to an end")
}

/// One run by these choices, and by the first thread where they end.
fn run<const N: usize>(jobs: [Job; N], choices: &mut Vec<(usize, usize)>) -> usize {
    std::thread::scope(|scope| {
        let mut threads = jobs.map(|job| Thread::start(scope, job));
        let mut sum: usize = threads.iter_mut().filter_map(Thread::settle).sum();
        for turn in 0.. {
            let mut waiting: Vec<&mut Thread> = threads.iter_mut().filter(|thread| !thread.over).collect();
            if waiting.is_empty() {
                break;
            }
            if choices.len() == turn {
                choices.push((0, waiting.len()));
            }
            let thread = &mut waiting[choices[turn].0];
            thread.go.send(()).unwrap();
            sum += thread.settle().unwrap_or(0);
        }
        sum
    })
}

#[test]
fn two_threads_of_two_steps_have_twenty_orders() {
    let job = || -> Job {
        Box::new(|| {
            step();
            step();
            1
        })
    };
    let mut ran = 0;
    // Each begins with a step of its own: six steps, three of each.
    assert_eq!(every_order(|| [job(), job()], |sum| ran += sum), 20);
    assert_eq!(ran, 40);
}
