//! The judge in office, and who was let run by it: a change of the trust configuration is asked of everyone that runs.

use super::judge::Judge;
use super::members::memberships;
use crate::attestation::{Standing, TrustRoot};
use crate::lifecycle::{Warrant, Withdrawn};
use arc_swap::ArcSwap;
use common::cancel::CancelToken;
use common::clock::Clock;
use common::error::{Code, ForgeError, codes};
use microkernel::trust::TrustEvaluator;
use parking_lot::{Mutex, MutexGuard};
use std::sync::{Arc, OnceLock, Weak};

/// What a trust configuration that is silent, damaged or out of date says: nothing new is run, and what runs goes on.
/// Every other refusal takes trust away from what runs.
const SILENT: [&Code; 7] =
    [&codes::E1302, &codes::E1303, &codes::E1305, &codes::E1306, &codes::E1408, &codes::E1409, &codes::E1417];

/// The judge in office.
#[derive(Debug)]
pub(super) struct Court {
    /// With the number of its term, from 1.
    office: ArcSwap<(u64, Judge)>,
    clock: Arc<dyn Clock>,
    /// Who is told the roles and tiers of the trust configuration.
    evaluator: Arc<TrustEvaluator>,
    /// Those that may run. As many as there are plugins that are up, on trial or drained.
    warrants: Mutex<Vec<Weak<HouseWarrant>>>,
    changing: Mutex<()>,
    /// Held for a moment while another takes office.
    replacing: Mutex<()>,
}

impl Court {
    pub fn new(judge: Judge, clock: Arc<dyn Clock>, evaluator: Arc<TrustEvaluator>) -> Self {
        announce(&judge, &evaluator);
        let office = ArcSwap::from_pointee((1, judge));
        Self {
            office,
            clock,
            evaluator,
            warrants: Mutex::default(),
            changing: Mutex::default(),
            replacing: Mutex::default(),
        }
    }

    /// The judge in office, and its term.
    pub fn office(&self) -> Arc<(u64, Judge)> {
        self.office.load_full()
    }

    /// The right to read the trust configuration and to act on it.
    pub fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// Puts this judge in office, unless the one that is judges by the same. Who is in office then.
    pub fn in_force(&self, judge: Judge) -> Arc<(u64, Judge)> {
        let _one = self.replacing.lock();
        let office = self.office();
        if office.1.is_like(&judge) {
            return office;
        }
        announce(&judge, &self.evaluator);
        let next = Arc::new((office.0.saturating_add(1), judge));
        self.office.store(next.clone());
        next
    }

    /// The warrant of a package that was proven. It is asked of whoever is in office when it is used first.
    pub fn warrant(self: &Arc<Self>, standing: &Standing) -> Arc<HouseWarrant> {
        let warrant = Arc::new(HouseWarrant {
            standing: standing.clone(),
            court: self.clone(),
            over: CancelToken::new(),
            answer: Mutex::new(Answer { term: 0, until: 0 }),
            withdrawn: OnceLock::new(),
        });
        let mut warrants = self.warrants.lock();
        // Swept when it would grow, so that it holds at most twice what lives.
        if warrants.len() == warrants.capacity() {
            warrants.retain(|warrant| warrant.strong_count() > 0);
        }
        warrants.push(Arc::downgrade(&warrant));
        warrant
    }

    /// Whether a refusal takes no trust away.
    fn silent(&self, error: &ForgeError) -> bool {
        self.office.load().1.problem().is_some() || SILENT.contains(&error.code())
    }

    /// Asks about everyone that runs, and takes the right from those that lost trust. How many there are.
    pub fn review(&self) -> usize {
        let all: Vec<Arc<HouseWarrant>> = self.warrants.lock().iter().filter_map(Weak::upgrade).collect();
        all.iter().filter(|warrant| warrant.review()).count()
    }
}

/// Roles and tiers of a configuration that cannot be used stay what they were.
fn announce(judge: &Judge, evaluator: &TrustEvaluator) {
    if judge.problem().is_none() {
        evaluator.set_memberships(memberships(judge.verifier().trust().map(TrustRoot::config)));
    }
}

/// What was said last.
#[derive(Debug)]
struct Answer {
    term: u64,
    /// Nanoseconds since 1970 up to which that holds.
    until: u64,
}

/// The right to run one plugin as long as its proof stands.
#[derive(Debug)]
pub(super) struct HouseWarrant {
    standing: Standing,
    court: Arc<Court>,
    over: CancelToken,
    answer: Mutex<Answer>,
    withdrawn: OnceLock<Withdrawn>,
}

impl HouseWarrant {
    /// Whether trust in it was taken away now.
    fn review(&self) -> bool {
        match self.ask() {
            Err(error) if !self.court.silent(&error) && self.withdrawn.set(withdrawn(&error)).is_ok() => {
                self.over.cancel();
                true
            }
            _ => false,
        }
    }

    fn ask(&self) -> Result<(), ForgeError> {
        let office = self.court.office();
        let (term, judge) = &*office;
        let now = self.court.clock.wall_ns();
        let known = {
            let answer = self.answer.lock();
            answer.term == *term && now <= answer.until
        };
        if known {
            return Ok(());
        }
        let until = judge.still_stands(&self.standing, now)?;
        let mut answer = self.answer.lock();
        if *term >= answer.term {
            *answer = Answer { term: *term, until };
        }
        Ok(())
    }
}

impl Warrant for HouseWarrant {
    fn holds(&self) -> Result<(), Withdrawn> {
        match self.withdrawn.get() {
            Some(withdrawn) => Err(withdrawn.clone()),
            None => self.ask().map_err(|error| withdrawn(&error)),
        }
    }
    fn over(&self) -> &CancelToken {
        &self.over
    }
}

fn withdrawn(error: &ForgeError) -> Withdrawn {
    let parts = std::iter::once(error.to_string()).chain(error.reasons().iter().cloned());
    Withdrawn { code: error.code(), why: parts.collect::<Vec<_>>().join(": ") }
}
