//! One supervised plugin: what is to be done about it now. Decides by what it is shown, and does nothing.

use super::super::events::EventKind;
use super::ledger::Ledger;
use crate::config::{Dependents, HealthCheck, Restart, Supervision};
use crate::lifecycle::Next;
use crate::plugin::PluginState;
use std::sync::Arc;
use std::time::Duration;

/// How a plugin and what it needs stand.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Its state.
    pub state: PluginState,
    /// Whether it is desired running.
    pub wanted: bool,
    /// The first plugin it needs itself that does not run.
    pub missing: Option<String>,
    /// A plugin it needs, itself or through others, that is out of service by a failure.
    pub broken: Option<String>,
}

/// What is to be done about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// It is brought up, `again` when it failed.
    Start {
        /// Whether it failed.
        again: bool,
    },
    /// Its health is checked.
    Check(Check),
    /// It is paused, for this plugin is out of service.
    Pause(String),
    /// It is resumed.
    Resume,
}

/// One check of a plugin's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How.
    pub how: HealthCheck,
    /// How long it may take.
    pub timeout: Duration,
    /// How often it failed in a row.
    pub before: u32,
    /// How often is too often.
    pub most: u32,
    /// Calls and failed calls when it was checked last.
    pub seen: (u64, u64),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It runs, or could not be started for this reason.
    Started(Result<(), String>),
    /// It is well or not, or that cannot be said; calls and failed calls at that time.
    Checked(Option<bool>, (u64, u64)),
    /// It is paused, or the moment for it had passed.
    Paused,
}

/// Whether it is started again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    /// It has not failed, or nobody has looked yet.
    No,
    /// At this time.
    Due(u64),
    /// No longer.
    GivenUp,
}

/// One supervised plugin.
#[derive(Debug)]
pub struct Kept {
    rules: Supervision,
    ledger: Arc<Ledger>,
    /// A task is under way.
    busy: bool,
    out: Out,
    /// Why it could not be started although it is not `Failed`.
    trouble: Option<String>,
    /// The plugin it was last told to be out of service.
    told: Option<String>,
    check_due: Option<u64>,
    failures: u32,
    seen: (u64, u64),
    /// It was `Failed` when supervision began, and has not been anything else since.
    left: bool,
    /// The task under way starts it again after a failure.
    again: bool,
}

impl Kept {
    /// A plugin nobody looked at yet. `left` tells that it was `Failed` when supervision began.
    pub const fn new(rules: Supervision, ledger: Arc<Ledger>, left: bool) -> Self {
        Self {
            rules,
            ledger,
            busy: false,
            out: Out::No,
            trouble: None,
            told: None,
            check_due: None,
            failures: 0,
            seen: (0, 0),
            left,
            again: false,
        }
    }

    /// Whether it is out of service because it could not be started.
    pub const fn in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// What is to be done about it now, if anything. `chance` is drawn when it failed; `tell` is told what is
    /// decided.
    pub fn decide(
        &mut self,
        scene: &Scene,
        now_ms: u64,
        chance: &mut dyn FnMut() -> u64,
        tell: &mut dyn FnMut(EventKind),
    ) -> Option<Task> {
        if self.busy {
            return None;
        }
        let left = std::mem::take(&mut self.left);
        self.tell_needs(scene, tell);
        let task = match scene.state {
            _ if !scene.wanted => self.rest(),
            PluginState::Quarantined => self.rest(),
            PluginState::Running => self.running(scene, now_ms),
            PluginState::Paused => scene.broken.is_none().then_some(Task::Resume),
            PluginState::Failed => self.failed(scene, left, now_ms, chance, tell),
            PluginState::Created | PluginState::Stopped | PluginState::Ready => match self.trouble {
                Some(_) => self.failed(scene, false, now_ms, chance, tell),
                None => scene.missing.is_none().then_some(Task::Start { again: false }),
            },
            PluginState::Initializing | PluginState::Stopping | PluginState::Unloaded => None,
        };
        self.show(scene);
        self.busy = task.is_some();
        task
    }

    /// When it is to be looked at again, if nothing happens to it before.
    pub fn wake_ms(&self, now_ms: u64) -> Option<u64> {
        let due = match self.out {
            Out::Due(at) => Some(at),
            Out::No | Out::GivenUp => self.check_due,
        };
        due.filter(|at| !self.busy && *at > now_ms)
    }

    /// What came of its task.
    pub fn done(&mut self, done: Done, state: PluginState, now_ms: u64, tell: &mut dyn FnMut(EventKind)) {
        self.busy = false;
        let again = std::mem::take(&mut self.again);
        match done {
            Done::Started(started) => {
                if again {
                    self.ledger.show(|shown| shown.restarts += 1);
                }
                self.out = Out::No;
                (self.failures, self.check_due, self.seen) = (0, None, (0, 0));
                self.trouble = match started {
                    Ok(()) => None,
                    Err(why) => (state != PluginState::Failed).then_some(why),
                };
                if again && state == PluginState::Running {
                    tell(EventKind::Restarted);
                }
            }
            Done::Checked(well, seen) => {
                self.seen = seen;
                self.check_due = Some(now_ms.saturating_add(millis(self.rules.every)));
                let Some(well) = well else { return };
                if well && self.failures > 0 {
                    tell(EventKind::Well);
                }
                self.failures = if well { 0 } else { self.failures.saturating_add(1) };
                self.ledger.show(|shown| {
                    shown.well = Some(well);
                    shown.health_failures += u64::from(!well);
                });
            }
            Done::Paused => {}
        }
    }

    /// Nothing is to be done, and what was is over.
    fn rest(&mut self) -> Option<Task> {
        (self.out, self.trouble, self.check_due, self.failures) = (Out::No, None, None, 0);
        None
    }

    fn running(&mut self, scene: &Scene, now_ms: u64) -> Option<Task> {
        if self.out == Out::GivenUp {
            self.ledger.reset();
        }
        (self.out, self.trouble) = (Out::No, None);
        if let (Some(need), Dependents::Pause) = (&scene.broken, self.rules.dependents) {
            return Some(Task::Pause(need.clone()));
        }
        if self.rules.check.is_none() {
            return None;
        }
        let due = *self.check_due.get_or_insert(now_ms.saturating_add(millis(self.rules.every)));
        (due <= now_ms).then(|| {
            Task::Check(Check {
                how: self.rules.check.clone(),
                timeout: self.rules.timeout,
                before: self.failures,
                most: self.rules.failures,
                seen: self.seen,
            })
        })
    }

    /// It failed, or could not be started. `left` tells that it was so when supervision began.
    fn failed(
        &mut self,
        scene: &Scene,
        left: bool,
        now_ms: u64,
        chance: &mut dyn FnMut() -> u64,
        tell: &mut dyn FnMut(EventKind),
    ) -> Option<Task> {
        if self.out == Out::No {
            let left = left && self.rules.restart != Restart::Always;
            self.out = match if left { Next::Leave } else { self.ledger.failed(now_ms, chance()) } {
                Next::Restart(wait) => {
                    tell(EventKind::RestartDue { wait });
                    Out::Due(now_ms.saturating_add(millis(wait)))
                }
                Next::Leave | Next::GiveUp => {
                    tell(EventKind::GivenUp);
                    Out::GivenUp
                }
            };
        }
        match self.out {
            Out::Due(at) if at <= now_ms && scene.missing.is_none() => {
                self.again = true;
                Some(Task::Start { again: true })
            }
            _ => None,
        }
    }

    fn tell_needs(&mut self, scene: &Scene, tell: &mut dyn FnMut(EventKind)) {
        if self.told == scene.broken {
            return;
        }
        tell(match &scene.broken {
            Some(need) => EventKind::NeedDown { need: need.clone() },
            None => EventKind::NeedsBack,
        });
        self.told = scene.broken.clone();
    }

    fn show(&self, scene: &Scene) {
        let due_ms = if let Out::Due(at) = self.out { Some(at) } else { None };
        let waits = scene.wanted && scene.state != PluginState::Running;
        self.ledger.show(|shown| {
            shown.due_ms = due_ms;
            shown.given_up = self.out == Out::GivenUp;
            shown.trouble.clone_from(&self.trouble);
            shown.waits_for = scene.missing.clone().filter(|_| waits);
            if scene.state != PluginState::Running {
                shown.well = None;
            }
        });
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
