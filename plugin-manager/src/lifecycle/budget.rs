//! How many times something may happen within a while: instances a plugin loses, starts it is given.

use std::collections::VecDeque;

/// Instances lost within [`WINDOW_MS`] before the plugin is `Failed`.
pub(super) const RESTARTS: usize = 5;
/// The window, in milliseconds.
pub(super) const WINDOW_MS: u64 = 60_000;

/// Remembers the last times. Bounded by how many there may be.
#[derive(Debug)]
pub(super) struct RestartBudget {
    most: usize,
    window_ms: u64,
    times: VecDeque<u64>,
}

impl Default for RestartBudget {
    /// That of the instances of a plugin.
    fn default() -> Self {
        Self::new(RESTARTS, WINDOW_MS)
    }
}

impl RestartBudget {
    /// Nothing of it is spent yet.
    pub const fn new(most: usize, window_ms: u64) -> Self {
        Self { most, window_ms, times: VecDeque::new() }
    }
    /// Counts a loss at this time; whether the budget is spent by it.
    pub fn lose(&mut self, now_ms: u64) -> Spent {
        self.forget(now_ms);
        if self.times.len() >= self.most {
            self.times.pop_front();
        }
        if self.most > 0 {
            self.times.push_back(now_ms);
        }
        self.left()
    }
    /// What is left at this time, and how many times it was drawn on within the window.
    pub fn at(&mut self, now_ms: u64) -> (Spent, usize) {
        self.forget(now_ms);
        (self.left(), self.times.len())
    }
    /// Forgets all losses: an operator started the plugin anew.
    pub fn reset(&mut self) {
        self.times.clear();
    }

    fn forget(&mut self, now_ms: u64) {
        while self.times.front().is_some_and(|time| time.saturating_add(self.window_ms) <= now_ms) {
            self.times.pop_front();
        }
    }
    fn left(&self) -> Spent {
        if self.times.len() >= self.most { Spent::All } else { Spent::Some }
    }
}

/// What is left of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// Some is left.
    Some,
    /// Nothing is left.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_losses_in_a_minute_spend_the_budget_and_old_ones_are_forgotten() {
        let mut b = RestartBudget::default();
        for i in 0..4 {
            assert_eq!(b.lose(i * 1000), Spent::Some);
        }
        assert_eq!(b.lose(WINDOW_MS), Spent::Some, "the first loss is a minute old");
        assert_eq!(b.lose(WINDOW_MS + 1), Spent::All);
        assert_eq!(b.lose(WINDOW_MS + 2), Spent::All);
        b.reset();
        assert_eq!(b.lose(WINDOW_MS + 3), Spent::Some);
    }

    #[test]
    fn a_budget_of_none_is_spent_from_the_beginning_and_remembers_nothing() {
        let mut b = RestartBudget::new(0, 1000);
        assert_eq!(b.at(0), (Spent::All, 0));
        assert_eq!(b.lose(1), Spent::All);
        assert_eq!(b.at(2), (Spent::All, 0));
    }

    #[test]
    fn however_often_it_is_drawn_on_it_remembers_as_many_as_there_may_be() {
        let mut b = RestartBudget::new(3, u64::MAX);
        assert!((0..1000).filter(|now| b.lose(*now) == Spent::All).count() == 998);
        assert_eq!((b.at(1000), b.times.len()), ((Spent::All, 3), 3));
    }
}
