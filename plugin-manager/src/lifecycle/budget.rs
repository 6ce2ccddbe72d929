//! How many instances a plugin may lose before it is `Failed`.

use std::collections::VecDeque;

/// Instances lost within [`WINDOW_MS`] before the plugin is `Failed`.
pub(super) const RESTARTS: usize = 5;
/// The window, in milliseconds.
pub(super) const WINDOW_MS: u64 = 60_000;

/// Remembers the last losses. Bounded by [`RESTARTS`].
#[derive(Debug, Default)]
pub(super) struct RestartBudget(VecDeque<u64>);

impl RestartBudget {
    /// Counts a loss at this time; whether the budget is spent by it.
    pub fn lose(&mut self, now_ms: u64) -> Spent {
        while self.0.front().is_some_and(|lost| lost.saturating_add(WINDOW_MS) <= now_ms) {
            self.0.pop_front();
        }
        if self.0.len() == RESTARTS {
            self.0.pop_front();
        }
        self.0.push_back(now_ms);
        if self.0.len() == RESTARTS { Spent::All } else { Spent::Some }
    }
    /// Forgets all losses: an operator started the plugin anew.
    pub fn reset(&mut self) {
        self.0.clear();
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
}
